"""Experiment "language" (gpu): the same arms on a character model of 25 million weights, N = 512 tested at 8 N.

As in the post there is a plain text, and one whose stretches repeat, so that what came before can be copied.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from suite import fit
from suite.blocks.attention.rotary import Rotary
from suite.blocks.data.distinct import distinct
from suite.blocks.data.draws import windows
from suite.blocks.data.stdlib_text import SYMBOLS, stdlib_text
from suite.blocks.losses.cross_entropy import cross_entropy
from suite.blocks.models.pluggable import Pluggable, pluggable
from suite.blocks.optim import adamw
from suite.blocks.positions.log_scale import log_n as log_scale
from suite.blocks.positions.rope import frequencies
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from suite.stack import Group
from suite.trained import trained
from tasks.length_extrapolation.inference import query_scale, rescaled
from tasks.length_extrapolation.networks import BASE, CLIP, DECAY, linear

RECIPE = ("characters", "length", "width", "depth", "heads", "batch", "steps", "precision")


def network(seeds: Sequence[Seed], width: int, depth: int, heads: int) -> Pluggable:
    return pluggable(len(SYMBOLS), width, depth, heads, [seed.stream("weights") for seed in seeds])


def train(
    seeds: Sequence[Seed],
    *,
    characters: int,
    length: int,
    width: int,
    depth: int,
    heads: int,
    batch: int,
    steps: int,
    precision: str,
    log_n: bool,
) -> Pluggable:
    text = stdlib_text(characters).train
    attention = [Rotary(frequencies(width // heads, BASE), log_scale(length) if log_n else None)] * depth

    def drawn(step: int) -> tuple[Tensor]:
        last = len(text) - length
        starts = [torch.randint(last, (batch,), generator=seed.stream(f"batch {step}")) for seed in seeds]
        return (windows(text, torch.stack(starts), length + 1),)

    model = network(seeds, width, depth, heads)
    fit.fit(
        model,
        loss=lambda net, part: cross_entropy(net(part[..., :-1], attention), part[..., 1:]),
        batch=drawn,
        steps=steps,
        optimizer=Group(adamw.Rule(betas=(0.9, 0.95)), lr=1e-3, decay=DECAY),
        schedule=lambda step: linear(steps, 200, step),
        clip=CLIP,
        precision="bf16" if precision == "bf16" else "fp32",
    )
    return model


def texts(seeds: Sequence[Seed], part: Tensor, number: int, length: int, period: int) -> tuple[Tensor, Tensor]:
    """Plain windows [R, number, length + 1], and windows whose first ``period`` characters repeat."""
    last = len(part) - length
    starts = [torch.randint(last, (number,), generator=seed.stream("test")) for seed in seeds]
    plain = windows(part, torch.stack(starts), length + 1)
    return plain, plain[..., torch.arange(length + 1) % period]


def measure(
    seeds: Sequence[Seed],
    tier: Tier,
    *,
    log_n: bool,
    method: Sequence[str],
    scale: Sequence[str],
    shape: Sequence[float],
) -> Mapping[str, Any]:
    """Share of characters guessed right: plain and repeating text of ``factor`` N, and plain text of N ("short")."""
    different, rows = distinct(seeds)
    text = stdlib_text(tier["characters"])
    fit.uses("standard library", text.sha256)
    state = trained("characters/r1", train, different, {name: tier[name] for name in RECIPE} | {"log_n": log_n})
    model = network(different, tier["width"], tier["depth"], tier["heads"])
    model.load_state_dict(state)
    model.eval().requires_grad_(False).to(fit.device())
    length, factor, depth = tier["length"], tier["factor"], tier["depth"]
    theta = frequencies(tier["width"] // tier["heads"], BASE)
    plain, repeating = texts(different, text.test, tier["windows"], factor * length, tier["period"])

    def accuracy(attention: Rotary, part: Tensor) -> Tensor:
        hits = []
        for window in range(part.shape[1]):
            one = part[:, window : window + 1].to(fit.device())
            right = model(one[..., :-1], [attention] * depth).argmax(-1) == one[..., 1:]
            hits.append(right.double().mean((1, 2)).cpu())
        return torch.stack(hits).mean(0)

    found = {}
    for how in dict.fromkeys(zip(method, scale, shape, strict=True)):
        window = length if how[0] == "window" else None
        attention = Rotary(
            rescaled(how[0], how[2], theta, factor, length), query_scale(how[1], log_n, length, factor), window
        )
        found[how] = {
            "plain": accuracy(attention, plain),
            "repeating": accuracy(attention, repeating),
            "short": accuracy(Rotary(theta, query_scale("own", log_n, length, factor)), plain[..., : length + 1]),
        }
    entries = [
        {name: column[row] for name, column in found[how].items()}
        for how, row in zip(zip(method, scale, shape, strict=True), rows, strict=True)
    ]
    return {name: torch.stack([entry[name] for entry in entries]) for name in entries[0]}


def arm(name: str, method: str, scale: str = "own", log_n: bool = False, shape: float = 0.0) -> Arm:
    return Arm(name, fixed={"log_n": log_n, "method": method, "scale": scale, "shape": shape})


EXPERIMENT = Experiment(
    name="language",
    measure=measure,
    arms=(
        *(arm(method, method) for method in ("RoPE", "PI", "NTK-old", "NTK-fixed", "window")),
        arm("NTK-mixed", "NTK-mixed", shape=0.625),
        arm("YaRN", "YaRN", shape=32.0),
        *(arm(f"{method}, log n†", method, "dagger") for method in ("RoPE", "NTK-fixed")),
        *(arm(f"{method}, log n", method, log_n=True) for method in ("RoPE", "NTK-fixed")),
    ),
    columns=("method", "scale", "shape"),
    tiers={
        "gpu": Tier(
            seeds=4,
            at_most=8,
            stack=44,
            sizes={"characters": 4_000_000, "length": 512, "width": 512, "depth": 8, "heads": 8, "batch": 16,
                   "steps": 1500, "factor": 8, "windows": 8, "period": 1024, "precision": "bf16"},
        )
    },
)  # fmt: skip
