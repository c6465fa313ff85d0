"""Ledgers: ``results/<tier>/<page>.json``, one per task and tier, kept in git.

A ledger holds the page's declaration, every verdict with its evidence, every verdict trial and what made them, so that
a report is a function of the ledger alone.  ``hash`` covers everything but ``timing``: numbers that depend on the
machine's speed live there.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

from suite import codehash, home
from suite.canonical import digest, plain
from suite.claims import TIERS, Outcome
from suite.errors import UserError
from suite.files import read_json, write_json

SCHEMA = 1
_FIELDS = (
    "schema",
    "slug",
    "tier",
    "revision",
    "rule_hash",
    "outcome",
    "card",
    "claims",
    "arms",
    "trials",
    "calibration",
    "published",
    "provenance",
)


def _is(kind: type | UnionType) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind) and not isinstance(value, bool)


def _each(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(holds, value.values()))


def _code(value: Any) -> bool:
    """{"hash": text, "parts": {piece: hash}}."""
    return _each(lambda inner: isinstance(inner, str | dict))(value) and isinstance(value.get("hash"), str)


# What stands behind the verdicts, where it is there: reports print it and comparisons read it.
_MADE: dict[str, dict[str, Callable[[Any], bool]]] = {
    "provenance": {
        "code": _each(lambda value: _code(value) and _is(dict)(value.get("parts", {}))),
        "versions": _is(dict),
        "machine": _is(dict),
        "git": _is(dict | NoneType),
        "data": _is(dict | NoneType),
        "seeds": _each(_is(int)),
        "sizes": _each(_is(dict)),
    },
    "timing": {
        "seconds": _is(int | float),
        "per_experiment": _each(_each(_is(int | float))),
    },
}


def path(tier: str, page: str) -> Path:
    return home.results() / tier / f"{page}.json"


def compose(
    card: Mapping[str, Any],
    tier: str,
    *,
    rows: Sequence[Mapping[str, Any]],
    choices: Sequence[Mapping[str, Any]],
    trials: Sequence[Mapping[str, Any]],
    timed: Sequence[str],
    calibration: Mapping[str, Any],
    published: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any],
    timing: Mapping[str, Any],
) -> dict[str, Any]:
    """A ledger from its parts; what reads the experiments ``timed`` goes to ``timing``."""
    headline = next(row for row in rows if row["headline"])
    steady, ticking = _split(rows, lambda row: row.get("timed", False))
    steady_trials, ticking_trials = _split(trials, lambda trial: trial["experiment"] in timed)
    steady_numbers, ticking_numbers = _split(published, lambda number: number.get("timed", False))
    found = plain(
        {
            "schema": SCHEMA,
            "slug": card["slug"],
            "tier": tier,
            "revision": card["revision"],
            "rule_hash": card["rule_hash"],
            "outcome": headline["outcome"],
            "card": card,
            "claims": steady,
            "arms": list(choices),
            "trials": steady_trials,
            "calibration": dict(calibration),
            "published": steady_numbers,
            "provenance": dict(provenance),
        }
    )
    found["hash"] = digest(found)
    found["timing"] = plain({**timing, "claims": ticking, "trials": ticking_trials, "published": ticking_numbers})
    return found


def _split(items: Sequence[Any], chosen: Any) -> tuple[list[Any], list[Any]]:
    return [item for item in items if not chosen(item)], [item for item in items if chosen(item)]


def rows(ledger: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every claim's row in the order of the page, those of timed experiments included."""
    by_id = {row["id"]: row for row in [*ledger["claims"], *ledger.get("timing", {}).get("claims", [])]}
    return [by_id[claim["id"]] for claim in ledger["card"]["claims"] if claim["id"] in by_id]


def trials(ledger: Mapping[str, Any], experiment: str | None = None) -> list[dict[str, Any]]:
    """Every verdict trial, those of timed experiments included."""
    found = [*ledger["trials"], *ledger.get("timing", {}).get("trials", [])]
    return [trial for trial in found if experiment is None or trial["experiment"] == experiment]


def read(file: Path) -> dict[str, Any]:
    """A ledger that is whole: of a schema this suite knows, with the fields and the hash it should have."""
    found = read_json(file, "the ledger")
    if not isinstance(found, dict) or type(found.get("schema")) is not int:
        raise UserError(f"{file} is not a ledger")
    if found["schema"] > SCHEMA:
        raise UserError(f"{file} has schema {found['schema']}, this suite reads up to {SCHEMA}; update the suite")
    missing = [name for name in (*_FIELDS, "hash", "timing") if name not in found]
    if missing:
        raise UserError(f"{file} lacks {', '.join(missing)}; restore it from git or run the task again")
    if (
        not isinstance(found["tier"], str)
        or found["tier"] not in TIERS
        or not isinstance(found["slug"], str)
        or not re.fullmatch(r"[a-z0-9][a-z0-9-]*", found["slug"])
    ):
        raise UserError(
            f"{file} names tier {found['tier']!r} and task {found['slug']!r}; that is not a ledger of this suite"
        )
    try:
        sealed = found["hash"] == digest({name: found[name] for name in _FIELDS})
    except (UnicodeEncodeError, RecursionError):  # half a character, or lists in lists without end
        sealed = False
    if not sealed:
        raise UserError(f"{file} does not match its hash: it was edited by hand; run the task again")
    if crooked := _crooked(found):
        raise UserError(
            f"{file}: {crooked} is not what a ledger holds there; restore it from git or run the task again"
        )
    return found


def _crooked(found: Mapping[str, Any]) -> str | None:
    """The first part of a ledger that has another shape than the suite writes, or None."""
    for name, kind in {"card": dict, "calibration": dict, "provenance": dict, "timing": dict, "rule_hash": str}.items():
        if not isinstance(found[name], kind):
            return name
    timing = found["timing"]
    lists = {name: found[name] for name in ("claims", "arms", "trials", "published")}
    lists |= {f"timing.{name}": timing.get(name, []) for name in ("claims", "trials", "published")}
    lists |= {f"card.{name}": found["card"].get(name) for name in ("claims", "experiments")}
    for name, items in lists.items():
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            return name
    for part, shapes in _MADE.items():
        for name, holds in shapes.items():
            if name in found[part] and not holds(found[part][name]):
                return f"{part}.{name}"
    if not all(name in found["provenance"] for name in ("code", "versions", "machine")):
        return "provenance"
    if not all(isinstance(claim.get("id"), str) for claim in found["card"]["claims"]):
        return "card.claims"
    for row in (*found["claims"], *timing.get("claims", [])):
        ends = row.get("measured") or []
        if (
            not isinstance(row.get("id"), str)
            or row.get("outcome") not in (None, *(str(outcome) for outcome in Outcome))
            or not isinstance(ends, list)
            or not all(isinstance(cell, list) and len(cell) == 2 for cell in ends)
        ):
            return f"claim {row.get('id')!r:.40}"
    return None


def measured(ledger: Mapping[str, Any]) -> bool:
    """Whether any claim could be judged: errors and untested claims measure nothing."""
    return any(row["outcome"] not in (None, Outcome.ERROR) for row in rows(ledger))


def write(ledger: Mapping[str, Any], file: Path) -> Path | None:
    """Write a ledger; one gathered under another rule moves to ``history`` first.  Returns where it went, or None."""
    moved = None
    if file.exists():
        try:
            old = read(file)
        except UserError:
            old = None  # a damaged one is replaced: its trials live in the store
        if old is not None and (old["rule_hash"] != ledger["rule_hash"] or _flipped(old, ledger)):
            moved = home.results() / "history" / f"{old['tier']}-{file.stem}-r{old['revision']}-{old['hash'][:8]}.json"
            write_json(moved, old)
    write_json(file, ledger)
    return moved


def _flipped(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    decided = {"reproduced", "refuted"}
    return old["outcome"] in decided and new["outcome"] in decided and old["outcome"] != new["outcome"]


def each(tier: str | None = None) -> Iterator[Path]:
    """The ledger files of every tier but smoke, in the order of tiers and pages."""
    for name in TIERS[1:] if tier is None else (tier,):
        yield from sorted((home.results() / name).glob("*.json"))


def stale(ledger: Mapping[str, Any], parts: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Which pieces of code differ from those that made the ledger, as "experiment: piece" (empty when none).

    ``parts`` is {experiment: {piece: hash}} of the code as it stands, see ``suite.codehash``.
    """
    made = ledger["provenance"]["code"]
    found = []
    for experiment, now in parts.items():
        before = made.get(experiment, {}).get("parts")
        if before is None:
            continue
        found += [f"{experiment}: {name}" for name in changed(before, now)]
    return found


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The pieces whose hashes differ.  A piece that counted once and does not now is no difference: what it could
    change was never measured.
    """
    pieces = filter(codehash.measuring, before.keys() | now.keys())
    return sorted(name for name in pieces if before.get(name) != now.get(name))
