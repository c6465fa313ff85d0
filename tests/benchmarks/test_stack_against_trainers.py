"""Many seeds as one stack against one Lightning Trainer per seed, on the same work in the same run.

The limit is the time that the step's bare matrix products take at these very shapes, plus the optimizer's bytes (seven
numbers a weight) at the measured copy bandwidth.
"""

import itertools
import os
import shutil
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from suite import fit
from suite.blocks.losses.cross_entropy import cross_entropy
from suite.blocks.models.mlp import mlp
from suite.blocks.models.transformer import transformer
from suite.blocks.optim import adamw
from suite.learner import keep_memory
from suite.seeds import Seed
from suite.stack import Group
from tests.benchmarks import plain
from tests.benchmarks.ratios import copy_bandwidth, interleave, note, product_seconds

SIZES, VOCAB, DEPTH, BATCHES = [64, 64, 64, 10], 96, 2, 16


def streams(models: int) -> list[torch.Generator]:
    return [Seed("bench/r1", "verdict", number).stream("weights") for number in range(models)]


def stacked(model: Any, x: Tensor, y: Tensor, steps: int, compiled: bool = False) -> Callable[[], float]:
    """Seconds per step of the whole stack; what compiling takes is not among them."""

    def loss(model: Any, x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(model(x), y)

    def run() -> float:
        started = time.perf_counter()
        fit.fit(
            model,
            loss=loss,
            compiled=compiled,
            batch=lambda step: (x[step % BATCHES], y[step % BATCHES]),
            steps=steps,
            optimizer=Group(adamw.Rule(), lr=1e-3, decay=0.01),
        )
        return (time.perf_counter() - started) / steps

    return run


def single(model: Any, x: Tensor, y: Tensor, steps: int) -> Callable[[], float]:
    """Seconds per step of one seed."""

    def run() -> float:
        started = time.perf_counter()
        plain.train(model, lambda step: (x[step % BATCHES, 0], y[step % BATCHES, 0]), steps)
        return (time.perf_counter() - started) / steps

    return run


def compare(
    benchmark: Any,
    what: str,
    models: int,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    shapes: list[tuple[int, int, int]],
    weights: int,
    target: float,
    floor: float,
) -> None:
    keep_memory()
    stack, alone = interleave(benchmark, ours, theirs, rounds=4)
    products, flop = product_seconds(models, shapes)
    moved = 28 * models * weights / copy_bandwidth()
    note(
        benchmark,
        what,
        f"{models} Trainers of {1e3 * alone:.2f} ms a step / one stack of {1e3 * stack:.2f} ms",
        models * alone / stack,
        target=target,
        floor=floor,
        limit=models * alone / (products + moved),
        more=f"matrix products {1e3 * products:.2f} ms at {flop / products / 1e9:.0f} GFLOP/s, "
        f"optimizer's bytes {1e3 * moved:.2f} ms; the stack runs at {flop / stack / 1e9:.0f} GFLOP/s",
    )


@pytest.mark.parametrize(("batch", "target", "floor"), [(8, 60, 50), (64, 20, 16), (512, 5, 4.2)])
def test_48_digit_classifiers(benchmark: Any, batch: int, target: float, floor: float) -> None:
    models, steps = 48, max(40, 2400 // batch)
    x = torch.randn(BATCHES, models, batch, SIZES[0])
    y = torch.randint(SIZES[-1], (BATCHES, models, batch))
    alone = plain.perceptron(SIZES)
    compare(
        benchmark,
        f"48 MLPs 64-64-64-10, batch {batch}",
        models,
        stacked(mlp(SIZES, streams(models)), x, y, steps),
        single(alone, x, y, steps),
        [(batch, i, o) for i, o in itertools.pairwise(SIZES)],
        plain.parameters(alone),
        target,
        floor,
    )


@pytest.mark.parametrize(
    ("models", "width", "length", "batch", "target", "floor", "compiled"),
    [
        (32, 32, 32, 4, 6, 4.2, False),
        (32, 32, 32, 4, 6, 4.2, True),
        (32, 32, 32, 16, 3.5, 2.3, False),
        (32, 32, 32, 16, 3.5, 2.3, True),
        (8, 64, 64, 16, 1.5, 1.2, False),
        (8, 64, 64, 16, 1.5, 1.2, True),
        (8, 128, 64, 16, 1.2, 1.15, False),
        (8, 128, 64, 16, 1.2, 1.15, True),
        (8, 64, 64, 64, 1, 1, False),
        (8, 48, 96, 24, 1, 1, False),
    ],
)
def test_transformers(
    benchmark: Any, models: int, width: int, length: int, batch: int, target: float, floor: float, compiled: bool
) -> None:
    if compiled and shutil.which(os.environ.get("CXX", "g++")) is None:
        pytest.skip("compiling needs a C++ compiler")
    heads = max(2, width // 16)
    steps = max(4, round(1e6 / (models * batch * length * width / 8)))
    tokens = torch.randint(VOCAB, (BATCHES, models, batch, length + 1))
    x, y = tokens[..., :-1].contiguous(), tokens[..., 1:].contiguous()
    alone = plain.Transformer(VOCAB, width, DEPTH, heads, length)
    layer = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
    ours = stacked(transformer(VOCAB, width, DEPTH, heads, length, streams(models)), x, y, steps, compiled)
    if compiled:
        ours()
    compare(
        benchmark,
        f"{models} transformers d={width} T={length}, batch {batch}" + (", compiled" if compiled else ""),
        models,
        ours,
        single(alone, x, y, steps),
        [(batch * length, i, o) for i, o in [*layer * DEPTH, (width, VOCAB)]],
        plain.parameters(alone),
        target,
        floor,
    )
