"""Probabilities and shares: exact binomial intervals, never a normal approximation."""

from dataclasses import dataclass
from typing import ClassVar

from suite.claims import Interval
from suite.quantities.intervals import Lean

SIMULATED_PER_ALPHA = (
    2e-5  # simulated probabilities are judged at 1e-6 family-wise where a comparison is judged at 0.05
)


def clopper_pearson(successes: float, trials: float, alpha: float) -> tuple[float, float]:
    """The exact two-sided interval of a probability (Clopper and Pearson 1934): each tail holds at most alpha/2.

    >>> low, high = clopper_pearson(0, 10, 0.05)
    >>> low, round(high, 4)
    (0.0, 0.3085)
    """
    from scipy.special import betainccinv, betaincinv

    low = float(betaincinv(successes, trials - successes + 1, alpha / 2)) if successes > 0 else 0.0
    high = float(betainccinv(successes + 1, trials - successes, alpha / 2)) if successes < trials else 1.0
    return low, high


@dataclass(frozen=True, kw_only=True)
class Binomial:
    """A probability from ``successes`` in ``trials`` independent trials, less the constant ``minus``.

    ``simulated`` probabilities (counts pooled over seeds) are judged at 1e-6 family-wise: a formula that is right must
    not be refuted now and then.  Shares of seeds (one trial a seed) are judged at the claim's alpha.
    """

    label: str
    successes: int
    trials: int
    seeds: int
    minus: float = 0.0
    leans: tuple[Lean, ...] = ()
    simulated: bool = True
    note: str = ""
    sd: float | None = None

    @property
    def budget(self) -> str:
        return "simulated" if self.simulated else "alpha"

    @property
    def n(self) -> int:
        return self.trials

    @property
    def estimate(self) -> float:
        return self.successes / self.trials - self.minus

    def interval(self, alpha: float) -> Interval:
        return self.project(self.seeds, alpha)

    def project(self, n: int, alpha: float) -> Interval:
        more = n / self.seeds
        level = alpha * SIMULATED_PER_ALPHA if self.simulated else alpha
        low, high = clopper_pearson(self.successes * more, self.trials * more, level)
        return Interval(low - self.minus, high - self.minus)

    def p_at(self, bound: float) -> float | None:
        """Twice the smaller tail at the bound; None for simulated probabilities, whose level is fixed."""
        from scipy.special import bdtr, bdtrc

        if self.simulated:
            return None
        at, k, n = bound + self.minus, self.successes, self.trials
        if not 0 <= at <= 1:
            return 0.0
        above = float(bdtrc(k - 1, n, at)) if k > 0 else 1.0
        below = float(bdtr(k, n, at))
        return min(1.0, 2 * min(above, below))

    def sign_flip(self, bound: float) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class PairedShares:
    """The difference of two shares of the same seeds, from the seeds on which the two disagree.

    With P(only the first) and P(only the second) each in its exact interval at alpha/2, the difference lies between
    the differences of their ends with probability at least 1 - alpha, whatever the dependence between the two.
    """

    budget: ClassVar[str] = "alpha"
    label: str
    only_first: int
    only_second: int
    seeds: int
    leans: tuple[Lean, ...] = ()
    note: str = ""
    sd: float | None = None

    @property
    def n(self) -> int:
        return self.seeds

    @property
    def estimate(self) -> float:
        return (self.only_first - self.only_second) / self.seeds

    def interval(self, alpha: float) -> Interval:
        return self.project(self.seeds, alpha)

    def project(self, n: int, alpha: float) -> Interval:
        more = n / self.seeds
        first = clopper_pearson(self.only_first * more, n, alpha / 2)
        second = clopper_pearson(self.only_second * more, n, alpha / 2)
        return Interval(first[0] - second[1], first[1] - second[0])

    def p_at(self, bound: float) -> float:
        """The level at which the interval just reaches the bound, by bisection of its logarithm."""
        low, high = -30.0, 0.0  # log10 alpha: the interval at 10**low holds the bound, or p is as good as 0
        if not self._holds(bound, 10**low):
            return 0.0
        if self._holds(bound, 1.0):
            return 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self._holds(bound, 10**middle) else (low, middle)
        return 10**high

    def _holds(self, bound: float, alpha: float) -> bool:
        interval = self.interval(alpha)
        return interval.low <= bound <= interval.high

    def sign_flip(self, bound: float) -> None:
        return None
