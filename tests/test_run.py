"""A run from the command line: judged, reused, resumed after a kill with the same bytes, and clear when it cannot go
on."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.projects import Project, make

EXPECTED = {"c1": "reproduced", "c2": "reproduced", "c3": "reproduced", "c4": None}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One finished run that several tests read; none of them changes it."""
    project = make(tmp_path_factory.mktemp("run") / "project", "toy_race")
    project.suite("run", "toy-race", "--no-track")
    return project


def hashed(book: dict[str, Any]) -> str:
    return json.dumps({k: v for k, v in book.items() if k != "timing"}, sort_keys=True)


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf8"))


def test_the_ledger_holds_every_claim(finished: Project) -> None:
    book = read(finished.ledger("toy_race"))
    rows = {row["id"]: row["outcome"] for row in [*book["claims"], *book["timing"]["claims"]]}
    assert rows == EXPECTED
    assert book["outcome"] == "reproduced"
    assert {t["experiment"] for t in book["trials"]} == {"race", "exact"}
    assert {t["experiment"] for t in book["timing"]["trials"]} == {"clock"}
    assert len([t for t in book["trials"] if t["experiment"] == "race"]) == 2 * 2 * 8
    assert {len(choice["tuning"]) for choice in book["arms"]} == {5 * 4}


def test_tuning_chose_inside_the_grid_and_seeds_differ(finished: Project) -> None:
    book = read(finished.ledger("toy_race"))
    assert all(choice["edge"] == [] for choice in book["arms"])
    ends = [tuple(t["metrics"]["position"]) for t in book["trials"] if t["experiment"] == "race"]
    assert len(set(ends)) == len(ends)


def test_the_second_run_reuses_everything(finished: Project) -> None:
    before = finished.ledger("toy_race").read_bytes()
    done = finished.suite("run", "toy-race", "--no-track")
    assert "0 trials run" in done.stdout
    assert finished.ledger("toy_race").read_bytes() == before


def test_plan_says_what_is_reused(finished: Project) -> None:
    plan = json.loads(finished.suite("plan", "toy-race", "--json").stdout)
    assert all(unit["cached"] for unit in plan["units"])
    smoke = json.loads(finished.suite("plan", "toy-race", "--tier", "smoke", "--json").stdout)
    assert not any(unit["cached"] for unit in smoke["units"] if unit["experiment"] == "race")


def test_more_seeds_within_the_declared_limit_add_only_new_trials(finished: Project) -> None:
    plan = json.loads(finished.suite("plan", "toy-race", "--seeds", "12", "--json").stdout)
    new = [unit for unit in plan["units"] if not unit["cached"] and unit["experiment"] == "race"]
    assert {seed for unit in new for seed in unit["seeds"]} == {f"verdict/{n}" for n in range(8, 12)}


def test_only_runs_what_the_claims_read(finished: Project) -> None:
    before = finished.ledger("toy_race").read_bytes()
    done = finished.suite("run", "toy-race", "--only", "c2", "--no-track")
    assert "c2" in done.stdout
    assert "c1" not in done.stdout
    assert finished.ledger("toy_race").read_bytes() == before, "a partial run leaves results/ alone"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run", "toy-rase"), "toy-race"),
        (("run", "toy-race", "--tier", "warp"), "tiers are"),
        (("run", "toy-race", "--tier", "hub"), "it has cpu, smoke"),
        (("run", "toy-race", "--seeds", "7"), "outside 8..12"),
        (("run", "toy-race", "--seeds", "many"), "whole number"),
        (("run", "toy-race", "--seeds", "13"), "outside 8..12"),
        (("run", "toy-race", "--set", "stepz=4"), "there are pause, steps"),
        (("run", "toy-race", "--set", "steps"), "NAME=VALUE"),
        (("run", "toy-race", "--only", "c9"), "it has c1, c2, c3, c4"),
        (("run", "toy-race", "--only", "c4"), "tested by"),
        (("run", "toy-race", "--executor", "warp"), "no executor"),
        (("adopt", "nowhere.json"), "no file"),
        (("diff", "nowhere.json", "elsewhere.json"), "cannot read"),
        (("new", "Bad Name"), "lower case"),
        (("new", "toy-race"), "already"),
        (("report", "--tier", "gpu"), "no ledger"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(finished: Project, words: tuple[str, ...], says: str) -> None:
    before = sorted(str(p) for p in (finished.root / "results").rglob("*"))
    done = finished.suite(*words, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("suite: ")
    assert says in last
    assert "Traceback" not in done.stderr
    assert sorted(str(p) for p in (finished.root / "results").rglob("*")) == before


def test_a_broken_page_is_named_with_its_line(tmp_path: Path) -> None:
    project = make(tmp_path / "project")
    project.page("broken", '"""Doc."""\n\nimport torch\n\nx = undefined\n')
    done = project.suite("run", "broken", check=False)
    assert done.returncode == 2
    assert "tasks/broken.py, line 5: NameError" in done.stderr
    project.page("crooked", '"""Doc."""\nTASK = 3\n')
    done = project.suite("show", "crooked", check=False)
    assert done.returncode == 2
    assert "TASK = Task(...)" in done.stderr


PREPARE = """
def prepare(tier):
    with open("prepared.txt", "a", encoding="utf8") as file:
        file.write(f"{time.monotonic()}\\n")
    {end}


TASK = Task("""


@pytest.mark.parametrize(("workers", "end", "times"), [("2", "pass", 1), ("2", "raise OSError", 1), ("1", "pass", 0)])
def test_a_timed_experiment_is_prepared_while_others_run(tmp_path: Path, workers: str, end: str, times: int) -> None:
    """Not where there is one worker, which would do it in turn; and a preparation that fails spoils nothing."""
    project = make(tmp_path / "project", "toy_race")
    text = (project.root / "tasks/toy_race.py").read_text(encoding="utf8")
    text = text.replace("TASK = Task(", PREPARE.replace("{end}", end).lstrip())
    text = text.replace(
        "def clock(seeds, tier):", 'def clock(seeds, tier):\n    open("clock.txt", "w").write(str(time.monotonic()))'
    )
    project.page("toy_race", text.replace("measure=clock, timed=True", "measure=clock, timed=True, prepare=prepare"))
    project.suite("run", "toy-race", "--no-track", SUITE_WORKERS=workers)
    rows = read(project.ledger("toy_race"))["timing"]["claims"]
    assert {row["id"]: row["outcome"] for row in rows} == {
        k: v for k, v in EXPECTED.items() if k in {r["id"] for r in rows}
    }
    file = project.root / "prepared.txt"
    moments = file.read_text().split() if file.exists() else []
    assert len(moments) == times
    assert all(float(moment) < float((project.root / "clock.txt").read_text()) for moment in moments)


# --- Ledgers ------------------------------------------------------------------------------------------


def test_a_newer_ledger_and_an_edited_one_are_refused(finished: Project, tmp_path: Path) -> None:
    book = read(finished.ledger("toy_race"))
    newer, edited, fine = tmp_path / "newer.json", tmp_path / "edited.json", tmp_path / "fine.json"
    fine.write_text(json.dumps(book))
    newer.write_text(json.dumps({**book, "schema": 99}))
    edited.write_text(json.dumps({**book, "outcome": "refuted"}))
    assert "update the suite" in finished.suite("diff", str(fine), str(newer), check=False).stderr
    assert "does not match its hash" in finished.suite("diff", str(fine), str(edited), check=False).stderr
    assert finished.suite("diff", str(fine), str(fine)).returncode == 0


def test_adopt_brings_records_and_ledgers_home(finished: Project, tmp_path: Path) -> None:
    import tarfile

    archive = tmp_path / "node.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(finished.root / ".suite/trials", "trials")
        tar.add(finished.ledger("toy_race"), "toy_race.json")
    project = make(tmp_path / "project", "toy_race")
    project.suite("lock", "toy-race")
    assert "reproduced" in project.suite("adopt", str(archive)).stdout
    assert project.ledger("toy_race").read_bytes() == finished.ledger("toy_race").read_bytes()
    assert "0 trials run" in project.suite("run", "toy-race", "--no-track").stdout
    damaged = tmp_path / "damaged.json"
    record = next((finished.root / ".suite/trials").glob("*/*/*.json"))
    damaged.write_text(record.read_text().replace('"verdict"', '"verdikt"').replace('"tune"', '"tuna"'))
    done = project.suite("adopt", str(damaged), check=False)
    assert done.returncode == 2
    assert "checksum" in done.stderr
