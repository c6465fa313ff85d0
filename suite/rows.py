"""The numbers and the words of a claim's row."""

import math
from collections.abc import Sequence
from typing import Any

from suite.claims import Outcome
from suite.clauses import MOST_SEEDS, Clause, Judged, budgets
from suite.looks import Stage
from suite.quantities import Measurement

Json = dict[str, Any]


def where_it_misses(clauses: Sequence[Clause], judged: Judged, outcome: Outcome) -> list[str]:
    """The cells that made a clause fail or stay open, at most three of a clause."""
    found = []
    for clause, measured, its in zip(clauses, judged.measured, judged.outcomes, strict=True):
        if its is not outcome:
            continue
        cells = [c for c in measured.cells if not c.interval.inside(clause.claimed)]
        if outcome is Outcome.REFUTED:
            cells = [c for c in cells if c.interval.apart(clause.claimed)]
        relation = "lies outside" if outcome is Outcome.REFUTED else "reaches both sides of an end of"
        named = ", ".join((f"{c.label}: " if c.label else "") + str(c.interval) for c in cells[:3])
        more = f" and {len(cells) - 3} more cells" if len(cells) > 3 else ""
        found.append(f"{named}{more} {relation} {clause.claimed}")
    return found


def more_needed(clauses: Sequence[Clause], seeds: int | None) -> list[str]:
    """What would settle an inconclusive claim, in words."""
    if seeds is not None:
        return [f"about {seeds} seeds would settle it"]
    if not any(clause.quantity.grows for clause in clauses):
        return ["more tuning seeds or a finer grid could settle it"]
    return (
        [f"no number of seeds up to {MOST_SEEDS} would settle it at this estimate"]
        if "alpha" in budgets(clauses)
        else []
    )


def flips_disagree(judged: Judged, stage: Stage) -> bool:
    """Whether the sign-flip p misses the level that Student's p reached, where so few seeds could have reached it."""
    if judged.chance is None or judged.flips is None or judged.outcome is Outcome.INCONCLUSIVE:
        return False
    student, flips = (
        (judged.chance.holds, judged.flips.holds)
        if judged.outcome is Outcome.REPRODUCED
        else (judged.chance.fails, judged.flips.fails)
    )
    n = min(c.n for m in judged.measured for c in m.cells)
    cells = sum(len(m.cells) for m in judged.measured)
    return 0 < student <= stage.alpha < flips and cells * 2.0 ** (1 - n) <= stage.alpha


def ends(measurement: Measurement) -> list[list[float | None]]:
    return [[end(i.low), end(i.high)] for i in measurement.intervals]


def end(value: float) -> float | None:
    return value if math.isfinite(value) else None


def cells(measurement: Measurement) -> list[Json]:
    return [
        {
            "label": c.label,
            "low": end(c.interval.low),
            "high": end(c.interval.high),
            "estimate": c.estimate,
            "n": c.n,
            "sd": c.sd,
        }
        for c in measurement.cells
    ]
