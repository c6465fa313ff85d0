"""Real processes that run the command line and may be killed, at a fortieth of the price of starting Python anew.

A nursery has imported torch once and forks a child for every command.  Each child has a session, an environment and
files of its own, dies of any signal, and leaves on the disk what it had written.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.projects import GUARD, ROOT, Project

PLACES = {"SUITE_HOME": "work", "SUITE_RESULTS": "results", "SUITE_REPORTS": "reports", "SUITE_LOCKS": "locks"}


@dataclass(frozen=True)
class Child:
    """One command under way."""

    nursery: "Nursery"
    pid: int
    base: Path
    log: Path

    def signal(self, name: str) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, getattr(signal, name))

    def says(self, words: str, patience: float = 60) -> None:
        """Wait until it has written these words to its standard error."""
        deadline = time.monotonic() + patience
        while words not in self.log.with_suffix(".err").read_text():
            assert time.monotonic() < deadline, self.log.with_suffix(".err").read_text()
            time.sleep(0.005)

    def meets(self, does: str, patience: float = 60) -> None:
        """Wait until it has come to a trap."""
        deadline = time.monotonic() + patience
        while not self.log.exists() or f"MET {does}" not in self.log.read_text():
            assert time.monotonic() < deadline, self.log.with_suffix(".err").read_text()
            time.sleep(0.005)

    def wait(self) -> "Ended":
        code = self.nursery.ask({"do": "wait", "pid": self.pid})["code"]
        out, err = (self.log.with_suffix(suffix).read_text() for suffix in (".out", ".err"))
        calls = self.log.read_text().splitlines() if self.log.exists() else []
        return Ended(code, out, err, calls)


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit code (minus a signal's number), what it said, and the calls it made."""

    code: int
    out: str
    err: str
    calls: list[str]

    @property
    def acknowledged(self) -> list[str]:
        return [line.removeprefix("ACK ") for line in self.calls if line.startswith("ACK ")]

    @property
    def met(self) -> list[str]:
        return [line for line in self.calls if line.startswith("MET ")]


class Nursery:
    """The process that forks; ``project`` holds the suite and the pages, each command's files lie below a base."""

    def __init__(self, project: Project) -> None:
        environment = {**project.environment, "PYTHONPATH": os.pathsep.join([str(project.root), str(ROOT), GUARD])}
        self.numbers = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.nursery"],
            cwd=project.root,
            env={k: v for k, v in environment.items() if k != "MLFLOW_TRACKING_URI"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.answer()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the nursery has died"
        return json.loads(line)

    def ask(self, order: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        return self.answer()

    def start(
        self, base: Path, *words: str, traps: Sequence[Any] = (), draft: bool = False, careless: bool = False
    ) -> Child:
        """Start ``suite words`` with its files below ``base``; see ``_draft`` and ``_careless``."""
        self.numbers += 1
        base.mkdir(parents=True, exist_ok=True)
        log = base / f"calls-{self.numbers}.log"
        order = {"do": "start", "base": str(base), "log": str(log), "words": words, "traps": list(traps)}
        order |= {"draft": draft, "careless": careless}
        return Child(self, self.ask(order)["pid"], base, log)

    def run(self, base: Path, *words: str, traps: Sequence[Any] = (), draft: bool = False) -> Ended:
        return self.start(base, *words, traps=traps, draft=draft).wait()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.wait(30)


# --- In the nursery -------------------------------------------------------------------------------------


def _draft() -> None:
    """Reports that hold all that a PDF holds, without setting it: for the many runs that are about writing files."""
    from suite import report

    def typeset(_template: str, data: Any, files: Any, document: str) -> bytes:
        content = {name: found.hex() for name, found in sorted(files.items())}
        return json.dumps([document, data, content], sort_keys=True).encode()

    report.typeset = typeset


def _careless() -> None:
    """Records written as most programs write them; the torture must find what that loses."""
    from suite import store

    def write_bytes(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as handle:
            handle.write(data)

    store.write_bytes = write_bytes


def _child(order: dict[str, Any]) -> None:
    """Become the command; never returns."""
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for suffix, number in ((".out", 1), (".err", 2)):
            os.dup2(os.open(Path(order["log"]).with_suffix(suffix), os.O_WRONLY | os.O_CREAT), number)
        base = Path(order["base"]) / "world"
        os.environ.update({name: str(base / folder) for name, folder in PLACES.items()})
        from suite import cli
        from tests.torture.traps import lay

        lay(base, order["traps"], Path(order["log"]))
        if order["draft"]:
            _draft()
        if order["careless"]:
            _careless()
        code = cli.main(order["words"])
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    except BaseException:  # what a user would see as a traceback
        import traceback

        traceback.print_exc()
        code = 70
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _warm() -> None:
    """Import and read what every child would; nothing here starts a thread, so that forking is safe."""
    import gc
    import importlib

    import torch

    from suite import declare, registry
    from suite.codehash import code_hash
    from suite.report import glyphs

    for name in ("calibration", "drawing", "judge", "preload", "report.content", "run", "show", "trained"):
        importlib.import_module(f"suite.{name}")
    torch.set_num_threads(1)
    for page in registry.pages().values():
        for experiment in declare.declaration(page.module)["experiments"]:
            code_hash(experiment["measure"])
    glyphs.covered()
    gc.freeze()


def serve() -> None:
    """Fork a child for every order that comes in."""
    _warm()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin.buffer:
        order = json.loads(line)
        if order["do"] == "wait":
            status = os.waitpid(order["pid"], 0)[1]
            print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)
            continue
        for suffix in (".out", ".err"):
            Path(order["log"]).with_suffix(suffix).touch()
        pid = os.fork()
        if pid == 0:
            sys.stdin = open(os.devnull)  # noqa: SIM115 - the child's own, for the rest of its life
            _child(order)
        print(json.dumps({"pid": pid}), flush=True)


if __name__ == "__main__":
    serve()
