"""Compare ledgers: by bytes inside a machine class, by verdict across classes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite import ledger
from suite.errors import UserError

DECIDED = {"reproduced", "refuted"}


def compare(old: str, new: str) -> tuple[int, list[str]]:
    """(exit code, lines) for two ledgers or two folders of ledgers.

    0: same verdicts, no effect moved by more than its noise.  1: a verdict flipped, an effect moved, a claim is gone,
    or the same code gave other numbers on the same machine class.  A pair that cannot be compared raises UserError
    (exit code 2).
    """
    pairs = _pairs(Path(old), Path(new))
    code, lines = 0, []
    for name, before, after in pairs:
        worse, found = _ledgers(before, after)
        code = max(code, worse)
        lines += [f"{name}: {line}" for line in found]
    lines.append(f"{len(pairs)} ledgers compared: " + ("same" if code == 0 else "DIFFERENT"))
    return code, lines


def _pairs(old: Path, new: Path) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    if old.is_dir() != new.is_dir():
        raise UserError(f"{old} and {new}: give two files or two folders")
    if not old.is_dir():
        return [(new.stem, ledger.read(old), ledger.read(new))]
    names = sorted({p.relative_to(f) for f in (old, new) for p in f.rglob("*.json") if "history" not in p.parts})
    if not names:
        raise UserError(f"{old} and {new} hold no ledger")
    absent = [str(n) for n in names if not (old / n).exists() or not (new / n).exists()]
    if absent:
        raise UserError(f"only one side has {', '.join(absent[:5])}")
    return [(str(n), ledger.read(old / n), ledger.read(new / n)) for n in names]


def _ledgers(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[int, list[str]]:
    if (before["slug"], before["tier"]) != (after["slug"], after["tier"]):
        raise UserError(
            f"{before['slug']} at {before['tier']} and {after['slug']} at {after['tier']} are different tasks"
        )
    for word, book in (("old", before), ("new", after)):
        if not ledger.measured(book):
            raise UserError(f"{book['slug']}: the {word} ledger measured nothing")
    lines, code = [], 0
    if before["rule_hash"] != after["rule_hash"]:
        return 1, ["the rule differs, the verdicts are not comparable"]
    made = [{k: v for k, v in book["provenance"].items() if k != "git"} for book in (before, after)]
    same_numbers = all(before[name] == after[name] for name in ("trials", "arms"))
    if before["hash"] == after["hash"]:
        lines.append("identical outside timing")
    elif any(made[0][name] != made[1][name] for name in ("machine", "versions")):
        lines.append("other machine class or versions: compared by verdict")
    elif same_numbers:
        lines.append("the same trials, bit for bit")
    elif made[0] == made[1]:
        code = 1
        lines.append("the same code, seeds and machine class, and other numbers")
    else:
        lines.append("same machine class, other code or seeds: compared by verdict")
    old_rows = {row["id"]: row for row in ledger.rows(before)}
    new_rows = {row["id"]: row for row in ledger.rows(after)}
    for name, row in old_rows.items():
        other = new_rows.get(name)
        if other is None:
            code = 1
            lines.append(f"{name} is gone")
        elif row["outcome"] != other["outcome"]:
            flipped = row["outcome"] in DECIDED or other["outcome"] in DECIDED
            code = max(code, int(flipped))
            lines.append(f"{name}: {row['outcome']} -> {other['outcome']}")
        elif _moved(row, other):
            code = 1
            lines.append(
                f"{name}: moved from {row['estimate']:.4g} to {other['estimate']:.4g}, the intervals are apart"
            )
    return code, lines


def _moved(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether some cell's two intervals do not even touch: more than noise.  Timed numbers move with the machine."""
    if row.get("timed"):
        return False
    for before, after in zip(row.get("measured") or [], other.get("measured") or [], strict=False):
        low_b, high_b, low_a, high_a = (_end(before[0], -1), _end(before[1], 1), _end(after[0], -1), _end(after[1], 1))
        if high_a < low_b or high_b < low_a:
            return row.get("estimate") is not None and other.get("estimate") is not None
    return False


def _end(value: Any, side: int) -> float:
    return side * float("inf") if value is None else float(value)
