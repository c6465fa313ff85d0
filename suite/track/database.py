"""Opening MLflow's database: created once under a lock, cheap on SQLite, set aside and made anew when it is beyond use.

This file and ``write.py`` import mlflow; the process that runs a task imports neither.
"""

import contextlib
import functools
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy.event
from mlflow.entities import ViewType
from mlflow.store.db import utils as _retries
from mlflow.tracking.client import MlflowClient
from sqlalchemy.engine import Engine

from suite.errors import UserError
from suite.files import locked
from suite.track.place import database_file, own_database, reason, tracking_uri

_BEYOND_USE = (
    "out-of-date database schema",
    "Can't locate revision",
    "no such table",
    "no such column",
    "has no column",
    "already exists",
    "malformed",
    "not a database",
)
_WAITING = "waiting for another process that is opening the MLflow database"


@functools.cache
def _cheap(own: Path) -> None:
    """Write-ahead logging for the database that we own: no flush at every commit, and no wait for those who read.

    Where it cannot be had (a read-only folder, a file system without shared memory) things are slower, not wrong.
    """

    @sqlalchemy.event.listens_for(Engine, "connect")
    def _settings(connection, _record) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        with contextlib.suppress(sqlite3.Error):
            if Path(connection.execute("PRAGMA database_list").fetchone()[2]) == own:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")


def open_client(home: Path) -> MlflowClient:
    """A client of ``tracking_uri(home)``; a fresh SQLite database gets its tables under a lock.

    It loses MLflow's empty "Default" experiment too: the dashboard shall show tasks and nothing else.
    """
    uri = tracking_uri(home)
    path = database_file(uri)
    vars(_retries)["MAX_RETRY_COUNT"] = 1  # MLflow would sleep 100 s before it admits that a file cannot be opened
    if path is None:
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    own = own_database(home)
    if own is not None:
        _cheap(own)
    with locked(path.with_name(f".{path.name}.lock"), _WAITING):
        fresh = not path.exists() or path.stat().st_size == 0
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        if fresh and len(client.search_experiments(view_type=ViewType.ALL, max_results=2)) == 1:
            client.delete_experiment("0")
    return client


def set_damaged_aside(home: Path, say: Callable[[str], None]) -> None:
    """Move our own database out of the way when its pages are damaged; to be called before it is opened."""
    own = own_database(home)
    problem = _damage(own) if own is not None and own.is_file() else None
    if own is not None and problem:
        _set_aside(own, problem, say)


def repair(home: Path, error: BaseException, say: Callable[[str], None]) -> bool:
    """Whether an error meant that our own database is beyond use, and was mended: another process can open it now.

    An older schema is upgraded; whatever else does not fit this MLflow is set aside.  A full, locked or read-only disk
    is another matter.  This process cannot go on: MLflow keeps the connection to what was there.
    """
    own = own_database(home)
    if own is None or not own.is_file() or not any(sign in str(error) for sign in _BEYOND_USE):
        return False
    if "out-of-date database schema" in str(error):
        words = [sys.executable, "-m", "mlflow", "db", "upgrade", tracking_uri(home)]
        if subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0:
            say("MLflow: the database was brought to the schema of this MLflow version")
            return True
    _set_aside(own, reason(error), say)
    return True


def _damage(path: Path) -> str | None:
    """What is wrong with the file of a SQLite database, None when its pages are sound."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=20)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            return None if found == "ok" else str(found).splitlines()[0]
    except sqlite3.OperationalError:
        return None  # locked or not readable is not damaged; opening it will say so
    except sqlite3.DatabaseError as error:
        return str(error)


def _set_aside(path: Path, problem: str, say: Callable[[str], None]) -> None:
    aside = path.with_name(f"{path.name}.aside-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            try:
                part.rename(aside.with_name(aside.name + suffix))
            except OSError as error:
                raise UserError(
                    f"cannot move {part} aside: {error.strerror or error}; free its permissions and run again"
                ) from None
    say(f"MLflow: {path.name} cannot be used ({problem}); it now lies in {aside.name}, and a new one is made")
