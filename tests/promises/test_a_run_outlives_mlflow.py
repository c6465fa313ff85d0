"""Losing MLflow costs one line: whatever is wrong with it, the run goes on, and ``sync`` rebuilds what is missing."""

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite.errors import UserError
from suite.track import Tracker, sync, tracking_uri
from suite.track.place import environment
from tests.track_look import one_line, picture, run_names, wait_for
from tests.track_world import SLUG, USED, begun, card, invocation, kept

# --- The database ---------------------------------------------------------------------------------


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is not a database" * 1000)


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    connection.close()


@pytest.mark.parametrize("harm", [_truncate, _garbage, _newer])
def test_a_database_beyond_use_costs_one_line_and_sync_makes_a_new_one(
    tmp_path: Path, harm: Callable[[Path], None], whole: list[Any]
) -> None:
    made = kept(tmp_path)
    harm(made.home / "mlflow.db")
    if harm is _garbage:
        one_line(made.beside(invocation(USED), USED))
    said: list[str] = []
    sync(made.home, made.trials, made.runs, made.results, say=said.append)
    assert "it now lies in mlflow.db.aside-" in said[0]
    assert len([path for path in made.home.glob("mlflow.db.aside-*") if path.suffix[-4:] not in ("-wal", "-shm")]) == 1
    assert picture(tracking_uri(made.home)) == whole
    assert made.fill()[0] == 0


def test_an_empty_file_is_a_fresh_database(tmp_path: Path, whole: list[Any]) -> None:
    made = kept(tmp_path)
    os.truncate(made.home / "mlflow.db", 0)
    made.live(invocation(USED), USED)
    assert picture(tracking_uri(made.home)) == whole


def test_an_older_schema_is_brought_up_to_date(tmp_path: Path, whole: list[Any]) -> None:
    made = kept(tmp_path, fresh=True)
    older = (
        "import sys, sqlalchemy, alembic.command, alembic.script, mlflow.store.db.utils as u\n"
        "uri = sys.argv[1]; config = u._get_alembic_config(uri); engine = sqlalchemy.create_engine(uri)\n"
        "u.InitialBase.metadata.create_all(engine)\n"
        "script = alembic.script.ScriptDirectory.from_config(config)\n"
        "alembic.command.upgrade(config, script.get_revision(script.get_heads()[0]).down_revision)\n"
    )
    uri = tracking_uri(made.home)
    subprocess.run(
        [sys.executable, "-c", older, uri], check=True, capture_output=True, env=environment(made.home, os.environ)
    )
    sync(made.home, made.trials, made.runs, made.results, say=lambda line: None)
    assert [one[2] for one in picture(uri) if one[0] == SLUG] == [one[2] for one in whole]
    assert not list(made.home.glob("mlflow.db.aside-*"))


def test_a_database_deleted_in_mid_run_does_not_stop_the_run(tmp_path: Path, whole: list[Any]) -> None:
    made = kept(tmp_path)
    warned: list[str] = []
    tracker = Tracker(made.home, warn=warned.append)
    tracker.begin(begun(invocation(USED)), card())
    tracker.trials(USED[:3])
    wait_for(lambda: len(run_names(made.home)) > 1)
    for path in made.home.glob("mlflow.db*"):
        path.unlink()
    tracker.trials(USED[3:])
    tracker.finish(invocation(USED), made.ledger)
    tracker.close(100)
    assert len(warned) <= 1
    made.fill()
    assert made.fill()[0] == 0
    (found,) = picture(tracking_uri(made.home))
    assert {run[0] for run in found[2]} >= {run[0] for run in whole[0][2]} or not warned


def test_a_read_only_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = kept(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///file:{made.home}/mlflow.db?mode=ro&uri=true")
    assert "attempt to write a readonly database" in one_line(made.beside(invocation(USED), USED))


def test_a_database_that_somebody_locked(tmp_path: Path, whole: list[Any]) -> None:
    made = kept(tmp_path)
    warned: list[str] = []
    with contextlib.closing(sqlite3.connect(made.home / "mlflow.db", isolation_level=None)) as somebody:
        somebody.execute("BEGIN EXCLUSIVE")
        tracker = Tracker(made.home, warn=warned.append)
        tracker.begin(begun(invocation(USED)), card())
        tracker.trials(USED)
        tracker.finish(invocation(USED), made.ledger)
        assert not tracker.close(timeout=4.0)
    one_line(warned)
    made.fill()
    assert made.fill()[0] == 0
    (found,) = picture(tracking_uri(made.home))
    assert {run[0] for run in found[2]} == {run[0] for run in whole[0][2]}


def test_a_place_where_no_database_can_be(tmp_path: Path) -> None:
    made = kept(tmp_path, fresh=True)
    (made.home / "mlflow.db").mkdir()
    with pytest.raises(UserError, match="unable to open database file"):
        sync(made.home, made.trials, made.runs, made.results)


def test_a_home_that_mlflow_cannot_address(tmp_path: Path) -> None:
    made = kept(tmp_path / "100%", fresh=True)
    assert "SUITE_HOME" in one_line(made.beside(invocation(USED), USED))


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    warned: list[str] = []
    tracker = Tracker(tmp_path / "file" / "home", warn=warned.append)
    tracker.begin(begun(invocation(USED)), card())
    tracker.finish(invocation(USED), None)
    assert not tracker.close(100)
    one_line(warned)


# --- The server -----------------------------------------------------------------------------------


def test_a_server_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = kept(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{taken.getsockname()[1]}")
        line = one_line(made.beside(invocation(USED), USED))
        assert "the server does not answer" in line
        with pytest.raises(UserError, match="the server does not answer"):
            sync(made.home, made.trials, made.runs, made.results)
    assert "secret" not in line
    assert not list(made.home.glob("mlflow.db.aside-*"))


def test_a_server_that_accepts_and_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = kept(tmp_path)
    warned: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        tracker = Tracker(made.home, warn=warned.append)
        tracker.begin(begun(invocation(USED)), card())
        began = time.monotonic()
        tracker.trials(USED)
        tracker.finish(invocation(USED), made.ledger)
        assert time.monotonic() - began < 0.5  # nothing waits ...
        assert not tracker.close(timeout=1.0)
        assert time.monotonic() - began < 20  # ... but close(), for as long as it was told
    assert "has not answered" in one_line(warned)
    assert tracker._child is not None
    assert tracker._child.poll() is not None
