"""Losing MLflow costs one line: whatever is wrong with it, the run goes on, and ``sync`` rebuilds what is missing."""

import json
import os
import shutil
import signal
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
from suite.track import Tracker, dashboard, sync, tracking_uri
from suite.track.place import environment
from tests.track_world import SLUG, Files, begun, card, client_of, files, invocation, picture, records

USED = records(seeds=1)
RUNS = 1 + 4 + 1 + 4  # the invocation, four digits, one counting, four tuning groups


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What MLflow shows of the invocation when nothing goes wrong."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        made = files(tmp_path_factory.mktemp("whole"))
        made.live(invocation(USED), USED)
        return picture(tracking_uri(made.home))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def kept(base: Path, *, fresh: bool = False) -> Files:
    made = files(base, fresh=fresh)
    made.keep(USED, invocation(USED))
    return made


def one_line(warned: list[str]) -> str:
    (line,) = warned
    assert "\n" not in line
    assert len(line) < 400
    assert line.startswith("MLflow: ")
    assert line.endswith("To fill MLflow from them: suite sync")
    return line


# --- The database ---------------------------------------------------------------------------------


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is not a database" * 1000)


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    connection.close()


def _lost_table(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE metrics")
    connection.close()


@pytest.mark.parametrize("harm", [_truncate, _garbage, _newer, _lost_table])
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
    _wait(lambda: len(_names(made.home)) > 1)
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


def _names(home: Path) -> list[str]:
    with sqlite3.connect(f"file:{home}/mlflow.db?mode=ro", uri=True, timeout=20) as connection:
        found = [name for (name,) in connection.execute("SELECT name FROM runs")]
    connection.close()
    return found


def _wait(condition: Callable[[], bool], patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_read_only_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = kept(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///file:{made.home}/mlflow.db?mode=ro&uri=true")
    assert "attempt to write a readonly database" in one_line(made.beside(invocation(USED), USED))


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


def test_three_processes_at_a_fresh_database(tmp_path: Path) -> None:
    made = kept(tmp_path, fresh=True)
    told = [invocation(USED, number=i) for i in (1, 2, 3)]
    warned: list[str] = []
    trackers = [Tracker(made.home, warn=warned.append) for _ in told]
    for tracker, one in zip(trackers, told, strict=True):
        tracker.begin(begun(one), card())
        tracker.trials(USED)
        tracker.finish(one, None)
    assert [tracker.close(100) for tracker in trackers] == [True] * 3
    assert warned == []
    (found,) = picture(tracking_uri(made.home))
    assert len(found[2]) == 3 * RUNS
    assert not any("'RUNNING'" in run[0] for run in found[2])


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


# --- The process beside the run -------------------------------------------------------------------


def test_the_process_beside_the_run_is_killed(tmp_path: Path, whole: list[Any]) -> None:
    made = kept(tmp_path)
    warned: list[str] = []
    tracker = Tracker(made.home, warn=warned.append)
    tracker.begin(begun(invocation(USED)), card())
    tracker.trials(USED[:3])
    assert tracker._child is not None
    os.kill(tracker._child.pid, signal.SIGKILL)
    for one in USED[3:]:
        tracker.trials([one])
        time.sleep(0.01)
    tracker.finish(invocation(USED), made.ledger)
    assert not tracker.close(100)
    assert tracker.lost
    one_line(warned)
    made.fill()
    assert [one[2] for one in picture(tracking_uri(made.home))] == [one[2] for one in whole]


def test_a_run_that_dies_delivers_what_it_handed_over_and_is_closed_as_killed(tmp_path: Path) -> None:
    made = kept(tmp_path)
    program = (
        "import os, sys, time; from pathlib import Path; from suite.track import Tracker\n"
        "from tests.test_track_faults import _names\n"
        "from tests.track_world import begun, card, invocation, records\n"
        "tracker = Tracker(Path(sys.argv[1])); used = records(seeds=1)\n"
        "tracker.begin(begun(invocation(used)), card()); tracker.trials(used)\n"
        "while len(_names(Path(sys.argv[1]))) < 2: time.sleep(0.01)\n"
        "heavy = {'mlflow', 'sqlalchemy', 'numpy', 'torch'} & set(sys.modules)\n"
        "print(tracker._child.pid, *heavy, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.strip().isdigit()  # nothing heavy in the process of the run
    _wait(lambda: not Path(f"/proc/{done.stdout.strip()}").exists())
    (found,) = picture(tracking_uri(made.home))
    assert len(found[2]) == RUNS
    assert sum("'KILLED'" in run[0] for run in found[2]) == 1
    assert sum("'FINISHED'" in run[0] for run in found[2]) == RUNS - 1


def test_a_stopped_run_with_values_that_json_does_not_know(tmp_path: Path) -> None:
    made = kept(tmp_path)
    one = {**USED[-1], "metrics": {"nan": float("nan"), "inf": float("inf"), "path": Path("x")}}
    warned: list[str] = []
    tracker = Tracker(made.home, warn=warned.append)
    tracker.begin({**begun(invocation([one])), "argv": [Path("suite"), "run"]}, card())
    assert tracker._child is not None
    assert os.getsid(tracker._child.pid) != os.getsid(0)  # Ctrl-C reaches the run only
    tracker.trials([one])
    tracker.finish({**invocation([one]), "status": "killed"}, None)
    assert tracker.close(100)
    assert warned == []
    with client_of(tracking_uri(made.home)) as client:
        (run,) = client.search_runs(["1"], "tags.seed = '0'")
        (parent,) = client.search_runs(["1"], "tags.outcome = 'reproduced'")
    assert run.data.metrics["nan"] != run.data.metrics["nan"]
    assert run.data.tags["suite.not_shown"] == "inf, path"
    assert parent.info.status == "KILLED"


# --- No mlflow ------------------------------------------------------------------------------------

WITHOUT = """
import json, sys
from pathlib import Path
from suite.errors import UserError
from suite.track import Tracker, available, dashboard, sync
home, warned = Path(sys.argv[1]), []
tracker = Tracker(home, warn=warned.append)
tracker.begin({"id": "x"}, {})
tracker.trials([{"key": "y"}])
tracker.finish({"id": "x"}, None)
closed = tracker.close(100)
said = []
for call in (lambda: sync(home, home, home, home), lambda: dashboard(home)):
    try:
        call()
    except UserError as error:
        said.append(str(error))
print(json.dumps([available(), warned, closed, said]))
"""


def test_without_mlflow_the_run_goes_on(tmp_path: Path) -> None:
    program = [sys.executable, "-S", "-c", WITHOUT, str(tmp_path)]  # -S: no site-packages, so no mlflow
    done = subprocess.run(program, capture_output=True, text=True, check=True, env=os.environ)
    there, warned, closed, said = json.loads(done.stdout)
    assert (there, closed) == (False, False)
    assert "mlflow is not installed" in one_line(warned)
    assert [line.split(",")[0] for line in said] == ["mlflow is not installed"] * 2


def test_an_mlflow_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = kept(tmp_path)
    broken = tmp_path / "path" / "mlflow"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('no such wheel')")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    assert "mlflow cannot be imported (no such wheel)" in one_line(made.beside(invocation(USED), USED))


# --- The dashboard --------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own process shall not become a server."""

    def stay(*words: Any) -> None:
        raise AssertionError(f"would have become {words}")

    monkeypatch.setattr(os, "execve", stay)


def test_a_dashboard_over_a_damaged_database_says_how_to_repair_it(tmp_path: Path) -> None:
    made = kept(tmp_path)
    _garbage(made.home / "mlflow.db")
    with pytest.raises(UserError, match=r"not a database; repair it with: suite sync$"):
        dashboard(made.home, free_port())


def test_a_taken_port_is_said_with_a_free_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} is taken .*; try: suite dashboard --port \d+"):
            dashboard(tmp_path, port)
    with pytest.raises(UserError, match="between 1 and 65535"):
        dashboard(tmp_path, 0)
    with pytest.raises(UserError, match=r"cannot listen on 192\.0\.2\.1"):
        dashboard(tmp_path, port, "192.0.2.1")
    assert not list(tmp_path.iterdir())


def test_a_server_of_the_users_has_its_own_dashboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    said: list[str] = []
    dashboard(tmp_path, say=said.append)
    assert said == ["MLFLOW_TRACKING_URI is set; its server shows the runs: http://me:***@127.0.0.1:9"]
    shutil.rmtree(tmp_path)
