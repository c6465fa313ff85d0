"""Sentence embeddings (c9, c10): three losses for one encoder, whose cosines are ranked in the end.

    cosent    CoSENT at scale 20 on the cosines: trained on what is measured
    sbert     cross-entropy of a linear map of (u, v, |u - v|), as Sentence-BERT and InferSent have it
    cosine    y (1 - cos) + (1 - y) (1 + cos): pushes negatives to the opposite side, however alike they are

Negatives are hard (one or two of eight concepts differ) or random (all differ).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.cosent_vs_cross_entropy.binary import EVEN
from tasks.cosent_vs_cross_entropy.sizes import CPU, GPU, SMOKE
from tasks.cosent_vs_cross_entropy.training import representation, train
from tasks.cosent_vs_cross_entropy.worlds import FLIPS, world

NOISE = 0.8  # on the initial embeddings; a bag of words needs better ones than an interaction network
TRIED = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


def measure(
    seeds: Sequence[Seed], tier: Tier, *, hard: int, loss: Sequence[str], lr: Sequence[float]
) -> Mapping[str, Any]:
    data = world(seeds, tier, "replaced" if hard else "redrawn", EVEN, NOISE)
    return train(representation(seeds, tier, data), data, loss, lr, tier["steps"])


EXPERIMENT = Experiment(
    name="embeddings",
    measure=measure,
    arms=tuple(Arm(name, fixed={"loss": name}, tuned={"lr": TRIED}) for name in ("cosent", "sbert", "cosine")),
    conditions={"hard": (0, 1)},
    columns=("loss",),
    tune_on="validation",
    best="max",
    tiers={
        "smoke": Tier(seeds=8, tuning_seeds=1, sizes={**SMOKE, "flips": FLIPS, "steps": 16}),
        "cpu": Tier(seeds=16, at_most=64, stack=24, sizes={**CPU, "flips": FLIPS, "steps": 500}),
        "gpu": Tier(seeds=16, at_most=64, sizes={**GPU, "flips": FLIPS, "steps": 4000}),
    },
)
