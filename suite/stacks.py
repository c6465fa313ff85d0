"""How many models a stack holds: measured on units that had to run anyhow, and remembered per machine class.

A page declares the most that memory is to hold.  Whether half of it is faster depends on caches and cores, and changes
no number, as a model does not depend on its company.  So a run cuts the last stack of every group that tunes (where
nothing is tuned: of every group) in two and compares: where halves take less time per model, the next run stacks half
as many, and so on.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite import learnt
from suite.canonical import digest
from suite.plan import Stacking, Unit

WORTH_IT = 0.95  # halves must save at least this share; less is noise, and more units cost more starts


class Stacks:
    """The sizes of one task's stacks on one machine class.

    folder   where ``stacks.json`` lies
    world    what a result depends on besides the code, the machine class in it
    """

    def __init__(self, folder: Path, slug: str, world: Mapping[str, Any]) -> None:
        self.file, self.slug, self.machine = folder / "stacks.json", slug, world["machine"]
        self.known = learnt.read(self.file, "the table of stacks", _usable)
        self.declared: dict[str, int | None] = {}  # of the experiments that were asked for
        self.seen: dict[str, dict[str, dict[int, list[float]]]] = {}  # experiment -> group -> size -> seconds a model

    def _name(self, experiment: str) -> str:
        return digest([self.slug, experiment, self.machine])[:16]

    def stacking(self, experiment: str, declared: int | None) -> Stacking:
        """How to cut an experiment's trials now; never more than declared."""
        self.declared[experiment] = declared
        known = self.known.get(self._name(experiment))
        if declared is None or declared < 2:
            return Stacking(most=declared)
        if known is None or known["declared"] != declared:
            return Stacking(most=declared, halve=True)
        return Stacking(most=known["most"], halve=not known["settled"])

    def learn(self, unit: Unit, seconds: float) -> None:
        """Take in what a finished unit took."""
        first = unit.trials[0].identity
        group = digest([first["at"], first["fixed"], first["seed"]["purpose"]])
        sizes = self.seen.setdefault(unit.experiment, {}).setdefault(group, {})
        sizes.setdefault(len(unit.trials), []).append(seconds / len(unit.trials))

    def save(self) -> None:
        """Decide where whole stacks and halves were both seen, and keep the table."""
        for experiment, groups in self.seen.items():
            declared = self.declared.get(experiment)
            now = self.stacking(experiment, declared)
            compared = [_halves_over_wholes(sizes, now.most) for sizes in groups.values()] if now.halve else []
            ratios = [ratio for ratio in compared if ratio is not None]
            if not ratios or now.most is None:
                continue
            faster = math.exp(math.fsum(map(math.log, ratios)) / len(ratios)) < WORTH_IT
            most = math.ceil(now.most / 2) if faster else now.most
            self.known[self._name(experiment)] = {
                "declared": declared,
                "most": most,
                "settled": not faster or most < 2,
            }
        learnt.write(self.file, self.known)


def _usable(value: Any) -> bool:
    """Whether an entry of the table can be used; it may be another version's, or damaged."""
    return (
        isinstance(value, dict)
        and type(value.get("declared")) is int
        and type(value.get("most")) is int
        and 1 <= value["most"] <= value["declared"]
        and isinstance(value.get("settled"), bool)
    )


def _halves_over_wholes(sizes: Mapping[int, list[float]], most: int | None) -> float | None:
    """Least seconds per model in stacks of at most half of ``most`` models, over those in larger ones.

    The least, as the first unit of a process also loads what the others find loaded.

    >>> _halves_over_wholes({8: [2.0, 3.0], 4: [1.0, 1.5]}, most=8)
    0.5
    >>> _halves_over_wholes({4: [1.0]}, most=8)
    """
    if most is None:
        return None
    wholes = [s for size, found in sizes.items() if size > math.ceil(most / 2) for s in found]
    halves = [s for size, found in sizes.items() if size <= math.ceil(most / 2) for s in found]
    return min(halves) / min(wholes) if wholes and halves and min(wholes) > 0 else None
