"""Write requirements.lock anew from pyproject.toml (``make lock``); torch's pin is the maintainers' own decision."""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from suite.bootstrap import CUDA_PACKAGES, LOCK, ROOT, TORCH, Stop, in_one_line, last_line, pins, replace

HEADER = """\
# Every package but torch, for Python 3.11 to 3.13; torch's pin stands in requirements-torch.lock.
# Written by `make lock` from pyproject.toml; installed with pip install --no-deps --require-hashes -r requirements.lock
"""


def without_cuda(text: str) -> str:
    r"""Drop torch, and what only its CUDA build needs, from a compiled lock.

    >>> without_cuda("sympy==1 \\\n    --hash=a\ntorch==2 \\\n    --hash=b\nnvidia-nvtx==3 \\\n    --hash=c\n")
    'sympy==1 \\\n    --hash=a\n'
    """
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    return "".join(b for b in blocks if not b.startswith(("torch==", *CUDA_PACKAGES)))


def write_lock(uv: str, upgrade: bool) -> None:
    """Resolve the project with its extra ``dev`` beside the torch pin; locked versions stay unless ``upgrade``."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, LOCK.name)
        if LOCK.exists() and not upgrade:
            shutil.copy(LOCK, out)  # uv prefers the versions of the file it overwrites
        command = [
            uv,
            "pip",
            "compile",
            str(ROOT / "pyproject.toml"),
            "--extra=dev",
            "--universal",
            "--python-version=3.11",
        ]
        command += ["--generate-hashes", "--no-header", "--no-annotate", "--quiet", "-c", str(TORCH), "-o", str(out)]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        except OSError:
            raise Stop("make lock needs uv: pip install uv, or make lock UV=<path of uv>") from None
        if done.returncode:
            raise Stop(f"uv found no set of versions: {last_line(done.stderr)}")
        replace(LOCK, HEADER + without_cuda(out.read_text()))
    print(f"{LOCK.name}: {len(pins(LOCK.read_text()))} packages")


def main(arguments: list[str]) -> int:
    """Parse and run; the exit code."""
    parser = argparse.ArgumentParser(description="Write requirements.lock anew from pyproject.toml.")
    parser.add_argument("--uv", default="uv", help="the uv to use")
    parser.add_argument("--upgrade", default="", help="non-empty: take the newest versions instead of the locked ones")
    chosen = parser.parse_args(arguments)
    return in_one_line(lambda: write_lock(chosen.uv, chosen.upgrade not in ("", "0")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
