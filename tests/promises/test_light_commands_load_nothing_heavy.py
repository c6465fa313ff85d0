"""list, show, plan, report and --help load neither torch nor MLflow nor a page."""

import subprocess
import sys
from pathlib import Path

import pytest

from suite import home

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
