"""The one place where training happens: a final LightningModule, one Trainer for a whole stack, checkpoints that resume bitwise.

A page calls ``fit`` for a stack with a loss, or ``drive`` for an update of its own; it never sees Lightning.  What a worker wants
(where to keep checkpoints, whom to tell the progress, which device) arrives through ``CONTEXT``.
"""

import contextvars
import hashlib
import io
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, final

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.plugins.environments import LightningEnvironment
from torch import Tensor, nn

from suite.files import write_bytes
from suite.stack import Group, StackOptimizer, models_of

REPORT_EVERY = 0.25  # seconds

# Lightning announces devices, tips and the end of training as INFO; a worker has nobody to tell.
logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
# What Lightning 2.6 warns about of its own doing, by the first words of the message.
LIGHTNINGS_OWN = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # its loader's use of torch's tree functions
)


@dataclass
class Context:
    """What surrounds one call of ``measure``.

    checkpoint_dir    where the n-th fit of the call keeps fit-<n>.pt; None: nowhere
    report            is told {"fit", "step", "steps", "loss"} at most four times a second
    device            "cpu" or "cuda"
    checkpoint_every  seconds between two checkpoints of one fit
    data              digests of the data sets that the call used, by name
    """

    checkpoint_dir: Path | None = None
    report: Callable[[dict[str, Any]], None] | None = None
    device: str = "cpu"
    threads: int = 1
    checkpoint_every: float = 30.0
    data: dict[str, str] = field(default_factory=dict)
    fits: int = 0


CONTEXT: contextvars.ContextVar[Context] = contextvars.ContextVar("context", default=Context())


def device() -> torch.device:
    """The device that models and data go to."""
    return torch.device(CONTEXT.get().device)


def uses(name: str, sha256: str) -> None:
    """Note the digest of a data set for the provenance of the trials."""
    CONTEXT.get().data[name] = sha256


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


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a fit leaves behind; every tensor is on the CPU and has one row per model.

    steps          of the whole fit
    trainer_steps  steps that Lightning's Trainer drove in this process (fewer after a resume, 0 for a fit that was finished before)
    losses         [R, points] training loss, each point the mean over its stretch of steps; loss_steps says where the stretches end
    curves         {name: [R, k]} what ``evaluate`` returned after curve_steps steps, the end included
    """

    steps: int
    trainer_steps: int
    losses: Tensor
    loss_steps: list[int]
    curves: dict[str, Tensor]
    curve_steps: list[int]

    def final(self, name: str) -> Tensor:
        """The last value [R] of a curve."""
        return self.curves[name][:, -1]


class _Steps:
    """The data loader: step numbers from where the last run ended."""

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.stop = start, stop

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.stop))

    def __len__(self) -> int:
        return self.stop - self.start


class _Recorder:
    """Curves over the steps: stretches of the training loss, and what ``evaluate`` returns."""

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
class _Session:
    """One fit: what a step is, what survives a crash, what is recorded."""

    steps: int
    advance: Callable[[int], Tensor | None]
    state: Stateful
    optimizer: StackOptimizer | None
    evaluate: Callable[[], Mapping[str, Tensor]] | None
    recorder: _Recorder
    context: Context
    number: int
    done: int = 0
    finished: bool = False
    saved_at: float = field(default_factory=time.monotonic)
    told_at: float = 0.0

    @property
    def path(self) -> Path | None:
        folder = self.context.checkpoint_dir
        return folder / f"fit-{self.number}.pt" if folder else None

    def after(self, losses: Tensor | None) -> None:
        """Called after every step: record, report, save."""
        self.done += 1
        self.recorder.note(self.done, losses)
        if self.evaluate is not None and self.done == self.recorder.stops[len(self.recorder.curves)]:
            with torch.no_grad():
                found = self.evaluate()
            self.recorder.curves.append({name: value.detach().float().cpu() for name, value in found.items()})
        now = time.monotonic()
        if self.context.report is not None and (now - self.told_at >= REPORT_EVERY or self.done == self.steps):
            self.told_at = now
            mean = float("nan") if losses is None else float(losses.mean())
            self.context.report({"fit": self.number, "step": self.done, "steps": self.steps, "loss": mean})
        if self.path is not None and self.done < self.steps and now - self.saved_at >= self.context.checkpoint_every:
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

    def shape(self) -> str:
        """Digest of what a checkpoint must agree with: steps, recorded points, names and shapes of all that is saved."""
        parts: list[str] = [f"{self.steps} {self.recorder.ends} {self.recorder.stops}"]
        pending: list[tuple[str, Any]] = [("", self.state.state_dict())]
        while pending:
            name, value = pending.pop()
            if isinstance(value, Mapping):
                pending.extend((f"{name}.{key}", item) for key, item in value.items())
            elif isinstance(value, Tensor):
                parts.append(f"{name} {tuple(value.shape)} {value.dtype}")
        return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()

    def run(self) -> Fitted:
        self.restore()
        driven = 0
        if not self.finished:
            driven = _train(self)
            self.finished = True
            self.save()
        names = self.recorder.curves[0] if self.recorder.curves else {}
        return Fitted(
            steps=self.steps,
            trainer_steps=driven,
            losses=torch.stack(self.recorder.losses, 1) if self.recorder.losses else torch.zeros(0, 0),
            loss_steps=self.recorder.ends if self.recorder.losses else [],
            curves={name: torch.stack([point[name] for point in self.recorder.curves], 1) for name in names},
            curve_steps=self.recorder.stops if self.recorder.curves else [],
        )


@final
class Learner(LightningModule):
    """The only LightningModule: a step of a session is a training step, nothing else is to be seen from outside."""

    def __init__(self, session: _Session) -> None:
        super().__init__()
        self.automatic_optimization = session.optimizer is not None
        self.session = session
        self.losses: Tensor | None = None

    def training_step(self, step: int) -> Tensor | None:
        losses = self.session.advance(step)
        self.losses = None if losses is None else losses.detach()
        return losses.sum() if self.automatic_optimization and losses is not None else None

    def on_train_batch_end(self, outputs: Any, batch: int, batch_idx: int) -> None:
        self.session.after(self.losses)

    def configure_optimizers(self) -> Any:
        return self.session.optimizer if self.session.optimizer is not None else []


def _train(session: _Session) -> int:
    place = torch.device(session.context.device)
    learner = Learner(session)
    before = torch.get_rng_state()
    with warnings.catch_warnings():
        for message in LIGHTNINGS_OWN:
            warnings.filterwarnings("ignore", message=message)
        trainer = Trainer(
            accelerator="gpu" if place.type == "cuda" else "cpu",
            devices=1,
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            plugins=[LightningEnvironment()],
        )
        trainer.fit(learner, train_dataloaders=_Steps(session.done, session.steps))
    if session.done != session.steps:
        raise RuntimeError(f"training stopped after {session.done} of {session.steps} steps")
    if not torch.equal(before, torch.get_rng_state()):
        raise RuntimeError("a step drew from torch's global generator; draw from the seed's streams in batch(step) instead")
    return trainer.global_step if learner.automatic_optimization else trainer.fit_loop.epoch_loop.batch_progress.total.completed


def _next(context: Context) -> int:
    context.fits += 1
    return context.fits


def fit(
    model: nn.Module,
    *,
    loss: Callable[..., Tensor],
    batch: Callable[[int], Sequence[Tensor]],
    steps: int,
    optimizer: Group | Sequence[Group],
    schedule: Callable[[int], float | Tensor] | None = None,
    clip: float | Sequence[float] | None = None,
    record: int = 0,
    evaluate: Callable[[nn.Module], Mapping[str, Tensor]] | None = None,
    every: int | None = None,
    precision: str = "fp32",
) -> Fitted:
    """Train a stack of R models in place, all with the same number of steps.

    loss       loss(model, *batch) -> [R], the loss of each model; their sum is differentiated
    batch      batch(step) -> tensors, a pure function of the step (from 0)
    optimizer  ``Group(lion.Rule(), lr=[...], decay=[...])``, or a list of groups
    schedule   multiplier(step) of every rate; ``clip``: largest gradient norm of a model
    record     points of the training-loss curve; ``evaluate(model)`` -> {name: [R]} every ``every`` steps and at the end
    precision  "fp32", or "bf16" for autocast with fp32 weights
    """
    if precision not in ("fp32", "bf16"):
        raise ValueError(f'precision= is "fp32" or "bf16", got {precision!r}')
    context = CONTEXT.get()
    place = torch.device(context.device)
    model.to(place)

    def cast() -> torch.autocast:
        return torch.autocast(place.type, dtype=torch.bfloat16, enabled=precision == "bf16")

    def advance(step: int) -> Tensor:
        tensors = [tensor.to(place, non_blocking=True) for tensor in batch(step)]
        with cast():
            losses = loss(model, *tensors)
        if losses.shape != (models,):
            raise ValueError(f"loss(model, *batch) must return one loss per model, shape ({models},), got {tuple(losses.shape)}")
        return losses

    def judge() -> Mapping[str, Tensor]:
        assert evaluate is not None
        with cast():
            return evaluate(model)

    models = models_of(model)
    return _Session(
        steps=steps,
        advance=advance,
        state=model,
        optimizer=StackOptimizer(model, optimizer, schedule=schedule, clip=clip),
        evaluate=judge if evaluate is not None else None,
        recorder=_Recorder(steps, record, every),
        context=context,
        number=_next(context),
    ).run()


def drive(
    update: Callable[[int], Tensor | None],
    state: Stateful,
    *,
    steps: int,
    record: int = 0,
    evaluate: Callable[[], Mapping[str, Tensor]] | None = None,
    every: int | None = None,
) -> Fitted:
    """Run ``update(step)`` for every step: training that is no plain descent on one loss (two players, samplers, EMA teachers).

    ``update`` changes what ``state`` holds and returns losses [R] to record, or None.  ``state`` has ``state_dict`` and
    ``load_state_dict`` of tensors and numbers and is all that a resumed run needs.
    """
    context = CONTEXT.get()
    return _Session(
        steps=steps,
        advance=update,
        state=state,
        optimizer=None,
        evaluate=evaluate,
        recorder=_Recorder(steps, record, every),
        context=context,
        number=_next(context),
    ).run()
