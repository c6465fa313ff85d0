"""What a model of an experiment cost before: the expected minutes of a plan, the time left, the order of units."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suite import learnt, ledger
from suite.canonical import digest
from suite.errors import UserError
from suite.plan import Unit


class Pace:
    """What a model of an experiment cost here before; where nothing has run yet, what the committed ledger says."""

    def __init__(self, folder: Path, committed: Path) -> None:
        self.file = folder / "pace.json"
        self.elsewhere = _per_model(committed)
        self.known: dict[str, float] = learnt.read(self.file, "the table of paces", _usable)

    @staticmethod
    def _name(unit: Unit) -> str:
        first = unit.trials[0].identity
        spot = [first["slug"], unit.experiment, first["arm"], first["at"], first["seed"]["purpose"]]
        return digest([*spot, unit.sizes])[:16]

    def expected(self, unit: Unit) -> float | None:
        each = self.known.get(self._name(unit), self.elsewhere.get(unit.experiment))
        return None if each is None else each * len(unit.trials)

    def total(self, units: Sequence[Unit]) -> float | None:
        found = [self.expected(unit) for unit in units]
        return None if any(f is None for f in found) else sum(f for f in found if f is not None)

    def learn(self, unit: Unit, seconds: float) -> None:
        self.known[self._name(unit)] = seconds / len(unit.trials)

    def save(self) -> None:
        learnt.write(self.file, {name: round(value, 6) for name, value in self.known.items()})


def _usable(value: Any) -> bool:
    return type(value) in (int, float) and value >= 0


def _per_model(committed: Path) -> dict[str, float]:
    """Seconds per model of each experiment in a ledger, which another machine may have made; nothing without one."""
    if not committed.exists():
        return {}
    try:
        spent: Mapping[str, Any] = ledger.read(committed)["timing"]["per_experiment"]
    except UserError:
        return {}
    return {name: entry["seconds"] / entry["trials"] for name, entry in spent.items() if entry.get("trials")}
