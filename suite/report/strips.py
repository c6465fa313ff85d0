"""The little strip beside each claim: where a number is claimed to lie and where it was measured, in fractions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from suite.report.numbers import number, real

UNSORTED = 12


def strip(claimed: Sequence[Any], cells: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Places on the strip, 0 to 1; None when nothing was measured.

    {"band": [x0, x1], "ends": [x, ...], "bars": [{"low", "high", "mid", "open": [left, right]}],
    "ticks": [{"at", "text"}]}.  ``ends`` are the finite ends of the claimed interval; an end beyond the strip is at 0
    or 1.  More than twelve bars are ordered by their middles.

    >>> found = strip([None, 0.0], [{"low": -2.0, "high": -1.0, "estimate": -1.5}])
    >>> found["band"][0], found["bars"][0]["open"], found["bars"][0]["high"] < found["ends"][0]
    (0.0, [False, False], True)
    """
    bars = [(real(cell.get("low")), real(cell.get("high")), real(cell.get("estimate"))) for cell in cells]
    bars = [bar for bar in bars if not any(v is not None and math.isnan(v) for v in bar)]
    if len(bars) > UNSORTED:  # many are read as a shape: from the smallest to the greatest
        bars.sort(key=lambda bar: bar[2] if bar[2] is not None else sum(v or 0.0 for v in bar[:2]) / 2, reverse=True)
    if not bars:
        return None
    low_end, high_end = (real(end) for end in claimed)
    finite = [v for bar in bars for v in bar if v is not None and math.isfinite(v)]
    finite += [v for v in (low_end, high_end) if v is not None and math.isfinite(v)]
    if not finite:
        return None
    low, high = min(finite), max(finite)
    pad = 0.09 * (high - low) or 0.5 * abs(high) or 1.0
    low, high = low - pad, high + pad

    def place(value: float | None, otherwise: float) -> float:
        if value is None or not math.isfinite(value):
            return otherwise if value is None else 0.0 if value < 0 else 1.0
        return round(min(max((value - low) / (high - low), 0.0), 1.0), 5)

    def is_open(value: float | None) -> bool:
        return value is None or math.isinf(value)

    ticks = [v for v in (low_end, high_end) if v is not None and math.isfinite(v)]
    if len(ticks) == 2 and ticks[0] == ticks[1]:
        ticks = ticks[:1]
    return {
        "band": [place(low_end, 0.0), place(high_end, 1.0)],
        "ends": [place(v, 0.0) for v in ticks],
        "bars": [
            {
                "low": place(a, 0.0),
                "high": place(b, 1.0),
                "mid": None if m is None or not math.isfinite(m) else place(m, 0.5),
                "open": [is_open(a), is_open(b)],
            }
            for a, b, m in bars
        ],
        "ticks": [{"at": place(v, 0.0), "text": number(v)} for v in ticks],
    }
