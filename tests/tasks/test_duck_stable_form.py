"""The float-stable form of P(n, theta) against rationals, and what happens without its precautions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tasks.duck_sector_probability import floats, formula, stable

EPS = 2.0**-53


def error(got: float, want: Fraction) -> float:
    return float(abs(Fraction(got) - want) / want)


@given(n=some.integers(1, 60), turn=some.floats(1e-6, 1.0, allow_nan=False))
@settings(max_examples=150, deadline=None)
def test_both_tails_at_any_float(n: int, turn: float) -> None:
    want = formula.probability(n, Fraction(turn))
    found, rest = stable.stable(n, turn)
    for got, tail in ((found, want), (rest, 1 - want)):
        if tail > floats.SMALLEST:
            assert error(got, tail) < 4 * (n + 2) * EPS
        else:
            assert got < 1e-280


@pytest.mark.parametrize("n", [100, 300, 1000])
def test_both_tails_for_many_ducks(n: int) -> None:
    for turn in floats.places(n):
        assert turn <= 0 or floats.relative_error(n, turn) < 4 * n * EPS


def test_the_case_that_float64_cannot_do() -> None:
    """200 ducks at 189/190 of a turn: 1 - P = 3.37e-255, and the sum says anything but 1."""
    turn = Fraction(189, 190)
    rest = 1 - formula.probability(200, turn)
    assert f"{float(rest):.2e}" == "3.37e-255"
    assert stable.stable(200, turn)[0] == 1.0
    assert error(stable.stable(200, turn)[1], rest) < 200 * 4 * EPS
    assert abs(stable.direct(200, float(turn)) - 1) > 1e6


def test_the_edges_of_the_angle() -> None:
    assert stable.stable(5, 1.0) == (1.0, 0.0)
    assert stable.stable(1, 0.25) == (1.0, 0.0)
    assert stable.stable(5, Fraction(4, 5)) == (1.0, 0.0)
    just_below = Fraction(4, 5) - Fraction(1, 10**9)
    assert error(stable.stable(5, just_below)[1], 1 - formula.probability(5, just_below)) < 20 * EPS
    assert stable.stable(50, 1e-300) == (0.0, 1.0)


@pytest.mark.parametrize("n", [2, 3, 7, 20, 60])
def test_why_the_first_terms_suffice(n: int) -> None:
    """The lemma of ``stable``: with S_1 <= 1 the k-th term is at most S_1^k / k!, and P at least S_1 / 2."""
    for turn in (Fraction(i, 97) for i in range(1, 97)):
        x = 1 - turn
        first = formula.term(n, 1, x)
        if first <= 1:
            for k in range(1, formula.num_terms(n, x) + 1):
                assert abs(formula.term(n, k, x)) <= first**k / math.factorial(k)
            assert formula.probability(n, turn) >= first / 2
        else:
            assert formula.probability(n, turn) >= Fraction(1, 2)


def covered_slowly(n: int, turn: Fraction) -> Fraction:
    """The recursion of ``covered`` as it is written, number by number, in rationals."""
    x = 1 - turn
    last = math.ceil(1 / x) - 1
    row = [Fraction(0)] * last + [Fraction(1), Fraction(0)]
    for m in range(2, n + 1):
        weights = [(1 - j * x, max(Fraction(0), (m + j) * x - 1)) for j in range(last + 1)]
        row = [stay * row[j] + move * row[j + 1] for j, (stay, move) in enumerate(weights)] + [Fraction(0)]
    return row[0]


@pytest.mark.parametrize(("n", "turn"), [(2, "1/3"), (4, "2/3"), (7, "5/7"), (9, "17/20"), (12, "10/11")])
def test_the_recursion_in_rationals_is_exact(n: int, turn: str) -> None:
    assert covered_slowly(n, Fraction(turn)) == 1 - formula.probability(n, Fraction(turn))


def covered_plainly(n: int, turn: Fraction) -> float:
    """The same recursion in plain doubles, an array at a time."""
    x = 1 - turn
    last = math.ceil(1 / x) - 1
    stay = np.array([float(1 - j * x) for j in range(last + 1)])
    move = np.array([float(max(Fraction(0), i * x - 1)) for i in range(n + last + 1)])
    row = np.array([0.0] * last + [1.0, 0.0])
    for m in range(2, n + 1):
        row[:-1] = stay * row[:-1] + move[m : m + last + 1] * row[1:]
    return float(row[0])


def test_the_exponents_are_needed() -> None:
    """In plain doubles the recursion is right for 300 ducks and underflows for 3000 on its way to 1e-29."""
    turn = 1 - Fraction(1, 75)
    assert covered_plainly(300, turn) == pytest.approx(stable.covered(300, turn), rel=1e-13)
    n, turn = 3000, 1 - Fraction(1, 750)
    want = 1 - formula.probability(n, turn)
    assert 1e-30 < want < 1e-28
    assert covered_plainly(n, turn) == 0
    assert error(stable.covered(n, turn), want) < 4 * n * EPS


def test_where_the_sum_begins_to_fail() -> None:
    """Ten digits at 20 ducks, none at 200; some lost at 50."""
    worst = {
        n: max(abs(stable.direct(n, i / 200) - stable.stable(n, Fraction(i, 200))[0]) for i in range(1, 200))
        for n in (20, 50, 200)
    }
    assert worst[20] < 1e-10 < 1e-6 < worst[50] < 1 < worst[200]
