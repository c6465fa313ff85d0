"""Seconds and peak memory of ReRoPE, each score computed once against two whole score matrices, within one run.

Compare ratios, never seconds of different machines.  ``memory_ratio`` is what the allocator held at most beyond the
inputs, blockwise over two matrices; forward and backward.
"""

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from suite.blocks.attention.blockwise import Blockwise
from suite.blocks.attention.protocol import Attention
from suite.blocks.attention.two_step import TwoStep
from suite.blocks.positions.rope import frequencies
from suite.seeds import Seed

WIDTH, HEADS, WINDOW = 32, 2, 64
THETA = frequencies(WIDTH, 10_000.0)
FORMS: dict[str, Attention] = {
    "two matrices": TwoStep(frequencies=THETA, window=WINDOW),
    "blockwise": Blockwise(frequencies=THETA, window=WINDOW),
}


def step(form: Attention, length: int, learning: bool) -> Callable[[], None]:
    stream = Seed("benchmarks/r1", "verdict", 0).stream("heads")
    q, k, v = torch.randn(3, 4, HEADS, length, WIDTH, generator=stream)

    def run() -> None:
        if not learning:
            with torch.no_grad():
                form(q, k, v)
            return
        inputs = [t.detach().requires_grad_() for t in (q, k, v)]
        torch.autograd.grad(form(*inputs).sum(), inputs)

    return run


def seconds(run: Callable[[], None], rounds: int = 3) -> float:
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        taken.append(time.perf_counter() - started)
    return min(taken)


def peak(run: Callable[[], None]) -> int:
    """The most bytes allocated at once while ``run`` lasts."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        run()
    held = most = 0
    for event in recorded.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


@pytest.mark.parametrize("learning", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("length", [512, 2048])
def test_blockwise_against_two_matrices(benchmark: Any, length: int, learning: bool) -> None:
    ours, theirs = (step(FORMS[name], length, learning) for name in ("blockwise", "two matrices"))
    ours(), theirs()
    benchmark.extra_info["time_ratio"] = seconds(ours) / seconds(theirs)
    benchmark.extra_info["memory_ratio"] = peak(ours) / peak(theirs)
    benchmark.pedantic(ours, rounds=3)
    assert benchmark.extra_info["memory_ratio"] < 0.5
    assert length < 2048 or benchmark.extra_info["time_ratio"] < 1
