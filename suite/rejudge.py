"""Does a ledger follow from its records?  Choices, trials, verdicts and rates are derived again and compared.

Everything starts from the rule that is committed here and from the numbers of the trials; nothing that the ledger
concludes is taken on trust.  What cannot be derived again are the trials themselves: who invents them all, and keys to
match, invents a result, and only measuring again tells.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite import ledger
from suite.calibration import calibrate
from suite.canonical import canonical, plain, revive
from suite.errors import UserError
from suite.judge import headline_outcome, judge, published_rows
from suite.plan import Plan, Trial
from suite.results import listed, place

Json = dict[str, Any]
Find = Callable[[str], Mapping[str, Any] | None]
# Another machine class rounds otherwise, and a resampled world on the brink may then fall to the other side.
NUMBERS, RATES = 1e-6, 0.02
_CONCLUDED = ("reason", "edge")  # words that hold numbers which were rounded
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_GARBAGE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Followed:
    """A ledger that follows: how many of its trials, tuning included, stand in records."""

    trials: int
    recorded: int


def follows(book: Mapping[str, Any], card: Mapping[str, Any], find: Find) -> Followed:
    """Derive a ledger again; raises UserError with what disagrees.

    card    the committed rule's card
    find    the record of a trial's key, or None where there is none
    """
    try:
        with np.errstate(all="ignore"):
            return _follows(book, card, find)
    except _GARBAGE as error:
        reason = (str(error).splitlines() or [""])[0][:80]
        raise UserError(f"cannot be judged again ({type(error).__name__}: {reason})") from None


def _follows(book: Mapping[str, Any], card: Mapping[str, Any], find: Find) -> Followed:
    asked = _asked(book, card)
    plan = _plan(book, card, asked[0])
    if canonical(book["provenance"]["sizes"]) != canonical({e["name"]: plan.sizes_of(e) for e in plan.experiments}):
        raise UserError("was measured at other sizes than the rule's")
    tuning = _tuned(plan, book)
    verdict = _measured(plan, book)
    records = {trial.key: record for trial in (*tuning, *verdict) if (record := find(trial.key)) is not None}
    evidence = _evidence(plan, tuning, verdict, records)
    first = None
    for seeds in asked:
        rows = plain(judge(card, plan.tier, evidence, plan.choices(), seeds=seeds))
        first = first or (rows, _verdicts(book, rows))
        if _verdicts(book, rows) is None:
            break
    else:
        assert first is not None
        lacking = len(tuning) - sum(trial.key in records for trial in tuning)
        more = f"; {lacking} of its tuning trials are not here, bring their records along" if lacking else ""
        raise UserError(f"{first[1]}{more}")
    _numbers(plan, book, evidence, rows)
    return Followed(trials=len(tuning) + len(verdict), recorded=len(records))


# --- The plan ------------------------------------------------------------------------------------------


def _asked(book: Mapping[str, Any], card: Mapping[str, Any]) -> list[int | None]:
    """What SEEDS= can have been, so that a run of the committed rule has measured as many seeds as the ledger has."""
    counts = book["provenance"]["seeds"]
    fits = []
    for seeds in (None, *sorted(set(counts.values()))):
        try:
            plan = _plan(book, card, seeds)
        except UserError:
            continue
        if counts == {e["name"]: plan.seeds_now(e) for e in plan.experiments}:
            fits.append(seeds)
    if not fits:
        raise UserError("has numbers of seeds that the rule does not allow")
    return fits


def _plan(book: Mapping[str, Any], card: Mapping[str, Any], seeds: int | None) -> Plan:
    """The plan of the run that made a ledger, at the looks that it had reached."""
    made = book["provenance"]
    code = {name: entry["hash"] for name, entry in made["code"].items()}
    world = {"versions": made["versions"], "machine": made["machine"]}
    plan = Plan(card, book["tier"], code, world, seeds)
    for experiment in plan.experiments:
        looks = experiment["tiers"][plan.tier]["looks"]
        if (reached := made["seeds"].get(experiment["name"])) in looks:
            plan.looks[experiment["name"]] = looks.index(reached)
    return plan


def _tuned(plan: Plan, book: Mapping[str, Any]) -> list[Trial]:
    """The tuning trials; the plan then knows their values, and chooses what the ledger must have chosen."""
    tables = {canonical([c["experiment"], c["arm"], c["at"]]): c["tuning"] for c in book["arms"]}
    found = []
    for experiment, arm, at in plan.places():
        trials = plan.tuning_trials(experiment, arm, at)
        rows = tables.get(canonical([experiment["name"], arm["name"], at]), [])
        values = {canonical([row["setting"], row["seed"]]): row["value"] for row in rows}
        for trial in trials:
            value = values.get(canonical([trial.identity["setting"], trial.identity["seed"]["number"]]))
            if value is None:
                raise UserError(f"lacks tuning of {_where(trial)}")
            plan.results[trial.key] = {experiment["tune_on"]: revive(value)}
        found += trials
    if canonical(plan.choices()) != canonical(book["arms"]):
        raise UserError("chose other settings than its tuning chooses")
    return found


def _measured(plan: Plan, book: Mapping[str, Any]) -> list[Trial]:
    """The verdict trials, whose numbers the plan then knows: the planned ones, each once, no other."""
    wanted = [trial for at in plan.places() for trial in plan.verdict_trials(*at)]
    timed = {e["name"] for e in plan.experiments if e["timed"]}
    for rows, ticking in ((book["trials"], False), (book["timing"].get("trials", []), True)):
        planned = [t for t in wanted if (t.identity["experiment"] in timed) == ticking]
        shown = [{**row, "metrics": None} for row in rows]
        if canonical(shown) != canonical([_shown(trial, None) for trial in planned]):
            raise UserError(f"holds other trials than the rule plans: {_other(planned, rows)}")
        for trial, row in zip(planned, rows, strict=True):
            plan.results[trial.key] = row["metrics"]
    return wanted


def _other(planned: Sequence[Trial], rows: Sequence[Mapping[str, Any]]) -> str:
    wanted = [canonical(_shown(trial, None)) for trial in planned]
    present = [canonical({**row, "metrics": None}) for row in rows]
    for trial, text in zip(planned, wanted, strict=True):
        if present.count(text) != 1:
            return f"{_where(trial)} stands there {present.count(text)} times"
    return f"{len(present)} for {len(wanted)}, or in another order"


def _shown(trial: Trial, metrics: Any) -> Json:
    """A trial as the ledger lists it."""
    names = ("experiment", "arm", "at", "setting", "seed")
    return {**{name: trial.identity[name] for name in names}, "metrics": metrics}


def _where(trial: Trial) -> str:
    of = trial.identity
    return f"{of['experiment']}, {place(of['arm'], of['at'])}, {listed([of['seed']['number']])}"


# --- The evidence --------------------------------------------------------------------------------------


def _evidence(
    plan: Plan, tuning: Sequence[Trial], verdict: Sequence[Trial], records: Mapping[str, Mapping[str, Any]]
) -> list[Json]:
    """What is judged: the records where there are some, and what the ledger says where it agrees with them."""
    found = []
    for trial in tuning:
        if trial.key in records:
            metrics = records[trial.key]["metrics"]
            ((name, value),) = plan.results[trial.key].items()
            if canonical(metrics.get(name)) != canonical(value):
                raise UserError(f"tells {name} of {_where(trial)} otherwise than the record {trial.key[:12]}")
            found.append(_shown(trial, revive(metrics)))
    for trial in verdict:
        metrics = plan.results[trial.key]
        if trial.key in records and canonical(records[trial.key]["metrics"]) != canonical(metrics):
            raise UserError(f"tells {_where(trial)} otherwise than the record {trial.key[:12]}")
        found.append(_shown(trial, revive(metrics)))
    return found


# --- What was concluded --------------------------------------------------------------------------------


def _verdicts(book: Mapping[str, Any], rows: Sequence[Json]) -> str | None:
    """The first claim about which the ledger and the rows judged again disagree, in words."""
    told = {row["id"]: row for row in ledger.rows(book)}
    timing = book["timing"].get("claims", [])
    if sorted(told) != sorted(row["id"] for row in rows) or len(told) != len(book["claims"]) + len(timing):
        return "does not judge each claim of the rule once"
    if any(row.get("timed") for row in book["claims"]) or not all(row.get("timed") for row in timing):
        return "mixes claims about time with others"
    for row in rows:
        was = told[row["id"]]
        if was["outcome"] != row["outcome"]:
            return f"says {row['id']} is {was['outcome']}, and judged again it is {row['outcome']}"
        for name in sorted(row.keys() | was.keys()):
            if not _same({name: was.get(name, "?")}, {name: row.get(name, "?")}):
                return f"tells {name!r:.40} of {row['id']} otherwise than judged again"
    if book["outcome"] != headline_outcome(rows):
        return f"is headed {book['outcome']!r:.40}, and its headline is {headline_outcome(rows)}"
    return None


def _numbers(plan: Plan, book: Mapping[str, Any], evidence: Sequence[Json], rows: Sequence[Json]) -> None:
    """The numbers beside the source's, and how often the judge errs; an older ledger may have fewer of the latter."""
    choices = plan.choices()
    published = plain(published_rows(plan.card, plan.tier, evidence, choices))
    for timed, told in ((False, book["published"]), (True, book["timing"].get("published", []))):
        ours = [row for row in published if row["timed"] == timed]
        if len(told) != len(ours) or not all(_same(a, b) for a, b in zip(told, ours, strict=True)):
            raise UserError("sets other numbers beside the source's than its trials give")
    rates = plain(calibrate(plan.card, plan.tier, evidence, choices, rows))
    for name, told in book["calibration"].items():
        if name not in rates or not _same(told, rates[name], within=RATES):
            raise UserError(f"tells the judge's error rates of {name} otherwise than its trials give")


def _same(told: Any, ours: Any, *, words: bool = False, within: float = NUMBERS) -> bool:
    """Whether two JSON values agree, numbers up to rounding; so do those in a reason, as far as it prints them.

    >>> _same([1.0, None, {"a": "x"}], [1.0 + 1e-9, None, {"a": "x"}]), _same(1.0, 1.001), _same(True, 1.0)
    (True, False, False)
    >>> _same({"reason": "p = 0.012"}, {"reason": "p = 0.013"}), _same({"says": "12"}, {"says": "13"})
    (True, False)
    """
    if isinstance(told, dict) and isinstance(ours, dict):
        inside = {name: words or name in _CONCLUDED for name in ours}
        return told.keys() == ours.keys() and all(
            _same(told[name], ours[name], words=inside[name], within=within) for name in ours
        )
    if isinstance(told, list) and isinstance(ours, list):
        return len(told) == len(ours) and all(
            _same(a, b, words=words, within=within) for a, b in zip(told, ours, strict=True)
        )
    if isinstance(told, bool) or isinstance(ours, bool):
        return told is ours
    if isinstance(told, int | float) and isinstance(ours, int | float):
        return math.isclose(told, ours, rel_tol=NUMBERS, abs_tol=0.0 if within == NUMBERS else within) or (
            abs(told - ours) < 1e-12
        )
    if words and isinstance(told, str) and isinstance(ours, str) and _NUMBER.sub("#", told) == _NUMBER.sub("#", ours):
        pairs = zip(_NUMBER.findall(told), _NUMBER.findall(ours), strict=True)
        return all(math.isclose(float(a), float(b), rel_tol=0.1) for a, b in pairs)
    return bool(told == ours)
