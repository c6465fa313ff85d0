"""Experiment "map": where the causal matrix has the higher effective rank, over logit scale, length and head size."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch

from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.attention_rank import matrices

LENGTHS, HEADS = (64, 128, 256), (4, 8, 16, 32, 64, 128)
LAW = (16, 32, 64)  # head sizes that turn within the scales at every length, n >= d
RATIOS = {16: (1, 2, 4, 8, 16), 64: (1, 2, 4)}  # n / d
LONG_LENGTHS, LONG_HEADS = (512, 1024, 2048), (16, 64)
SCALES = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 2.0, 4.0)
SHOWN = 0.5  # the map cuts its numbers here: it is about their sign


def crossing(scales: Sequence[float], gaps: Sequence[float]) -> float:
    """Where ``gaps`` first falls through 0, linear in the logarithm of the scale; the last scale where it never does.

    >>> round(crossing((0.1, 1.0, 10.0), (1.0, -1.0, -2.0)), 4), crossing((0.1, 1.0), (2.0, 1.0))
    (0.3162, 1.0)
    """
    for (x, above), (y, below) in pairwise(zip(scales, gaps, strict=True)):
        if above > 0 >= below:
            return math.exp(math.log(x) + math.log(y / x) * above / (above - below))
    return scales[-1]


def fitted(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Least-squares slope of y [..., k] against x [k].

    >>> fitted(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([[5.0, 7.0, 9.0]]))
    tensor([2.])
    """
    x = x - x.mean()
    return (y * x).sum(-1) / x.square().sum()


def gap(seeds: Sequence[Seed], n: int, d: int, sd: float) -> torch.Tensor:
    """[seeds] log effective rank of the causal matrix less that of the bidirectional one."""
    q, k = matrices.queries_and_keys(seeds, n, d)
    causal, both_ways = (
        matrices.effective_rank(torch.linalg.svdvals(matrices.attention(matrices.logits(q, k, sd), mask)))[:, 0]
        for mask in ("lower", "none")
    )
    return (causal / both_ways).log().cpu()


def gaps(seeds: Sequence[Seed], n: int, d: int) -> torch.Tensor:
    """[seeds, scales]."""
    return torch.stack([gap(seeds, n, d, sd) for sd in SCALES], dim=1)


def turns(table: torch.Tensor) -> torch.Tensor:
    """The crossing of every row of [..., scales]."""
    rows = [crossing(SCALES, row) for row in table.flatten(0, -2).tolist()]
    return torch.tensor(rows, dtype=torch.float64).view(table.shape[:-1])


def measure(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Any]:
    """Maps [d][sd] at the greatest length and [n / d][sd] at two head sizes; crossings [n][d]; their exponents.

    exponent_in_d [n] and exponent_in_n [d] go over the head sizes LAW.
    """
    lengths, heads = tier["lengths"], tier["heads"]
    table = torch.stack([torch.stack([gaps(seeds, n, d) for d in heads], dim=1) for n in lengths], dim=1)
    turn = turns(table)  # [seeds, n, d]
    law = turn[:, :, [heads.index(d) for d in LAW]].log()
    log_d, log_n = (torch.tensor(x, dtype=torch.float64).log() for x in (LAW, lengths))
    found = {
        "by_head": table[:, -1],
        "crossing": turn,
        "concentration": turn * torch.tensor(heads, dtype=torch.float64).sqrt(),
        "exponent_in_d": fitted(log_d, law),
        "exponent_in_n": fitted(log_n, law.transpose(1, 2)),
    }
    for d, ratios in RATIOS.items():
        found[f"by_ratio_{d}"] = torch.stack([gaps(seeds, ratio * d, d) for ratio in ratios], dim=1)
    return {name: x.clamp(-SHOWN, SHOWN) if name.startswith("by_") else x for name, x in found.items()}


def long(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Any]:
    """Crossings [n][d] for long texts."""
    return {
        "crossing": turns(
            torch.stack([torch.stack([gaps(seeds, n, d) for d in tier["heads"]], 1) for n in tier["lengths"]], 1)
        )
    }


SIZES = {"lengths": LENGTHS, "heads": HEADS}
MAP = Experiment(
    name="map",
    measure=measure,
    tiers={
        "smoke": Tier(seeds=3, sizes=SIZES),
        "cpu": Tier(seeds=12, at_most=32, stack=4, sizes=SIZES),
        "gpu": Tier(seeds=32, at_most=64, stack=8, sizes=SIZES),
    },
)
LONG_MAP = Experiment(
    name="long-map",
    measure=long,
    tiers={"gpu": Tier(seeds=8, at_most=16, stack=4, sizes={"lengths": LONG_LENGTHS, "heads": LONG_HEADS})},
)
