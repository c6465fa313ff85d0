"""Training for pages: ``fit`` for a stack with a loss, ``drive`` for an update of one's own.

Both run under Lightning, resume bitwise from their last checkpoint and record curves; a page never sees Lightning.
What a worker wants (where to keep checkpoints, whom to tell the progress, which device) arrives through ``CONTEXT``.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from suite.blocks import compiler
from suite.learner import train
from suite.session import CONTEXT, Context, Parts, Recorder, Session, Stateful
from suite.stack import Group, StackOptimizer, models_of

__all__ = ["CONTEXT", "Context", "Fitted", "Parts", "Stateful", "device", "drive", "fit", "uses"]


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a fit leaves behind; every tensor is on the CPU and has one row per model.

    steps           of the whole fit
    trainer_steps   steps that Lightning's Trainer drove in this process: fewer after a resume, 0 if all had been done
    losses          [R, points] training loss, each point the mean over a stretch of steps that ends at ``loss_steps``
    curves          {name: [R, k]} what ``evaluate`` returned after ``curve_steps`` steps, the end included
    state_elements  numbers of optimizer state per model (empty after ``drive``)
    """

    steps: int
    trainer_steps: int
    losses: Tensor
    loss_steps: list[int]
    curves: dict[str, Tensor]
    curve_steps: list[int]
    state_elements: list[int]

    def final(self, name: str) -> Tensor:
        """The last value [R] of a curve."""
        return self.curves[name][:, -1]


def device() -> torch.device:
    """The device that models and data go to."""
    return torch.device(CONTEXT.get().device)


def uses(name: str, sha256: str) -> None:
    """Note the digest of a data set for the provenance of the trials."""
    CONTEXT.get().data[name] = sha256


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
    precision: Literal["fp32", "bf16"] = "fp32",
    compiled: bool | Literal["graphs"] = False,
) -> Fitted:
    """Train a stack of R models in place, all for the same number of steps.

    loss       loss(model, *batch) -> [R], the loss of each model; their sum is differentiated
    batch      batch(step) -> tensors, a pure function of the step (from 0); they are moved to the model's device
    optimizer  ``Group(lion.Rule(), lr=[...], decay=[...])``, or a list of groups
    schedule   multiplier(step) of every learning rate, e.g. ``schedules.cosine(steps)``
    clip       largest gradient norm of a model, one number or R of them
    record     points of the training-loss curve
    evaluate   evaluate(model) -> {name: [R]}, called without gradients after every ``every`` steps and at the end
    precision  "fp32", or "bf16" for autocast with fp32 weights
    compiled   through torch.compile: for large models on a GPU, and on a CPU with a C++ compiler where a step takes
               tens of milliseconds; "graphs" records CUDA graphs as well, for small models whose step on a GPU is all
               launches.  It takes up to a minute once, rounds differently, and a model's last bits may then depend on
               its company; so it is never chosen for you
    """
    if precision not in ("fp32", "bf16"):
        raise ValueError(f'precision= is "fp32" or "bf16", got {precision!r}')
    if compiled not in (False, True, "graphs"):
        raise ValueError(f'compiled= is False, True or "graphs", got {compiled!r}')
    place, models = device(), models_of(model)
    model.to(place)
    forward = compile_quietly(loss, graphs=compiled == "graphs") if compiled else loss

    def cast() -> contextlib.AbstractContextManager[object]:
        return torch.autocast(place.type, dtype=torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()

    def advance(step: int) -> Tensor:
        tensors = [tensor.to(place, non_blocking=True) for tensor in batch(step)]
        if compiled == "graphs":  # what the last step's graphs returned may now be overwritten
            torch.compiler.cudagraph_mark_step_begin()
        with cast():
            losses = forward(model, *tensors)
        if losses.shape != (models,):
            raise ValueError(
                f"loss(model, *batch) must return one loss per model, shape ({models},), got {tuple(losses.shape)}"
            )
        return losses

    def judge(evaluate: Callable[[nn.Module], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
        with cast():
            return evaluate(model)

    return _run(
        Session(
            steps=steps,
            advance=advance,
            state=model,
            optimizer=StackOptimizer(model, optimizer, schedule=schedule, clip=clip),
            evaluate=(lambda: judge(evaluate)) if evaluate is not None else None,
            recorder=Recorder(steps, record, every),
            context=CONTEXT.get(),
        )
    )


def compile_quietly(function: Callable[..., Tensor], *, graphs: bool = False) -> Callable[..., Tensor]:
    """``torch.compile`` for one size of batch, without the warning about what the compiler's own modules use.

    With ``graphs`` what runs on a GPU is recorded as CUDA graphs; elsewhere that changes nothing.
    """
    compiler.load()
    return torch.compile(function, dynamic=False, mode="reduce-overhead" if graphs else None)


def drive(
    update: Callable[[int], Tensor | None],
    state: Stateful,
    *,
    steps: int,
    record: int = 0,
    evaluate: Callable[[], Mapping[str, Tensor]] | None = None,
    every: int | None = None,
) -> Fitted:
    """Run ``update(step)`` for every step: training that is no plain descent on one loss.

    For instance two players, samplers, averaged teachers.

    ``update`` changes what ``state`` holds and returns losses [R] to record, or None.  ``state`` has ``state_dict`` and
    ``load_state_dict`` of tensors and numbers, and is all that a resumed run needs; ``Parts`` makes one of several.
    """
    recorder, context = Recorder(steps, record, every), CONTEXT.get()
    return _run(
        Session(
            steps=steps,
            advance=update,
            state=state,
            optimizer=None,
            evaluate=evaluate,
            recorder=recorder,
            context=context,
        )
    )


def _run(session: Session) -> Fitted:
    session.restore()
    driven = 0
    if not session.finished:
        driven = train(session)
        session.finish()
    losses, points = session.recorder.losses, session.recorder.curves
    return Fitted(
        steps=session.steps,
        trainer_steps=driven,
        losses=torch.stack(losses, 1) if losses else torch.zeros(0, 0),
        loss_steps=session.recorder.ends if losses else [],
        curves={name: torch.stack([point[name] for point in points], 1) for name in (points[0] if points else ())},
        curve_steps=session.recorder.stops if points else [],
        state_elements=session.optimizer.state_elements() if session.optimizer is not None else [],
    )
