"""Experiment "retrieval": language models trained with a base below the bound and one above it (the paper's
"superficial" long context).

Text is the standard library's own source.  Facts are planted in it, three symbols each: (mark, key, value) somewhere
and (ask, key, value) later on; the value that follows ``ask`` can only be known by looking back.  Judged apart: the
loss on the text between the facts, and the share of values that are recalled over at least three quarters of the
context.

R models, B sequences, T positions, F facts.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from suite import fit
from suite.blocks.data.draws import windows
from suite.blocks.data.stdlib_text import SYMBOLS, Text, stdlib_text
from suite.blocks.models.transformer import Transformer, transformer
from suite.blocks.optim import adamw
from suite.blocks.optim.schedules import cosine
from suite.blocks.positions.packed import rotation
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from suite.stack import Group

KEYS = 64  # as many values
MARK, ASK, KEY, VALUE = (len(SYMBOLS) + n for n in (0, 1, 2, 2 + KEYS))
VOCABULARY = VALUE + KEYS
SLOT = 16  # a fact begins at a multiple of this


def slots(number: int, facts: int, where: str, batch: int, stream: Generator) -> Tensor:
    """Where each fact stands and where it is asked for, as slots of ``number``: [B, F, 2], the first below the second.

    anywhere  two slots drawn freely          far   from the first eighth to the last: at least 3/4 of the context
    near      both in the last quarter
    """
    if where == "far":
        eighth = number // 8
        first, second = (torch.rand(batch, eighth, generator=stream).argsort(1)[:, :facts] for _ in range(2))
        return torch.stack([first, second + number - eighth], 2)
    among = number if where == "anywhere" else number // 4
    drawn = torch.rand(batch, among, generator=stream).argsort(1)[:, : 2 * facts] + number - among
    return drawn.view(batch, facts, 2).sort(2).values


def planted(text: Tensor, facts: int, where: str, stream: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Facts in text [B, T + 1]: the sequences, which symbols belong to no fact, where the asked values stand [B, F]."""
    batch, length = text.shape
    text, plain = text.clone(), torch.ones_like(text, dtype=torch.bool)
    place = slots((length - 1) // SLOT, facts, where, batch, stream) * SLOT + 1
    keys = torch.rand(batch, KEYS, generator=stream).argsort(1)[:, :facts]
    values = torch.randint(KEYS, (batch, facts), generator=stream)
    rows = torch.arange(batch).unsqueeze(1)
    for side, sign in enumerate((MARK, ASK)):
        for offset, symbol in enumerate((torch.full_like(keys, sign), KEY + keys, VALUE + values)):
            text[rows, place[..., side] + offset] = symbol
            plain[rows, place[..., side] + offset] = False
    return text, plain, place[..., 1] + 2


def sequences(
    text: Tensor, seed: Seed, name: str, tier: Tier, number: int, where: str
) -> tuple[Tensor, Tensor, Tensor]:
    """``number`` windows of a text with facts in them, from the seed's stream of that name."""
    stream, context = seed.stream(name), tier["context"]
    starts = torch.randint(len(text) - context, (number,), generator=stream)
    facts = {"anywhere": tier["facts"], "far": tier["asked"], "near": tier["asked"]}[where]
    return planted(windows(text, starts, context + 1), facts, where, stream)


def losses(model: nn.Module, text: Tensor, plain: Tensor, asked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean loss on plain text [R], on asked values [R], and the share of these that come out right [R]."""
    logits = model(text[..., :-1]).float()
    each = F.cross_entropy(logits.flatten(0, -2), text[..., 1:].flatten(), reduction="none").view_as(text[..., 1:])
    weight = plain[..., 1:].float()
    right = (logits.argmax(-1) == text[..., 1:]).float()
    mean_text = (each * weight).sum((1, 2)) / weight.sum((1, 2))
    return mean_text, each.gather(2, asked - 1).mean((1, 2)), right.gather(2, asked - 1).mean((1, 2))


def network(seeds: Sequence[Seed], tier: Tier, base: float) -> Transformer:
    """A stack of transformers whose rotary base is ``base``."""
    width, heads, context = tier["width"], tier["heads"], tier["context"]
    streams = [seed.stream("weights") for seed in seeds]
    model = transformer(VOCABULARY, width, tier["depth"], heads, context, streams)
    model.register_buffer("turn", rotation(context, width, heads, base), persistent=False)
    return model


def corpus(tier: Tier) -> Text:
    text = stdlib_text(tier["characters"])
    fit.uses("standard library", text.sha256)
    return text


def measure(seeds: Sequence[Seed], tier: Tier, *, base: float, lr: Sequence[float]) -> dict[str, list[float]]:
    """Train a stack on text with facts anywhere; loss on text and recall on held-out text, far and near."""
    text, model = corpus(tier), network(seeds, tier, base)
    different = list(dict.fromkeys(seeds))
    row = [different.index(seed) for seed in seeds]

    def stacked(part: Tensor, name: str, number: int, where: str) -> list[Tensor]:
        drawn = [sequences(part, seed, name, tier, number, where) for seed in different]
        return [torch.stack(same)[row] for same in zip(*drawn, strict=True)]

    def loss(model: nn.Module, text: Tensor, plain: Tensor, asked: Tensor) -> Tensor:
        on_text, on_values, _ = losses(model, text, plain, asked)
        return on_text + on_values

    fit.fit(
        model,
        loss=loss,
        batch=lambda step: tuple(stacked(text.train, f"batch {step}", tier["batch"], "anywhere")),
        steps=tier["steps"],
        optimizer=Group(adamw.Rule(betas=(0.9, 0.98)), lr=lr, decay=0.1),
        schedule=cosine(tier["steps"], warmup=0.1),
        clip=1.0,
        record=20,
        precision=tier["precision"],
    )
    found: dict[str, list[float]] = {}
    with torch.no_grad():
        for name, part, where in (
            ("validation", text.validation, "anywhere"),
            ("far", text.test, "far"),
            ("near", text.test, "near"),
        ):
            rounds = []
            for n in range(tier["rounds"]):
                tensors = [t.to(fit.device()) for t in stacked(part, f"{name} {n}", tier["batch"], where)]
                rounds.append(torch.stack(losses(model, *tensors)))
            on_text, on_values, right = torch.stack(rounds).mean(0).tolist()
            if name == "validation":
                found["validation"] = [a + b for a, b in zip(on_text, on_values, strict=True)]
            else:
                found |= {f"{name}_recall": right, f"{name}_text_loss": on_text}
    return found


RATES = (5e-4, 1e-3, 2e-3)
EXPERIMENT = Experiment(
    name="retrieval",
    measure=measure,
    arms=(
        Arm("below the bound", fixed={"base": 500.0}, tuned={"lr": RATES}),
        Arm("above the bound", fixed={"base": 12_000.0}, tuned={"lr": RATES}),
    ),
    tune_on="validation",
    tiers={
        "gpu": Tier(
            seeds=8,
            at_most=16,
            tuning_seeds=4,
            stack=6,
            sizes={
                "characters": 4_000_000,
                "context": 2048,
                "facts": 24,
                "asked": 12,
                "width": 256,
                "heads": 2,
                "depth": 3,
                "batch": 8,
                "rounds": 16,
                "steps": 2000,
                "precision": "bf16",
            },
        )
    },
)
