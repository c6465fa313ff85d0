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


def _points(axes: Axes, which: str = "y") -> float:
    """The extent of the axes in points, before the layout has settled: good enough to keep names apart."""
    sheet, box = axes.figure.bbox, axes.get_position()
    dots = sheet.height * box.height if which == "y" else sheet.width * box.width
    return float(dots * 72 / axes.figure.dpi)


def fraction(axes: Axes, value: float, which: str = "y") -> float:
    """Where a value stands between the ends of its axis, 0 to 1."""
    low, high = axes.get_ylim() if which == "y" else axes.get_xlim()
    if (axes.get_yscale() if which == "y" else axes.get_xscale()) == "log":
        low, high, value = math.log(low), math.log(high), math.log(max(value, low))
    return min(max((value - low) / (high - low), 0.0), 1.0)


def name_inside(
    axes: Axes,
    lines: Sequence[tuple[np.ndarray, np.ndarray, str, str]],
    avoid: Sequence[float] = (),
    *,
    ordered: bool = False,
    size: float = 8,
) -> bool:
    """Names set on or beside the lines themselves, each where it is farthest from other lines; (x, y, text, colour).

    For lines that run together at the right end; positions near ``avoid`` are taken only where others are worse.  Of
    ``ordered`` lines those between may go without a name.  False, and nothing is set, when the right end is fine or
    when names would touch other lines.
    """
    if not 2 <= len(lines) <= 12 or any(len(x) < 8 for x, *_ in lines):
        return False
    ends = sorted(fraction(axes, float(y[np.isfinite(y)][-1])) for _, y, _, _ in lines if np.isfinite(y).any())
    if len(ends) == len(lines) and min(np.diff(ends)) * _points(axes) >= size:
        return False
    paths = [_path(axes, x, y) for x, y, _, _ in lines]
    kept = [fraction(axes, x, "x") * _points(axes, "x") for x in avoid]
    chosen: dict[int, tuple[float, float, float]] = {}  # across, up, half the name's width
    for index in [0, len(lines) - 1, *range(1, len(lines) - 1)]:  # the outer ones first: they frame the family
        spot = _spot(paths, index, 0.27 * size * max(len(lines[index][2]), 2), size, kept, list(chosen.values()))
        if spot is not None:
            chosen[index] = spot
        elif not ordered or index in (0, len(lines) - 1):
            return False
    if len(chosen) < min(3, len(lines)):
        return False
    for index, (across, up, _) in chosen.items():
        axes.text(
            across / _points(axes, "x"), up / _points(axes), lines[index][2], transform=axes.transAxes,
            color=lines[index][3], fontsize=size, ha="center", va="center", zorder=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip
    return True


def _path(axes: Axes, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A line in points, resampled: how near a name comes to a line is a matter of the page, not of the data."""
    across = np.array([fraction(axes, v, "x") for v in x]) * _points(axes, "x")
    up = np.array([fraction(axes, v) if math.isfinite(v) else math.nan for v in y]) * _points(axes)
    places = np.linspace(across.min(), across.max(), 240)
    return places, np.interp(places, across, up)


def _spot(
    paths: Sequence[tuple[np.ndarray, np.ndarray]],
    index: int,
    half: float,
    size: float,
    kept: Sequence[float],
    taken: Sequence[tuple[float, float, float]],
) -> tuple[float, float, float] | None:
    """The best place for a name: on its line, or to the right or left of it where the line is steep."""
    places, up = paths[index]
    best, found = 0.6 * size, None
    for shift in (0.0, half + 7, -half - 7):
        across = places + shift
        free = np.full(len(places), 3.0 * size)
        for other, (theirs, height) in enumerate(paths):
            if other != index or shift:
                beneath = np.abs(across[:, None] - theirs[None, :]) <= half + 1
                away = np.where(beneath, np.abs(up[:, None] - height[None, :]), np.inf).min(axis=1)
                free = np.fmin(free, away)
        for at, level, reach in taken:
            free[(np.abs(across - at) < half + reach + 2) & (np.abs(up - level) < 1.2 * size)] = -1
        for at in kept if shift == 0 else ():
            free[np.abs(across - at) < half + 2] -= 0.3 * size
        free[(across < places[0] + half + 3) | (across > places[-1] - half - 3) | np.isnan(up)] = -1
        free -= 0.4 * size if shift else 0.0  # on the line is clearer than beside it
        spot = int(np.argmax(free))
        if free[spot] > best:
            best, found = float(free[spot]), (float(across[spot]), float(up[spot]), half)
    return found


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
