"""What a figure needs from a ledger, as arrays: arms, conditions, columns over seeds, tuning tables."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from suite.canonical import revive
from suite.errors import UserError
from suite.figures import Figure


class NotDrawn(UserError):
    """The ledger lacks what a figure reads; the report says so in the figure's place."""


class Reader:
    """A ledger through the eyes of one figure."""

    def __init__(self, figure: Figure, ledger: Mapping[str, Any]) -> None:
        self.figure = figure
        self.ledger = ledger
        self.at = dict(figure.at)

    def fail(self, reason: str) -> NotDrawn:
        return NotDrawn(f"figure {self.figure.title!r}: {reason}")

    @property
    def experiment(self) -> Mapping[str, Any]:
        all_of_them = self.ledger["card"]["experiments"]
        name = self.figure.experiment
        if not name and len(all_of_them) == 1:
            return all_of_them[0]
        for one in all_of_them:
            if one["name"] == name:
                return one
        raise self.fail(f"no experiment {name!r}; the page has {', '.join(e['name'] for e in all_of_them)}")

    def arms(self, named: Sequence[str] = ()) -> list[str]:
        """The arms to draw, in the order of the page."""
        have = [arm["name"] for arm in self.experiment["arms"]]
        for name in named:
            if name not in have:
                raise self.fail(f"no arm {name!r} in experiment {self.experiment['name']!r}; it has {', '.join(have)}")
        return list(named) or have

    def free(self, taken: Sequence[str] = ()) -> dict[str, list[Any]]:
        """Conditions that neither ``at`` nor ``taken`` settles."""
        return {k: list(v) for k, v in self.experiment["conditions"].items() if k not in self.at and k not in taken}

    def values(self, condition: str) -> list[Any]:
        if condition not in self.experiment["conditions"]:
            have = ", ".join(self.experiment["conditions"]) or "none"
            raise self.fail(f"no condition {condition!r} in experiment {self.experiment['name']!r}; it has {have}")
        return list(self.experiment["conditions"][condition])

    def panels(self, taken: Sequence[str] = ()) -> list[tuple[str, dict[str, Any]]]:
        """(title, at) of every combination of the free conditions; one untitled panel when there is none."""
        free = self.free(taken)
        found = []
        for combination in itertools.product(*free.values()):
            at = dict(zip(free, combination, strict=True))
            found.append((", ".join(f"{k} {said(v)}" for k, v in at.items()), {**self.at, **at}))
        return found

    def _trials(self, arm: str, at: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
        name = self.experiment["name"]
        timing = self.ledger.get("timing") or {}
        found = []
        for trial in [*self.ledger["trials"], *timing.get("trials", ())]:
            seed = trial["seed"]
            purpose, number = (seed["purpose"], seed["number"]) if isinstance(seed, Mapping) else ("verdict", seed)
            here = trial["experiment"] == name and trial["arm"] == arm and purpose == "verdict"
            if here and all(trial["at"].get(key) == value for key, value in at.items()):
                found.append((int(number), trial["metrics"]))
        if not found:
            where = ", ".join([name, arm, *(f"{k} {said(v)}" for k, v in at.items())])
            raise self.fail(f"the ledger holds no trials of {where}")
        return sorted(found, key=lambda pair: pair[0])

    def metrics(self, arm: str, at: Mapping[str, Any]) -> set[str]:
        return set(self._trials(arm, at)[0][1])

    def column(self, arm: str, at: Mapping[str, Any], metric: str) -> np.ndarray:
        """[n, ...] in the order of the seeds."""
        entries = []
        for number, metrics in self._trials(arm, at):
            if metric not in metrics:
                raise self.fail(f"seed {number} of {arm} has no metric {metric!r}; it has {', '.join(sorted(metrics))}")
            entries.append(revive(metrics[metric]))
        try:
            return np.array(entries, dtype=float)
        except (TypeError, ValueError):
            raise self.fail(
                f"metric {metric!r} of {arm} is not a number or an even list of numbers at every seed"
            ) from None

    def series(self, arm: str, at: Mapping[str, Any], x: str | Sequence[float], row: int | None = None) -> np.ndarray:
        """The x values: constants, or a list-valued metric (which does not depend on the seed)."""
        if not isinstance(x, str):
            return np.array(x, dtype=float)
        found = self.column(arm, at, x)[0]
        return found[row] if found.ndim == 2 and row is not None else found

    def tuning(self, arm: str, at: Mapping[str, Any]) -> Mapping[str, Any]:
        name = self.experiment["name"]
        for entry in self.ledger["arms"]:
            if (
                entry["experiment"] == name
                and entry["arm"] == arm
                and all(entry["at"].get(k) == v for k, v in at.items())
            ):
                return entry
        raise self.fail(f"the ledger holds no tuning table of {arm} in {name}")


def said(value: Any) -> str:
    """A condition's value in words: 0.5 -> 0.5, 64.0 -> 64, True -> yes.

    >>> said(64.0), said(1e-4), said(True), said("post")
    ('64', '0.0001', 'yes', 'post')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
