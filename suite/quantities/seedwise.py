"""Quantities with one number per seed: values, means, paired gaps, ratios, slopes, predictions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from suite.claims import ContractError
from suite.quantities.base import Evidence, Quantity, Readable, columns, floats, labels, of, positive, same
from suite.quantities.intervals import Exact, Lean, Student, Unmeasurable


@dataclass(frozen=True)
class _OfOne(Quantity):
    """A metric of one arm as it stands."""

    metric: str
    arm: str | None = None

    def _entries(self, results: Readable) -> Iterator[tuple[str, tuple[float, ...], tuple[Lean, ...]]]:
        """(label, values over the seeds, leans) of every cell."""
        for at in self._places(results):
            column = self._column(results, self.arm, at, self.metric)
            leans = (self._lean(results, self.arm, at, self.metric, +1),)
            for label, values in zip(labels(at, column.shape[1:]), columns(column), strict=True):
                yield label, floats(values), leans


@dataclass(frozen=True)
class Value(_OfOne):
    """The number itself: [min, max] over the seeds, nothing inferred.

    >>> from suite.quantities import value
    >>> str(value("error", experiment="identity"))
    'error, over all seeds (identity)'
    """

    name: ClassVar[str] = "value"
    budget: ClassVar[str] = "none"

    def evidence(self, results: Readable) -> list[Evidence]:
        return [Exact(label=label, values=v, leans=leans) for label, v, leans in self._entries(results)]

    def __str__(self) -> str:
        return f"{self.metric}{of(self.arm)}, over all seeds{self._where()}"


@dataclass(frozen=True)
class Mean(_OfOne):
    """The mean over seeds of one arm's metric: t interval, mean +- t s / sqrt(n).

    >>> from suite.quantities import mean
    >>> str(mean("cosine", "adam", at={"batch": 64}))
    'mean cosine of adam at batch 64'
    """

    name: ClassVar[str] = "mean"
    new: ClassVar[bool] = False

    def evidence(self, results: Readable) -> list[Evidence]:
        return [Student(label=label, values=v, leans=leans, new=self.new) for label, v, leans in self._entries(results)]

    def __str__(self) -> str:
        return f"mean {self.metric}{of(self.arm)}{self._where()}"


@dataclass(frozen=True)
class Prediction(Mean):
    """What one new seed would give: mean +- t s sqrt(1 + 1/n), to hold a single published number against.

    >>> from suite.quantities import prediction
    >>> str(prediction("loss"))
    'loss of one new seed'
    """

    name: ClassVar[str] = "prediction"
    new: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"{self.metric}{of(self.arm)} of one new seed{self._where()}"


@dataclass(frozen=True)
class PairedGap(Quantity):
    """The mean over seeds of a_i - b_i (``relative``: of a_i / b_i - 1), a the arm and b ``minus``, on the same
    seeds: t interval.

    >>> from suite.quantities import paired_gap
    >>> str(paired_gap("loss", "adamw", minus="lion"))
    'loss of adamw minus that of lion, seed by seed'
    """

    name: ClassVar[str] = "paired_gap"
    metric: str
    arm: str
    minus: str = field(kw_only=True)
    relative: bool = field(default=False, kw_only=True)

    def arms(self) -> list[str | None]:
        return [self.arm, self.minus]

    def evidence(self, results: Readable) -> list[Evidence]:
        found: list[Evidence] = []
        for at in self._places(results):
            a, b = (self._column(results, arm, at, self.metric) for arm in (self.arm, self.minus))
            same(a, b, self.metric)
            if self.relative:
                positive(b, f"{self.metric} of {self.minus}")
            values = a / b - 1 if self.relative else a - b
            size = np.maximum(np.abs(a / b), 1.0) if self.relative else np.maximum(np.abs(a), np.abs(b))
            down = -1 if not self.relative or (a > 0).all() else 0
            leans = (
                self._lean(results, self.arm, at, self.metric, +1),
                self._lean(results, self.minus, at, self.metric, down),
            )
            for label, v, s in zip(labels(at, a.shape[1:]), columns(values), columns(size), strict=True):
                found.append(Student(label=label, values=floats(v), leans=leans, magnitude=float(s.max())))
        return found

    def __str__(self) -> str:
        if self.relative:
            return f"{self.metric} of {self.arm} over that of {self.minus}, minus 1, seed by seed{self._where()}"
        return f"{self.metric} of {self.arm} minus that of {self.minus}, seed by seed{self._where()}"


@dataclass(frozen=True)
class Ratio(Quantity):
    """The geometric mean over seeds of a_i / b_i, a the arm and b ``over``: t interval of the logarithm, exponentiated.

    >>> from suite.quantities import ratio
    >>> str(ratio("seconds", "lion", over="adamw"))
    'seconds of lion over that of adamw, seed by seed'
    """

    name: ClassVar[str] = "ratio"
    metric: str
    arm: str
    over: str = field(kw_only=True)

    def arms(self) -> list[str | None]:
        return [self.arm, self.over]

    def evidence(self, results: Readable) -> list[Evidence]:
        found: list[Evidence] = []
        for at in self._places(results):
            a, b = (self._column(results, arm, at, self.metric) for arm in (self.arm, self.over))
            same(a, b, self.metric)
            for arm, column in ((self.arm, a), (self.over, b)):
                positive(column, f"{self.metric} of {arm}")
            leans = (
                self._lean(results, self.arm, at, self.metric, +1),
                self._lean(results, self.over, at, self.metric, -1),
            )
            for label, v in zip(labels(at, a.shape[1:]), columns(np.log(a) - np.log(b)), strict=True):
                found.append(Student(label=label, values=floats(v), leans=leans, log=math.e, magnitude=1.0))
        return found

    def __str__(self) -> str:
        return f"{self.metric} of {self.arm} over that of {self.over}, seed by seed{self._where()}"


@dataclass(frozen=True)
class Slope(Quantity):
    """The least-squares slope of a metric (or of arm - ``minus``) against the values of a condition, one slope per
    seed: t interval.

    ``log_x`` 2 or 10 takes the logarithm of the condition to that base; ``log_y`` the logarithm of the metric (to the
    same base, or natural), so that with both the slope is a scaling exponent.

    >>> from suite.quantities import slope
    >>> str(slope("loss", "lion", minus="adamw", over="batch", log_x=2))
    'slope of loss of lion minus that of adamw against log2 batch, seed by seed'
    """

    name: ClassVar[str] = "slope"
    metric: str
    arm: str | None = None
    minus: str | None = field(default=None, kw_only=True)
    over: str = field(kw_only=True)
    log_x: int | None = field(default=None, kw_only=True)
    log_y: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.log_x not in (None, 2, 10):
            raise ContractError(f"slope: log_x= is 2, 10 or None, got {self.log_x!r}")
        if self.minus is not None and self.arm is None:
            raise ContractError("slope: minus= needs an arm to be taken from")

    def arms(self) -> list[str | None]:
        return [self.arm, self.minus] if self.minus is not None else [self.arm]

    def evidence(self, results: Readable) -> list[Evidence]:
        found: list[Evidence] = []
        values = [at[self.over] for at in self._places(results) if self.over in at]
        steps = [v for i, v in enumerate(values) if v not in values[:i]]
        for rest in self._places(results, free=self.over):
            x = np.asarray([float(step) for step in steps])
            if self.log_x:
                positive(x, self.over)
                x = np.log(x) / math.log(self.log_x)
            x = x - x.mean()
            if len(steps) < 2 or not (x**2).sum() > 0:
                raise Unmeasurable(
                    f"a slope needs at least two values of {self.over}, got {', '.join(map(str, steps))}"
                )
            weights = x / (x**2).sum()
            total: np.ndarray | None = None
            leans: list[Lean] = []
            size = 0.0
            for arm, sign in zip(self.arms(), (1, -1), strict=False):
                for weight, step in zip(weights, steps, strict=True):
                    at = {**rest, self.over: step}
                    y = self._scaled(self._column(results, arm, at, self.metric), arm)
                    total = np.zeros_like(y) if total is None else total
                    same(total, y, self.metric)
                    total = total + sign * weight * y
                    size = max(size, float(np.abs(weight * y).max()))
                    if abs(weight) > 1e-9 * np.abs(weights).max():  # the middle has none, but for rounding
                        leans.append(self._lean(results, arm, at, self.metric, sign * (1 if weight > 0 else -1)))
            assert total is not None
            for label, v in zip(labels(rest, total.shape[1:]), columns(total), strict=True):
                found.append(Student(label=label, values=floats(v), leans=tuple(leans), magnitude=size))
        return found

    def _scaled(self, y: np.ndarray, arm: str | None) -> np.ndarray:
        if not self.log_y:
            return y
        positive(y, f"{self.metric}{of(arm)}")
        return np.log(y) / math.log(self.log_x or math.e)

    def __str__(self) -> str:
        what = f"{self.metric}{of(self.arm)}" + (f" minus that of {self.minus}" if self.minus else "")
        y = f"log {what}" if self.log_y else what
        return (
            f"slope of {y} against {f'log{self.log_x} ' if self.log_x else ''}{self.over}, seed by seed{self._where()}"
        )
