"""One clause against its claimed interval, and a claim from its clauses: outcome and p values by one rule.

The p value of an outcome is the level at which the rule would just reach it, so that outcome and p never disagree: a
cell holds at level a exactly when its p of holding is at most a.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suite.canonical import canonical
from suite.claims import Interval, Outcome, decide
from suite.quantities import Cell, Evidence, Measurement, Quantity, Unmeasurable, from_json, levels, measure
from suite.results import Results

MOST_SEEDS = 10_000  # no advice beyond


@dataclass(frozen=True, kw_only=True)
class Clause:
    """A clause of the card, revived."""

    quantity: Quantity
    claimed: Interval
    needs: int | None

    @property
    def key(self) -> str:
        return canonical(self.quantity.to_json())


def clauses_of(claim: Mapping[str, Any]) -> list[Clause]:
    """The clauses of a card's claim, its own first."""
    found = []
    for clause in claim["clauses"]:
        low, high = clause["claimed"]
        claimed = Interval(-math.inf if low is None else float(low), math.inf if high is None else float(high))
        found.append(Clause(quantity=from_json(clause["quantity"]), claimed=claimed, needs=clause.get("needs")))
    return found


def split(clauses: Sequence[Clause]) -> dict[str, int]:
    """Over how many different quantities each budget is shared: clauses on the same quantity share its intervals."""
    different = {clause.key: clause.quantity for clause in clauses}
    return Counter(b for quantity in different.values() for b in {part.budget for part in quantity.parts()})


def budgets(clauses: Sequence[Clause]) -> set[str]:
    """What a claim spends: "alpha", "simulated", both, or nothing."""
    return {part.budget for clause in clauses for part in clause.quantity.parts()} - {"none"}


# --- p values that follow the rule --------------------------------------------------------------------


@dataclass(frozen=True)
class Chance:
    """The levels at which a clause would just hold and just fail; 1 where the estimate lies on the other side."""

    holds: float
    fails: float


def cell_chance(cell: Cell, claimed: Interval, p_at: Callable[[float], float | None]) -> Chance | None:
    """Of one cell; 0 or 1 where nothing is inferred at alpha, None where ``p_at`` does not apply."""
    if cell.evidence.budget != "alpha":
        inside, apart = cell.interval.inside(claimed), cell.interval.apart(claimed)
        return Chance(0.0 if inside else 1.0, 0.0 if apart else 1.0)
    inside = claimed.low <= cell.estimate <= claimed.high
    bounds = [claimed.low, claimed.high] if inside else [claimed.low if cell.estimate < claimed.low else claimed.high]
    ps = [p_at(bound) for bound in bounds if math.isfinite(bound)]
    if any(p is None for p in ps):
        return None
    p = max((p for p in ps if p is not None), default=0.0)
    return Chance(p, 1.0) if inside else Chance(1.0, p)


def clause_chance(
    measurement: Measurement, clause: Clause, sharing: Mapping[str, int], flips: bool = False
) -> Chance | None:
    """Of a clause: the order statistics that ``needs`` asks for, times the number of simultaneous cells.

    ``flips`` takes the sign-flip p instead of Student's; None where a cell has none.
    """
    cells = measurement.cells
    chances = [cell_chance(c, clause.claimed, c.sign_flip if flips else c.p_at) for c in cells]
    whole = [c for c in chances if c is not None]
    if len(whole) < len(chances):
        return None
    times = max(1, sum(c.evidence.budget == "alpha" for c in cells) * sharing.get("alpha", 1))
    needs = len(cells) if clause.needs is None else clause.needs
    holds = sorted(c.holds for c in whole)[needs - 1]
    fails = sorted(c.fails for c in whole)[len(cells) - needs]
    return Chance(min(1.0, times * holds), min(1.0, times * fails))


def claim_chance(chances: Sequence[Chance | None]) -> Chance | None:
    """Of a claim: it holds when every clause holds, it fails when one fails."""
    whole = [c for c in chances if c is not None]
    if len(whole) < len(chances):
        return None
    return Chance(max(c.holds for c in whole), min(c.fails for c in whole))


# --- A claim at one look ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A claim's clauses measured and decided at one level."""

    outcome: Outcome
    measured: tuple[Measurement, ...]
    outcomes: tuple[Outcome, ...]
    chance: Chance | None
    flips: Chance | None

    @property
    def p(self) -> float:
        """The smallest level at which the claim would be decided, either way."""
        return 1.0 if self.chance is None else min(self.chance.holds, self.chance.fails)


def conclude(outcomes: Sequence[Outcome]) -> Outcome:
    """A claim from its clauses: all must hold, one that fails refutes, one that cannot be judged stops everything."""
    for outcome in (Outcome.ERROR, Outcome.REFUTED, Outcome.INCONCLUSIVE):
        if outcome in outcomes:
            return outcome
    return Outcome.REPRODUCED


def gather(clauses: Sequence[Clause], results: Results) -> list[list[Evidence]]:
    """The evidence of each clause; clauses on the same quantity share it."""
    known: dict[str, list[Evidence]] = {}
    for clause in clauses:
        if clause.key not in known:
            known[clause.key] = clause.quantity.evidence(results)
        cells = len(known[clause.key])
        if not cells or (clause.needs or 0) > cells:
            raise Unmeasurable(f"{clause.quantity}: {clause.needs or 'all'} cells are to hold, and there are {cells}")
    return [known[clause.key] for clause in clauses]


def judge_at(clauses: Sequence[Clause], evidence: Sequence[Sequence[Evidence]], alpha: float) -> Judged:
    """Measure and decide every clause with all its intervals simultaneous at ``alpha``."""
    sharing = split(clauses)
    measured = tuple(measure(e, alpha, sharing) for e in evidence)
    outcomes = tuple(decide(m.intervals, c.claimed, c.needs) for m, c in zip(measured, clauses, strict=True))
    pairs = list(zip(measured, clauses, strict=True))
    return Judged(
        outcome=conclude(outcomes),
        measured=measured,
        outcomes=outcomes,
        chance=claim_chance([clause_chance(m, c, sharing) for m, c in pairs]),
        flips=claim_chance([clause_chance(m, c, sharing, flips=True) for m, c in pairs]),
    )


def seeds_to_settle(
    clauses: Sequence[Clause], evidence: Sequence[Sequence[Evidence]], alpha: float, most: int = MOST_SEEDS
) -> int | None:
    """The smallest number of seeds that would decide the claim at ``alpha`` if every estimate and spread stayed as it
    is.

    None when not even ``most`` would, or when more seeds bring nothing.
    """
    sharing = split(clauses)
    now = max((_seeds(e) for c, es in zip(clauses, evidence, strict=True) for e in es if c.quantity.grows), default=0)
    if now < 2:
        return None

    def settled(n: int) -> bool:
        outcomes = []
        for clause, items in zip(clauses, evidence, strict=True):
            at = levels(items, alpha, sharing)
            parts = clause.quantity.parts()
            grows = all(part.grows for part in parts)
            cells = [e.project(n, a) if grows else e.interval(a) for e, a in zip(items, at, strict=True)]
            outcomes.append(decide(cells, clause.claimed, clause.needs))
        return conclude(outcomes) is not Outcome.INCONCLUSIVE

    if not settled(most):
        return None
    low, high = now, most  # settled(low) is not known to hold, settled(high) does
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if settled(middle) else (middle, high)
    return high


def _seeds(evidence: Evidence) -> int:
    return int(getattr(evidence, "seeds", evidence.n))
