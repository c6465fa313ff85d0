"""The files around the code agree with each other: locks, metadata, licences, make targets, hooks."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from suite import bootstrap, cli

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf8")
PINS = {name: version for name, (version, _) in bootstrap.pins(LOCK).items()}
TORCH = bootstrap.pins((ROOT / "requirements-torch.lock").read_text(encoding="utf8"))["torch"][0]


def tracked() -> Iterator[Path]:
    """Files that are in git, or would be."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this tree is not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            yield ROOT / name


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf8")
    except UnicodeDecodeError:
        return ""  # a font or a picture


# --- The locks ----------------------------------------------------------------------------------------


def declared() -> list[Requirement]:
    extras = PROJECT["project"]["optional-dependencies"]
    return [Requirement(text) for text in [*PROJECT["project"]["dependencies"], *extras["dev"]]]


@pytest.mark.parametrize("requirement", declared(), ids=lambda r: r.name)
def test_every_declared_range_holds_its_pin(requirement: Requirement) -> None:
    name = canonicalize_name(requirement.name)
    version = TORCH if name == "torch" else PINS[name]
    assert requirement.specifier.contains(version), f"{requirement} excludes the locked {version}: run make lock"


def test_the_lock_is_complete() -> None:
    """What a locked package needs here is locked too; pip installs the lock with --no-deps."""
    for name in [*PINS, "torch"]:
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another system
        for text in needs:
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                needed = canonicalize_name(need.name)
                assert needed in PINS or needed in ("torch", *cuda_of_torch()), (
                    f"{name} needs {need.name}, not in the lock"
                )


def cuda_of_torch() -> set[str]:
    names = {canonicalize_name(Requirement(text).name) for text in metadata.requires("torch") or []}
    return {name for name in names if name.startswith(bootstrap.CUDA_PACKAGES)}


def test_the_lock_is_exact_hashed_and_without_cuda() -> None:
    blocks = [block for block in re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE) if not block.startswith("#")]
    assert len(blocks) == len(PINS) > 100
    for block in blocks:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block.splitlines()[0]
        assert not block.startswith(("torch==", *bootstrap.CUDA_PACKAGES)), block.splitlines()[0]
    assert not re.search(r"https?:|file:|--(extra-)?index|--find-links", LOCK)


def test_withdrawn_releases_are_excluded() -> None:
    """2.6.2 and 2.6.3 of lightning were malicious (GHSA-w37p-236h-pfx3)."""
    lightning = next(r for r in declared() if r.name == "lightning")
    for version in ("2.6.2", "2.6.3"):
        assert not lightning.specifier.contains(version)
    assert PINS["lightning"] == PINS["pytorch-lightning"]


def test_python_versions_agree() -> None:
    supported = SpecifierSet(PROJECT["project"]["requires-python"])
    matrix = re.search(r"python: \[(.*)\]", (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf8"))
    assert matrix
    tested = re.findall(r"\d\.\d+", matrix[1])
    assert tested == [f"3.{minor}" for minor in range(9, 16) if supported.contains(f"3.{minor}")]
    first, above = bootstrap.OLDEST, bootstrap.TOO_NEW
    assert tested == [f"3.{minor}" for minor in range(first[1], above[1])]


def test_what_ci_runs_is_there() -> None:
    targets = set(re.findall(r"^([\w%-]+):", (ROOT / "Makefile").read_text(encoding="utf8"), re.MULTILINE))
    for path in sorted((ROOT / ".github/workflows").glob("*.yml")):
        named = re.findall(r"run: make ([\w-]+)", path.read_text(encoding="utf8"))
        assert named, path
        for name in named:
            assert name in targets or any("%" in t and name.startswith(t.split("%")[0]) for t in targets), name


def test_the_torture_runs_every_night_and_its_exit_code_counts() -> None:
    text = (ROOT / ".github/workflows/nightly.yml").read_text(encoding="utf8")
    assert re.search(r'schedule:\n\s+- cron: "\d+ \d+ \* \* \*"', text)
    (piped,) = re.findall(r"shell: bash\b.*\n\s+run: make torture \| tee", text)
    assert piped


# --- Licences, hosts, paths ---------------------------------------------------------------------------


def test_licences_are_there() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf8")
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert PROJECT["project"]["license"] == "Apache-2.0"
    for pattern in PROJECT["project"]["license-files"]:
        assert list(ROOT.glob(pattern)), f"license-files names {pattern}, and nothing is there"
    for folder in {path.parent for kind in ("*.otf", "*.ttf") for path in (ROOT / "suite").rglob(kind)}:
        assert list(folder.glob("*.txt")), f"the fonts in {folder.relative_to(ROOT)} have no licence beside them"


def test_no_package_host_and_no_path_of_one_machine() -> None:
    hosts = re.compile(r"pypi[.]org|pythonhosted[.]org|download[.]pytorch|npmjs[.]|deb[.]debian|anaconda[.]org")
    paths = re.compile(r"(?<![\w/.:}])/(?:home|root|Users|work|opt)/\w")
    for path in tracked():
        text = text_of(path)
        for wrong in (hosts, paths):
            found = wrong.search(text)
            assert found is None, (
                f"{path.relative_to(ROOT)} names {found and text[found.start() : found.start() + 60]!r}"
            )


def test_the_top_level_stays_small() -> None:
    allowed = {
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "pyproject.toml",
        "requirements.lock",
    }
    allowed |= {"requirements-torch.lock", ".gitignore", ".pre-commit-config.yaml", ".ci", ".github", "docs"}
    allowed |= {"suite", "tasks", "results", "reports", "tests"}
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= allowed


# --- make, hooks, pytest ------------------------------------------------------------------------------


def make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "-C", str(ROOT), "-n", *words], capture_output=True, text=True, check=False)


def test_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf8")
    targets = set(re.findall(r"^([a-z%-]+):", makefile, flags=re.MULTILINE))
    documented = set(re.findall(r"^([a-z%-]+):.*## .", makefile, flags=re.MULTILINE))
    assert targets == documented
    shown = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    for target in targets:
        assert f"  {target} " in shown


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["list"], "list"),
        (["plan-some-task"], "plan some-task --tier cpu"),
        (["plan-some-task", "TIER=gpu", "SEEDS=24"], "plan some-task --tier gpu --seeds 24"),
        (["reproduce-some_task", "ONLY=c1,c4"], "run some_task --tier cpu --only c1,c4"),
        (["reproduce-some-task", "EXECUTOR=inline"], "run some-task --tier cpu --executor inline"),
        (["reproduce-all", "TIER=smoke"], "run all --tier smoke"),
        (["report"], "report"),
        (["dashboard"], "dashboard"),
        (["sync"], "sync"),
        (["doctor-some-task"], "doctor some-task"),
        (["new", "TASK=some-claim"], "new some-claim"),
    ],
)
def test_make_targets_say_what_the_command_line_takes(words: list[str], command: str) -> None:
    shown = make(*words)
    assert shown.returncode == 0, shown.stderr
    line = next(line for line in shown.stdout.splitlines() if "-m suite " in line)
    given = line.split("-m suite ", 1)[1].replace('"', "").split()
    parser = cli.parser()
    assert parser.parse_args(given) == parser.parse_args(command.split())


def test_new_without_a_name_is_one_line() -> None:
    done = subprocess.run(
        ["make", "-C", str(ROOT), "-s", "new", "PYTHON=true"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "make new TASK=some-claim" in done.stderr


def test_hooks_are_few_and_local() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf8")
    assert 0 < text.count("- id:") <= 6
    assert re.findall(r"repo: (\S+)", text) == ["local"]
    assert text.count("language: system") == text.count("- id:")


def test_warnings_are_errors_and_doctests_run() -> None:
    options = PROJECT["tool"]["pytest"]["ini_options"]
    assert options["filterwarnings"][0] == "error"
    assert "--doctest-modules" in options["addopts"]
    assert {"suite", "tasks", "tests"} <= set(options["testpaths"])
