"""The battery: every registered page, and the template, at the smoke tier.

A page passes when it is judged in seconds, gives the same table for the same seeds, can win and can lose, and when
each of its mutants turns the headline.
"""

import copy
import functools
import importlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suite import declare, home, registry, worker
from suite.claims import Task
from suite.judge import judge
from suite.rehearse import Rehearsal, rehearse
from suite.report.docstring import sections
from suite.seeds import Seed

MODULES = ["tasks._template", *(page.module for page in registry.pages().values() if page.module.startswith("tasks."))]
GOLDEN = Path(__file__).parent / "golden"
LONGEST = 90  # seconds of a whole page at smoke on one busy core

pytestmark = pytest.mark.parametrize("module", MODULES)


def task_of(module: str) -> Task:
    return importlib.import_module(module).TASK


@functools.cache
def rehearsed(module: str) -> tuple[Rehearsal, float, dict[tuple[str, str], set[tuple[str, str]]]]:
    """One rehearsal of a page: its result, its seconds, and the random streams each arm asked for."""
    asked: dict[tuple[str, str], set[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    measure, bits = worker.measure_unit, Seed.bits

    def measure_unit(message: Any, *rest: Any) -> Any:
        current[:] = [(message["experiment"], trial["arm"]) for trial in message["trials"]]
        return measure(message, *rest)

    def listening(self: Seed, name: str) -> int:
        for place in set(current) if "trained/" not in self.root else ():  # whoever comes first trains for all
            asked.setdefault(place, set()).add((str(self), name))
        return bits(self, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "measure_unit", measure_unit)
        patch.setattr(Seed, "bits", listening)
        started = time.perf_counter()
        found = rehearse(module)
        return found, time.perf_counter() - started, asked


def numbers(entry: Any) -> Iterator[float]:
    if isinstance(entry, list):
        for item in entry:
            yield from numbers(item)
    else:
        yield float(entry)


def test_every_claim_is_judged_or_says_why_not(module: str) -> None:
    found, seconds, _ = rehearsed(module)
    assert seconds < LONGEST, f"the smoke tier took {seconds:.0f} s"
    assert [row["id"] for row in found.rows] == [claim.id for claim in task_of(module).claims]
    for row in found.rows:
        if row["outcome"] is None:
            assert row["reason"], f"{row['id']} is not tested and says nothing"
        else:
            assert row["outcome"] in ("reproduced", "refuted", "inconclusive", "error")
            assert row["outcome"] == "reproduced" or row["reason"], (
                f"{row['id']}: {row['outcome']} without an explanation"
            )


def test_metrics_are_numbers_and_seeds_differ(module: str) -> None:
    found, _, _ = rehearsed(module)
    by_place: dict[str, list[Any]] = {}
    for trial in found.trials:
        assert all(isinstance(x, float) for entry in trial["metrics"].values() for x in numbers(entry))
        by_place.setdefault(json.dumps([trial["experiment"], trial["arm"], trial["at"]]), []).append(trial)
    for place, trials in by_place.items():
        if len(trials) > 1 and {
            str(s) for s, _ in rehearsed(module)[2].get((trials[0]["experiment"], trials[0]["arm"]), set())
        }:
            tables = {json.dumps(t["metrics"], sort_keys=True) for t in trials}
            assert len(tables) == len(trials), f"two seeds of {place} gave the same table"


def test_arms_draw_from_the_same_streams(module: str) -> None:
    _, _, asked = rehearsed(module)
    for experiment in task_of(module).experiments:
        drawn = [asked.get((experiment.name, arm.name), set()) for arm in experiment.arms]
        for arm, streams in zip(experiment.arms, drawn, strict=True):
            verdict = {s for s in streams if s[0].startswith("verdict")}
            first = {s for s in drawn[0] if s[0].startswith("verdict")}
            assert verdict == first, f"{experiment.name}: arm {arm.name} drew {verdict ^ first} of its own"


def test_the_same_seeds_give_the_same_table(module: str) -> None:
    first, _, _ = rehearsed(module)
    head = task_of(module).headline.id
    again = rehearse(module, only=(head,))
    timed = {e.name for e in task_of(module).experiments if e.timed}
    before = {json.dumps([t["experiment"], t["arm"], t["at"], t["seed"]], sort_keys=True): t for t in first.trials}
    assert again.trials
    for trial in again.trials:
        if trial["experiment"] not in timed:
            name = json.dumps([trial["experiment"], trial["arm"], trial["at"], trial["seed"]], sort_keys=True)
            assert json.dumps(trial["metrics"]) == json.dumps(before[name]["metrics"]), f"{name} is not repeatable"


def fields(quantity: Any, *names: str) -> Iterator[dict[str, Any]]:
    """Every part of a quantity that has one of the fields."""
    if isinstance(quantity, dict):
        if any(isinstance(quantity.get(name), str) for name in names):
            yield quantity
        for item in quantity.values():
            yield from fields(item, *names)
    elif isinstance(quantity, list):
        for item in quantity:
            yield from fields(item, *names)


def shifted(entry: Any, by: float) -> Any:
    """Ten thousand times as large or as small; from nothing to something."""
    return [shifted(item, by) for item in entry] if isinstance(entry, list) else entry * 10**by if entry else by


def filled(entry: Any, by: float, most: Any) -> Any:
    """A count as it would be if all of ``most`` had counted, or none."""
    if isinstance(entry, list):
        return [filled(item, by, most[i] if isinstance(most, list) else most) for i, item in enumerate(entry)]
    return most if by > 0 else 0


def planted(trial: dict[str, Any], clauses: list[dict[str, Any]], by: float) -> None:
    """Move what the headline reads, each metric once: numbers by a lot, counts to none or all."""
    read = [p for p in fields(clauses, "metric", "count") if p.get("experiment") in ("", None, trial["experiment"])]
    parts = {part.get("metric") or part["count"]: part for part in read}
    metrics = trial["metrics"]
    for name in parts.keys() & metrics.keys():
        most = parts[name].get("out_of")
        metrics[name] = filled(metrics[name], by, metrics[most]) if most else shifted(metrics[name], by)


def test_the_headline_can_win_and_can_lose(module: str) -> None:
    """A large effect planted into one arm's metrics, in either direction, must be able to turn the verdict both
    ways."""
    found, _, _ = rehearsed(module)
    head = next(claim for claim in found.card["claims"] if claim["headline"])
    card = {**found.card, "claims": [head]}
    choices = [{**choice, "edge": []} for choice in found.choices]
    outcomes = {row["outcome"] for row in found.rows if row["headline"]}
    for arm in {trial["arm"] for trial in found.trials}:
        for by in (-4, 4):
            trials = copy.deepcopy(found.trials)
            for trial in trials:
                if trial["arm"] == arm:
                    planted(trial, head["clauses"], by)
            outcomes |= {row["outcome"] for row in judge(card, "smoke", trials, choices)}
    assert {"reproduced", "refuted"} <= outcomes, f"only {outcomes} can come out"


def test_the_docstring_says_what_differs_and_what_bites(module: str) -> None:
    doc = importlib.import_module(module).__doc__ or ""
    parts = sections(doc)
    assert parts.get("Not the post's scale"), "the docstring needs a line starting with Not the post's scale:"
    assert parts.get("Known to bite"), "the docstring needs a line starting with Known to bite:"


def test_the_lock_holds_the_rule(module: str) -> None:
    """The committed declaration is the page's; a changed rule needs a new revision."""
    if module == "tasks._template":
        return
    page = registry.find(module.split(".")[-1])
    card = declare.declaration(module)
    lock = json.loads(page.lock.read_text(encoding="utf8"))
    assert lock["revisions"][str(card["revision"])] == card["rule_hash"], (
        "the rule changed: raise revision= and run suite lock"
    )
    assert lock["card"] == json.loads(json.dumps(card)), "the declaration is older than the page: run suite lock"


def test_golden_numbers(module: str) -> None:
    """A change that should not move numbers does not.  GOLDEN=write writes them anew, to be reviewed in the diff."""
    found, _, _ = rehearsed(module)
    timed = {e.name for e in task_of(module).experiments if e.timed}
    table = {
        " · ".join([t["experiment"], t["arm"], *(f"{k} {v}" for k, v in t["at"].items()), str(t["seed"]["number"])]): {
            name: entry for name, entry in t["metrics"].items() if isinstance(entry, int | float)
        }
        for t in found.trials
        if t["experiment"] not in timed and t["seed"]["number"] < 2
    }
    path = GOLDEN / f"{module.split('.')[-1]}.json"
    torch, machine = home.versions()["torch"], home.machine()
    if os.environ.get("GOLDEN") == "write":
        world = {"torch": torch, "machine": machine, "table": table}
        path.write_text(json.dumps(world, indent=1, sort_keys=True) + "\n")
    kept = json.loads(path.read_text())
    if torch.split(".")[:2] != kept["torch"].split(".")[:2]:
        pytest.skip(f"golden numbers belong to torch {kept['torch']}, this is {torch}")
    if machine != kept["machine"]:  # trainings go their own ways from the first different rounding on
        pytest.skip(f"golden numbers belong to {kept['machine']}, this is {machine}")
    assert table.keys() == kept["table"].keys()
    for name, metrics in table.items():
        assert metrics == pytest.approx(kept["table"][name], rel=1e-4, abs=1e-7, nan_ok=True), name
