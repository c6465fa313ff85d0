"""Claims as a reader meets them: each with its strip, its numbers in words, and what the outcome rests on."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from suite.claims import Interval, decide
from suite.report.numbers import breakable, claimed, interval, listed, number, p_value, prose, real, whole, within
from suite.report.strips import strip

NAMED_CELLS, LISTED_CELLS = 4, 24


def claim_entry(row: Mapping[str, Any], claim: Mapping[str, Any], reading: str = "") -> dict[str, Any]:
    """What the report shows of one claim; ``reading`` is what its authors make of the outcome."""
    clauses = clauses_of(row, claim)
    return {
        "id": row["id"],
        "says": prose(row["says"]),
        "kind": row["kind"],
        "headline": bool(row["headline"]),
        "outcome": row["outcome"] or "not tested",
        "quantity": breakable(brief(row.get("quantity") or "")) if len(clauses) < 2 else "",
        "note": prose(claim.get("note") or ""),
        "reading": prose(reading),
        "parts": [_part(clause, len(clauses) > 1) for clause in clauses],
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


def brief(quantity: str) -> str:
    """A quantity in words; of many of one kind, which the cells name anyway, the first and how many more.

    >>> brief("mean of a (x); mean of b (x); mean of c (x); mean of d (x)")
    'mean of a (x); and 3 more'
    """
    parts = quantity.split("; ")
    return quantity if len(parts) <= 3 else f"{parts[0]}; and {len(parts) - 1} more"


def reading(ledger: Mapping[str, Any], claim: str) -> str:
    """What the page's authors make of a claim's outcome at this tier; "" where they say nothing."""
    return str((ledger["card"].get("readings") or {}).get(ledger["tier"], {}).get(claim, ""))


def clauses_of(row: Mapping[str, Any], claim: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The clauses that were measured, the leading one first: {"claimed", "cells", "needs", "outcome", "quantity"}."""
    declared = claim.get("clauses") or [{}]
    found = []
    for index, part in enumerate([row, *(row.get("also") or ())]):
        cells = part.get("cells") or _as_cells(part)
        needs = part.get("needs") or (declared[index].get("needs") if index < len(declared) else None)
        outcome = part["outcome"] or "not tested"
        if index == 0 and row.get("also") and cells and outcome != "error":
            outcome = str(decide([_interval(cell) for cell in cells], _claimed(part["claimed"]), needs))
        if cells:
            said = part.get("quantity") or ""
            found.append(
                {"claimed": part["claimed"], "cells": cells, "needs": needs, "outcome": outcome, "quantity": said}
            )
    return found


def _as_cells(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"label": "", "low": low, "high": high, "estimate": None, "n": None} for low, high in row.get("measured") or ()
    ]


def _part(clause: Mapping[str, Any], several: bool) -> dict[str, Any]:
    ends, cells = clause["claimed"], clause["cells"]
    where = [held(cell, ends) for cell in cells]
    # Of many cells only those are listed that lie elsewhere than claimed: the strip shows all, the ledger holds all.
    listed_cells = [
        {
            "label": breakable(str(cell.get("label") or "")),
            "measured": interval_of(cell),
            "estimate": within(cell.get("estimate"), cell.get("low"), cell.get("high")),
            "lies": lies,
        }
        for cell, lies in zip(cells, where, strict=True)
        if len(cells) > NAMED_CELLS and lies != "inside"
    ]
    return {
        "claimed": claimed(*ends),
        "needs": ""
        if clause["needs"] is None or len(cells) < 2
        else f"{number(clause['needs'])} of {len(cells)} cells",
        "quantity": breakable(brief(clause["quantity"])) if several else "",
        "strip": strip(ends, cells),
        "exact": _exactly_so(ends, cells),
        "measured": _all_of(cells),
        "outcome": clause["outcome"],
        "cells": listed_cells[:LISTED_CELLS],
        "hidden": max(len(listed_cells) - LISTED_CELLS, 0),
        "inside": number(where.count("inside")),
    }


def _exactly_so(ends: Sequence[Any], cells: Sequence[Mapping[str, Any]]) -> str:
    """The number, where one number is claimed and measured and nothing needs to be drawn."""
    numbers = {real(v) for v in (*ends, *(cell.get(k) for cell in cells for k in ("low", "high")))}
    if len(numbers) != 1 or None in numbers:
        return ""
    return claimed(*ends) + (
        "" if len(cells) == 1 else " in both cells" if len(cells) == 2 else f" in all {len(cells)} cells"
    )


def interval_of(cell: Mapping[str, Any]) -> str:
    return interval(cell.get("low"), cell.get("high"))


def _all_of(cells: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What was measured, in lines: every cell of a few, the hull of many."""
    texts = {interval_of(cell) for cell in cells}
    if len(texts) == 1 and len(cells) > 1:
        return [{"label": "in both cells" if len(cells) == 2 else f"in all {len(cells)} cells", "text": texts.pop()}]
    if len(cells) <= NAMED_CELLS:
        return [{"label": breakable(str(cell.get("label") or "")), "text": interval_of(cell)} for cell in cells]
    lows = [-math.inf if v is None else v for v in (real(cell.get("low")) for cell in cells)]
    highs = [math.inf if v is None else v for v in (real(cell.get("high")) for cell in cells)]
    if any(map(math.isnan, (*lows, *highs))):
        return [{"label": "", "text": f"{len(cells)} cells"}]
    return [{"label": f"{len(cells)} cells", "text": interval(min(lows), max(highs))}]


def held(cell: Mapping[str, Any], ends: Sequence[Any]) -> str:
    """inside, outside or across the claimed interval."""
    if any(math.isnan(end) for end in (real(cell.get("low")) or 0.0, real(cell.get("high")) or 0.0)):
        return "across"
    found, wanted = _interval(cell), _claimed(ends)
    return "inside" if found.inside(wanted) else "outside" if found.apart(wanted) else "across"


def _interval(cell: Mapping[str, Any]) -> Interval:
    low, high = real(cell.get("low")), real(cell.get("high"))
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    return Interval(-math.inf, math.inf) if math.isnan(low) or math.isnan(high) else Interval(low, high)


def _claimed(ends: Sequence[Any]) -> Interval:
    least, most = (real(end) for end in ends)
    return Interval(-math.inf if least is None else least, math.inf if most is None else most)


def _look(look: Any) -> str:
    """Which of the planned looks decided; "" where there was one only."""
    if not isinstance(look, Mapping):
        return "" if look is None else f"look {number(look)}"
    steps = look.get("of")
    planned = len(steps) if isinstance(steps, list | tuple) else int(steps or 1)
    return "" if planned < 2 else f"look {number(look.get('number'))} of {planned}"


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


def certainty(row: Mapping[str, Any], clauses: Sequence[Mapping[str, Any]]) -> str:
    """How sure the outcome is, in words."""
    cells = [cell for clause in clauses for cell in clause["cells"]]
    if row["outcome"] in (None, "error") or not cells:
        return ""
    if row.get("p_raw") is None and all(real(c.get("low")) == real(c.get("high")) for c in cells):
        return "Exact: every seed gives the same number, so there is no sampling error."
    alpha = real(row.get("alpha"))
    subject = "Together they" if len(cells) > 1 else "The interval"
    if alpha is None or alpha <= 0:
        return ""
    if alpha <= 1e-4:
        missing = "miss" if len(cells) > 1 else "misses"
        return f"{subject} {missing} the truth at most once in {whole(round(1 / alpha))} tries."
    return f"{subject} {'hold' if len(cells) > 1 else 'holds'} the truth with {number((1 - alpha) * 100)} % confidence."


def verdict_words(row: Mapping[str, Any], clauses: Sequence[Mapping[str, Any]]) -> str:
    """Where the measured intervals stand against the claimed ones, in one sentence."""
    if row["outcome"] == "error":
        return "It could not be judged, which is not a refutation."
    if row["outcome"] is None:
        return "It was not tested at this scale."
    where = [held(cell, clause["claimed"]) for clause in clauses for cell in clause["cells"]]
    one = "the claimed one" if len(clauses) == 1 else "the claimed ones"
    if len(where) == 1:
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
        return f"All {len(where)} measured intervals {pieces[0][1]} {one}."
    return f"Of {len(where)} measured intervals, {listed([f'{n} {words}' for n, words in pieces])} {one}."
