"""Every quantity against an obvious slow twin, on worlds whose truth is known."""

import itertools
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from suite.claims import ContractError
from suite.quantities import (
    Quantity,
    Unmeasurable,
    across,
    from_json,
    holm,
    mean,
    optimum,
    paired_gap,
    paired_shares,
    prediction,
    proportion,
    proportion_gap,
    ratio,
    slope,
    value,
)
from suite.quantities.intervals import Student, mean_and_sd, sign_flip_p, t_quantile
from suite.quantities.shares import Binomial, PairedShares, clopper_pearson
from suite.quantities.tuned import vertex
from suite.results import listed
from tests.judge_worlds import choice, experiment, fight, results, trials

RNG = np.random.default_rng(20230216)
A, B = RNG.normal(1.0, 0.3, 12).tolist(), RNG.normal(0.8, 0.2, 12).tolist()


START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Every test draws the same numbers, whichever others run before it."""
    RNG.bit_generator.state = START


def only(quantity: Quantity, rows: list[Any], alpha: float = 0.05, **more: Any) -> Any:
    (cell,) = quantity(results(rows, **more), alpha).cells
    return cell


def ends(cell: Any) -> tuple[float, float]:
    return cell.interval.low, cell.interval.high


# --- Against textbooks --------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.005, 1e-6])
def test_paired_gap_is_the_paired_t_interval(alpha: float) -> None:
    cell = only(paired_gap("loss", "a", minus="b"), fight(A, B), alpha)
    theirs = stats.ttest_rel(A, B)
    assert ends(cell) == pytest.approx(tuple(theirs.confidence_interval(1 - alpha)), rel=1e-9)
    assert cell.p_at(0.0) == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (cell.n, cell.estimate) == (12, pytest.approx(np.mean(A) - np.mean(B)))
    assert cell.sd == pytest.approx(np.std(np.subtract(A, B), ddof=1))


def test_relative_gap_ratio_and_mean() -> None:
    relative = only(paired_gap("loss", "a", minus="b", relative=True), fight(A, B))
    theirs = stats.ttest_1samp(np.divide(A, B) - 1, 0).confidence_interval(0.95)
    assert ends(relative) == pytest.approx(tuple(theirs), rel=1e-9)
    geometric = only(ratio("loss", "a", over="b"), fight(A, B))
    logs = stats.ttest_1samp(np.log(A) - np.log(B), 0)
    assert ends(geometric) == pytest.approx(tuple(np.exp(logs.confidence_interval(0.95))), rel=1e-9)
    assert geometric.p_at(1.0) == pytest.approx(logs.pvalue, rel=1e-9)
    assert geometric.estimate == pytest.approx(stats.gmean(A) / stats.gmean(B))
    plain = only(mean("loss", "a"), trials("a", {"loss": A}))
    assert ends(plain) == pytest.approx(tuple(stats.ttest_1samp(A, 0).confidence_interval(0.95)), rel=1e-9)


def test_a_ratio_turned_round_is_the_reciprocal() -> None:
    there, back = (only(ratio("loss", x, over=y), fight(A, B)) for x, y in (("a", "b"), ("b", "a")))
    assert ends(there) == pytest.approx((1 / back.interval.high, 1 / back.interval.low))
    assert there.p_at(1.2) == pytest.approx(back.p_at(1 / 1.2))
    assert there.p_at(0.0) == there.p_at(-1.0) == 0.0  # no ratio of positive numbers is 0


def test_value_is_the_range_and_infers_nothing() -> None:
    cell = only(value("x"), trials("only", {"x": [3, 1, 2]}))
    assert (*ends(cell), cell.n, cell.p_at(0), cell.sign_flip(0)) == (1, 3, 3, None, None)
    assert ends(only(value("x"), trials("only", {"x": [0.1] * 3}))) == (0.1, 0.1)
    assert only(value("x"), trials("only", {"x": [0.1] * 3})).estimate == 0.1  # to the last bit
    assert ends(only(value("x"), trials("only", {"x": [True]}))) == (1.0, 1.0)


def test_prediction_is_the_textbook_formula() -> None:
    cell = only(prediction("loss", "a"), trials("a", {"loss": A}))
    half = stats.t.ppf(0.975, 11) * np.std(A, ddof=1) * math.sqrt(1 + 1 / 12)
    assert ends(cell) == pytest.approx((np.mean(A) - half, np.mean(A) + half), rel=1e-9)
    assert cell.p_at(cell.interval.high) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("log_x", "log_y"), [(None, False), (2, False), (10, False), (None, True), (2, True), (10, True)]
)
@pytest.mark.parametrize("minus", [None, "b"])
def test_slope_is_polyfit_seed_by_seed(log_x: int | None, log_y: bool, minus: str | None) -> None:
    batches = (8, 64, 512, 1000)
    tables = {arm: RNG.uniform(0.5, 2.0, (4, 7)) for arm in ("a", "b")}
    rows = [t for arm, table in tables.items() for x, column in zip(batches, table, strict=True)
            for t in trials(arm, {"loss": column.tolist()}, at={"batch": x})]  # fmt: skip
    known = [experiment(seeds=7, conditions={"batch": batches})]
    cell = only(slope("loss", "a", minus=minus, over="batch", log_x=log_x, log_y=log_y), rows, of=known)
    x = np.log(batches) / math.log(log_x) if log_x else np.asarray(batches)

    def scaled(table: np.ndarray) -> np.ndarray:
        return np.log(table) / (math.log(log_x) if log_x else 1) if log_y else table

    y = scaled(tables["a"]) - (scaled(tables["b"]) if minus else 0)
    slopes = [np.polyfit(x, y[:, seed], 1)[0] for seed in range(7)]
    assert ends(cell) == pytest.approx(tuple(stats.ttest_1samp(slopes, 0).confidence_interval(0.95)), rel=1e-7)


def test_slope_finds_the_exponent_of_a_power_law() -> None:
    noise = RNG.normal(1, 0.01, (3, 8))
    rows = [t for x, wobble in zip((10, 100, 1000), noise, strict=True)
            for t in trials("only", {"y": (wobble * 3 * x**0.5).tolist()}, at={"n": x})]  # fmt: skip
    cell = only(
        slope("y", over="n", log_x=10, log_y=True),
        rows,
        of=[experiment(arms=("only",), seeds=8, conditions={"n": (10, 100, 1000)})],
    )
    assert cell.interval.low < 0.5 < cell.interval.high
    assert cell.interval.high - cell.interval.low < 0.02


def test_slope_keeps_the_other_conditions_apart() -> None:
    places = [(n, d) for n in (1, 2, 3) for d in ("x", "y")]
    rows = [
        t
        for n, d in places
        for t in trials(
            "only", {"y": (n * (1 if d == "x" else -2) + RNG.normal(0, 0.01, 5)).tolist()}, at={"n": n, "d": d}
        )
    ]
    of = [experiment(arms=("only",), seeds=5, conditions={"n": (1, 2, 3), "d": ("x", "y")})]
    cells = slope("y", over="n")(results(rows, of=of)).cells
    assert [c.label for c in cells] == ["d x", "d y"]
    assert [round(c.estimate) for c in cells] == [1, -2]
    (cell,) = slope("y", over="n", at={"d": "y", "n": (1, 3)})(results(rows, of=of)).cells
    assert round(cell.estimate) == -2
    with pytest.raises(Unmeasurable, match="at least two values of n"):
        slope("y", over="n", at={"n": 1})(results(rows, of=of))


# --- Probabilities, exactly ---------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (1, 10), (7, 23), (500_000, 1_000_000), (3, 2_000_000)])
@pytest.mark.parametrize("alpha", [0.05, 1e-6 / 24])
def test_clopper_pearson_leaves_exactly_half_of_alpha_in_either_tail(k: int, n: int, alpha: float) -> None:
    low, high = clopper_pearson(k, n, alpha)
    assert low == 0 if k == 0 else stats.binom.sf(k - 1, n, low) == pytest.approx(alpha / 2, rel=1e-6)
    assert high == 1 if k == n else stats.binom.cdf(k, n, high) == pytest.approx(alpha / 2, rel=1e-6)


@pytest.mark.parametrize("n", [5, 16, 30])
def test_a_binomial_interval_covers_every_truth(n: int) -> None:
    """Coverage summed over all outcomes, no simulation: never below 95 %."""
    intervals = [clopper_pearson(k, n, 0.05) for k in range(n + 1)]
    for truth in np.linspace(0, 1, 201):
        held = [low <= truth <= high for low, high in intervals]
        assert (stats.binom.pmf(range(n + 1), n, truth) * held).sum() >= 0.95 - 1e-12


def test_proportions_pool_the_seeds_and_share_one_in_a_million() -> None:
    counts = [[3, 50], [5, 47], [4, 52]]
    rows = trials("only", {"hits": counts, "of": [[100, 100]] * 3, "formula": [[0.04, 0.5]] * 3})
    cells = proportion_gap("hits", out_of="of", minus="formula")(results(rows)).cells
    for cell, k, formula in zip(cells, (12, 149), (0.04, 0.5), strict=True):
        theirs = stats.binomtest(k, 300).proportion_ci(1 - 1e-6 / 2, "exact")
        assert ends(cell) == pytest.approx((theirs.low - formula, theirs.high - formula), abs=1e-9)
        assert cell.p_at(0) is None
    assert [c.n for c in cells] == [300, 300]
    plain = proportion("hits", out_of="of")(results(rows)).cells
    assert [c.estimate for c in plain] == pytest.approx([0.04, 149 / 300])


def test_one_number_of_trials_serves_all_entries() -> None:
    rows = trials("only", {"hits": [[3, 50]], "of": [100]})
    assert [c.n for c in proportion("hits", out_of="of")(results(rows)).cells] == [100, 100]


@pytest.mark.parametrize(
    ("hits", "of", "formula", "words"),
    [
        ([5], [4], [0.5], "counts must be whole"),
        ([-1], [4], [0.5], "counts must be whole"),
        ([1.5], [4], [0.5], "counts must be whole"),
        ([0], [0], [0.5], "counts must be whole"),
        ([1, 1], [4, 4], [0.5, 0.6], "a formula has one value"),
    ],
)
def test_counts_that_are_none(hits: Any, of: Any, formula: Any, words: str) -> None:
    with pytest.raises(Unmeasurable, match=words):
        proportion_gap("hits", out_of="of", minus="formula")(
            results(trials("only", {"hits": hits, "of": of, "formula": formula}))
        )


def test_seeds_that_are_copies_or_trials_that_hang_together_are_not_pooled() -> None:
    def pooled(counts: list[int]) -> Any:
        rows = trials("only", {"hits": counts, "of": [10_000] * len(counts)})
        return only(proportion("hits", out_of="of"), rows)

    with pytest.raises(Unmeasurable, match="all 8 seeds count the same 5000"):
        pooled([5000] * 8)
    with pytest.raises(Unmeasurable, match="scatter between seeds"):
        pooled([5000, 5000, 5000, 6000])
    assert pooled([5000, 5000]).n == 20_000  # by chance, once in a hundred times
    assert pooled([0] * 8).n == 80_000  # nothing to vary
    for p in (0.5, 0.011):  # independent trials pass, always
        for counts in RNG.binomial(10_000, p, (500, 8)):
            assert pooled(counts.tolist()).n == 80_000


def test_share_of_seeds_is_the_binomial_test() -> None:
    cell = only(paired_shares("won"), trials("only", {"won": [1] * 9 + [0] * 3}))
    theirs = stats.binomtest(9, 12).proportion_ci(0.95, "exact")
    assert ends(cell) == pytest.approx((theirs.low, theirs.high))
    for bound in (0.0, 0.2, 0.5, 0.9, 1.0):
        tails = stats.binom.cdf(9, 12, bound), stats.binom.sf(8, 12, bound)
        assert cell.p_at(bound) == pytest.approx(min(1, 2 * min(tails)), abs=1e-12)


@pytest.mark.parametrize("n", [6, 9])
def test_the_difference_of_shares_covers_every_truth(n: int) -> None:
    """All outcomes of n paired seeds, weighed by the multinomial law, at a grid of truths: never below 95 %."""
    outcomes = [(i, j) for i in range(n + 1) for j in range(n + 1 - i)]
    intervals = {o: PairedShares(label="", only_first=o[0], only_second=o[1], seeds=n).interval(0.05) for o in outcomes}
    for first, second in itertools.product(range(11), repeat=2):
        if first + second <= 10:
            law = stats.multinomial(n, [first / 10, second / 10, (10 - first - second) / 10])
            covered = sum(
                law.pmf([i, j, n - i - j])
                for i, j in outcomes
                if intervals[i, j].low - 1e-12 <= (first - second) / 10 <= intervals[i, j].high + 1e-12
            )
            assert covered >= 0.95 - 1e-9, (first, second)


def test_the_difference_of_shares_is_that_of_two_exact_intervals_at_half_the_alpha() -> None:
    for first, second, n in ((16, 0, 16), (5, 1, 8), (2, 7, 12)):
        a, b = (stats.binomtest(k, n).proportion_ci(0.975, "exact") for k in (first, second))
        item = PairedShares(label="", only_first=first, only_second=second, seeds=n)
        interval = item.interval(0.05)
        assert (interval.low, interval.high) == pytest.approx((a.low - b.high, a.high - b.low))


def test_shares_are_paired_seed_by_seed() -> None:
    rows = fight([1, 1, 1, 0, 0, 1, 1, 1], [0, 0, 1, 0, 1, 0, 0, 0])
    cell = only(paired_shares("loss", "a", minus="b"), rows)
    assert (cell.evidence.only_first, cell.evidence.only_second, cell.estimate) == (5, 1, 0.5)
    with pytest.raises(Unmeasurable, match="0 or 1"):
        only(paired_shares("loss", "a", minus="b"), fight([1, 0.5], [0, 0]))


# --- The best setting ---------------------------------------------------------------------------------

GRID = [10 ** (-3 + i / 2) for i in range(7)]


def bowl(best: float, noise: float = 0.0, seeds: int = 8, height: float = 1.0) -> dict[float, list[float]]:
    return {x: [height * (math.log10(x) - best) ** 2 + noise * RNG.normal() for _ in range(seeds)] for x in GRID}


def test_optimum_of_a_parabola_is_its_vertex() -> None:
    rows = [choice("a", {x: [c + s / 7 for s, c in enumerate(column)] for x, column in bowl(-1.6).items()})]
    (item,) = optimum("lr", "a").evidence(
        results([], of=[experiment(arms=("a",), tuned={"lr": GRID})], choices=spread(rows))
    )
    assert item.estimate == pytest.approx(10**-1.6)


def spread(rows: list[Any]) -> list[Any]:
    """A hair of noise at one point, or else eight seeds with one optimum would have no variance."""
    for row in rows:
        for i, entry in enumerate(row["tuning"]):
            entry["value"] += 1e-9 * math.sin(i)
    return rows


def test_optimum_covers_the_truth() -> None:
    held = 0
    for _ in range(400):
        tables = [choice("a", bowl(-1.6, 0.02)), choice("b", bowl(-2.1, 0.02))]
        found = results([], of=[experiment(tuned={"lr": GRID})], choices=tables)
        (cell,) = optimum("lr", "a", over="b")(found).cells
        held += cell.interval.low <= 10**0.5 <= cell.interval.high
    assert held >= stats.binom.ppf(0.001, 400, 0.95)


def test_optimum_is_the_arm_over_the_other() -> None:
    tables = spread([choice("a", bowl(-1.0)), choice("b", bowl(-2.0))])
    (cell,) = optimum("lr", "a", over="b")(results([], of=[experiment(tuned={"lr": GRID})], choices=tables)).cells
    assert cell.estimate == pytest.approx(10)


def test_an_optimum_at_the_edge_is_open_on_that_side() -> None:
    curve = bowl(-1.6, 0.02)
    for x in GRID:
        curve[x][3] = -x  # one seed does best at the largest rate
        curve[x][4] = x  # and one at the smallest
    both = optimum("lr", "a")(
        results([], of=[experiment(arms=("a",), tuned={"lr": GRID})], choices=[choice("a", curve)])
    )
    assert ends(both.cells[0]) == (0.0, math.inf)
    assert "1 of 8 tuning seeds do best at the edge, lr 0.001" in both.cells[0].evidence.note
    for x in GRID:
        curve[x][4] = curve[x][5]
    (cell,) = optimum("lr", "a")(
        results([], of=[experiment(arms=("a",), tuned={"lr": GRID})], choices=[choice("a", curve)])
    ).cells
    assert cell.interval.low > 0
    assert cell.interval.high == math.inf
    assert cell.p_at(10.0) == 1.0  # nothing is known above
    tables = [choice("b", bowl(-1.6, 0.02)), choice("a", curve)]
    (turned,) = optimum("lr", "b", over="a")(results([], of=[experiment(tuned={"lr": GRID})], choices=tables)).cells
    assert (turned.interval.low, turned.interval.high < math.inf) == (0.0, True)


def test_an_optimum_that_is_at_the_edge_on_every_seed_says_nothing() -> None:
    curve = {x: [-x] * 4 for x in GRID}
    (cell,) = optimum("lr", "a")(
        results([], of=[experiment(arms=("a",), tuned={"lr": GRID})], choices=[choice("a", curve)])
    ).cells
    assert ends(cell) == (0.0, math.inf)


def test_a_neighbour_that_diverged_is_infinitely_worse() -> None:
    x, y = [0.0, 1.0, 2.0], [3.0, 1.0, 2.0]
    limit = vertex(x, [3.0, 1.0, 1e12])
    assert vertex(x, [3.0, 1.0, math.inf]) == pytest.approx(limit)
    assert vertex(x, [math.inf, 1.0, math.inf]) == 1.0
    assert vertex(x, [1.0, 1.0, 1.0]) == 1.0
    curve = bowl(-1.6, 0.02)
    curve[GRID[-1]] = [math.nan] * 8
    curve[GRID[-2]] = [math.inf] * 8
    (cell,) = optimum("lr", "a")(
        results([], of=[experiment(arms=("a",), tuned={"lr": GRID})], choices=[choice("a", curve)])
    ).cells
    assert cell.interval.low < 10**-1.6 < cell.interval.high
    assert y  # the middle point is the lowest


@given(st.lists(st.floats(0.01, 3), min_size=2, max_size=2), st.floats(0.1, 5), st.floats(0.1, 5))
@settings(deadline=None)
def test_vertex_is_that_of_polyfit(steps: list[float], left: float, right: float) -> None:
    x = [0.0, steps[0], sum(steps)]
    y = [left, 0.0, right]
    a, b, _ = np.polyfit(x, y, 2)
    assert vertex(x, y) == pytest.approx(-b / (2 * a), rel=1e-6, abs=1e-6)
    assert x[0] <= vertex(x, y) <= x[2]


def test_optimum_looks_at_the_best_of_the_other_settings_and_knows_max() -> None:
    best = choice("a", bowl(-1.6, 0.01))
    both = {**best, "tuning": [
        {**row, "setting": {"wd": wd, **row["setting"]}, "value": -row["value"] - worse}
        for i, row in enumerate(best["tuning"])
        for wd, worse in ((0.0, 3.0 * (i // 8 % 2)), (0.1, 3.0 * (1 - i // 8 % 2)))
    ]}  # fmt: skip
    (plain,) = optimum("lr", "a")(results([], of=[experiment(arms=("a",), tuned={"lr": GRID})], choices=[best])).cells
    of = [experiment(arms=("a",), tuned={"lr": GRID, "wd": (0.0, 0.1)}, best="max")]
    (cell,) = optimum("lr", "a")(results([], of=of, choices=[both])).cells
    assert ends(cell) == pytest.approx(ends(plain))


@pytest.mark.parametrize(
    ("curve", "setting", "words"),
    [
        ({0.1: [1.0] * 4, 1.0: [2.0] * 4}, "lr", "at least 3 values"),
        ({0.1: [1.0] * 4, 1.0: [2.0] * 4}, "wd", "does not tune wd"),
        ({x: [math.nan] * 4 for x in (0.1, 1.0, 10.0)}, "lr", "diverged at every lr"),
        ({0.0: [1.0] * 4, 1.0: [2.0] * 4, 2.0: [1.0] * 4}, "lr", "no logarithm"),
    ],
)
def test_tuning_tables_without_an_optimum(curve: Any, setting: str, words: str) -> None:
    found = results([], of=[experiment(arms=("a",), tuned={"lr": (1.0,)})], choices=[choice("a", curve)])
    with pytest.raises(Unmeasurable, match=words):
        optimum(setting, "a")(found)


# --- Coverage -----------------------------------------------------------------------------------------


def test_the_paired_interval_covers_the_truth_19_times_in_20() -> None:
    held = 0
    for _ in range(1500):
        b = RNG.normal(5, 3, 8)
        cell = only(paired_gap("loss", "a", minus="b"), fight((b + RNG.normal(0.7, 1, 8)).tolist(), b.tolist()))
        held += cell.interval.low <= 0.7 <= cell.interval.high
    assert stats.binom.ppf(0.0005, 1500, 0.95) <= held <= stats.binom.ppf(0.9995, 1500, 0.95)


def test_cells_are_simultaneous() -> None:
    """Six cells hold their truths together in 95 % of worlds; each at 95 % of its own would do so in only 74 %."""
    held = 0
    for _ in range(600):
        rows = trials("only", {"x": RNG.normal(0, 1, (8, 6)).tolist()})
        held += all(c.interval.low <= 0 <= c.interval.high for c in mean("x")(results(rows)).cells)
    assert stats.binom.ppf(0.0005, 600, 0.95) <= held


def test_prediction_covers_a_new_seed() -> None:
    held = 0
    for _ in range(1500):
        *known, new = RNG.normal(3, 2, 7).tolist()
        cell = only(prediction("x"), trials("only", {"x": known}))
        held += cell.interval.low <= new <= cell.interval.high
    assert stats.binom.ppf(0.0005, 1500, 0.95) <= held <= stats.binom.ppf(0.9995, 1500, 0.95)


# --- The pieces ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("df", "alpha"), list(itertools.product([1, 2, 5, 15, 200], [0.5, 0.05, 0.005, 1e-8])))
def test_t_quantiles(df: int, alpha: float) -> None:
    t = t_quantile(df, alpha)
    assert 2 * stats.t.sf(t, df) == pytest.approx(alpha, rel=1e-8)


values = st.lists(st.integers(-5, 5).map(lambda i: i / 7), min_size=2, max_size=9)


@given(values, st.integers(-3, 3).map(lambda i: i / 7))
@settings(deadline=None)
def test_sign_flips_are_counted_one_by_one(x: list[float], bound: float) -> None:
    sevenths = [round(7 * (v - bound)) for v in x]  # whole numbers: ties are ties
    sums = [abs(sum(s * v for s, v in zip(signs, sevenths, strict=True)))
            for signs in itertools.product((1, -1), repeat=len(x))]  # fmt: skip
    assert sign_flip_p(x, bound) == sum(s >= abs(sum(sevenths)) for s in sums) / len(sums)


def test_sign_flips_of_many_seeds() -> None:
    x = np.random.default_rng(5).normal(0.3, 1, 33).tolist()
    exact, drawn = sign_flip_p(x[:32], 0.0), sign_flip_p(x, 0.0)
    assert exact == pytest.approx(stats.ttest_1samp(x[:32], 0).pvalue, abs=0.02)
    assert drawn == pytest.approx(stats.ttest_1samp(x, 0).pvalue, abs=0.02)
    assert drawn == sign_flip_p(x, 0.0)  # the same every time
    assert sign_flip_p([1.0] * 33, 0.0) == pytest.approx(1e-5)


def test_six_seeds_are_needed_for_five_per_cent() -> None:
    assert [sign_flip_p([1.0 + i / 10 for i in range(n)], 0.0) for n in (5, 6)] == [0.0625, 0.03125]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
@settings(deadline=None)
def test_holm_is_closed_testing_with_bonferroni(p: list[float]) -> None:
    """A hypothesis falls when every group that holds it falls at (size of the group) x (its smallest p)."""
    groups = [g for size in range(1, len(p) + 1) for g in itertools.combinations(range(len(p)), size)]
    slow = [max(min(1.0, len(g) * min(p[j] for j in g)) for g in groups if i in g) for i in range(len(p))]
    assert holm(p) == pytest.approx(slow)


def test_holm_counts_members_that_are_not_listed() -> None:
    assert holm([0.01, 0.02], known=5) == holm([0.01, 0.02, 1, 1, 1])[:2]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
@settings(deadline=None)
def test_means_do_not_depend_on_the_order(x: list[float]) -> None:
    mean_, sd = mean_and_sd(x)
    assert (mean_, sd) == mean_and_sd(sorted(x))
    assert mean_ == pytest.approx(np.mean(x), abs=1e-6)
    assert sd == pytest.approx(np.std(x, ddof=1), abs=1e-6)


EVIDENCE = st.one_of(
    st.lists(st.floats(-3, 3), min_size=3, max_size=9, unique=True).map(
        lambda v: Student(label="", values=tuple(round(x, 3) + i * 0.1 for i, x in enumerate(v)))
    ),
    st.tuples(st.integers(0, 12), st.integers(12, 16)).map(
        lambda kn: Binomial(label="", successes=kn[0], trials=kn[1], seeds=kn[1], simulated=False)
    ),
    st.tuples(st.integers(0, 6), st.integers(0, 6)).map(
        lambda k: PairedShares(label="", only_first=k[0], only_second=k[1], seeds=12)
    ),
)


@given(EVIDENCE, st.floats(-2, 2), st.floats(0.001, 0.5))
@settings(max_examples=300, deadline=None)
def test_an_interval_holds_a_bound_just_while_its_p_is_larger_than_alpha(item: Any, bound: float, alpha: float) -> None:
    interval, p = item.interval(alpha), item.p_at(bound)
    if abs(p / alpha - 1) > 1e-6:
        assert (interval.low <= bound <= interval.high) == (p > alpha)
    assert interval.low <= item.estimate <= interval.high
    wider = item.interval(alpha / 10)
    assert interval.inside(wider)


# --- Cells and labels ---------------------------------------------------------------------------------


def test_a_cell_for_every_combination_of_conditions_and_every_entry() -> None:
    of = [experiment(arms=("only",), seeds=2, conditions={"n": (1, 2), "d": ("x",)})]
    rows = [t for n in (1, 2) for t in trials("only", {"x": [[n, 10 * n], [n, 10 * n]]}, at={"n": n, "d": "x"})]
    cells = value("x")(results(rows, of=of)).cells
    assert [(c.label, c.estimate) for c in cells] == [
        ("n 1, d x [0]", 1), ("n 1, d x [1]", 10), ("n 2, d x [0]", 2), ("n 2, d x [1]", 20),
    ]  # fmt: skip
    assert [c.estimate for c in value("x", at={"n": 2})(results(rows, of=of)).cells] == [2, 20]
    nested = trials("only", {"x": [[[1, 2], [3, 4]]]})
    assert [c.label for c in value("x")(results(nested)).cells] == ["[0,0]", "[0,1]", "[1,0]", "[1,1]"]


def test_across_shares_one_alpha_and_keeps_the_budgets_apart() -> None:
    rows = trials("only", {"x": A, "y": B, "k": [3] * 12, "n": [10] * 12, "z": [7] * 12})
    quantity = across(mean("x"), mean("y"), proportion("k", out_of="n"), value("z"))
    x, y, k, z = quantity(results(rows)).cells
    assert ends(x) == ends(only(mean("x"), rows, 0.025))
    assert ends(y) == ends(only(mean("y"), rows, 0.025))
    assert ends(k) == ends(only(proportion("k", out_of="n"), rows))
    assert ends(z) == (7, 7)
    assert x.label == "mean x"
    assert len(quantity.parts()) == 4


def test_the_order_of_trials_does_not_matter() -> None:
    rows = fight(A, B)
    shuffled = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    quantity = paired_gap("loss", "a", minus="b")
    assert ends(only(quantity, rows)) == ends(only(quantity, shuffled))


# --- What cannot be measured --------------------------------------------------------------------------

GAP = paired_gap("loss", "a", minus="b")
nan, inf = math.nan, math.inf


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (fight([1.0], [2.0]), "one seed gives no interval"),
        (fight([1, 2, 3], [0, 1, 2]), "zero variance over 3 seeds"),
        (fight([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]), "zero variance"),
        (fight([0.1 + 0.2, 0.5, 0.7], [0.3, 0.5, 0.7]), "zero variance"),  # differs by rounding only
        (fight([1, nan, 3, 4, inf], [1, 2, 3, 4, 5]), r"a: loss is not finite at seeds 1, 4"),
        (fight([1, 2, 3], [1, "NaN", 4]), r"b: loss is not finite at seed 1"),
        (trials("a", {"loss": [1, 2, 3]}), "no arm 'b'"),
        (fight([1, 2, 3], [3, 1]), r"b: seed 2 of 3 lacking"),
        (fight([1, 2, 3], [3, 1, 2])[:2] + fight([1, 2, 3], [3, 1, 2])[3:], r"a: seed 2 of 3 lacking"),
        (fight([1, 2, 4], [3, 1, 2], first=1), r"a: seed 0 of 4 lacking"),
        (fight([1, 2, 4], [3, 1, 2]) + trials("a", {"loss": [9]}, first=1), r"a: seed 1 stands there twice"),
        (trials("a", {"loss": [1, 2]}) + trials("b", {"lost": [1, 2]}), r"b: no metric 'loss' at seeds 0-1; there"),
        (fight([[1, 2], [3]], [[1, 2], [3, 4]]), "different lengths"),
        (fight([[1, 2], [3, 5]], [1, 2]), "entries in one arm"),
        (fight([1, None, 3], [1, 2, 3]), "not finite at seed 1"),
    ],
)  # fmt: skip
def test_why_a_gap_cannot_be_measured(rows: list[Any], words: str) -> None:
    with pytest.raises(Unmeasurable, match=words):
        GAP(results(rows))


def test_ratios_need_positive_numbers() -> None:
    for quantity in (ratio("loss", "a", over="b"), paired_gap("loss", "a", minus="b", relative=True)):
        with pytest.raises(Unmeasurable, match=r"loss of b is not positive at seed 1 \(0\)"):
            quantity(results(fight([1.0, 2.0, 3.0], [1.0, 0.0, 2.0])))


def test_one_seed_that_failed_is_not_left_out_in_silence() -> None:
    rows = [t for t in fight(A, B) if (t["arm"], t["seed"]["number"]) != ("b", 7)]
    with pytest.raises(Unmeasurable, match=r"^b: seed 7 of 12 lacking$"):
        GAP(results(rows))


def test_other_tiers_and_purposes_are_not_read() -> None:
    rows = fight(A, B)
    strange = [{**t, "tier": "smoke"} for t in fight([9.0] * 12, B)] + fight([9.0] * 12, B, purpose="tune")
    assert ends(only(GAP, rows + strange)) == ends(only(GAP, [{**t, "tier": "cpu"} for t in rows]))


def test_conditions_and_arms_that_do_not_exist() -> None:
    of = [experiment(seeds=3, conditions={"batch": (8, 64)})]
    rows = [t for batch in (8, 64) for t in fight([1, 2, 4], [3, 1, 2], at={"batch": batch})]
    for quantity, words in (
        (paired_gap("loss", "a", minus="b", at={"batch": 63}), "no condition batch 63; there are 8, 64"),
        (paired_gap("loss", "a", minus="b", at={"bach": 64}), "no condition 'bach'"),
        (mean("loss"), "names no arm"),
        (mean("loss", "c"), "no arm 'c'"),
        (mean("loss", "a", experiment="raze"), "no experiment 'raze'"),
    ):
        with pytest.raises(Unmeasurable, match=words):
            quantity(results(rows, of=of))


def test_an_arm_of_which_every_setting_diverged() -> None:
    row = {**choice("a", {0.1: [nan], 1.0: [nan]}, chosen=0.1), "chosen": None}
    with pytest.raises(Unmeasurable, match="every setting diverged in tuning"):
        GAP(results(trials("b", {"loss": [1, 2]}), of=[experiment(seeds=2)], choices=[row]))


def test_seed_numbers_in_words() -> None:
    assert listed([0, 1, 2, 5, 7, 8]) == "seeds 0-2, 5, 7-8"


# --- Declarations -------------------------------------------------------------------------------------

ALL = [
    value("error"),
    mean("x", "a", at={"batch": 64}),
    prediction("x", "a", experiment="race"),
    paired_gap("x", "a", minus="b", relative=True),
    ratio("x", "a", over="b"),
    slope("x", "a", minus="b", over="batch", log_x=2, log_y=True),
    optimum("lr", "a", over="b"),
    proportion("k", out_of="n"),
    proportion_gap("k", "a", out_of="n", minus="formula"),
    paired_shares("won", "a", minus="b"),
    across(value("error"), mean("x", "a", experiment="race")),
]


@pytest.mark.parametrize("quantity", ALL, ids=lambda q: q.name)
def test_a_declaration_survives_json_and_says_what_it_reads(quantity: Quantity) -> None:
    again = from_json(quantity.to_json())
    assert again == quantity
    assert again.to_json() == quantity.to_json()
    assert str(again) == str(quantity)
    assert all(isinstance(e, str) for e, _ in quantity.reads())


def test_reads_names_both_sides_once() -> None:
    assert paired_gap("x", "a", minus="b").reads() == [("", "a"), ("", "b")]
    assert across(mean("x", "a"), mean("y", "a"), value("z", experiment="e")).reads() == [("", "a"), ("e", None)]


def test_defaults_are_not_written_so_that_a_new_field_changes_no_locked_rule() -> None:
    assert paired_gap("x", "a", minus="b").to_json() == {
        "quantity": "paired_gap", "metric": "x", "arm": "a", "minus": "b",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: paired_gap("x", "a", minus="a"), "compared with itself"),
        (lambda: paired_gap("", "a", minus="b"), "metric= is empty"),
        (lambda: slope("x", over="n", log_x=7), "log_x= is 2, 10 or None"),
        (lambda: slope("x", over="n", minus="b"), "minus= needs an arm"),
        (lambda: across(mean("x")), "two or more"),
        (lambda: from_json({"quantity": "median", "metric": "x"}), "no quantity 'median'"),
        (lambda: from_json({"quantity": "mean", "metric": "x", "at_": {}}), "no field 'at_'"),
        (lambda: from_json({"quantity": "paired_gap", "metric": "x", "arm": "a"}), "minus is lacking"),
    ],
)
def test_a_declaration_that_cannot_be(make: Any, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        make()


def test_importing_the_quantities_does_not_load_scipy() -> None:
    code = "import sys, suite.quantities, suite.judge; sys.exit('scipy' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
