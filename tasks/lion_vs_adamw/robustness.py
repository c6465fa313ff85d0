"""What the tuned arms withstand, on the digits: noise on the weights (c11), a large rate without warm-up (c13)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from suite.blocks.losses.cross_entropy import cross_entropy
from suite.claims import Arm, Experiment, Tier, Winner
from suite.seeds import Seed
from tasks.lion_vs_adamw.digits import network, trained, world
from tasks.lion_vs_adamw.recipe import WARMUP

SIGMAS = (0.01, 0.03, 0.1)  # noise over the root mean square of the tensor that it is added to
LARGE = 3.0  # times the best rate
DIVERGED = 1.5  # times the loss at the best rate


def flatness(
    seeds: Sequence[Seed], tier: Tier, *, rule: str, lr: Sequence[float], decay: Sequence[float]
) -> Mapping[str, Sequence[Any]]:
    """Rise of the test loss as every tensor theta becomes theta + sigma RMS(theta) N(0, 1), mean over the draws.

    Without the division by the tensor's own size the test would only say which optimizer makes larger weights.
    """
    data, model = world(seeds), network(seeds)
    plain = trained(data, model, 512, tier, rule, lr, decay).final("test")
    weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    rises = torch.zeros(len(seeds), len(SIGMAS))
    with torch.no_grad():
        for draw in range(tier["draws"]):
            noise = [
                [torch.randn(w.shape[1:], generator=stream) for w in weights.values()]
                for stream in streams(seeds, draw)
            ]
            for index, sigma in enumerate(SIGMAS):
                for (name, parameter), each in zip(model.named_parameters(), zip(*noise, strict=True), strict=True):
                    weight = weights[name]
                    size = weight.square().mean(tuple(range(1, weight.ndim)), keepdim=True).sqrt()
                    parameter.copy_(weight + sigma * size * torch.stack(each).to(weight.device))
                rises[:, index] += (cross_entropy(*data.answers(model, data.test)).cpu() - plain) / tier["draws"]
    sizes = root_mean_square(list(weights.values()))
    return {"rise": rises.tolist(), "loss": plain.tolist(), "size": sizes.tolist()}


def streams(seeds: Sequence[Seed], draw: int) -> list[torch.Generator]:
    return [seed.stream(f"perturbation {draw}") for seed in seeds]


def root_mean_square(weights: Sequence[Tensor]) -> Tensor:
    """Root mean square [R] over all weights of a model."""
    return torch.cat([w.flatten(1) for w in weights], 1).square().mean(1).sqrt().cpu()


def warmup(
    seeds: Sequence[Seed], tier: Tier, *, rule: str, lr: Sequence[float], decay: Sequence[float]
) -> Mapping[str, Sequence[Any]]:
    """Three models per seed: the best rate with warm-up, the large rate with warm-up, the large rate without."""
    stack = [seed for _ in range(3) for seed in seeds]
    n = len(seeds)
    rates = [*lr, *[LARGE * rate for rate in lr] * 2]
    shares = [WARMUP] * 2 * n + [0.0] * n
    fitted = trained(world(stack), network(stack), 64, tier, rule, rates, [*decay] * 3, warmup=shares)
    best, warm, cold = fitted.final("test").view(3, n)
    return {
        "best": best.tolist(),
        "warm": warm.tolist(),
        "cold": cold.tolist(),
        "diverged_warm": (warm > DIVERGED * best).int().tolist(),
        "diverged_cold": (cold > DIVERGED * best).int().tolist(),
        "cost_of_cold": (cold / warm).log().tolist(),
    }


def _arms(batch: int) -> tuple[Arm, ...]:
    return tuple(
        Arm(name, like=Winner(experiment="digits", arm=name, at={"batch": batch})) for name in ("lion", "adamw")
    )


FLATNESS = Experiment(
    name="flatness",
    measure=flatness,
    arms=_arms(512),
    columns=("lr", "decay"),
    tiers={
        "smoke": Tier(seeds=4, sizes={"steps": 60, "draws": 2}),
        "cpu": Tier(seeds=16, at_most=64, sizes={"steps": 300, "draws": 20}),
    },
)
WARM = Experiment(
    name="warmup",
    measure=warmup,
    arms=_arms(64),
    columns=("lr", "decay"),
    tiers={"smoke": Tier(seeds=4, sizes={"steps": 60}), "cpu": Tier(seeds=32, at_most=128, sizes={"steps": 300})},
)
