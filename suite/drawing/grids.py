"""Figures of many cells: heat map, histogram, forest, and the rows of a table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from suite.canonical import revive
from suite.drawing import labels, style
from suite.drawing.lines import names
from suite.drawing.reading import Reader, said
from suite.drawing.style import COLUMN, FULL, GREY, INK, MM
from suite.figures import Axis, Forest, HeatMap, Histogram, Table

OUTCOME = {"reproduced": "#00805e", "refuted": "#b5441b", "inconclusive": "#8a6d00", "error": "#6b3f8f"}


def heat_map(figure: HeatMap, ledger: Mapping[str, Any]) -> Canvas:
    reader = Reader(figure, ledger)
    by_condition = isinstance(figure.rows, str) and isinstance(figure.columns, str)
    if isinstance(figure.rows, str) != isinstance(figure.columns, str):
        raise reader.fail("rows and columns are both names of conditions, or both labels")
    taken = [figure.rows, figure.columns] if by_condition else []
    arms = reader.arms(figure.arms)
    shown = [
        (", ".join(filter(None, [arm if len(arms) > 1 else "", title])), arm, at)
        for arm in arms
        for title, at in reader.panels(taken)  # type: ignore[arg-type]
    ]
    grids = []
    for _, arm, at in shown:
        if by_condition:
            rows, columns = reader.values(str(figure.rows)), reader.values(str(figure.columns))
            cells = [
                [
                    reader.column(arm, {**at, str(figure.rows): r, str(figure.columns): c}, figure.metric)
                    for c in columns
                ]
                for r in rows
            ]  # type: ignore[dict-item]
            grids.append(np.array([[cell.mean() for cell in line] for line in cells]))
        else:
            grids.append(reader.column(arm, at, figure.metric).mean(axis=0))
        if grids[-1].ndim != 2:
            raise reader.fail(f"metric {figure.metric!r} is not a table of numbers")
    row_names = [said(v) for v in (reader.values(str(figure.rows)) if by_condition else figure.rows)]
    column_names = [said(v) for v in (reader.values(str(figure.columns)) if by_condition else figure.columns)]
    if any(grid.shape != (len(row_names), len(column_names)) for grid in grids):
        raise reader.fail(f"the table is {grids[0].shape}, its labels are {len(row_names)} x {len(column_names)}")
    canvas, flat = style.panels(len(shown), height=max(5.5 * len(row_names) + 16, 30) * MM, small=False)
    every = np.concatenate([grid.ravel() for grid in grids])
    shade_of = _logs if figure.value_axis.log else np.asarray
    low, high = float(np.nanmin(shade_of(every))), float(np.nanmax(shade_of(every)))
    if figure.centre is not None:
        reach = max(abs(low - figure.centre), abs(high - figure.centre)) or 1.0
        low, high = figure.centre - reach, figure.centre + reach
    ramp = matplotlib.colormaps["PuOr_r" if figure.centre is not None else "Blues"]
    for axes, (title, _, _), grid in zip(flat, shown, grids, strict=True):
        scaled = (shade_of(grid) - low) / ((high - low) or 1.0) * (0.7 if figure.centre is not None else 0.8) + (
            0.15 if figure.centre is not None else 0.04
        )
        for r in range(grid.shape[0]):
            for c in range(grid.shape[1]):
                shade = ramp(float(scaled[r, c])) if np.isfinite(grid[r, c]) else (1, 1, 1, 1)
                axes.fill([c, c + 1, c + 1, c], [-r, -r, -r - 1, -r - 1], color=shade, linewidth=0)
                dark = 0.299 * shade[0] + 0.587 * shade[1] + 0.114 * shade[2] < 0.55
                if grid.size <= 240:
                    axes.text(
                        c + 0.5,
                        -r - 0.5,
                        _brief(grid[r, c]),
                        ha="center",
                        va="center",
                        fontsize=7,
                        color="white" if dark else INK,
                    )
        axes.set_xlim(0, grid.shape[1])
        axes.set_ylim(-grid.shape[0], 0)
        style.dress(axes, figure.column_axis, figure.row_axis, title=title)
        style.ticks_at(axes, "x", [c + 0.5 for c in range(grid.shape[1])], column_names)
        style.ticks_at(axes, "y", [-r - 0.5 for r in range(grid.shape[0])], row_names)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return canvas


def _logs(values: np.ndarray) -> np.ndarray:
    """log10 |v|; zeros take the place of the smallest magnitude there is."""
    size = np.abs(values)
    least = size[np.isfinite(size) & (size > 0)].min(initial=np.inf)
    return np.log10(np.maximum(size, least if np.isfinite(least) else 1.0))


def _brief(value: float) -> str:
    return "–" if not np.isfinite(value) else style.number(float(f"{value:.3g}"))


def histogram(figure: Histogram, ledger: Mapping[str, Any]) -> Canvas:
    reader = Reader(figure, ledger)
    arms, metrics = reader.arms(figure.arms), names(figure.counts)
    shown = []
    for title, at in reader.panels():
        for index, metric in enumerate(metrics):
            for arm in arms:
                name = figure.labels[index] if index < len(figure.labels) else metric
                shown.append(
                    (
                        ", ".join(
                            filter(None, [arm if len(arms) > 1 else "", name if len(metrics) > 1 else "", title])
                        ),
                        arm,
                        at,
                        metric,
                        index,
                    )
                )
    canvas, flat = style.panels(len(shown), height=42 * MM, small=figure.small, sharex=True, sharey=True)
    for place, (axes, (title, arm, at, metric, index)) in enumerate(zip(flat, shown, strict=True)):
        counts = reader.column(arm, at, metric)  # [seed, bin]
        edges = reader.series(arm, at, figure.edges)
        if counts.ndim != 2 or len(edges) != counts.shape[1] + 1:
            raise reader.fail(
                f"{metric!r} has {counts.shape[-1]} bins, so edges= needs one entry more, got {len(edges)}"
            )
        tint = style.colour(arms.index(arm) if len(arms) > 1 else index)
        style.dress(
            axes,
            figure.x_axis,
            figure.y_axis if place == 0 else replace(figure.y_axis, label=" ", unit=""),
            title=title,
        )
        total = counts.sum() or 1.0
        axes.stairs(counts.sum(axis=0) / total, edges, fill=True, color=tint, alpha=0.3, linewidth=0)
        for seed in counts:
            axes.stairs(seed / (seed.sum() or 1.0), edges, color=tint, linewidth=0.45, alpha=0.55)
        labels.marks(axes, figure.vertical)
    return canvas


def forest(figure: Forest, ledger: Mapping[str, Any]) -> Canvas:
    reader = Reader(figure, ledger)
    rows = [row for row in claim_rows(ledger) if row.get("cells") and (not figure.claims or row["id"] in figure.claims)]
    if not rows:
        raise reader.fail("none of its claims has a measured interval")
    weights = [max(min(len(row["cells"]), 40) * (1.0 if len(row["cells"]) <= 24 else 0.55), 1) + 0.6 for row in rows]
    height = min(3.6 * sum(weights) + 9 * len(rows), 225) * MM
    canvas, grid = style.sheet(
        len(rows), 1, width=FULL if len(rows) > 1 else COLUMN, height=height, gridspec_kw={"height_ratios": weights}
    )
    for [axes], row in zip(grid, rows, strict=True):
        cells, tint = row["cells"], OUTCOME.get(row["outcome"], GREY)
        names_fit = len(cells) <= 24
        points: list[float] = []
        for index, cell in enumerate(cells):
            low, high, middle = (_real(cell.get(key)) for key in ("low", "high", "estimate"))
            points += [v for v in (low, high, middle) if np.isfinite(v)]
            axes.plot(
                [low, high],
                [-index, -index],
                color=tint,
                linewidth=1.6 if names_fit else 0.8,
                solid_capstyle="butt",
                zorder=3,
            )
            axes.plot(
                [middle],
                [-index],
                "o",
                color=tint,
                markersize=4.5 if names_fit else 2,
                markeredgecolor="white",
                markeredgewidth=0.5,
                zorder=4,
            )
        ends = [float(v) for v in row["claimed"] if v is not None]
        spanned = [*points, *ends] or [0.0, 1.0]
        pad = 0.06 * ((max(spanned) - min(spanned)) or abs(spanned[0]) or 1.0)
        axes.set_xlim(min(spanned) - pad, max(spanned) + pad)
        style.claimed_band(axes, (row["claimed"][0], row["claimed"][1]), "x")
        axes.set_ylim(-len(cells) + 0.3, 0.7)
        style.dress(axes, Axis(), None, title=f"{row['id']}   {labels.short(row['says'], 92)}" if len(rows) > 1 else "")
        if len(rows) > 1:
            axes.set_title(row["outcome"], loc="right", color=tint)
        if names_fit:
            style.ticks_at(
                axes,
                "y",
                [-i for i in range(len(cells))],
                [labels.short(str(cell["label"]), 40) or ("all" if len(cells) > 1 else "") for cell in cells],
            )
        else:
            axes.set_yticks([])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    return canvas


def _real(value: Any) -> float:
    found = revive(value)
    return float("nan") if found is None else float(found)


def claim_rows(ledger: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Claim rows in the order of the page, the timed ones among them."""
    timing = ledger.get("timing") or {}
    found = {row["id"]: row for row in [*ledger["claims"], *timing.get("claims", ())]}
    return [found[claim["id"]] for claim in ledger["card"]["claims"] if claim["id"] in found]


def table_rows(figure: Table, ledger: Mapping[str, Any]) -> tuple[list[str], list[list[str | float]]]:
    """Headings and rows: a row's name as text, then means over the seeds as numbers."""
    reader = Reader(figure, ledger)
    columns: list[tuple[str, str]] = [(c, c) if isinstance(c, str) else (c[0], c[1]) for c in figure.columns]
    arms = reader.arms(figure.arms)
    body: list[list[str | float]] = []
    for title, at in reader.panels():
        for arm in arms:
            means = [reader.column(arm, at, metric).mean(axis=0) for metric, _ in columns]
            where = ", ".join(filter(None, [arm if len(arms) > 1 else "", title]))
            if all(m.ndim == 0 for m in means):
                body.append([where or arm, *(float(m) for m in means)])
                continue
            if len({m.shape for m in means}) != 1 or means[0].ndim != 1:
                raise reader.fail("the columns of a table must be lists of one length")
            labels: Sequence[Any] = figure.rows or [i + 1 for i in range(len(means[0]))]
            if len(labels) != len(means[0]):
                raise reader.fail(f"{len(labels)} row labels for {len(means[0])} rows")
            for index, label in enumerate(labels):
                body.append([", ".join(filter(None, [where, said(label)])), *(float(m[index]) for m in means)])
    return [figure.rows_label, *(heading for _, heading in columns)], body


def table(figure: Table, ledger: Mapping[str, Any]) -> Canvas:
    headings, body = table_rows(figure, ledger)
    canvas, [[axes]] = style.sheet(
        1, 1, width=COLUMN if len(headings) < 6 else FULL, height=(5.2 * (len(body) + 1) + 4) * MM
    )
    axes.set_axis_off()
    axes.set_xlim(0, len(headings))
    axes.set_ylim(-len(body) - 0.5, 0.7)
    for y, row in enumerate([headings, *body]):
        for x, cell in enumerate(row):
            text = cell if isinstance(cell, str) else style.number(float(f"{cell:.{figure.digits}g}"))
            axes.text(
                0 if x == 0 else x + 0.95,
                -y,
                text,
                ha="left" if x == 0 else "right",
                va="center",
                color=GREY if y == 0 else INK,
            )
    axes.axhline(-0.5, color=GREY, linewidth=0.5)
    return canvas
