"""The post's formulas in exact rational arithmetic.

Notation of the whole page: ``turn`` is theta / 2 pi, the sector's share of the circle, and x = 1 - turn is the length
that the longest of the n pieces of a unit stick must exceed.
"""

from fractions import Fraction
from math import comb, factorial


def num_terms(n: int, x: Fraction) -> int:
    """How many terms of the sum survive: the k in 1..n with 1 - k x > 0, that is min(n, ceil(1/x) - 1).

    >>> [num_terms(4, x) for x in (Fraction(1, 2), Fraction(1, 3), Fraction(1, 4), Fraction(1, 5))]
    [1, 2, 3, 4]
    """
    return sum(1 for k in range(1, n + 1) if k * x < 1)


def term(n: int, k: int, x: Fraction) -> Fraction:
    """The k-th term, (-1)^(k-1) C(n, k) (1 - k x)^(n-1): k given pieces exceed x, over all choices of the k pieces.

    >>> term(4, 1, Fraction(1, 3)), term(4, 2, Fraction(1, 3))
    (Fraction(32, 27), Fraction(-2, 9))
    """
    return (-1) ** (k - 1) * comb(n, k) * (1 - k * x) ** (n - 1)


def probability(n: int, turn: Fraction) -> Fraction:
    """P(n, theta) = sum over k >= 1 with k x < 1 of term(n, k, x): the post's result for 0 < theta <= 2 pi.

    >>> probability(4, Fraction(1, 2)), probability(4, Fraction(2, 3)), probability(4, Fraction(3, 4))
    (Fraction(1, 2), Fraction(26, 27), Fraction(1, 1))
    """
    x = 1 - turn
    return sum((term(n, k, x) for k in range(1, num_terms(n, x) + 1)), Fraction(0))


def collapsed(n: int, turn: Fraction) -> Fraction:
    """What is left of the sum up to half a turn: n (theta / 2 pi)^(n-1).

    >>> collapsed(4, Fraction(1, 2)), collapsed(4, Fraction(1, 3))
    (Fraction(1, 2), Fraction(4, 27))
    """
    return n * turn ** (n - 1)


def survival(n: int, *floors: Fraction) -> Fraction:
    """P(x_1 > c_1, ..., x_k > c_k) = (1 - c_1 - ... - c_k)^(n-1) for pieces of a stick cut at n - 1 uniform points.

    >>> survival(3, Fraction(1, 4), Fraction(1, 4))
    Fraction(1, 4)
    """
    return max(Fraction(0), 1 - sum(floors, Fraction(0))) ** (n - 1)


def moment(n: int, a: int, b: int) -> Fraction:
    """E[x_1^a x_2^b] = (n-1)! a! b! / (n-1+a+b)! under the constant density on the simplex (Dirichlet with ones).

    >>> moment(4, 1, 0), moment(3, 1, 1)
    (Fraction(1, 4), Fraction(1, 12))
    """
    return Fraction(factorial(n - 1) * factorial(a) * factorial(b), factorial(n - 1 + a + b))


def mean_longest(n: int) -> Fraction:
    """E of the longest piece: each surviving term integrates to C(n, k) / (k n), so the sum is H_n / n.

    >>> [str(mean_longest(n)) for n in (2, 3, 4, 5)]
    ['3/4', '11/18', '25/48', '137/300']
    """
    return sum((Fraction((-1) ** (k - 1) * comb(n, k), k * n) for k in range(1, n + 1)), Fraction(0))


def harmonic(n: int) -> Fraction:
    """H_n = 1 + 1/2 + ... + 1/n.

    >>> harmonic(4)
    Fraction(25, 12)
    """
    return sum((Fraction(1, k) for k in range(1, n + 1)), Fraction(0))


def half_ball(n: int, d: int) -> Fraction:
    """Wendel 1962: n points of a d-ball share some half-ball with probability 2^(1-n) sum_{k<d} C(n-1, k).

    >>> half_ball(4, 2), half_ball(4, 3), half_ball(5, 5)
    (Fraction(1, 2), Fraction(7, 8), Fraction(1, 1))
    """
    return Fraction(sum(comb(n - 1, k) for k in range(d)), 2 ** (n - 1))
