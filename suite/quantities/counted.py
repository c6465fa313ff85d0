"""Quantities that count: probabilities from pooled counts, shares of seeds."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from suite.quantities.base import Evidence, Quantity, Readable, columns, labels, of, same
from suite.quantities.intervals import Unmeasurable
from suite.quantities.shares import Binomial, PairedShares


@dataclass(frozen=True)
class Proportion(Quantity):
    """A probability from a count metric and its number of independent trials, both added up over the seeds:
    Clopper-Pearson.

    >>> from suite.quantities import proportion
    >>> str(proportion("shared", out_of="ponds"))
    'shared out of ponds, all seeds together'
    """

    name: ClassVar[str] = "proportion"
    budget: ClassVar[str] = "simulated"
    count: str
    arm: str | None = None
    out_of: str = field(kw_only=True)

    def minus_metric(self) -> str | None:
        return None

    def evidence(self, results: Readable) -> list[Evidence]:
        found: list[Evidence] = []
        minus = self.minus_metric()
        for at in self._places(results):
            counts, trials = (self._column(results, self.arm, at, metric) for metric in (self.count, self.out_of))
            trials = np.broadcast_to(trials.reshape(trials.shape + (1,) * (counts.ndim - trials.ndim)), counts.shape)
            given = np.zeros_like(counts) if minus is None else self._column(results, self.arm, at, minus)
            same(counts, given, self.count)
            leans = (self._lean(results, self.arm, at, self.count, +1),)
            for label, k, n, f in zip(
                labels(at, counts.shape[1:]), *map(columns, (counts, trials, given)), strict=True
            ):
                if (
                    (k != np.floor(k)).any()
                    or (n != np.floor(n)).any()
                    or (k < 0).any()
                    or (k > n).any()
                    or not n.sum() > 0
                ):
                    raise Unmeasurable(
                        f"{' '.join(filter(None, [self.count, label]))}: counts must be whole, from 0 to {self.out_of}"
                    )
                _independent(k, n, label or self.count)
                if (f != f[0]).any():
                    raise Unmeasurable(f"{minus} differs between seeds; a formula has one value")
                found.append(
                    Binomial(
                        label=label,
                        successes=int(k.sum()),
                        trials=int(n.sum()),
                        seeds=len(k),
                        minus=float(f[0]),
                        leans=leans,
                    )
                )
        return found

    def __str__(self) -> str:
        return f"{self.count}{of(self.arm)} out of {self.out_of}, all seeds together{self._where()}"


def _independent(k: np.ndarray, n: np.ndarray, label: str) -> None:
    """Unmeasurable when counts k [s] out of n [s], one per seed, cannot be independent trials that may be pooled.

    Equal counts at every seed say so where chance gives them less than once in 1e9 (at most (2 pi n p q)^(-1/2) for
    each seed but the first): the seeds are copies.  Counts that scatter too much say so where the chi-squared statistic
    of homogeneity has a p below 1e-12: the trials within a seed hang together.
    """
    p = float(k.sum() / n.sum())
    spread = n * p * (1 - p)
    if len(k) < 2 or spread.min() < 100:  # too few to tell
        return
    if (k == k[0]).all() and (n == n[0]).all() and (2 * np.pi * spread[0]) ** (-0.5 * (len(k) - 1)) < 1e-9:
        raise Unmeasurable(f"{label}: all {len(k)} seeds count the same {int(k[0])}; they are copies, not samples")
    from scipy.special import chdtrc

    if chdtrc(len(k) - 1, float(((k - n * p) ** 2 / spread).sum())) < 1e-12:
        raise Unmeasurable(f"{label}: the counts scatter between seeds more than independent trials would")


@dataclass(frozen=True)
class ProportionGap(Proportion):
    """A probability estimated from counts, less the value of a formula (the metric ``minus``, the same at every seed).

    >>> from suite.quantities import proportion_gap
    >>> str(proportion_gap("shared", out_of="ponds", minus="formula"))
    'shared out of ponds minus formula, all seeds together'
    """

    name: ClassVar[str] = "proportion_gap"
    minus: str = field(kw_only=True)

    def minus_metric(self) -> str | None:
        return self.minus

    def __str__(self) -> str:
        return f"{self.count}{of(self.arm)} out of {self.out_of} minus {self.minus}, all seeds together{self._where()}"


@dataclass(frozen=True)
class PairedSharesOf(Quantity):
    """The share of seeds at which a 0/1 metric is 1, or the difference of two arms' shares on the same seeds: exact,
    conservative.

    >>> from suite.quantities import paired_shares
    >>> str(paired_shares("diverged", "lion", minus="adamw"))
    'share of seeds with diverged, lion minus adamw'
    """

    name: ClassVar[str] = "paired_shares"
    metric: str
    arm: str | None = None
    minus: str | None = field(default=None, kw_only=True)

    def arms(self) -> list[str | None]:
        return [self.arm, self.minus] if self.minus is not None else [self.arm]

    def evidence(self, results: Readable) -> list[Evidence]:
        found: list[Evidence] = []
        for at in self._places(results):
            shares = [self._column(results, arm, at, self.metric) for arm in self.arms()]
            for arm, share in zip(self.arms(), shares, strict=True):
                if not np.isin(share, (0.0, 1.0)).all():
                    raise Unmeasurable(f"{self.metric}{of(arm)} must be 0 or 1 at every seed")
            a, b = shares[0], shares[-1]
            same(a, b, self.metric)
            leans = tuple(
                self._lean(results, arm, at, self.metric, sign) for arm, sign in zip(self.arms(), (1, -1), strict=False)
            )
            for label, x, y in zip(labels(at, a.shape[1:]), columns(a), columns(b), strict=True):
                if self.minus is None:
                    found.append(
                        Binomial(
                            label=label,
                            successes=int(x.sum()),
                            trials=len(x),
                            seeds=len(x),
                            leans=leans,
                            simulated=False,
                        )
                    )
                else:
                    first, second = int(((x == 1) & (y == 0)).sum()), int(((x == 0) & (y == 1)).sum())
                    found.append(
                        PairedShares(label=label, only_first=first, only_second=second, seeds=len(x), leans=leans)
                    )
        return found

    def __str__(self) -> str:
        who = f", {self.arm} minus {self.minus}" if self.minus else of(self.arm)
        return f"share of seeds with {self.metric}{who}{self._where()}"
