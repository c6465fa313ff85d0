"""Graded labels (c7): CoSENT takes them as they are; cross-entropy cannot, so that regression is the other arm."""

from collections.abc import Mapping, Sequence
from typing import Any

from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.cosent_vs_cross_entropy.binary import STRONG, WEAK
from tasks.cosent_vs_cross_entropy.sizes import CPU, GPU, SMOKE
from tasks.cosent_vs_cross_entropy.training import RATES, interaction, train
from tasks.cosent_vs_cross_entropy.worlds import world


def measure(
    seeds: Sequence[Seed], tier: Tier, *, noise: float, loss: Sequence[str], lr: Sequence[float]
) -> Mapping[str, Any]:
    data = world(seeds, tier, "graded", 0.0, noise)
    return train(interaction(seeds, tier, data), data, loss, lr, tier["steps"])


EXPERIMENT = Experiment(
    name="graded",
    measure=measure,
    arms=(
        Arm("mse", fixed={"loss": "mse"}, tuned={"lr": RATES}),
        Arm("cosent", fixed={"loss": "cosent"}, tuned={"lr": RATES}),
    ),
    conditions={"noise": (STRONG, WEAK)},
    columns=("loss",),
    tune_on="validation",
    best="max",
    tiers={
        "smoke": Tier(seeds=8, tuning_seeds=1, sizes={**SMOKE, "steps": 16}),
        "cpu": Tier(seeds=16, at_most=64, stack=16, sizes={**CPU, "steps": 600}),
        "gpu": Tier(seeds=16, at_most=64, sizes={**GPU, "steps": 4000}),
    },
)
