"""The judge's own error rate and power, on worlds whose truth is known."""

import json
import math
import time
from typing import Any

import numpy as np
import pytest
from scipy import stats

from suite.calibration import Fight, calibrate, decide_worlds, first_verdict, most_on_normal_noise, rates, worlds_of
from suite.claims import Interval, at_least, at_most, decide, exactly, within
from suite.judge import judge
from suite.looks import look_alphas
from suite.quantities import across, mean, optimum, paired_gap, prediction, proportion, ratio, value
from tests.judge_worlds import bounds, card, choice, claim, experiment, fight, trials

LOOKS = (6, 10, 16)
GAP = paired_gap("loss", "a", minus="b")


# --- A claim's own noise ------------------------------------------------------------------------------


def calibrated(rows: Any, the_claim: Any = None, choices: Any = (), **more: Any) -> dict[str, Any]:
    of = more.pop("of", None) or [experiment(**more)]
    the_card = card([the_claim or claim(GAP, at_least(0), headline=True)], of)
    found = calibrate(the_card, "cpu", rows, choices, judge(the_card, "cpu", rows, choices))
    json.dumps(found, allow_nan=False)
    return found


def noise(n: int = 16, seed: int = 1, gap: float = 0.3) -> list[Any]:
    rng = np.random.default_rng(seed)
    b = rng.normal(5, 2, n)
    return fight((b + gap + rng.normal(0, 1, n)).tolist(), b.tolist())


@pytest.mark.parametrize("looks", [(), LOOKS])
@pytest.mark.parametrize("gap", [0.0, 5.0, -5.0])
def test_an_arm_against_itself_is_decided_no_more_often_than_alpha(looks: Any, gap: float) -> None:
    found = calibrated(noise(gap=gap), looks=looks)["c1"]
    assert (found["worlds"], found["alpha"], found["seeds"]) == (1000, pytest.approx(0.05), 16)
    assert found["false_verdict_rate"] <= bounds(0.05, 1000)[1]
    assert found["false_verdict_rate"] >= bounds(0.02, 1000)[0]  # it does look at something
    assert found["planted"] == "reproduced"


@pytest.mark.parametrize("looks", [(), LOOKS])
def test_power_on_a_claims_own_noise_is_that_of_normal_noise(looks: Any) -> None:
    """The sixteen gaps are as normal as sixteen can be; 20 000 normal worlds judged by scipy are the oracle."""
    b = np.random.default_rng(2).normal(5, 2, 16)
    normal = stats.norm.ppf((np.arange(16) + 0.5) / 16)
    found = calibrated(fight((b + normal).tolist(), b.tolist()), looks=looks)["c1"]
    rng = np.random.default_rng(3)
    plan = look_alphas(experiment(looks=looks)["tiers"]["cpu"])
    for effect, rate in found["power"].items():
        x = rng.normal(float(effect), 1, (20_000, 16))
        right, open_ = np.zeros(20_000, bool), np.ones(20_000, bool)
        for n, alpha in plan:
            low, high = stats.ttest_1samp(x[:, :n], 0, axis=1).confidence_interval(1 - alpha)
            right |= open_ & (low >= 0)
            open_ &= ~((low >= 0) | (high < 0))
        assert rate == pytest.approx(
            right.mean(), abs=0.05
        )  # 3.3 standard errors, and sixteen values are not a normal law


def test_skewed_gaps_are_shown_for_what_they_are() -> None:
    """Student's interval errs more often than 5 % where the gaps are skewed; symmetrised worlds alone would hide it."""
    rng = np.random.default_rng(4)
    b = rng.normal(5, 2, 16)
    found = calibrated(fight((b + rng.exponential(1, 16) ** 2).tolist(), b.tolist()))["c1"]
    assert found["false_verdict_rate"] <= bounds(0.05, 1000)[1]
    assert found["false_verdict_rate_skewed"] > 0.1


def test_the_same_ledger_gives_the_same_calibration() -> None:
    assert calibrated(noise()) == calibrated(noise())
    assert calibrated(noise()) != calibrated(noise(seed=2))


def test_cells_of_a_grid_are_calibrated_together() -> None:
    rng = np.random.default_rng(5)
    rows = [
        t for x in range(6) for t in fight(rng.normal(0, 1, 16).tolist(), rng.normal(0, 1, 16).tolist(), at={"x": x})
    ]
    of = [experiment(conditions={"x": list(range(6))})]
    found = calibrated(rows, of=of)["c1"]
    assert found["cells"] == 6
    assert found["false_verdict_rate"] <= bounds(0.05, 1000)[1]
    assert found["power"]["0.5"] < calibrated(noise())["c1"]["power"]["0.5"]


@pytest.mark.parametrize(
    ("claimed", "planted"),
    [(at_least(0), "reproduced"), (at_most(0), "reproduced"), (within(-1, 1), "refuted"), (exactly(0), "refuted")],
)
def test_what_is_planted_depends_on_what_is_claimed(claimed: Any, planted: str) -> None:
    found = calibrated(noise(), claim(GAP, claimed, headline=True))["c1"]
    assert found["planted"] == planted
    assert found["power"]["1.5"] > 0.95
    assert found["false_verdict_rate"] <= bounds(0.05, 1000)[1]


def test_ratios_and_clauses_and_tuning_are_calibrated_too() -> None:
    rows = noise()
    for t in rows:
        t["metrics"] = {"loss": math.exp(t["metrics"]["loss"]), "zero": 0, "k": 5, "n": 10}
    found = calibrated(rows, claim(ratio("loss", "a", over="b"), at_least(0.5), headline=True))["c1"]
    assert 0.02 < found["false_verdict_rate"] <= bounds(0.05, 1000)[1]
    both = claim(
        value("zero", "a"), exactly(0), headline=True,
        also=[(GAP, at_least(0), None), (GAP, at_least(-9), None), (mean("loss", "b"), at_least(0), None)],
    )  # fmt: skip
    found = calibrated(rows, both)["c1"]
    assert found["cells"] == 2  # each quantity once, the exact one not at all
    assert found["false_verdict_rate"] <= bounds(0.05, 1000)[1]
    grid = {10.0**e: [(e + 2) ** 2 + 0.1 * ((e * 3 + s) % 5) for s in range(6)] for e in range(-4, 1)}
    of = [experiment(tuned={"lr": tuple(grid)})]
    found = calibrated(rows, claim(optimum("lr", "a"), within(1e-3, 1e-1), headline=True), [choice("a", grid)], of=of)
    assert found["c1"]["seeds"] == 6


def test_what_has_no_noise_of_its_own_or_no_verdict_has_no_calibration() -> None:
    rows = noise()
    for t in rows:
        t["metrics"] |= {"zero": 0, "k": 5, "n": 10}
    for the_claim in (
        claim(value("zero", "a"), exactly(0), headline=True),
        claim(proportion("k", "a", out_of="n"), within(0, 1), headline=True),
        claim(prediction("loss", "a"), within(0, 10), headline=True),
        claim(GAP, at_least(0), headline=True, untested={"*": "no"}),
        claim(paired_gap("gone", "a", minus="b"), at_least(0), headline=True),
    ):
        assert calibrated(rows, the_claim) == {}
    assert calibrated(rows, timed=True) == {}


def test_it_costs_far_less_than_half_a_second() -> None:
    rng = np.random.default_rng(6)
    rows = trials("only", {"x": rng.normal(0, 1, (16, 24)).tolist()})
    of = [experiment(arms=("only",), looks=LOOKS)]
    calibrated(rows, claim(mean("x"), at_least(0), headline=True), of=of)  # scipy is loaded now
    started = time.process_time()
    calibrated(rows, claim(mean("x"), at_least(0), headline=True), of=of)
    assert time.process_time() - started < 0.5


# --- The arrays against the rule ----------------------------------------------------------------------


def test_arrays_decide_as_the_rule_does_world_by_world() -> None:
    rng = np.random.default_rng(7)
    the_fight = Fight(
        values=rng.normal(0, 1, (3, 16)),
        low=np.array([-0.6, 0.0, -math.inf]),
        high=np.array([0.6, math.inf, 0.4]),
        needs=2,
        seeds=LOOKS,
        alphas=np.array([[0.2, 0.3, 0.1], [0.3, 0.2, 0.2], [0.3, 0.3, 0.3]]),
        group="",
    )
    x = rng.normal(rng.normal(0, 0.6, (3, 200, 1)), 1, (3, 200, 16))
    found = decide_worlds(the_fight, x)
    words = {1: "reproduced", -1: "refuted", 0: "inconclusive"}
    for world in range(200):
        for look, n in enumerate(LOOKS):
            held = failed = 0
            for c in range(3):
                low, high = stats.ttest_1samp(x[c, world, :n], 0).confidence_interval(1 - the_fight.alphas[look, c])
                claimed = Interval(the_fight.low[c], the_fight.high[c])
                held += decide([Interval(low, high)], claimed) == "reproduced"
                failed += decide([Interval(low, high)], claimed) == "refuted"
            slow = "reproduced" if held >= 2 else "refuted" if 3 - failed < 2 else "inconclusive"
            assert words[int(found[look, world])] == slow
    assert {-1, 0, 1} <= set(found.ravel().tolist())
    firsts = [next((v for v in found[:, w] if v), 0) for w in range(200)]
    assert first_verdict(found).tolist() == firsts


def test_worlds_without_variance_are_errors_and_no_verdicts() -> None:
    one = Fight(
        values=np.array([[1.0, -1.0]]), low=np.array([0.0]), high=np.array([math.inf]), needs=1, seeds=(2,),
        alphas=np.array([[0.05]]), group="",
    )  # fmt: skip
    assert decide_worlds(one, np.array([[[3.0, 3.0], [-3.0, -3.0], [3.0, 3.1]]])).tolist() == [[0, 0, 1]]


def test_resampled_worlds_keep_seeds_together_across_cells() -> None:
    values = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    shared = {
        "low": np.zeros(2),
        "high": np.full(2, math.inf),
        "needs": 2,
        "seeds": (5,),
        "alphas": np.full((1, 2), 0.05),
    }
    one, two = (Fight(values=v, group="race", **shared) for v in (values, 100 * values))
    x, y = worlds_of([one, two], 50, np.random.default_rng(8), flip=True)
    assert np.array_equal(10 * x[0], x[1])
    assert np.array_equal(100 * x, y)
    assert x.shape == (2, 50, 5)
    assert set(np.abs(x[0]).ravel()) == {1.0, 2.0, 3.0}
    assert (x < 0).any()
    (unsigned,) = worlds_of([one], 50, np.random.default_rng(8), flip=False)
    assert (unsigned > 0).all()


def test_rates_of_a_rule_that_is_wrong_are_not_hidden() -> None:
    """With levels three times too large the false verdicts are three times too many."""
    loose = Fight(
        values=np.random.default_rng(9).normal(0, 1, (1, 16)), low=np.zeros(1), high=np.full(1, math.inf), needs=1,
        seeds=(16,), alphas=np.array([[0.15]]), group="",
    )  # fmt: skip
    assert rates([loose], np.random.default_rng(10))["false_verdict_rate"] > bounds(0.1, 1000)[1]


# --- Cells with different numbers of seeds ------------------------------------------------------------


def test_cells_with_different_numbers_of_seeds_are_calibrated_together() -> None:
    rng = np.random.default_rng(11)
    of = [experiment(), experiment("long", seeds=24)]
    rows = [
        one | {"experiment": name}
        for name, n in (("race", 16), ("long", 24))
        for one in fight((rng.normal(5, 1, n) + rng.normal(0, 1, n)).tolist(), rng.normal(5, 1, n).tolist())
    ]
    both = across(*(paired_gap("loss", "a", minus="b", experiment=name) for name in ("race", "long")))
    found = calibrated(rows, claim(both, at_least(-1), headline=True), of=of)["c1"]
    assert (found["cells"], found["seeds"], found["worlds"]) == (2, 24, 1000)
    assert found["false_verdict_rate"] <= bounds(0.05, 1000)[1]
    assert found["power"]["1.5"] > 0.9


def test_a_clause_in_two_parts_is_decided_as_in_one() -> None:
    rng = np.random.default_rng(12)
    shared = {"needs": 2, "seeds": (6, 16), "group": ""}
    values, alphas = rng.normal(0, 1, (3, 16)), np.array([[0.2, 0.3, 0.1], [0.3, 0.2, 0.2]])
    low, high = np.array([-0.6, 0.0, -math.inf]), np.array([0.6, math.inf, 0.4])
    x = rng.normal(rng.normal(0, 0.6, (3, 300, 1)), 1, (3, 300, 16))
    whole = Fight(values=values, low=low, high=high, alphas=alphas, **shared)
    parts = [Fight(values=values[i], low=low[i], high=high[i], alphas=alphas[:, i], **shared) for i in ([0, 2], [1])]
    assert np.array_equal(decide_worlds(parts, [x[[0, 2]], x[[1]]]), decide_worlds(whole, x))
    assert np.ptp(decide_worlds(whole, x)) == 2


def test_the_bound_of_the_doctor_holds_normal_noise_and_no_judge_that_is_too_sure() -> None:
    """Fresh claims of normal noise lie below it; at twice the level most of them lie above."""
    most = most_on_normal_noise(8, 0.025, 1000)
    assert 0.045 < most < 0.07  # a plain binomial bound of 0.045 would accuse one honest claim in a hundred
    rng = np.random.default_rng(77)

    def rate(alpha: float) -> float:
        values = rng.normal(size=(1, 8))
        fight = Fight(
            values=values - values.mean(),
            low=np.zeros(1),
            high=np.full(1, np.inf),
            needs=1,
            seeds=(8,),
            alphas=np.asarray([[alpha]]),
            group="",
        )
        return float(rates([fight], rng)["false_verdict_rate"])

    assert max(rate(0.025) for _ in range(40)) <= most
    assert sum(rate(0.06) > most for _ in range(20)) > 10
