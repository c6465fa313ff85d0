"""Tuning curves: the whole table that a setting was chosen from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from suite.canonical import revive
from suite.drawing import labels, style
from suite.drawing.reading import Reader
from suite.figures import Axis, TuningCurve


def tuning_curve(figure: TuningCurve, ledger: Mapping[str, Any]) -> Canvas:
    reader = Reader(figure, ledger)
    arms = [
        a["name"]
        for a in reader.experiment["arms"]
        if figure.over in a["tuned"] and (not figure.arms or a["name"] in figure.arms)
    ]
    if not arms:
        raise reader.fail(f"no arm of {reader.experiment['name']!r} tunes {figure.over!r}")
    best = min if reader.experiment["best"] == "min" else max
    shown = reader.panels()
    canvas, flat = style.panels(len(shown), height=56 * style.MM, small=figure.small)
    for axes, (title, at) in zip(flat, shown, strict=True):
        style.dress(
            axes, figure.x_axis if figure.x_axis.label else Axis(figure.over, log=True), figure.y_axis, title=title
        )
        drawn = []
        for index, arm in enumerate(arms):
            tint, marker = style.colour(index), style.MARKERS[index % len(style.MARKERS)]
            entry = reader.tuning(arm, at)
            places, seeds = _best_of_the_others(entry["tuning"], figure.over, best)
            means = [float(values.mean()) for values in seeds]
            for x, values in zip(places, seeds, strict=True):
                axes.plot(
                    np.full(len(values), x),
                    values,
                    marker,
                    color=tint,
                    markersize=2.6,
                    alpha=0.45,
                    markeredgewidth=0,
                    zorder=3,
                )
            axes.plot(places, means, color=tint, linewidth=1.2, zorder=4)
            drawn.append((arm, tint, marker, places, means, entry))
        low, high = axes.get_ylim()
        if axes.get_yscale() != "log":
            axes.set_ylim(low - 0.1 * (high - low), high + 0.12 * (high - low))
        _chosen(axes, figure.over, drawn)
        _arm_names(axes, drawn)
    return canvas


def _chosen(axes: Axes, over: str, drawn: list[Any]) -> None:
    """A ring around each winner with its value: under the lowest ring, over the others, so that close rings stay
    readable.
    """
    rings = []
    for _, tint, marker, places, means, entry in drawn:
        wanted = (entry["chosen"] or {}).get(over)
        found = [
            (x, y)
            for x, y in zip(places, means, strict=True)
            if wanted is not None and np.isclose(x, wanted) and np.isfinite(y)
        ]
        rings += [(y, x, tint, marker, over in entry.get("edge", ())) for x, y in found]
    for rank, (y, x, tint, marker, at_edge) in enumerate(sorted(rings, key=lambda ring: ring[0])):
        axes.plot(
            [x], [y], marker, markersize=8, markerfacecolor="none", markeredgecolor=tint, markeredgewidth=1.1, zorder=6
        )
        note = style.number(x) + (" (edge)" if at_edge else "")
        offset, side = ((0, -7), "top") if rank % 2 == 0 else ((0, 7), "bottom")
        axes.annotate(
            note,
            (x, y),
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va=side,
            color=tint,
            fontsize=7,
            zorder=7,
        )


def _arm_names(axes: Axes, drawn: list[Any]) -> None:
    """Each arm is named at an end of its own line that sticks out; at the right edge when all share one grid."""
    if len({tuple(places) for _, _, _, places, _, _ in drawn}) == 1:
        labels.name_lines(axes, [(means[-1], labels.short(arm), tint) for arm, tint, _, _, means, _ in drawn])
        return
    first = min(places[0] for _, _, _, places, _, _ in drawn)
    for arm, tint, _, places, means, _ in drawn:
        at = 0 if places[0] == first else -1
        if np.isfinite(means[at]):
            axes.annotate(
                labels.short(arm), (places[at], means[at]), xytext=(0, 6), textcoords="offset points",
                ha="left" if at == 0 else "right", va="bottom", color=tint, annotation_clip=False, zorder=7,
            )  # fmt: skip


def _best_of_the_others(table: list[Mapping[str, Any]], over: str, best: Any) -> tuple[list[float], list[np.ndarray]]:
    """Per value of ``over``: the tuning seeds' numbers at the best of the other tuned settings."""
    cells: dict[float, dict[str, list[float]]] = {}
    for trial in table:
        rest = repr(sorted((k, v) for k, v in trial["setting"].items() if k != over))
        cells.setdefault(float(trial["setting"][over]), {}).setdefault(rest, []).append(float(revive(trial["value"])))
    sign = 1 if best is min else -1

    def rank(values: list[float]) -> float:
        mean = float(np.mean(values))
        return sign * mean if np.isfinite(mean) else float("inf")

    places = sorted(cells)
    return places, [np.array(min(cells[x].values(), key=rank)) for x in places]
