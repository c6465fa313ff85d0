"""The process beside a run: it outlives the run, its death costs one line, and the dead are told from the living."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from suite.errors import UserError
from suite.track import Tracker, dashboard, tracking_uri
from suite.track.place import environment
from tests.track_look import client_of, free_port, one_line, picture, wait_for
from tests.track_world import RUNS, USED, begun, card, files, invocation, kept, records

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
        "from tests.track_look import run_names\n"
        "from tests.track_world import begun, card, invocation, records\n"
        "tracker = Tracker(Path(sys.argv[1])); used = records(seeds=1)\n"
        "tracker.begin(begun(invocation(used)), card()); tracker.trials(used)\n"
        "while len(run_names(Path(sys.argv[1]))) < 2: time.sleep(0.01)\n"
        "heavy = {'mlflow', 'sqlalchemy', 'numpy', 'torch'} & set(sys.modules)\n"
        "print(tracker._child.pid, *heavy, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.strip().isdigit()  # nothing heavy in the process of the run
    wait_for(lambda: not Path(f"/proc/{done.stdout.strip()}").exists())
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
    (made.home / "mlflow.db").write_bytes(b"this is not a database" * 1000)
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


# --- Processes that died ------------------------------------------------------------------------------

CHILD = """
import os, sys
from pathlib import Path
from suite.track.database import open_client
from suite.track.write import Writer
from tests.track_world import begun, card, invocation, records
home = Path(sys.argv[1])
writer = Writer(open_client(home), home)
writer.begin(begun(invocation(records())), card())
writer.trials(records()[3:4])
torn = {"suite.trial": "f" * 64, "mlflow.parentRunId": writer.run_id}
writer.client.create_run(writer.experiment_id, 1, torn, "half")
print("here", flush=True)
sys.stdin.read() if sys.argv[2] == "live" else os._exit(9)
"""


def _writer(home: Path, mode: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home), mode],
        env=environment(home, os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout is not None
    assert b"here" in child.stdout.read(4)
    return child


def test_what_a_dead_process_left_running_is_closed_at_the_next_start(tmp_path: Path) -> None:
    made = files(tmp_path)
    with _writer(made.home, "dead") as child:
        child.wait()
    final = invocation(records(seeds=1), number=2)
    made.keep(records(seeds=1), final)
    made.live(final, records(seeds=1))
    runs = picture(tracking_uri(made.home))[0][2]
    assert not any("'RUNNING'" in run[0] or "'half'" in run[0] for run in runs)
    (killed,) = [run for run in runs if "'KILLED'" in run[0]]
    assert "('suite.invocation', '20261122-1401-aaaa')" in killed[1]


def test_what_a_live_process_or_somebody_else_writes_is_left_alone(tmp_path: Path) -> None:
    made = files(tmp_path)
    with client_of(tracking_uri(made.home)) as client:
        client.create_run(client.create_experiment("not ours"), run_name="theirs")
    with _writer(made.home, "live") as child:
        final = invocation(records(seeds=1), number=2)
        made.keep(records(seeds=1), invocation(records(seeds=1)), final)
        made.live(final, [])
        _, said = made.fill()
        assert any(line.endswith("is being written by its own run") for line in said)
        child.kill()
    with client_of(tracking_uri(made.home)) as client:
        found = client.search_runs(["1", "2"], "attributes.status = 'RUNNING'")
        assert sorted(run.info.run_name for run in found) == ["cpu · 2026-11-22 14:01", "half", "theirs"]
    made.fill()
    with client_of(tracking_uri(made.home)) as client:
        found = client.search_runs(["1", "2"], "attributes.status = 'RUNNING'")
        assert [run.info.run_name for run in found] == ["theirs"]
