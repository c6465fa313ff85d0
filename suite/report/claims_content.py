"""Claims as a reader meets them: one entry per claim with its strip, its numbers in words, and what the outcome rests
on.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from suite.claims import Interval
from suite.report.numbers import breakable, claimed, interval, listed, number, p_value, prose, real, whole, within
from suite.report.strips import strip

SHOWN_CELLS, NAMED_CELLS = 24, 4


def claim_entry(row: Mapping[str, Any], claim: Mapping[str, Any]) -> dict[str, Any]:
    """What the claims table shows of one claim."""
    parts = [_part(row, row["claimed"], row.get("cells") or _as_cells(row), row.get("needs"), row["outcome"])]
    if claim.get("clauses"):
        parts[0]["needs"] = _needs(claim["clauses"][0].get("needs"), len(parts[0]["cells"]))
    parts += [
        _part(row, more["claimed"], more.get("cells") or _as_cells(more), more.get("needs"), more["outcome"])
        for more in row.get("also") or ()
    ]
    for part in parts[1:]:
        part["needs"] = _needs(part.pop("raw_needs"), len(part["cells"]))
    parts[0].pop("raw_needs")
    return {
        "id": row["id"],
        "says": prose(row["says"]),
        "kind": row["kind"],
        "headline": bool(row["headline"]),
        "outcome": row["outcome"] or "not tested",
        "quantity": breakable(row.get("quantity") or ""),
        "note": prose(claim.get("note") or ""),
        "parts": [part for part in parts if part["cells"]],
        "n": "–" if row.get("n") is None else number(row["n"]),
        "p_raw": p_value(row.get("p_raw")),
        "p_holm": p_value(row.get("p_holm")),
        "sign_flip": p_value(row.get("sign_flip")),
        "timed": bool(row.get("timed")),
        "edge": [_edge(entry) for entry in row.get("edge") or ()],
        "reason": prose(row.get("reason") or ""),
        "more_seeds": None if row.get("more_seeds") is None else number(row["more_seeds"]),
        "look": _look(row.get("look")),
    }


def _as_cells(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"label": "", "low": low, "high": high, "estimate": None, "n": None} for low, high in row.get("measured") or ()
    ]


def _part(
    row: Mapping[str, Any], ends: Sequence[Any], cells: Sequence[Mapping[str, Any]], needs: Any, outcome: Any
) -> dict[str, Any]:
    shown = [
        {
            "label": breakable(str(cell.get("label") or "")),
            "measured": interval_of(cell),
            "estimate": within(cell.get("estimate"), cell.get("low"), cell.get("high")),
            "holds": held(cell, ends),
        }
        for cell in cells
    ]
    return {
        "claimed": claimed(*ends),
        "cells": shown[:SHOWN_CELLS],
        "hidden": max(len(shown) - SHOWN_CELLS, 0),
        "strip": strip(ends, cells),
        "measured": _all_of(cells),
        "outcome": outcome or "not tested",
        "raw_needs": needs,
    }


def interval_of(cell: Mapping[str, Any]) -> str:
    return interval(cell.get("low"), cell.get("high"))


def _all_of(cells: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What was measured, in lines: every cell of a few, the hull of many."""
    if len(cells) <= NAMED_CELLS:
        return [{"label": breakable(str(cell.get("label") or "")), "text": interval_of(cell)} for cell in cells]
    lows = [-math.inf if v is None else v for v in (real(cell.get("low")) for cell in cells)]
    highs = [math.inf if v is None else v for v in (real(cell.get("high")) for cell in cells)]
    if any(map(math.isnan, (*lows, *highs))):
        return [{"label": "", "text": f"{len(cells)} cells"}]
    return [{"label": f"over {len(cells)} cells", "text": interval(min(lows), max(highs))}]


def held(cell: Mapping[str, Any], ends: Sequence[Any]) -> str:
    """inside, outside or across the claimed interval."""
    low, high = real(cell.get("low")), real(cell.get("high"))
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    if math.isnan(low) or math.isnan(high):
        return "across"
    least, most = (real(end) for end in ends)
    wanted = Interval(-math.inf if least is None else least, math.inf if most is None else most)
    found = Interval(low, high)
    return "inside" if found.inside(wanted) else "outside" if found.apart(wanted) else "across"


def _needs(needs: Any, cells: int) -> str:
    return "" if needs is None or cells < 2 else f"{number(needs)} of {cells} cells"


def _look(look: Any) -> str:
    """Which of the planned looks decided, "" where there was one look only."""
    if isinstance(look, Mapping):
        steps = look.get("of") or ()
        steps = steps if isinstance(steps, list | tuple) else [steps]
        return (
            ""
            if len(steps) < 2
            else f"look {number(look.get('number'))} of the planned {', '.join(number(n) for n in steps)}"
        )
    return "" if look is None else f"look {number(look)}"


def _edge(entry: Any) -> str:
    """A grid-edge flag, whether it is a word or a record."""
    if isinstance(entry, Mapping):
        where = ", ".join(f"{k} {v}" for k, v in (entry.get("at") or {}).items())
        setting = entry.get("setting") or entry.get("settings") or ""
        setting = ", ".join(setting) if isinstance(setting, list) else str(setting)
        return prose(
            f"{entry.get('arm', '')}{' at ' + where if where else ''}: best {setting} at the edge of its grid".strip()
        )
    return prose(str(entry))


def certainty(row: Mapping[str, Any]) -> str:
    """How sure the outcome is, in words."""
    cells = row.get("cells") or _as_cells(row)
    if row["outcome"] in (None, "error") or not cells:
        return ""
    exact = row.get("p_raw") is None and all(real(c.get("low")) == real(c.get("high")) for c in cells)
    if exact:
        return "Exact: every seed gives the same number, so there is no sampling error."
    alpha = real(row.get("alpha"))
    together = f" for all {len(cells)} cells together" if len(cells) > 1 else ""
    if alpha is None:
        return f"Every seed lies inside the interval shown{together}."
    if alpha <= 1e-4:
        return f"Intervals{together} that miss the truth at most once in {whole(round(1 / alpha))} tries."
    return f"Intervals{together} at {number((1 - alpha) * 100)} % confidence."


def verdict_words(row: Mapping[str, Any]) -> str:
    """Where the measured intervals stand against the claimed one, in one sentence."""
    if row["outcome"] == "error":
        return "It could not be judged, which is not a refutation."
    if row["outcome"] is None:
        return "It was not tested at this scale."
    cells = row.get("cells") or _as_cells(row)
    where = [held(cell, row["claimed"]) for cell in cells]
    if len(cells) == 1:
        return {
            "inside": "The measured interval lies inside the claimed one.",
            "outside": "The measured interval lies wholly outside the claimed one.",
            "across": "The measured interval crosses the bound of the claimed one.",
        }[where[0]]
    said = {
        "inside": ("lies inside", "lie inside"),
        "outside": ("lies wholly outside", "lie wholly outside"),
        "across": ("crosses the bound of", "cross the bound of"),
    }
    pieces = [(where.count(key), words[where.count(key) > 1]) for key, words in said.items() if where.count(key)]
    if len(pieces) == 1:
        return f"All {len(cells)} measured intervals {pieces[0][1]} the claimed one."
    return f"Of {len(cells)} measured intervals, {listed([f'{n} {words}' for n, words in pieces])} the claimed one."
