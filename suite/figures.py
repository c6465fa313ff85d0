"""Figures as data: what a page asks to be drawn, and ``draw`` which turns it into SVG.

A page declares its figures, the declarations travel in the ledger's card, and the report draws them from the ledger alone.
Only the standard library is imported here; matplotlib is loaded by ``suite.drawing`` when something is really drawn.

Every figure takes

    title, caption  plain text; the caption says what to look at, units included
    experiment      the experiment's name ("" means the only one of the page)
    at              {condition: value}; conditions that are left free become panels (or the x axis, where one is named)
    alt             what the figure shows, for readers who cannot see it ("" means: made from title and caption)
    small           half the height: for figures with little to say
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from suite.claims import ContractError
from suite.errors import UserError

Number = int | float
Mark = tuple[Number, str]


def _require(condition: object, message: str) -> None:
    if not condition:
        raise ContractError(message)


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
        _require(not self.log or self.low is None or self.low > 0, f"axis {self.label!r}: a log axis starts above 0, got {self.low}")
        _require(self.low is None or self.high is None or self.low < self.high, f"axis {self.label!r}: low lies below high")

    def __str__(self) -> str:
        return f"{self.label} ({self.unit})" if self.unit else self.label


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Simulated shares drawn as dots with exact binomial bars: list-valued ``count`` out of ``out_of``, at the list ``x``.

    Counts are pooled over the seeds; ``level`` is the coverage of each bar.  ``x=None`` takes the curve's own x.
    """

    count: str
    out_of: str
    x: str | tuple[Number, ...] | None = None
    level: float = 0.99

    def __post_init__(self) -> None:
        _require(0 < self.level < 1, f"level= is a coverage between 0 and 1, got {self.level}")


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
            object.__setattr__(self, each.name, _tuples(getattr(self, each.name)))
        _require(self.title.strip(), f"{type(self).__name__}: a figure needs a title")

    def arms_named(self) -> tuple[str, ...]:
        """The arms that the declaration names; empty means all arms of the experiment."""
        return tuple(getattr(self, "arms", ()))

    def reads(self) -> list[tuple[str, str | None]]:
        """(experiment, arm) pairs, as quantities give them, so that a page can be checked before anything runs."""
        return [(self.experiment, arm) for arm in self.arms_named()] or [(self.experiment, None)]

    def to_json(self) -> dict[str, Any]:
        """{"figure": kind, field: value, …}; fields at their default are left out."""
        found: dict[str, Any] = {"figure": KIND[type(self)]}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if each.name == "at":
                value = dict(value)
            default = each.default_factory() if each.default_factory is not dataclasses.MISSING else each.default
            if value != default:
                found[each.name] = dataclasses.asdict(value) if isinstance(value, Axis | Counts) else value
        return found


@dataclass(frozen=True, kw_only=True)
class PairedDots(Figure):
    """Each seed a line from arm to arm, means with intervals beside it, and the paired differences from the first arm.

    A condition left free gives one panel per value.  ``margin`` (low, high; None for unbounded) shades the band that the
    difference is claimed to lie in.
    """

    metric: str
    arms: tuple[str, ...]
    axis: Axis = Axis()
    difference: bool = True
    margin: tuple[float | None, float | None] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(len(self.arms) >= 2, f"{self.title!r}: PairedDots compares at least two arms")


@dataclass(frozen=True, kw_only=True)
class Curves(Figure):
    """Lines over x: every seed thin, the mean thick, a band over the seeds.

    y         list-valued metric(s); a nested metric (a list of lists) is one line per inner list.  A single-number metric
              is drawn against the condition named by ``x``
    x         list-valued metric, constant numbers, or the name of a condition
    labels    names of the lines, in the order metrics x inner lists
    arms      () means all; one line per arm (and per metric, and per inner list)
    by        a condition that gives one line per value instead of one panel
    band      "interval" (95 % t interval of the mean), "range" (least to greatest seed) or "none"
    reference metric(s) drawn dashed and grey: what theory says; ``reference_label`` names them
    counts    simulated shares as dots with exact binomial bars, on top of the lines
    vertical, horizontal   ((position, "label"), …) marker lines
    """

    y: str | tuple[str, ...]
    x: str | tuple[Number, ...]
    labels: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    by: str = ""
    x_axis: Axis = Axis()
    y_axis: Axis = Axis()
    band: str = "interval"
    reference: str | tuple[str, ...] = ()
    reference_label: str = ""
    counts: Counts | None = None
    vertical: tuple[Mark, ...] = ()
    horizontal: tuple[Mark, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(self.band in ("interval", "range", "none"), f"{self.title!r}: band is interval, range or none, got {self.band!r}")


@dataclass(frozen=True, kw_only=True)
class TuningCurve(Figure):
    """The tuned metric against one tuned setting (log x): every tuning seed a dot, a line per arm through the means.

    Of the other tuned settings the best is taken at every point; the chosen value is marked, and flagged at a grid's edge.
    """

    over: str
    arms: tuple[str, ...] = ()
    x_axis: Axis = Axis()
    y_axis: Axis = Axis()


@dataclass(frozen=True, kw_only=True)
class GapAgainst(Figure):
    """The paired difference ``arm - minus`` (or ratio - 1) against a condition: every seed, the mean, its interval."""

    metric: str
    arm: str
    minus: str
    condition: str
    relative: bool = False
    margin: tuple[float | None, float | None] | None = None
    x_axis: Axis = Axis()
    y_axis: Axis = Axis()

    def arms_named(self) -> tuple[str, ...]:
        return (self.arm, self.minus)


@dataclass(frozen=True, kw_only=True)
class Forest(Figure):
    """The measured interval of every cell of the named claims (() means all) against the claimed band."""

    claims: tuple[str, ...] = ()

    def reads(self) -> list[tuple[str, str | None]]:
        return []


@dataclass(frozen=True, kw_only=True)
class HeatMap(Figure):
    """Numbers on a grid, written into their fields; the mean over the seeds.

    rows, columns  condition names (a single-number metric) or the labels of a nested metric's outer and inner lists
    """

    metric: str
    rows: str | tuple[str | Number, ...]
    columns: str | tuple[str | Number, ...]
    arms: tuple[str, ...] = ()
    row_axis: Axis = Axis()
    column_axis: Axis = Axis()
    value_axis: Axis = Axis()
    centre: float | None = None


@dataclass(frozen=True, kw_only=True)
class Bars(Figure):
    """One number per arm: every seed a dot, the mean a bar's end, its interval drawn.

    A free condition groups the bars.  With several metrics each metric is one group.  ``published`` draws a tick at a number
    that the source prints: ((arm, value), …).
    """

    metric: str | tuple[str, ...]
    arms: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    axis: Axis = Axis()
    published: tuple[tuple[str, Number], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Histogram(Figure):
    """List-valued counts per arm, summed over the seeds: one panel per arm and metric; each seed a thin outline.

    ``edges`` has one entry more than a list of counts.  Shares of each arm's total are drawn.
    """

    counts: str | tuple[str, ...]
    edges: str | tuple[Number, ...]
    arms: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    x_axis: Axis = Axis()
    y_axis: Axis = Axis("share")
    vertical: tuple[Mark, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StackedBars(Figure):
    """Parts of a sum over x: positive parts stack upwards, negative ones downwards, the sum is a line.

    parts   list-valued metrics, or one nested metric [part][x]; means over the seeds
    """

    parts: str | tuple[str, ...]
    x: str | tuple[Number, ...]
    labels: tuple[str, ...] = ()
    arm: str = ""
    x_axis: Axis = Axis()
    y_axis: Axis = Axis()
    total: str = "sum"
    vertical: tuple[Mark, ...] = ()

    def arms_named(self) -> tuple[str, ...]:
        return (self.arm,) if self.arm else ()


@dataclass(frozen=True, kw_only=True)
class Table(Figure):
    """List-valued metrics as the columns of a table, or single-number metrics with one row per arm and condition.

    columns  ((metric, "heading"), …) or metric names; means over the seeds
    rows     labels of the rows of list-valued metrics
    digits   significant digits
    """

    columns: tuple[str | tuple[str, str], ...]
    rows: tuple[str | Number, ...] = ()
    rows_label: str = ""
    arms: tuple[str, ...] = ()
    digits: int = 4


KIND: dict[type, str] = {
    PairedDots: "paired_dots",
    Curves: "curves",
    TuningCurve: "tuning_curve",
    GapAgainst: "gap_against",
    Forest: "forest",
    HeatMap: "heat_map",
    Bars: "bars",
    Histogram: "histogram",
    StackedBars: "stacked_bars",
    Table: "table",
}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def from_json(data: Mapping[str, Any]) -> Figure:
    """The figure that ``to_json`` wrote.

    >>> figure = TuningCurve(title="Loss against rate", over="lr", x_axis=Axis("learning rate", log=True))
    >>> from_json(figure.to_json()) == figure
    True
    """
    kinds = {name: kind for kind, name in KIND.items()}
    kind = kinds.get(data.get("figure", ""))
    if kind is None:
        raise UserError(f"a figure is one of {', '.join(sorted(kinds))}; got {data.get('figure')!r}")
    fields = {key: value for key, value in data.items() if key != "figure"}
    unknown = set(fields) - {each.name for each in dataclasses.fields(kind)}
    if unknown:
        raise UserError(f"figure {data['figure']} has no {', '.join(sorted(unknown))}; was it written by a newer version?")
    for name, value in fields.items():
        if isinstance(value, Mapping) and name != "at":
            fields[name] = Counts(**value) if "count" in value else Axis(**value)
    return kind(**fields)


def draw(figure: Figure, ledger: Mapping[str, Any]) -> bytes:
    """The figure as SVG: the same bytes for the same figure and ledger.

    UserError when the ledger lacks what the figure reads (the message names the figure and what is missing).
    """
    from suite.drawing import draw as render  # matplotlib costs a second: not at import

    return render(figure, ledger)
