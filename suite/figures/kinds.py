"""The kinds of figures, as declarations; ``suite.drawing`` draws them."""

from dataclasses import dataclass

from suite.figures.parts import Axis, Counts, Figure, Mark, Number, require

PLAIN, SHARE = Axis(), Axis("share")


@dataclass(frozen=True, kw_only=True)
class PairedDots(Figure):
    """Each seed a line from arm to arm, means with intervals beside it, and the paired differences from the first arm.

    A condition left free gives one panel per value.  ``margin`` (low, high; None for unbounded) shades the band that
    the difference is claimed to lie in.
    """

    metric: str
    arms: tuple[str, ...]
    axis: Axis = PLAIN
    difference: bool = True
    margin: tuple[float | None, float | None] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.arms) >= 2, f"{self.title!r}: PairedDots compares at least two arms")


@dataclass(frozen=True, kw_only=True)
class Curves(Figure):
    """Lines over x: every seed thin, the mean thick, a band over the seeds.

    y         list-valued metric(s); a nested metric (a list of lists) is one line per inner list.  A single-number
              metric is drawn against the condition named by ``x``
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
    x_axis: Axis = PLAIN
    y_axis: Axis = PLAIN
    band: str = "interval"
    reference: str | tuple[str, ...] = ()
    reference_label: str = ""
    counts: Counts | None = None
    vertical: tuple[Mark, ...] = ()
    horizontal: tuple[Mark, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.band in ("interval", "range", "none"),
            f"{self.title!r}: band is interval, range or none, got {self.band!r}",
        )


@dataclass(frozen=True, kw_only=True)
class TuningCurve(Figure):
    """The tuned metric against one tuned setting (log x): every tuning seed a dot, a line per arm through the means.

    Of the other tuned settings the best is taken at every point; the chosen value is marked, and flagged at a grid's
    edge.
    """

    over: str
    arms: tuple[str, ...] = ()
    x_axis: Axis = PLAIN
    y_axis: Axis = PLAIN


@dataclass(frozen=True, kw_only=True)
class GapAgainst(Figure):
    """The paired difference ``arm - minus`` (or ratio - 1) against a condition: every seed, the mean, its interval."""

    metric: str
    arm: str
    minus: str
    condition: str
    relative: bool = False
    margin: tuple[float | None, float | None] | None = None
    x_axis: Axis = PLAIN
    y_axis: Axis = PLAIN

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
    row_axis: Axis = PLAIN
    column_axis: Axis = PLAIN
    value_axis: Axis = PLAIN
    centre: float | None = None


@dataclass(frozen=True, kw_only=True)
class Bars(Figure):
    """One number per arm: every seed a dot, the mean a bar's end, its interval drawn.

    A free condition groups the bars.  With several metrics each metric is one group.  ``published`` draws a tick at a
    number that the source prints: ((arm, value), …).
    """

    metric: str | tuple[str, ...]
    arms: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    axis: Axis = PLAIN
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
    x_axis: Axis = PLAIN
    y_axis: Axis = SHARE
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
    x_axis: Axis = PLAIN
    y_axis: Axis = PLAIN
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
