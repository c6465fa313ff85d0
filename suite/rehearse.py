"""Run a task in this very process without keeping anything: for mutants, for the doctor and for the tests.

The plan, the worker's code and the judge are the real ones; only the store, the executor and MLflow are left out.
"""

import contextlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suite import declare, worker
from suite.claims import Mutant, Task
from suite.errors import UserError
from suite.plan import Plan
from suite.request import selected
from suite.run import shown


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What a run would have recorded: claim rows, tuning choices, verdict trials, and every trial's metrics by key."""

    card: dict[str, Any]
    rows: list[dict[str, Any]]
    choices: list[dict[str, Any]]
    trials: list[dict[str, Any]]
    results: dict[str, Any]

    @property
    def outcomes(self) -> dict[str, str | None]:
        return {row["id"]: row["outcome"] for row in self.rows}


def rehearse(
    module: str,
    tier: str = "smoke",
    only: Sequence[str] = (),
    seeds: int | None = None,
    sizes: Mapping[str, Any] | None = None,
    root: str | None = None,
) -> Rehearsal:
    """Measure and judge the page ``module`` at a tier; ``root`` replaces the start of its random streams (fresh
    seeds).
    """
    from suite.judge import judge
    from suite.trained import shelf

    task: Task = importlib.import_module(module).TASK
    whole = declare.card(task, module, "")
    card, names = selected(whole, only)
    code = {e["name"]: "rehearsal" for e in card["experiments"]}
    plan = Plan(card, tier, code, {"versions": {}, "machine": {}}, seeds, names, sizes or {})
    used: dict[str, dict[str, Any]] = {}
    with shelf(None):
        while units := plan.units([t for t in plan.wanted() if t.key not in plan.results]):
            for unit in units:
                message = unit.message() | ({"root": root} if root else {})
                answer = worker.measure_unit(message, None, "cpu", None)
                if "error" in answer:
                    raise UserError(f"{module}, {unit.experiment}: {answer['error']}\n{answer['traceback']}")
                for trial, metrics in zip(unit.trials, answer["metrics"], strict=True):
                    plan.take({"key": trial.key, "metrics": metrics})
                    used[trial.key] = shown(trial.identity, plan.results[trial.key])
    trials = [used[t.key] for place in plan.places() for t in plan.verdict_trials(*place) if t.key in used]
    choices = plan.choices()
    tuning = [used[t.key] for place in plan.places() for t in plan.tuning_trials(*place) if t.key in used]
    rows = judge(card, tier, tuning + trials, choices, seeds=seeds)
    return Rehearsal(card=card, rows=rows, choices=choices, trials=trials, results=plan.results)


@contextlib.contextmanager
def mutated(module: str, mutant: Mutant) -> Iterator[None]:
    """Put a mutant in its place for a while.

    A mutant that names "term" replaces that name on the page; one that names "suite.blocks.optim.lion:update" replaces
    it there and wherever the page's own modules have imported it by name.
    """
    where, _, name = mutant.replaces.rpartition(":")
    home = importlib.import_module(where or module)
    *path, last = name.split(".")
    owner: Any = home
    for part in path:
        owner = getattr(owner, part)
    if not hasattr(owner, last):
        raise UserError(f"the mutant {mutant.says!r} replaces {mutant.replaces}, which does not exist")
    original = getattr(owner, last)
    places = [owner]
    if not path:  # names that were imported from there hold the same object
        import sys

        for loaded, other in list(sys.modules.items()):
            if (
                other is not None
                and loaded.startswith((module, "suite."))
                and other is not home
                and getattr(other, last, None) is original
            ):
                places.append(other)
    for place in places:
        setattr(place, last, mutant.by)
    try:
        yield
    finally:
        for place in places:
            setattr(place, last, original)
