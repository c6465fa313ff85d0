"""One training from its first to its last step: what is recorded, whom it tells, what survives a crash.

A session knows nothing of Lightning; ``suite.learner`` drives it, ``suite.fit`` builds it.
"""

import contextvars
import hashlib
import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from suite.files import write_bytes
from suite.stack import StackOptimizer

REPORT_EVERY = 0.25  # seconds


@dataclass
class Context:
    """What surrounds one call of ``measure``.

    checkpoint_dir    where the n-th fit of the call keeps fit-<n>.pt; None: nowhere
    report            is told {"fit", "step", "steps", "loss"} at most four times a second
    device            "cpu" or "cuda"
    checkpoint_every  seconds between two checkpoints of one fit
    data              digests of the data sets that the call used, by name
    fits              how many fits the call has begun
    """

    checkpoint_dir: Path | None = None
    report: Callable[[dict[str, Any]], None] | None = None
    device: str = "cpu"
    threads: int = 1
    checkpoint_every: float = 30.0
    data: dict[str, str] = field(default_factory=dict)
    fits: int = 0


CONTEXT: contextvars.ContextVar[Context] = contextvars.ContextVar("context", default=Context())  # noqa: B039 - one per process


class Stateful(Protocol):
    """Whatever can be saved and restored: modules, optimizers, ``Parts``."""

    def state_dict(self) -> Mapping[str, Any]: ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...


@dataclass(frozen=True)
class Parts:
    """Several stateful things as one: ``Parts({"critic": critic, "critic_steps": optimizer})``."""

    parts: Mapping[str, Stateful]

    def state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        for name, part in self.parts.items():
            part.load_state_dict(state_dict[name])


class Recorder:
    """Curves over the steps: the training loss, averaged over stretches of steps, and what ``evaluate`` returns.

    >>> Recorder(steps=10, record=3, every=4).ends, Recorder(steps=10, record=3, every=4).stops
    ([3, 7, 10], [4, 8, 10])
    """

    def __init__(self, steps: int, record: int, every: int | None) -> None:
        points = min(record, steps)
        self.ends = [round((i + 1) * steps / points) for i in range(points)]
        self.stops = sorted({*range(every, steps + 1, every), steps}) if every else [steps]
        self.sum: Tensor | None = None
        self.count = 0
        self.losses: list[Tensor] = []
        self.curves: list[dict[str, Tensor]] = []

    def note(self, done: int, losses: Tensor | None) -> None:
        """Take in the losses [R] of step number ``done`` (from 1)."""
        if losses is None or not self.ends:
            return
        self.sum = losses.clone() if self.sum is None else self.sum.add_(losses)
        self.count += 1
        if done == self.ends[len(self.losses)]:
            self.losses.append((self.sum / self.count).cpu())
            self.sum, self.count = None, 0

    def state_dict(self) -> dict[str, Any]:
        return {"sum": self.sum, "count": self.count, "losses": self.losses, "curves": self.curves}

    def load_state_dict(self, state: Mapping[str, Any], place: torch.device) -> None:
        self.sum = None if state["sum"] is None else state["sum"].to(place)
        self.count, self.losses, self.curves = state["count"], list(state["losses"]), list(state["curves"])


@dataclass(kw_only=True)
class Session:
    """``advance(step)`` does the step and returns losses [R] or None.

    With an ``optimizer`` the losses still want to be differentiated, and the optimizer to step.  ``state`` is all that
    a resumed session needs besides the optimizer's own state.
    """

    steps: int
    advance: Callable[[int], Tensor | None]
    state: Stateful
    optimizer: StackOptimizer | None
    evaluate: Callable[[], Mapping[str, Tensor]] | None
    recorder: Recorder
    context: Context
    done: int = 0
    finished: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps= counts from 1, got {self.steps}")
        self.context.fits += 1
        self.number = self.context.fits
        self.saved_at, self.told_at = time.monotonic(), -REPORT_EVERY

    @property
    def path(self) -> Path | None:
        folder = self.context.checkpoint_dir
        return folder / f"fit-{self.number}.pt" if folder else None

    def after(self, losses: Tensor | None) -> None:
        """To be called after every step: record, report, save."""
        self.done += 1
        self.recorder.note(self.done, losses)
        judged = self.evaluate is not None and self.done == self.recorder.stops[len(self.recorder.curves)]
        if self.optimizer is not None and losses is not None:
            self.optimizer.note(losses)
            if judged or self.done == self.steps:
                self.optimizer.wipe_lost()
        if judged and self.evaluate is not None:
            with torch.no_grad():
                found = self.evaluate()
            # a copy: what is a view of a parameter would show the last step at every point
            self.recorder.curves.append({name: value.detach().to("cpu", copy=True) for name, value in found.items()})
        now = time.monotonic()
        if self.context.report is not None and (now - self.told_at >= REPORT_EVERY or self.done == self.steps):
            self.told_at = now
            self.tell(losses)
        if self.path is not None and self.done < self.steps and now - self.saved_at >= self.context.checkpoint_every:
            self.save()

    def tell(self, losses: Tensor | None) -> None:
        if self.context.report is not None:
            mean = float("nan") if losses is None else float(losses.mean())
            self.context.report({"fit": self.number, "step": self.done, "steps": self.steps, "loss": mean})

    def finish(self) -> None:
        self.finished = True
        self.save()

    def save(self) -> None:
        if self.path is None:
            return
        content = {
            "shape": self.shape(),
            "done": self.done,
            "finished": self.finished,
            "state": self.state.state_dict(),
            "optimizer": self.optimizer.state_dict() if self.optimizer is not None and not self.finished else None,
            "recorder": self.recorder.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_bytes(self.path, buffer.getvalue())
        self.saved_at = time.monotonic()

    def restore(self) -> None:
        """Go on from the checkpoint if there is one of this very fit; a damaged or foreign file is as good as none."""
        if self.path is None or not self.path.exists():
            return
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception:  # torch raises anything from EOFError to RuntimeError on a damaged file
            return
        if not isinstance(content, dict) or content.get("shape") != self.shape():
            return
        self.state.load_state_dict(content["state"])
        if self.optimizer is not None and content["optimizer"] is not None:
            self.optimizer.load_state_dict(content["optimizer"])
        self.recorder.load_state_dict(content["recorder"], torch.device(self.context.device))
        self.done, self.finished = content["done"], content["finished"]
        if self.finished:
            self.tell(None)

    def shape(self) -> str:
        """Digest of what a checkpoint must agree with: steps, recorded points, names and shapes of all that is kept."""
        parts: list[str] = [f"{self.steps} {self.recorder.ends} {self.recorder.stops}"]
        pending: list[tuple[str, Any]] = [("", self.state.state_dict())]
        while pending:
            name, value = pending.pop()
            if isinstance(value, Mapping):
                pending.extend((f"{name}.{key}", item) for key, item in value.items())
            elif isinstance(value, Tensor):
                parts.append(f"{name} {tuple(value.shape)} {value.dtype}")
        return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()
