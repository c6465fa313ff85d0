"""P(n, theta) in floating point: the direct sum that cancels, and a form in which nothing is ever subtracted."""

import math
from fractions import Fraction

import numpy as np

_NOTHING = -(2**28)  # the binary exponent of an exact zero: far below any that can occur, far from integer overflow


def direct(n: int, turn: float) -> float:
    """The alternating sum as it stands, in float64; what is left of it is the rounding of its largest term.

    That term grows like 1.32^n where x is near 1/n and towards 2^n / sqrt(n) as theta approaches 2 pi.

    >>> direct(4, 0.5), abs(direct(200, 189 / 190)) > 1e6
    (0.5, True)
    """
    x, total = 1 - turn, 0.0
    for k in range(1, n + 1):  # not sum(): from Python 3.12 on it compensates its roundings
        if k * x < 1:
            total += (-1) ** (k - 1) * math.comb(n, k) * (1 - k * x) ** (n - 1)
    return total


def stable(n: int, turn: Fraction | float) -> tuple[float, float]:
    """(P, 1 - P), each to a relative error below about 4 n 1.1e-16, for every n >= 1 and 0 < turn <= 1.

    Two facts make it work, with S_1 = n (1 - x)^(n-1) the first term of the sum:

    * S_1 <= 1.  The k-th term is at most S_1^k / k! and P at least S_1 - S_1^2 / 2, so the terms add up, in absolute
      value, to at most 2 (e - 1) P = 3.44 P: the direct sum is well conditioned, and some twenty terms are enough.
    * S_1 > 1.  Then P >= 1/2, and P = 1 - ``covered(n, turn)`` loses nothing; covered adds positive products only.

    >>> stable(4, 0.5), stable(4, 0.75)
    ((0.5, 0.5), (1.0, 0.0))
    >>> "%.9g, %.3g" % stable(200, Fraction(189, 190))
    '1, 3.37e-255'
    """
    x = 1 - Fraction(turn)
    if x <= 0:
        return 1.0, 0.0
    rest = covered(n, turn)
    if math.log(n) + (n - 1) * math.log(max(float(1 - x), 1e-300)) > 0:
        return 1 - rest, rest
    total, size = [], 1.0
    for k in range(1, n + 1):
        if k * x >= 1 or size < 1e-20:  # size bounds the k-th term relative to the first
            break
        total.append((-1) ** (k - 1) * math.comb(n, k) * float(1 - k * x) ** (n - 1))
        size /= k + 1
    return math.fsum(total), rest


def covered(n: int, turn: Fraction | float) -> float:
    """1 - P = P(all n pieces <= x), by a recursion over the number of pieces that only adds positive products.

    With A_m[j] = (1 - j x)^(m-1) P(m pieces of a stick of length 1 - j x are all <= x), the recurrence of the
    cardinal B-spline (1 - P is its value at 1/x, times (n-1)! x^(n-1)) reads

        A_m[j] = (1 - j x) A_{m-1}[j] + ((m + j) x - 1) A_{m-1}[j+1],      A_1[j] = 1 where 0 < 1 - j x <= x, else 0,

    and A_n[0] is the answer.  A negative second weight only ever meets A_{m-1}[j+1] = 0.  The weights are quotients of
    integers, correctly rounded; each level then adds three roundings, hence a relative error of at most about
    3 n 1.1e-16.  Mantissas and binary exponents are kept apart: in plain doubles the A underflow from about 2000 ducks
    on, without a sign of it in the answer.

    Cost: n levels of at most min(n, 1/x) numbers.

    >>> round(covered(3, Fraction(3, 5)), 15), covered(4, Fraction(1, 2))      # 1 - 24/25 and 1 - 1/2
    (0.04, 0.5)
    """
    x = 1 - Fraction(turn)
    if n * x <= 1:  # n pieces below x cannot make a stick of length 1
        return 0.0
    a, b = x.numerator, x.denominator
    last = (b - 1) // a  # the largest j with 1 - j x > 0
    stay = np.array([(b - j * a) / b for j in range(last + 1)])
    move = np.array([max(0, i * a - b) / b for i in range(n + last + 1)])
    mantissa = np.zeros(last + 2)
    exponent = np.full(last + 2, _NOTHING, dtype=np.int64)
    mantissa[last], exponent[last] = 0.5, 1
    for m in range(2, n + 1):
        low, high = max(0, last - m + 1), min(last, n - m) + 1  # not yet reached below, no way back to 0 above
        here, next_ = slice(low, high), slice(low + 1, high + 1)
        common = np.maximum(exponent[here], exponent[next_])
        level = np.ldexp(stay[here] * mantissa[here], exponent[here] - common)
        level += np.ldexp(move[m + low : m + high] * mantissa[next_], exponent[next_] - common)
        mantissa[here], shift = np.frexp(level)
        exponent[here] = np.where(level > 0, common + shift, _NOTHING)
    return math.ldexp(float(mantissa[0]), max(int(exponent[0]), -2000))
