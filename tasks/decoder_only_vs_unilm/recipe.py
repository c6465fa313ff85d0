"""What all trainings here share: AdamW without decay, a warm-up, half a cosine, a clip, and equal data for all arms.

Weights and batches come from the seed, so that two arms differ in what their settings say and in nothing else.
Tuning runs are shorter than those that judge ("tuning_steps"), and equally so for every arm.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from suite import fit
from suite.blocks.data.distinct import distinct
from suite.blocks.losses.labelled_cross_entropy import labelled_cross_entropy
from suite.blocks.optim import adamw
from suite.blocks.optim.schedules import cosine
from suite.claims import Tier
from suite.seeds import Seed
from suite.stack import Group

CLIP, WARMUP, FLOOR = 1.0, 0.1, 0.02

Batch = tuple[Tensor, Tensor]  # tokens [B, T], and targets [B, last] of the last positions, -1 where nothing is judged
Draw = Callable[[Seed, str, int, str], Batch]  # (seed, name of the stream, number of sequences, part of the data)


def steps_of(seeds: Sequence[Seed], tier: Tier) -> int:
    """The steps of a training: those of a tuning run where the seeds only tune."""
    return tier["tuning_steps"] if seeds[0].purpose == "tune" else tier["steps"]


def drawn(draw: Draw, seeds: Sequence[Seed], name: str, number: int, part: str) -> Batch:
    """Tokens [R, B, T] and targets [R, B, last] of a stack."""
    different, row = distinct(seeds)
    tokens, targets = zip(*(draw(seed, name, number, part) for seed in different), strict=True)
    return torch.stack(tokens)[row], torch.stack(targets)[row]


def loss(model: nn.Module, tokens: Tensor, targets: Tensor) -> Tensor:
    """[R] mean cross-entropy, in nats, of the last positions where ``targets`` [R, B, last] is not negative."""
    return labelled_cross_entropy(model(tokens, last=targets.shape[-1]), targets)


def held_out(model: nn.Module, draw: Draw, seeds: Sequence[Seed], number: int, part: str) -> Tensor:
    """[R] the same over ``number`` fresh sequences of the part."""
    tokens, targets = drawn(draw, seeds, part, number, part)
    total = torch.zeros(len(seeds))
    for some in torch.arange(number).split(64):
        pieces = (tokens[:, some].to(fit.device()), targets[:, some].to(fit.device()))
        total += (loss(model, *pieces) * (pieces[1] >= 0).flatten(1).sum(1)).float().cpu()
    return total / (targets >= 0).flatten(1).sum(1)


def train(
    model: nn.Module,
    draw: Draw,
    seeds: Sequence[Seed],
    tier: Tier,
    lr: float | Sequence[float],
    steps: int,
    *,
    name: str = "batch",
    points: int = 0,
) -> Tensor | None:
    """Train a stack in place; with ``points`` the loss [R, points] at as many equal strides.

    That curve is taken on half as much test data as judges in the end.
    """

    def evaluate(model: nn.Module) -> Mapping[str, Tensor]:
        return {"test": held_out(model, draw, seeds, tier["held_out"] // 2, "test")}

    fitted = fit.fit(
        model,
        loss=loss,
        batch=lambda step: drawn(draw, seeds, f"{name} {step}", tier["batch"], "train"),
        steps=steps,
        optimizer=Group(adamw.Rule(betas=(0.9, 0.98)), lr=lr),
        schedule=cosine(steps, warmup=WARMUP, floor=FLOOR),
        clip=CLIP,
        evaluate=evaluate if points else None,
        every=steps // points if points else None,
        precision=tier["precision"],
    )
    return fitted.curves["test"][:, :points] if points else None


def judged(model: nn.Module, draw: Draw, seeds: Sequence[Seed], tier: Tier) -> dict[str, Tensor]:
    """{"validation": [R]} of a stack that was trained to tune, {"test": [R]} of one that judges."""
    parts = ("validation" if seeds[0].purpose == "tune" else "test",)
    with torch.no_grad():
        return {part: held_out(model, draw, seeds, tier["held_out"], part) for part in parts}
