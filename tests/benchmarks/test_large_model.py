"""The GPU tier's loop: bf16, compiled, data on the device, against the machine's own rate of matrix products.

Without a GPU the same code runs on a tiny model, so that it stays alive; its number then says nothing about a GPU.
"""

import itertools
import time
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from suite.blocks.losses.cross_entropy import cross_entropy
from suite.blocks.metrics.step_seconds import settle
from suite.blocks.models.transformer import transformer
from suite.blocks.optim import adamw
from suite.fit import CONTEXT, Context, fit
from suite.seeds import Seed
from suite.stack import Group
from tests.benchmarks.ratios import matrix_rate, note
from tests.compiler import needs_a_compiler

ON_GPU = torch.cuda.is_available()
# vocabulary, width, depth, heads, context, batch, side of the square matrices that set the rate
SIZE = (50_304, 768, 12, 12, 1024, 16, 8192) if ON_GPU else (96, 32, 2, 2, 32, 2, 256)
STEPS = 30 if ON_GPU else 8


def loss(model: nn.Module, text: torch.Tensor) -> torch.Tensor:
    return cross_entropy(model(text[..., :-1]), text[..., 1:])


def test_share_of_the_matrix_rate(benchmark: Any) -> None:
    """FLOP are counted from the operations of an eager step, attention included, its causal half not deducted."""
    if not ON_GPU:
        pytest.importorskip("torch._inductor")
    vocab, width, depth, heads, context, batch, side = SIZE
    place = "cuda" if ON_GPU else "cpu"
    model = transformer(vocab, width, depth, heads, context, [Seed("bench/r1", "verdict", 0).stream("weights")])
    text = torch.randint(vocab, (4, 1, batch, context + 1)).to(place)
    model.to(place)
    with FlopCounterMode(display=False) as counter, torch.autocast(place, dtype=torch.bfloat16):
        loss(model, text[0]).sum().backward()
    model.zero_grad()
    marks: list[float] = []

    def data(step: int) -> tuple[torch.Tensor]:
        if step % 10 == 0 or not ON_GPU:
            if ON_GPU:
                torch.cuda.synchronize()
            marks.append(time.perf_counter())
        return (text[step % 4],)

    def train() -> None:
        token = CONTEXT.set(Context(device=place))
        try:
            fit(
                model,
                loss=loss,
                batch=data,
                steps=STEPS + 1,
                optimizer=Group(adamw.Rule(), lr=1e-4, decay=0.1),
                clip=1.0,
                precision="bf16",
                compiled=ON_GPU,
            )
        finally:
            CONTEXT.reset(token)

    benchmark.pedantic(train, rounds=1, iterations=1)
    per_step = min(b - a for a, b in itertools.pairwise(marks[1:])) / (10 if ON_GPU else 1)
    rate = matrix_rate(side, torch.bfloat16, place)
    achieved = counter.get_total_flops() / per_step
    note(
        benchmark,
        "GPT-2 small, bf16, compiled" if ON_GPU else "the GPU tier's loop, tiny, on the CPU",
        f"{achieved / 1e12:.3g} TFLOP/s in {1e3 * per_step:.1f} ms a step / {rate / 1e12:.3g} TFLOP/s in products",
        achieved / rate,
        target=0.4 if ON_GPU else 0.0,
        limit=1.0,
    )


@pytest.mark.parametrize("compiled", [False, pytest.param("graphs", marks=needs_a_compiler)])
def test_64_transformers_on_a_gpu(benchmark: Any, compiled: Any) -> None:
    """A stack against one model alone, as a page would train it: how many times one it costs to train 64."""
    many, warm, steps, place = (64, 50, 200, "cuda") if ON_GPU else (3, 2, 2, "cpu")
    found: dict[int, float] = {}
    stacks = {
        models: transformer(96, 64, 2, 4, 64, [Seed("bench/r1", "verdict", n).stream("weights") for n in range(models)])
        for models in (many, 1)
    }

    def run(models: int, compiled: Any) -> float:
        """Seconds a step, compiling and recording left out."""
        text = torch.randint(96, (models, 16, 65)).to(place)
        token, started = CONTEXT.set(Context(device=place)), 0.0

        def batch(step: int) -> tuple[torch.Tensor]:
            nonlocal started
            if step == warm:
                settle(text.device)
                started = time.perf_counter()
            return (text,)

        try:
            fit(
                stacks[models],
                loss=loss,
                batch=batch,
                steps=warm + steps,
                optimizer=Group(adamw.Rule(), lr=1e-3),
                precision="bf16",
                compiled=compiled,
            )
            settle(text.device)
            return (time.perf_counter() - started) / steps
        finally:
            CONTEXT.reset(token)

    def both() -> None:
        for models, how in ((many, compiled), (1, False)):
            found[models] = min(found.get(models, float("inf")), run(models, how))

    benchmark.pedantic(both, rounds=3, iterations=1)
    what = f"{many} transformers d=64 on {'a GPU' if ON_GPU else 'the CPU, tiny'}"
    note(
        benchmark,
        what + (", compiled" if compiled else ""),
        f"{many} alone of {1e3 * found[1]:.2f} ms a step / one stack of {1e3 * found[many]:.2f} ms",
        many * found[1] / found[many],
        target=30 if ON_GPU else 0,
        limit=many,
    )
