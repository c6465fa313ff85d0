"""Post 9736: what sign-momentum does to the embeddings of rare tokens, and the three cures (c14, c16).

A toy in which nothing else happens: tokens follow a Zipf law, the next token depends on the last one alone, and the
model is an embedding, a matrix, a norm and an untied head.  The distribution is known, so that the final loss is an
exact sum and not a noisy batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from suite import fit
from suite.blocks.models.layers import Embedding, Linear, RMSNorm
from suite.blocks.optim import adamw, lion, tiger
from suite.blocks.optim.schedules import cosine
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from suite.stack import Group

TOKENS, WIDTH, BATCH = 256, 16, 16
ZIPF = 1.5
LAMBDA = 0.1
NEAR = 0.9  # a component counts as saturated beyond this share of 1 / lambda
EDGES = tuple(i / 20 for i in range(-21, 22))


class Bigram(nn.Module):
    """Tokens [R, B] to logits [R, B, V]: head(norm(W e)); ``tied`` takes the embedding as the head."""

    def __init__(self, streams: Sequence[torch.Generator], tied: bool) -> None:
        super().__init__()
        self.embedding = Embedding(streams, TOKENS, WIDTH, std=WIDTH**-0.5)
        self.mix = Linear(streams, WIDTH, WIDTH, std=WIDTH**-0.5, bias=False)
        self.norm = RMSNorm(len(streams), WIDTH, gain=False)
        self.head = None if tied else Linear(streams, WIDTH, TOKENS, std=WIDTH**-0.5, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.norm(self.mix(self.embedding(tokens)))
        return torch.bmm(x, self.embedding.weight.transpose(1, 2)) if self.head is None else self.head(x)


@dataclass(frozen=True, kw_only=True)
class LazyTiger:
    """Tiger that leaves momentum and weight of a row alone while its token is absent, its gradient 0."""

    beta: float = 0.965
    state: ClassVar[tuple[str, ...]] = ("momentum",)
    per_parameter: ClassVar[bool] = True

    def __call__(
        self, weight: Tensor, gradient: Tensor, state: tuple[Tensor, ...], lr: Tensor, decay: float | Tensor, step: int
    ) -> None:
        present = (gradient != 0).any(-1, keepdim=True)
        moved, momentum = weight.clone(), state[0].clone()
        tiger.update(moved, gradient, momentum, lr, decay, self.beta)
        weight.copy_(torch.where(present, moved, weight))
        state[0].copy_(torch.where(present, momentum, state[0]))


def groups(rules: Sequence[str], eta: float) -> list[Group]:
    """The update rules of a stack whose model r follows ``rules[r]``; all with the same rate and decay."""
    on_embedding = {"lazy-tiger": LazyTiger(), "adam-on-embedding": adamw.Rule()}
    elsewhere = {"lion": lion.Rule(), "adamw": adamw.Rule()}
    found = []
    for name in dict.fromkeys(rules):
        rows = [row for row, rule in enumerate(rules) if rule == name]
        if name in on_embedding:
            found.append(Group(on_embedding[name], lr=eta, decay=LAMBDA, only=("embedding.weight",), models=rows))
        found.append(Group(elsewhere.get(name, tiger.Rule(beta=0.965)), lr=eta, decay=LAMBDA, models=rows))
    return found


def frequencies() -> Tensor:
    """Zipf: p_k ~ k^-1.5, [V] float64."""
    weight = torch.arange(1, TOKENS + 1, dtype=torch.float64) ** -ZIPF
    return weight / weight.sum()


def transitions(seed: Seed) -> Tensor:
    """p(next | last) [V, V] float64: the Zipf law, every entry times exp of 2 N(0, 1)."""
    noise = torch.randn(TOKENS, TOKENS, generator=seed.stream("transitions"), dtype=torch.float64)
    return (2 * noise + frequencies().log()).softmax(1)


def pairs(seed: Seed, steps: int) -> Tensor:
    """Last and next token of every example, [2, steps, B]."""
    last, following = torch.rand(2, steps * BATCH, generator=seed.stream("pairs"), dtype=torch.float64)
    x = torch.searchsorted(frequencies().cumsum(0), last).clamp_(max=TOKENS - 1)
    y = torch.empty_like(x)
    cumulated = transitions(seed).cumsum(1)
    for token in x.unique():
        here = x == token
        y[here] = torch.searchsorted(cumulated[token], following[here]).clamp_(max=TOKENS - 1)
    return torch.stack((x, y)).view(2, steps, BATCH)


def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(model(x).transpose(1, 2), y, reduction="none").mean(1)


def exact_loss(model: nn.Module, seeds: Sequence[Seed]) -> Tensor:
    """sum_x p(x) sum_y p(y | x) (-log q(y | x)), [R]."""
    every = torch.arange(TOKENS).expand(len(seeds), -1).to(fit.device())
    log_q = model(every).double().log_softmax(-1).cpu()
    p = torch.stack([transitions(seed) for seed in dict.fromkeys(seeds)])
    place = {seed: index for index, seed in enumerate(dict.fromkeys(seeds))}
    p = p[[place[seed] for seed in seeds]]
    return -(frequencies()[:, None] * p * log_q).sum((1, 2))


def measure(seeds: Sequence[Seed], tier: Tier, *, rule: Sequence[str], tied: bool) -> Mapping[str, Sequence[Any]]:
    steps, eta = tier["steps"], tier["eta"]  # half their product by lambda: time constants of the fixed point
    drawn = {seed: pairs(seed, steps) for seed in dict.fromkeys(seeds)}
    tokens = torch.stack([drawn[seed] for seed in seeds], 2)  # [2, steps, R, B]
    model = Bigram([seed.stream("weights") for seed in seeds], tied)
    fit.fit(
        model,
        loss=loss,
        batch=lambda step: (tokens[0, step], tokens[1, step]),
        steps=steps,
        optimizer=groups(rule, eta),
        schedule=cosine(steps, warmup=0.02),
    )
    with torch.no_grad():
        final = exact_loss(model, seeds)
        table = LAMBDA * model.embedding.weight.cpu()  # in units of the fixed point 1 / lambda
        others = [
            LAMBDA * p.cpu().flatten(1) for name, p in model.named_parameters() if not name.startswith("embedding")
        ]
    saturated = (table.abs() > NEAR).double().mean(2)  # [R, V]
    # Rare: expected to appear less than once within the 1 / (eta lambda) steps in which the fixed point draws near.
    expected = BATCH * frequencies() / (eta * LAMBDA)
    rare, frequent = expected < 1, expected > 10
    share_rare, share_frequent = saturated[:, rare].mean(1), saturated[:, frequent].mean(1)
    edges = torch.tensor(EDGES)
    return {
        "loss": final.tolist(),
        "peak": table.abs().amax((1, 2)).tolist(),
        "saturated": saturated.mean(1).tolist(),
        "saturated_rare": share_rare.tolist(),
        "saturated_frequent": share_frequent.tolist(),
        "rare_excess": (share_rare - 5 * share_frequent).tolist(),
        "saturated_others": (torch.cat(others, 1).abs() > NEAR).double().mean(1).tolist(),
        "counts_rare": [torch.histogram(row[rare].flatten(), edges).hist.int().tolist() for row in table],
        "counts_frequent": [torch.histogram(row[frequent].flatten(), edges).hist.int().tolist() for row in table],
    }


ARMS = ("tiger", "lion", "adamw", "lazy-tiger", "adam-on-embedding")
EXPERIMENT = Experiment(
    name="embedding",
    measure=measure,
    arms=(
        *(Arm(name, fixed={"rule": name, "tied": False}) for name in ARMS),
        Arm("tied", fixed={"rule": "tiger", "tied": True}),
    ),
    columns=("rule",),
    tiers={
        "smoke": Tier(seeds=2, sizes={"steps": 1_000, "eta": 0.08}),
        "cpu": Tier(seeds=16, at_most=64, sizes={"steps": 4_000, "eta": 0.03}),
    },
)
