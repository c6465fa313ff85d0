"""Figures of seeds that belong together: paired dots, gaps against a condition, bars."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from suite.drawing import labels, style
from suite.drawing.intervals import mean_interval
from suite.drawing.reading import NotDrawn, Reader, said
from suite.drawing.style import COLUMN, FULL, GREY, INK, MM, PALE
from suite.figures import Axis, Bars, GapAgainst, PairedDots


def sway(count: int, reach: float) -> np.ndarray:
    """Fixed sideways offsets that keep equal dots apart.

    >>> [float(x) for x in sway(4, 0.1)]
    [0.0, 0.05, -0.05, 0.1]
    """
    steps = np.array([(-1) ** (i + 1) * ((i + 1) // 2) for i in range(count)], dtype=float)
    return steps * (reach / max(abs(steps).max(initial=0), 1))


def bar(axes: Axes, x: float, values: np.ndarray, tint: str, marker: str = "o") -> None:
    """Mean and 95 % t interval, upright at ``x``."""
    mean, low, high = (float(v) for v in mean_interval(values))
    axes.plot([x, x], [low, high], color=tint, linewidth=1.6, solid_capstyle="butt", zorder=4)
    axes.plot(
        [x], [mean], marker=marker, color=tint, markersize=5, markeredgecolor="white", markeredgewidth=0.7, zorder=5
    )


def paired_dots(figure: PairedDots, ledger: Mapping[str, Any]) -> Canvas:
    reader = Reader(figure, ledger)
    arms = reader.arms(figure.arms)
    shown = reader.panels()
    per = 2 if figure.difference else 1
    width = FULL if per * len(shown) > 2 else COLUMN
    height = (44 if figure.small else 62) * MM
    across = min(len(shown), 3)
    rows = -(-len(shown) // across)
    ratios = ([max(len(arms), 2) + 0.4, (len(arms) - 1) * 1.15] if figure.difference else [1]) * across
    canvas, grid = style.sheet(
        rows, across * per, width=width, height=min(height * rows, style.TALLEST), gridspec_kw={"width_ratios": ratios}
    )
    flat = [one for row in grid for one in row]
    for spare in flat[len(shown) * per :]:
        spare.set_visible(False)
    for index, (title, at) in enumerate(shown):
        columns = {arm: reader.column(arm, at, figure.metric) for arm in arms}
        if any(values.ndim != 1 for values in columns.values()):
            raise reader.fail(f"metric {figure.metric!r} is a list; PairedDots wants one number per seed")
        if len({len(values) for values in columns.values()}) != 1:
            raise reader.fail("the arms have different numbers of seeds, so they cannot be paired")
        _pairs(flat[index * per], columns)
        style.dress(flat[index * per], None, figure.axis, title=title)
        if figure.difference:
            _differences(flat[index * per + 1], columns, figure)
    return canvas


def _pairs(axes: Axes, columns: Mapping[str, np.ndarray]) -> None:
    arms = list(columns)
    stacked = np.array([columns[arm] for arm in arms])  # [arm, seed]
    axes.plot(range(len(arms)), stacked, color=PALE, linewidth=0.6, zorder=1)
    for place, arm in enumerate(arms):
        tint, marker = style.colour(place), style.MARKERS[place % len(style.MARKERS)]
        axes.plot(
            np.full(len(columns[arm]), place),
            columns[arm],
            marker,
            color=tint,
            markersize=3,
            alpha=0.65,
            markeredgewidth=0,
            zorder=3,
        )
        bar(axes, place + (0.2 if place == len(arms) - 1 else -0.2), columns[arm], tint, marker)
    axes.set_xlim(-0.55, len(arms) - 0.45)
    style.ticks_at(axes, "x", range(len(arms)), [labels.short(arm) for arm in arms])
    for label, place in zip(axes.get_xticklabels(), range(len(arms)), strict=False):
        label.set_color(style.colour(place))


def _differences(axes: Axes, columns: Mapping[str, np.ndarray], figure: PairedDots) -> None:
    first, *others = columns
    for place, arm in enumerate(others):
        gap = columns[arm] - columns[first]
        axes.plot(
            place + 0.16 + sway(len(gap), 0.1),
            gap,
            "o",
            color=GREY,
            markersize=3,
            alpha=0.6,
            markeredgewidth=0,
            zorder=3,
        )
        bar(axes, place - 0.2, gap, INK)
    axes.set_xlim(-0.6, len(others) - 0.4)
    low, high = axes.get_ylim()
    pad = 0.06 * (max(high, 0) - min(low, 0))
    axes.set_ylim(min(low, -pad), max(high, pad))
    style.claimed_band(axes, figure.margin)
    axes.axhline(0, color=GREY, linewidth=0.6, zorder=1)
    style.dress(axes, None, Axis("difference", figure.axis.unit))
    style.ticks_at(
        axes, "x", range(len(others)), [f"{labels.short(arm, 12)} − {labels.short(first, 12)}" for arm in others]
    )


def gap_against(figure: GapAgainst, ledger: Mapping[str, Any]) -> Canvas:
    reader = Reader(figure, ledger)
    reader.arms((figure.arm, figure.minus))
    values = reader.values(figure.condition)
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    shown = reader.panels((figure.condition,))
    canvas, flat = style.panels(len(shown), small=figure.small)
    for axes, (title, at) in zip(flat, shown, strict=True):
        gaps = []
        for value in values:
            here = {**at, figure.condition: value}
            a, b = (reader.column(arm, here, figure.metric) for arm in (figure.arm, figure.minus))
            if a.shape != b.shape or a.ndim != 1:
                raise reader.fail("the gap wants one number per seed and the same seeds in both arms")
            gaps.append(a / b - 1 if figure.relative else a - b)
        places = np.array(values, dtype=float) if numeric else np.arange(len(values), dtype=float)
        log = numeric and figure.x_axis.log
        unit = np.log(places) if log else places
        step = float(np.min(np.diff(np.sort(unit)))) if len(unit) > 1 else 1.0
        if len({len(g) for g in gaps}) == 1:
            axes.plot(places, np.array(gaps), color=PALE, linewidth=0.5, zorder=1)
        beside = np.exp(unit - 0.09 * step) if log else unit - 0.09 * step  # the means stand left of the seeds
        for x, left, gap in zip(places, beside, gaps, strict=True):
            axes.plot(
                np.full(len(gap), x),
                gap,
                "o",
                color=style.COLOURS[0],
                markersize=2.8,
                alpha=0.4,
                markeredgewidth=0,
                zorder=3,
            )
            bar(axes, float(left), gap, style.COLOURS[0])
        axes.plot(beside, [gap.mean() for gap in gaps], color=style.COLOURS[0], linewidth=1, zorder=3.5)
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, 0), max(high, 0))
        style.claimed_band(axes, figure.margin)
        axes.axhline(0, color=GREY, linewidth=0.6, zorder=1)
        style.dress(
            axes,
            figure.x_axis if figure.x_axis.label else Axis(figure.condition, log=figure.x_axis.log),
            figure.y_axis,
            title=title,
        )
        style.ticks_at(axes, "x", places, [said(v) for v in values])
    return canvas


def bars(figure: Bars, ledger: Mapping[str, Any]) -> Canvas:
    reader = Reader(figure, ledger)
    arms = reader.arms(figure.arms)
    metrics = (figure.metric,) if isinstance(figure.metric, str) else figure.metric
    groups: list[tuple[str, dict[str, Any], str]] = []
    for title, at in reader.panels():
        for index, metric in enumerate(metrics):
            name = figure.labels[index] if index < len(figure.labels) else metric
            groups.append((", ".join(filter(None, [title, name if len(metrics) > 1 else ""])), at, metric))
    lines = len(groups) * len(arms)
    height = min(max(24 + 6.2 * lines + 5 * (len(groups) - 1), 38), 210) * MM
    canvas, [[axes]] = style.sheet(1, 1, width=COLUMN if lines <= 18 else FULL, height=height)
    published = dict(figure.published)
    y, ticks = 0.0, []
    for title, at, metric in groups:
        if title:
            axes.annotate(
                title,
                (0, -y),
                xycoords=("axes fraction", "data"),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                color=GREY,
            )
            y += 1
        for arm in arms:
            values = reader.column(arm, at, metric)
            if values.ndim != 1:
                raise reader.fail(f"metric {metric!r} is a list; Bars wants one number per seed")
            tint = style.colour(arms.index(arm))
            mean, low, high = (float(v) for v in mean_interval(values))
            start = axes.get_xlim()[0] if figure.axis.log else 0.0
            axes.barh(-y, mean - start, left=start, height=0.62, color=tint, alpha=0.16, linewidth=0)
            axes.plot(
                values,
                -y + sway(len(values), 0.16),
                "o",
                color=tint,
                markersize=2.4,
                alpha=0.55,
                markeredgewidth=0,
                zorder=3,
            )
            axes.plot([low, high], [-y, -y], color=tint, linewidth=1.6, solid_capstyle="butt", zorder=4)
            axes.plot(
                [mean], [-y], "o", color=tint, markersize=5, markeredgecolor="white", markeredgewidth=0.7, zorder=5
            )
            if arm in published:
                axes.plot([published[arm]] * 2, [-y - 0.38, -y + 0.38], color=INK, linewidth=1, zorder=6)
            ticks.append((-y, labels.short(arm)))
            y += 1
        y += 0.5
    axes.set_ylim(-y + 0.9, 0.6)
    style.dress(axes, figure.axis, None)
    style.ticks_at(axes, "y", [place for place, _ in ticks], [name for _, name in ticks])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(figure.axis.low is None and not figure.axis.log)
    return canvas


__all__ = ["NotDrawn", "bars", "gap_against", "paired_dots"]
