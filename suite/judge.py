"""From trials to verdicts: a pure function of a card, its trials and its tuning choices.

Every claim gets one row: what was claimed, what was measured, the outcome, and the reason where it is not
``reproduced``.  Nothing here reads a clock, a file or the order in which trials arrived: the same trials always give
the same rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from suite.claims import Interval, Outcome
from suite.clauses import Clause, Judged, budgets, clauses_of, gather, judge_at, seeds_to_settle
from suite.edges import examine
from suite.looks import Stage, look_alphas, stages
from suite.quantities import ALPHA, Evidence, Unmeasurable, from_json, holm
from suite.quantities.shares import SIMULATED_PER_ALPHA
from suite.results import Results
from suite.rows import cells, end, ends, flips_disagree, more_needed, where_it_misses

__all__ = ["headline_outcome", "judge", "look_alphas", "published_rows", "unsettled"]

Json = dict[str, Any]


def judge(
    card: Mapping[str, Any],
    tier: str,
    trials: Iterable[Mapping[str, Any]],
    choices: Sequence[Mapping[str, Any]],
    *,
    seeds: int | None = None,
) -> list[Json]:
    """The claim rows of a card's claims, in their order.

    A claim is decided at its first planned look at which it is not inconclusive.  Its ``p_raw`` is two-sided and
    counts the looks: the p of a look over the share of 0.05 that the look spends, the smallest seen.  Hence p_raw is at
    most 0.05 just where a claim is decided.  Holm's adjustment runs over all claims that infer at 0.05; the headline
    keeps its own 0.05, any other that does not pass is inconclusive.  ``seeds`` is what SEEDS= asked for, None for the
    declared number.
    """
    results = Results(card, tier, trials, choices)
    drafts = [_draft(claim, card, tier, results, seeds) for claim in card["claims"]]
    family = [draft for draft in drafts if draft.in_family]
    # Timed numbers change from run to run; what is kept and compared must not depend on them, so that the other claims
    # take them for claims that are never decided.  What both rules reject together is rejected by Holm over all.
    every = [1.0 if draft.error else draft.p for draft in family]
    steady = [1.0 if draft.timed else p for draft, p in zip(family, every, strict=True)]
    for draft, with_timed, without in zip(family, holm(every), holm(steady), strict=True):
        seen = every if draft.timed else steady
        draft.p_holm = None if draft.error else with_timed if draft.timed else without
        draft.factor = len(family) - sum(p < draft.p for p in seen)
    return [_row(draft, results) for draft in drafts]


# --- One claim ----------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Draft:
    claim: Mapping[str, Any]
    clauses: list[Clause]
    experiments: list[str]
    timed: bool
    skipped: str | None = None  # why it is not tested here
    error: str | None = None  # why it cannot be judged
    later: str | None = None  # why a look after the one that decided it could not be judged
    steps: list[tuple[Stage, list[list[Evidence]], Judged]] = field(default_factory=list)
    p_holm: float | None = None
    factor: int = 1

    @property
    def in_family(self) -> bool:
        return self.skipped is None and "alpha" in budgets(self.clauses)

    def scaled(self, step: int) -> float:
        stage, _, judged = self.steps[step]
        return min(1.0, judged.p / stage.weight)

    @property
    def decided(self) -> int | None:
        """The first look that is not inconclusive."""
        return next((i for i, (_, _, j) in enumerate(self.steps) if j.outcome is not Outcome.INCONCLUSIVE), None)

    @property
    def p(self) -> float:
        if self.claim["headline"] and self.decided is not None:
            return self.scaled(self.decided)
        return min((self.scaled(i) for i in range(len(self.steps))), default=1.0)

    def standing(self) -> tuple[int, bool]:
        """(the look whose evidence stands, whether Holm took its decision away)."""
        last = len(self.steps) - 1
        if self.decided is None or self.claim["headline"] or not self.in_family:
            return (last if self.decided is None else self.decided), False
        if self.p_holm is not None and self.p_holm <= ALPHA:
            for i, (_, _, judged) in enumerate(self.steps):
                if judged.outcome is not Outcome.INCONCLUSIVE and self.factor * self.scaled(i) <= ALPHA:
                    return i, False
        return last, True


def _draft(claim: Mapping[str, Any], card: Mapping[str, Any], tier: str, results: Results, seeds: int | None) -> _Draft:
    clauses = clauses_of(claim)
    names = [results.experiment(e)["name"] for c in clauses for e, _ in c.quantity.reads()]
    experiments = list(dict.fromkeys(names))
    draft = _Draft(
        claim=claim,
        clauses=clauses,
        experiments=experiments,
        timed=any(results.experiment(e)["timed"] for e in experiments),
        skipped=claim["untested"].get(tier) or claim["untested"].get("*"),
    )
    absent = [e for e in experiments if tier not in results.experiment(e)["tiers"]]
    if draft.skipped is None and (absent or not clauses):
        draft.skipped = f"{' and '.join(absent) or 'no experiment'} does not run at tier {tier}"
    if draft.skipped is not None:
        return draft
    for stage in stages(results, card, tier, [c.quantity for c in clauses], seeds):
        try:
            evidence = gather(clauses, results.reading(stage.first))
            draft.steps.append((stage, evidence, judge_at(clauses, evidence, stage.alpha)))
        except Unmeasurable as reason:
            if draft.decided is None:
                draft.error = str(reason)
            else:
                draft.later = str(reason)
            break
    return draft


# --- Its row ------------------------------------------------------------------------------------------


def _row(draft: _Draft, results: Results) -> Json:
    claim = draft.claim
    row: Json = {
        **{name: claim[name] for name in ("id", "says", "kind", "headline")},
        "outcome": None,
        "claimed": list(claim["clauses"][0]["claimed"]) if claim["clauses"] else None,
        "needs": claim["clauses"][0].get("needs") if claim["clauses"] else None,
        "measured": [],
        "cells": [],
        "estimate": None,
        "n": None,
        "alpha": None,
        "p_raw": None,
        "p_holm": None,
        "sign_flip": None,
        "reason": draft.skipped or "",
        "look": None,
        "also": [],
        "quantity": str(draft.clauses[0].quantity) if draft.clauses else "",
        "experiments": draft.experiments,
        "more_seeds": None,
        "edge": [],
        "timed": draft.timed,
    }
    if draft.skipped is not None:
        return row
    if draft.error is not None:
        return row | {"outcome": str(Outcome.ERROR), "reason": draft.error}
    step, demoted = draft.standing()
    stage, evidence, judged = draft.steps[step]
    head, clause = judged.measured[0], draft.clauses[0]
    weakest = min(head.cells, key=lambda c: min(c.estimate - clause.claimed.low, clause.claimed.high - c.estimate))
    row |= {
        "measured": ends(head),
        "cells": cells(head),
        "estimate": weakest.estimate,
        "n": weakest.n,
        "alpha": _alpha(draft, stage),
        "look": {"number": stage.look, "of": stage.looks},
        "also": [
            {
                "quantity": str(c.quantity),
                "claimed": [end(c.claimed.low), end(c.claimed.high)],
                "measured": ends(m),
                "cells": cells(m),
                "needs": c.needs,
                "outcome": str(o),
            }
            for c, m, o in zip(draft.clauses[1:], judged.measured[1:], judged.outcomes[1:], strict=True)
        ],
    }
    if draft.in_family:
        flips = judged.flips
        row |= {"p_raw": draft.p, "p_holm": draft.p_holm, "sign_flip": min(flips.holds, flips.fails) if flips else None}
    overturning, row["edge"] = examine(draft.clauses, judged, results)
    row["edge"] += [e.note for items in evidence for e in items if e.note and e.note not in row["edge"]]
    outcome, reasons = judged.outcome, []
    if demoted:
        outcome = Outcome.INCONCLUSIVE
        at = next(j.outcome for _, _, j in draft.steps if j.outcome is not Outcome.INCONCLUSIVE)
        reasons.append(
            f"{at} on its own (p = {draft.p:.2g}), but not among the {draft.factor} claims left in Holm's order "
            f"(p = {draft.p_holm:.2g})"
        )
    elif outcome is not Outcome.REPRODUCED:
        reasons += where_it_misses(draft.clauses, judged, outcome)
    if outcome is Outcome.INCONCLUSIVE:
        level = ALPHA / 2 / (draft.factor if demoted else 1)
        row["more_seeds"] = seeds_to_settle(draft.clauses, evidence, level)
        reasons += more_needed(draft.clauses, row["more_seeds"])
    elif overturning:
        reasons = [f"{'; '.join(overturning)}; a better arm could overturn '{outcome}', so the grid must be wider"]
        outcome = Outcome.ERROR
    elif flips_disagree(judged, stage):
        reasons.append(f"the sign-flip check does not agree (p = {row['sign_flip']:.2g}): the values are skewed")
    if stage.looks > 1 and stage.look < stage.looks and outcome in (Outcome.REPRODUCED, Outcome.REFUTED):
        reasons.append(f"decided at look {stage.look} of {stage.looks}")
    if draft.later is not None:
        reasons.append(f"a later look could not be judged ({draft.later})")
    return row | {"outcome": str(outcome), "reason": "; ".join(reasons)}


def _alpha(draft: _Draft, stage: Stage) -> float | None:
    spent = budgets(draft.clauses)
    if "alpha" in spent:
        return stage.alpha
    return stage.alpha * SIMULATED_PER_ALPHA if spent else None


# --- What others ask of the rows ----------------------------------------------------------------------


def unsettled(card: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], experiment: str) -> list[str]:
    """The ids of inconclusive claims that another look at ``experiment`` could settle."""
    inconclusive = {row["id"] for row in rows if row["outcome"] == Outcome.INCONCLUSIVE}
    names = [e["name"] for e in card["experiments"]]
    found = []
    for claim in card["claims"]:
        if claim["id"] in inconclusive:
            parts = [part for clause in clauses_of(claim) for part in clause.quantity.parts()]
            reads = {p.experiment or names[0] for p in parts if p.grows and p.budget != "none"}
            if experiment in reads:
                found.append(claim["id"])
    return found


def headline_outcome(rows: Iterable[Mapping[str, Any]]) -> str | None:
    """The outcome of the headline, None where it is not tested.

    >>> headline_outcome([{"headline": False, "outcome": "error"}, {"headline": True, "outcome": "refuted"}])
    'refuted'
    """
    return next((row["outcome"] for row in rows if row["headline"]), None)


def published_rows(
    card: Mapping[str, Any], tier: str, trials: Iterable[Mapping[str, Any]], choices: Sequence[Mapping[str, Any]]
) -> list[Json]:
    """The source's numbers beside ours, each at 95 %: {what, value, where, unit, note, ours, estimate, n, inside,
    reason}.

    ``inside`` says for each interval of ours whether it holds the published number; None where that is no number.
    """
    results = Results(card, tier, trials, choices)
    found = []
    for number in card["published"]:
        row: Json = {name: number[name] for name in ("what", "value", "where", "unit", "note")}
        row |= {"quantity": "", "ours": [], "cells": [], "estimate": None, "n": None, "inside": None}
        row |= {"reason": "", "timed": False}
        if number["ours"] is not None:
            quantity = from_json(number["ours"])
            names = [results.experiment(e)["name"] for e, _ in quantity.reads()]
            row["timed"] = any(results.experiment(e)["timed"] for e in names)
            row["quantity"] = str(quantity)
            try:
                seen = results.reading({e: results.available(e) for e in names if results.available(e)})
                measured = quantity(seen, ALPHA)
                row |= {"ours": ends(measured), "cells": cells(measured)}
                row |= {"estimate": measured.cells[0].estimate, "n": measured.cells[0].n}
                if isinstance(number["value"], int | float):
                    at = Interval(number["value"], number["value"])
                    row["inside"] = [at.inside(interval) for interval in measured.intervals]
            except Unmeasurable as reason:
                row["reason"] = str(reason)
        found.append(row)
    return found
