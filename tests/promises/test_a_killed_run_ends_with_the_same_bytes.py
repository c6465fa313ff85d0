"""Kill a run anywhere, with any signal, and run it again: records, ledger and PDF are those of a run left alone."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.projects import Project, make
from tests.torture.campaign import POINTS, SIGNALS, Case, Figures, kill_at_random, stop, trap

nursery = pytest.mark.xdist_group("nursery")
STOPS = [(point, SIGNALS[i % 3], 1 + i % 5) for i, point in enumerate(POINTS)]


@nursery
@pytest.mark.parametrize("part", range(5))
def test_stopped_at_a_chosen_point(walk: Case, tmp_path: Path, part: int) -> None:
    """Fifteen points in five worlds: each world is stopped three times before its run may end."""
    world, figures = walk.world(tmp_path / "a"), Figures()
    for point, name, nth in STOPS[part::5]:
        assert stop(world, trap(point, nth, name), name, figures), f"no run came to {point}"
    assert figures.kills == 3
    assert figures.losses == []
    assert world.ends_whole() == []


@nursery
def test_stopped_at_any_time(walk: Case, tmp_path: Path) -> None:
    figures = Figures()
    kill_at_random(walk, tmp_path / "a", 3, random.Random(), figures)
    assert figures.losses == []


@nursery
def test_what_careless_writing_loses_is_found(small_walk: Case, tmp_path: Path) -> None:
    """The harness is no blind eye: records that are written in place are found half written."""
    world = small_walk.world(tmp_path / "a")
    traps = [trap("in a record's write", 3, "SIGKILL")]
    child = small_walk.nursery.start(world.base, *small_walk.words, traps=traps, draft=True, careless=True)
    problems = world.stopped(child.wait())
    assert any("damaged" in problem for problem in problems), problems


# --- Processes as a user starts them, with workers -----------------------------------------------------


def hashed(ledger: Path) -> str:
    book = json.loads(ledger.read_text(encoding="utf8"))
    return json.dumps({k: v for k, v in book.items() if k != "timing"}, sort_keys=True)


def slowed(project: Project) -> None:
    path = project.root / "tasks/toy_race.py"
    path.write_text(path.read_text().replace('{"steps": 12, "pause": 0.0}', '{"steps": 12, "pause": 0.04}'))


def on_disk(store: Path) -> int:
    """How far a run has come, by what it has kept and not by the clock."""
    return len(list(store.glob("trials/*/*/*.json"))) + len(list(store.glob("checkpoints/*/*/*.pt")))


def test_a_run_with_workers_is_killed_and_killed_again(tmp_path: Path) -> None:
    """SIGKILL, then Ctrl-C of the run that goes on; each start of processes with Lightning is paid once."""
    whole, project = (make(tmp_path / name, "toy_race") for name in ("whole", "project"))
    for one in (whole, project):
        slowed(one)
    whole.suite("run", "toy-race", "--no-track")
    store = project.root / ".suite"
    kept: dict[Path, bytes] = {}
    for number, further in ((signal.SIGKILL, 3), (signal.SIGINT, 2)):
        process = project.start("run", "toy-race", "--no-track")
        before, deadline = on_disk(store), time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None and on_disk(store) < before + further:
            time.sleep(0.02)
        assert process.poll() is None, "the run ended before it could be interrupted: " + process.communicate()[1]
        os.kill(process.pid, number)
        process.communicate(timeout=30)
        assert process.returncode != 0
        assert not project.ledger("toy_race").exists()
        assert all(path.read_bytes() == data for path, data in kept.items()), "an acknowledged trial changed"
        kept = {p: p.read_bytes() for p in store.glob("trials/*/*/*.json")}
    project.suite("run", "toy-race", "--no-track")
    assert all(path.read_bytes() == data for path, data in kept.items()), "an acknowledged trial changed"
    assert hashed(project.ledger("toy_race")) == hashed(whole.ledger("toy_race"))
    assert not list(store.glob("checkpoints/*")), "checkpoints of finished units are gone"
    assert not list(project.root.rglob("*.tmp"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_an_interrupt_that_c_code_made_an_error_of_is_an_interrupt(number: signal.Signals) -> None:
    """As matplotlib's does when the signal falls into the drawing of a path."""
    program = f"""
import os, signal, time
from suite.run import _interruptible
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with _interruptible():
        try:
            os.kill(os.getpid(), {int(number)})
            time.sleep(60)
        except KeyboardInterrupt:
            raise ValueError("invalid affine transformation matrix") from None
except KeyboardInterrupt:
    print("interrupted")
try:
    with _interruptible():
        raise ValueError("a real one")
except ValueError:
    print("as it was", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout == "interrupted\nas it was True\n", done.stderr
