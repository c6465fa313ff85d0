"""Experiment "step-time": what training with inverse Leaky ReRoPE costs (c10).

Whole training steps of one small transformer, forward and backward.  Like for like: attention from two score matrices
against attention from one, both written out; then what one would use today: the blockwise form against torch's fused
attention.  All take turns within every round, in an order drawn anew; judged are ratios of medians of one block.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from suite import fit
from suite.blocks.attention.blockwise import Blockwise
from suite.blocks.attention.protocol import Attention
from suite.blocks.attention.rotary import Rotary
from suite.blocks.attention.two_step import TwoStep, hidden
from suite.blocks.metrics.step_seconds import turns
from suite.blocks.models.pluggable import pluggable
from suite.blocks.positions.rope import frequencies, rotate
from suite.claims import Experiment, Tier
from suite.seeds import Seed

VOCABULARY, STEP = 128, 16.0
WARM_UPS = 2


def one_matrix(theta: Tensor) -> Attention:
    """RoPE from one score matrix, written out as ``TwoStep`` is."""

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        place = torch.arange(q.shape[-2], dtype=torch.float64)
        a = rotate(q * q.shape[-1] ** -0.5, place, theta) @ rotate(k, place, theta).mT
        return a.masked_fill_(hidden(q.shape[-2], q.device), -torch.inf).softmax(-1) @ v

    return attend


def contestants(length: int, tier: Tier, seed: Seed) -> dict[str, Callable[[], None]]:
    """A training step of each, on the same weights and tokens."""
    width, heads, depth = tier["width"], tier["heads"], tier["depth"]
    theta = frequencies(width // heads, 10_000.0)
    model = pluggable(VOCABULARY, width, depth, heads, [seed.stream("weights")]).to(fit.device())
    number = max(1, tier["tokens"] // length)
    tokens = torch.randint(VOCABULARY, (1, number, length), generator=seed.stream("tokens")).to(fit.device())
    window, k = length // 4, 1 / STEP
    forms: dict[str, Attention] = {
        "one_matrix": one_matrix(theta),
        "two_matrices": TwoStep(frequencies=theta, window=window, k=k),
        "fused": Rotary(theta),
        "blockwise": Blockwise(frequencies=theta, window=window, k=k),
    }

    def step(attention: Attention) -> Callable[[], None]:
        def run() -> None:
            model.zero_grad()
            model(tokens, [attention] * depth).square().mean().backward()

        return run

    return {name: step(attention) for name, attention in forms.items()}


def measure(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Sequence[Any]]:
    """One block per seed; every metric has one entry per length."""
    found: dict[str, list[Any]] = {"written_out": [[] for _ in seeds], "in_use": [[] for _ in seeds]}
    for length in tier["lengths"]:
        for row, seed in enumerate(seeds):
            steps = contestants(length, tier, seed)
            for run in steps.values():
                for _ in range(WARM_UPS):
                    run()
            seconds = turns(steps, seed.stream("order"), fit.device(), tier["rounds"])
            found["written_out"][row].append(seconds["two_matrices"] / seconds["one_matrix"])
            found["in_use"][row].append(seconds["blockwise"] / seconds["fused"])
    return found


_SMALL = {"width": 64, "heads": 2, "depth": 2}
EXPERIMENT = Experiment(
    name="step-time",
    measure=measure,
    timed=True,
    tiers={
        "smoke": Tier(seeds=2, sizes={**_SMALL, "lengths": (32, 64), "tokens": 256, "rounds": 2}),
        "cpu": Tier(seeds=8, sizes={**_SMALL, "lengths": (64, 512), "tokens": 2048, "rounds": 3}),
        "gpu": Tier(
            seeds=8,
            sizes={"width": 768, "heads": 12, "depth": 6, "lengths": (512, 4096), "tokens": 16_384, "rounds": 7},
        ),
    },
)
