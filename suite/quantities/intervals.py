"""From per-seed numbers to an interval: the statistics that every quantity rests on.

One object per cell: ``Exact`` (no inference) and ``Student`` (a mean over seeds) here, ``Binomial`` (a probability) and
``PairedShares`` (a difference of two shares of the same seeds) in ``shares``.  Each answers the same questions: its
interval at a level, the p value of a bound, the sign-flip check, and the interval that more seeds would give.  Sums
are correctly rounded, so that a number does not depend on the order or the threads of a summation.  scipy is loaded
when the first interval is asked for.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from suite.claims import Interval

_ENUMERATED = 32  # sign flips are enumerated up to this many seeds, drawn at random beyond


class Unmeasurable(Exception):
    """The evidence does not allow a judgement; the message says which arm, condition and seeds, and why."""


@dataclass(frozen=True)
class Lean:
    """A cell's number rises (+1) or falls (-1) with the metric of an arm at a condition; 0 means it is not known."""

    experiment: str
    arm: str
    at: tuple[tuple[str, object], ...]
    metric: str
    sign: int


# --- A mean over seeds --------------------------------------------------------------------------------


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (n - 1), correctly rounded sums.

    >>> mean_and_sd([1.0, 2.0, 3.0])
    (2.0, 1.0)
    """
    n = len(values)
    mean = math.fsum(values) / n
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))


def t_quantile(df: int, alpha: float) -> float:
    """The two-sided quantile t with P(|T| > t) = alpha at ``df`` degrees of freedom (Student 1908).

    >>> round(t_quantile(15, 0.05), 4)
    2.1314
    """
    from scipy.special import stdtrit

    return -float(stdtrit(df, alpha / 2))


def sign_flip_p(values: Sequence[float], bound: float) -> float:
    """Two-sided p of "the values are symmetric about ``bound``": the share of sign patterns with a sum at least as
    far from 0 (Fisher 1935).

    Exact up to 32 values (both halves enumerated, the pairs counted by sorting); beyond, 99 999 fixed random patterns
    and the observed one.  Below 6 values it cannot fall under 0.05.

    >>> sign_flip_p([1.0, 2.0, 3.0], 0.0)
    0.25
    """
    x = np.asarray(values, dtype=float) - bound
    n = len(x)
    # Sums that are equal but for the order of their terms count as equal.
    slack = 4 * n * sys.float_info.epsilon * float(np.abs(x).sum())
    reach = abs(math.fsum(x)) - slack
    if reach <= 0:
        return 1.0
    if n > _ENUMERATED:
        signs = np.random.default_rng(0).choice((-1.0, 1.0), size=(99_999, n))
        return (1 + int((np.abs(signs @ x) >= reach).sum())) / 100_000
    left, right = _sums(x[: n // 2]), np.sort(_sums(x[n // 2 :]))
    above = len(right) * len(left) - int(np.searchsorted(right, reach - left, side="left").sum())
    return 2 * above / 2**n


def _sums(x: np.ndarray) -> np.ndarray:
    """All 2^len(x) sums of +-x."""
    sums = np.zeros(1)
    for value in x:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def holm(p: Sequence[float], known: int | None = None) -> list[float]:
    """Adjusted p values of a family (Holm 1979): the smallest times m, the next times m - 1, and so on, made to rise.

    ``known`` is the size m of the family when some of its members are not listed (they count as never rejected).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    m = len(p) if known is None else known
    adjusted, running = [0.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        running = max(running, min(1.0, (m - rank) * p[index]))
        adjusted[index] = running
    return adjusted


@dataclass(frozen=True, kw_only=True)
class Student:
    """The mean of one number per seed, judged by Student's t.

    interval = mean +- t(n - 1, alpha) sd sqrt(1/n), or sqrt(1 + 1/n) where ``new`` asks for one further seed.
    ``log`` says that the values are logarithms to this base and the interval is wanted of the antilogarithm.
    ``open_low`` / ``open_high``: nothing is known on that side (an optimum at the edge of its grid).
    """

    budget: ClassVar[str] = "alpha"
    label: str
    values: tuple[float, ...]
    leans: tuple[Lean, ...] = ()
    new: bool = False
    log: float | None = None
    open_low: bool = False
    open_high: bool = False
    note: str = ""
    magnitude: float = 0.0  # the largest number that entered a value, which sets its rounding error

    def __post_init__(self) -> None:
        where = f"{self.label}: " if self.label else ""
        if len(self.values) < 2:
            raise Unmeasurable(f"{where}one seed gives no interval; at least 2 are needed")
        if not all(map(math.isfinite, self.values)):
            raise Unmeasurable(f"{where}a value over the seeds is not finite")
        spread = max(self.values) - min(self.values)
        if spread <= 4 * sys.float_info.epsilon * max(self.magnitude, *map(abs, self.values)) and not (
            self.open_low and self.open_high
        ):
            raise Unmeasurable(
                f"{where}zero variance over {self.n} seeds (all give {self.values[0]:.6g}) where variance is due"
            )

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def sd(self) -> float:
        return mean_and_sd(self.values)[1]

    @property
    def estimate(self) -> float:
        return self._back(mean_and_sd(self.values)[0])

    def interval(self, alpha: float) -> Interval:
        return self.project(self.n, alpha)

    def project(self, n: int, alpha: float) -> Interval:
        """The interval that ``n`` seeds with this mean and standard deviation would give."""
        mean, sd = mean_and_sd(self.values)
        half = t_quantile(n - 1, alpha) * sd * math.sqrt(1 / n + self.new)
        low = -math.inf if self.open_low else mean - half
        high = math.inf if self.open_high else mean + half
        return Interval(self._back(low), self._back(high))

    def p_at(self, bound: float) -> float:
        """Two-sided p of "the truth (for ``new``: the next seed) is ``bound``": the level whose interval ends there."""
        from scipy.special import stdtr

        mean, sd = mean_and_sd(self.values)
        at = self.scaled(bound)
        if math.isinf(at):
            return 0.0
        if (self.open_low and at < mean) or (self.open_high and at > mean):
            return 1.0
        if sd == 0:  # only where both sides are open, and then at == mean
            return 1.0
        return 2 * float(stdtr(self.n - 1, -abs(mean - at) / (sd * math.sqrt(1 / self.n + self.new))))

    def sign_flip(self, bound: float) -> float | None:
        at = self.scaled(bound)
        if self.new or self.open_low or self.open_high:
            return None
        return sign_flip_p(self.values, at) if math.isfinite(at) else 0.5 ** (self.n - 1)

    def scaled(self, bound: float) -> float:
        """A bound of the claim on the scale of ``values``."""
        if self.log is None:
            return bound
        return math.log(bound, self.log) if bound > 0 else -math.inf

    def _back(self, value: float) -> float:
        if self.log is None or value == math.inf:
            return value
        try:
            return math.exp(value * math.log(self.log))
        except OverflowError:
            return math.inf


# --- No inference -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Exact:
    """The range of a number over the seeds, as it stands: for identities, counts and tables, where seeds must agree."""

    budget: ClassVar[str] = "none"
    label: str
    values: tuple[float, ...]
    leans: tuple[Lean, ...] = ()
    note: str = ""
    sd: float | None = None

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def estimate(self) -> float:
        return math.fsum(self.values) / len(self.values) if min(self.values) < max(self.values) else self.values[0]

    def interval(self, alpha: float) -> Interval:
        return Interval(min(self.values), max(self.values))

    def project(self, n: int, alpha: float) -> Interval:
        return self.interval(alpha)

    def p_at(self, bound: float) -> None:
        return None

    def sign_flip(self, bound: float) -> None:
        return None
