"""Experiment "biases": RoPE with biases on queries and keys (post 9577), trained like the networks without (c15)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from suite.blocks.attention.rotary import Rotary
from suite.blocks.models.pluggable import Pluggable
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.length_extrapolation.networks import LARGE, NETWORK, RECIPE, TINY, accuracies, learn, networks, theta


def measure(seeds: Sequence[Seed], tier: Tier, *, biases: Sequence[bool]) -> Mapping[str, Any]:
    """Accuracies at 2 N, 4 N and 8 N ("mean"), and at N ("short")."""
    attention, length = [Rotary(theta(tier["width"], tier["heads"]))] * tier["depth"], tier["length"]
    found: dict[str, torch.Tensor] = {}
    for kind in dict.fromkeys(biases):
        rows = [row for row, has in enumerate(biases) if has == kind]
        some = [seeds[row] for row in rows]
        model: Pluggable = (
            learn(some, attention, **{name: tier[name] for name in RECIPE}, biases=True).eval()
            if kind
            else networks(some, tier, log_n=False)
        )
        longer = [accuracies(model, attention, some, k * length, tier["tokens"] // k, far=length) for k in (2, 4, 8)]
        columns = {
            "mean": torch.stack([each["mean"] for each in longer], -1),
            "recall": torch.stack([each["recall"] for each in longer], -1),
            "short": accuracies(model, attention, some, length, tier["tokens"], far=length)["mean"],
        }
        for name, column in columns.items():
            whole = found.setdefault(name, torch.full((len(seeds), *column.shape[1:]), torch.nan, dtype=torch.float64))
            whole[rows] = column
    return found


EXPERIMENT = Experiment(
    name="biases",
    measure=measure,
    arms=(Arm("none", fixed={"biases": False}), Arm("biases", fixed={"biases": True})),
    columns=("biases",),
    tiers={
        "smoke": Tier(seeds=2, sizes={**TINY, "steps": 20, "tokens": 32}),
        "cpu": Tier(seeds=8, at_most=16, sizes={**NETWORK, "tokens": 128}),
        "gpu": Tier(seeds=8, at_most=16, sizes={**LARGE, "tokens": 128}),
    },
)
