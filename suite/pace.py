"""What a model of an experiment cost on this machine before: the expected minutes of a plan, and the time left."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from suite.canonical import digest
from suite.errors import UserError
from suite.files import read_json, write_json
from suite.plan import Unit


class Pace:
    """What a model of an experiment cost here before; feeds the expected minutes of ``plan`` and the time left."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "pace.json"
        self.known: dict[str, float] = {}
        with contextlib.suppress(UserError):
            if self.file.exists():
                self.known = {str(k): float(v) for k, v in read_json(self.file, "the table of paces").items()}

    @staticmethod
    def _name(unit: Unit) -> str:
        first = unit.trials[0].identity
        return digest([first["slug"], unit.experiment, first["arm"], first["at"], unit.sizes])[:16]

    def expected(self, unit: Unit) -> float | None:
        each = self.known.get(self._name(unit))
        return None if each is None else each * len(unit.trials)

    def total(self, units: Sequence[Unit]) -> float | None:
        found = [self.expected(unit) for unit in units]
        return None if any(f is None for f in found) else sum(f for f in found if f is not None)

    def learn(self, unit: Unit, seconds: float) -> None:
        self.known[self._name(unit)] = seconds / len(unit.trials)

    def save(self) -> None:
        """Keep the table; without it the next plan knows no minutes, which is no reason to stop a run."""
        with contextlib.suppress(UserError):
            write_json(self.file, {name: round(value, 6) for name, value in sorted(self.known.items())})
