"""Names set beside what they name: at the ends of lines, on the lines, on marker lines; no legends."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from suite.drawing.style import GREY, RULE


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions as near as possible to ``wanted`` (rising or not), at least ``gap`` apart, inside [low, high].

    >>> spread([0.5, 0.5], 0.1, 0, 1)
    [0.45, 0.55]
    >>> spread([0.0, 0.9], 0.1, 0, 1)
    [0.0, 0.9]
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    groups: list[tuple[list[int], float]] = []  # members, centre
    for index in order:
        groups.append(([index], wanted[index]))
        while True:
            members, centre = groups[-1]
            half = gap * (len(members) - 1) / 2
            centre = min(max(centre, low + half), high - half)
            groups[-1] = (members, centre)
            if len(groups) < 2 or groups[-2][1] + gap * (len(groups[-2][0]) - 1) / 2 + gap <= centre - half + 1e-12:
                break
            before = groups[-2][0] + members
            mean = sum(wanted[i] for i in before) / len(before)
            groups[-2:] = [(before, mean)]
    placed = [0.0] * len(wanted)
    for members, centre in groups:
        for step, index in enumerate(members):
            placed[index] = round(centre + gap * (step - (len(members) - 1) / 2), 9)
    return placed


def name_lines(axes: Axes, ends: Sequence[tuple[float, str, str]], size: float = 8) -> None:
    """Direct labels: (y of the line's right end, text, colour), set to the right of the axes without overlap."""
    named = [(y, text, tint) for y, text, tint in ends if text and math.isfinite(y)]
    if not named:
        return
    heights = spread([fraction(axes, y) for y, _, _ in named], size * 1.12 / _points(axes), 0.0, 1.0)
    for (_, text, tint), at in zip(named, heights, strict=True):
        axes.annotate(
            text, (1, at), xycoords="axes fraction", xytext=(4, 0), textcoords="offset points",
            color=tint, va="center", ha="left", fontsize=size, annotation_clip=False,
        )  # fmt: skip


def _points(axes: Axes) -> float:
    """The height of the axes in points, before the layout has settled: good enough to keep names apart."""
    return float(axes.figure.get_size_inches()[1] * 72 * axes.get_position().height)


def fraction(axes: Axes, y: float) -> float:
    """Where y stands between the ends of the axis, 0 to 1."""
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        low, high, y = math.log(low), math.log(high), math.log(max(y, low))
    return min(max((y - low) / (high - low), 0.0), 1.0)


def name_inside(
    axes: Axes, lines: Sequence[tuple[np.ndarray, np.ndarray, str, str]], avoid: Sequence[float] = (), size: float = 8
) -> bool:
    """Names set on the lines themselves, each where its line is farthest from the others; (x, y, text, colour).

    For lines that run together at the right end; positions near ``avoid`` stay free.  False, and nothing is set, when
    the lines lie on different x or the right end is fine or no place is better.
    """
    if len(lines) < 2 or len(lines) > 12 or any(not np.array_equal(x, lines[0][0]) for x, *_ in lines):
        return False
    height = np.array([[fraction(axes, v) if math.isfinite(v) else math.nan for v in y] for _, y, _, _ in lines])
    need = size * 1.3 / _points(axes)
    apart = np.stack(
        [np.abs(np.delete(height, i, axis=0) - height[i]).min(axis=0) for i in range(len(lines))]
    )  # [line, x]
    if np.isfinite(apart[:, -1]).all() and apart[:, -1].min() >= need * 0.8:
        return False
    count = apart.shape[1]
    ends = axes.get_xlim()
    for x in avoid:
        apart[:, np.abs(lines[0][0] - x) < 0.06 * (ends[1] - ends[0])] = -1
    inner = slice(max(count // 12, 1), max(count - count // 12, 2))
    best = np.array([np.nanargmax(np.where(np.isnan(row[inner]), -1, row[inner])) + inner.start for row in apart])
    if count < 8 or apart[np.arange(len(lines)), best].min() < need * 0.7:
        return False
    for (x, y, text, tint), spot in zip(lines, best, strict=True):
        axes.text(
            x[spot], y[spot], text, color=tint, fontsize=size, ha="center", va="center", zorder=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip
    return True


def marks(axes: Axes, vertical: Sequence[tuple[float, str]], horizontal: Sequence[tuple[float, str]] = ()) -> None:
    """Thin marker lines with their names at the far end."""
    low, high = axes.get_xlim()
    for x, text in vertical:
        axes.axvline(x, color=RULE, linewidth=0.6, zorder=0.5)
        beside = (x - low) / (high - low) < 0.3  # the axis is named above its left end
        axes.annotate(
            text, (x, 1), xycoords=("data", "axes fraction"),
            xytext=(2, -1) if beside else (0, 1.5), textcoords="offset points",
            color=GREY, ha="left" if beside else "center", va="top" if beside else "bottom", fontsize=7.5,
        )  # fmt: skip
    for y, text in horizontal:
        axes.axhline(y, color=RULE, linewidth=0.6, zorder=0.5)
        axes.annotate(
            text,
            (0, y),
            xycoords=("axes fraction", "data"),
            xytext=(3, 1.5),
            textcoords="offset points",
            color=GREY,
            va="bottom",
            fontsize=7.5,
        )


def short(text: str, most: int = 28) -> str:
    """A name that fits: cut with an ellipsis.

    >>> short("adamw"), short("a" * 40, 8)
    ('adamw', 'aaaaaaa…')
    """
    return text if len(text) <= most else text[: most - 1] + "…"
