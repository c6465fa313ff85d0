"""The README cannot lie: its table is what the ledgers say, its commands exist, its links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest

from suite import cli, summary
from suite.claims import TIERS, Outcome

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf8")
PROSE = {name: (ROOT / name).read_text(encoding="utf8") for name in ("README.md", "CONTRIBUTING.md")}


def commands() -> list[str]:
    """Every line of the shell blocks, and every command in single backticks."""
    found = []
    for text in PROSE.values():
        for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL):
            found += [line.split("#")[0].strip() for line in block.splitlines()]
        found += re.findall(r"`((?:make|suite|\.venv/bin/suite|python -m suite) [^`]+)`", text)
    return sorted({line for line in found if line})


def targets() -> list[re.Pattern[str]]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf8")
    return [
        re.compile(re.escape(name).replace("%", "[a-z0-9_-]+"))
        for name in re.findall(r"^([a-z%-]+):", makefile, flags=re.MULTILINE)
    ]


def test_the_table_is_what_the_ledgers_say() -> None:
    inside = README.split(summary.BEGIN)[1].split(summary.END)[0].strip()
    assert inside == summary.table(), "run make report"
    assert summary.table() in (ROOT / "results/README.md").read_text(encoding="utf8"), "run make report"


@pytest.mark.parametrize("command", commands())
def test_commands_exist(command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        for word in words[1:]:
            if "=" in word:
                name = word.split("=")[0]
                assert re.search(
                    rf"^{name} +\?=", (ROOT / "Makefile").read_text(encoding="utf8"), flags=re.MULTILINE
                ), name
            else:
                assert any(target.fullmatch(word) for target in targets()), f"make has no target {word}"
    else:
        rest = words[3:] if words[:3] == ["python", "-m", "suite"] else words[1:]
        cli.parser().parse_args(rest)


@pytest.mark.parametrize("name", PROSE)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PROSE[name]):
        assert target.startswith("https://") or (ROOT / target).is_file(), (
            f"{name} links to {target}, which is not there"
        )


def test_every_outcome_and_tier_is_explained() -> None:
    for word in (*Outcome, *TIERS):
        assert str(word) in README
