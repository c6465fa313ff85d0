"""Two ways to the same probability that share nothing with inclusion-exclusion, both exact.

``by_integration`` builds the distribution of a sum of capped pieces one piece at a time, integrating polynomials on
the intervals between whole numbers.  ``by_counting`` never integrates: it counts lattice points and reads off a
volume.
"""

import functools
import itertools
import math
from fractions import Fraction

Polynomial = list[Fraction]  # coefficients of 1, t, t^2, ...


@functools.cache
def pieces(n: int) -> tuple[Polynomial, ...]:
    """V_n on [j, j+1), j = 0..n-1, as polynomials in t = s - j; V_n is the density of the sum of n uniforms on [0, 1].

    V_1 = 1 on [0, 1), and V_n(s) = integral of V_{n-1} from s - 1 to s, taken in two steps that meet at the whole
    number j:

        V_n(j + t) = integral_t^1 V_{n-1}(j-1+u) du + integral_0^t V_{n-1}(j+u) du.

    >>> [[str(c) for c in piece] for piece in pieces(2)]      # the triangle: s, then 2 - s
    [['0', '1'], ['1', '-1']]
    """
    if n == 1:
        return ([Fraction(1)],)
    before = [[Fraction(0)], *pieces(n - 1), [Fraction(0)]]  # before[j] lives on [j-1, j)
    found = []
    for j in range(n):
        left, right = _antiderivative(before[j]), _antiderivative(before[j + 1])
        width = max(len(left), len(right))
        left, right = left + [Fraction(0)] * (width - len(left)), right + [Fraction(0)] * (width - len(right))
        piece = [r - c for r, c in zip(right, left, strict=True)]
        piece[0] += sum(left)  # the antiderivative at 1
        found.append(piece)
    return tuple(found)


def _antiderivative(polynomial: Polynomial) -> Polynomial:
    return [Fraction(0), *(c / (i + 1) for i, c in enumerate(polynomial))]


def by_integration(n: int, turn: Fraction) -> Fraction:
    """1 - P(all pieces <= x) with P(all pieces <= x) = (n-1)! x^(n-1) V_n(1/x).

    Why: n uniforms on [0, x] have the density V_n(1/x) / x at a sum of 1, the volume of the pieces that are all <= x
    is that times x^n, and the whole simplex has the volume 1 / (n-1)!.

    >>> by_integration(5, Fraction(2, 3)), by_integration(6, Fraction(3, 4))
    (Fraction(70, 81), Fraction(499, 512))
    """
    x = 1 - turn
    if n * x <= 1:  # 1/x lies beyond the last interval
        return Fraction(1)
    j = math.floor(1 / x)
    t = 1 / x - j
    return 1 - math.factorial(n - 1) * x ** (n - 1) * sum(c * t**i for i, c in enumerate(pieces(n)[j]))


def mean_by_integration(n: int) -> Fraction:
    """E of the longest piece as integral_0^1 P(longest > x) dx, interval by interval of 1/x.

    On 1/(j+1) < x <= 1/j the integrand of 1 - E is (n-1)! sum_i c_i (1/x - j)^i x^(n-1), a polynomial in x.

    >>> mean_by_integration(2), mean_by_integration(3)
    (Fraction(3, 4), Fraction(11, 18))
    """
    inside = Fraction(0)
    for j in range(1, n):
        low, high = Fraction(1, j + 1), Fraction(1, j)
        for i, c in enumerate(pieces(n)[j]):
            for m in range(i + 1):  # (1 - j x)^i, binomially
                power = n - i + m
                inside += c * math.comb(i, m) * (-j) ** m * (high**power - low**power) / power
    return 1 - math.factorial(n - 1) * inside


def by_counting(n: int, turn: Fraction) -> Fraction:
    """1 - P(all pieces <= x) from numbers of compositions, with x = a / b.

    The ways to write b L as an ordered sum of n whole numbers, each between 0 and a L, are the lattice points of a
    polytope with whole corners, blown up L times: a polynomial in L of degree n - 1 (Ehrhart).  Its leading
    coefficient is the polytope's volume, so its (n-1)-th difference over L = 1..n is (n-1)! times that, and the
    simplex of side b has the volume b^(n-1) / (n-1)!.

    >>> by_counting(4, Fraction(2, 3)), by_counting(3, Fraction(3, 5))
    (Fraction(26, 27), Fraction(24, 25))
    """
    x = 1 - turn
    counts = [compositions(n, x.denominator * scale, x.numerator * scale) for scale in range(1, n + 1)]
    while len(counts) > 1:
        counts = [later - sooner for sooner, later in itertools.pairwise(counts)]
    return 1 - Fraction(counts[0], x.denominator ** (n - 1))


def compositions(n: int, total: int, most: int) -> int:
    """Ordered sums of n whole numbers in 0..most that make ``total``, counted by adding one number at a time.

    >>> compositions(2, 3, 2), compositions(3, 3, 3)      # 1+2, 2+1; all ten
    (2, 10)
    """
    ways = [1] + [0] * total
    for _ in range(n):
        running, summed = 0, []
        for i in range(total + 1):
            running += ways[i] - (ways[i - most - 1] if i > most else 0)
            summed.append(running)
        ways = summed
    return ways[total]
