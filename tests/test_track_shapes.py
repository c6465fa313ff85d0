"""From records to entries, names and places: the parts of tracking that need no MLflow."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import UserError
from suite.track import tracking_uri
from suite.track.entries import keys_of, label, milliseconds, short, trial, tuning
from suite.track.owner import dead, identity
from suite.track.place import artifact_location, database_file, own_database, shown
from suite.track.points import evenly, points, safe_key, safe_keys
from tests.track_world import RATES, card, record


@given(st.integers(0, 5000), st.integers(2, 300))
def test_evenly(length: int, most: int) -> None:
    found = evenly(length, most)
    assert len(found) == min(length, most) == len(set(found))
    assert found == sorted(found)
    if length:
        assert (found[0], found[-1]) == (0, length - 1)


@given(st.lists(st.text(max_size=300), max_size=8, unique=True))
def test_every_name_becomes_a_key_that_mlflow_accepts(names: list[str]) -> None:
    from mlflow.utils.validation import _validate_metric_name, _validate_param, _validate_tag_name

    safe = safe_keys((name, "x") for name in names)
    assert len(safe) == len(names)
    for key in safe:
        _validate_metric_name(key)
        _validate_param(key, "x")
        _validate_tag_name(key)


scalars = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.sampled_from(["NaN", "Infinity", "-Infinity", "word"])
)


@given(st.dictionaries(st.text(max_size=9), st.one_of(scalars, st.lists(scalars), st.lists(st.lists(scalars)))))
def test_no_metric_is_lost_in_silence(metrics: dict[str, Any]) -> None:
    found, hidden = points(metrics)
    assert set(hidden) <= set(metrics)
    assert all(isinstance(point.value, float) and abs(point.value) != float("inf") for point in found)
    keys = {point.key.split("/")[0] for point in found} | {safe_key(name) for name in hidden}
    assert len(found) >= len(metrics) - len(hidden)
    assert bool(keys) == bool(metrics)


def test_rows_become_curves_and_the_rest_is_named() -> None:
    entry = trial(record("counting", "only", {}, {}, "verdict", 0), card())
    assert {point.key for point in entry.points} == {"hits", "exact", "cells/0", "cells/1", "seconds"}
    assert entry.tags["suite.not_shown"] == "huge"
    assert points({"deep": [[[1]]], "many": [[1]] * 50, "none": []}) == ([], ["deep", "many", "none"])


def test_steps_follow_the_grid_and_undeclared_settings_follow_it() -> None:
    group = [record("digits", "lion", {"batch": 8}, {"lr": lr}, "tune", 0) for lr in (1e-3, 0.5, 1e-4)]
    entry = tuning(group, card())
    assert [(p.step, p.value) for p in entry.points if p.key == "setting/lr"] == [(0, 1e-4), (2, 1e-3), (3, 0.5)]
    assert [p.step for p in tuning(group, None).points if p.key == "val"] == [0, 1, 2]


def test_a_large_grid_keeps_every_key() -> None:
    group = [record("digits", "lion", {"batch": 8}, {"lr": 1e-6 * i}, "tune", 0) for i in range(1, 1001)]
    tags = tuning(group, card()).tags
    assert keys_of(tags) == {short(one["key"]) for one in group}
    assert all(len(value) <= 8000 for value in tags.values())


def test_a_tuning_run_lasts_from_its_first_trial_to_its_last() -> None:
    group = [record("digits", "lion", {"batch": 8}, {"lr": lr}, "tune", 0) for lr in RATES]
    group[0] |= {"written": "2026-11-22T14:00:10Z", "seconds": 4.0}
    group[2] |= {"written": "2026-11-22T14:00:30Z", "seconds": 1.0}
    group[1] |= {"written": "2026-11-22T14:00:20Z", "seconds": 2.0}
    entry = tuning(group, card())
    ten = milliseconds("2026-11-22T14:00:10Z")
    assert (entry.start, entry.end) == (ten - 4_000, ten + 20_000)


def test_labels() -> None:
    one = record("digits", "lion", {"batch": 64, "arch": "mlp"}, {"lr": 0.1}, "aa", 7)
    assert label(one, card()) == "digits · lion · arch mlp · batch 64 · aa s7"


def test_times() -> None:
    assert milliseconds("2026-11-22T14:03:11Z") == milliseconds("2026-11-22T15:03:11+01:00") == 1795356191000


def test_identities() -> None:
    me = identity()
    host, boot, namespace, pid, start = me.split("|")
    assert not dead(me)
    assert dead("|".join((host, boot, namespace, pid, str(int(start) + 1))))  # the number was given again
    assert dead("|".join((host, "an-earlier-boot", namespace, pid, start)))
    assert not dead("|".join((host, boot, "another-container", "999999999", start)))
    gone = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with gone:
        theirs = identity(gone.pid)
        assert not dead(theirs)
    assert dead(theirs)


def test_where_mlflow_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert tracking_uri(Path("work")) == f"sqlite:///{tmp_path}/work/mlflow.db"
    assert own_database(Path("work")) == tmp_path / "work" / "mlflow.db"
    assert artifact_location(tmp_path, tracking_uri(tmp_path), "a") == f"file://{tmp_path}/artifacts/a"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert tracking_uri(tmp_path) == "http://127.0.0.1:5000"
    assert own_database(tmp_path) is None
    assert artifact_location(tmp_path, tracking_uri(tmp_path), "a") is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here.db")  # relative to where the user is, not to where we go
    assert database_file(tracking_uri(tmp_path)) == tmp_path / "here.db"
    assert shown("postgresql://me:secret@db/x") == "postgresql://me:***@db/x"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(UserError, match="SUITE_HOME"):
        tracking_uri(tmp_path / "100%")
