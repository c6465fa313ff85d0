"""What a run shows while it works: a live table on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from suite.plan import Unit, place


def clock(seconds: float) -> str:
    """
    >>> clock(75), clock(4)
    ('1 min 15 s', '4 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Progress:
    """Progress of one run; safe to feed from several threads.

    ``expected`` maps a unit to its expected seconds (None when never run here), from which the time left is estimated.
    """

    def __init__(self, title: str, slots: int = 1, stream: TextIO | None = None) -> None:
        self.title, self.slots, self.stream = title, slots, stream or sys.stderr
        self.started = time.monotonic()
        self.units: dict[str, dict[str, Any]] = {}
        self.running_intervals: dict[str, str] = {}
        self._lock = threading.Lock()
        self._live: Any = None
        if self.stream.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                console=Console(file=self.stream), refresh_per_second=4, get_renderable=self._table, transient=True
            )
            self._live.start()

    def add(self, unit: Unit, expected: float | None) -> None:
        places = list(dict.fromkeys(t.place for t in unit.trials))
        kinds = {t.identity["seed"]["purpose"] for t in unit.trials}
        with self._lock:
            self.units[unit.id] = {
                "place": places[0] if len(places) == 1 else f"{unit.experiment} · {len(places)} arms",
                "phase": "tuning" if kinds == {"tune"} else "verdict",
                "models": len(unit.trials),
                "expected": expected,
                "state": "waiting",
                "step": 0,
                "steps": 0,
                "fit": 0,
                "begun": None,
                "rate": 0.0,
            }

    def event(self, event: Mapping[str, Any]) -> None:
        """A worker's report: {"unit", "fit", "step", "steps", "loss"}; or an executor's {"note": one line}."""
        if "note" in event:
            self.note(str(event["note"]))
            return
        with self._lock:
            unit = self.units.get(str(event.get("unit")))
            if unit is None:
                return
            now = time.monotonic()
            unit["begun"] = unit["begun"] or now
            unit["state"] = "running"
            unit.update({k: event[k] for k in ("step", "steps", "fit") if k in event})
            unit["rate"] = unit["step"] / max(1e-6, now - unit["begun"]) if unit["fit"] in (0, 1) else unit["rate"]

    def note(self, line: str) -> None:
        """Say something beside the table."""
        if self._live is not None:
            self._live.console.print(f"  {line}", markup=False, highlight=False)
        else:
            print(f"  {line}", file=self.stream, flush=True)

    def start(self, unit: str) -> None:
        with self._lock:
            self.units[unit]["state"] = "running"
            self.units[unit]["begun"] = time.monotonic()

    def done(self, unit: str, seconds: float) -> None:
        with self._lock:
            row = self.units[unit]
            row["state"], row["seconds"] = "done", seconds
            finished = sum(u["state"] == "done" for u in self.units.values())
        if self._live is None:
            models = f"{row['models']} models" if row["models"] > 1 else "1 model"
            left = self.left()
            tail = f", about {clock(left)} left" if left is not None and left >= 1 else ""
            print(
                f"  {finished}/{len(self.units)}  {row['place']} · {row['phase']}: {models} in {clock(seconds)}{tail}",
                file=self.stream,
                flush=True,
            )

    def interval(self, row: Mapping[str, Any]) -> None:
        """Show where a claim stands now."""
        if row.get("estimate") is not None:
            self.running_intervals[row["id"]] = f"{row['id']}: {row['outcome']}, estimate {row['estimate']:.4g}"

    def left(self) -> float | None:
        """Seconds still expected; None until every waiting unit has an expectation."""
        with self._lock:
            rest = 0.0
            for unit in self.units.values():
                if unit["state"] == "done":
                    continue
                share = 1 - unit["step"] / unit["steps"] if unit["steps"] else 1.0
                if unit["expected"] is None:
                    return None
                rest += unit["expected"] * share
            return rest / self.slots

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _table(self) -> Any:
        from rich.table import Table

        with self._lock:
            rows = [dict(unit) for unit in self.units.values()]
        finished = sum(u["state"] == "done" for u in rows)
        left = self.left()
        caption = f"{finished} of {len(rows)} units · {clock(time.monotonic() - self.started)} so far"
        if left is not None:
            caption += f" · about {clock(left)} left"
        table = Table(
            title=self.title, caption=caption, title_justify="left", caption_justify="left", box=None, pad_edge=False
        )
        for name in ("experiment · arm", "phase", "models", "progress", "steps/s"):
            table.add_column(name)
        active = [u for u in rows if u["state"] == "running"]
        for unit in active + [u for u in rows if u["state"] == "waiting"][: max(0, 10 - len(active))]:
            filled = round(20 * unit["step"] / unit["steps"]) if unit["steps"] else 0
            bar = "━" * filled + "·" * (20 - filled) if unit["state"] == "running" else "waiting"
            table.add_row(
                unit["place"], unit["phase"], str(unit["models"]), bar, f"{unit['rate']:.0f}" if unit["rate"] else ""
            )
        for line in self.running_intervals.values():
            table.add_row(line)
        return table


def describe(trial: Mapping[str, Any]) -> str:
    """A trial in a few words, for error messages."""
    seed = trial["seed"]
    return f"{place(trial['experiment'], trial['arm'], trial['at'])} · {seed['purpose']} seed {seed['number']}"


def summary(units: Sequence[Unit]) -> str:
    trials = sum(len(u.trials) for u in units)
    return f"{trials} trials in {len(units)} units"
