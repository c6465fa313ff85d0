"""Character models: the headline's third cell (c1, c4) and, on a GPU, the same fight at the size of GPT-2 small.

The text is the standard library's own source; at the hub tier it is WikiText-103's.  A batch holds 64 sequences, the
least at which the post does not expect Lion to lose (32 at smoke).
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from suite import fit
from suite.blocks.data.distinct import distinct
from suite.blocks.data.draws import windows
from suite.blocks.data.stdlib_text import SYMBOLS, Text, stdlib_text
from suite.blocks.data.wikitext import wikitext
from suite.blocks.losses.cross_entropy import cross_entropy
from suite.blocks.models.transformer import Transformer, transformer
from suite.claims import Arm, Experiment, Tier, Winner
from suite.seeds import Seed
from tasks.lion_vs_adamw.digits import ADAMW, LION
from tasks.lion_vs_adamw.recipe import train


def text(tier: Tier) -> Text:
    if tier["source"] == "wikitext-103":
        found = wikitext(tier["characters"], tier["folder"])
    else:
        found = stdlib_text(tier["characters"])
    fit.uses(tier["source"], found.sha256)
    return found


def network(seeds: Sequence[Seed], tier: Tier) -> Transformer:
    return transformer(
        len(SYMBOLS),
        tier["width"],
        tier["depth"],
        tier["heads"],
        tier["context"],
        [seed.stream("weights") for seed in seeds],
        rope=False,
    )


def loss(model: nn.Module, text: Tensor) -> Tensor:
    """Mean loss [R] over sequences [R, B, T + 1]: every symbol from those before it."""
    return cross_entropy(model(text[..., :-1]), text[..., 1:])


def held_out(model: nn.Module, text: Tensor, context: int, number: int) -> Tensor:
    """Mean loss [R] over ``number`` windows spread evenly over a text."""
    models = len(next(model.parameters()))
    starts = torch.linspace(0, len(text) - context - 1, number).long()
    found = []
    for some in starts.split(64):
        x = windows(text, some.expand(models, -1), context + 1).to(fit.device())
        found.append(loss(model, x).float() * len(some))
    # One after the other: a sum over an axis takes another order for one model than for many.
    return functools.reduce(torch.add, found) / number


def measure(
    seeds: Sequence[Seed], tier: Tier, *, rule: str, lr: Sequence[float], decay: Sequence[float]
) -> Mapping[str, Sequence[Any]]:
    corpus, context = text(tier), tier["context"]
    different, row = distinct(seeds)
    parts = {"train": corpus.train, "validation": corpus.validation, "test": corpus.test}

    def batch(step: int) -> tuple[Tensor]:
        last = len(corpus.train) - context
        starts = [torch.randint(last, (tier["batch"],), generator=seed.stream(f"batch {step}")) for seed in different]
        return (windows(corpus.train, torch.stack(starts), context + 1)[row],)

    fitted = train(
        network(seeds, tier),
        rule,
        lr=lr,
        decay=decay,
        loss=loss,
        batch=batch,
        steps=tier["steps"],
        evaluate=lambda model: {name: held_out(model, part, context, tier["held_out"]) for name, part in parts.items()},
        precision=tier["precision"],
    )
    return {name: fitted.final(name).tolist() for name in fitted.curves}


_HERE = {"source": "standard library", "folder": "", "precision": "fp32"}
_TINY = {"characters": 1_500_000, "width": 32, "depth": 2, "heads": 2, "context": 16, "batch": 64, "held_out": 512}
_GPU = {**_HERE, "precision": "bf16", "characters": 4_000_000, "batch": 64, "held_out": 512}

# The rates and decays of the digits, which pilot runs on other seeds found to hold the optima of both arms here too.
EXPERIMENT = Experiment(
    name="characters",
    measure=measure,
    arms=(LION, ADAMW),
    tune_on="validation",
    tiers={
        "smoke": Tier(
            seeds=8,
            tuning_seeds=2,
            stack=14,
            sizes={
                **_HERE,
                **_TINY,
                "characters": 100_000,
                "width": 16,
                "depth": 1,
                "context": 8,
                "batch": 32,
                "steps": 80,
            },
        ),
        "cpu": Tier(seeds=16, tuning_seeds=4, at_most=64, stack=4, sizes={**_HERE, **_TINY, "steps": 256}),
        "gpu": Tier(
            seeds=16,
            tuning_seeds=4,
            at_most=64,
            stack=28,
            sizes={**_GPU, "width": 256, "depth": 4, "heads": 4, "context": 128, "steps": 600},
        ),
        "hub": Tier(
            seeds=16,
            tuning_seeds=4,
            at_most=64,
            stack=4,
            sizes={**_HERE, **_TINY, "source": "wikitext-103", "steps": 256},
        ),
    },
)
# 25 million weights to tune on, and the 85 million of GPT-2 small's blocks to judge (its 124 million hold a table of
# 50,257 words besides).
PROXY = Experiment(
    name="gpt2-proxy",
    measure=measure,
    arms=(LION, ADAMW),
    tune_on="validation",
    tiers={
        "gpu": Tier(
            seeds=2,
            tuning_seeds=4,
            stack=1,
            sizes={**_GPU, "width": 512, "depth": 8, "heads": 8, "context": 256, "steps": 200},
        )
    },
)
GPT2 = Experiment(
    name="gpt2",
    measure=measure,
    arms=tuple(Arm(name, like=Winner(experiment="gpt2-proxy", arm=name)) for name in ("lion", "adamw")),
    columns=("lr", "decay"),
    tiers={
        "gpu": Tier(
            seeds=8,
            at_most=16,
            stack=1,
            sizes={**_GPU, "width": 768, "depth": 12, "heads": 12, "context": 512, "steps": 200},
        )
    },
)
