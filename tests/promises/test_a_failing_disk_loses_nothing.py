"""Whatever call to the disk fails, and with whatever error: one clear line, and nothing acknowledged is lost, doubled
or half read; once the disk is well again the run ends with the same bytes.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from suite import files
from suite.errors import UserError
from suite.store import sweep
from tests.torture.campaign import ERRORS, Case, Figures, fail_at
from tests.torture.traps import DISK

nursery = pytest.mark.xdist_group("nursery")


@nursery
@pytest.mark.parametrize("part", range(4))
def test_every_call_of_a_whole_run_fails_once(sums: Case, tmp_path: Path, part: int) -> None:
    """The k-th open, read, write, flush, rename or new folder, for every k; half of them as a disk that stays full."""
    figures = Figures()
    calls = [line for line in sums.calls if line.split()[0] in DISK]
    assert len(calls) > 60
    assert {line.split()[0] for line in calls} == set(DISK)
    for k in range(1 + part, len(calls) + 1, 4):
        fault = {"at": list(DISK), "where": "", "nth": k, "does": ERRORS[k % 3], "stays": (k // 12) % 2 == 1}
        assert fail_at(sums, tmp_path / "a", fault, figures), f"call {k} was not made"
    assert figures.losses == []
    assert figures.faults >= len(calls) // 4


@nursery
@pytest.mark.parametrize("where", ["/checkpoints/", "/networks/"])
def test_checkpoints_and_kept_networks_fail(small_walk: Case, tmp_path: Path, where: str) -> None:
    figures = Figures()
    for number, kind in enumerate(("open", "write", "fsync", "replace")):
        fault = {"at": [kind], "where": where, "nth": 1 + number % 2, "does": ERRORS[number % 3]}
        assert fail_at(small_walk, tmp_path / "a", fault, figures)
    assert figures.losses == []


@nursery
def test_what_is_only_an_estimate_stops_no_run(sums: Case, tmp_path: Path) -> None:
    world = sums.world(tmp_path / "a")
    ended = world.run([{"at": ["open"], "where": "pace.json", "nth": 1, "does": "ENOSPC"}])
    assert (ended.code, len(ended.met)) == (0, 1)
    assert world.files() == sums.files


# --- One write ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    target = tmp_path / "kept.json"
    files.write_json(target, {"a": 1})

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open" if call == "open" else f"os.{call}", full)
        with pytest.raises(UserError, match="No space left on device"):
            files.write_json(target, {"a": 2})
    assert json.loads(target.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["kept.json"], "no half-written file stays"


def test_read_only_folder_is_one_line(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        blocked = tmp_path / "file"
        blocked.write_text("")
        with pytest.raises(UserError, match="cannot write"):
            files.write_json(blocked / "inner.json", 1)
        return
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot write"):
        files.write_json(tmp_path / "x.json", 1)


def test_half_written_files_of_the_dead_are_swept_and_those_of_the_living_stay(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    living, dead = tmp_path / f".x.json.{os.getppid()}.tmp", tmp_path / "below" / f".x.json.{child}.tmp"
    foreign, named = tmp_path / ".x.json.tmp", tmp_path / "x.tmp"
    dead.parent.mkdir()
    for path in (living, dead, foreign, named):
        path.write_text("half")
    sweep(tmp_path, below=False)
    assert dead.exists()
    sweep(tmp_path)
    assert not dead.exists()
    assert all(path.exists() for path in (living, foreign, named))
    sweep(tmp_path / "nowhere")
