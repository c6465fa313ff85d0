"""Figures as data: what a page asks to be drawn, and ``draw`` which turns it into SVG.

A page declares its figures, the declarations travel in the ledger's card, and the report draws them from the ledger
alone. Only the standard library is imported here; matplotlib is loaded by ``suite.drawing`` when something is really
drawn.

Every figure takes

    title, caption  plain text; the caption says what to look at, units included
    experiment      the experiment's name ("" means the only one of the page)
    at              {condition: value}; conditions that are left free become panels (or the x axis, where one is named)
    alt             what the figure shows, for readers who cannot see it ("" means: made from title and caption)
    small           half the height: for figures with little to say
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from suite.errors import UserError
from suite.figures.images import Images
from suite.figures.kinds import (
    Bars,
    Curves,
    Forest,
    GapAgainst,
    HeatMap,
    Histogram,
    PairedDots,
    StackedBars,
    Table,
    TuningCurve,
)
from suite.figures.parts import Axis, Counts, Figure, kind_of

KINDS = {
    kind_of(kind): kind
    for kind in (
        PairedDots,
        Curves,
        TuningCurve,
        GapAgainst,
        Forest,
        HeatMap,
        Bars,
        Histogram,
        StackedBars,
        Table,
        Images,
    )
}


def from_json(data: Mapping[str, Any]) -> Figure:
    """The figure that ``to_json`` wrote.

    >>> figure = TuningCurve(title="Loss against rate", over="lr", x_axis=Axis("learning rate", log=True))
    >>> from_json(figure.to_json()) == figure
    True
    """
    kind = KINDS.get(data.get("figure", ""))
    if kind is None:
        raise UserError(f"a figure is one of {', '.join(sorted(KINDS))}; got {data.get('figure')!r}")
    fields = {key: value for key, value in data.items() if key != "figure"}
    unknown = set(fields) - {each.name for each in dataclasses.fields(kind)}
    if unknown:
        raise UserError(
            f"figure {data['figure']} has no {', '.join(sorted(unknown))}; was it written by a newer version?"
        )
    for name, value in fields.items():
        if isinstance(value, Mapping) and name != "at":
            fields[name] = Counts(**value) if "count" in value else Axis(**value)
    return kind(**fields)


def draw(figure: Figure, ledger: Mapping[str, Any]) -> bytes:
    """The figure as SVG: the same bytes for the same figure and ledger.

    UserError when the ledger lacks what the figure reads (the message names the figure and what is missing).
    """
    from suite.drawing import draw as render  # matplotlib costs a second: not at import

    return render(figure, ledger)


__all__ = [
    "KINDS",
    "Axis",
    "Bars",
    "Counts",
    "Curves",
    "Figure",
    "Forest",
    "GapAgainst",
    "HeatMap",
    "Histogram",
    "Images",
    "PairedDots",
    "StackedBars",
    "Table",
    "TuningCurve",
    "draw",
    "from_json",
]
