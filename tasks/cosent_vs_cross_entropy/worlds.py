"""Every seed's own language: pairs to train on, to validate and to test, and the embeddings that training starts from.

Both arms of a comparison see the same pairs in the same batches and start from the same weights.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from suite import fit
from suite.blocks.data.distinct import distinct
from suite.blocks.data.draws import draws, own_rows
from suite.blocks.data.sentence_pairs import Kind, sentence_pairs
from suite.claims import Tier
from suite.seeds import Seed

FLIPS = 0.05  # share of wrong labels, in training, validation and test alike (none on the smoke tier)
DIMENSIONS = 32

Split = tuple[Tensor, Tensor, Tensor]  # tokens [R, N, 8] of either sentence, labels [R, N]


@dataclass(frozen=True, kw_only=True)
class World:
    """Splits of each different seed [S, N, ...], which seed each of the R models has, and the order of training."""

    row: Tensor
    train: Split
    validation: Split
    test: Split
    order: Tensor  # [S, steps, batch]
    table: Tensor  # [R, V, D]
    binary: bool

    def batch(self, step: int) -> Split:
        """The pairs of a step, [R, batch, ...]."""
        rows = self.order[:, step].long()
        a, b, y = (own_rows(part, rows)[self.row] for part in self.train)
        return a.long(), b.long(), y

    def held_out(self, split: str) -> Split:
        a, b, y = getattr(self, split)
        place = fit.device()
        return a[self.row].long().to(place), b[self.row].long().to(place), y[self.row].to(place)


def embeddings(seed: Seed, tier: Tier, noise: float) -> Tensor:
    """Initial embeddings [V, D], (c + noise n) / sqrt(1 + noise^2): synonyms share their concept's c, as if pretrained.

    c, n ~ N(0, I), so that two synonyms have a cosine of about 1 / (1 + noise^2): 0.3 stands for a strong backbone, 2.0
    for a weak one.
    """
    stream = seed.stream("embeddings")
    concepts = torch.randn(tier["concepts"], DIMENSIONS, generator=stream)
    own = torch.randn(tier["concepts"] * tier["synonyms"], DIMENSIONS, generator=stream)
    return (concepts.repeat_interleave(tier["synonyms"], 0) + noise * own) / math.sqrt(1 + noise**2)


def world(seeds: Sequence[Seed], tier: Tier, kind: Kind, positives: float, noise: float) -> World:
    """The splits of the different seeds, the order in which they are trained on, and every model's embeddings."""
    different, row = distinct(seeds)
    size = {"concepts": tier["concepts"], "synonyms": tier["synonyms"]}
    flips = 0.0 if kind == "graded" else tier["flips"]
    splits: dict[str, list[Split]] = {"train": [], "validation": [], "test": []}
    numbers = {"train": tier["pairs"], "validation": tier["validation"], "test": tier["test"]}
    for seed in different:
        for name, number in numbers.items():
            found = sentence_pairs(kind, number, seed.stream(name), positives=positives, flips=flips, **size)
            splits[name].append((found.left.to(torch.int16), found.right.to(torch.int16), found.label))

    def together(name: str) -> Split:
        a, b, y = (torch.stack(each) for each in zip(*splits[name], strict=True))
        return a, b, y

    steps = max(tier["steps"], tier.sizes.get("steps_swapped", 0))
    return World(
        row=torch.tensor(row),
        order=draws([seed.stream("order") for seed in different], steps, tier["batch"], tier["pairs"]),
        table=torch.stack([embeddings(seed, tier, noise) for seed in different])[row],
        binary=kind != "graded",
        train=together("train"),
        validation=together("validation"),
        test=together("test"),
    )
