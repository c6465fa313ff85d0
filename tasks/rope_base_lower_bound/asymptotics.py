"""Experiment "asymptotics": the integral that the sum tends to as the head grows, and how slowly.

f_b(m) 2/d -> integral over u from 0 to 1 of cos(m b^-u) du = (Ci(m) - Ci(m/b)) / ln b, whose sum is a left Riemann sum.
"""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.special import sici

from suite.blocks.positions.rope import cosine_sum, frequencies
from suite.claims import Experiment, Tier
from suite.figures import Axis, Curves
from suite.seeds import Seed
from tasks.rope_base_lower_bound.sweep import Rotary, infima
from tasks.rope_base_lower_bound.table import X0

BASE = 1e4
NEAR, FAR = (1, 3, 10), (1000, 5000)
WIDTHS = (64, 128, 256, 512, 1024, 2048)  # the order is fitted from 128 on
HEADS = (32, 64, 128, 256, 512, 1024)  # of b*(1024; d)
LENGTH = 1024


def cosine_integral(x: float) -> float:
    """Ci(x) = - integral from x to infinity of cos t / t dt.

    >>> abs(cosine_integral(0.6165054856)) < 1e-9
    True
    """
    return float(sici(x)[1])


def limit(m: float, base: float) -> float:
    """(Ci(m) - Ci(m / b)) / ln b."""
    return (cosine_integral(m) - cosine_integral(m / base)) / math.log(base)


def error(m: int, width: int) -> float:
    """|f_b(m) 2/d - limit|."""
    f = float(cosine_sum(torch.tensor(m), frequencies(width, BASE)))
    return abs(2 * f / width - limit(m, BASE))


def zero_of_ci() -> float:
    """The first zero of Ci, by bisection: Ci rises from - infinity at 0 to its greatest value at pi / 2."""
    low, high = 0.1, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if cosine_integral(middle) > 0 else (middle, high)
    return middle


def measure(seeds: list[Seed], tier: Tier) -> dict[str, list[Any]]:
    """Observed order at small distances, the errors at large ones, b*(1024) for growing heads, and the zero of Ci."""
    errors = [[error(m, width) for width in WIDTHS] for m in (*NEAR, *FAR)]
    orders = [-float(np.polyfit(np.log(WIDTHS[1:]), np.log(row[1:]), 1)[0]) for row in errors[: len(NEAR)]]
    proofs = [infima(Rotary(width), (LENGTH,)) for width in HEADS]
    bases = [proof.brackets[0].low for proof in proofs]
    excess = [base - LENGTH / X0 for base in bases]
    found: dict[str, Any] = {
        "orders": orders,
        "width": list(WIDTHS),
        "errors": errors,
        "far_errors": [max(pair) for pair in zip(*errors[len(NEAR) :], strict=True)],
        "head": list(HEADS),
        "base": bases,
        "limit": [LENGTH / X0] * len(HEADS),
        "holes": sum(proof.holes for proof in proofs),
        "step_down": [b / a for a, b in pairwise(bases)],
        "excess": excess,
        "excess_step_down": [b / a for a, b in pairwise(excess)],
        "ci_at_x0": abs(cosine_integral(X0)),
        "x0": zero_of_ci(),
        "printed_x0": round(zero_of_ci(), 4),
    }
    return {name: [value] * len(seeds) for name, value in found.items()}


EXPERIMENT = Experiment(
    name="asymptotics",
    measure=measure,
    tiers={"smoke": Tier(seeds=1), "cpu": Tier(seeds=1), "gpu": Tier(seeds=1)},
)

# --- Figures --------------------------------------------------------------------------------------

FIGURES = (
    Curves(
        title="Towards the limit of wide heads",
        caption="b*(1024) against the width of the head, and the limit 1024 / x0.",
        experiment="asymptotics",
        y="base",
        x="head",
        x_axis=Axis("numbers of a head", log=True),
        y_axis=Axis("base", log=True),
        reference="limit",
        reference_label="L / x0",
        small=True,
    ),
    Curves(
        title="The sum against the integral",
        caption="|f_b(m) 2/d - (Ci(m) - Ci(m/b)) / ln b| at b = 10 000: of order 1/d near by, of no order far away.",
        experiment="asymptotics",
        y="errors",
        x="width",
        labels=tuple(f"m = {m}" for m in (*NEAR, *FAR)),
        x_axis=Axis("numbers of a head", log=True),
        y_axis=Axis("error", log=True),
    ),
)
