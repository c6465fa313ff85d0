"""Seconds of P(n, theta) by the float64 sum, in rationals and by the stable recursion.

Compare ratios, never seconds of different machines.  The angle is where P is about 0.6; as a fraction of small whole
numbers, and as a double, whose denominator of 2^53 makes rationals expensive.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from tasks.duck_sector_probability.formula import probability
from tasks.duck_sector_probability.stable import direct, stable


def angle(n: int, kind: str) -> Fraction:
    tidy = 1 - Fraction(math.ceil(100 * math.log(n)), 100 * n)
    return tidy if kind == "fraction" else Fraction(float(tidy))


@pytest.mark.parametrize("kind", ["fraction", "double"])
@pytest.mark.parametrize("n", [10, 100, 1000])
@pytest.mark.parametrize(
    "method",
    [
        pytest.param(lambda n, turn: direct(n, float(turn)), id="direct"),
        pytest.param(lambda n, turn: float(probability(n, turn)), id="rational"),
        pytest.param(lambda n, turn: stable(n, turn)[0], id="stable"),
    ],
)
def test_probability(benchmark: Any, method: Callable[[int, Fraction], float], n: int, kind: str) -> None:
    turn = angle(n, kind)
    found = benchmark(method, n, turn)
    if n < 1000:
        assert found == pytest.approx(float(probability(n, turn)), rel=1e-6)
