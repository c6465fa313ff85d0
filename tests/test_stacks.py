"""How trials are cut into units, and how the size of a stack is measured along the way."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite import registry
from suite.plan import Plan, Stacking, Trial, Unit
from suite.stacks import Stacks

WORLD = {"machine": {"device": "cpu", "vector": "AVX512"}, "versions": {}}


@given(st.integers(1, 200), st.none() | st.integers(1, 40), st.booleans())
def test_a_cut_takes_every_trial_once_and_no_more_than_fit(number, most, halve):
    parts = Stacking(most=most, halve=halve).cut(number)
    assert [index for part in parts for index in range(part.start, part.stop)] == list(range(number))
    assert all(1 <= part.stop - part.start <= (most or number) for part in parts)
    assert len(parts) <= math.ceil(number / (most or number)) + halve


@given(st.integers(1, 60), st.integers(1, 10), st.booleans())
def test_what_is_left_is_cut_as_before(number, most, halve):
    """A run that was killed after its first unit finds the checkpoints of the others."""
    how = Stacking(most=most, halve=halve)
    first, *others = how.cut(number * most)
    left = (
        [slice(part.start + first.stop, part.stop + first.stop) for part in how.cut(number * most - first.stop)]
        if others
        else []
    )
    assert left == others or len(others) == 2  # two halves alone are one unit then


def unit(size, *, arm="only", experiment="digits"):
    identity = {"at": {}, "arm": arm, "fixed": {"rule": arm}, "seed": {"purpose": "tune", "number": 0}}
    trials = tuple(Trial(identity, f"{number}") for number in range(size))
    return Unit("id", "tasks.some", experiment, "cpu", False, "some/r1", {}, trials)


def a_run(folder, seconds, *, models=48, declared=16, world=WORLD):
    """One run over a group of models, each of which takes ``seconds(size of its stack)``; returns the sizes."""
    stacks = Stacks(folder, "some-claim", world)
    how = stacks.stacking("digits", declared)
    sizes = [part.stop - part.start for part in how.cut(models)]
    for size in sizes:
        stacks.learn(unit(size), size * seconds(size))
    stacks.save()
    return sizes


@pytest.mark.parametrize(("best", "found"), [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)])
def test_the_fastest_size_is_found_and_kept(best, found, tmp_path):
    """On a machine whose cache holds ``best`` models: each doubling beyond costs a third, fewer cost their starts."""

    def seconds(size):
        return 1.0 + 0.1 / size + max(0.0, 0.3 * math.log2(size / best))

    for _ in range(8):
        sizes = a_run(tmp_path, seconds)
    assert set(sizes) == {found}


def test_a_gain_that_could_be_noise_changes_nothing(tmp_path):
    for _ in range(3):
        sizes = a_run(tmp_path, lambda size: 1.0 if size > 8 else 0.97)
    assert sizes == [16, 16, 16]


def test_one_slow_start_decides_nothing(tmp_path):
    stacks = Stacks(tmp_path, "some-claim", WORLD)
    stacks.stacking("digits", 16)
    for size, seconds in [(16, 100.0), (16, 16.0), (8, 8.0), (8, 8.0)]:
        stacks.learn(unit(size), seconds)
    stacks.save()
    assert Stacks(tmp_path, "some-claim", WORLD).stacking("digits", 16) == Stacking(most=16)


def test_every_machine_class_and_every_declared_size_has_its_own(tmp_path):
    a_run(tmp_path, lambda size: 1.0 if size > 8 else 0.5)
    assert Stacks(tmp_path, "some-claim", WORLD).stacking("digits", 16).most == 8
    other = {**WORLD, "machine": {"device": "cuda"}}
    for stacks, declared in [
        (Stacks(tmp_path, "some-claim", other), 16),
        (Stacks(tmp_path, "another-claim", WORLD), 16),
        (Stacks(tmp_path, "some-claim", WORLD), 32),
    ]:
        assert stacks.stacking("digits", declared) == Stacking(most=declared, halve=True)


def test_what_cannot_be_halved_is_left_alone(tmp_path):
    stacks = Stacks(tmp_path, "some-claim", WORLD)
    assert stacks.stacking("digits", None) == Stacking(most=None)
    assert stacks.stacking("digits", 1) == Stacking(most=1)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": 1}', '{"a": {"most": 0, "declared": 4, "settled": true}}', '{"a": {"most": "4"}}']
)
def test_a_damaged_table_is_measured_again(text, tmp_path):
    (tmp_path / "stacks.json").write_text(text)
    assert Stacks(tmp_path, "some-claim", WORLD).stacking("digits", 4) == Stacking(most=4, halve=True)
    a_run(tmp_path, lambda size: 1.0)
    assert json.loads((tmp_path / "stacks.json").read_text())


def test_models_of_one_seed_stand_together():
    """A stack draws the data of a seed once, so that a unit holds as few seeds as it can."""
    card = registry.card(registry.find("decoder-only-vs-unilm"))
    code = {experiment["name"]: "x" for experiment in card["experiments"]}
    plan = Plan(card, "cpu", code, {"versions": {}, "machine": {}})
    units = [unit for unit in plan.units(plan.wanted()) if unit.experiment == "masked"]
    assert len(units) == 32  # eight kinds, four rates, four seeds, four models at a time
    assert all(len({trial.identity["seed"]["number"] for trial in unit.trials}) == 1 for unit in units)


def test_halves_are_tried_in_tuning_runs_where_there_are_any():
    card = registry.card(registry.find("lion-vs-adamw"))
    code = {experiment["name"]: "x" for experiment in card["experiments"]}
    plan = Plan(card, "cpu", code, {"versions": {}, "machine": {}})
    for experiment in card["experiments"]:
        tunes = any(arm["tuned"] for arm in experiment["arms"])
        for purpose in ("tune", "verdict"):
            trials = [
                Trial({**trial.identity, "seed": {**trial.identity["seed"], "purpose": purpose}}, trial.key)
                for trial in plan.wanted()
                if trial.identity["experiment"] == experiment["name"]
            ]
            halved = plan.units(trials, lambda name, declared: Stacking(most=2, halve=True))
            whole = plan.units(trials, lambda name, declared: Stacking(most=2))
            assert (len(halved) > len(whole)) == (
                (purpose == "tune" or not tunes) and not experiment["timed"] and len(trials) > 2
            )
