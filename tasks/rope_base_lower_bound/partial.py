"""Experiment "partial": heads of which only a part turns.  With half of it, f >= 0 for every base and distance.

theta_i = b^(-2i / r) for i < r/2 and 0 for the rest, r of d numbers turning: f >= -r/2 + (d - r)/2, which is 0 at r =
d/2.
"""

from typing import Any

import torch

from suite.blocks.positions.rope import cosine_sum, frequencies
from suite.claims import Experiment, Tier
from suite.figures import Table
from suite.seeds import Seed
from tasks.rope_base_lower_bound.sweep import Rotary, infima

WIDTHS = (64, 128, 256)
ROTATED = (128, 120, 112, 104, 96, 80, 68)  # of 128


def least_over_grid(width: int, rotated: int, points: int = 200) -> float:
    """min f over a logarithmic grid of bases from 1 to 1e12 and of whole distances from 1 to 2^20."""
    distances = torch.logspace(0, 20, points, base=2.0, dtype=torch.float64).round().unique()
    bases = torch.logspace(0, 12, points, dtype=torch.float64).tolist()
    return min(float(cosine_sum(distances, frequencies(width, b, rotated=rotated)).min()) for b in bases)


def measure(seeds: list[Seed], tier: Tier) -> dict[str, list[Any]]:
    """The least f of half-rotated heads and of those with one pair more, and b*(L) against the part that turns."""
    lengths = tier["lengths"]
    proofs = {r: infima(Rotary(128, r), lengths) for r in ROTATED}
    found: dict[str, Any] = {
        "width": list(WIDTHS),
        "half_lowest": [least_over_grid(width, width // 2) for width in WIDTHS],
        "one_pair_more_lowest": [least_over_grid(width, width // 2 + 2) for width in WIDTHS],
        "length": list(lengths),
        "holes": sum(proof.holes for proof in proofs.values()),
        **{f"r{r}": [b.low for b in proof.brackets] for r, proof in proofs.items()},
    }
    return {name: [value] * len(seeds) for name, value in found.items()}


EXPERIMENT = Experiment(
    name="partial",
    measure=measure,
    tiers={
        "smoke": Tier(seeds=1, sizes={"lengths": (1024, 2048)}),
        "cpu": Tier(seeds=1, sizes={"lengths": (1024, 4096, 16384, 65536)}),
        "gpu": Tier(seeds=1, sizes={"lengths": (1024, 4096, 16384, 65536)}),
    },
)

# --- Figures --------------------------------------------------------------------------------------

FIGURES = (
    Table(
        title="Heads of which a part turns",
        caption="b* by the number of turning dimensions out of 128.  At 64 and below every base will do.",
        experiment="partial",
        columns=(("length", "L"), *((f"r{rotated}", str(rotated)) for rotated in ROTATED)),
        digits=5,
    ),
)
