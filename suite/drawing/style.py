"""The one style sheet of all figures: sizes, colours, axes, labels set beside what they name.

Colours are Okabe and Ito's, darkened where they are too light for thin lines, so that they stay apart for colour-blind
readers and in grey; arms differ by marker too.  Text is written as text in Claim Sans, the face that the report sets
its tables in.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from suite.figures import Axis

MM = 1 / 25.4
COLUMN, FULL = 118 * MM, 170 * MM  # the report's text column and its full measure
TALLEST = 225 * MM  # what a page holds beside the caption
INK, GREY, PALE, RULE = "#222222", "#6b6b6b", "#c9c9c9", "#9a9a9a"
COLOURS = ("#0072B2", "#D55E00", "#00805e", "#a8568a", "#8a6d00", "#3b4a6b")
MARKERS = ("o", "s", "^", "D", "v", "P")
BAND = "#f1e8cf"  # where the source says the number lies
FAMILY = "Claim Sans"
RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "claims",
    "font.family": [FAMILY, "Claim Symbols", "Claim CJK"],
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "text.color": INK,
    "axes.labelcolor": GREY,
    "axes.edgecolor": RULE,
    "axes.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.pad": 2.5,
    "ytick.major.pad": 2.5,
    "axes.labelpad": 3,
    "lines.linewidth": 1.3,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "mathtext.fontset": "dejavusans",
    "path.simplify": False,
}


def load_fonts() -> None:
    """Make the bundled faces known to matplotlib, once."""
    folder = Path(__file__).resolve().parent.parent / "report" / "fonts"
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in sorted(folder.glob("Claim*.otf")):
        if str(path) not in known:
            font_manager.fontManager.addfont(str(path))


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def ramp(count: int) -> list[str]:
    """Colours for lines that have an order: cividis, without its light end."""
    chosen = matplotlib.colormaps["cividis"](np.linspace(0.0, 0.7, max(count, 2)))[:count]
    return [matplotlib.colors.to_hex(one) for one in chosen]


def sheet(rows: int, columns: int, *, width: float, height: float, **grid: Any) -> tuple[Canvas, list[list[Axes]]]:
    """A canvas with rows x columns axes; sizes in inches."""
    canvas = Canvas(figsize=(width, height), layout="constrained")
    canvas.get_layout_engine().set(w_pad=0.02, h_pad=0.03, wspace=0.06, hspace=0.06)  # type: ignore[union-attr]
    axes = canvas.subplots(rows, columns, squeeze=False, **grid)
    return canvas, axes.tolist()


def panels(count: int, *, height: float = 52 * MM, small: bool = False, **grid: Any) -> tuple[Canvas, list[Axes]]:
    """A canvas for ``count`` panels, at most three in a row; one panel takes the text column."""
    if small:
        height *= 0.62
    if count == 1:
        canvas, axes = sheet(1, 1, width=COLUMN, height=min(height * 1.16, TALLEST), **grid)
        return canvas, axes[0]
    columns = min(count, 3) if count != 4 else 2
    rows = math.ceil(count / columns)
    canvas, axes = sheet(rows, columns, width=FULL, height=min(height * rows, TALLEST), **grid)
    flat = [one for row in axes for one in row]
    for spare in flat[count:]:
        spare.set_visible(False)
    return canvas, flat[:count]


def number(value: float) -> str:
    """A tick: 0.003, 64, 2 000 000 -> 2·10⁶; powers written with superscripts, a real minus.

    >>> number(0.003), number(-64.0), number(1e-5), number(3e7), number(0.0)
    ('0.003', '−64', '10⁻⁵', '3·10⁷', '0')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    magnitude = abs(value)
    if 1e-3 <= magnitude < 1e5:
        return f"{value:.6g}".replace("-", "−")
    exponent = math.floor(math.log10(magnitude) + 1e-9)
    mantissa = f"{value / 10**exponent:.3g}".replace("-", "−")
    power = "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if mantissa == "1" else f"−{power}" if mantissa == "−1" else f"{mantissa}·{power}"


class Decades(LogLocator):
    """Powers of ten; 1, 2 and 5 of each where fewer than two powers are in view, which would leave an axis without
    numbers.
    """

    def tick_values(self, vmin: float, vmax: float) -> Any:
        powers = math.floor(math.log10(vmax) + 1e-9) - math.ceil(math.log10(vmin) - 1e-9) + 1 if 0 < vmin < vmax else 2
        self.set_params(subs=(1.0,) if powers > 1 else (1.0, 2.0, 5.0))
        return super().tick_values(vmin, vmax)


def dress(axes: Axes, x: Axis | None, y: Axis | None, *, title: str = "") -> None:
    """Names, scales, ends and ticks.  The y axis is named above its top, horizontally: nobody reads sideways."""
    if x is not None:
        _scale(axes, "x", x)
        axes.set_xlabel(str(x))
    if y is not None:
        _scale(axes, "y", y)
    name = "" if y is None else str(y)
    if title:
        axes.set_title(title, loc="left", color=INK, fontweight="bold", pad=15 if name else 5)
    if name:
        axes.annotate(
            name,
            (0, 1),
            xycoords="axes fraction",
            xytext=(0, 4),
            textcoords="offset points",
            color=GREY,
            ha="left",
            va="bottom",
        )


def _scale(axes: Axes, which: str, axis: Axis) -> None:
    line = axes.xaxis if which == "x" else axes.yaxis
    setter = axes.set_xlim if which == "x" else axes.set_ylim
    if axis.log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        line.set_minor_formatter(NullFormatter())
        line.set_minor_locator(NullLocator())
        line.set_major_locator(Decades(numticks=7))
    else:
        line.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    line.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    if axis.low is not None or axis.high is not None:
        setter(axis.low, axis.high)


def ticks_at(axes: Axes, which: str, values: Iterable[float], labels: Sequence[str] | None = None) -> None:
    """Ticks at the values that were measured, and nowhere else."""
    line = axes.xaxis if which == "x" else axes.yaxis
    values = list(values)
    names = [number(v) for v in values] if labels is None else list(labels)
    line.set_major_locator(FixedLocator(values))
    line.set_major_formatter(
        FuncFormatter(
            lambda value, _: next((n for v, n in zip(values, names, strict=True) if np.isclose(v, value)), "")
        )
    )
    line.set_minor_locator(NullLocator())


def claimed_band(axes: Axes, margin: tuple[float | None, float | None] | None, which: str = "y") -> None:
    """Shade where the claim says the number lies; the view keeps its ends."""
    if margin is None:
        return
    view = axes.get_ylim() if which == "y" else axes.get_xlim()
    low = view[0] if margin[0] is None else margin[0]
    high = view[1] if margin[1] is None else margin[1]
    low, high = max(low, view[0]), min(high, view[1])
    if low < high:
        (axes.axhspan if which == "y" else axes.axvspan)(low, high, color=BAND, linewidth=0, zorder=0)
    for end in margin:
        if end is not None and view[0] <= end <= view[1]:
            (axes.axhline if which == "y" else axes.axvline)(end, color="#b89b4a", linewidth=0.6, zorder=0.4)
    (axes.set_ylim if which == "y" else axes.set_xlim)(*view)
