"""Experiment "expected-gap": how much a noisy copy of the query scores above an unrelated key, measured with real
rotations.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from suite import fit
from suite.blocks.positions.rope import cosine_sum, frequencies, rotate
from suite.claims import Experiment, Tier
from suite.figures import Axis, Curves
from suite.seeds import Seed

WIDTH, BASE = 128, 1e4
DISTANCES = (1, 10, 100, 1000, 4000)
DEVIATION = {0.0: 1.0, 1.0: 0.5}  # of the components, by their mean


def components(stream: Generator, law: str, centre: float, number: int) -> Tensor:
    """Independent components with the given mean and its deviation, normal or uniform: [number, WIDTH]."""
    if law == "normal":
        drawn = torch.randn(number, WIDTH, generator=stream)
    else:
        drawn = (torch.rand(number, WIDTH, generator=stream) - 0.5) * 12**0.5
    return (centre + DEVIATION[centre] * drawn).to(fit.device())


def measure(seeds: Sequence[Seed], tier: Tier, *, law: str, centre: float) -> dict[str, list[list[float]]]:
    """Mean over draws of q . R_m (q + e) - q . R_m k, over 2 s^2; and that less f_b(m), at every distance."""
    theta, distances = frequencies(WIDTH, BASE), torch.tensor(DISTANCES)
    exact = cosine_sum(distances, theta)
    gaps = []
    for seed in seeds:
        query, other = (components(seed.stream(f"{law} {name}"), law, centre, tier["draws"]) for name in ("q", "k"))
        noise = components(seed.stream(f"{law} noise"), law, centre, tier["draws"]) - centre
        turned = rotate((query + noise - other).unsqueeze(1), distances, theta)
        scores = torch.einsum("nd,nmd->nm", query, turned).double().mean(0).cpu()
        gaps.append(scores / (2 * DEVIATION[centre] ** 2))
    return {
        "gap": [gap.tolist() for gap in gaps],
        "error": [(gap - exact).tolist() for gap in gaps],
        "exact": [exact.tolist() for _ in gaps],
    }


EXPERIMENT = Experiment(
    name="expected-gap",
    measure=measure,
    conditions={"law": ("normal", "uniform"), "centre": (0.0, 1.0)},
    tiers={
        "smoke": Tier(seeds=8, sizes={"draws": 16_000}),
        "cpu": Tier(seeds=16, sizes={"draws": 16_000}),
        "gpu": Tier(seeds=16, sizes={"draws": 100_000}),
    },
)

# --- Figures --------------------------------------------------------------------------------------

FIGURES = (
    Curves(
        title="What a noisy copy scores above an unrelated key",
        caption="Measured over 2 s^2, every seed, and f_b(m) dashed.",
        experiment="expected-gap",
        y="gap",
        x=DISTANCES,
        x_axis=Axis("distance", log=True),
        y_axis=Axis("gap"),
        reference="exact",
        reference_label="f",
    ),
)
