"""The judge on worlds made by hand: every outcome, every way in which there can be none, looks, Holm and edges."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from suite.canonical import canonical
from suite.claims import Tier, at_least, at_most, exactly, within
from suite.judge import headline_outcome, judge, look_alphas, published_rows, unsettled
from suite.quantities import across, mean, optimum, paired_gap, paired_shares, proportion, ratio, slope, value
from tests.judge_worlds import (
    COMMON,
    GAP,
    NOISE,
    RNG,
    Json,
    card,
    choice,
    claim,
    experiment,
    fight,
    row_of,
    trials,
    world,
)

RACE = paired_gap("loss", "a", minus="b", experiment="race")


# --- The four outcomes --------------------------------------------------------------------------------

T16 = stats.t.ppf(0.975, 15) / 4  # half the width of the interval of sixteen seeds, in standard deviations


@pytest.mark.parametrize(
    ("gap", "claimed", "outcome"),
    [
        (T16 + 0.01, at_least(0), "reproduced"),
        (T16 - 0.01, at_least(0), "inconclusive"),
        (-T16 + 0.01, at_least(0), "inconclusive"),
        (-T16 - 0.01, at_least(0), "refuted"),
        (0.0, within(-T16 - 0.01, T16 + 0.01), "reproduced"),
        (0.0, within(-T16 + 0.01, T16 + 0.01), "inconclusive"),
        (2.0, within(-1, 1), "refuted"),
        (2.0, at_most(1), "refuted"),
        (0.0, at_most(1), "reproduced"),
        (0.0, exactly(0), "inconclusive"),  # a mean is never exactly anything
        (2.0, exactly(0), "refuted"),
    ],
)
def test_inside_is_reproduced_apart_is_refuted_else_inconclusive(gap: float, claimed: Any, outcome: str) -> None:
    row = row_of(world(gap), claim(GAP, claimed, headline=True))
    assert row["outcome"] == outcome
    assert row["measured"] == [pytest.approx([gap - T16, gap + T16])]
    assert (row["n"], row["alpha"]) == (16, 0.05)
    assert row["estimate"] == pytest.approx(gap)


def test_a_row_tells_the_whole_story() -> None:
    row = row_of(world(0.2))
    assert list(row) == [
        "id", "says", "kind", "headline", "outcome", "claimed", "needs", "measured", "cells", "estimate", "n", "alpha",
        "p_raw", "p_holm", "sign_flip", "reason", "look", "also", "quantity", "experiments", "more_seeds",
        "edge", "timed",
    ]  # fmt: skip
    assert row["claimed"] == [0.0, None]
    assert row["quantity"] == "loss of a minus that of b, seed by seed"
    assert row["experiments"] == ["race"]
    assert row["look"] == {"number": 1, "of": 1}
    assert row["p_raw"] == pytest.approx(2 * stats.t.sf(0.2 * 4, 15))
    assert row["reason"] == (
        f"[{0.2 - T16:.4g}, {0.2 + T16:.4g}] reaches both sides of an end of [0, inf]; "
        f"about {row['more_seeds']} seeds would settle it"
    )


def test_exact_claims_infer_nothing() -> None:
    of = experiment(arms=("only",), seeds=1)
    row = row_of(trials("only", {"error": [0.0]}), claim(value("error"), exactly(0), headline=True), of=of)
    assert (row["outcome"], row["alpha"], row["p_raw"], row["p_holm"]) == ("reproduced", None, None, None)
    row = row_of(trials("only", {"error": [1e-9]}), claim(value("error"), exactly(0), headline=True), of=of)
    assert row["outcome"] == "refuted"


def test_simulated_probabilities_are_judged_at_one_in_a_million() -> None:
    of = experiment(arms=("only",), seeds=1)
    for hits, outcome in ((500, "reproduced"), (545, "inconclusive"), (400, "inconclusive"), (300, "refuted")):
        rows = trials("only", {"k": [hits * 100], "n": [100_000]})
        margin = within(0.5 - 0.045 - 0.0078, 0.5 + 0.045 + 0.0001) if hits > 450 else within(0.407, 0.9)
        row = row_of(rows, claim(proportion("k", out_of="n"), margin, headline=True), of=of)
        assert (row["outcome"], row["alpha"], row["p_raw"]) == (outcome, pytest.approx(1e-6), None)


def test_untested_claims_keep_their_reason() -> None:
    rows = judge(
        card(
            [
                claim(None, None, id="c1", untested={"*": "no rocket"}),
                claim(RACE, at_least(0), id="c2", untested={"gpu": "elsewhere"}, headline=True),
                claim(RACE, at_least(0), id="c3", untested={"cpu": "too slow here"}),
                claim(value("x", experiment="far"), exactly(0), id="c4"),
            ],
            [experiment(), {**experiment("far", arms=("only",)), "tiers": {"gpu": {}}}],
        ),
        "cpu",
        world(3.0),
        [],
    )
    assert [r["outcome"] for r in rows] == [None, "reproduced", None, None]
    assert [r["reason"] for r in rows if r["outcome"] is None] == [
        "no rocket", "too slow here", "far does not run at tier cpu",
    ]  # fmt: skip
    assert rows[1]["p_holm"] == rows[1]["p_raw"]  # what is not tested is no member of the family


# --- Several cells, several clauses -------------------------------------------------------------------


def three(gaps: list[float], **more: Any) -> tuple[list[Json], Json]:
    rows = [t for x, gap in enumerate(gaps) for t in world(gap, at={"x": x})]
    return rows, experiment(conditions={"x": list(range(len(gaps)))}, **more)


@pytest.mark.parametrize(
    ("gaps", "needs", "outcome"),
    [
        ([3, 3, 3], None, "reproduced"),
        ([3, 0, 3], None, "inconclusive"),
        ([3, -3, 3], None, "refuted"),
        ([3, 0, 3], 2, "reproduced"),
        ([3, -3, 3], 2, "reproduced"),
        ([3, -3, 0], 2, "inconclusive"),
        ([3, -3, -3], 2, "refuted"),
    ],
)
def test_a_claim_over_a_grid_needs_all_its_cells_or_as_many_as_it_says(gaps: Any, needs: Any, outcome: str) -> None:
    rows, of = three(gaps)
    row = row_of(rows, claim(GAP, at_least(0), needs=needs, headline=True), of=of)
    assert row["outcome"] == outcome
    assert [c["label"] for c in row["cells"]] == ["x 0", "x 1", "x 2"]
    wide = stats.t.ppf(1 - 0.025 / 3, 15) / 4
    assert row["measured"][0] == pytest.approx([gaps[0] - wide, gaps[0] + wide])


def test_the_estimate_shown_is_that_of_the_weakest_cell() -> None:
    rows, of = three([3, 1, 2])
    assert row_of(rows, of=of)["estimate"] == pytest.approx(1)


def test_more_cells_asked_for_than_there_are_is_an_error_and_no_refutation() -> None:
    rows, of = three([3, 3])
    row = row_of(rows, claim(GAP, at_least(0), needs=3, headline=True), of=of)
    assert (row["outcome"], row["reason"]) == ("error", f"{GAP}: 3 cells are to hold, and there are 2")


MEAN = mean("loss", "b")


@pytest.mark.parametrize(
    ("gap", "also", "outcome"),
    [
        (3.0, at_least(0), "reproduced"),
        (3.0, at_least(COMMON[:16].mean()), "inconclusive"),
        (3.0, at_most(0), "refuted"),
        (0.0, at_most(0), "refuted"),  # one clause that fails is enough
        (-3.0, at_least(0), "refuted"),
        (0.0, at_least(0), "inconclusive"),
    ],
)
def test_all_clauses_must_hold_and_one_that_fails_refutes(gap: float, also: Any, outcome: str) -> None:
    row = row_of(world(gap), claim(GAP, at_least(0), also=[(MEAN, also, None)], headline=True))
    assert row["outcome"] == outcome
    assert len(row["also"]) == 1
    assert set(row["also"][0]) == {"quantity", "claimed", "measured", "cells", "needs", "outcome"}


def test_different_quantities_share_the_alpha_and_the_same_one_does_not() -> None:
    split = stats.t.ppf(1 - 0.05 / 4, 15) / 4
    row = row_of(world(1.0), claim(GAP, at_least(0), also=[(MEAN, at_least(0), None)], headline=True))
    assert row["measured"] == [pytest.approx([1 - split, 1 + split])]
    row = row_of(world(1.0), claim(GAP, at_least(-1), also=[(GAP, at_least(0), 1)], headline=True))
    assert row["measured"] == [pytest.approx([1 - T16, 1 + T16])]
    rows = trials("only", {"x": (NOISE + 1).tolist(), "z": [0] * 16, "k": [5] * 16, "n": [9] * 16})
    also = [(value("z"), exactly(0), None), (proportion("k", out_of="n"), within(0, 1), None)]
    row = row_of(rows, claim(mean("x"), at_least(0), also=also, headline=True), arms=("only",))
    assert row["measured"] == [pytest.approx([1 - T16, 1 + T16])]  # neither exact numbers nor counts spend any of it


def test_a_clause_that_cannot_be_judged_is_an_error_whatever_the_others_say() -> None:
    row = row_of(world(-3.0), claim(GAP, at_least(0), also=[(mean("gone", "a"), at_least(0), None)], headline=True))
    assert row["outcome"] == "error"


# --- p values follow the rule -------------------------------------------------------------------------


@given(
    st.lists(st.floats(-1.2, 1.2), min_size=1, max_size=3),
    st.integers(1, 3) | st.none(),
    st.sampled_from([at_least(0), at_most(0.3), within(-0.8, 0.9), within(0, 0.2)]),
    st.sampled_from([(), (6, 10, 16)]),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_p_is_at_most_five_per_cent_just_where_a_claim_is_decided(
    gaps: list[float], needs: int | None, claimed: Any, looks: Any, more: bool
) -> None:
    needs = None if needs is None else min(needs, len(gaps))
    rows, of = three(gaps, looks=looks)
    also = [(MEAN, at_least(0), None)] if more else []
    row = row_of(rows, claim(GAP, claimed, needs=needs, also=also, headline=True), of=of)
    if abs(row["p_raw"] / 0.05 - 1) > 1e-6:
        assert (row["outcome"] in ("reproduced", "refuted")) == (row["p_raw"] < 0.05)


def test_p_of_an_inference_beside_an_exact_clause_is_not_lost() -> None:
    rows = trials("only", {"x": (NOISE + 0.6).tolist(), "z": [0] * 16})
    row = row_of(
        rows, claim(value("z"), exactly(0), also=[(mean("x"), at_least(0), None)], headline=True), arms=("only",)
    )
    assert row["p_raw"] == pytest.approx(stats.ttest_1samp(NOISE + 0.6, 0).pvalue)


def test_sign_flips_are_printed_as_a_check_and_a_disagreement_is_named() -> None:
    row = row_of(world(1.0))
    assert row["sign_flip"] == pytest.approx(row["p_raw"], abs=0.005)
    gaps = np.array(
        [-0.3, 0.1, 3.3, 0.3, 2.6, 2.5, -0.4, 2.6]
    )  # Student says .044, the 256 sign patterns say 24 of them
    row = row_of(fight((COMMON[:8] + gaps).tolist(), COMMON[:8].tolist()), seeds=8)
    assert (row["outcome"], row["sign_flip"]) == ("reproduced", 24 / 256)
    assert row["reason"] == "the sign-flip check does not agree (p = 0.094): the values are skewed"


def test_the_order_of_trials_and_choices_changes_nothing() -> None:
    rows, of = three([1, 0.4, -0.2])
    shuffled = [rows[i] for i in RNG.permutation(len(rows))]
    assert canonical(row_of(rows, of=of)) == canonical(row_of(shuffled, of=of))


# --- More seeds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [0.45, 0.3, 0.1, -0.3])
def test_the_number_of_seeds_that_would_settle_it_by_trying_one_after_the_other(gap: float) -> None:
    row = row_of(world(gap))
    slow = next(n for n in range(17, 10_000) if stats.t.ppf(1 - 0.025 / 2, n - 1) / math.sqrt(n) < abs(gap))
    assert row["more_seeds"] == slow
    assert f"about {slow} seeds would settle it" in row["reason"]


def test_no_number_of_seeds_settles_a_truth_on_the_margin() -> None:
    row = row_of(world(0.0))
    assert row["more_seeds"] is None
    assert "no number of seeds up to 10000" in row["reason"]
    assert row_of(world(3.0))["more_seeds"] is None  # settled


# --- Looks and SEEDS ----------------------------------------------------------------------------------

LOOKS = (6, 10, 16)


def test_alphas_of_looks() -> None:
    assert look_alphas(Tier(seeds=16, looks=LOOKS)) == ((6, 0.005), (10, 0.015), (16, 0.03))
    assert look_alphas(experiment(looks=LOOKS)["tiers"]["cpu"]) == ((6, 0.005), (10, 0.015), (16, 0.03))
    for tier in (
        Tier(seeds=24, looks=(8, 16, 24)),
        Tier(seeds=16, looks=LOOKS, at_most=32),
        Tier(seeds=20, at_most=30),
    ):
        plan = look_alphas(tier)
        extra = look_alphas(tier, 30)[0][1] if tier.at_most else 0.0
        assert math.fsum(alpha for _, alpha in plan) + extra == pytest.approx(0.05)
        assert all(alpha > 0 for _, alpha in plan)


def looking(gaps: np.ndarray, looks: tuple[int, ...] = LOOKS, **more: Any) -> Json:
    n = len(gaps)
    return row_of(fight((COMMON[:n] + gaps).tolist(), COMMON[:n].tolist()), looks=looks, **more)


def test_a_claim_is_decided_at_the_first_look_that_can() -> None:
    sure = np.r_[3 + 0.1 * NOISE[:6], np.full(10, -50.0) + NOISE[:10]]
    for n in (6, 10, 16):
        row = looking(sure[:n])
        assert (row["outcome"], row["look"], row["n"], row["alpha"]) == ("reproduced", {"number": 1, "of": 3}, 6, 0.005)
        assert "decided at look 1 of 3" in row["reason"]
    p = stats.ttest_1samp(sure[:6], 0).pvalue
    assert looking(sure)["p_raw"] == pytest.approx(p / 0.1)


def test_a_decision_stands_when_later_seeds_fail_and_the_row_says_so() -> None:
    sure = np.r_[3 + 0.1 * NOISE[:6], np.full(10, np.nan)]
    row = looking(sure)
    assert (row["outcome"], row["look"]["number"]) == ("reproduced", 1)
    assert "a later look could not be judged (a: loss is not finite at seeds 6-9)" in row["reason"]
    assert looking(np.r_[NOISE[:6], np.full(10, np.nan)])["outcome"] == "error"  # undecided until then


def test_an_early_look_asks_for_more_than_five_per_cent() -> None:
    gaps = NOISE[:6] - NOISE[:6].mean()
    gaps = gaps / gaps.std(ddof=1) + stats.t.ppf(0.98, 5) / math.sqrt(6)  # p = 0.04 if six had been all
    assert row_of(fight((COMMON[:6] + gaps).tolist(), COMMON[:6].tolist()), seeds=6)["outcome"] == "reproduced"
    row = looking(gaps)
    assert (row["outcome"], row["p_raw"]) == ("inconclusive", pytest.approx(0.4))


def test_the_last_look_spends_what_is_left() -> None:
    half = stats.t.ppf(1 - 0.015, 15) / 4
    for gap, outcome in ((half + 0.01, "reproduced"), (half - 0.01, "inconclusive")):
        gaps = np.r_[np.repeat([0.0], 16)] + gap + NOISE
        row = looking(gaps)
        if row["look"]["number"] == 3:
            assert row["outcome"] == outcome
            assert row["measured"] == [pytest.approx([gap - half, gap + half])]
            assert row["alpha"] == 0.03


def test_a_run_that_stopped_between_looks_is_not_judged_at_the_earlier_one_alone() -> None:
    gaps = 0.1 + NOISE
    assert looking(gaps[:10])["outcome"] == "inconclusive"
    row = looking(gaps[:13])
    assert (row["outcome"], "seeds 13-15 of 16 lacking" in row["reason"]) == ("error", True)


def test_other_seeds_than_declared_are_judged_at_half_the_alpha() -> None:
    for n, declared in ((12, 16), (16, 8), (16, 12)):
        rows = fight((COMMON[:n] + 0.5 + NOISE[:n]).tolist(), COMMON[:n].tolist())
        row = row_of(rows, seeds=declared, at_most=24, asked=n)
        x = 0.5 + NOISE[:n]
        low, high = stats.ttest_1samp(x, 0).confidence_interval(0.975)
        assert (row["alpha"], row["n"]) == (0.025, n)
        assert row["measured"] == [pytest.approx([low, high])]


def test_a_tier_that_allows_more_seeds_pays_for_it_beforehand() -> None:
    assert row_of(world(1.0))["alpha"] == 0.05
    assert row_of(world(1.0), at_most=24)["alpha"] == 0.025
    assert row_of(world(1.0), at_most=16)["alpha"] == 0.05


def test_a_single_declared_seed_is_not_multiplied() -> None:
    of = experiment(arms=("only",), seeds=1)
    row = row_of(
        trials("only", {"k": [50_000], "n": [100_000]}),
        claim(proportion("k", out_of="n"), within(0.4, 0.6), headline=True),
        of=of,
        asked=24,
    )
    assert (row["outcome"], row["alpha"]) == ("reproduced", pytest.approx(1e-6))


def test_which_claims_want_another_look() -> None:
    claims = [
        claim(RACE, at_least(0), id="c1", headline=True),
        claim(RACE, at_least(-9), id="c2"),
        claim(value("loss", "a", experiment="race"), at_least(1e9), id="c3"),  # refuted
        claim(
            value("loss", "a", experiment="race"), at_least(float(COMMON[:6].mean())), id="c4"
        ),  # open, and no seed closes a range
        claim(optimum("lr", "a", experiment="race"), at_least(0.05), id="c5"),
        claim(mean("x", experiment="other"), at_least(0), id="c6"),
    ]
    of = [experiment(looks=LOOKS, tuned={"lr": (0.01, 0.1, 1.0)}), experiment("other", arms=("only",), looks=LOOKS)]
    table = choice("a", {0.01: [1.0, 0.1, 1.0, 1.0], 0.1: [0.9, 1.0, 0.9, 0.7], 1.0: [1.0, 1.1, 0.8, 1.0]})
    rows = fight((COMMON[:6] + 0.1 + NOISE[:6]).tolist(), COMMON[:6].tolist())
    rows += trials("only", {"x": NOISE[:6].tolist()}, experiment="other")
    verdicts = judge(card(claims, of), "cpu", rows, [table])
    assert [v["outcome"] for v in verdicts] == [
        "inconclusive", "reproduced", "refuted", "inconclusive", "inconclusive", "inconclusive",
    ]  # fmt: skip
    assert unsettled(card(claims, of), verdicts, "race") == ["c1"]
    assert unsettled(card(claims, of), verdicts, "other") == ["c6"]


def test_what_does_not_grow_is_read_once_at_the_full_alpha() -> None:
    table = choice("a", {0.01: [1.0, 1.1, 1.0, 1.2], 0.1: [0.5, 0.4, 0.5, 0.5], 1.0: [1.0, 1.1, 0.8, 1.0]})
    of = experiment(looks=LOOKS, tuned={"lr": (0.01, 0.1, 1.0)})
    rows = fight(COMMON[:6].tolist(), COMMON[6:12].tolist())
    row = row_of(rows, claim(optimum("lr", "a"), within(0.03, 0.3), headline=True), of=of, choices=[table])
    assert (row["alpha"], row["look"], row["outcome"]) == (0.05, {"number": 1, "of": 1}, "reproduced")


# --- Holm ---------------------------------------------------------------------------------------------


def family(ps: list[float], head: int = 0, timed: tuple[int, ...] = ()) -> tuple[Json, list[Json]]:
    """Claims whose p values are just these, each from an experiment of its own."""
    claims, of, rows = [], [], []
    for i, p in enumerate(ps):
        name = f"e{i}"
        claims.append(
            claim(paired_gap("loss", "a", minus="b", experiment=name), at_least(0), id=f"c{i}", headline=i == head)
        )
        of.append(experiment(name, timed=i in timed))
        rows += world(stats.t.isf(p / 2, 15) / 4, experiment=name)
    return card(claims, of), rows


def test_holm_demotes_what_only_looks_decided_and_spares_the_headline() -> None:
    ps = [0.04, 0.001, 0.012, 0.03, 0.2]
    the_card, rows = family(ps)
    verdicts = judge(the_card, "cpu", rows, [])
    assert [v["p_raw"] for v in verdicts] == pytest.approx(ps)
    assert [v["p_holm"] for v in verdicts] == pytest.approx([0.09, 0.005, 0.048, 0.09, 0.2])
    assert [v["outcome"] for v in verdicts] == [
        "reproduced", "reproduced", "reproduced", "inconclusive", "inconclusive",
    ]  # fmt: skip
    assert verdicts[3]["reason"].startswith("reproduced on its own (p = 0.03), but not among the 3 claims left")
    assert verdicts[3]["more_seeds"] > 16
    assert headline_outcome(verdicts) == "reproduced"


def test_claims_that_could_not_be_judged_still_count_in_the_family() -> None:
    the_card, rows = family([0.2, 0.02, 0.5])
    assert judge(the_card, "cpu", rows, [])[1]["p_holm"] == pytest.approx(0.06)
    broken = [t for t in rows if t["experiment"] != "e2"]
    verdicts = judge(the_card, "cpu", broken, [])
    assert [v["outcome"] for v in verdicts] == ["inconclusive", "inconclusive", "error"]
    assert verdicts[1]["p_holm"] == pytest.approx(0.06)


def test_timed_numbers_change_no_other_row() -> None:
    def steady(p: float) -> list[str]:
        the_card, rows = family([0.2, 0.015, p, 0.4], timed=(2,))
        verdicts = judge(the_card, "cpu", rows, [])
        assert [v["timed"] for v in verdicts] == [False, False, True, False]
        return [canonical(v) for v in verdicts if not v["timed"]]

    assert steady(1e-9) == steady(0.03) == steady(0.9)


def test_exact_claims_and_simulated_ones_are_not_in_the_family() -> None:
    the_card, rows = family([0.2, 0.04])
    more = trials("only", {"z": [0], "k": [500], "n": [1000]}, experiment="x")
    wide = {
        **the_card,
        "claims": [
            *the_card["claims"],
            claim(value("z", experiment="x"), exactly(0), id="c8"),
            claim(proportion("k", out_of="n", experiment="x"), within(0, 1), id="c9"),
        ],
        "experiments": [*the_card["experiments"], experiment("x", arms=("only",), seeds=1)],
    }
    before, after = judge(the_card, "cpu", rows, []), judge(wide, "cpu", rows + more, [])
    assert [v["p_holm"] for v in after] == [*(v["p_holm"] for v in before), None, None]
    assert [v["outcome"] for v in after[2:]] == ["reproduced", "reproduced"]


def test_a_demoted_claim_wants_another_look_and_may_pass_there() -> None:
    claims = [claim(GAP, at_least(99), id="c0", headline=True), claim(GAP, at_least(0), id="c1")]
    of = [experiment(looks=LOOKS)]
    first = NOISE[:6] - NOISE[:6].mean()
    first = first / first.std(ddof=1)
    first = first + stats.t.isf(0.0035 / 2, 5) / math.sqrt(6)  # p = .0035 of .005: .035 after the looks, .07 after Holm
    gaps = np.r_[first, 2.5 + NOISE[:10]]
    claims[0] = claim(mean("loss", "b"), at_least(float(COMMON[:16].mean())), id="c0", headline=True)
    for n, outcome, look in ((6, "inconclusive", 1), (16, "reproduced", 2)):
        rows = fight((COMMON[:n] + gaps[:n]).tolist(), COMMON[:n].tolist())
        verdicts = judge(card(claims, of), "cpu", rows, [])
        assert (verdicts[1]["outcome"], verdicts[1]["look"]["number"]) == (outcome, look)
        assert verdicts[1]["p_holm"] == pytest.approx(2 * verdicts[1]["p_raw"])
        if n == 6:
            assert verdicts[1]["p_raw"] == pytest.approx(0.035)
            assert "c1" in unsettled(card(claims, of), verdicts, "race")


# --- The edge of a grid -------------------------------------------------------------------------------

RATES = {0.01: [2.0, 2.1, 2.0, 2.1], 0.1: [1.5, 1.6, 1.5, 1.6], 1.0: [1.0, 1.1, 1.0, 1.1]}
TUNED = {"lr": tuple(RATES)}


def edged(gap: float, at_edge: str, claimed: Any = None, metric: str = "loss", **more: Any) -> Json:
    """The arms' losses follow their validation losses; the winner of one arm sits on the edge of its grid."""
    rows = world(gap)
    for t in rows:
        t["metrics"] = {metric: t["metrics"]["loss"], "val": more.get("sign", 1) * t["metrics"]["loss"]}
    choices = [choice(arm, RATES, edge=arm == at_edge) for arm in ("a", "b")]
    quantity = paired_gap(metric, "a", minus="b")
    return row_of(
        rows,
        claim(quantity, claimed or at_least(0), headline=True),
        tuned=TUNED,
        choices=choices,
        best=more.get("best", "min"),
    )


WORDS = "lr 1 is an end of its grid"


def test_a_loser_at_the_edge_could_overturn_and_is_an_error() -> None:
    row = edged(3.0, "a")  # a's loss is larger: a loses, and a wider grid might help it
    assert row["outcome"] == "error"
    assert row["reason"] == f"a: {WORDS}; a better arm could overturn 'reproduced', so the grid must be wider"
    assert row["edge"] == [f"a: {WORDS}"]
    assert row["measured"]


def test_a_winner_at_the_edge_is_only_flagged() -> None:
    row = edged(3.0, "b")
    assert (row["outcome"], row["edge"]) == ("reproduced", [f"b: {WORDS}"])


@pytest.mark.parametrize(
    ("gap", "claimed", "at_edge", "outcome"),
    [
        (-3.0, at_least(0), "a", "refuted"),  # a better a falls further below
        (-3.0, at_least(0), "b", "error"),
        (3.0, at_most(0), "a", "error"),
        (3.0, at_most(0), "b", "refuted"),
        (0.0, within(-2, 2), "a", "error"),  # either side could be left
        (0.0, within(-2, 2), "b", "error"),
        (0.0, at_least(0), "a", "inconclusive"),  # nothing to overturn
    ],
)
def test_edges_that_matter_and_edges_that_do_not(gap: float, claimed: Any, at_edge: str, outcome: str) -> None:
    row = edged(gap, at_edge, claimed)
    assert row["outcome"] == outcome
    assert row["edge"] == [f"{at_edge}: {WORDS}"]


def test_a_metric_that_rises_as_the_arm_gets_better_turns_the_rule_round() -> None:
    assert edged(3.0, "a", metric="accuracy", sign=-1)["outcome"] == "reproduced"
    assert edged(3.0, "b", metric="accuracy", sign=-1)["outcome"] == "error"
    assert edged(3.0, "a", metric="accuracy", best="max")["outcome"] == "reproduced"


def test_the_arm_s_own_trials_say_where_a_metric_moves_before_those_of_all_arms() -> None:
    """Over both arms the metric seems to rise with the loss; within the arm, over its tuning, it falls."""
    rows = world(3.0)
    for t in rows:
        t["metrics"]["val"] = t["metrics"]["loss"]
    rows += trials("a", {"loss": list(range(200)), "val": list(range(200))}, purpose="tune")
    tuning = trials("b", {"loss": [-x for x in range(60)], "val": list(range(60))}, purpose="tune")
    choices = [choice(arm, RATES, edge=arm == "b") for arm in ("a", "b")]
    assert row_of(rows, tuned=TUNED, choices=choices)["outcome"] == "reproduced"
    assert row_of(rows + tuning, tuned=TUNED, choices=choices)["outcome"] == "error"


def test_a_metric_that_moves_neither_way_for_sure_is_taken_for_the_worst() -> None:
    rows = world(3.0)
    for i, t in enumerate(rows):
        t["metrics"]["val"] = float((i * 7) % 11)
    choices = [choice(arm, RATES, edge=arm == "b") for arm in ("a", "b")]
    assert row_of(rows, tuned=TUNED, choices=choices)["outcome"] == "error"


def test_a_number_that_does_not_depend_on_the_setting_has_no_edge() -> None:
    rows = trials("a", {"state": [2] * 16, "val": COMMON[:16].tolist()})
    rows += trials("b", {"state": [1] * 16, "val": COMMON[:16].tolist()})
    the_claim = claim(value("state", "a"), exactly(2), headline=True)
    row = row_of(rows, the_claim, tuned=TUNED, choices=[choice("a", RATES, edge=True), choice("b", RATES)])
    assert (row["outcome"], row["edge"]) == ("reproduced", [f"a: {WORDS}"])


def test_enough_cells_without_an_edge_carry_the_claim() -> None:
    rows, of = three([3, 3, 3], tuned=TUNED)
    for t in rows:
        t["metrics"]["val"] = t["metrics"]["loss"]
    choices = [choice(arm, RATES, at={"x": x}, edge=(arm, x) == ("a", 1)) for arm in ("a", "b") for x in range(3)]
    for needs, outcome in ((2, "reproduced"), (3, "error")):
        row = row_of(rows, claim(GAP, at_least(0), needs=needs, headline=True), of=of, choices=choices)
        assert (row["outcome"], row["edge"]) == (outcome, [f"a at x 1: {WORDS}"])


def test_an_arm_that_takes_over_a_winner_takes_over_its_edge() -> None:
    like = {"a": {"experiment": "source", "arm": "s", "at": {}}}
    of = [experiment(like=like), experiment("source", arms=("s",), tuned=TUNED)]
    rows = world(3.0) + trials("s", {"val": COMMON.tolist()[:16], "loss": COMMON.tolist()[:16]}, experiment="source")
    choices = [choice("s", RATES, experiment="source", edge=True)]
    (row,) = judge(
        card([claim(paired_gap("loss", "a", minus="b", experiment="race"), at_least(0), headline=True)], of),
        "cpu",
        rows,
        choices,
    )
    assert (row["outcome"], row["edge"]) == ("error", [f"s: {WORDS}"])


def test_the_middle_of_a_slope_has_no_weight_and_its_ends_have_opposite_ones() -> None:
    def sloped(edge_at: int, claimed: Any) -> str:
        rows = [
            t for x in (1, 2, 3) for t in trials("a", {"loss": (5 - x + 0.1 * np.roll(NOISE, x)).tolist()}, at={"x": x})
        ]
        for t in rows:
            t["metrics"]["val"] = t["metrics"]["loss"]
        of = experiment(arms=("a",), conditions={"x": (1, 2, 3)}, tuned=TUNED)
        choices = [choice("a", RATES, at={"x": x}, edge=x == edge_at) for x in (1, 2, 3)]
        return str(
            row_of(rows, claim(slope("loss", "a", over="x"), claimed, headline=True), of=of, choices=choices)["outcome"]
        )

    assert [sloped(x, at_most(0)) for x in (1, 2, 3)] == ["error", "reproduced", "reproduced"]
    assert [sloped(x, within(-2, 0)) for x in (1, 2, 3)] == ["error", "reproduced", "error"]


# --- Published numbers --------------------------------------------------------------------------------


def test_published_numbers_stand_beside_ours() -> None:
    def number(published: Any, quantity: Any) -> Json:
        return {
            "what": "w",
            "value": published,
            "where": "table 1",
            "unit": "nats",
            "note": "n",
            "ours": quantity and quantity.to_json(),
        }

    numbers = [
        number(0.9, GAP),
        number(5.0, GAP),
        number("about 1", GAP),
        number(1.0, None),
        number(1.0, mean("gone", "a")),
    ]
    the_card = card([], [experiment(looks=LOOKS)], numbers)
    rows = published_rows(the_card, "cpu", world(1.0), [])
    assert [r["inside"] for r in rows] == [[True], [False], None, None, None]
    assert rows[0]["ours"] == [pytest.approx([1 - T16, 1 + T16])]
    assert [r["n"] for r in rows] == [16, 16, 16, None, None]
    assert "no metric 'gone'" in rows[4]["reason"]
    early = published_rows(the_card, "cpu", [t for t in world(1.0) if t["seed"]["number"] < 6], [])
    assert early[0]["n"] == 6  # a run that ended at its first look
    assert json.dumps(rows, allow_nan=False)


# --- Other quantities through the judge ---------------------------------------------------------------


def test_shares_and_ratios_and_several_experiments() -> None:
    of = [experiment(), experiment("other")]
    both = across(
        paired_gap("loss", "a", minus="b", experiment="race"), paired_gap("loss", "a", minus="b", experiment="other")
    )
    rows = world(3.0) + world(2.0, experiment="other")
    claims = [
        claim(both, at_least(0), id="c1", headline=True),
        claim(ratio("loss", "a", over="b", experiment="race"), at_least(1), id="c2"),
        claim(paired_shares("won", "a", minus="b", experiment="other"), at_least(0), id="c3"),
    ]
    for t in rows:
        t["metrics"]["won"] = int(t["arm"] == "a")
    verdicts = judge(card(claims, of), "cpu", rows, [])
    assert [v["outcome"] for v in verdicts] == ["reproduced"] * 3
    assert verdicts[0]["experiments"] == ["race", "other"]
    assert verdicts[2]["measured"][0] == pytest.approx([0.025 ** (1 / 16) / 1 - 0, 1.0], abs=0.3)
    assert verdicts[2]["sign_flip"] is None


def test_experiments_with_different_looks_take_those_of_the_longer_plan() -> None:
    of = [experiment(looks=LOOKS), experiment("other", seeds=8)]
    both = across(
        paired_gap("loss", "a", minus="b", experiment="race"), paired_gap("loss", "a", minus="b", experiment="other")
    )
    rows = [t for t in world(9.0) if t["seed"]["number"] < 6]
    rows += [t for t in world(9.0, experiment="other") if t["seed"]["number"] < 8]
    (row,) = judge(card([claim(both, at_least(0), headline=True)], of), "cpu", rows, [])
    assert (row["outcome"], row["alpha"], [c["n"] for c in row["cells"]]) == ("reproduced", 0.005, [6, 8])
