"""The duck page's mathematics against slow twins, cases by hand, and worlds of known truth."""

import ast
import itertools
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from suite.claims import Tier
from suite.seeds import Seed
from tasks.duck_sector_probability import (
    exact,
    formula,
    formulations,
    half_balls,
    independent,
    pieces,
    ponds,
    simplex,
)


def seed(number: int = 0) -> Seed:
    return Seed("duck-tests/r1", "verdict", number)


def whole(low: int, high: int) -> some.SearchStrategy[int]:
    return some.integers(low, high)


# --- The formula and its two exact rivals ------------------------------------------------------------

BY_HAND = {
    (4, Fraction(1, 2)): Fraction(1, 2),
    (4, Fraction(1, 3)): Fraction(4, 27),
    (4, Fraction(2, 3)): Fraction(26, 27),
    (5, Fraction(2, 3)): Fraction(70, 81),
    (6, Fraction(3, 4)): Fraction(499, 512),
    (3, Fraction(3, 5)): Fraction(24, 25),
    (4, Fraction(3, 4)): Fraction(1),
}


@pytest.mark.parametrize("method", [formula.probability, independent.by_integration, independent.by_counting])
def test_the_reference_table(method: Any) -> None:
    assert set(exact.REFERENCE) == set(BY_HAND)
    for (n, turn), by_hand in BY_HAND.items():
        assert method(n, turn) == by_hand


@given(n=whole(1, 8), parts=whole(2, 15), data=some.data())
@settings(max_examples=60, deadline=None)
def test_three_methods_agree_at_any_rational_angle(n: int, parts: int, data: some.DataObject) -> None:
    turn = Fraction(data.draw(whole(1, parts)), parts)
    assert formula.probability(n, turn) == independent.by_integration(n, turn) == independent.by_counting(n, turn)


def test_the_rivals_import_nothing_of_the_page() -> None:
    for module in (independent, simplex):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf8"))
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not any("tasks" in str(name) for name in imported), f"{module.__name__} must stand alone"


def test_a_broken_formula_moves_no_rival(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [f(5, Fraction(2, 3)) for f in (independent.by_integration, independent.by_counting)]
    monkeypatch.setattr(formula, "comb", lambda n, k: 1)
    assert formula.probability(5, Fraction(2, 3)) != before[0]
    assert [f(5, Fraction(2, 3)) for f in (independent.by_integration, independent.by_counting)] == before


@pytest.mark.parametrize(("n", "total", "most"), [(1, 2, 3), (1, 4, 3), (3, 4, 2), (4, 5, 3), (5, 10, 2), (4, 0, 1)])
def test_compositions_one_by_one(n: int, total: int, most: int) -> None:
    listed = sum(1 for parts in itertools.product(range(most + 1), repeat=n) if sum(parts) == total)
    assert independent.compositions(n, total, most) == listed


@pytest.mark.parametrize("n", range(2, 9))
def test_the_density_of_a_sum_of_uniforms(n: int) -> None:
    """It meets itself at whole numbers, is symmetric about n / 2, and has the total 1."""
    found = independent.pieces(n)
    for j in range(n - 1):
        assert sum(found[j]) == found[j + 1][0]
    for j in range(n):
        at = Fraction(1, 3)
        mirrored = found[n - 1 - j]
        assert sum(c * at**i for i, c in enumerate(found[j])) == sum(c * (1 - at) ** i for i, c in enumerate(mirrored))
    assert sum(c / (i + 1) for piece in found for i, c in enumerate(piece)) == 1


def test_means_of_the_longest_piece() -> None:
    by_hand = {2: "3/4", 3: "11/18", 4: "25/48", 5: "137/300"}
    for n, mean in by_hand.items():
        assert formula.mean_longest(n) == independent.mean_by_integration(n) == Fraction(mean)


@pytest.mark.parametrize("x", [Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(2, 7), Fraction(1, 40)])
def test_terms_counted_one_by_one(x: Fraction) -> None:
    for n in range(1, 12):
        assert formula.num_terms(n, x) == len([k for k in range(1, n + 1) if 1 - k * x > 0])


def test_one_duck_is_always_alone_with_itself() -> None:
    for method in (formula.probability, independent.by_integration, independent.by_counting):
        assert method(1, Fraction(1, 100)) == 1


def test_a_check_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="checks nothing"):
        exact.mismatches([])


def test_the_polynomial_is_constant_by_symbols() -> None:
    sympy = pytest.importorskip("sympy")
    x = sympy.Symbol("x")
    for n in range(1, 9):
        whole_sum = sum((-1) ** (k - 1) * sympy.binomial(n, k) * (1 - k * x) ** (n - 1) for k in range(1, n + 1))
        assert sympy.expand(whole_sum) == 1


def test_density_and_survival_by_symbols() -> None:
    """Four pieces: x_3 integrated out, then x_1 > c_1 and x_2 > c_2, as one would by hand."""
    sympy = pytest.importorskip("sympy")
    x1, x2, x3, c1, c2 = sympy.symbols("x1 x2 x3 c1 c2")
    pair = sympy.integrate(6, (x3, 0, 1 - x1 - x2))
    survival = sympy.integrate(pair, (x2, c2, 1 - x1), (x1, c1, 1 - c2))

    def symbols(polynomial: simplex.Polynomial, names: tuple[Any, ...]) -> Any:
        terms = (
            sympy.Rational(c.numerator, c.denominator) * math.prod(v**i for v, i in zip(names, e, strict=True))
            for e, c in polynomial.items()
        )
        return sum(terms)

    assert sympy.expand(pair - symbols(simplex.marginal(4, 2), (x1, x2, x3))) == 0
    assert sympy.expand(survival - symbols(simplex.joint_survival(4, 2), (x1, x2, x3, c1, c2))) == 0


@pytest.mark.parametrize(("n", "a", "b"), [(3, 1, 0), (3, 2, 1), (5, 1, 1), (5, 2, 1), (6, 0, 3)])
def test_moments_by_integration(n: int, a: int, b: int) -> None:
    size = n - 1
    density = {(a, b, *(0,) * (size - 2)): Fraction(math.factorial(n - 1))}
    for place in range(size - 1, -1, -1):
        density = simplex.integrate(density, place, {}, simplex.linear(size, tuple(range(place))), size)
    assert density == {(0,) * size: formula.moment(n, a, b)}


# --- Ponds, arcs and sticks --------------------------------------------------------------------------


def in_one_sector_slowly(x: np.ndarray, y: np.ndarray, turn: float) -> bool:
    """One pond: turn a sector to start at each duck and look whether all others are in it."""
    angle = [math.atan2(b, a) / (2 * math.pi) for a, b in zip(x, y, strict=True)]
    return any(all((other - start) % 1.0 <= turn for other in angle) for start in angle)


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_three_ways_to_look_at_one_pond(n: int) -> None:
    x, y = (part.reshape(n, 300) for part in ponds.disc(n * 300, seed().numpy(f"twin/{n}")))
    angle = np.arctan2(y, x) / (2 * np.pi)
    arc, piece = ponds.longest_arc(angle), formulations.longest_piece((angle[1:] - angle[0]) % 1.0)
    for turn in (0.2, 0.45, 0.5, 0.55, 0.7, 0.85):
        slow = np.array([in_one_sector_slowly(x[:, i], y[:, i], turn) for i in range(300)])
        assert np.array_equal(slow, formulations.in_one_sector(x, y, turn))
        assert np.array_equal(slow, arc >= 1 - turn)
        assert np.array_equal(slow, piece > 1 - turn)


def test_radius_does_not_matter_and_rotation_does_not() -> None:
    x, y = (part.reshape(4, 200) for part in ponds.disc(800, seed().numpy("turned")))
    c, s = math.cos(1.0), math.sin(1.0)
    far = 1 + seed().numpy("far").random((4, 200))
    before = formulations.in_one_sector(x, y, 0.6)
    assert np.array_equal(before, formulations.in_one_sector(c * x - s * y, s * x + c * y, 0.6))
    assert np.array_equal(before, formulations.in_one_sector(far * x, far * y, 0.6))


@pytest.mark.parametrize("points", [1, 3, 1000])
def test_the_disc_gives_as_many_points_as_asked(points: int) -> None:
    x, y = ponds.disc(points, seed().numpy("disc"))
    assert x.shape == y.shape == (points,)
    assert (x * x + y * y <= 1).all()


def test_the_disc_is_uniform() -> None:
    x, y = ponds.disc(20_000, seed().numpy("uniform"))
    assert stats.kstest(x * x + y * y, "uniform").pvalue > 1e-4  # the square of the radius
    assert stats.kstest(np.arctan2(y, x) / (2 * np.pi) + 0.5, "uniform").pvalue > 1e-4


def test_chunks_cover_everything_once() -> None:
    assert [sum(ponds.chunks(total, 7)) for total in range(30)] == list(range(30))


def test_pieces_of_a_stick() -> None:
    x = pieces.cut(5, 200, seed().numpy("sticks"))
    assert x.shape == (5, 200)
    assert (x > 0).all()
    assert np.allclose(x.sum(axis=0), 1)
    cuts = seed().numpy("sticks").random((4, 200))
    assert np.allclose(formulations.longest_piece(cuts), x.max(axis=0))


def test_sixteen_equal_triangles() -> None:
    """The centres of 144 still smaller triangles: nine fall into each of the sixteen."""
    rows = 12
    up = [(a, b, rows - 1 - a - b) for a in range(rows) for b in range(rows - a)]
    down = [(a, b, rows - 2 - a - b) for a in range(rows - 1) for b in range(rows - 1 - a)]
    centres = [[(i + 1 / 3) / rows for i in t] for t in up] + [[(i + 2 / 3) / rows for i in t] for t in down]
    assert len(centres) == rows**2
    counts = np.bincount(pieces.small_triangle(np.array(centres).T), minlength=pieces.ROWS**2)
    assert counts.tolist() == [9] * pieces.ROWS**2


def test_twenty_sets_of_floors_that_can_be_met() -> None:
    assert len(pieces.FLOORS) == 20
    for n, floors in pieces.FLOORS:
        assert 1 <= len(floors) <= n
        assert 0.1 < formula.survival(n, *floors) < 0.9


def test_discordant_pairs_measure_the_odds_ratio() -> None:
    """Two simulators of known, different probabilities: the share of wins is odds / (1 + odds)."""
    stream = seed().numpy("odds")
    p, q = 0.6, 0.5
    a, b = stream.random(200_000) < p, stream.random(200_000) < q
    share = np.count_nonzero(a & ~b) / np.count_nonzero(a ^ b)
    odds = p * (1 - q) / (q * (1 - p))
    assert share == pytest.approx(odds / (1 + odds), abs=0.006)
    assert not 0.48 < share < 0.52


# --- The experiments ---------------------------------------------------------------------------------

SMALL = {
    "ponds": (ponds, {"ducks": (3, 4), "parts": 4, "ponds": 20_000}),
    "formulations": (formulations, {"cells": ((3, (6,)), (4, (6, 7))), "trials": 2_000}),
    "pieces": (pieces, {"sticks": 2_000}),
    "half-balls": (half_balls, {"cells": ((3, 4),), "balls": 2_000}),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_seed_does_not_depend_on_its_company(name: str) -> None:
    page, sizes = SMALL[name]
    tier = Tier(seeds=2, sizes=sizes)
    both, alone = page.measure([seed(0), seed(1)], tier), page.measure([seed(1)], tier)
    for metric, column in both.items():
        assert len(column) == 2
        assert column[1] == alone[metric][0], metric
    assert any(column[0] != column[1] for column in both.values())


def test_ponds_agree_with_the_formula() -> None:
    found = ponds.measure([seed()], Tier(seeds=1, sizes=SMALL["ponds"][1]))
    for counts, sure in zip(found["shared"][0], found["formula"][0], strict=True):
        for count, p in zip(counts, sure, strict=True):
            assert stats.binomtest(count, 20_000, p).pvalue > 1e-6
    assert found["rare_formula"] == [[1.0, 1.0]]  # three and four ducks, three quarters of the pond
    assert found["rare_shared"] == [[20_000, 20_000]]


def test_the_forgotten_seam_shows() -> None:
    """Without the arc across the seam the same ponds give another probability."""
    turn = np.arctan2(*ponds.disc(4 * 5_000, seed().numpy("seam"))[::-1]).reshape(4, 5_000) / (2 * np.pi)
    whole_circle = ponds.longest_arc(turn)
    without = np.diff(np.sort(turn, axis=0), axis=0).max(axis=0)
    assert (without <= whole_circle).all()
    assert np.mean(without >= 0.5) < 0.4 < 0.47 < np.mean(whole_circle >= 0.5) < 0.53
