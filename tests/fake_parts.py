"""The parts of made-up ledgers, in the real schema."""

import copy
from typing import Any

import numpy as np
from scipy import stats

from suite import ledger
from suite.canonical import digest, plain
from suite.figures import Figure

TUNING_SEEDS = 4


def drawn(*figures: Figure) -> list[dict[str, Any]]:
    return [plain(figure.to_json()) for figure in figures]


def claim(
    name: str, says: str, kind: str, quantity: dict[str, Any] | None, claimed: list[float | None], **more: Any
) -> dict[str, Any]:
    clauses = [] if quantity is None else [{"quantity": quantity, "claimed": claimed, "needs": more.get("needs")}]
    clauses += [{"quantity": quantity, "claimed": other, "needs": None} for other in more.get("also", ())]
    return {
        "id": name,
        "says": says,
        "kind": kind,
        "headline": more.get("headline", False),
        "untested": more.get("untested", {}),
        "note": more.get("note", ""),
        "clauses": clauses,
    }


def cells_of(gaps: dict[str, np.ndarray], level: float) -> list[dict[str, Any]]:
    found = []
    for label, gap in gaps.items():
        low, high = stats.t.interval(level, len(gap) - 1, loc=gap.mean(), scale=gap.std(ddof=1) / len(gap) ** 0.5)
        found.append(
            {"label": label, "low": float(low), "high": float(high), "estimate": float(gap.mean()), "n": len(gap)}
        )
    return found


def row_of(claim: dict[str, Any], outcome: str | None, cells: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    clause = claim["clauses"][0] if claim["clauses"] else {"claimed": [None, None]}
    row = {
        "id": claim["id"],
        "says": claim["says"],
        "kind": claim["kind"],
        "headline": claim["headline"],
        "outcome": outcome,
        "claimed": clause["claimed"],
        "measured": [[cell["low"], cell["high"]] for cell in cells],
        "cells": cells,
        "estimate": cells[0]["estimate"] if cells else None,
        "n": cells[0]["n"] if cells else None,
        "alpha": 0.05,
        "p_raw": None,
        "p_holm": None,
        "sign_flip": None,
        "reason": "",
        "look": None,
        "also": [],
        "quantity": "",
        "experiments": [],
        "more_seeds": None,
        "edge": [],
        "timed": False,
    }
    unknown = set(more) - set(row)
    assert not unknown, unknown
    return {**row, **more}


def tier_of(seeds: int, **sizes: Any) -> dict[str, Any]:
    return {"seeds": seeds, "tuning_seeds": TUNING_SEEDS, "looks": [], "at_most": None, "stack": None, "sizes": sizes}


def trial(
    experiment: str, arm: str, at: dict[str, Any], setting: dict[str, Any], seed: int, **metrics: Any
) -> dict[str, Any]:
    return {
        "experiment": experiment,
        "arm": arm,
        "at": at,
        "setting": setting,
        "seed": {"purpose": "verdict", "number": seed},
        "metrics": {k: float(v) if isinstance(v, np.floating) else v for k, v in metrics.items()},
    }


def card_of(
    slug: str,
    title: str,
    family: str,
    doc: str,
    posts: list[tuple[str, str, str]],
    papers: list[str],
    claims: list[dict[str, Any]],
    experiments: list[dict[str, Any]],
    figures: list[dict[str, Any]],
) -> dict[str, Any]:
    card = {
        "schema": 1,
        "slug": slug,
        "page": slug.replace("-", "_"),
        "module": f"tasks.{slug.replace('-', '_')}",
        "title": title,
        "family": family,
        "doc": doc,
        "source": {"posts": [{"title": t, "url": u, "date": d} for t, u, d in posts], "papers": papers},
        "claims": claims,
        "experiments": experiments,
        "published": [],
        "figures": figures,
        "mutants": [
            {
                "says": "the sign of the update swapped",
                "replaces": "suite.blocks.optim.lion:update",
                "turns_to": "refuted",
            }
        ],
        "revision": 1,
        "readings": {"cpu": {claims[0]["id"]: "AdamW keeps its lead where batches are small"}},
    }
    return {**card, "rule_hash": digest({k: card[k] for k in ("slug", "source", "claims", "experiments", "revision")})}


def composed(
    card: dict[str, Any],
    rows: list[dict[str, Any]],
    choices: list[dict[str, Any]],
    trials: list[dict[str, Any]],
    timed: list[str],
    calibration: dict[str, Any],
    published: list[dict[str, Any]],
) -> dict[str, Any]:
    names = [e["name"] for e in card["experiments"]]
    provenance = {
        "code": {name: {"hash": digest(name), "parts": {}} for name in names},
        "versions": {
            "python": "3.11",
            "torch": "2.13.0",
            "lightning": "2.6.6",
            "numpy": "2.3.5",
            "scipy": "1.17.0",
            "scikit-learn": "1.8.0",
        },
        "machine": {"system": "Linux", "processor": "x86_64", "vector": "avx512f", "device": "cpu", "threads": "1"},
        "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "data": {"digits": digest("digits")},
        "seeds": {e["name"]: e["tiers"]["cpu"]["seeds"] for e in card["experiments"]},
        "sizes": {e["name"]: e["tiers"]["cpu"]["sizes"] for e in card["experiments"]},
    }
    timing = {
        "measured": "2026-11-22T17:00:00+00:00",
        "seconds": 143.2,
        "per_experiment": {
            name: {"seconds": 143.2 / len(names), "trials": sum(t["experiment"] == name for t in trials)}
            for name in names
        },
    }
    return ledger.compose(
        card,
        "cpu",
        rows=rows,
        choices=choices,
        trials=trials,
        timed=timed,
        calibration=calibration,
        published=published,
        provenance=provenance,
        timing=timing,
    )


def sealed(book: dict[str, Any]) -> dict[str, Any]:
    """A copy whose hash fits after its fields were changed."""
    found = copy.deepcopy(book)
    found["hash"] = digest({k: v for k, v in found.items() if k not in ("hash", "timing")})
    return found
