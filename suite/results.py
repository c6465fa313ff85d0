"""Trials as columns: what the quantities read.

A column is one metric of one arm at one condition, one row per verdict seed in the order of their numbers.  A column
that cannot be read whole is not read at all: a seed left out in silence would be a chosen seed.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from suite.canonical import canonical, revive
from suite.quantities.intervals import Unmeasurable


def place(arm: str, at: Mapping[str, Any]) -> str:
    """The words for an arm at a condition.

    >>> place("lion", {"batch": 64})
    'lion at batch 64'
    """
    if arm == "only":
        return ", ".join(f"{k} {v}" for k, v in at.items()) or "the measurement"
    return arm + (" at " + ", ".join(f"{k} {v}" for k, v in at.items()) if at else "")


def listed(numbers: Sequence[int]) -> str:
    """Seed numbers as words.

    >>> listed([3]), listed([0, 1, 2, 7])
    ('seed 3', 'seeds 0-2, 7')
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    text = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"seed {text}" if len(numbers) == 1 else f"seeds {text}"


class Results:
    """The trials of one task at one tier, by experiment, arm, condition and seed.

    ``first`` gives the number of verdict seeds to be read of each experiment (seed numbers 0 .. first - 1); without
    it the declared number is read.  Trials of another tier and of another purpose than "verdict" or "tune" are left
    aside.
    """

    def __init__(
        self,
        card: Mapping[str, Any],
        tier: str,
        trials: Iterable[Mapping[str, Any]],
        choices: Sequence[Mapping[str, Any]] = (),
    ):
        self.tier = tier
        self._experiments = {e["name"]: e for e in card["experiments"]}
        self._choices = {_address(c): c for c in choices}
        self._verdict: dict[tuple[str, str, str], list[tuple[int, Mapping[str, Any]]]] = {}
        self._tune: dict[tuple[str, str, str], list[tuple[int, Mapping[str, Any]]]] = {}
        self.first: dict[str, int] = {}
        for trial in trials:
            if trial.get("tier", tier) != tier:
                continue
            purpose, number = trial["seed"]["purpose"], int(trial["seed"]["number"])
            if purpose == "verdict":
                self._verdict.setdefault(_address(trial), []).append((number, trial["metrics"]))
            elif purpose == "tune":
                self._tune.setdefault(_address(trial), []).append((number, trial["metrics"]))

    def reading(self, first: Mapping[str, int]) -> "Results":
        """The same trials, of which only the first so many seeds of an experiment are read."""
        view = object.__new__(Results)
        view.__dict__.update(self.__dict__)
        view.first = dict(first)
        return view

    # --- What there is --------------------------------------------------------------------------------

    def experiment(self, name: str) -> Mapping[str, Any]:
        """The card's entry of an experiment; the empty name means the only one."""
        if not name and len(self._experiments) == 1:
            return next(iter(self._experiments.values()))
        if name not in self._experiments:
            raise Unmeasurable(f"no experiment {name!r}; the page has {', '.join(self._experiments)}")
        return self._experiments[name]

    def arm(self, experiment: str, arm: str | None) -> str:
        """The name of an arm; None means the only one."""
        names = [a["name"] for a in self.experiment(experiment)["arms"]]
        if arm is None:
            if len(names) > 1:
                raise Unmeasurable(
                    f"the quantity names no arm of {self.experiment(experiment)['name']}; there are {', '.join(names)}"
                )
            return names[0]
        if arm not in names:
            raise Unmeasurable(f"no arm {arm!r}; {self.experiment(experiment)['name']} has {', '.join(names)}")
        return arm

    def available(self, experiment: str) -> int:
        """How far the verdict seeds of an experiment reach: the largest number of any arm, plus one."""
        name = self.experiment(experiment)["name"]
        return max((n + 1 for (e, _, _), rows in self._verdict.items() if e == name for n, _ in rows), default=0)

    def combinations(self, experiment: str, at: Mapping[str, Any], free: str | None = None) -> list[dict[str, Any]]:
        """Every combination of conditions within ``at`` (a value, or a list of values), ``free`` left out."""
        conditions = self.experiment(experiment)["conditions"]
        for name in [*at, *([free] if free else [])]:
            if name not in conditions:
                raise Unmeasurable(f"no condition {name!r}; there are {', '.join(conditions) or 'none'}")
        kept: list[list[Any]] = []
        for name, values in conditions.items():
            if name == free:
                continue
            wanted = at.get(name, values)
            if name in at and canonical(wanted) in map(canonical, values):
                wanted = [wanted]
            known = {canonical(v) for v in values}
            missing = [
                w
                for w in (wanted if isinstance(wanted, Sequence) and not isinstance(wanted, str) else [wanted])
                if canonical(w) not in known
            ]
            if missing:
                raise Unmeasurable(f"no condition {name} {missing[0]}; there are {', '.join(map(str, values))}")
            kept.append([v for v in values if canonical(v) in {canonical(w) for w in wanted}])
        names = [name for name in conditions if name != free]
        return [dict(zip(names, values, strict=True)) for values in itertools.product(*kept)]

    # --- Columns --------------------------------------------------------------------------------------

    def column(self, experiment: str, arm: str, at: Mapping[str, Any], metric: str) -> np.ndarray:
        """The metric of every verdict seed, [n, ...] float64; Unmeasurable when a seed lacks, repeats or is wild."""
        name = self.experiment(experiment)["name"]
        here = place(arm, at)
        expected = self.first.get(name) or self._declared(name)
        rows = sorted(
            (r for r in self._verdict.get((name, arm, canonical(dict(at))), []) if r[0] < expected), key=lambda r: r[0]
        )
        choice = self.choice(name, arm, at)
        if choice and choice["chosen"] is None:
            raise Unmeasurable(f"{here}: every setting diverged in tuning")
        if not rows:
            raise Unmeasurable(f"{here}: no results")
        numbers = [number for number, _ in rows]
        twice = sorted({n for n in numbers if numbers.count(n) > 1})
        if twice:
            raise Unmeasurable(f"{here}: {listed(twice)} stands there twice")
        lacking = [n for n in range(expected) if n not in set(numbers)]
        if lacking:
            raise Unmeasurable(f"{here}: {listed(lacking)} of {expected} lacking")
        without = [n for n, metrics in rows if metric not in metrics]
        if without:
            raise Unmeasurable(
                f"{here}: no metric {metric!r} at {listed(without)}; there are {', '.join(sorted(rows[0][1]))}"
            )
        entries = [_floats(revive(metrics[metric])) for _, metrics in rows]
        if len({_shape(e) for e in entries}) > 1:
            raise Unmeasurable(f"{here}: {metric} has entries of different lengths over the seeds")
        column = np.asarray(entries, dtype=float)
        wild = [n for n, entry in zip(numbers, column, strict=True) if not np.isfinite(entry).all()]
        if wild:
            raise Unmeasurable(f"{here}: {metric} is not finite at {listed(wild)}")
        return column

    def _declared(self, name: str) -> int:
        tiers = self._experiments[name]["tiers"]
        if self.tier not in tiers:
            raise Unmeasurable(f"{name} has no tier {self.tier}; it has {', '.join(tiers)}")
        return int(tiers[self.tier]["seeds"])

    # --- Tuning ---------------------------------------------------------------------------------------

    def choice(self, experiment: str, arm: str, at: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The chosen setting of an arm with its tuning table, None where nothing is tuned."""
        return self._choices.get((self.experiment(experiment)["name"], arm, canonical(dict(at))))

    def tuning(self, experiment: str, arm: str, at: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The tuning table: ``{"setting", "seed", "value"}`` per trial; the value is not finite where it diverged."""
        found = self.choice(experiment, arm, at)
        if found is None:
            raise Unmeasurable(f"{place(arm, at)}: no tuning table")
        return [{**row, "value": float(revive(row["value"]))} for row in found["tuning"]]

    def beside(
        self, experiment: str, arm: str | None, at: Mapping[str, Any], metric: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """(what was tuned on, ``metric``) over all trials at a condition, tuning and verdict, of one arm or of all.

        An entry that is a list counts by its mean; trials where either number is not finite are left out.
        """
        entry, here = self.experiment(experiment), canonical(dict(at))
        pairs: list[list[float]] = []
        for table in (self._tune, self._verdict):
            for (name, its_arm, its_at), rows in table.items():
                if name == entry["name"] and its_at == here and arm in (None, its_arm):
                    for _, metrics in rows:
                        if entry["tune_on"] in metrics and metric in metrics:
                            pairs.append([_average(metrics[entry["tune_on"]]), _average(metrics[metric])])
        table_ = np.asarray([pair for pair in pairs if all(map(math.isfinite, pair))], dtype=float).reshape(-1, 2)
        return table_[:, 0], table_[:, 1]


def _address(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["experiment"], row["arm"], canonical(dict(row["at"]))


def _floats(entry: Any) -> Any:
    """Nested lists of floats; what is no number counts as not finite."""
    if isinstance(entry, list | tuple):
        return [_floats(item) for item in entry]
    return float(entry) if isinstance(entry, bool | int | float) else math.nan


def _shape(entry: Any) -> Any:
    return tuple(_shape(item) for item in entry) if isinstance(entry, list) else ()


def _average(entry: Any) -> float:
    """The mean of all numbers of an entry."""
    flat, queue = [], [_floats(revive(entry))]
    while queue:
        item = queue.pop()
        if isinstance(item, list):
            queue.extend(item)
        else:
            flat.append(item)
    return math.fsum(flat) / len(flat) if flat and all(map(math.isfinite, flat)) else math.nan
