"""Every call with which a run keeps something is counted; at one of them the disk fails, or a signal comes.

``lay`` is called in a process that is about to run a command and lives for that command only.  A *trap* is
{"at": kinds of calls, "where": part of a path, "nth": from 1, "does": "SIGKILL" or "ENOSPC" or such, "stays": bool};
one that stays makes every later call fail too, as a full disk does.  Kinds of calls: open, read, write, fsync, replace,
mkdir and folder (flushing one) are the disk's; measure, step and kept are the run's.
"""

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

DISK = ("open", "read", "write", "fsync", "replace", "mkdir", "folder")
RUN = ("measure", "step", "kept")
NOON = "2026-01-01T12:00:00+00:00"
Trap = Mapping[str, Any]


class _Counted:
    """The calls so far, and what happens at them."""

    def __init__(self, base: Path, traps: Sequence[Trap], log: int) -> None:
        self.base, self.log = str(base), log
        self.traps = [{**trap, "left": trap["nth"]} for trap in traps]
        self.paths: dict[int, str] = {}  # descriptor -> path

    def ours(self, path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self.base)

    def meet(self, kind: str, path: Any, first: Callable[[], Any] = lambda: None) -> None:
        """Note a call; when a trap lies here, do what comes ``first`` (half a write) and then what the trap does."""
        name = os.fspath(path)
        os.write(self.log, f"{kind} {name.removeprefix(self.base)}\n".encode())
        for trap in self.traps:
            if kind in trap["at"] and trap["where"] in name:
                trap["left"] -= 1
                if trap["left"] == 0 or (trap["left"] < 0 and trap.get("stays")):
                    first()
                    self.does(trap["does"], name)

    def does(self, what: str, path: str) -> None:
        os.write(self.log, f"MET {what} {path.removeprefix(self.base)}\n".encode())
        if what.startswith("SIG"):
            os.kill(os.getpid(), getattr(signal, what))
        else:
            number = getattr(errno, what)
            raise OSError(number, os.strerror(number), path)


class _Handle:
    """A file being written, whose writes are counted; one that fails has written half."""

    def __init__(self, inner: Any, path: str, counted: _Counted) -> None:
        self.__dict__.update(inner=inner, path=path, counted=counted)

    def write(self, data: Any) -> int:
        def half() -> None:
            self.inner.write(data[: len(data) // 2])
            self.inner.flush()

        self.counted.meet("write", self.path, half)
        return self.inner.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __enter__(self) -> "_Handle":
        return self

    def __exit__(self, *_: Any) -> None:
        self.inner.close()


def lay(base: Path, traps: Sequence[Trap], log: Path) -> None:
    """Count this process's calls below ``base`` and lay the traps; ``log`` gets a line for every call."""
    counted = _Counted(base, traps, os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    _disk(counted)
    _run(counted)


def _disk(counted: _Counted) -> None:
    plain_open, os_open, fsync, replace, mkdir = io.open, os.open, os.fsync, os.replace, os.mkdir

    def opened(file: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
        if not counted.ours(file):
            return plain_open(file, mode, *more, **options)
        counted.meet("read" if set(mode) <= set("rbt") else "open", file)
        handle = plain_open(file, mode, *more, **options)
        if set(mode) <= set("rbt"):
            return handle
        counted.paths[handle.fileno()] = os.fspath(file)
        return _Handle(handle, os.fspath(file), counted)

    def opened_low(path: Any, *more: Any, **options: Any) -> int:
        if not counted.ours(path):
            return os_open(path, *more, **options)
        counted.meet("folder", path)
        handle = os_open(path, *more, **options)
        counted.paths[handle] = os.fspath(path)  # a number of a file that was closed is given again
        return handle

    def flushed(handle: int) -> None:
        if handle in counted.paths:
            counted.meet("fsync", counted.paths[handle])
        fsync(handle)

    def replaced(source: Any, target: Any) -> None:
        if counted.ours(target):
            counted.meet("replace", target)
        replace(source, target)

    def made(path: Any, *more: Any, **options: Any) -> None:
        if counted.ours(path) and not os.path.exists(path):
            counted.meet("mkdir", path)
        mkdir(path, *more, **options)

    builtins.open, io.open = opened, opened  # type: ignore[assignment]
    os.open, os.fsync, os.replace, os.mkdir = opened_low, flushed, replaced, made  # type: ignore[assignment]


def _run(counted: _Counted) -> None:
    from suite import fit, run, session, store, trained, worker

    measure, after, put, context = worker.measure_unit, session.Session.after, store.Store.put, fit.Context

    def measured(message: Any, *rest: Any) -> Any:
        counted.meet("measure", message["experiment"])
        return measure(message, *rest)

    def stepped(self: Any, losses: Any) -> None:
        after(self, losses)
        counted.meet("step", "")

    def kept(self: Any, records: Any) -> Any:
        found = put(self, records)
        for record in found:  # from here on a trial counts as acknowledged
            os.write(counted.log, f"ACK {record['key']}\n".encode())
        counted.meet("kept", "")
        return found

    class Still:
        """A clock that stands: then whole ledgers and reports can be compared, their times included."""

        @staticmethod
        def perf_counter() -> float:
            return 0.0

    worker.measure_unit, store.Store.put = measured, kept  # type: ignore[assignment]
    session.Session.after = stepped  # type: ignore[method-assign]
    fit.Context = lambda **options: context(checkpoint_every=0.0, **options)  # type: ignore[assignment, misc]
    run.now = lambda: NOON
    worker.time = trained.time = Still  # type: ignore[assignment]
