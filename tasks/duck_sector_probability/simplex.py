"""Exact integrals over the simplex of n pieces, with polynomials in several variables.

A polynomial is {exponents: coefficient}.  The variables are x_1..x_k, the lengths of the first k pieces, and
c_1..c_k, their floors.
"""

import math
from fractions import Fraction

Polynomial = dict[tuple[int, ...], Fraction]


def plus(p: Polynomial, q: Polynomial, factor: int = 1) -> Polynomial:
    """The sum p + factor q.

    >>> plus({(1,): Fraction(1)}, {(1,): Fraction(1)}, factor=-1)
    {}
    """
    total = dict(p)
    for exponents, c in q.items():
        total[exponents] = total.get(exponents, Fraction(0)) + factor * c
    return {exponents: c for exponents, c in total.items() if c}


def times(p: Polynomial, q: Polynomial) -> Polynomial:
    """The product p q."""
    product: Polynomial = {}
    for e, c in p.items():
        for f, d in q.items():
            both = tuple(i + j for i, j in zip(e, f, strict=True))
            product[both] = product.get(both, Fraction(0)) + c * d
    return product


def linear(size: int, minus: tuple[int, ...]) -> Polynomial:
    """1 minus the variables at the given places, among ``size`` variables.

    >>> sorted(linear(2, (1,)).items())
    [((0, 0), Fraction(1, 1)), ((0, 1), Fraction(-1, 1))]
    """
    return {(0,) * size: Fraction(1), **{_unit(size, i): Fraction(-1) for i in minus}}


def _unit(size: int, place: int) -> tuple[int, ...]:
    return tuple(int(i == place) for i in range(size))


def power(p: Polynomial, exponent: int, size: int) -> Polynomial:
    """The power p^exponent."""
    result: Polynomial = {(0,) * size: Fraction(1)}
    for _ in range(exponent):
        result = times(result, p)
    return result


def integrate(p: Polynomial, place: int, low: Polynomial, high: Polynomial, size: int) -> Polynomial:
    """Integral of p over the variable at ``place`` from low to high; both ends are polynomials in the other variables.

    >>> integrate({(1, 0): Fraction(1)}, 0, {}, {(0, 1): Fraction(1)}, 2)      # integral_0^y x dx = y^2 / 2
    {(0, 2): Fraction(1, 2)}
    """
    by_degree: dict[int, Polynomial] = {}
    for exponents, c in p.items():
        degree = exponents[place] + 1
        rest = tuple(0 if i == place else e for i, e in enumerate(exponents))
        by_degree.setdefault(degree, {})[rest] = c / degree
    total: Polynomial = {}
    for degree, rest in by_degree.items():
        total = plus(total, times(rest, plus(power(high, degree, size), power(low, degree, size), factor=-1)))
    return total


def marginal(n: int, k: int) -> Polynomial:
    """Density of x_1..x_k: the constant (n-1)! on x_1 + ... + x_{n-1} <= 1, with x_{n-1}, ..., x_{k+1} integrated out.

    >>> sorted(marginal(3, 1).items()) == sorted({(0, 0): Fraction(2), (1, 0): Fraction(-2)}.items())      # 2 (1 - x_1)
    True
    """
    size = n - 1
    density: Polynomial = {(0,) * size: Fraction(math.factorial(n - 1))}
    for place in range(size - 1, k - 1, -1):
        density = integrate(density, place, {}, linear(size, tuple(range(place))), size)
    return density


def claimed_marginal(n: int, k: int) -> Polynomial:
    """(n-1)! / (n-k-1)! (1 - x_1 - ... - x_k)^(n-k-1), the post's marginal, expanded."""
    size = n - 1
    factor = Fraction(math.factorial(n - 1), math.factorial(n - k - 1))
    return {e: factor * c for e, c in power(linear(size, tuple(range(k))), n - k - 1, size).items() if c}


def joint_survival(n: int, k: int) -> Polynomial:
    """P(x_1 > c_1, ..., x_k > c_k), k <= n, as a polynomial in the floors c_1..c_k (places n-1..n-2+k).

    x_i runs from c_i (0 without a floor) to 1 - (x_1 + ... + x_{i-1}) - (c_{i+1} + ... + c_k): later pieces still
    need their floors.

    >>> joint_survival(2, 1) == {(0, 0): Fraction(1), (0, 1): Fraction(-1)}      # 1 - c_1
    True
    """
    size = n - 1 + k
    density: Polynomial = {(0,) * size: Fraction(math.factorial(n - 1))}
    for i in range(n - 2, -1, -1):
        low: Polynomial = {_unit(size, n - 1 + i): Fraction(1)} if i < k else {}
        high = linear(size, (*range(i), *range(n + i, n - 1 + k)))
        density = integrate(density, i, low, high, size)
    return density


def claimed_survival(n: int, k: int) -> Polynomial:
    """(1 - c_1 - ... - c_k)^(n-1), the post's survival function, expanded."""
    size = n - 1 + k
    return {e: c for e, c in power(linear(size, tuple(range(n - 1, size))), n - 1, size).items() if c}
