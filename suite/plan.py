"""From a card to units of work: which trials are wanted, which are there already, and why the rest must run.

A *trial* is one (experiment, arm, condition, setting, seed).  A *unit* is a stack of trials that one worker measures
in one call. The plan grows while results arrive: the verdict trials of an arm are known once its tuning is complete.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from suite.canonical import canonical, digest, revive
from suite.claims import LEAST_SEEDS, seeds_taken
from suite.errors import UserError
from suite.store import trial_key


@dataclass(frozen=True)
class Trial:
    """One trial with everything its numbers depend on; ``key`` names its record."""

    identity: Mapping[str, Any]
    key: str

    @property
    def place(self) -> str:
        """Experiment, arm and condition as one text: the bar of the progress table and the row of the plan."""
        return place(self.identity["experiment"], self.identity["arm"], self.identity["at"])


def place(experiment: str, arm: str, at: Mapping[str, Any]) -> str:
    """
    >>> place("digits", "lion", {"batch": 64})
    'digits · lion · batch 64'
    """
    return " · ".join([experiment, *([arm] if arm != "only" else []), *(f"{k} {v}" for k, v in at.items())])


@dataclass(frozen=True)
class Unit:
    """A stack of trials: one call of ``measure``."""

    id: str
    module: str
    experiment: str
    tier: str
    timed: bool
    root: str
    sizes: Mapping[str, Any]
    trials: tuple[Trial, ...]

    def message(self) -> dict[str, Any]:
        """What a worker needs, as plain JSON."""
        keep = ("arm", "at", "setting", "fixed", "seed")
        return {
            "id": self.id,
            "module": self.module,
            "experiment": self.experiment,
            "tier": self.tier,
            "root": self.root,
            "sizes": dict(self.sizes),
            "trials": [{name: trial.identity[name] for name in keep} for trial in self.trials],
        }


@dataclass(frozen=True, kw_only=True)
class Stacking:
    """How a group of trials is cut into units: ``most`` models in each (None: all), the last unit in two if ``halve``.

    The last, so that a run that goes on after a crash cuts what is left as before and finds its checkpoints.
    """

    most: int | None
    halve: bool = False

    def cut(self, number: int) -> list[slice]:
        """
        >>> [(part.start, part.stop) for part in Stacking(most=4, halve=True).cut(10)]
        [(0, 4), (4, 8), (8, 9), (9, 10)]
        >>> [(part.start, part.stop) for part in Stacking(most=4).cut(5)]
        [(0, 3), (3, 5)]
        """
        parts = math.ceil(number / (self.most or number))
        even = math.ceil(number / parts)
        starts = list(range(0, number, even))
        if self.halve and len(starts) > 1 and number - starts[-1] > 1:
            starts.append(math.ceil((starts[-1] + number) / 2))
        return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], number], strict=True)]


@dataclass
class Plan:
    """The growing list of trials of one task at one tier.

    card      the page's declaration
    tier      the tier's name
    code      {experiment: code hash}
    world     {"versions": ..., "machine": ...}, part of every trial's key
    seeds     how many verdict seeds were asked for, None for the declared number
    only      the experiments to run (those that the asked claims read), with what they depend on
    sizes     overrides of the tier's sizes
    """

    card: Mapping[str, Any]
    tier: str
    code: Mapping[str, str]
    world: Mapping[str, Any]
    seeds: int | None = None
    only: frozenset[str] | None = None
    sizes: Mapping[str, Any] = field(default_factory=dict)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)  # trial key -> metrics
    looks: dict[str, int] = field(default_factory=dict)  # experiment -> index of the look it has reached
    # What never changes once it is known, by experiment, arm and condition: a run asks for it at every unit's end.
    _tuning: dict[str, list[Trial]] = field(default_factory=dict, init=False, repr=False)
    _verdict: dict[str, list[Trial]] = field(default_factory=dict, init=False, repr=False)
    _choices: dict[str, dict[str, Any]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.experiments = [e for e in self.card["experiments"] if self.tier in e["tiers"] and self._asked(e["name"])]
        if not self.experiments:
            has = sorted({t for e in self.card["experiments"] for t in e["tiers"]})
            raise UserError(f"{self.card['slug']} has no tier {self.tier!r}; it has {', '.join(has)}")
        known = {name for e in self.experiments for name in e["tiers"][self.tier]["sizes"]}
        for name in self.sizes:
            if name not in known:
                raise UserError(
                    f"no setting {name!r} at tier {self.tier}; there are {', '.join(sorted(known)) or 'none'}"
                )
        self._check_seeds()

    def _asked(self, name: str) -> bool:
        return self.only is None or name in self.only

    @property
    def root(self) -> str:
        """What every random stream of this task starts from; a new revision draws fresh seeds."""
        return f"{self.card['slug']}/r{self.card['revision']}"

    def number_of_seeds(self, experiment: Mapping[str, Any]) -> int:
        """The verdict seeds of an experiment: declared, or asked for within what was declared beforehand."""
        tier = experiment["tiers"][self.tier]
        return seeds_taken(tier["seeds"], tier["at_most"], self.seeds)

    def _check_seeds(self) -> None:
        if self.seeds is None or any(self.number_of_seeds(e) == self.seeds for e in self.experiments):
            return
        tiers = [e["tiers"][self.tier] for e in self.experiments if e["tiers"][self.tier]["seeds"] > 1]
        if not tiers:
            raise UserError(f"SEEDS={self.seeds}: at tier {self.tier} {self.card['slug']} is exact and takes no seeds")
        least = min(min(LEAST_SEEDS, t["seeds"]) for t in tiers)
        most = max(max(t["at_most"] or t["seeds"], t["seeds"]) for t in tiers)
        here = f"the rule of {self.card['slug']} allows at tier {self.tier}"
        raise UserError(f"SEEDS={self.seeds} is outside {least}..{most}, which {here}")

    # --- Trials -------------------------------------------------------------------------------------

    def conditions(self, experiment: Mapping[str, Any]) -> list[dict[str, Any]]:
        names = list(experiment["conditions"])
        return [
            dict(zip(names, values, strict=True)) for values in itertools.product(*experiment["conditions"].values())
        ]

    def grid(self, arm: Mapping[str, Any]) -> list[dict[str, Any]]:
        names = list(arm["tuned"])
        return [dict(zip(names, values, strict=True)) for values in itertools.product(*arm["tuned"].values())]

    def trial(
        self,
        experiment: Mapping[str, Any],
        arm: Mapping[str, Any],
        at: Mapping[str, Any],
        setting: Mapping[str, Any],
        fixed: Mapping[str, Any],
        purpose: str,
        number: int,
    ) -> Trial:
        identity = {
            "slug": self.card["slug"],
            "root": self.root,
            "experiment": experiment["name"],
            "arm": arm["name"],
            "at": dict(at),
            "setting": dict(setting),
            "fixed": dict(fixed),
            "seed": {"purpose": purpose, "number": number},
            "sizes": self.sizes_of(experiment),
            "code": self.code[experiment["name"]],
            **self.world,
        }
        return Trial(identity, trial_key(identity))

    def sizes_of(self, experiment: Mapping[str, Any]) -> dict[str, Any]:
        sizes = experiment["tiers"][self.tier]["sizes"]
        return {**sizes, **{k: v for k, v in self.sizes.items() if k in sizes}}

    def tuning_trials(
        self, experiment: Mapping[str, Any], arm: Mapping[str, Any], at: Mapping[str, Any]
    ) -> list[Trial]:
        if not arm["tuned"]:
            return []
        spot = canonical([experiment["name"], arm["name"], at])
        if spot not in self._tuning:
            self._tuning[spot] = [
                self.trial(experiment, arm, at, setting, arm["fixed"], "tune", n)
                for setting in self.grid(arm)
                for n in range(experiment["tiers"][self.tier]["tuning_seeds"])
            ]
        return list(self._tuning[spot])

    def choice(
        self, experiment: Mapping[str, Any], arm: Mapping[str, Any], at: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """The tuning table of an arm and its winner; None while trials are missing.

        The winner has the best mean over the tuning seeds; a setting that diverged on one of them is out; a tie goes
        to the setting that stands first in the grid (the smaller one).  ``chosen`` is None when every setting
        diverged.
        """
        spot = canonical([experiment["name"], arm["name"], at])
        if spot in self._choices:
            return self._choices[spot]
        table: list[dict[str, Any]] = []
        for trial in self.tuning_trials(experiment, arm, at):
            metrics = self.results.get(trial.key)
            if metrics is None:
                return None
            value = metrics.get(experiment["tune_on"])
            if not isinstance(value, int | float):
                raise UserError(
                    f"{experiment['name']} is tuned on {experiment['tune_on']!r}, and a trial of {arm['name']} holds "
                    f"no such number; measure must return it"
                )
            table.append(
                {"setting": trial.identity["setting"], "seed": trial.identity["seed"]["number"], "value": float(value)}
            )
        sign = 1.0 if experiment["best"] == "min" else -1.0
        means: dict[str, list[float]] = {}
        for row in table:
            means.setdefault(canonical(row["setting"]), []).append(sign * row["value"])
        best, chosen = math.inf, None
        for setting in self.grid(arm):
            values = means.get(canonical(setting), [])
            mean = math.fsum(values) / len(values) if all(map(math.isfinite, values)) and values else math.inf
            if mean < best:
                best, chosen = mean, setting
        edge = [n for n, v in arm["tuned"].items() if chosen and len(v) > 2 and chosen[n] in (v[0], v[-1])]
        self._choices[spot] = {
            "experiment": experiment["name"],
            "arm": arm["name"],
            "at": dict(at),
            "chosen": chosen,
            "edge": edge,
            "tuning": table,
        }
        return self._choices[spot]

    def settings(
        self, experiment: Mapping[str, Any], arm: Mapping[str, Any], at: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """(tuned setting, fixed settings) of an arm's verdict trials; None while they are not known or have
        diverged.
        """
        fixed = dict(arm["fixed"])
        if arm["like"]:
            source = next(e for e in self.card["experiments"] if e["name"] == arm["like"]["experiment"])
            other = next(a for a in source["arms"] if a["name"] == arm["like"]["arm"])
            found = self.choice(source, other, arm["like"]["at"])
            if found is None or found["chosen"] is None:
                return None
            return {}, {**other["fixed"], **found["chosen"], **fixed}
        if not arm["tuned"]:
            return {}, fixed
        found = self.choice(experiment, arm, at)
        return None if found is None or found["chosen"] is None else (found["chosen"], fixed)

    def verdict_trials(
        self, experiment: Mapping[str, Any], arm: Mapping[str, Any], at: Mapping[str, Any]
    ) -> list[Trial]:
        known = self.settings(experiment, arm, at)
        if known is None:
            return []
        setting, fixed = known
        number = self.seeds_now(experiment)
        made = self._verdict.setdefault(canonical([experiment["name"], arm["name"], at]), [])
        made += [self.trial(experiment, arm, at, setting, fixed, "verdict", n) for n in range(len(made), number)]
        return made[:number]

    def seeds_now(self, experiment: Mapping[str, Any]) -> int:
        """The verdict seeds up to the look that the experiment has reached."""
        looks = experiment["tiers"][self.tier]["looks"]
        number = self.number_of_seeds(experiment)
        if not looks or number != looks[-1]:
            return number
        return looks[min(self.looks.get(experiment["name"], 0), len(looks) - 1)]

    def places(self) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], dict[str, Any]]]:
        for experiment in self.experiments:
            for at in self.conditions(experiment):
                for arm in experiment["arms"]:
                    yield experiment, arm, at

    def wanted(self) -> list[Trial]:
        """Every trial that is known to be needed now, in the order in which the ledger lists them."""
        found: list[Trial] = []
        for experiment, arm, at in self.places():
            found += self.tuning_trials(experiment, arm, at)
            found += self.verdict_trials(experiment, arm, at)
        return found

    def recall(self, get: Callable[[str], dict[str, Any] | None]) -> Iterator[dict[str, Any]]:
        """Take every trial that is known to be wanted and that ``get(key)`` finds; choices may reveal more of them."""
        while True:
            fresh = [trial.key for trial in self.wanted() if trial.key not in self.results]
            found = [record for key in fresh if (record := get(key))]
            if not found:
                return
            for record in found:
                self.take(record)
            yield from found

    def take(self, record: Mapping[str, Any]) -> None:
        """The numbers of one trial, from the store or just measured."""
        self.results[record["key"]] = revive(record["metrics"])

    def choices(self) -> list[dict[str, Any]]:
        rows = [self.choice(experiment, arm, at) for experiment, arm, at in self.places() if arm["tuned"]]
        return [row for row in rows if row is not None]

    # --- Units --------------------------------------------------------------------------------------

    def units(self, trials: list[Trial], stacking: Callable[[str, int | None], Stacking] | None = None) -> list[Unit]:
        """Trials grouped into stacks: same experiment, condition and scalar settings, cut at the tier's stack size.

        ``stacking(experiment, declared)`` may cut otherwise, timed experiments excepted.  Where it compares halves with
        wholes, tuning runs are enough, if there are any: they are shorter, and halves cost time.
        """
        by_name = {e["name"]: e for e in self.experiments}
        groups: dict[str, list[Trial]] = {}
        for trial in trials:
            experiment = by_name[trial.identity["experiment"]]
            scalars = {k: v for k, v in trial.identity["fixed"].items() if k not in experiment["columns"]}
            names = [*trial.identity["setting"], *(k for k in trial.identity["fixed"] if k in experiment["columns"])]
            group = [
                experiment["name"],
                trial.identity["at"],
                scalars,
                sorted(names),
                trial.identity["seed"]["purpose"],
            ]
            if experiment["timed"]:
                group.append(trial.identity["arm"])
            groups.setdefault(canonical(group), []).append(trial)
        found = []
        for group in groups.values():
            experiment = by_name[group[0].identity["experiment"]]
            how = Stacking(most=experiment["tiers"][self.tier]["stack"])
            if stacking is not None and not experiment["timed"]:
                how = stacking(experiment["name"], how.most)
                if group[0].identity["seed"]["purpose"] != "tune" and any(a["tuned"] for a in experiment["arms"]):
                    how = replace(how, halve=False)
            group.sort(key=lambda t: t.identity["seed"]["number"])  # a stack draws data once per seed
            for part in how.cut(len(group)):
                chunk = tuple(group[part])
                found.append(
                    Unit(
                        id=digest([t.key for t in chunk])[:32],
                        module=self.card["module"],
                        experiment=experiment["name"],
                        tier=self.tier,
                        timed=experiment["timed"],
                        root=self.root,
                        sizes=self.sizes_of(experiment),
                        trials=chunk,
                    )
                )
        return found
