"""What MLflow shows of a run, and that a database rebuilt from the files shows the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from suite.canonical import canonical
from suite.track import Tracker, sync, tracking_uri
from suite.track import invocation as about
from suite.track.entries import keys_of, short, tuning_table
from suite.track.points import MOST_POINTS
from tests.track_look import client_of, picture
from tests.track_world import RATES, SLUG, Files, begun, card, files, invocation, record, records

VERDICT = [one for one in records() if one["seed"]["purpose"] == "verdict"]
TUNING = [one for one in records() if one["seed"]["purpose"] == "tune"]


def look(made: Files) -> list[Any]:
    return picture(tracking_uri(made.home))


# --- What one run shows -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shown_run(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A finished invocation, logged live."""
    made = files(tmp_path_factory.mktemp("shown"))
    final = invocation(records())
    made.keep(records(), final)
    assert made.beside(final, records()) == []
    return made


def test_one_experiment_one_parent_and_a_child_per_verdict_trial(shown_run: Files) -> None:
    with client_of(tracking_uri(shown_run.home)) as client:
        (experiment,) = client.search_experiments()
        runs = client.search_runs([experiment.experiment_id], max_results=1000)
    assert experiment.name == SLUG
    assert experiment.tags["outcome.cpu"] == "reproduced"
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.info.run_name == "cpu · 2026-11-22 14:01"
    assert parent.info.status == "FINISHED"
    assert parent.info.end_time - parent.info.start_time == 59_000
    tags = parent.data.tags
    wanted = {"slug": SLUG, "tier": "cpu", "outcome": "reproduced", "rule_hash": "ab" * 32, "revision": "2"}
    wanted |= {"claim.c1": "reproduced", "claim.c2": "inconclusive", "suite.invocation": "20261122-1401-aaaa"}
    wanted |= {"mlflow.source.git.commit": "deadbeef", "git.dirty": "false", "mlflow.source.name": f"suite run {SLUG}"}
    assert wanted.items() <= tags.items()
    assert "torch 2.13.0" in tags["versions"]
    assert parent.data.metrics == {"trials_measured": 22.0, "trials_reused": 0.0, "seconds_of_trials": 33.0}
    assert [d.dataset.name for d in parent.inputs.dataset_inputs] == ["digits"]

    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(children) == len(runs) - 1 == len(VERDICT) + 4
    names = [run.info.run_name for run in children]
    assert len(set(names)) == len(names)
    assert {"digits · lion · batch 64 · s1", "digits · adamw · batch 8 · tuning s0", "counting · s0"} <= set(names)
    held = [key for run in children for key in keys_of(run.data.tags)]
    assert sorted(held) == sorted(short(one["key"]) for one in records())  # every trial, once


def test_a_childs_parameters_metrics_curves_tags_and_data(shown_run: Files) -> None:
    with client_of(tracking_uri(shown_run.home)) as client:
        (run,) = client.search_runs(["1"], "attributes.run_name = 'digits · lion · batch 64 · s1'")
        curve = client.get_metric_history(run.info.run_id, "path")
    assert run.data.params == {"batch": "64", "lr": "0.0003", "rule": "lion", "steps": "450", "size.lr": "warm"}
    tags = {"experiment": "digits", "arm": "lion", "seed": "1", "purpose": "verdict", "tier": "cpu", "slug": SLUG}
    assert tags.items() <= run.data.tags.items()
    assert run.data.metrics["test"] == pytest.approx(0.5 / 106)
    assert run.data.metrics["seconds"] == 1.5
    assert len(curve) == MOST_POINTS
    assert [(m.step, m.value) for m in (curve[0], curve[-1])] == [(0, 1.0), (449, 1 / 450)]
    assert all(m.value == 1 / (1 + m.step) for m in curve)
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits", "f" * 16)


def test_a_tuning_run_holds_the_grid_as_steps(shown_run: Files) -> None:
    with client_of(tracking_uri(shown_run.home)) as client:
        (run,) = client.search_runs(["1"], "attributes.run_name = 'digits · lion · batch 8 · tuning s0'")
        history = {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
    assert [(m.step, m.value) for m in history["setting/lr"]] == list(enumerate(RATES))
    assert [(m.step, m.value) for m in history["val"]] == [(i, pytest.approx(0.25 + r)) for i, r in enumerate(RATES)]
    assert "path" not in history
    assert run.data.params["lr"] == "0.0001, 0.0003, 0.001"


def test_the_parents_artifacts(shown_run: Files) -> None:
    (_, _, runs) = look(shown_run)[0]
    (parent,) = [run for run in runs if "suite.invocation" in run[1]]
    for name in ("report.pdf", "figures/dots.svg", "lion_vs_made_up.json", "tuning/digits.csv"):
        assert repr(name) in parent[-1]
    table = tuning_table(TUNING, card())["tuning/digits.csv"].splitlines()
    assert table[:2] == ["arm,batch,lr,seed,val,test", "adamw,64,0.0001,0,0.2501,0.004347826086956522"]
    assert len(table) == 1 + len(TUNING)


def test_the_description_says_the_verdict_and_is_safe_markdown() -> None:
    text = about.description(invocation(records()), card())
    assert text.startswith("**reproduced** — Lion ends lower than AdamW \\| by 2 %.")
    assert "| c2 | inconclusive | The gap grows with the batch. |" in text
    assert f"`suite run {SLUG} --tier cpu`" in text
    other = about.description({**invocation(records()), "rule_hash": "cd" * 32}, card())
    assert "Lion" not in other.replace(SLUG, "")  # another rule: the card's sentences may not be this run's


def test_outcomes_of_runs_without_a_verdict() -> None:
    one = {**invocation(records()), "verdict": {}}
    assert about.outcome(one, card()) == "not judged"
    assert about.outcome({**one, "status": "failed"}, card()) == "failed"
    assert (about.outcome({**one, "status": "running"}, card()), about.status({"status": "running"})) == (
        "stopped",
        "KILLED",
    )


# --- Rebuilding -------------------------------------------------------------------------------------


def test_sync_into_an_empty_database_equals_live(shown_run: Files, tmp_path: Path) -> None:
    other = files(tmp_path)
    said: list[str] = []
    done = sync(other.home, shown_run.trials, shown_run.runs, shown_run.results, say=said.append)
    assert (done.invocations, done.written) == (1, len(VERDICT) + 4)
    assert said == [f"{SLUG}  cpu · 2026-11-22 14:01  {done.written} runs written"]
    assert look(other) == look(shown_run)


def test_sync_again_changes_nothing(shown_run: Files) -> None:
    before = look(shown_run)
    written, said = shown_run.fill()
    assert written == 0
    assert said == [f"{SLUG}  cpu · 2026-11-22 14:01  nothing was missing"]
    assert look(shown_run) == before


def test_a_partial_database_is_completed(shown_run: Files, tmp_path: Path) -> None:
    other = files(tmp_path)
    final, used = invocation(records()), records()
    other.keep(used, final)
    tracker = Tracker(other.home)
    tracker.begin(begun(final), card())
    tracker.trials(used[:2])  # two of three settings of a tuning group ...
    tracker.trials(VERDICT[:5])
    assert tracker.close()  # ... and no finish()
    stopped = look(other)[0][2]
    assert len(stopped) == 1 + 1 + 5
    assert any("'KILLED'" in run[0] and "('outcome', 'stopped')" in run[1] for run in stopped)
    written, _ = other.fill()
    assert written == len(VERDICT) - 5 + 3 + 1  # the rest of the torn tuning group is a run of its own
    assert other.fill()[0] == 0
    with client_of(tracking_uri(other.home)) as client:
        runs = client.search_runs(["1"], max_results=1000)
    assert sorted(key for run in runs for key in keys_of(run.data.tags)) == sorted(short(one["key"]) for one in used)
    parents = [run for run in look(other)[0][2] if "suite.invocation" in run[1]]
    assert parents == [run for run in look(shown_run)[0][2] if "suite.invocation" in run[1]]


def test_reused_trials_are_shown_once_under_the_run_that_measured_them(tmp_path: Path) -> None:
    made = files(tmp_path / "live")
    first, second = records(seeds=1), records(seeds=2)
    new = [one for one in second if one["key"] not in {old["key"] for old in first}]
    told = [invocation(first), invocation(second, number=2, reused=first)]
    told[1]["verdict"] = {"c1": "refuted", "c2": None}
    made.keep(second, *told)
    made.live(told[0], first)
    made.live(told[1], new, reused=first)
    assert look(made)[0][1]["outcome.cpu"] == "refuted"
    other = files(tmp_path / "rebuilt")
    assert made.fill(other.home)[0] == len(VERDICT) + 4

    def without_artifacts(found: list[Any]) -> list[Any]:
        return [run[:-1] for run in found[0][2]]

    assert look(other)[0][1] == look(made)[0][1]
    assert without_artifacts(look(other)) == without_artifacts(look(made))
    held = [run[-1] for run in look(other)[0][2] if "suite.invocation" in run[1]]
    assert sorted("lion_vs_made_up.json" in one for one in held) == [False, True]  # a ledger is the latest run's only
    for one in told:  # records that name their ledger by its hash share the same one
        one["ledger_hash"] = "same"
    made.write(made.ledger, canonical({**json.loads(made.ledger.read_text()), "hash": "same"}))
    made.keep([], *told)
    named = files(tmp_path / "named")
    made.fill(named.home)
    held = [run[-1] for run in look(named)[0][2] if "suite.invocation" in run[1]]
    assert all("lion_vs_made_up.json" in one and "report.pdf" in one for one in held)
    late = files(tmp_path / "late")  # here the older run is written last
    late.live(told[1], new, reused=first)
    made.fill(late.home)
    assert look(late)[0][1]["outcome.cpu"] == "refuted"


def test_reused_trials_that_mlflow_lost_come_back_with_the_next_run(tmp_path: Path) -> None:
    made = files(tmp_path)
    final = invocation(records(), number=2, reused=records())
    made.keep(records(), final)
    made.live(final, [], reused=records())
    assert len(look(made)[0][2]) == 1 + len(VERDICT) + 4


def test_trials_without_a_run_are_shown_too(tmp_path: Path) -> None:
    made = files(tmp_path)
    made.keep(records(seeds=1))
    written, said = made.fill()
    assert written == 4 + 1 + 4
    assert "cpu · trials without a run" in said[0]
    made.keep(records(seeds=2))
    assert made.fill()[0] == 4 + 1
    assert made.fill()[0] == 0


def test_damaged_records_are_named_and_left_out(tmp_path: Path) -> None:
    made = files(tmp_path)
    used = records(seeds=1)
    made.keep(used, invocation(used))
    victim = next(made.trials.rglob("*.json"))
    changed = victim.read_text().replace('"seconds":1.5', '"seconds":9.5')
    victim.write_text(changed)
    made.write(made.trials / SLUG / "zz" / "torn.json", changed[: len(changed) // 2])
    made.write(made.runs / SLUG / "list.json", "[]")
    written, said = made.fill()
    assert written >= 7
    assert sum(line.startswith("left out: ") for line in said) == 3
    assert any(str(victim) in line for line in said)


def test_more_than_one_batch_arrives_whole(tmp_path: Path) -> None:
    made = files(tmp_path)
    one = record("digits", "lion", {"batch": 8}, {"lr": 3e-4}, "verdict", 0)
    one["metrics"] = {f"m{i}": float(i) for i in range(1500)} | {"curve": list(range(5000))}
    one["sizes"] = {f"p{i}": i for i in range(250)}
    made.live(invocation([one]), [one])
    with client_of(tracking_uri(made.home)) as client:
        (run,) = client.search_runs(["1"], "tags.arm = 'lion'")
        assert len(run.data.metrics) == 1500 + 2
        assert len(run.data.params) == 250 + 3
        assert len(client.get_metric_history(run.info.run_id, "curve")) == MOST_POINTS


def test_a_folder_called_mlruns_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "mlruns" / "0").mkdir(parents=True)
    (tmp_path / "here" / "mlruns" / "0" / "meta.yaml").write_text("name: old\n")
    made = files(tmp_path / "a home, ünï")
    monkeypatch.chdir(tmp_path / "here")
    used = records(seeds=1)
    made.keep(used, invocation(used))
    made.live(invocation(used), used)
    assert len(look(made)[0][2]) == 1 + 4 + 1 + 4
    assert sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "here").rglob("*") if path.is_file()) == [
        "here/mlruns/0/meta.yaml"
    ]
