"""A model shared by two real processes ends where one process ends, with replicas and with shards."""

import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from suite import fit
from suite.parallel import parallel
from suite.seeds import Seed

SEED = Seed("toy/r1", "verdict", 0)
STEPS = 6


class Deep(nn.Module):
    """A few blocks in a ModuleList, as the shards want them."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(5, 5) for _ in range(3)])
        self.head = nn.Linear(5, 1)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = x + block(x).tanh()
        return self.head(x)


def build() -> nn.Module:
    model, stream = Deep(), SEED.stream("weights")
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(torch.randn(weights.shape, generator=stream) / 2)
    return model


def batch(step: int) -> tuple[Tensor, Tensor]:
    stream = SEED.stream(f"batch {step}")
    x = torch.randn(8, 5, generator=stream)
    return x, x.sum(1, keepdim=True).sin()


def odd(step: int) -> tuple[Tensor, ...]:
    return tuple(part[:7] for part in batch(step))


def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return (model(x) - y).square().mean()


def warm(step: int) -> float:
    return (step + 1) / STEPS


def dies(step: int, file: str) -> tuple[Tensor, Tensor]:
    """The batch of a training whose second process is killed once, in its fifth step."""
    if step == 4 and os.environ["RANK"] == "1" and not Path(file).exists():
        Path(file).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return batch(step)


ADAMW = functools.partial(torch.optim.AdamW, lr=0.02)


def alone(precision: str = "fp32") -> tuple[dict[str, Tensor], list[float]]:
    """The obvious slow twin: one process, a plain loop."""
    model = build()
    optimizer, losses = ADAMW(model.parameters()), []
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = 0.02 * warm(step)
        optimizer.zero_grad()
        value = loss(model, *batch(step))
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        losses.append(value.item())
    return model.state_dict(), losses


def shared(strategy: Any, batches: Callable[[int], tuple[Tensor, ...]] = batch) -> Any:
    return parallel(
        build, loss=loss, batch=batches, steps=STEPS, optimizer=ADAMW, strategy=strategy, schedule=warm, clip=0.5
    )


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_end_where_one_ends(strategy: str) -> None:
    weights, losses = alone()
    events: list[dict[str, Any]] = []
    token = fit.CONTEXT.set(fit.Context(report=events.append))
    try:
        found = shared(strategy)
    finally:
        fit.CONTEXT.reset(token)
    assert found.weights.keys() == weights.keys()
    for name, value in weights.items():
        torch.testing.assert_close(found.weights[name], value, rtol=1e-4, atol=1e-5)
        assert not torch.equal(value, build().state_dict()[name])
    torch.testing.assert_close(found.losses, torch.tensor(losses), rtol=1e-5, atol=1e-6)
    assert (events[-1]["step"], events[-1]["steps"], events[-1]["fit"]) == (STEPS, STEPS, 1)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_process_dies_and_the_training_goes_on_where_it_was(strategy: str, tmp_path: Path) -> None:
    context = {"checkpoint_dir": tmp_path / "kept", "checkpoint_every": 0.0}
    batches = functools.partial(dies, file=str(tmp_path / "died"))
    token = fit.CONTEXT.set(fit.Context(**context))
    try:
        with pytest.raises(RuntimeError, match="of the training"):
            shared(strategy, batches)
        kept = torch.load(tmp_path / "kept/parallel-1.pt", weights_only=True)
        assert (len(kept["losses"]), kept["finished"]) == (4, False)
        fit.CONTEXT.set(fit.Context(**context))
        found = shared(strategy, batches)
        fit.CONTEXT.set(fit.Context(**context))
        again = shared(strategy, odd)  # finished: nothing is trained, not even looked at
    finally:
        fit.CONTEXT.reset(token)
    weights, losses = alone()
    for name, value in weights.items():
        torch.testing.assert_close(found.weights[name], value, rtol=1e-4, atol=1e-5)
        assert torch.equal(again.weights[name], found.weights[name])
    torch.testing.assert_close(found.losses, torch.tensor(losses), rtol=1e-5, atol=1e-6)


def test_a_batch_that_cannot_be_shared_equally_is_named() -> None:
    with pytest.raises(RuntimeError, match="7 rows cannot be shared equally by 2 processes"):
        shared("ddp", odd)


def test_bad_words_are_named() -> None:
    with pytest.raises(ValueError, match='strategy= is "ddp" or "fsdp"'):
        shared("magic")
