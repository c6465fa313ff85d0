"""Experiment "lengths": accuracy from N to 32 N (c6).  With finite k some distance leaves the trained range: beyond
L = w + 1 + k (N - w) tokens Leaky ReRoPE should break, ReRoPE never.

Networks that were trained with log n, so that attention does not blur with length and positions alone can fail.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from suite.blocks.attention.two_step import reach
from suite.claims import Arm, Experiment, Tier, Winner
from suite.seeds import Seed
from tasks.rerope.eightfold import named
from tasks.rerope.networks import SIZES, examined, row_by_row, stack, treated, window_of

TIMES = (1, 2, 4, 8, 16, 32)
QUARTER = 1 / 4  # of N: the window of both
FINITE = {"Leaky 8": 8.0, "Leaky 16": 16.0}
MARGIN = 2  # lengths within this factor of the reach are on neither side


def sides(length: int, k: float) -> tuple[list[int], list[int]]:
    """Multiples of N well inside the reach of k, and well beyond it.

    >>> sides(64, 8.0), sides(64, 16.0)
    (([2], [16, 32]), ([2, 4], [32]))
    """
    limit = reach(length, window_of(QUARTER, length), k) / length
    inside = [times for times in TIMES[1:] if times * MARGIN <= limit]
    return inside, [times for times in TIMES if times >= MARGIN * limit]


def measure(
    seeds: Sequence[Seed], tier: Tier, *, method: Sequence[str], scale: Sequence[str], knob: Sequence[float]
) -> Mapping[str, Sequence[Any]]:
    """``mean``, ``recall`` and ``local`` over TIMES; what is lost against N inside and beyond the reach of each k."""

    def one(some: list[Seed], setting: tuple[str, str, float]) -> dict[str, Tensor]:
        name, by, value = setting
        model = stack(some, tier, by)
        answers = [examined(model, treated(name, value, by, tier, times), some, tier, times) for times in TIMES]
        found = {metric: torch.stack([a[metric] for a in answers], 1) for metric in ("mean", "recall", "local")}
        lost = {times: found["mean"][:, 0] - found["mean"][:, i] for i, times in enumerate(TIMES)}
        for other, k in FINITE.items():
            inside, beyond = sides(tier["length"], k)
            digits = other.removeprefix("Leaky ")
            found[f"lost_inside_{digits}"] = torch.stack([lost[times] for times in inside], 1)
            found[f"lost_beyond_{digits}"] = torch.stack([lost[times] for times in beyond], 1)
        return found

    return row_by_row(seeds, list(zip(method, scale, knob, strict=True)), one)


def arm(method: str, knob: float) -> Arm:
    return Arm(method, fixed={"method": method, "scale": "trained", "knob": knob})


EXPERIMENT = Experiment(
    name="lengths",
    measure=measure,
    arms=(
        arm("RoPE", 0.0),
        Arm(
            "NTK-mixed",
            fixed={"scale": "trained"},
            like=Winner(experiment="eightfold", arm=named("NTK-mixed", "test")),
        ),
        arm("Leaky 8", QUARTER),
        arm("Leaky 16", QUARTER),
        arm("ReRoPE", QUARTER),
    ),
    columns=("method", "scale", "knob"),
    tiers={
        "smoke": Tier(seeds=8, sizes={**SIZES["smoke"], "tokens": 1024}),
        "cpu": Tier(seeds=8, stack=8, at_most=16, sizes={**SIZES["cpu"], "tokens": 8192}),
        "gpu": Tier(seeds=8, at_most=16, sizes={**SIZES["gpu"], "tokens": 32_768}),
    },
)
