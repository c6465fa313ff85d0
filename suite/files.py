"""Files that are whole or absent: every write goes to a temporary name, is flushed to disk and then renamed.

A crash at any point leaves the old file or the new one.  All writes of the project that must survive pass through here,
so that a test can make any single system call of them fail.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from suite.errors import UserError


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically and durably; a failure leaves what was there and names the path."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; free the disk or its permissions and run again"
        ) from None


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Readable JSON: sorted keys, one leaf list per line, a final newline."""
    write_text(path, json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, what: str) -> Any:
    """The JSON value of a file; a damaged one is named in one line."""
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except OSError as error:
        raise UserError(f"cannot read {what} {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        why = "lists within lists without end" if isinstance(error, RecursionError) else error
        raise UserError(f"{what} {path} is damaged ({why}); restore it from git or delete it and run again") from None


def sync_folder(folder: Path) -> None:
    """Make a rename durable; folders cannot be flushed on every system, and there the rename itself must do."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path, waiting: str, patience: float = 24 * 3600) -> Iterator[bool]:
    """Hold an exclusive lock on ``path``; yields whether somebody else held it first.

    The kernel drops the lock of a dead process, so that no stale lock can exist.  ``waiting`` is printed once to
    standard error while another process holds it.
    """
    import sys

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open(path, "a+b")  # noqa: SIM115 - closed below, after the lock has been given back
    except OSError as error:
        raise UserError(f"cannot lock {path}: {error.strerror or error}") from None
    waited = False
    deadline = time.monotonic() + patience
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waited:
                    print(waiting, file=sys.stderr, flush=True)
                waited = True
                if time.monotonic() > deadline:
                    raise UserError(f"{path} has been locked for {patience:.0f} s; stop the other run first") from None
                time.sleep(0.1)
        yield waited
    finally:
        handle.close()
