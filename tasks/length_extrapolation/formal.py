"""Experiments "even-pairs" and "random-positions": tasks of the Chomsky hierarchy benchmark (arXiv:2207.02098).

Even pairs: whether a string of two letters has as many "ab" as "ba", which is whether it ends as it begins.  HWFA reads
it causally and answers for every prefix (c11).  For c16 an encoder, both ways, answers for whole strings, or writes
them backwards, under positions 0, 1, 2, ... or under N sorted draws from a range far longer (ACL 2023).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from suite import fit
from suite.blocks.attention.protocol import Attention
from suite.blocks.attention.rotary import Alibi, Rotary
from suite.blocks.models.pluggable import pluggable
from suite.blocks.optim import adamw
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from suite.stack import Group
from tasks.length_extrapolation.hwfa import HWFA, layers
from tasks.length_extrapolation.networks import CLIP, DECAY, RATE, WARMUP, WIDENING, linear, theta

LETTERS, NONE = 2, -1
MARK = LETTERS  # the encoder's answer to even pairs is read where this stands, before the string


def strings(seeds: Sequence[Seed], name: str, number: int, length: int) -> Tensor:
    """[R, number, length] letters, a function of each seed's stream ``name``."""
    return torch.stack([torch.randint(LETTERS, (number, length), generator=seed.stream(name)) for seed in seeds])


def prefixes(letters: Tensor) -> Tensor:
    """For every prefix but the first: 1 where it ends as it begins, else 0.

    >>> prefixes(torch.tensor([0, 1, 1, 0]))
    tensor([-1,  0,  0,  1])
    """
    same = (letters == letters[..., :1]).long()
    same[..., 0] = NONE
    return same


def whole(letters: Tensor, task: str) -> tuple[Tensor, Tensor]:
    """Tokens and labels of an encoder's task.

    >>> whole(torch.tensor([0, 0, 1]), "reverse")
    (tensor([2, 0, 0, 1]), tensor([-1,  1,  0,  0]))
    >>> whole(torch.tensor([0, 0, 1]), "even pairs")[1]
    tensor([ 0, -1, -1, -1])
    """
    mark = torch.full_like(letters[..., :1], MARK)
    if task == "reverse":
        return torch.cat((mark, letters), -1), torch.cat((torch.full_like(mark, NONE), letters.flip(-1)), -1)
    answer = (letters[..., :1] == letters[..., -1:]).long()
    return torch.cat((mark, letters), -1), torch.cat((answer, torch.full_like(letters, NONE)), -1)


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    each = F.cross_entropy(logits.flatten(1, 2).transpose(1, 2), labels.flatten(1), ignore_index=NONE, reduction="none")
    return each.sum(1) / (labels.flatten(1) >= 0).sum(1)


def even_pairs(seeds: Sequence[Seed], tier: Tier, *, kind: str) -> Mapping[str, Any]:
    """Accuracy on the last N prefixes of strings of 8 N ("long"), and on those of N ("short")."""
    length, batch, factor = tier["length"], tier["batch"], tier["factor"]
    streams = [seed.stream("weights") for seed in seeds]
    model = pluggable(LETTERS, tier["width"], tier["depth"], tier["heads"], streams, outputs=LETTERS, widening=WIDENING)
    attention = layers(kind, tier)

    def drawn(step: int) -> tuple[Tensor, Tensor]:
        letters = strings(seeds, f"batch {step}", batch, length)
        return letters, prefixes(letters)

    fit.fit(
        model,
        loss=lambda net, tokens, labels: loss(net(tokens, attention), labels),
        batch=drawn,
        steps=tier["steps"],
        optimizer=Group(adamw.Rule(betas=(0.9, 0.99)), lr=RATE, decay=DECAY),
        schedule=lambda step: linear(tier["steps"], WARMUP, step),
        clip=CLIP,
    )

    def accuracy(n: int) -> Tensor:
        letters = strings(seeds, f"test {n}", tier["strings"], n).to(fit.device())
        with torch.no_grad():
            right = model(letters, attention).argmax(-1) == prefixes(letters)
        return right[..., max(1, n - length) :].double().mean((1, 2)).cpu()

    return {"short": accuracy(length), "long": accuracy(factor * length)}


def placed(kind: str, tier: Tier, positions: Tensor) -> list[Attention]:
    """An encoder's attention under given positions [N, 1, T]."""
    if kind.startswith("ALiBi"):
        return [Alibi(positions=positions, causal=False)] * tier["depth"]
    return [Rotary(theta(tier["width"], tier["heads"]), positions=positions, causal=False)] * tier["depth"]


def positions(seeds: Sequence[Seed], name: str, kind: str, number: int, length: int, most: int) -> Tensor:
    """[R number, 1, length]: 0, 1, 2, ..., or for "random" kinds as many sorted draws from 0 .. most - 1."""
    if "random" not in kind:
        return torch.arange(length).expand(len(seeds) * number, 1, length)
    places = [torch.rand(number, most, generator=seed.stream(name)).topk(length).indices for seed in seeds]
    return torch.cat(places).sort(-1).values.unsqueeze(1)


def encoder(seeds: Sequence[Seed], tier: Tier, *, kind: str, task: str) -> Mapping[str, Any]:
    """Accuracy at N and at 4 N of encoders trained at N."""
    length, batch, most = tier["length"], tier["batch"], tier["range"]
    streams = [seed.stream("weights") for seed in seeds]
    model = pluggable(
        LETTERS + 1, tier["width"], tier["depth"], tier["heads"], streams, outputs=LETTERS, widening=WIDENING
    )

    def asked(name: str, number: int, n: int) -> tuple[Tensor, Tensor, Tensor]:
        tokens, labels = whole(strings(seeds, name, number, n), task)
        places = positions(seeds, f"{name}, positions", kind, number, n + 1, most)
        return tokens, labels, places

    fit.fit(
        model,
        loss=lambda net, tokens, labels, places: loss(net(tokens, placed(kind, tier, places)), labels),
        batch=lambda step: asked(f"batch {step}", batch, length),
        steps=tier["steps"],
        optimizer=Group(adamw.Rule(betas=(0.9, 0.99)), lr=tier["rate"], decay=DECAY),
        schedule=lambda step: linear(tier["steps"], WARMUP, step),
        clip=CLIP,
    )

    def accuracy(n: int) -> Tensor:
        tokens, labels, places = (part.to(fit.device()) for part in asked(f"test {n}", tier["strings"], n))
        with torch.no_grad():
            right = model(tokens, placed(kind, tier, places)).argmax(-1) == labels
        return (right.flatten(1).sum(1, dtype=torch.float64) / (labels >= 0).flatten(1).sum(1)).cpu()

    return {"short": accuracy(length), "long": accuracy(4 * length)}


_SHAPE = {"width": 64, "depth": 2, "heads": 2, "batch": 32}
EVEN_PAIRS = Experiment(
    name="even-pairs",
    measure=even_pairs,
    arms=(Arm("RoPE", fixed={"kind": "RoPE"}), Arm(HWFA, fixed={"kind": HWFA})),
    tiers={
        "smoke": Tier(
            seeds=2, sizes={**_SHAPE, "width": 16, "length": 16, "window": 8, "steps": 20, "factor": 8, "strings": 16}
        ),
        "cpu": Tier(
            seeds=4, at_most=16, sizes={**_SHAPE, "length": 64, "window": 32, "steps": 160, "factor": 8, "strings": 16}
        ),
        "gpu": Tier(
            seeds=8,
            at_most=16,
            sizes={**_SHAPE, "length": 64, "window": 32, "steps": 1000, "factor": 8, "strings": 64},
        ),
    },
)
ENCODERS = ("RoPE", "RoPE, random", "ALiBi, random")
TASKS = ("even pairs", "reverse")
RANDOM = Experiment(
    name="random-positions",
    measure=encoder,
    arms=tuple(Arm(kind, fixed={"kind": kind}) for kind in ENCODERS),
    conditions={"task": TASKS},
    tiers={
        "gpu": Tier(
            seeds=8,
            at_most=16,
            sizes={**_SHAPE, "heads": 4, "length": 40, "range": 500, "steps": 5000, "rate": 1e-3, "strings": 256},
        )
    },
)
