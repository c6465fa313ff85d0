"""Experiment "trained": the same comparison inside trained models.

Four small transformers from the same weights and on the same text: a language model that sees its input causally
("gpt") or both ways ("unilm"), trained on the output part alone; a masked language model whose heads all look both ways
("full"), or half of them forwards and half backwards ("half").  On held-out text every head's matrix is taken with its
own mask, and from the same logits with a triangle and without any mask; beside it, random logits of the same spread.

One learning rate for all four: no loss is compared here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from suite import fit
from suite.blocks.attention.heads import split_heads
from suite.blocks.data.draws import windows
from suite.blocks.data.stdlib_text import SYMBOLS, stdlib_text
from suite.blocks.losses.labelled_cross_entropy import labelled_cross_entropy
from suite.blocks.models.halves import before_attention
from suite.blocks.models.layers import Embedding, Linear, RMSNorm
from suite.blocks.models.transformer import Block
from suite.blocks.optim import adamw
from suite.blocks.optim.schedules import cosine
from suite.blocks.positions.packed import rotation
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from suite.stack import Group
from tasks.attention_rank import matrices

HOLE = len(SYMBOLS)  # the symbol that stands for a hidden one
HIDDEN = 0.15  # share of symbols that a masked language model has to guess
RATE, CLIP = 4e-3, 1.0


def visible(kind: str, heads: int, inputs: int, length: int) -> Tensor:
    """[heads, length, length], which positions a position sees.

    >>> visible("unilm", 1, 2, 3).int().tolist()
    [[[1, 1, 0], [1, 1, 0], [1, 1, 1]]]
    """
    full = torch.ones(length, length, dtype=torch.bool)
    if kind == "half":
        return torch.stack([full.tril() if head < heads // 2 else full.triu() for head in range(heads)])
    seen = full if kind == "full" else full.tril()
    if kind == "unilm":
        seen[:inputs, :inputs] = True
    return seen.expand(heads, -1, -1).clone()


class MaskedBlock(Block):
    """A block whose heads see what ``seen`` [H, T, T] lets them."""

    def __init__(self, streams: Sequence[Generator], width: int, heads: int, depth: int, seen: Tensor) -> None:
        super().__init__(streams, width, heads, depth, gain=False)
        self.register_buffer("seen", seen, persistent=False)

    def attend(self, qkv: Tensor) -> Tensor:
        q, k, v = split_heads(qkv, self.heads)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.seen[None])  # of four axes: else torch is slow
        return y.transpose(1, 2).reshape(*qkv.shape[:3], -1)

    def logits(self, x: Tensor, turn: Tensor) -> Tensor:
        """[R, B, H, T, T] before the mask, in float64."""
        q, k, _ = split_heads(before_attention(x, self.attention_norm, self.query_key_value, turn), self.heads)
        found = q.double() @ k.double().mT * q.shape[-1] ** -0.5
        return found.unflatten(0, x.shape[:2])


class Model(nn.Module):
    """tokens [R, B, T] to logits [R, B, T, symbols]; pre-norm, rotary positions, no biases, no gains."""

    def __init__(self, streams: Sequence[Generator], tier: Tier, seen: Tensor) -> None:
        super().__init__()
        width, depth, heads = tier["width"], tier["depth"], tier["heads"]
        self.embedding = Embedding(streams, HOLE + 1, width, std=width**-0.5)
        self.blocks = nn.ModuleList(MaskedBlock(streams, width, heads, depth, seen) for _ in range(depth))
        self.norm = RMSNorm(len(streams), width, gain=False)
        self.head = Linear(streams, width, HOLE, std=width**-0.5, bias=False)
        self.register_buffer("turn", rotation(seen.shape[-1], width, heads), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.turn)
        return self.head(self.norm(x))

    def attention_logits(self, tokens: Tensor) -> Tensor:
        """[depth, R, B, H, T, T], before any mask."""
        x, found = self.embedding(tokens), []
        for block in self.blocks:
            assert isinstance(block, MaskedBlock)
            found.append(block.logits(x, self.turn))
            x = block(x, self.turn)
        return torch.stack(found)


def loss(model: nn.Module, tokens: Tensor, targets: Tensor) -> Tensor:
    """[R] mean cross-entropy where ``targets`` [R, B, T] is not negative."""
    return labelled_cross_entropy(model(tokens), targets)


def task_of(kind: str, text: Tensor, holes: Tensor, inputs: int) -> tuple[Tensor, Tensor]:
    """Tokens and targets of windows [R, B, T + 1]; a hole is a number below HIDDEN.

    Language models get the next symbol of the output part, masked ones the symbols under the holes of the first T.
    """
    if kind in ("gpt", "unilm"):
        targets = text[..., 1:].clone()
        targets[..., : inputs - 1] = -1
        return text[..., :-1], targets
    text, hole = text[..., :-1], holes < HIDDEN
    hole[..., 0] |= ~hole.any(-1)
    return text.masked_fill(hole, HOLE), text.masked_fill(~hole, -1)


def spectra(model: Model, tokens: Tensor, seen: Tensor, random: Tensor) -> dict[str, Tensor]:
    """[R] over layers, windows and heads: geometric means of effective ranks, and logs of their ratios.

    ``random`` are logits of Gaussian queries and keys, in the shape of the trained ones [depth, R, B, H, T, T].  They
    are given the spread of each trained matrix: the root mean square of what is left of it when the mean of every row,
    which no softmax sees, is taken away.
    """
    logits = centred(model.attention_logits(tokens))
    spread = root_mean_square(logits)
    like = random / root_mean_square(random) * spread

    def rank(a: Tensor) -> Tensor:
        s = torch.linalg.svdvals(a.flatten(0, -3)).view(*a.shape[:-1])
        return overall(matrices.effective_rank(s))

    def both(logits: Tensor) -> tuple[Tensor, Tensor]:
        return rank(matrices.attention(logits, "lower")), rank(matrices.attention(logits, "none"))

    triangle, open_ = both(logits)
    random_triangle, random_open = both(like)
    return {
        "effective_rank": rank(torch.softmax(logits.masked_fill(~seen, -torch.inf), dim=-1)),
        "triangle": triangle,
        "open": open_,
        "mask_effect": (triangle / open_).log(),
        "random_effect": (random_triangle / random_open).log(),
        "logit_rank": rank(logits),
        "logit_sd": overall(spread[..., 0, 0]),
    }


def centred(logits: Tensor) -> Tensor:
    return logits - logits.mean(-1, keepdim=True)


def root_mean_square(matrix: Tensor) -> Tensor:
    return matrix.square().mean((-2, -1), keepdim=True).sqrt()


def overall(x: Tensor) -> Tensor:
    """[depth, R, B, H] to geometric means [R]."""
    return matrices.geometric_mean(x.transpose(0, 1).flatten(1))


def measure(seeds: Sequence[Seed], tier: Tier, *, kind: str) -> Mapping[str, Any]:
    text, inputs, batch = stdlib_text(tier["characters"]), tier["inputs"], tier["batch"]
    fit.uses("standard library", text.sha256)
    length = inputs + tier["outputs"]
    seen = visible(kind, tier["heads"], inputs, length)
    model = Model([seed.stream("weights") for seed in seeds], tier, seen)

    def draw(part: Tensor, number: int, name: str) -> tuple[Tensor, Tensor]:
        streams = [seed.stream(name) for seed in seeds]
        starts = torch.stack([torch.randint(len(part) - length, (number,), generator=stream) for stream in streams])
        holes = torch.stack([torch.rand(number, length, generator=stream) for stream in streams])
        return windows(part, starts, length + 1), holes

    fit.fit(
        model,
        loss=loss,
        batch=lambda step: task_of(kind, *draw(text.train, batch, f"batch {step}"), inputs),
        steps=tier["steps"],
        optimizer=Group(adamw.Rule(), lr=RATE, decay=0.0),
        schedule=cosine(tier["steps"], warmup=0.1),
        clip=CLIP,
    )
    with torch.no_grad():
        found, holes = draw(text.test, tier["windows"], "test")
        tokens, targets = (part.to(fit.device()) for part in task_of(kind, found, holes, inputs))
        loss_there = loss(model, tokens, targets)
        part = tokens[..., :inputs]
        cut = seen[:, :inputs, :inputs].to(part.device)
        for block in model.blocks:
            block.seen = cut
        return {"loss": loss_there, **spectra(model, part, cut, random_logits(seeds, tier))}


def random_logits(seeds: Sequence[Seed], tier: Tier) -> Tensor:
    """[depth, R, B, H, T, T] from Gaussian queries and keys of the models' head size, less the means of their rows."""
    shape = (2, tier["depth"], tier["windows"], tier["heads"], tier["inputs"], tier["width"] // tier["heads"])
    rows = [torch.randn(*shape, dtype=torch.float64, generator=seed.stream("random logits")) for seed in seeds]
    q, k = torch.stack(rows, dim=2).to(fit.device())
    return centred(q @ k.mT)


KINDS = ("gpt", "unilm", "half", "full")
EXPERIMENT = Experiment(
    name="trained",
    measure=measure,
    arms=tuple(Arm(kind, fixed={"kind": kind}) for kind in KINDS),
    tiers={
        "smoke": Tier(
            seeds=4,
            sizes={"characters": 200_000, "width": 16, "heads": 2, "depth": 1, "inputs": 32, "outputs": 8, "batch": 4,
                   "steps": 40, "windows": 2},
        ),
        "cpu": Tier(
            seeds=12,
            at_most=32,
            stack=6,
            sizes={"characters": 1_500_000, "width": 32, "heads": 2, "depth": 2, "inputs": 64, "outputs": 16,
                   "batch": 4, "steps": 200, "windows": 8},
        ),
        "gpu": Tier(
            seeds=8,
            at_most=16,
            stack=8,
            sizes={"characters": 4_000_000, "width": 256, "heads": 4, "depth": 4, "inputs": 512, "outputs": 128,
                   "batch": 32, "steps": 1000, "windows": 2},
        ),
    },
)  # fmt: skip
