"""Figures of lines: curves with every seed, tuning curves, stacked parts of a sum."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from suite.drawing import labels, style
from suite.drawing.intervals import mean_interval, share_interval
from suite.drawing.reading import Reader, said
from suite.drawing.style import GREY, INK
from suite.figures import Axis, Counts, Curves, StackedBars


@dataclass(frozen=True)
class Line:
    """One line of a panel: y is [seeds, points]."""

    name: str
    x: np.ndarray
    y: np.ndarray
    arm: str
    at: Mapping[str, Any]
    row: int | None


def names(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def curves(figure: Curves, ledger: Mapping[str, Any]) -> Canvas:
    reader = Reader(figure, ledger)
    conditions = reader.experiment["conditions"]
    over = figure.x if isinstance(figure.x, str) and figure.x in conditions else ""
    shown = reader.panels([c for c in (over, figure.by) if c])
    if figure.by:
        reader.values(figure.by)
    canvas, flat = style.panels(
        len(shown), height=56 * style.MM, small=figure.small, sharey=len(shown) > 1 and figure.y_axis.low is not None
    )
    for axes, (title, at) in zip(flat, shown, strict=True):
        lines = _lines(figure, reader, at, over)
        ordered = bool(figure.by) or (len(lines) > len(style.COLOURS))
        tints = style.ramp(len(lines)) if ordered else [style.colour(i) for i in range(len(lines))]
        style.dress(axes, figure.x_axis, figure.y_axis, title=title)
        for line, tint in zip(lines, tints, strict=True):
            _line(axes, line, tint, figure.band)
        for line in _references(figure, reader, at, over, lines):
            axes.plot(line.x, line.y.mean(axis=0), color=GREY, linewidth=0.9, linestyle=(0, (3, 2)), zorder=2.5)
        if figure.counts:
            for line, tint in zip(lines, tints, strict=True):
                _counts(axes, reader, line, figure.counts, tint)
        ends = [(_last(line), labels.short(line.name), tint) for line, tint in zip(lines, tints, strict=True)]
        if figure.reference and figure.reference_label:
            first = _references(figure, reader, at, over, lines)[0]
            ends.append((_last(first), figure.reference_label, GREY))
        _tight(axes, [line.x for line in lines], figure.x_axis)
        labels.marks(axes, figure.vertical, figure.horizontal)
        if over:
            style.ticks_at(axes, "x", lines[0].x, [said(v) for v in reader.values(over)])
        avoid = [x for x, _ in figure.vertical]
        if figure.counts and lines:
            avoid += (
                lines[0].x
                if figure.counts.x is None
                else reader.series(lines[0].arm, lines[0].at, figure.counts.x, lines[0].row)
            ).tolist()
        inside = [
            (line.x, line.y.mean(axis=0), labels.short(line.name), tint)
            for line, tint in zip(lines, tints, strict=True)
        ]
        if len(ends) > 1 and (figure.reference or not labels.name_inside(axes, inside, avoid, ordered=ordered)):
            labels.name_lines(axes, ends)
    return canvas


def _last(line: Line) -> float:
    finite = line.y.mean(axis=0)[np.isfinite(line.y.mean(axis=0))]
    return float(finite[-1]) if len(finite) else float("nan")


def _tight(axes: Axes, xs: list[np.ndarray], axis: Axis) -> None:
    """Let lines end at the right edge, where their names stand."""
    every = np.concatenate(xs)
    every = every[np.isfinite(every) & ((every > 0) | (not axis.log))]
    if len(every) and axis.low is None and axis.high is None and every.min() < every.max():
        axes.set_xlim(float(every.min()), float(every.max()))


def _lines(figure: Curves, reader: Reader, at: Mapping[str, Any], over: str) -> list[Line]:
    arms = reader.arms(figure.arms)
    found: list[Line] = []
    values = reader.values(figure.by) if figure.by else [None]
    for arm in arms:
        for value in values:
            here = {**at, figure.by: value} if figure.by else dict(at)
            for metric in names(figure.y):
                made = _of_metric(reader, figure.x, arm, here, metric, over)
                for line in made:
                    parts = [arm if len(arms) > 1 else "", f"{figure.by} = {said(value)}" if figure.by else ""]
                    many = len(names(figure.y)) > 1 or len(made) > 1
                    parts.append((metric if len(made) == 1 else f"{metric} {(line.row or 0) + 1}") if many else "")
                    found.append(replace(line, name=", ".join(filter(None, parts))))
    if figure.labels:
        if len(found) % len(figure.labels):
            raise reader.fail(f"{len(figure.labels)} labels for {len(found)} lines")
        per = len(figure.labels)
        found = [
            replace(
                line,
                name=", ".join(
                    filter(None, [line.arm if len(arms) > 1 and per < len(found) else "", figure.labels[i % per]])
                ),
            )
            for i, line in enumerate(found)
        ]
    return found


def _of_metric(
    reader: Reader, x: str | tuple[Any, ...], arm: str, at: Mapping[str, Any], metric: str, over: str
) -> list[Line]:
    if over:
        values = reader.values(over)
        y = np.stack([reader.column(arm, {**at, over: value}, metric) for value in values], axis=1)
        if y.ndim != 2:
            raise reader.fail(
                f"metric {metric!r} is a list, so x must be a metric or numbers and not the condition {over!r}"
            )
        numeric = all(isinstance(v, int | float) for v in values)
        return [Line("", np.array(values if numeric else range(len(values)), dtype=float), y, arm, at, None)]
    y = reader.column(arm, at, metric)
    if y.ndim not in (2, 3):
        raise reader.fail(f"metric {metric!r} is one number per seed; name the condition it is drawn against as x")
    found = []
    for row in range(y.shape[1]) if y.ndim == 3 else [None]:
        values = y[:, row, :] if row is not None else y
        places = reader.series(arm, at, x, row)
        if places.shape != values.shape[1:]:
            raise reader.fail(f"{metric!r} has {values.shape[1]} points and x has {places.size}")
        found.append(Line("", places, values, arm, at, row))
    return found


def _references(figure: Curves, reader: Reader, at: Mapping[str, Any], over: str, lines: list[Line]) -> list[Line]:
    found = []
    for metric in names(figure.reference):
        seen = set()
        for line in lines:
            key = (line.arm, repr(sorted(line.at.items(), key=str)))
            if key not in seen:
                seen.add(key)
                found += _of_metric(reader, figure.x, line.arm, line.at, metric, over)
    return found


def _line(axes: Axes, line: Line, tint: str, band: str) -> None:
    n = len(line.y)
    same = n > 1 and bool(np.all(line.y == line.y[:1]))  # an exact curve: all seeds agree, nothing to spread
    if n > 1 and not same:
        axes.plot(line.x, line.y.T, color=tint, linewidth=0.45, alpha=0.35, zorder=2)
        if band == "interval":
            _, low, high = mean_interval(line.y)
            axes.fill_between(line.x, low, high, color=tint, alpha=0.16, linewidth=0, zorder=1)
        elif band == "range":
            axes.fill_between(
                line.x, line.y.min(axis=0), line.y.max(axis=0), color=tint, alpha=0.14, linewidth=0, zorder=1
            )
    axes.plot(line.x, line.y.mean(axis=0), color=tint, zorder=3)


def _counts(axes: Axes, reader: Reader, line: Line, counts: Counts, tint: str) -> None:
    hits, tries = (reader.column(line.arm, line.at, name).sum(axis=0) for name in (counts.count, counts.out_of))
    if hits.ndim == 2 and line.row is not None:
        hits, tries = hits[line.row], tries[line.row]
    places = line.x if counts.x is None else reader.series(line.arm, line.at, counts.x, line.row)
    if hits.shape != tries.shape or hits.shape != places.shape:
        raise reader.fail(
            f"{counts.count!r} has {hits.size} entries, {counts.out_of!r} has {tries.size}, their x {places.size}"
        )
    low, high = share_interval(hits, tries, counts.level)
    axes.vlines(places, low, high, color=tint, linewidth=1.2, zorder=4)
    axes.plot(
        places, hits / tries, "o", color=tint, markersize=3.6, markeredgecolor="white", markeredgewidth=0.6, zorder=5
    )


def stacked_bars(figure: StackedBars, ledger: Mapping[str, Any]) -> Canvas:
    reader = Reader(figure, ledger)
    [arm, *_] = reader.arms(figure.arms_named())
    shown = reader.panels()
    canvas, flat = style.panels(len(shown), height=56 * style.MM, small=figure.small)
    for axes, (title, at) in zip(flat, shown, strict=True):
        style.dress(axes, figure.x_axis, figure.y_axis, title=title)
        metrics = names(figure.parts)
        found = [reader.column(arm, at, metric).mean(axis=0) for metric in metrics]
        parts = found[0] if len(found) == 1 and found[0].ndim == 2 else np.array(found)  # [part, x]
        x = reader.series(arm, at, figure.x)
        if parts.shape[1:] != x.shape:
            raise reader.fail(f"the parts have {parts.shape[-1]} points and x has {x.size}")
        up, down = np.zeros(len(x)), np.zeros(len(x))
        tints = _by_sign(parts)
        ends = []
        for index, part in enumerate(parts):
            base = np.where(part >= 0, up, down)
            axes.fill_between(x, base, base + part, color=tints[index], alpha=0.75, linewidth=0, zorder=2)
            name = figure.labels[index] if index < len(figure.labels) else f"{index + 1}"
            ends.append((float(base[-1] + part[-1] / 2), name, tints[index]))
            up, down = up + np.maximum(part, 0), down + np.minimum(part, 0)
        axes.plot(x, parts.sum(axis=0), color=INK, linewidth=1.4, zorder=4)
        axes.axhline(0, color=GREY, linewidth=0.6, zorder=3)
        ends.append((float(parts.sum(axis=0)[-1]), figure.total, INK))
        _tight(axes, [x], figure.x_axis)
        labels.marks(axes, figure.vertical)
        labels.name_lines(axes, ends)
    return canvas


def _by_sign(parts: np.ndarray) -> list[str]:
    """Blues for parts that add, oranges for parts that take away, each from dark to light."""
    adds = [bool(np.nansum(part) >= 0) for part in parts]
    found = []
    for index, up in enumerate(adds):
        rank, count = adds[:index].count(up), adds.count(up)
        shade = 0.9 - 0.45 * rank / max(count - 1, 1)
        found.append(matplotlib.colors.to_hex(matplotlib.colormaps["Blues" if up else "Oranges"](shade)))
    return found
