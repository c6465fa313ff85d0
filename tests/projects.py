"""A small project of its own for tests that run the command line: the real suite, toy pages, an empty store."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
GUARD = str(HERE / "guard")  # no process of a test reaches beyond this machine


def hear_interrupts() -> None:
    """A shell starts background jobs deaf to SIGINT, and their children inherit it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Project:
    """A copy of the suite with the pages that a test wants; every command is a process of its own."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("SUITE_", "MLFLOW_"))}
        path = os.pathsep.join([str(self.root), GUARD])
        return {**keep, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "SUITE_WORKERS": "1", "COLUMNS": "160"}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "suite", *words]

    def suite(
        self, *words: str, check: bool = True, timeout: float = 180, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*words),
            cwd=self.root,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"suite {' '.join(words)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words),
            cwd=self.root,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=hear_interrupts,
        )

    def page(self, name: str, text: str) -> Path:
        path = self.root / "tasks" / f"{name}.py"
        path.write_text(text, encoding="utf8")
        return path

    def ledger(self, name: str, tier: str = "cpu") -> Path:
        return self.root / "results" / tier / f"{name}.json"


def make(root: Path, *pages: str) -> Project:
    """A project below ``root`` with the named pages of tests/pages."""
    (root / "tasks").mkdir(parents=True)
    shutil.copytree(ROOT / "suite", root / "suite", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tasks/_template.py", root / "tasks/_template.py")
    (root / "tasks/__init__.py").write_text('"""Pages."""\n')
    for page in pages:
        shutil.copy(HERE / "pages" / f"{page}.py", root / "tasks" / f"{page}.py")
    return Project(root)
