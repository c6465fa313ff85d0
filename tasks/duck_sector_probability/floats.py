"""Experiment "floats": what is left of the sum in double precision, and of the form that adds positive numbers only."""

import math
from fractions import Fraction
from typing import Any

from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.duck_sector_probability.formula import probability
from tasks.duck_sector_probability.stable import direct, stable

DUCKS = (20, 50, 100, 200)
MANY = (10, 20, 50, 100, 200, 500, 1000, 2000)
FLOOR = -18  # log10 of the error that is drawn for "no error at all"
SMALLEST = Fraction(1, 10**290)  # tails below this are left to underflow


def digits(error: Fraction) -> float:
    """log10 |error|, not below FLOOR, to three decimals.

    >>> digits(Fraction(-1, 1000)), digits(Fraction(0))
    (-3.0, -18.0)
    """
    return round(math.log10(max(float(abs(error)), 10.0**FLOOR)), 3)


def relative_error(n: int, turn: Fraction) -> float:
    """The larger relative error of the two tails that ``stable`` gives.

    >>> relative_error(4, Fraction(1, 2))
    0.0
    """
    exact = probability(n, turn)
    pairs = [(got, want) for got, want in zip(stable(n, turn), (exact, 1 - exact), strict=True) if want > SMALLEST]
    return max(float(abs(Fraction(got) - want) / want) for got, want in pairs)


def places(n: int) -> list[Fraction]:
    """Angles (in turns) where P is small, where it is about 1/2, where it is nearly 1, and just below certainty.

    The longest of n pieces is about (log n) / n.
    """
    typical = Fraction(math.ceil(100 * math.log(n)), 100 * n)
    return [
        1 - Fraction(2, 5),
        1 - 3 * typical,
        1 - typical,
        1 - typical * Fraction(3, 5),
        1 - Fraction(3, 2 * n),
        1 - Fraction(21, 20 * n),
    ]


def measure(seeds: list[Seed], tier: Tier) -> dict[str, list[Any]]:
    """log10 errors over theta, the sum's worst error for ``hopeless`` ducks, the stable form's relative errors.

    The worst error is looked for where 1/n < x <= 2/n, below the angle of certainty: P = 1 beyond it needs no sum.
    """
    steps = tier["per_octave"]
    left_out = [Fraction(round(10_000 * 2 ** (-i / steps)), 10_000) for i in range(1, 9 * steps + 1)]  # x to 1/512
    turns = [1 - x for x in left_out]
    exact = {n: [probability(n, turn) for turn in turns] for n in tier["ducks"]}
    plain = [
        [digits(Fraction(direct(n, float(turn))) - p) for turn, p in zip(turns, row, strict=True)]
        for n, row in exact.items()
    ]
    steady = [
        [digits(Fraction(stable(n, turn)[0]) - p) for turn, p in zip(turns, row, strict=True)]
        for n, row in exact.items()
    ]
    n = tier["hopeless"]
    close = [1 - Fraction(40 + i, 40 * n) for i in range(1, 41)]
    found: dict[str, Any] = {
        "over": [float(1 / x) for x in left_out],
        "direct_error": plain,
        "stable_error": [max(column) for column in zip(*steady, strict=True)],
        "direct_worst": float(max(abs(Fraction(direct(n, float(turn))) - probability(n, turn)) for turn in close)),
        "stable_relative_error": [
            max(relative_error(n, turn) for turn in places(n) if turn > 0) for n in tier["many_ducks"]
        ],
    }
    return {name: [value] * len(seeds) for name, value in found.items()}


EXPERIMENT = Experiment(
    name="floats",
    measure=measure,
    tiers={
        "smoke": Tier(seeds=1, sizes={"ducks": DUCKS, "per_octave": 4, "hopeless": 200, "many_ducks": (10, 100)}),
        "cpu": Tier(seeds=1, sizes={"ducks": DUCKS, "per_octave": 16, "hopeless": 200, "many_ducks": MANY}),
        "gpu": Tier(seeds=1, sizes={"ducks": DUCKS, "per_octave": 32, "hopeless": 200, "many_ducks": MANY}),
    },
)
