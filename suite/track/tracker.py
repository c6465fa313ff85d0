"""What a run holds of MLflow: a process beside it, fed without waiting.  Losing it costs one line and nothing else."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from suite.errors import UserError
from suite.track.place import available, environment

_LOG_AT_MOST = 1_000_000
_TOGETHER = 16


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def log_file(home: Path) -> IO[bytes] | int:
    """Where the process beside the run writes its tracebacks: ``<home>/mlflow.log``, or nowhere if that cannot be."""
    path = Path(home) / "mlflow.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        large = path.exists() and path.stat().st_size > _LOG_AT_MOST
        return open(path, "wb" if large else "ab")
    except OSError:
        return subprocess.DEVNULL


def start_child(home: Path, verb: str) -> subprocess.Popen[bytes]:
    """``python -m suite.track <verb> <home>`` in a session of its own, so that Ctrl-C reaches the run only."""
    log = log_file(home)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "suite.track", verb, os.path.abspath(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(home, os.environ),
            cwd=home if os.path.isdir(home) else None,
            start_new_session=True,
        )
    finally:
        if not isinstance(log, int):
            log.close()


class Tracker:
    """Tells MLflow about one invocation while it runs; no method waits for MLflow or raises.

    begin, trials (any number of times), finish, close.  When mlflow is missing, its process dies or hangs, or the
    server cannot be reached, ``warn`` gets exactly one line that ends with the command that repairs it, and everything
    after it does nothing.

    home    the working folder: database, artifacts and log lie below it
    warn    takes that line; called from another thread, by default it prints to standard error
    repair  the command that fills MLflow from the files
    """

    def __init__(self, home: Path, *, warn: Callable[[str], None] = _print, repair: str = "suite sync") -> None:
        self._home, self._warn, self._repair = Path(os.path.abspath(home)), warn, repair
        self._outbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._once = threading.Lock()
        self._lost = False
        self._heard = time.monotonic()
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def lost(self) -> bool:
        """Whether MLflow no longer takes part in this run."""
        return self._lost

    def begin(self, invocation: Mapping[str, Any], card: Mapping[str, Any]) -> None:
        """Open the invocation's run; ``invocation`` is its record as far as known (id, slug, tier, started, ...)."""
        if not available():
            self._lose("mlflow is not installed")
            return
        try:
            self._child = start_child(self._home, "feed")
        except (OSError, UserError) as error:
            self._lose(str(error))
            return
        threading.Thread(target=self._write, daemon=True, name="mlflow-out").start()
        threading.Thread(target=self._read, daemon=True, name="mlflow-in").start()
        self._put({"do": "begin", "invocation": invocation, "card": card})

    def trials(self, records: Iterable[Mapping[str, Any]], *, reused: bool = False) -> None:
        """Add trial records; ``reused`` ones are written only if MLflow does not hold them yet."""
        records = list(records)
        for start in range(0, len(records), _TOGETHER):  # short lines: a run that dies tears at most one
            self._put({"do": "trials", "records": records[start : start + _TOGETHER], "reused": reused})

    def finish(self, invocation: Mapping[str, Any], ledger: Path | None, artifacts: Sequence[Path] = ()) -> None:
        """Close the invocation's run with its final record, the ledger, the figures and the report.

        The files must stay as they are until ``close`` has returned.
        """
        paths = [os.path.abspath(path) for path in artifacts]
        self._put(
            {
                "do": "finish",
                "invocation": invocation,
                "ledger": os.path.abspath(ledger) if ledger else None,
                "artifacts": paths,
            }
        )

    def close(self, timeout: float = 30.0, at_most: float = 300.0) -> bool:
        """Wait until MLflow holds everything; give up after ``timeout`` seconds without progress or ``at_most`` in all.

        Returns whether everything was delivered.  Without a ``finish`` before it the invocation's run ends as killed.
        """
        child = self._child
        if child is None:
            return False
        self._outbox.put(None)
        began = self._heard = time.monotonic()
        while not self._ended.wait(0.05):
            now = time.monotonic()
            if now - self._heard > timeout or now - began > at_most:
                self._lose(f"it has not answered for {now - self._heard:.0f} s")
                break
        if self._child is not None:
            self._end(child)
        return not self._lost

    # --- The process beside the run ----------------------------------------------------------------

    def _put(self, message: dict[str, Any]) -> None:
        if self._child is not None and not self._lost:
            if "invocation" in message:  # the caller may go on changing it; records are final
                message["invocation"] = json.loads(json.dumps(message["invocation"], default=str))
            self._outbox.put(message)

    def _write(self) -> None:
        pipe = self._child.stdin if self._child else None
        assert pipe is not None
        with contextlib.suppress(OSError, ValueError), pipe:
            while (message := self._outbox.get()) is not None and not self._lost:
                pipe.write(json.dumps(message, default=str).encode() + b"\n")
                pipe.flush()

    def _read(self) -> None:
        pipe = self._child.stdout if self._child else None
        assert pipe is not None
        done, why = False, ""
        with contextlib.suppress(OSError, ValueError), pipe:
            for line in pipe:
                self._heard = time.monotonic()
                answer = json.loads(line)
                done = done or "done" in answer
                why = answer.get("failed", why)
        if not done:
            self._lose(why or "its process ended early")
        self._ended.set()

    def _lose(self, why: str) -> None:
        with self._once:
            if self._lost:
                return
            self._lost = True
        self._outbox.put(None)
        self._warn(
            f"MLflow: {why}; the run goes on and keeps every trial in files. To fill MLflow from them: {self._repair}"
        )

    @staticmethod
    def _end(child: subprocess.Popen[bytes]) -> None:
        for stop, patience in ((lambda: None, 2.0), (child.terminate, 2.0), (child.kill, None)):
            stop()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(patience)
                return
