"""The Lightning-driven stack against a bare loop over the same stack, at about 5 ms a step."""

import time
from typing import Any

import torch

from suite import fit
from suite.blocks.losses.cross_entropy import cross_entropy
from suite.blocks.models.mlp import mlp
from suite.blocks.optim import adamw
from suite.learner import keep_memory
from suite.seeds import Seed
from suite.stack import Group, StackOptimizer
from tests.benchmarks.ratios import interleave, note

MODELS, BATCH, STEPS = 48, 96, 100
GROUP = Group(adamw.Rule(), lr=1e-3, decay=0.01)


def test_overhead_over_a_bare_loop(benchmark: Any) -> None:
    x, y = torch.randn(MODELS, BATCH, 64), torch.randint(10, (MODELS, BATCH))

    def model() -> Any:
        return mlp([64, 64, 64, 10], [Seed("bench/r1", "verdict", n).stream("weights") for n in range(MODELS)])

    def bare() -> float:
        stack = model()
        optimizer = StackOptimizer(stack, GROUP)
        started = time.perf_counter()
        for _ in range(STEPS):
            optimizer.zero_grad()
            cross_entropy(stack(x), y).sum().backward()
            optimizer.step()
        return (time.perf_counter() - started) / STEPS

    def driven() -> float:
        stack = model()
        started = time.perf_counter()
        fit.fit(
            stack, loss=lambda m, x, y: cross_entropy(m(x), y), batch=lambda s: (x, y), steps=STEPS, optimizer=GROUP
        )
        return (time.perf_counter() - started) / STEPS

    keep_memory()
    with_trainer, without = interleave(benchmark, driven, bare, rounds=6)
    note(
        benchmark,
        "Lightning's share of a step",
        f"fit {1e3 * with_trainer:.2f} ms a step / bare loop {1e3 * without:.2f} ms",
        with_trainer / without,
        target=1.10,
        limit=1.0,
        less=True,
    )
