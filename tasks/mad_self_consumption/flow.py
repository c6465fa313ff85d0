"""A trained flow on eight Gaussians in a circle, every generation from new weights (c1_flow, c7_flow, c9_flow).

Lambda scales the variance of the noise that sampling starts from, as the paper does with its diffusion model.  All arms
and seeds are one stack; its pools, of different sizes, are padded.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from suite import fit
from suite.blocks.data.distinct import distinct
from suite.blocks.data.ring import ring, within_modes
from suite.blocks.flows.matching import matching_loss, midpoint
from suite.blocks.flows.planar import VelocityMLP
from suite.blocks.metrics.mmd import mmd
from suite.blocks.metrics.precision_recall import precision_recall
from suite.blocks.metrics.sliced_wasserstein import sliced_wasserstein
from suite.blocks.optim import adamw, schedules
from suite.claims import Arm, Experiment, Tier, Winner
from suite.seeds import Seed
from suite.stack import Group
from tasks.mad_self_consumption.pools import late, next_pool

WIDTHS = (64, 64, 64)


def shared(seeds: Sequence[Seed], draw: Any) -> Tensor:
    """draw(seed) for every model, computed once for models that share a seed: [R, ...]."""
    different, row = distinct(seeds)
    return torch.stack([draw(seed) for seed in different])[row]


def trained(seeds: Sequence[Seed], tier: Tier, pools: Sequence[Tensor], lr: Sequence[float], t: int) -> nn.Module:
    """A flow per pool [N_r, 2], from the weights of generation ``t``."""
    field = VelocityMLP(2, WIDTHS, [seed.stream(f"weights {t}") for seed in seeds])
    longest = max(len(pool) for pool in pools)
    padded = torch.stack([nn.functional.pad(pool, (0, 0, 0, longest - len(pool))) for pool in pools])
    sizes = torch.tensor([len(pool) for pool in pools]).unsqueeze(-1)
    row = torch.arange(len(pools)).unsqueeze(-1)
    batch = tier["batch"]

    def drawn(step: int) -> tuple[Tensor, Tensor, Tensor]:
        numbers = shared(seeds, lambda s: torch.rand(2, batch, generator=s.stream(f"batch {t} {step}")))
        noise = shared(seeds, lambda s: torch.randn(batch, 2, generator=s.stream(f"noise {t} {step}")))
        return padded[row, (numbers[:, 0] * sizes).long()], noise, numbers[:, 1]

    fit.fit(
        field,
        loss=matching_loss,
        batch=drawn,
        steps=tier["steps"],
        optimizer=Group(adamw.Rule(), lr=lr),
        schedule=schedules.cosine(tier["steps"]),
    )
    return field


def made(seeds: Sequence[Seed], tier: Tier, field: nn.Module, lam: Sequence[float], name: str, number: int) -> Tensor:
    """``number`` points of each model [R, number, 2] from noise of variance lambda."""
    noise = shared(seeds, lambda s: torch.randn(number, 2, generator=s.stream(name)))
    scale = torch.tensor(lam).sqrt().view(-1, 1, 1)
    with torch.no_grad():
        return midpoint(field, (noise * scale).to(fit.device()), tier["flow_steps"]).cpu()


def generations(
    seeds: Sequence[Seed], tier: Tier, *, diet: Sequence[str], lam: Sequence[float], lr: Sequence[float]
) -> dict[str, Any]:
    """All generations of all arms: distance to the truth, precision, recall, spread within the modes, pictures."""
    n, last = tier["points"], tier["generations"]
    held_out = shared(seeds, lambda s: ring(s.stream("held out"), n))
    first = shared(seeds, lambda s: ring(s.stream("first"), n))
    angles = math.pi / 32 * torch.arange(32)
    along = torch.stack([angles.cos(), angles.sin()], -1)  # every direction of the plane alike
    rows = range(len(seeds))
    pools, curves, pictures = list(first), [], []
    for t in range(1, last + 1):
        field = trained(seeds, tier, pools, lr, t)
        points = made(seeds, tier, field, lam, f"judged {t}", n)
        precision, recall = precision_recall(held_out, points)
        curves.append(
            {
                "distance": sliced_wasserstein(held_out, points, along),
                "mmd": mmd(held_out, points, width=0.5),
                "precision": precision,
                "recall": recall,
                "within": within_modes(points),
            }
        )
        if t in tier["pictured"]:
            pictures.append(torch.stack([picture(each) for each in points]))
        new = made(seeds, tier, field, lam, f"made {t}", n)
        fresh = shared(seeds, lambda s, t=t: ring(s.stream(f"fresh {t + 1}"), n))
        pools = [next_pool(diet[r], first[r], fresh[r], pools[r], new[r]) for r in rows]
    found = {name: torch.stack([each[name] for each in curves], 1) for name in curves[0]}
    columns: dict[str, Any] = {name: values.tolist() for name, values in found.items()}
    for name in ("precision", "recall", "within"):
        columns[f"{name}_change"] = (found[name][:, -1] - found[name][:, 0]).tolist()
    columns["ratio"] = (found["distance"][:, -1] / found["distance"][:, 0]).tolist()
    columns["late"] = [late(row) for row in found["distance"].tolist()]
    columns["generation"] = [list(range(1, last + 1))] * len(seeds)
    columns["pictures"] = torch.stack(pictures, 1).unsqueeze(2).tolist()
    return columns


def measure(
    seeds: Sequence[Seed], tier: Tier, *, diet: Sequence[str], lam: Sequence[float], lr: Sequence[float]
) -> Mapping[str, Any]:
    found = generations(seeds, tier, diet=diet, lam=lam, lr=lr)
    del found["pictures"]
    return found


def pictured(
    seeds: Sequence[Seed], tier: Tier, *, diet: Sequence[str], lam: Sequence[float], lr: Sequence[float]
) -> Mapping[str, Any]:
    """The pictures alone: one map of the plane per generation shown."""
    return {"pictures": generations(seeds, tier, diet=diet, lam=lam, lr=lr)["pictures"]}


SIDE = 24


def picture(points: Tensor, reach: float = 3.0) -> Tensor:
    """Points [N, 2] counted on a SIDE x SIDE grid over [-reach, reach]^2, in 16 grey levels: [SIDE^2], row by row.

    >>> picture(torch.zeros(5, 2)).max()
    tensor(15, dtype=torch.int32)
    """
    place = ((points + reach) / (2 * reach) * SIDE).long()
    inside = ((place >= 0) & (place < SIDE)).all(-1)
    place = place[inside]
    counts = torch.bincount((SIDE - 1 - place[:, 1]) * SIDE + place[:, 0], minlength=SIDE * SIDE).float()
    most = counts.sort().values[-max(1, SIDE * SIDE // 50)].clamp(min=1)  # the few fullest fields are all black
    return (15 * (counts / most).clamp(max=1).sqrt()).round().int()


def first_generation(seeds: Sequence[Seed], tier: Tier, *, lr: Sequence[float]) -> Mapping[str, Any]:
    """What tuning sees: the loss of a flow fitted to real points on other real points."""
    n = tier["points"]
    first = shared(seeds, lambda s: ring(s.stream("first"), n))
    field = trained(seeds, tier, list(first), lr, 1)
    data = shared(seeds, lambda s: ring(s.stream("validation"), 4 * n)).to(fit.device())
    noise = shared(seeds, lambda s: torch.randn(4 * n, 2, generator=s.stream("validation noise"))).to(fit.device())
    times = shared(seeds, lambda s: torch.rand(4 * n, generator=s.stream("validation times"))).to(fit.device())
    with torch.no_grad():
        return {"loss": matching_loss(field, data, noise, times).tolist()}


RATES = (4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2, 1.28e-1)
SMOKE = {"points": 200, "batch": 64, "steps": 40, "flow_steps": 6, "generations": 4, "pictured": (1, 2, 3, 4)}
CPU = {"points": 1000, "batch": 256, "steps": 400, "flow_steps": 12, "generations": 8, "pictured": (1, 3, 5, 8)}
GPU = {"points": 1000, "batch": 512, "steps": 1500, "flow_steps": 24, "generations": 15, "pictured": (1, 5, 10, 15)}
TUNING = Experiment(
    name="flow-tuning",
    measure=first_generation,
    arms=(Arm("flow", tuned={"lr": RATES}),),
    tune_on="loss",
    tiers={
        "smoke": Tier(seeds=2, tuning_seeds=2, sizes=SMOKE),
        "cpu": Tier(seeds=8, tuning_seeds=4, at_most=16, sizes=CPU),
        "gpu": Tier(seeds=20, tuning_seeds=8, at_most=40, sizes=GPU),
    },
)


def arm(name: str, diet: str, lam: float = 1.0) -> Arm:
    return Arm(name, fixed={"diet": diet, "lam": lam}, like=Winner(experiment="flow-tuning", arm="flow"))


ARMS = (
    arm("synthetic", "synthetic"),
    arm("synthetic 0.7", "synthetic", 0.7),
    arm("fixed", "fixed"),
    arm("fresh", "fresh"),
)
FLOW = Experiment(
    name="flow",
    measure=measure,
    arms=ARMS,
    columns=("diet", "lam", "lr"),
    tiers={
        "smoke": Tier(seeds=3, sizes=SMOKE),
        "cpu": Tier(seeds=8, at_most=32, stack=16, sizes=CPU),
        "gpu": Tier(seeds=20, at_most=40, sizes=GPU),
    },
)
PICTURES = Experiment(
    name="flow-pictures",
    measure=pictured,
    arms=ARMS,
    columns=("diet", "lam", "lr"),
    tiers={
        "smoke": Tier(seeds=1, sizes=SMOKE),
        "cpu": Tier(seeds=1, sizes=CPU),
        "gpu": Tier(seeds=1, sizes=GPU),
    },
)
MORE = Experiment(
    name="flow-more",
    measure=measure,
    arms=(
        arm("growing", "growing"),
        arm("fixed 0.7", "fixed", 0.7),
        arm("fresh 0.7", "fresh", 0.7),
    ),
    columns=("diet", "lam", "lr"),
    tiers={"gpu": Tier(seeds=20, at_most=40, sizes=GPU)},
)
