"""Ranks and determinants that no rounding can spoil: big decimals, a proof, and remainders modulo a prime.

Queries and keys are rounded to a grid of 1 / GRID, so that the logits are B_ij = c w_ij with whole numbers w_ij and
c = sd / (sqrt(d) GRID^2).
"""

from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

GRID = 2**16
PRIME = 2**31 - 1


class Determinant(NamedTuple):
    """sign and natural logarithm of |det|, and the decimal digits that the computation took; sign 0 means det = 0."""

    sign: int
    log: Decimal
    digits: int


# --- Big decimals ---------------------------------------------------------------------------------


def softmax(whole: np.ndarray, c: Decimal, mask: str, digits: int) -> list[list[Decimal]]:
    """Attention matrix of the logits ``c`` times whole numbers [n, n]; mask as in ``matrices.hidden``.

    >>> [[str(a) for a in row] for row in softmax(np.zeros((2, 2), int), Decimal(1), "lower", 5)]
    [['1', '0'], ['0.5', '0.5']]
    """
    sees = {"none": lambda i, j: True, "lower": lambda i, j: j <= i, "upper": lambda i, j: j >= i}[mask]
    with localcontext() as context:
        context.prec = digits
        found = []
        for i, row in enumerate(whole.tolist()):
            weights = [(c * w).exp() if sees(i, j) else Decimal(0) for j, w in enumerate(row)]
            total = sum(weights, Decimal(0))
            found.append([weight / total for weight in weights])
    return found


def eliminate(matrix: list[list[Decimal]], digits: int) -> tuple[int, Decimal]:
    """Sign and log |det| by elimination with row pivoting at ``digits`` digits; (0, 0) where a pivot is 0.

    >>> sign, log = eliminate([[Decimal(0), Decimal(2)], [Decimal(3), Decimal(1)]], 30)
    >>> sign, round(log.exp(), 20)
    (-1, Decimal('6.00000000000000000000'))
    """
    rows, sign, size = [list(row) for row in matrix], 1, Decimal(1)
    with localcontext() as context:
        context.prec = digits
        for step in range(len(rows)):
            best = max(range(step, len(rows)), key=lambda i: abs(rows[i][step]))
            pivot = rows[best][step]
            if not pivot:
                return 0, Decimal(0)
            if best != step:
                rows[step], rows[best], sign = rows[best], rows[step], -sign
            sign, size = (sign if pivot > 0 else -sign), size * abs(pivot)
            top = rows[step][step + 1 :]
            for row in rows[step + 1 :]:
                if row[step]:
                    factor = row[step] / pivot
                    row[step + 1 :] = [a - factor * b for a, b in zip(row[step + 1 :], top, strict=True)]
        return sign, size.ln()


def scale(sd: float, d: int, digits: int) -> Decimal:
    """c of the module's head, to so many digits."""
    with localcontext() as context:
        context.prec = digits
        return Decimal(sd) / (Decimal(d).sqrt() * GRID**2)


def determinant(whole: np.ndarray, sd: float, d: int, mask: str, digits: int = 60, most: int = 4000) -> Determinant:
    """The determinant of an attention matrix, at as many digits as it takes for two precisions to agree.

    60 digits and then twice as many, until sign and 15 decimals of the logarithm stay; sign 0 where ``most`` digits do
    not get there.
    """
    last = (0, Decimal(0))
    while digits <= most:
        sign, log = eliminate(softmax(whole, scale(sd, d, digits), mask, digits), digits)
        if sign and sign == last[0] and abs(log - last[1]) < Decimal("1e-15"):
            return Determinant(sign, log, digits)
        last, digits = (sign, log), 2 * digits
    return Determinant(0, Decimal(0), digits)


def log_diagonal(matrix: list[list[Decimal]], digits: int) -> Decimal:
    """sum_i log a_ii."""
    with localcontext() as context:
        context.prec = digits
        return sum((row[i].ln() for i, row in enumerate(matrix)), Decimal(0))


def linear(u: np.ndarray, v: np.ndarray, sd: float, digits: int) -> list[list[Decimal]]:
    """Causal linear attention: phi(q_i) . phi(k_j) over its sum over j <= i.

    Queries and keys are sqrt(sd) / GRID times the whole numbers u and v [n, d].

    >>> [[str(a) for a in row] for row in linear(np.zeros((2, 1), int), np.zeros((2, 1), int), 1.0, 5)]
    [['1', '0'], ['0.5', '0.5']]
    """
    with localcontext() as context:
        context.prec = digits
        step = Decimal(sd).sqrt() / GRID
        phi = [[[_feature(step * x) for x in row] for row in part.tolist()] for part in (u, v)]
        found = []
        for i, q in enumerate(phi[0]):
            weights = [
                sum(map(Decimal.__mul__, q, k), Decimal(0)) if j <= i else Decimal(0) for j, k in enumerate(phi[1])
            ]
            total = sum(weights, Decimal(0))
            found.append([weight / total for weight in weights])
        return found


def _feature(x: Decimal) -> Decimal:
    return x + 1 if x > 0 else x.exp()  # elu(x) + 1


# --- A proof --------------------------------------------------------------------------------------


def nonsingular(whole: np.ndarray) -> bool:
    """Whether a unique heaviest assignment proves det [exp(c w_ij)] != 0, for every algebraic c != 0 at once.

    The determinant is the sum over permutations p of sgn(p) exp(c sum_i w_{i p(i)}).  If one p has a larger sum than
    all others, its exponential stands alone, and by the theorem of Lindemann and Weierstrass exponentials of different
    algebraic numbers are linearly independent over the algebraic numbers: no cancellation is possible.

    The heaviest assignment p is found first.  Row i taking the column of row j loses W_ij = w_{i p(i)} - w_{i p(j)}:
    p is heaviest if no cycle of such steps loses less than 0 (then potentials h exist with W_ij + h_i >= h_j), and the
    only one if none loses exactly 0.  Whole numbers below 2^53 throughout, hence exact.

    >>> nonsingular(np.array([[2, 0], [0, 2]])), nonsingular(np.array([[1, 1], [1, 1]]))
    (True, False)
    """
    n = len(whole)
    if np.abs(whole).max() * n >= 2**53:
        raise ValueError("the whole numbers are too large for exact work in float64")
    _, column = linear_sum_assignment(whole.astype(float), maximize=True)
    loss = whole[np.arange(n), column][:, None] - whole[:, column]
    height = np.zeros(n, dtype=np.int64)
    for _ in range(n):
        lower = (height[:, None] + loss).min(axis=0)
        if (lower == height).all():
            break
        height = lower
    else:
        raise ArithmeticError("the assignment is not the heaviest one")
    tight = (loss + height[:, None] == height) & ~np.eye(n, dtype=bool)
    return connected_components(tight, directed=True, connection="strong")[0] == n


def repeated_rank(whole: np.ndarray, tokens: np.ndarray) -> int:
    """Exact rank of the bidirectional matrix of a text whose logits depend on the tokens only, w [symbols, symbols].

    Equal tokens have equal rows and columns, so that the matrix is P E P^T with E = exp(c w) over the tokens that occur
    and P [n, their number] of full column rank, rows scaled: its rank is that of E.
    """
    used = np.unique(tokens)
    if not nonsingular(whole[np.ix_(used, used)]):
        raise ArithmeticError("no proof: several assignments are heaviest")
    return len(used)


# --- Remainders -----------------------------------------------------------------------------------


def remainders(matrix: np.ndarray) -> np.ndarray:
    """A float64 matrix modulo PRIME, as what it is: fractions whose denominators are powers of 2.

    >>> remainders(np.array([[3.0, 0.0, -1.0]])).tolist() == [[3, 0, PRIME - 1]]
    True
    >>> (2 * remainders(np.array([[0.5]])) % PRIME).tolist()
    [[1]]
    """
    mantissa, exponent = np.frexp(matrix)
    steps, place = np.unique(exponent, return_inverse=True)
    power = np.array([pow(2, int(step) - 53, PRIME) for step in steps])
    return (mantissa * 2.0**53).astype(np.int64) % PRIME * power[place.reshape(matrix.shape)] % PRIME


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a b modulo PRIME, from remainders [n, d] and [d, m]."""
    total = np.zeros((len(a), b.shape[1]), dtype=np.int64)
    for column, row in zip(a.T, b, strict=True):
        total = (total + column[:, None] * row % PRIME) % PRIME
    return total


def rank_modulo(matrix: np.ndarray) -> int:
    """Rank of remainders modulo PRIME: never above the true rank, and below it with probability about n / PRIME.

    >>> rank_modulo(np.array([[1, 2], [2, 4]])), rank_modulo(np.array([[1, 2], [2, 5]]))
    (1, 2)
    """
    rows, rank = matrix % PRIME, 0
    for step in range(rows.shape[1]):
        [found, *_] = [*np.flatnonzero(rows[rank:, step]), -1]
        if found < 0:
            continue
        rows[[rank, rank + int(found)]] = rows[[rank + int(found), rank]]
        rows[rank] = rows[rank] * pow(int(rows[rank, step]), -1, PRIME) % PRIME
        below = rows[rank + 1 :, step:]
        below -= below[:, :1] * rows[rank, step:] % PRIME
        below %= PRIME
        rank += 1
        if rank == len(rows):
            break
    return rank
