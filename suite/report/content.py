"""What a task's report says, as JSON for the templates: every word and number that is printed passes through here.

Nothing is computed that the ledger does not hold, apart from counting, rounding and placing.
"""

from collections.abc import Mapping
from typing import Any

from suite.ledger import rows
from suite.report.claims_content import certainty, claim_entry, clauses_of, reading, verdict_words
from suite.report.docstring import parse
from suite.report.evidence_content import calibration, experiments, provenance, published, tuning
from suite.report.figures_content import figures
from suite.report.numbers import breakable, claimed, number, prose, sentence


def task_content(ledger: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """(data, files): data for task.typ, and the SVG of every figure under the name that data gives it."""
    card = ledger["card"]
    claims = {claim["id"]: claim for claim in card["claims"]}
    found = rows(ledger)
    head = next(row for row in found if row["headline"])
    entries = [claim_entry(row, claims[row["id"]], reading(ledger, row["id"])) for row in found]
    drawn, files = figures(ledger)
    data = {
        "slug": ledger["slug"],
        "tier": ledger["tier"],
        "title": sentence(prose(card["title"])),
        "family": card["family"],
        "source": _source(card),
        "doc": _doc(card["doc"]),
        "verdict": _verdict(ledger, head, claims[head["id"]]),
        "claims": entries,
        "judged": judged(entries),
        "reasons": [e for e in entries if e["outcome"] not in ("reproduced", "not tested")],
        "untested": [e for e in entries if e["outcome"] == "not tested"],
        "unjudged": [
            {"id": c["id"], "says": prose(c["says"])}
            for c in card["claims"]
            if c["id"] not in {row["id"] for row in found}
        ],
        "published": published(ledger),
        "figures": drawn,
        "tuning": tuning(ledger),
        "experiments": experiments(ledger),
        "calibration": calibration(ledger, claims),
        "mutants": [
            {"says": prose(m["says"]), "replaces": breakable(m["replaces"]), "turns_to": m["turns_to"]}
            for m in card.get("mutants", ())
        ],
        "provenance": provenance(ledger),
        "commands": _commands(ledger),
    }
    return data, files


def _source(card: Mapping[str, Any]) -> dict[str, Any]:
    posts = [
        {
            "title": breakable(p["title"]),
            "url": p["url"],
            "shown": breakable(p["url"].removeprefix("https://")),
            "date": p["date"],
        }
        for p in card["source"]["posts"]
    ]
    return {"posts": posts, "papers": [prose(paper) for paper in card["source"].get("papers", ())]}


def _doc(text: str) -> dict[str, Any]:
    doc = parse(text)

    def set_up(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {**block, "text": block["text"]}
            if block["kind"] == "display"
            else {**block, "spans": _spans(block["spans"])}
            if block["kind"] == "text"
            else {**block, "items": [_spans(item) for item in block["items"]]}
            for block in blocks
        ]

    def opened(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What follows a label begins a sentence of its own."""
        if blocks and blocks[0]["kind"] == "text" and not blocks[0]["spans"][0]["code"]:
            blocks[0]["spans"][0]["text"] = sentence(blocks[0]["spans"][0]["text"])
        return blocks

    return {
        "summary": prose(doc.summary),
        "body": set_up(doc.body),
        "scale": opened(set_up(doc.scale)),
        "bite": opened(set_up(doc.bite)),
    }


def _spans(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"text": breakable(s["text"]) if s["code"] else prose(s["text"]), "code": s["code"]} for s in spans]


def _verdict(ledger: Mapping[str, Any], row: Mapping[str, Any], claim: Mapping[str, Any]) -> dict[str, Any]:
    entry, clauses = claim_entry(row, claim), clauses_of(row, claim)
    outcome = entry["outcome"]
    return {
        **entry,
        "line": f"{outcome.capitalize()} at {ledger['tier']} scale",
        "words": verdict_words(row, clauses),
        "certainty": certainty(row, clauses),
        "smoke": ledger["tier"] == "smoke",
        "claimed": claimed(*row["claimed"]),
        "seeds": "–" if row.get("n") is None else number(row["n"]),
    }


def judged(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many claims ended how, in a fixed order."""
    order = ("reproduced", "refuted", "inconclusive", "error", "not tested")
    return [{"outcome": name, "count": number(sum(e["outcome"] == name for e in entries))} for name in order]


def _commands(ledger: Mapping[str, Any]) -> list[dict[str, str]]:
    slug, tier = ledger["slug"], ledger["tier"]
    suffix = "" if tier == "cpu" else f" TIER={tier}"
    return [
        {"command": f"make reproduce-{slug}{suffix}", "does": "run it; finished trials are reused"},
        {"command": f"python -m suite plan {slug} --tier {tier}", "does": "what would run, and what is reused"},
        {"command": f"python -m suite show {slug}", "does": "the rule, as it was fixed beforehand"},
        {"command": "make report", "does": "set this document again from the ledger, without training"},
    ]
