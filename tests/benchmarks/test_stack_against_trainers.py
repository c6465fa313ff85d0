"""Many seeds as one stack against one Lightning Trainer per seed, on the same work in the same run.

Each size is run as pages run it, and as fast as it goes, with what a C++ compiler can do; both rows have the target.

The limit is the time that the step's bare matrix products take at these very shapes, plus the optimizer's bytes (seven
numbers a weight) at the measured copy bandwidth.  A native step calls no products of torch and keeps gradients to
itself: there it is the step's FLOP at the best measured rate of products, plus six numbers a weight at the rate at
which as much memory is copied.
"""

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from suite import fit
from suite.blocks.losses.cross_entropy import cross_entropy
from suite.blocks.models import native_mlp
from suite.blocks.models.mlp import mlp
from suite.blocks.models.transformer import transformer
from suite.blocks.optim import adamw
from suite.learner import keep_memory
from suite.seeds import Seed
from suite.stack import Group
from tests.benchmarks import plain
from tests.benchmarks.ratios import (
    copy_bandwidth,
    interleave,
    matrix_rate,
    note,
    operations,
    product_seconds,
)
from tests.compiler import needs_a_compiler

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


def native(model: Any, x: Tensor, y: Tensor, steps: int) -> Callable[[], float]:
    """Seconds per step of the whole stack, each step one native call."""
    training = native_mlp.Training(model, lr=1e-3, decay=0.01)

    def run() -> float:
        started = time.perf_counter()
        fit.drive(lambda step: training.step(x[step % BATCHES], y[step % BATCHES]), training, steps=steps)
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
    least: Callable[[], tuple[float, str]],
    flop: float,
    target: float,
    floor: float,
    rounds: int = 4,
) -> None:
    keep_memory()
    stack, alone = interleave(benchmark, ours, theirs, rounds=rounds)
    seconds, of_what = least()
    note(
        benchmark,
        what,
        f"{models} Trainers of {1e3 * alone:.2f} ms a step / one stack of {1e3 * stack:.2f} ms",
        models * alone / stack,
        target=target,
        floor=floor,
        limit=models * alone / seconds,
        more=f"{of_what}; the stack runs at {flop / stack / 1e9:.0f} GFLOP/s",
    )


def by_products(models: int, shapes: list[tuple[int, int, int]], weights: int) -> tuple[float, str]:
    """The least seconds of a step that is made of torch's products."""
    products, flop = product_seconds(models, shapes)
    moved = 28 * models * weights / copy_bandwidth()
    return products + moved, (
        f"matrix products {1e3 * products:.2f} ms at {flop / products / 1e9:.0f} GFLOP/s, "
        f"optimizer's bytes {1e3 * moved:.2f} ms"
    )


def by_arithmetic(models: int, shapes: list[tuple[int, int, int]], weights: int) -> tuple[float, str]:
    """The least seconds of a step that is free to do its products as it likes."""
    numbers, rate = 3 * models * weights, matrix_rate()
    products, moved = operations(models, shapes) / rate, 8 * numbers / copy_bandwidth(numbers // 2)
    return products + moved, (
        f"FLOP {1e3 * products:.2f} ms at {rate / 1e9:.0f} GFLOP/s, weights and moments {1e3 * moved:.2f} ms"
    )


@pytest.mark.parametrize(("batch", "target", "floor"), [(8, 60, 50), (64, 20, 16), (512, 5, 4.2)])
def test_48_digit_classifiers(benchmark: Any, batch: int, target: float, floor: float) -> None:
    classifiers(benchmark, batch, target, floor, stacked, by_products, "")


@needs_a_compiler
@pytest.mark.parametrize(("batch", "target", "floor"), [(8, 60, 50), (64, 20, 16), (512, 5, 4.2)])
def test_48_digit_classifiers_natively(benchmark: Any, batch: int, target: float, floor: float) -> None:
    classifiers(benchmark, batch, target, floor, native, by_arithmetic, ", native")


def classifiers(benchmark: Any, batch: int, target: float, floor: float, side: Any, least: Any, how: str) -> None:
    models, steps = 48, max(40, 2400 // batch)
    x = torch.randn(BATCHES, models, batch, SIZES[0])
    y = torch.randint(SIZES[-1], (BATCHES, models, batch))
    alone, shapes = plain.perceptron(SIZES), [(batch, i, o) for i, o in itertools.pairwise(SIZES)]
    compare(
        benchmark,
        f"48 MLPs 64-64-64-10, batch {batch}{how}",
        models,
        side(mlp(SIZES, streams(models)), x, y, steps),
        single(alone, x, y, steps),
        lambda: least(models, shapes, plain.parameters(alone)),
        operations(models, shapes),
        target,
        floor,
    )


@pytest.mark.parametrize(
    ("models", "width", "length", "batch", "target", "floor", "compiled"),
    [
        (32, 32, 32, 4, 6, 4.2, False),
        pytest.param(32, 32, 32, 4, 6, 4.2, True, marks=needs_a_compiler),
        (32, 32, 32, 16, 3.5, 2.3, False),
        pytest.param(32, 32, 32, 16, 3.5, 2.3, True, marks=needs_a_compiler),
        (8, 64, 64, 16, 1.5, 1.2, False),
        pytest.param(8, 64, 64, 16, 1.5, 1.2, True, marks=needs_a_compiler),
        (8, 128, 64, 16, 1.2, 1.15, False),
        pytest.param(8, 128, 64, 16, 1.2, 1.15, True, marks=needs_a_compiler),
        (8, 64, 64, 64, 1, 1, False),
        (8, 48, 96, 24, 1, 1, False),
    ],
)
def test_transformers(
    benchmark: Any, models: int, width: int, length: int, batch: int, target: float, floor: float, compiled: bool
) -> None:
    heads = max(2, width // 16)
    steps = max(4, round(1e6 / (models * batch * length * width / 8)))
    tokens = torch.randint(VOCAB, (BATCHES, models, batch, length + 1))
    x, y = tokens[..., :-1].contiguous(), tokens[..., 1:].contiguous()
    alone = plain.Transformer(VOCAB, width, DEPTH, heads, length)
    layer = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
    ours = stacked(transformer(VOCAB, width, DEPTH, heads, length, streams(models)), x, y, steps, compiled)
    if compiled:
        ours()
    shapes = [(batch * length, i, o) for i, o in [*layer * DEPTH, (width, VOCAB)]]
    compare(
        benchmark,
        f"{models} transformers d={width} T={length}, batch {batch}" + (", compiled" if compiled else ""),
        models,
        ours,
        single(alone, x, y, steps),
        lambda: by_products(models, shapes, plain.parameters(alone)),
        operations(models, shapes),
        target,
        floor,
        rounds=8 if width == 128 else 4,
    )
