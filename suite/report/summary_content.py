"""What the suite's summary says: every headline, counts, and the honesty list, from the ledgers alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from suite.ledger import rows
from suite.report.claims_content import claim_entry, reading
from suite.report.content import _source
from suite.report.docstring import parse, plain
from suite.report.numbers import count, listed, number, p_value, prose, real, sentence

OUTCOMES = ("reproduced", "refuted", "inconclusive", "error", "not tested")


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p values; None stays None and does not count.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    known = sorted((p, i) for i, p in enumerate(values) if p is not None)
    found: list[float | None] = [None] * len(values)
    least = 0.0
    for rank, (p, index) in enumerate(known):
        least = max(least, min(p * (len(known) - rank), 1.0))
        found[index] = round(least, 15)
    return found


def summary_content(ledgers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """data.json of summary.typ; the ledgers in the order in which they are to be listed."""
    tasks, headlines, p_values = [], [], []
    for book in ledgers:
        claims = {claim["id"]: claim for claim in book["card"]["claims"]}
        entries = [claim_entry(row, claims[row["id"]], reading(book, row["id"])) for row in rows(book)]
        source = _source(book["card"])
        key = f"{book['slug']}-{book['tier']}"
        tasks.append(
            {
                "key": key,
                "title": sentence(prose(book["card"]["title"])),
                "slug": book["slug"],
                "tier": book["tier"],
                "rule": book["rule_hash"][:16],
                "posts": source["posts"],
                "claims": entries,
            }
        )
        head = next(row for row in rows(book) if row["headline"])
        p_values.append(real(head.get("p_raw")))
        headlines.append(
            {**next(e for e in entries if e["headline"]), "key": key, "name": book["slug"], "tier": book["tier"]}
        )
    for entry, adjusted in zip(headlines, holm(p_values), strict=True):
        entry["p_suite"] = p_value(adjusted)
    counts = [
        {
            "name": task["slug"],
            "tier": task["tier"],
            "counts": [number(sum(e["outcome"] == name for e in task["claims"])) for name in OUTCOMES],
        }
        for task in tasks
    ]
    return {
        "title": "Published claims, tried again",
        "scope": ", ".join(
            [count(len({t["slug"] for t in tasks}), "task"), count(sum(len(t["claims"]) for t in tasks), "claim")]
        ),
        "lead": _lead(headlines),
        "headlines": headlines,
        "columns": list(OUTCOMES),
        "counts": counts,
        "honesty": _honesty(ledgers, tasks),
        "tasks": tasks,
    }


def _lead(headlines: Sequence[Mapping[str, Any]]) -> str:
    parts = [
        f"{sum(h['outcome'] == name for h in headlines)} {name}"
        for name in OUTCOMES
        if any(h["outcome"] == name for h in headlines)
    ]
    return (
        f"Of {count(len(headlines), 'headline claim')}, {listed(parts)}. Each rule was fixed before its "
        "data: the source claims that a number lies in an interval, the experiment measures an interval, and the two "
        "are compared. An outcome holds for the scale at which it was measured and for no other."
    )


def _honesty(ledgers: Sequence[Mapping[str, Any]], tasks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Not tested, deviations, inconclusive, errors, flags: whatever keeps an outcome from saying more."""
    found: dict[str, list[dict[str, str]]] = {
        "Errors: could not be judged": [],
        "Refuted: what to make of it": [],
        "Inconclusive": [],
        "Not tested": [],
        "Not the source’s scale": [],
        "Flags": [],
    }
    for book, task in zip(ledgers, tasks, strict=True):
        name = f"{task['slug']} ({task['tier']})"
        for entry in task["claims"]:
            if entry["outcome"] == "error":
                found["Errors: could not be judged"].append({"name": name, "id": entry["id"], "text": entry["reason"]})
            if entry["outcome"] == "refuted" and entry["reading"]:
                found["Refuted: what to make of it"].append({"name": name, "id": entry["id"], "text": entry["reading"]})
            if entry["outcome"] == "inconclusive":
                text = ". ".join(filter(None, (entry["reason"] or entry["says"], entry["reading"])))
                found["Inconclusive"].append({"name": name, "id": entry["id"], "text": text})
            if entry["outcome"] == "not tested":
                found["Not tested"].append({"name": name, "id": entry["id"], "text": entry["reason"] or entry["says"]})
            found["Flags"] += [{"name": name, "id": entry["id"], "text": flag} for flag in entry["edge"]]
        done = {entry["id"] for entry in task["claims"]}
        left_out = [claim for claim in book["card"]["claims"] if claim["id"] not in done]
        found["Not tested"] += [{"name": name, "id": c["id"], "text": "left out of this run"} for c in left_out]
        scale = plain(parse(book["card"]["doc"]).scale)
        if scale:
            found["Not the source’s scale"].append({"name": name, "id": "", "text": sentence(prose(scale))})
        if (book["provenance"].get("git") or {}).get("dirty"):
            found["Flags"].append({"name": name, "id": "", "text": "measured with uncommitted changes"})
    return [{"title": title, "items": items} for title, items in found.items() if items]
