"""Run every unit in this very process, one after the other: for debuggers and tests."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any


@dataclass
class Inline:
    """The simplest executor: ``submit`` returns when the unit is done."""

    device: str
    report: Callable[[dict[str, Any]], None]
    slots: int = 1

    def submit(self, message: dict[str, Any], checkpoints: str | None) -> "Future[dict[str, Any]]":
        from suite import worker

        future: Future[dict[str, Any]] = Future()
        future.set_result(worker.measure_unit(message, checkpoints, self.device, self.report))
        return future

    def close(self, abandon: bool = False) -> None:
        """Nothing runs between calls."""
