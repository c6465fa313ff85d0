"""Two runs of one claim: one computes, the other waits and reads; the lock of a dead run is free at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suite.errors import UserError
from suite.files import locked
from tests.projects import make
from tests.torture.campaign import Case, trap

nursery = pytest.mark.xdist_group("nursery")
PAUSE = {"at": ["kept"], "where": "", "nth": 1, "does": "SIGSTOP"}


@nursery
def test_the_second_run_waits_and_reads(sums: Case, tmp_path: Path) -> None:
    world = sums.world(tmp_path / "a")
    first = world.start([PAUSE])
    first.meets("SIGSTOP")
    second = world.start()
    second.says("waiting for it")
    first.signal("SIGCONT")
    one, two = first.wait(), second.wait()
    assert (one.code, two.code) == (0, 0), one.err + two.err
    assert "5 trials run, 0 reused" in one.out
    assert "0 trials run, 5 reused" in two.out
    assert two.err.count("waiting for it") == 1
    assert world.files() == sums.files


@nursery
@pytest.mark.parametrize("point", ["between trials", "in a record's write", "in the ledger's write"])
def test_a_run_that_waited_takes_over_from_one_that_was_killed(sums: Case, tmp_path: Path, point: str) -> None:
    world = sums.world(tmp_path / "a")
    first = world.start([{**trap(point, 1, "SIGSTOP")}])
    first.meets("SIGSTOP")
    second = world.start()
    second.says("waiting for it")
    first.signal("SIGKILL")
    assert first.wait().code == -signal.SIGKILL
    ended = second.wait()
    assert ended.code == 0
    assert world.stopped(ended) == []
    assert world.files() == sums.files


@nursery
def test_many_at_once(sums: Case, tmp_path: Path) -> None:
    """Six runs, two of them killed at any time: every trial stands there once."""
    world = sums.world(tmp_path / "a")
    children = [world.start() for _ in range(6)]
    time.sleep(sums.seconds)
    for child in children[:2]:
        child.signal("SIGKILL")
    ended = [child.wait() for child in children]
    assert [one.code for one in ended[2:]] == [0] * 4, [one.err for one in ended]
    measured = [key for one in ended for key in one.acknowledged]
    assert len(measured) == len(set(measured))
    assert world.ends_whole() == []


def test_two_runs_with_workers(tmp_path: Path) -> None:
    project = make(tmp_path / "project", "toy_race")
    first, second = project.start("run", "toy-race", "--no-track"), project.start("run", "toy-race", "--no-track")
    outs = [process.communicate(timeout=300) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outs
    assert sum("waiting for it" in err for _, err in outs) == 1
    assert sum("0 trials run" in out for out, _ in outs) == 1


# --- The lock -----------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from suite.files import locked
with locked(Path(sys.argv[1]), "waiting") as waited:
    print("held", waited, flush=True)
    time.sleep(60)
"""


def holder(path: Path) -> subprocess.Popen[str]:
    found = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert found.stdout is not None
    assert found.stdout.readline() == "held False\n"
    return found


def test_the_lock_of_a_dead_process_is_free_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The kernel gives it back, whoever has the dead one's number now; a lock file that lies about locks nothing."""
    path = tmp_path / "locks" / "a.lock"
    child = holder(path)
    with pytest.raises(UserError, match="stop the other run first"), locked(path, "it is held", patience=0.0):
        pass
    assert capsys.readouterr().err == "it is held\n"
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert path.exists()
    began = time.monotonic()
    with locked(path, "it is held") as waited:
        assert not waited
    assert time.monotonic() - began < 5


def test_a_child_that_outlives_its_parent_does_not_keep_the_lock(tmp_path: Path) -> None:
    """MLflow's process and the workers are started while the lock is held; they must not inherit it."""
    path = tmp_path / "a.lock"
    with locked(path, "it is held"):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child:
        with locked(path, "it is held", patience=0.0) as waited:
            assert not waited
        child.kill()
