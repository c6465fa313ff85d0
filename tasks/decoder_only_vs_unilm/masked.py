"""Experiment "masked": one masked language model under several directions of attention.

    full              every head of every layer looks both ways
    heads             half of the heads look back, the other half ahead
    layers            even layers look back, odd ones ahead
    permuted          every head a triangle under a random order of positions of its own: full rank, no left and right
    soft              no mask, but learned biases per head for left and right keys, started at -3 on one side
    soft-from-zero    the same started at 0: the parameters without the start
    *-unordered       full and heads without any position encoding

15 % of the symbols are replaced by a mark and guessed; the loss is that of the hidden ones.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from suite.blocks.attention import masks
from suite.blocks.models.masked_transformer import MaskedTransformer, masked_transformer
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.decoder_only_vs_unilm import recipe
from tasks.decoder_only_vs_unilm.sizes import LARGE, RATES, SMALL, SMALLEST
from tasks.decoder_only_vs_unilm.text import HIDDEN, MARK, V, holes, text, windows

POINTS = 8
START = -3.0


def drawer(tier: Tier) -> recipe.Draw:
    corpus, length = text(tier), tier["length"]

    def draw(seed: Seed, name: str, number: int, part: str) -> recipe.Batch:
        z = windows(seed, name, getattr(corpus, part), number, length)
        hidden = holes(seed, name, number, length, HIDDEN)
        return z.masked_fill(hidden, MARK), z.masked_fill(~hidden, -1)

    return draw


def orders(seeds: Sequence[Seed], depth: int, heads: int, length: int) -> Tensor:
    """[depth, R, heads, length], a random order of the positions for every head of every layer."""
    rows = [torch.rand(depth, heads, length, generator=seed.stream("orders")).argsort(-1) for seed in seeds]
    return torch.stack(rows, 1)


def seen(kind: str, seeds: Sequence[Seed], depth: int, heads: int, length: int) -> list[Tensor]:
    """The mask of every layer."""
    own = orders(seeds, depth, heads, length)  # drawn for every kind, used by one
    if kind == "heads":
        return [masks.half_and_half(length, heads)] * depth
    if kind == "layers":
        back = masks.causal(length)
        return [back.mT if layer % 2 else back for layer in range(depth)]
    if kind == "permuted":
        return [masks.permuted(own[layer]) for layer in range(depth)]
    return [masks.full(length)] * depth


def lean(kind: str, heads: int) -> Tensor | None:
    """[heads, 2] where the biases of left and right keys start.

    >>> lean("soft", 2).tolist()
    [[0.0, -3.0], [-3.0, 0.0]]
    """
    if kind == "soft-from-zero":
        return torch.zeros(heads, 2)
    if kind == "soft":
        return torch.tensor([[0.0, START] if head < heads // 2 else [START, 0.0] for head in range(heads)])
    return None


def network(seeds: Sequence[Seed], tier: Tier, kind: str) -> MaskedTransformer:
    bare = kind.removesuffix("-unordered")
    return masked_transformer(
        V + 1,
        V,
        tier["width"],
        tier["heads"],
        [seed.stream("weights") for seed in seeds],
        seen(bare, seeds, tier["depth"], tier["heads"], tier["length"]),
        rope=bare == kind,
        lean=lean(bare, tier["heads"]),
    )


def extrapolated(curve: Tensor) -> Tensor:
    """[R] the losses [R, 8] at eight equal strides, drawn on to ten times the steps: a line in log steps through the
    last quarter (three points).

    >>> extrapolated(3 - torch.log10(torch.arange(1.0, 9.0)).unsqueeze(0))
    tensor([1.0969])
    """
    x = torch.log10(torch.arange(1, 1 + curve.shape[1], dtype=torch.float64))[-3:]
    y, x0 = curve[:, -3:].double(), x.mean()
    slope = ((x - x0) * y).sum(1) / ((x - x0) ** 2).sum()
    return (y.mean(1) + slope * (math.log10(10 * curve.shape[1]) - x0)).float()


def measure(seeds: Sequence[Seed], tier: Tier, *, kind: str, lr: Sequence[float]) -> Mapping[str, Any]:
    draw = drawer(tier)
    model = network(seeds, tier, kind)
    points = 0 if seeds[0].purpose == "tune" else POINTS  # tuning looks at the end alone
    curve = recipe.train(model, draw, seeds, tier, lr, recipe.steps_of(seeds, tier), points=points)
    found = recipe.judged(model, draw, seeds, tier)
    return found if curve is None else {**found, "curve": curve, "later": extrapolated(curve)}


KINDS = ("full", "heads", "layers", "permuted", "soft", "soft-from-zero", "full-unordered", "heads-unordered")


def rates(kind: str) -> tuple[float, ...]:
    """As many for every kind; without positions, where little can be learned, the best ones are lower."""
    return (0.001, *RATES[:-1]) if kind.endswith("-unordered") else RATES


EXPERIMENT = Experiment(
    name="masked",
    measure=measure,
    arms=tuple(Arm(kind, fixed={"kind": kind}, tuned={"lr": rates(kind)}) for kind in KINDS),
    tune_on="validation",
    tiers={
        "smoke": Tier(seeds=4, tuning_seeds=1, sizes={**SMALLEST, "length": 16, "steps": 16}),
        "cpu": Tier(
            seeds=8,
            tuning_seeds=4,
            at_most=24,
            stack=4,
            sizes={**SMALL, "length": 48, "tuning_steps": 80, "steps": 256},
        ),
        "gpu": Tier(seeds=8, tuning_seeds=4, at_most=16, stack=4, sizes={**LARGE, "length": 256}),
        "hub": Tier(
            seeds=8,
            tuning_seeds=4,
            at_most=24,
            stack=4,
            sizes={**SMALL, "source": "wikitext-103", "length": 48, "tuning_steps": 80, "steps": 256},
        ),
    },
)
