"""A winner on the edge of its grid: would a better arm have overturned the verdict?

The edge says that the arm might do better than it was allowed to.  Where that could only strengthen the verdict, it
is noted; where it could overturn it, the claim cannot be judged until the grid is wider.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.claims import Interval, Outcome
from suite.clauses import Clause, Judged
from suite.quantities import Cell
from suite.quantities.intervals import Lean, t_quantile
from suite.results import Results, place

UP, DOWN = 1, -1


@dataclass(frozen=True)
class Edge:
    """An arm's winner at a condition that sits at the end of its grid, in words, and where it was tuned."""

    words: str
    arm: str
    experiment: str
    at: Mapping[str, Any]


def edge_of(results: Results, experiment: str, arm: str, at: Mapping[str, Any]) -> Edge | None:
    """The edge under an arm, its own or that of the winner it takes over (``like``); None where there is none."""
    entry = next(a for a in results.experiment(experiment)["arms"] if a["name"] == arm)
    like = entry.get("like")
    source = (like["experiment"], like["arm"], like["at"]) if like else (experiment, arm, at)
    choice = results.choice(*source)
    if not choice or not choice["edge"] or not choice["chosen"]:
        return None
    settings = " and ".join(f"{name} {choice['chosen'][name]:g}" for name in choice["edge"])
    words = f"{place(source[1], source[2])}: {settings} is an end of its grid"
    return Edge(words, source[1], source[0], source[2])


def direction(results: Results, edge: Edge, lean: Lean) -> int | None:
    """Where a metric moves as the arm gets better: UP, DOWN, 0 (it does not depend on the setting) or None (unknown).

    What is tuned on moves by definition.  Another metric does not move where it is the same number in every trial of
    the arm; it moves with or against what is tuned on where the rank correlation over the arm's trials, or else over
    those of all arms, is beyond chance at 1 %.
    """
    entry = results.experiment(edge.experiment)
    better = DOWN if entry["best"] == "min" else UP
    if lean.metric == entry["tune_on"]:
        return better
    _, own = results.beside(edge.experiment, edge.arm, edge.at, lean.metric)
    if len(own) > 1 and np.ptp(own) == 0:
        return 0
    for arm in (edge.arm, None):
        sign = rank_sign(*results.beside(edge.experiment, arm, edge.at, lean.metric))
        if sign is not None:
            return better * sign
    return None


def rank_sign(x: np.ndarray, y: np.ndarray, alpha: float = 0.01) -> int | None:
    """The sign of Spearman's rank correlation, None when it may be chance: |r| sqrt((n - 2) / (1 - r^2)) against t.

    >>> rank_sign(np.arange(8.0), np.exp(np.arange(8.0))), rank_sign(np.arange(3.0), np.arange(3.0))
    (1, None)
    """
    n = len(x)
    if n < 5 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    a, b = _ranks(x), _ranks(y)
    r = float(np.clip((a * b).sum() / math.sqrt((a * a).sum() * (b * b).sum()), -1, 1))
    t = math.inf if r * r >= 1 else abs(r) * math.sqrt((n - 2) / (1 - r * r))
    return None if t <= t_quantile(n - 2, alpha) else int(math.copysign(1, r))


def _ranks(x: np.ndarray) -> np.ndarray:
    """Centred ranks, equal values sharing their mean rank."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[inverse]
    return ranks - ranks.mean()


def examine(clauses: Sequence[Clause], judged: Judged, results: Results) -> tuple[list[str], list[str]]:
    """(edges that could overturn the outcome, all edges under the claim), in words."""
    flagged: dict[str, None] = {}
    risks: list[tuple[bool, dict[str, None]]] = []  # per clause: could it be overturned, by which edges
    for clause, measured, outcome in zip(clauses, judged.measured, judged.outcomes, strict=True):
        guilty: dict[str, None] = {}
        shaky = 0
        for cell in measured.cells:
            threats = _threats(cell, clause.claimed, outcome, results, flagged)
            shaky += bool(threats)
            guilty |= dict.fromkeys(threats)
        risks.append((_overturned(measured.cells, clause, outcome, shaky), guilty))
    if judged.outcome is Outcome.REPRODUCED:
        wanted = [guilty for risk, guilty in risks if risk]
    elif judged.outcome is Outcome.REFUTED:  # one clause that fails for sure is enough
        failing = [r for r, o in zip(risks, judged.outcomes, strict=True) if o is Outcome.REFUTED]
        wanted = [guilty for _, guilty in failing] if all(risk for risk, _ in failing) else []
    else:
        wanted = []
    return list(dict.fromkeys(words for guilty in wanted for words in guilty)), list(flagged)


def _threats(cell: Cell, claimed: Interval, outcome: Outcome, results: Results, flagged: dict[str, None]) -> list[str]:
    """The edges that could move a cell which holds out of the claimed interval, or one which fails towards it."""
    dangerous: set[int] = set()
    if outcome is Outcome.REPRODUCED and cell.interval.inside(claimed):
        dangerous = {side for side, end in ((UP, claimed.high), (DOWN, claimed.low)) if math.isfinite(end)}
    elif outcome is Outcome.REFUTED and cell.interval.apart(claimed):
        dangerous = {UP if cell.interval.high < claimed.low else DOWN}
    found = []
    for lean in cell.evidence.leans:
        edge = edge_of(results, lean.experiment, lean.arm, dict(lean.at))
        if edge is None:
            continue
        flagged[edge.words] = None
        moves = direction(results, edge, lean) if dangerous else 0
        if moves != 0 and dangerous & ({UP, DOWN} if moves is None or lean.sign == 0 else {moves * lean.sign}):
            found.append(edge.words)
    return found


def _overturned(cells: Sequence[Cell], clause: Clause, outcome: Outcome, shaky: int) -> bool:
    """Whether the clause would lose its outcome if every shaky cell changed sides."""
    needs = len(cells) if clause.needs is None else clause.needs
    if outcome is Outcome.REPRODUCED:
        return sum(c.interval.inside(clause.claimed) for c in cells) - shaky < needs
    if outcome is Outcome.REFUTED:
        return len(cells) - (sum(c.interval.apart(clause.claimed) for c in cells) - shaky) >= needs
    return False
