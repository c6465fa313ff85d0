"""Several processes start on a fresh MLflow database at once: one makes it, all of them write, nobody warns."""

from pathlib import Path

import pytest

from suite.track import Tracker, tracking_uri
from tests.projects import Project, make
from tests.track_look import picture
from tests.track_world import RUNS, USED, begun, card, invocation, kept


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


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two runs of different claims that have made the database together, from the command line."""
    project = make(tmp_path_factory.mktemp("both") / "project", "toy_sums")
    project.page("toy_dice", (project.root / "tasks/toy_sums.py").read_text(encoding="utf8"))
    project.suite("lock", "toy-sums", "toy-dice")
    words = ("run", "--tier", "smoke", "--executor", "inline")
    runs = [project.start(*words, slug) for slug in ("toy-sums", "toy-dice")]
    outs = [process.communicate(timeout=600) for process in runs]
    assert [process.returncode for process in runs] == [0, 0], outs
    assert not any("MLflow: " in err for _, err in outs), outs
    return project


def test_two_claims_run_at_once(both: Project) -> None:
    """MLflow included; ``make torture`` does it fifty times."""
    found = {name: runs for name, _, runs in picture(tracking_uri(both.root / ".suite"))}
    assert found.keys() == {"toy-sums", "toy-dice"}
    assert all(len(runs) == 1 + 5 and not any("'RUNNING'" in run[0] for run in runs) for runs in found.values())


def test_sync_rebuilds_all_that_real_runs_had_shown(both: Project) -> None:
    """Runs, metrics, parameters, tags and artifacts, from the records alone; and a second time it has nothing to do."""
    home = both.root / ".suite"
    before = picture(tracking_uri(home))
    told = repr(before)
    for part in (".pdf'", "toy_sums.json'", "'eyes", "by'", "suite.invocation"):
        assert part in told, f"the comparison would not see {part}"
    for path in (*home.glob("mlflow.db*"), *home.glob("*artifacts*/**/*")):
        if path.is_file():
            path.unlink()
    assert "runs written" in both.suite("sync").stdout
    assert picture(tracking_uri(home)) == before
    assert "runs written" not in both.suite("sync").stdout
    assert picture(tracking_uri(home)) == before
