"""Where things lie: the project's root, the working store, and what this machine is and gives."""

import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TASKS = ROOT / "tasks"
# What a trial's numbers may depend on; a different version of one of these makes earlier trials stale.
VERSIONS_THAT_MATTER = ("torch", "lightning", "numpy", "scipy", "scikit-learn")
# The environment of a process whose sums shall not depend on the number of its threads; read when torch is loaded.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def results() -> Path:
    """Ledgers; ``SUITE_RESULTS`` moves them (tests do)."""
    return Path(os.environ.get("SUITE_RESULTS", ROOT / "results")).resolve()


def reports() -> Path:
    return Path(os.environ.get("SUITE_REPORTS", ROOT / "reports")).resolve()


def locks() -> Path:
    """The committed declarations of the pages, one file each."""
    return Path(os.environ.get("SUITE_LOCKS", TASKS / "locks")).resolve()


def work() -> Path:
    """Trials, checkpoints, locks and the MLflow database; ``SUITE_HOME`` moves them."""
    return Path(os.environ.get("SUITE_HOME", ROOT / ".suite")).resolve()


def workers() -> int:
    """How many units this machine measures at once on its CPU: ``SUITE_WORKERS``, else the cores that are ours."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(os.environ.get("SUITE_WORKERS", cores))


@functools.cache
def versions() -> dict[str, str]:
    """Python's minor version and the packages a trial may depend on; read without importing any of them."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in VERSIONS_THAT_MATTER:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


@functools.cache
def _vector_width() -> str:
    try:
        flags = next(
            line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith(("flags", "Features"))
        )
    except (OSError, StopIteration):
        return "unknown"
    words = set(flags.split())
    return next((name for name in ("avx512f", "avx2", "sve", "asimd") if name in words), "plain")


def machine(device: str = "cpu") -> dict[str, str]:
    """The machine class: results are compared byte for byte inside one, by verdict across them."""
    found = {
        "system": platform.system(),
        "processor": platform.machine(),
        "vector": _vector_width(),
        "device": device,
        "threads": "1",
    }
    if device != "cpu":
        found["accelerator"] = accelerator() or "unknown"
    return found


@functools.cache
def accelerator() -> str | None:
    """The name of the first NVIDIA GPU, or None; asks the driver and not torch, which this process must not import."""
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return (answer.stdout.splitlines() or [None])[0]  # type: ignore[list-item]


def git_state() -> dict[str, Any]:
    """The commit that is checked out and whether tracked files differ from it."""

    def ask(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, timeout=20, check=True
        ).stdout.strip()

    try:
        return {
            "commit": ask("rev-parse", "HEAD"),
            "dirty": bool(ask("status", "--porcelain", "--untracked-files=no", "--", "suite", "tasks")),
        }
    except (OSError, subprocess.SubprocessError):
        return {"commit": "unknown", "dirty": True}
