"""Binary labels: cross-entropy against CoSENT on an interaction network (c1 to c3), and representations beside it (c8).

Two regimes, fixed before any verdict seed ran, after pilot runs on other seeds:

    noise 0.3   saturated: both arms come close to what wrong labels leave of the correlation, the ceiling
    noise 4.0   unsaturated: weak initial embeddings; there the arms reached 87 to 96 % of it in pilot runs.  Where
                positives are rare noise 1.5 leaves as much to learn, and noise 4.0 nearly all

Swapped pairs are the adversarial task: both sentences hold the same words.  At noise 4.0 they leave about as much
headroom as the replaced ones (in pilot runs 5 and 7 points for the mean of both arms), so that a difference between
the tasks is not one of saturation; for that, and because they are learned sooner, they get half the steps.

The smoke tier has no synonyms and no wrong labels, so that either loss is done within seconds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.cosent_vs_cross_entropy.sizes import CPU, GPU, SMOKE
from tasks.cosent_vs_cross_entropy.training import RATES, interaction, representation, train
from tasks.cosent_vs_cross_entropy.worlds import FLIPS, World, world

STRONG, WEAK, WEAK_RARE = 0.3, 4.0, 1.5
EVEN, FEWER, RARE = 0.5, 0.45, 0.18  # shares of positives: replaced, swapped, replaced and rare


def measure(
    seeds: Sequence[Seed], tier: Tier, *, noise: float, swapped: int, loss: Sequence[str], lr: Sequence[float]
) -> Mapping[str, Any]:
    data = binary_world(seeds, tier, noise, swapped)
    steps = tier["steps_swapped"] if swapped else tier["steps"]
    return train(interaction(seeds, tier, data), data, loss, lr, steps)


def binary_world(seeds: Sequence[Seed], tier: Tier, noise: float, swapped: int) -> World:
    return world(seeds, tier, "swapped" if swapped else "replaced", FEWER if swapped else EVEN, noise)


def encoders(seeds: Sequence[Seed], tier: Tier, *, swapped: int, model: str, lr: Sequence[float]) -> Mapping[str, Any]:
    """Interaction or representation, both under CoSENT, with strong embeddings."""
    data = binary_world(seeds, tier, STRONG, swapped)
    network = (interaction if model == "interaction" else representation)(seeds, tier, data)
    steps = tier["steps_swapped"] if swapped else tier["steps"]
    return train(network, data, ["cosent"] * len(seeds), lr, steps)


def rare(
    seeds: Sequence[Seed], tier: Tier, *, noise: float, loss: Sequence[str], lr: Sequence[float]
) -> Mapping[str, Any]:
    data = world(seeds, tier, "replaced", RARE, noise)
    return train(interaction(seeds, tier, data), data, loss, lr, tier["steps"])


_GRID = {"lr": RATES}
_SMOKE = {**SMOKE, "flips": 0.0, "synonyms": 1, "pairs": 4000, "test": 600, "hidden": 32}
_CPU, _GPU = {**CPU, "flips": FLIPS}, {**GPU, "flips": FLIPS}
_LOSSES = tuple(Arm(name, fixed={"loss": name}, tuned=_GRID) for name in ("ce", "cosent"))

PAIRS = Experiment(
    name="pairs",
    measure=measure,
    arms=_LOSSES,
    conditions={"noise": (STRONG, WEAK), "swapped": (0, 1)},
    columns=("loss",),
    tune_on="validation",
    best="max",
    tiers={
        "smoke": Tier(seeds=8, tuning_seeds=1, sizes={**_SMOKE, "steps": 150, "steps_swapped": 150}),
        "cpu": Tier(seeds=16, at_most=64, stack=16, sizes={**_CPU, "steps": 800, "steps_swapped": 400}),
        "gpu": Tier(seeds=16, at_most=64, sizes={**_GPU, "steps": 8000, "steps_swapped": 4000}),
    },
)
RARELY = Experiment(
    name="rare",
    measure=rare,
    arms=_LOSSES,
    conditions={"noise": (STRONG, WEAK_RARE)},
    columns=("loss",),
    tune_on="validation",
    best="max",
    tiers={
        "smoke": Tier(seeds=8, tuning_seeds=1, sizes={**_SMOKE, "steps": 160}),
        "cpu": Tier(seeds=16, at_most=64, stack=16, sizes={**_CPU, "steps": 800}),
        "gpu": Tier(seeds=16, at_most=64, sizes={**_GPU, "steps": 8000}),
    },
)
ENCODERS = Experiment(
    name="encoders",
    measure=encoders,
    arms=(
        Arm("interaction", fixed={"model": "interaction"}, tuned=_GRID),
        Arm("representation", fixed={"model": "representation"}, tuned=_GRID),
    ),
    conditions={"swapped": (0, 1)},
    tune_on="validation",
    best="max",
    tiers={
        "smoke": Tier(seeds=8, tuning_seeds=1, sizes={**_SMOKE, "steps": 24, "steps_swapped": 24}),
        "cpu": Tier(seeds=16, at_most=64, stack=16, sizes={**_CPU, "steps": 800, "steps_swapped": 400}),
        "gpu": Tier(seeds=16, at_most=64, sizes={**_GPU, "steps": 8000, "steps_swapped": 4000}),
    },
)
