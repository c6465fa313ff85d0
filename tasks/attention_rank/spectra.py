"""Experiment "spectra": the singular values of both matrices of the same logits, over scale, length and head size.

n = 512 with d = 64 is the post's own case, BERT base.  Each seed draws ``draws`` pairs of q and k.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.attention_rank import matrices
from tasks.attention_rank.matrices import FLOAT32, FLOAT64, SCALES

MASKS = (Arm("causal", fixed={"mask": "lower"}), Arm("bidirectional", fixed={"mask": "none"}))
RESOLUTION = 1e-12  # of s_n / s_1: what lies below is the rounding of float64, or nearly so
PLACES = 33  # points of a profile
PROFILED = (0.02, 0.5, 4.0)


def measure(seeds: Sequence[Seed], tier: Tier, *, n: int, d: int, sd: float, mask: str) -> Mapping[str, Any]:
    """Means over the draws of a seed (of the effective rank: geometric), and whether float64 calls every draw full.

    ``smallest`` is log10 of s_n / s_1.
    """
    q, k = matrices.queries_and_keys(seeds, n, d, tier["draws"])
    s = torch.linalg.svdvals(matrices.attention(matrices.logits(q, k, sd), mask))
    return {
        "effective_rank": matrices.geometric_mean(matrices.effective_rank(s)),
        "stable_rank": matrices.stable_rank(s).mean(-1),
        "rank32": matrices.numerical_rank(s, FLOAT32).double().mean(-1),
        "full64": (matrices.numerical_rank(s, FLOAT64) == n).all(-1).int(),
        "smallest": (s[..., -1] / s[..., 0]).clamp_min(RESOLUTION).log10().mean(-1),
    }


EXPERIMENT = Experiment(
    name="spectra",
    measure=measure,
    arms=MASKS,
    conditions={"n": (128, 512), "d": (16, 64), "sd": SCALES},
    tiers={
        "smoke": Tier(seeds=8, sizes={"draws": 1}),
        "cpu": Tier(seeds=16, at_most=64, stack=8, sizes={"draws": 2}),
        "gpu": Tier(seeds=32, at_most=64, stack=16, sizes={"draws": 4}),
        "hub": Tier(seeds=16, at_most=64, stack=8, sizes={"draws": 2}),
    },
)


def profile(seeds: Sequence[Seed], tier: Tier, *, sd: float, mask: str) -> Mapping[str, Any]:
    """log10 s_i / s_1 at evenly spread i / n, not below the resolution of float64."""
    q, k = matrices.queries_and_keys(seeds, tier["n"], tier["d"])
    s = torch.linalg.svdvals(matrices.attention(matrices.logits(q, k, sd), mask))[:, 0]
    at = torch.linspace(0, tier["n"] - 1, PLACES, device=s.device).round().long()
    place = (at / (tier["n"] - 1)).tolist()
    return {"profile": (s[:, at] / s[:, :1]).clamp_min(FLOAT64).log10(), "place": [place] * len(seeds)}


PROFILES = Experiment(
    name="profiles",
    measure=profile,
    arms=MASKS,
    conditions={"sd": PROFILED},
    tiers={
        "smoke": Tier(seeds=2, sizes={"n": 128, "d": 16}),
        "cpu": Tier(seeds=8, sizes={"n": 128, "d": 16}),
        "gpu": Tier(seeds=8, sizes={"n": 512, "d": 64}),
    },
)
