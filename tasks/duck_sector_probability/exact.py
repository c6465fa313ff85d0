"""Experiment "exact": everything that rational arithmetic can settle, as numbers of mismatches that must be 0."""

import itertools
from collections.abc import Iterable
from fractions import Fraction
from math import comb
from typing import Any

from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.duck_sector_probability.formula import (
    collapsed,
    half_ball,
    harmonic,
    mean_longest,
    num_terms,
    probability,
    term,
)
from tasks.duck_sector_probability.independent import by_counting, by_integration, mean_by_integration
from tasks.duck_sector_probability.simplex import claimed_marginal, claimed_survival, joint_survival, marginal

Gaussian = tuple[Fraction, Fraction]  # a complex number with rational parts


def mismatches(pairs: Iterable[tuple[Any, Any]]) -> int:
    """How many pairs differ; nothing to compare is an error, not a success.

    >>> mismatches([(Fraction(1, 2), Fraction(2, 4)), (1, 2)])
    1
    """
    compared = [left != right for left, right in pairs]
    if not compared:
        raise ValueError("no pair to compare: a check that checks nothing")
    return sum(compared)


def turns(parts: int) -> list[Fraction]:
    """1/parts, 2/parts, ..., 1 of the circle."""
    return [Fraction(i, parts) for i in range(1, parts + 1)]


def whole_sum(n: int, x: Gaussian) -> Gaussian:
    """All n terms, none left out, at a complex x, which the post says is 1 everywhere.

    >>> [str(part) for part in whole_sum(3, (Fraction(1, 3), Fraction(-5, 2)))]
    ['1', '0']
    """
    total = (Fraction(0), Fraction(0))
    for k in range(1, n + 1):
        value = (Fraction((-1) ** (k - 1) * comb(n, k)), Fraction(0))
        re, im = 1 - k * x[0], -k * x[1]
        for _ in range(n - 1):
            value = (value[0] * re - value[1] * im, value[0] * im + value[1] * re)
        total = (total[0] + value[0], total[1] + value[1])
    return total


def coefficient(n: int, m: int) -> int:
    """Coefficient of x^m in the sum of all n terms: up to sign the n-th difference of k^m at 0, 0 for 0 < m < n.

    >>> [coefficient(5, m) for m in range(5)]
    [1, 0, 0, 0, 0]
    """
    return sum((-1) ** (k - 1) * comb(n, k) * comb(n - 1, m) * (-k) ** m for k in range(1, n + 1))


def formula_pairs(most: int, parts: int) -> Iterable[tuple[Any, Any]]:
    """c1: the sum against both independent methods, over n = 1..most and theta in ``parts`` steps up to 2 pi."""
    for n, turn in itertools.product(range(1, most + 1), turns(parts)):
        yield probability(n, turn), by_integration(n, turn)
        yield probability(n, turn), by_counting(n, turn)


def collapse_pairs() -> Iterable[tuple[Any, Any]]:
    """c2: n turn^(n-1) against the whole formula and against the independent integrals, n <= 20, 20 angles up to pi."""
    for n, i in itertools.product(range(1, 21), range(1, 21)):
        turn = Fraction(i, 40)
        yield collapsed(n, turn), probability(n, turn)
        yield collapsed(n, turn), by_integration(n, turn)


def density_pairs() -> Iterable[tuple[Any, Any]]:
    """c3: marginals of the constant density, coefficient by coefficient, each of total 1, for n <= 8 and k < n."""
    for n in range(2, 9):
        for k in range(1, n):
            yield marginal(n, k), claimed_marginal(n, k)
        yield marginal(n, 0), {(0,) * (n - 1): Fraction(1)}


def survival_pairs(most: int) -> Iterable[tuple[Any, Any]]:
    """c4: the survival function as a polynomial in its k floors, for n <= most and k <= n."""
    for n in range(2, most + 1):
        for k in range(1, n + 1):
            yield joint_survival(n, k), claimed_survival(n, k)


def constant_pairs() -> Iterable[tuple[Any, Any]]:
    """c5: the sum of all n terms at four real numbers and a complex one, and all its coefficients, for n <= 30."""
    places = [(Fraction(x), Fraction(0)) for x in (-2, Fraction(1, 7), Fraction(5, 3), 10**6)]
    for n in range(1, 31):
        for x in (*places, (Fraction(1, 3), Fraction(-5, 2))):
            yield whole_sum(n, x), (1, 0)
        yield [coefficient(n, m) for m in range(n)], [1] + [0] * (n - 1)


def mean_pairs() -> Iterable[tuple[Any, Any]]:
    """c7: the alternating sum, H_n / n (n <= 50), and the integral of the independent distribution (n <= 12)."""
    for n in range(1, 51):
        yield mean_longest(n), harmonic(n) / n
    for n in range(1, 13):
        yield mean_longest(n), mean_by_integration(n)


def term_pairs() -> Iterable[tuple[Any, Any]]:
    """c8: terms that are not 0 against min(n, ceil(1/x) - 1), and against 1 up to theta = pi."""
    for n, turn in itertools.product(range(2, 31), turns(120)[:-1]):
        x = 1 - turn
        alive = sum(1 for k in range(1, num_terms(n, x) + 1) if term(n, k, x) != 0)
        yield alive, min(n, -(-x.denominator // x.numerator) - 1)
        if 2 * turn <= 1:
            yield alive, 1


def certainty_pairs() -> Iterable[tuple[Any, Any]]:
    """c8: P = 1 from theta = 2 pi (1 - 1/n) on, and P < 1 just below."""
    for n in range(2, 31):
        edge = 1 - Fraction(1, n)
        for turn in (edge, edge + Fraction(1, 2 * n), edge + Fraction(1, 10**6), Fraction(1)):
            yield probability(n, turn), 1
        yield probability(n, edge - Fraction(1, 10**6)) < 1, True


def wendel_pairs() -> Iterable[tuple[Any, Any]]:
    """c9: Wendel's formula in two dimensions against the sector of angle pi; certainty for n <= d."""
    for n in range(1, 31):
        yield half_ball(n, 2), probability(n, Fraction(1, 2)) if n > 1 else 1
        yield half_ball(n, n), 1


# The catalogue of small cases that the tests and the report print: (n, theta / 2 pi).
REFERENCE = (
    (4, Fraction(1, 2)),
    (4, Fraction(1, 3)),
    (4, Fraction(2, 3)),
    (5, Fraction(2, 3)),
    (6, Fraction(3, 4)),
    (3, Fraction(3, 5)),
    (4, Fraction(3, 4)),
)


def measure(seeds: list[Seed], tier: Tier) -> dict[str, list[Any]]:
    """Mismatches of every exact check, the reference cases, and the terms of the sum for eight ducks."""
    eight = turns(96)[41:84]  # from where one term is all there is up to certainty at 7/8 of the circle
    found: dict[str, Any] = {
        "formula_mismatches": mismatches(formula_pairs(tier["most_ducks"], tier["parts"])),
        "collapse_mismatches": mismatches(collapse_pairs()),
        "four_in_half": float(probability(4, Fraction(1, 2))),
        "density_mismatches": mismatches(density_pairs()),
        "survival_mismatches": mismatches(survival_pairs(tier["most_pieces"])),
        "constant_mismatches": mismatches(constant_pairs()),
        "mean_mismatches": mismatches(mean_pairs()),
        "term_mismatches": mismatches(term_pairs()),
        "certainty_mismatches": mismatches(certainty_pairs()),
        "wendel_mismatches": mismatches(wendel_pairs()),
        "reference_ducks": [n for n, _ in REFERENCE],
        "reference_turn": [float(turn) for _, turn in REFERENCE],
        "reference_sum": [float(probability(n, turn)) for n, turn in REFERENCE],
        "reference_integral": [float(by_integration(n, turn)) for n, turn in REFERENCE],
        "reference_count": [float(by_counting(n, turn)) for n, turn in REFERENCE],
        "eight_turn": [float(turn) for turn in eight],
        "eight_terms": [
            [float(term(8, k, 1 - t)) if k <= num_terms(8, 1 - t) else 0.0 for t in eight] for k in range(1, 8)
        ],
    }
    return {name: [value] * len(seeds) for name, value in found.items()}


EXPERIMENT = Experiment(
    name="exact",
    measure=measure,
    tiers={
        "smoke": Tier(seeds=1, sizes={"most_ducks": 12, "parts": 12, "most_pieces": 5}),
        "cpu": Tier(seeds=1, sizes={"most_ducks": 16, "parts": 24, "most_pieces": 6}),
        "gpu": Tier(seeds=1, sizes={"most_ducks": 20, "parts": 48, "most_pieces": 7}),
    },
)
