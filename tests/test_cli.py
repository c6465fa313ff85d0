"""The light verbs stay light, their JSON keeps its shape, and help is worth reading."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from suite import cli, home, registry

HEAVY = ("torch", "lightning", "mlflow", "transformers", "datasets")


def loaded_after(*words: str) -> set[str]:
    code = (
        "import sys, contextlib, io\n"
        "from suite.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        f"    main({list(words)!r})\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=home.ROOT, check=True)
    return {name.split(".")[0] for name in done.stderr.split()} | {
        n for n in done.stderr.split() if n.startswith("tasks")
    }


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", "--json"),
        ("--help",),
        ("run", "--help"),
        ("show", "duck-sector-probability"),
        ("show", "lion-vs-adamw", "--why"),
        ("plan", "lion-vs-adamw"),
        ("plan", "duck-sector-probability", "--tier", "smoke", "--json"),
    ],
)
def test_light_verbs_import_nothing_heavy(words: tuple[str, ...]) -> None:
    loaded = loaded_after(*words)
    assert not loaded & set(HEAVY)
    assert not {name for name in loaded if name.startswith("tasks.")}


def test_report_imports_no_runner(tmp_path: Path) -> None:
    loaded = loaded_after("report", "duck-sector-probability", "--tier", "cpu", "--out", str(tmp_path))
    assert list(tmp_path.glob("*.pdf"))
    assert not loaded & set(HEAVY)
    assert not {name for name in loaded if name.startswith("tasks.")}


def test_list_has_the_promised_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["slug"] for row in rows] == [page.slug for page in registry.pages().values()]
    for row in rows:
        assert row.keys() == {"slug", "title", "family", "posts", "claims", "headline", "tiers", "verdicts"}
        assert row["verdicts"].keys() <= {"smoke", "cpu", "gpu", "hub"}


def test_show_has_the_promised_fields(capsys: pytest.CaptureFixture[str]) -> None:
    for page in registry.pages().values():
        assert cli.main(["show", page.slug, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert {"source", "claims", "arms", "tiers", "revision", "rule_hash"} <= found.keys()
        for claim in found["claims"]:
            assert {"id", "says", "kind", "claimed", "headline", "tested"} <= claim.keys()
            assert set(claim["tested"]) == set(found["tiers"])
            assert all(value is True or value.strip() for value in claim["tested"].values())


def test_plan_has_the_promised_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "lion-vs-adamw", "--tier", "smoke", "--json"]) == 0
    units = json.loads(capsys.readouterr().out)["units"]
    assert units
    for unit in units:
        assert {"arm", "settings", "seeds", "cached", "reason", "seconds_expected"} <= unit.keys()


@pytest.mark.parametrize("verb", sorted(cli._VERBS))
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, "--help"])
    assert ended.value.code == 0
    assert len(capsys.readouterr().out.split()) > 12
