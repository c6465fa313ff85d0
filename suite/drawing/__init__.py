"""Drawing: figure declarations plus a ledger become SVG.  The only place that imports matplotlib."""

import io
import logging
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from suite.drawing import grids, images, lines, paired, style, tuning
from suite.drawing.reading import NotDrawn
from suite.figures.parts import Figure, kind_of

# The fallback faces exist in one weight only; matplotlib need not say so at every bold title.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
DRAWN: dict[str, Callable[[Any, Mapping[str, Any]], Canvas]] = {
    "paired_dots": paired.paired_dots,
    "curves": lines.curves,
    "tuning_curve": tuning.tuning_curve,
    "gap_against": paired.gap_against,
    "forest": grids.forest,
    "heat_map": grids.heat_map,
    "bars": paired.bars,
    "histogram": grids.histogram,
    "stacked_bars": lines.stacked_bars,
    "table": grids.table,
    "images": images.images,
}


def draw(figure: Figure, ledger: Mapping[str, Any]) -> bytes:
    """See ``suite.figures.draw``."""
    style.load_fonts()
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **style.RC, "backend": "svg"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*constrained_layout not applied.*")
        # The report holds every string of the SVG against its fonts and raises an error that says where it stands.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        canvas = DRAWN[kind_of(type(figure))](figure, ledger)
        FigureCanvasSVG(canvas)
        out = io.BytesIO()
        canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Title": figure.title})
    return out.getvalue()


__all__ = ["DRAWN", "NotDrawn", "draw"]
