"""What figures are made of: axes, counts, and the fields that every figure has."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from suite.claims import ContractError

Number = int | float
Mark = tuple[Number, str]


def require(condition: object, message: str) -> None:
    """A figure that cannot be drawn is an error on the page, not in the report."""
    if not condition:
        raise ContractError(message)


def tuples(value: Any) -> Any:
    """Lists become tuples, all the way down: what JSON gives back equals what was declared."""
    return tuple(tuples(item) for item in value) if isinstance(value, list | tuple) else value


def kind_of(figure: type) -> str:
    """The name of a kind of figure in JSON.

    >>> kind_of(type("PairedDots", (), {}))
    'paired_dots'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", figure.__name__).lower()


@dataclass(frozen=True)
class Axis:
    """One axis: its name, its unit, its scale and, if they are to be fixed, its ends.

    >>> str(Axis("held-out loss", "nats")), str(Axis("share"))
    ('held-out loss (nats)', 'share')
    """

    label: str = ""
    unit: str = ""
    log: bool = False
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        require(
            not self.log or self.low is None or self.low > 0,
            f"axis {self.label!r}: a log axis starts above 0, got {self.low}",
        )
        require(
            self.low is None or self.high is None or self.low < self.high, f"axis {self.label!r}: low lies below high"
        )

    def __str__(self) -> str:
        return f"{self.label} ({self.unit})" if self.unit else self.label


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Simulated shares drawn as dots with exact binomial bars: list-valued ``count`` out of ``out_of``, at the list
    ``x``.

    Counts are pooled over the seeds; ``level`` is the coverage of each bar.  ``x=None`` takes the curve's own x.
    """

    count: str
    out_of: str
    x: str | tuple[Number, ...] | None = None
    level: float = 0.99

    def __post_init__(self) -> None:
        require(0 < self.level < 1, f"level= is a coverage between 0 and 1, got {self.level}")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What all figures share; not drawn itself."""

    title: str
    caption: str = ""
    experiment: str = ""
    at: Mapping[str, Any] = field(default_factory=dict)
    alt: str = ""
    small: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", MappingProxyType(dict(self.at)))
        for each in dataclasses.fields(self):  # lists read back from JSON become tuples: a figure is a value
            object.__setattr__(self, each.name, tuples(getattr(self, each.name)))
        require(self.title.strip(), f"{type(self).__name__}: a figure needs a title")

    def arms_named(self) -> tuple[str, ...]:
        """The arms that the declaration names; empty means all arms of the experiment."""
        return tuple(getattr(self, "arms", ()))

    def reads(self) -> list[tuple[str, str | None]]:
        """(experiment, arm) pairs, as quantities give them, so that a page can be checked before anything runs."""
        return [(self.experiment, arm) for arm in self.arms_named()] or [(self.experiment, None)]

    def to_json(self) -> dict[str, Any]:
        """{"figure": kind, field: value, …}; fields at their default are left out."""
        found: dict[str, Any] = {"figure": kind_of(type(self))}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if each.name == "at":
                value = dict(value)
            default = each.default_factory() if each.default_factory is not dataclasses.MISSING else each.default
            if value != default:
                found[each.name] = dataclasses.asdict(value) if isinstance(value, Axis | Counts) else value
        return found
