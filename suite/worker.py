"""What a worker process does: import the page, measure one unit, hand plain numbers back.

Workers are the only processes that import torch and pages.  They never write records: the coordinator does.
"""

import contextlib
import importlib
import math
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from suite import home, hub
from suite.canonical import plain
from suite.claims import ContractError, Tier
from suite.lifeline import hold


def prepare(lifeline: Any, threads: int = 1) -> None:
    """Once per worker: one thread, no reaction to Ctrl-C, an end with the coordinator; see ``suite.lifeline.hold``."""
    hold(lifeline)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    import torch

    torch.set_num_threads(threads)


def measure_unit(
    message: Mapping[str, Any], checkpoints: str | None, device: str, report: Callable[[dict[str, Any]], None] | None
) -> dict[str, Any]:
    """Measure one unit, or with "prepare" in the message only do what its experiment can do beforehand.

    Returns {"metrics": one {metric: entry} per trial, "seconds", "data": {name: digest}}, or {"error", "traceback"}
    when the page raised.
    """
    from suite import fit, trained
    from suite.seeds import Seed

    started = time.perf_counter()
    context = fit.Context(
        checkpoint_dir=Path(checkpoints) if checkpoints else None,
        report=(lambda event: report({**event, "unit": message["id"]})) if report else None,
        device=device,
    )
    token = fit.CONTEXT.set(context)
    try:
        experiment = importlib.import_module(message["module"]).TASK.experiment(message["experiment"])
        trials = message["trials"]
        seeds = [Seed(message["root"], t["seed"]["purpose"], t["seed"]["number"]) for t in trials]
        tier = Tier(seeds=max(1, len(seeds)), sizes=message["sizes"])
        if message.get("prepare"):
            if experiment.prepare is not None:
                experiment.prepare(tier)
            return {"metrics": [], "seconds": time.perf_counter() - started, "data": {}}
        shelf = trained.shelf(home.work() / "networks") if checkpoints else contextlib.nullcontext()
        with shelf, warnings.catch_warnings():
            warnings.simplefilter("default")
            answer = experiment.measure(seeds, tier, **settings(experiment, trials))
        return {
            "metrics": entries(answer, len(trials)),
            "seconds": time.perf_counter() - started,
            "data": dict(context.data),
        }
    except Exception as error:  # a page may raise anything; the run must go on and say where
        reason = hub.missing(error) or f"{type(error).__name__}: {error}"
        return {"error": reason, "traceback": traceback.format_exc()}
    finally:
        fit.CONTEXT.reset(token)


def settings(experiment: Any, trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The keyword arguments of ``measure``: conditions and fixed settings as they stand, tuned ones and columns as
    lists.

    Fixed settings are taken from the page, where they may be functions; the card only knows their names.
    """
    found: dict[str, Any] = dict(trials[0]["at"])
    for name in {**trials[0]["fixed"], **trials[0]["setting"]}:
        column = [_value(experiment, trial, name) for trial in trials]
        found[name] = column if name in trials[0]["setting"] or name in experiment.columns else column[0]
    return found


def _value(experiment: Any, trial: Mapping[str, Any], name: str) -> Any:
    own = experiment.arm(trial["arm"]).fixed
    return own[name] if name in own else {**trial["fixed"], **trial["setting"]}[name]


def entries(answer: Any, number: int) -> list[dict[str, Any]]:
    """``{metric: one entry per trial}`` turned into one plain ``{metric: entry}`` per trial.

    >>> entries({"loss": [0.5, 0.25]}, 2)
    [{'loss': 0.5}, {'loss': 0.25}]
    """
    if not isinstance(answer, Mapping) or not answer:
        raise ContractError(f"measure must return {{metric: one entry per seed}}, got {type(answer).__name__}")
    columns: dict[str, list[Any]] = {}
    for name, column in answer.items():
        column = column.tolist() if hasattr(column, "tolist") else list(column)
        if len(column) != number:
            raise ContractError(f"metric {name!r} has {len(column)} entries for {number} seeds")
        columns[str(name)] = [_number(entry, name) for entry in column]
    return [{name: column[i] for name, column in columns.items()} for i in range(number)]


def _number(entry: Any, name: str) -> Any:
    if hasattr(entry, "tolist"):
        entry = entry.tolist()
    if isinstance(entry, list | tuple):
        return [_number(item, name) for item in entry]
    if isinstance(entry, bool | int):
        return int(entry)
    if isinstance(entry, float):
        return plain(entry)
    if hasattr(entry, "__float__"):
        return plain(float(entry))
    raise ContractError(f"metric {name!r} holds {type(entry).__name__}; entries are numbers or lists of numbers")


def finite(entry: Any) -> bool:
    """Whether an entry holds only finite numbers."""
    if isinstance(entry, list):
        return all(finite(item) for item in entry)
    return not isinstance(entry, str) and math.isfinite(entry)
