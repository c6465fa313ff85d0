"""Experiment "interpolation": positions divided by k stretch the range without a negative value k-fold.

The whole distances 0, 1, 2, ... sample f at every k-th point of a grid k times as fine, so that the range to be
stretched is that of f at real distances t, up to its first zero t0.
"""

import math
from typing import Any

import torch

from suite.blocks.positions.rope import cosine_sum, frequencies
from suite.claims import Experiment, Tier
from suite.figures import Table
from suite.seeds import Seed

WIDTH = 128
BASES = (1e4, 1e5, 5e5)
FACTORS = (2, 4, 8)


def first_zero(base: float) -> float:
    """t0 = min {t > 0: f_b(t) = 0}, to 1e-9; that there is none before is proved by steps, each as long as

    f(t) - |f'(t)| h - h^2/2 sum_i theta_i^2 > 0   allows.
    """
    theta = frequencies(WIDTH, base)
    bend, t = float(theta.square().sum()), 0.0
    while True:
        phase = t * theta
        f, slope = float(phase.cos().sum()) - 1e-10, -float(phase.sin() @ theta)
        h = (slope + math.sqrt(slope * slope + 2 * bend * f)) / bend if f > 0 else 0.0
        if h < 1e-9:
            return t
        t += h * (1 - 1e-9)


def first_negative(base: float, factor: int = 1) -> int:
    """The smallest whole m with f_b(m / factor) < 0: the longest context that the base supports.

    >>> first_negative(1e4)
    1707
    """
    theta, start = frequencies(WIDTH, base), 0
    while True:
        m = torch.arange(start, start + 8192)
        below = torch.nonzero(cosine_sum(m / factor, theta) < 0)
        if len(below):
            return start + int(below[0])
        start += 8192


def measure(seeds: list[Seed], tier: Tier) -> dict[str, list[Any]]:
    """t0 and the first negative whole distances of each base, plain and with positions divided by 2, 4 and 8."""
    zeros = [first_zero(base) for base in BASES]
    first = {k: [first_negative(base, k) for base in BASES] for k in (1, *FACTORS)}
    pairs = [(k, m, t) for k in FACTORS for m, t in zip(first[k], zeros, strict=True)]
    found: dict[str, Any] = {
        "base": list(BASES),
        "zero": zeros,
        **{f"first_{k}": ms for k, ms in first.items()},
        "lead": [m - k * t for k, m, t in pairs],
        "ratio": [m / (k * t) for k, m, t in pairs],
        "supported_5e5": first[1][BASES.index(5e5)],
    }
    return {name: [value] * len(seeds) for name, value in found.items()}


EXPERIMENT = Experiment(
    name="interpolation",
    measure=measure,
    tiers={"smoke": Tier(seeds=1), "cpu": Tier(seeds=1), "gpu": Tier(seeds=1)},
)

# --- Figures --------------------------------------------------------------------------------------

FIGURES = (
    Table(
        title="Bases and the contexts that they serve",
        caption="First zero of f at real distances, and the first negative whole distance, plain and with positions "
        "divided by k.",
        experiment="interpolation",
        columns=(
            ("base", "base"),
            ("zero", "t0"),
            *((f"first_{k}", f"k = {k}") for k in (1, *FACTORS)),
        ),
        digits=8,
    ),
)
