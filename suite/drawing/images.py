"""Pictures: strips of grey images, one block of strips per arm."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas

from suite.drawing import style
from suite.drawing.reading import Reader, said
from suite.drawing.style import INK, MM
from suite.figures.images import Images
from suite.figures.parts import Axis


def images(figure: Images, ledger: Mapping[str, Any]) -> Canvas:
    reader = Reader(figure, ledger)
    arms = reader.arms(figure.arms)
    shown = [
        (", ".join(filter(None, [arm if len(arms) > 1 else "", title])), _strips(figure, reader, arm, at))
        for arm in arms
        for title, at in reader.panels()
    ]
    rows, columns = len(figure.rows), max(strips.shape[1] for _, strips in shown)
    across = 1 if len(shown) == 1 else min(len(shown), 3) if len(shown) != 4 else 2
    wide = (style.COLUMN if len(shown) == 1 else style.FULL / across) - 12 * MM
    canvas, flat = style.panels(len(shown), height=wide * rows / columns + 8 * MM, small=figure.small)
    for axes, (title, strips) in zip(flat, shown, strict=True):
        axes.imshow(
            _mosaic(strips),
            cmap="Greys",
            vmin=figure.low,
            vmax=figure.high,
            extent=(0, strips.shape[1], -rows, 0),
            interpolation="nearest",
            aspect="auto" if strips.shape[2] != strips.shape[3] else "equal",
        )
        style.dress(axes, Axis(), None, title=title)
        axes.set_xticks([])
        style.ticks_at(axes, "y", [-r - 0.5 for r in range(rows)], [said(row) for row in figure.rows])
        axes.tick_params(length=0, labelcolor=INK)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return canvas


def _strips(figure: Images, reader: Reader, arm: str, at: Mapping[str, Any]) -> np.ndarray:
    """[row, picture, height, width] of one seed."""
    every = reader.column(arm, at, figure.metric)
    if every.ndim != 4:
        raise reader.fail(f"metric {figure.metric!r} is not a list of rows of pictures of pixels")
    if not 0 <= figure.seed < len(every):
        raise reader.fail(f"there is no seed {figure.seed}; the ledger has {len(every)}")
    strips = every[figure.seed][:, : figure.most]
    if len(strips) != len(figure.rows):
        raise reader.fail(f"{len(figure.rows)} names for {len(strips)} rows of pictures")
    width = figure.width or math.isqrt(strips.shape[2])
    if strips.shape[2] % width or (not figure.width and width * width != strips.shape[2]):
        raise reader.fail(f"pictures of {strips.shape[2]} pixels do not have rows of {width}")
    return strips.reshape(*strips.shape[:2], -1, width)


def _mosaic(strips: np.ndarray, gap: int = 1) -> np.ndarray:
    """One array of all pictures with white gaps (NaN) between them."""
    rows, columns, height, width = strips.shape
    sheet = np.full((rows, columns, height + gap, width + gap), np.nan)
    sheet[..., :height, :width] = strips
    return sheet.transpose(0, 2, 1, 3).reshape(rows * (height + gap), columns * (width + gap))
