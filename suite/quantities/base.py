"""What all quantities share: the declaration, its cells, and the level of each cell."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from suite.claims import ContractError, Interval
from suite.quantities.intervals import Exact, Lean, Student, Unmeasurable
from suite.quantities.shares import Binomial, PairedShares

ALPHA = 0.05
Evidence = Exact | Student | Binomial | PairedShares


class Readable(Protocol):
    """What a quantity asks of the trials; ``suite.results.Results`` is one."""

    def arm(self, experiment: str, arm: str | None) -> str: ...

    def experiment(self, name: str) -> Mapping[str, Any]: ...

    def combinations(self, experiment: str, at: Mapping[str, Any], free: str | None = None) -> list[dict[str, Any]]: ...

    def column(self, experiment: str, arm: str, at: Mapping[str, Any], metric: str) -> np.ndarray: ...

    def tuning(self, experiment: str, arm: str, at: Mapping[str, Any]) -> list[dict[str, Any]]: ...


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One measured interval with what stands behind it.

    n         seeds (or, for a probability, trials)
    p_at      two-sided p of "the truth equals this bound"; None where nothing is inferred or the level is fixed
    sign_flip the same by sign flips, None where it does not apply
    """

    label: str
    interval: Interval
    estimate: float
    n: int
    sd: float | None
    p_at: Callable[[float], float | None]
    sign_flip: Callable[[float], float | None]
    evidence: Evidence


@dataclass(frozen=True)
class Measurement:
    """The simultaneous cells of one quantity."""

    cells: tuple[Cell, ...]

    @property
    def intervals(self) -> list[Interval]:
        return [cell.interval for cell in self.cells]


def levels(evidence: Sequence[Evidence], alpha: float, split: Mapping[str, int] | None = None) -> list[float]:
    """The level of each cell: alpha over the number of cells that share its budget.

    ``split`` says over how many quantities a budget is to be shared beforehand, 1 without it.
    """
    sharing = Counter(e.budget for e in evidence)
    return [alpha / (sharing[e.budget] * max(1, (split or {}).get(e.budget, 1))) for e in evidence]


def measure(evidence: Sequence[Evidence], alpha: float, split: Mapping[str, int] | None = None) -> Measurement:
    """The simultaneous intervals of some cells at ``alpha`` together (Bonferroni)."""
    return Measurement(
        tuple(
            Cell(
                label=e.label,
                interval=e.interval(level),
                estimate=e.estimate,
                n=e.n,
                sd=e.sd,
                p_at=e.p_at,
                sign_flip=e.sign_flip,
                evidence=e,
            )
            for e, level in zip(evidence, levels(evidence, alpha, split), strict=True)
        )
    )


# --- What all quantities share ------------------------------------------------------------------------


@dataclass(frozen=True)
class Quantity:
    """A declaration: ``reads`` says what it needs, ``evidence`` gathers an item per cell, calling it measures."""

    name: ClassVar[str] = ""
    # What its cells spend: the claim's "alpha", the 1e-6 of "simulated" probabilities, or "none".
    budget: ClassVar[str] = "alpha"
    grows: ClassVar[bool] = True  # False: more verdict seeds bring nothing

    experiment: str = field(default="", kw_only=True)
    at: Mapping[str, Any] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", dict(self.at) if self.at else None)
        for entry in dataclasses.fields(self):
            given = getattr(self, entry.name)
            if given == "" and entry.name != "experiment":
                raise ContractError(f"{self.name}: {entry.name}= is empty")
        arms = self.arms()
        if len(set(arms)) < len(arms):
            raise ContractError(f"{self.name}: an arm compared with itself ({arms[0]})")

    def arms(self) -> list[str | None]:
        """The arms it reads, the leading one first."""
        return [getattr(self, "arm", None)]

    def reads(self) -> list[tuple[str, str | None]]:
        """(experiment, arm) pairs; "" and None mean the only one."""
        return [(self.experiment, arm) for arm in self.arms()]

    def parts(self) -> "list[Quantity]":
        """The quantities that its cells come from: itself, or the members of an ``across``."""
        return [self]

    def evidence(self, results: Readable) -> list[Evidence]:
        raise TypeError(f"{type(self).__name__} gathers no evidence")

    def __call__(self, results: Readable, alpha: float = ALPHA) -> Measurement:
        return measure(self.evidence(results), alpha)

    def to_json(self) -> dict[str, Any]:
        """The declaration as JSON, without what stands at its default (so that a new field changes no locked rule)."""
        found: dict[str, Any] = {"quantity": self.name}
        for entry in dataclasses.fields(self):
            given = getattr(self, entry.name)
            if given != entry.default:
                found[entry.name] = dict(given) if isinstance(given, Mapping) else given
        return found

    def _where(self) -> str:
        """The end of the plain words: condition and experiment."""
        at = ", ".join(f"{k} {v}" for k, v in (self.at or {}).items())
        return (f" at {at}" if at else "") + (f" ({self.experiment})" if self.experiment else "")

    # --- Gathering -------------------------------------------------------------------------------------

    def _places(self, results: Readable, free: str | None = None) -> list[dict[str, Any]]:
        return results.combinations(self.experiment, self.at or {}, free)

    def _lean(self, results: Readable, arm: str | None, at: Mapping[str, Any], metric: str, sign: int) -> Lean:
        name = results.experiment(self.experiment)["name"]
        return Lean(name, results.arm(self.experiment, arm), tuple(at.items()), metric, sign)

    def _column(self, results: Readable, arm: str | None, at: Mapping[str, Any], metric: str) -> np.ndarray:
        return results.column(self.experiment, results.arm(self.experiment, arm), at, metric)


def labels(at: Mapping[str, Any], shape: tuple[int, ...], hide: str | None = None) -> list[str]:
    """One label per entry of a metric at a condition.

    >>> labels({"batch": 64}, ()), labels({}, (2,))
    (['batch 64'], ['[0]', '[1]'])
    """
    head = ", ".join(f"{k} {v}" for k, v in at.items() if k != hide)
    return [" ".join(filter(None, [head, "[" + ",".join(map(str, i)) + "]" if i else ""])) for i in np.ndindex(*shape)]


def columns(column: np.ndarray) -> list[np.ndarray]:
    """[n, ...] -> one [n] per entry, in the order of ``labels``."""
    return list(column.reshape(len(column), -1).T) if column.ndim > 1 else [column]


def same(a: np.ndarray, b: np.ndarray, what: str) -> None:
    if a.shape != b.shape:
        raise Unmeasurable(f"{what}: {list(a.shape[1:])} entries in one arm, {list(b.shape[1:])} in the other")


def positive(values: np.ndarray, what: str) -> None:
    bad = np.argwhere(~(values > 0))
    if len(bad):
        raise Unmeasurable(
            f"{what} is not positive at seed {bad[0][0]} ({values[tuple(bad[0])]:.6g}); a ratio or logarithm needs it"
        )


def floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def of(arm: str | None) -> str:
    return f" of {arm}" if arm else ""
