"""Build the virtual environment from the locks, whole or not at all.

``make`` runs this file with the system's Python before anything is installed: standard library only, and nothing at
import that an old Python cannot read, so that it can say that it is too old.  Two locks describe the environment:

    requirements.lock        every package but torch: exact versions with hashes, for Python 3.11 to 3.13
    requirements-torch.lock  torch alone, without hashes: its CPU and CUDA builds are different files of one version

A stamp with the locks' hashes is written last; an environment without it is half-built and is built again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
TORCH = ROOT / "requirements-torch.lock"
OLDEST, TOO_NEW = (3, 11), (3, 14)
STAMP, BUILDING = ".suite-stamp.json", ".suite-building"
CUDA_PACKAGES = ("nvidia-", "cuda-", "triton")


class Stop(Exception):
    """One line for the user; the command ends with exit code 2."""


# --- The environment ------------------------------------------------------------------------------


def build(venv: Path, cuda: bool) -> None:
    """Make ``venv`` agree with the locks; does nothing, in milliseconds, when it already does."""
    wanted = key()
    if stamp(venv) == wanted:
        return
    check_python(sys.version_info[:2])
    with Held(ROOT / ".suite" / "bootstrap.lock"):
        found = stamp(venv)
        if found == wanted:  # another make built it while this one waited
            return
        ours = (venv / STAMP).exists() or (venv / BUILDING).exists()
        if found and found["locks"] == wanted["locks"]:
            editable(venv)
        elif venv.exists() and any(venv.iterdir()) and not ours:
            adopt(venv)
            editable(venv)
        else:
            fresh(venv, cuda)
        replace(venv / STAMP, json.dumps(wanted) + "\n")
        (venv / BUILDING).unlink(missing_ok=True)


def fresh(venv: Path, cuda: bool) -> None:
    """Empty the folder and install everything; the mark BUILDING stays until the stamp is written."""
    venv.mkdir(parents=True, exist_ok=True)
    (venv / BUILDING).touch()
    for entry in venv.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != BUILDING:
            entry.unlink()
    with Step(f"creating {venv.name} with Python {'.'.join(map(str, sys.version_info[:3]))}"):
        made = subprocess.run([sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True)
        if made.returncode:
            why = last_line(made.stdout + made.stderr)
            raise Stop(f"python -m venv failed (Debian and Ubuntu want the package python3-venv first): {why}")
        # The pip that Python brings may download gigabytes for a dry run; the locked one reads metadata only.
        with tempfile.TemporaryDirectory() as folder:
            alone = Path(folder, "pip.txt")
            alone.write_text(block("pip"))
            pip(venv, "install", "--no-deps", "--require-hashes", "-r", str(alone))
    if not cuda and shutil.which("nvidia-smi") is None:
        with Step(f"asking pip which build of {torch_pin()} it would take"):
            names = planned(venv)
        refuse_cuda(names)
    with Step(f"installing {len(pins(LOCK.read_text()))} locked packages (minutes, the first time)"):
        pip(venv, "install", "--no-deps", "--require-hashes", "-r", str(LOCK))
    with Step(f"installing {torch_pin()}"):
        pip(venv, "install", "-r", str(TORCH))
    editable(venv)


def editable(venv: Path) -> None:
    """Install the project itself in place; everything it needs is already there."""
    with Step("installing the project in place"):
        pip(venv, "install", "--no-deps", "--no-build-isolation", "-e", str(ROOT))


def adopt(venv: Path) -> None:
    """Accept an environment that somebody else made when it holds the locked versions; never delete it."""
    program = "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    try:
        listed = subprocess.run([str(python(venv)), "-c", program], capture_output=True, text=True).stdout
    except OSError:
        listed = ""
    installed = {plain(name): version for name, version in json.loads(listed or "{}").items()}
    wrong = []
    for name, (version, marker) in {**pins(LOCK.read_text()), **pins(TORCH.read_text())}.items():
        there = installed.get(name, version if marker else "absent").split("+")[0]
        if there != version and name != "pip":
            wrong.append(f"{name} {there} (locked: {version})")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise Stop(
            f"{venv} was not made by make and does not match the lock: {', '.join(wrong[:3])}{more}; "
            f"remove it, or build elsewhere with VENV=<folder>"
        )


def planned(venv: Path) -> list[str]:
    """The names of everything that pip would install for the torch pin in an empty environment."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        pip(venv, "install", "--dry-run", "--ignore-installed", "--report", str(report), "-r", str(TORCH))
        return [plain(item["metadata"]["name"]) for item in json.loads(report.read_text(encoding="utf8"))["install"]]


def refuse_cuda(names: list[str]) -> None:
    """Stop when the torch that pip would take brings CUDA along, on a machine that has no GPU.

    >>> refuse_cuda(["torch", "sympy"])
    """
    cuda = [name for name in names if name.startswith(CUDA_PACKAGES)]
    if cuda:
        raise Stop(
            f"pip would take the CUDA build of {torch_pin()} ({len(cuda)} more packages, several GB), but nvidia-smi "
            "finds no GPU here; point pip at the CPU wheels (PIP_EXTRA_INDEX_URL=<index> or PIP_FIND_LINKS=<folder>), "
            "or allow it with CUDA=1"
        )


def check_python(version: tuple[int, ...]) -> None:
    """Stop on a Python that the lock does not cover.

    >>> check_python((3, 10))
    Traceback (most recent call last):
    suite.bootstrap.Stop: Python 3.10 is not supported (3.11 to 3.13 are); name one that is: make PYTHON=python3.12
    """
    if not OLDEST <= version < TOO_NEW:
        found = ".".join(map(str, version))
        raise Stop(f"Python {found} is not supported (3.11 to 3.13 are); name one that is: make PYTHON=python3.12")


# --- The stamp and the locks ----------------------------------------------------------------------


def key() -> dict[str, object]:
    """What an environment is built from: the two locks, and the project's own metadata."""
    *locks, project = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (LOCK, TORCH, ROOT / "pyproject.toml"))
    return {"locks": locks, "project": project}


def stamp(venv: Path) -> dict[str, object] | None:
    """What the environment was built from, or None when it is absent, half-built or without its Python."""
    try:
        found = json.loads((venv / STAMP).read_text())
    except (OSError, ValueError):
        return None
    return found if python(venv).exists() and not (venv / BUILDING).exists() else None


def pins(text: str) -> dict[str, tuple[str, str]]:
    r"""Name to (version, marker), from the text of a lock.

    >>> pins("jinja2==3.1.6 \\\n    --hash=sha256:00\ncolorama==0.4.6 ; sys_platform == 'win32' \\\n")
    {'jinja2': ('3.1.6', ''), 'colorama': ('0.4.6', "sys_platform == 'win32'")}
    """
    found = re.findall(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)(?: *; *([^\\\n]*?))?[ \\]*$", text, flags=re.MULTILINE)
    return {plain(name): (version, marker) for name, version, marker in found}


def block(name: str) -> str:
    """The lines of one package in the lock, hashes included."""
    found = re.search(rf"^{re.escape(name)}==.*(?:\n +.*)*", LOCK.read_text(), flags=re.MULTILINE)
    if not found:
        raise Stop(f"{LOCK.name} has no pin of {name}; write it anew with make lock")
    return found.group() + "\n"


def torch_pin() -> str:
    return "torch==" + pins(TORCH.read_text())["torch"][0]


def plain(name: str) -> str:
    """A distribution's normalized name.

    >>> plain("Flask_CORS")
    'flask-cors'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


# --- Small things ---------------------------------------------------------------------------------


def python(venv: Path) -> Path:
    return venv / "bin" / "python"


def pip(venv: Path, *words: str) -> None:
    """Run the environment's pip quietly; its last error becomes the one line."""
    done = subprocess.run(
        [str(python(venv)), "-m", "pip", "--disable-pip-version-check", "--no-input", "-q", *words],
        env={k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET")},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode < 0:
        raise Stop(f"pip {words[0]} was killed by signal {-done.returncode}; run the same command again")
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if not line.startswith("WARNING:")]
        errors = [line for line in said if line.startswith("ERROR:")]
        raise Stop(f"pip {words[0]} failed: {last_line(os.linesep.join(errors or said))}")


def last_line(text: str) -> str:
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["no output"])[-1][:400]


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


class Step:
    """Print what is being done, and how long it took."""

    def __init__(self, says: str) -> None:
        self.says, self.began = says, time.monotonic()

    def __enter__(self) -> None:
        print(self.says, end=" ... ", flush=True)

    def __exit__(self, kind: object, *_: object) -> None:
        print("failed" if kind else f"{time.monotonic() - self.began:.0f} s", flush=True)


class Held:
    """Hold a file lock: two makes build one environment, not two halves.  The lock of a dead process is free."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.handle = path.open("a")

    def __enter__(self) -> None:
        import fcntl

        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("waiting for another make that builds the environment", flush=True)
            fcntl.flock(self.handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.handle.close()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Build the virtual environment, unless it already matches the locks.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cuda", default="", help="non-empty: allow the CUDA build of torch where no GPU is found")
    chosen = parser.parse_args(arguments)
    return in_one_line(lambda: build(chosen.folder.absolute(), chosen.cuda not in ("", "0")))


def in_one_line(action: Callable[[], None]) -> int:
    """Run ``action``; 0 when it went well, else 2 and one line that says why."""
    try:
        action()
    except Stop as stop:
        reason = str(stop)
    except KeyboardInterrupt:
        reason = "interrupted; run the same command again"
    except OSError as error:
        reason = f"cannot use {error.filename}: {error.strerror}"
    else:
        return 0
    print(f"make: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
