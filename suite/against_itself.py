"""A/A with real reruns: an arm under two names on fresh seeds, through the real quantity and the real judge.

The truth is that nothing differs, so that every verdict on "the first lies above the second" is a false one.  Many
worlds are dealt from the fresh trials; dealing is at random, so that in each of them the two names are exchangeable.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite import worker
from suite.canonical import revive
from suite.judge import judge
from suite.plan import Plan
from suite.rehearse import Rehearsal
from suite.trained import shelf

PILOT, SEEDS, WORLDS = 2, 8, 200
LEAST, MOST = 2 * SEEDS, 20 * SEEDS
_OTHER = {"paired_gap": ("minus", 0.0), "ratio": ("over", 1.0)}


@dataclass(frozen=True, kw_only=True)
class Itself:
    """What came of it: how many of the worlds ended in a verdict, from how many fresh trials of which arm."""

    arm: str
    trials: int
    worlds: int
    verdicts: int
    cells: int


def against_itself(found: Rehearsal, claim: str, seconds: float = 20.0, worlds: int = WORLDS) -> Itself | None:
    """The false verdicts of a rehearsed claim's own comparison; None when it compares no arms or a trial is too dear.

    ``seconds`` bounds what the fresh trials may take, by two trials that are measured first.
    """
    told = next(one for one in found.card["claims"] if one["id"] == claim)
    clause = next((one["quantity"] for one in told["clauses"] if one["quantity"]["quantity"] in _OTHER), None)
    if clause is None:
        return None
    name, centre = _OTHER[clause["quantity"]]
    names = [e["name"] for e in found.card["experiments"]]
    experiment = next(e for e in found.card["experiments"] if e["name"] == (clause.get("experiment") or names[0]))
    if experiment["timed"] or clause[name] == clause["arm"]:
        return None
    began = time.perf_counter()
    rows = _fresh(found, experiment, clause[name], range(PILOT))
    if rows is None:
        return None
    each = (time.perf_counter() - began) / PILOT
    number = min(MOST, int(seconds / max(each, 1e-9)))
    if number < LEAST:
        return None
    rows += _fresh(found, experiment, clause[name], range(PILOT, number)) or []
    tier = {"seeds": SEEDS, "tuning_seeds": 1, "looks": [], "at_most": None, "stack": None, "sizes": {}}
    arms = [{"name": arm, "fixed": {}, "tuned": {}, "like": None} for arm in (clause["arm"], clause[name])]
    card = {
        **found.card,
        "experiments": [{**experiment, "arms": arms, "tune_on": None, "tiers": {"smoke": tier}}],
        "claims": [
            {
                **told,
                "headline": True,
                "untested": {},
                "clauses": [{"quantity": clause, "claimed": [centre, None], "needs": None}],
            }
        ],
    }
    rng, verdicts, cells = np.random.default_rng(0), 0, 0
    for _ in range(worlds):
        dealt = rng.permutation(number)[: 2 * SEEDS].tolist()
        trials = [trial for row in rows for trial in _dealt(row, dealt, [arm["name"] for arm in arms])]
        (answer,) = judge(card, "smoke", trials, [])
        verdicts += answer["outcome"] in ("reproduced", "refuted")
        cells = max(cells, len(answer["measured"]))
    return Itself(arm=clause[name], trials=number, worlds=worlds, verdicts=verdicts, cells=cells)


def _dealt(row: Mapping[str, Any], dealt: Sequence[int], arms: Sequence[str]) -> list[dict[str, Any]]:
    """The trial under the name and the seed number that it was dealt, if any."""
    if row["seed"]["number"] not in dealt:
        return []
    i = dealt.index(row["seed"]["number"])
    return [{**row, "arm": arms[i // SEEDS], "seed": {"purpose": "verdict", "number": i % SEEDS}}]


def _fresh(
    found: Rehearsal, experiment: Mapping[str, Any], arm: str, numbers: Sequence[int]
) -> list[dict[str, Any]] | None:
    """Trials of one arm at every condition, on seeds that no verdict has seen."""
    code = {e["name"]: "rehearsal" for e in found.card["experiments"]}
    plan = Plan(found.card, "smoke", code, {"versions": {}, "machine": {}}, results=found.results)
    told = next(one for one in experiment["arms"] if one["name"] == arm)
    rows = []
    with shelf(None):
        for at in plan.conditions(experiment):
            known = plan.settings(experiment, told, at)
            if known is None:
                return None
            trials = [plan.trial(experiment, told, at, *known, "aa", number) for number in numbers]
            for unit in plan.units(trials):
                answer = worker.measure_unit(unit.message(), None, "cpu", None)
                if "error" in answer:
                    return None
                for trial, metrics in zip(unit.trials, answer["metrics"], strict=True):
                    rows.append({**trial.identity, "metrics": revive(metrics)})
    return rows
