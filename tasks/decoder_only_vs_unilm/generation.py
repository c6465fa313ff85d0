"""Experiments "continuation" and "tasks": an input, a mark, an output; loss on the output alone.

z = [x_1 .. x_n, mark, y_1 .. y_m] is fed without its last symbol; the mark, at position n, predicts y_1.  GPT sees
j <= i everywhere, UniLM also the whole input from within it (mark included).  With separate weights every matrix of a
layer exists twice, for the positions up to the mark and for those after it, equal at first.
"""

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
from tasks.decoder_only_vs_unilm.text import MARK, V, holes, text, windows

NOISE = 0.3  # share of hidden symbols in "denoise"
SYMBOLS = 32  # of the lists


def framed(x: Tensor, y: Tensor) -> recipe.Batch:
    """Tokens [B, n + m] and targets [B, m] of inputs [B, n] and outputs [B, m].

    >>> framed(torch.tensor([[1, 2]]), torch.tensor([[3, 4]]))[0].tolist()
    [[1, 2, 96, 3]]
    """
    return torch.cat((x, torch.full_like(x[:, :1], MARK), y[:, :-1]), 1), y


def larger_later(x: Tensor) -> Tensor:
    """For every entry of x [B, n], how many later ones are larger.

    >>> larger_later(torch.tensor([[1, 3, 2, 3]])).tolist()
    [[3, 0, 1, 0]]
    """
    return (x.unsqueeze(1) > x.unsqueeze(2)).triu(1).sum(-1)


def drawer(task: str, tier: Tier) -> recipe.Draw:
    """Examples of a task: "continue" and "denoise" of the text, "sort" and "count-larger" of random lists."""
    inputs, outputs = shape(task, tier)
    corpus = text(tier) if task in ("continue", "denoise") else None

    def draw(seed: Seed, name: str, number: int, part: str) -> recipe.Batch:
        if corpus is None:
            x = torch.randint(SYMBOLS, (number, inputs), generator=seed.stream(name))
            return framed(x, x.sort(-1).values if task == "sort" else larger_later(x))
        z = windows(seed, name, getattr(corpus, part), number, inputs + (outputs if task == "continue" else 0))
        if task == "continue":
            return framed(z[:, :inputs], z[:, inputs:])
        return framed(z.masked_fill(holes(seed, name, number, inputs, NOISE), MARK), z)

    return draw


def shape(task: str, tier: Tier) -> tuple[int, int]:
    """(n, m)."""
    inputs = tier["inputs"]
    return (inputs, tier["outputs"]) if task == "continue" else (inputs, inputs)


def seen(mask: str, inputs: int, outputs: int) -> Tensor:
    """[T, T], what "gpt" or "unilm" sees of an input with its mark and of an output without its end."""
    length = inputs + outputs
    return masks.causal(length) if mask == "gpt" else masks.prefix(length, inputs + 1)


def network(
    seeds: Sequence[Seed], tier: Tier, mask: str, inputs: int, outputs: int, weights: str = "shared"
) -> MaskedTransformer:
    """``weights``: "shared", "separate" for input and output, or "wide": shared, as many as the separate ones."""
    wide = weights == "wide"
    return masked_transformer(
        V + 1,
        V,
        tier["wide"][0] if wide else tier["width"],
        tier["heads"],
        [seed.stream("weights") for seed in seeds],
        [seen(mask, inputs, outputs)] * tier["depth"],
        hidden=tier["wide"][1] if wide else None,
        split=inputs + 1 if weights == "separate" else None,
    )


def with_input(draw: recipe.Draw, inputs: int) -> recipe.Draw:
    """The same where the input is to be predicted too, as an ordinary language model does; not in held-out data."""

    def whole(seed: Seed, name: str, number: int, part: str) -> recipe.Batch:
        tokens, targets = draw(seed, name, number, part)
        if part != "train":
            return tokens, targets
        unknown = torch.full_like(targets[:, :1], -1)  # what the last symbol of the input predicts is the mark
        return tokens, torch.cat((tokens[:, 1:inputs], unknown, targets), 1)

    return whole


def measure(
    seeds: Sequence[Seed],
    tier: Tier,
    *,
    mask: str,
    lr: Sequence[float],
    task: str = "continue",
    weights: str = "shared",
    supervise: str = "output",
) -> Mapping[str, Any]:
    inputs, outputs = shape(task, tier)
    draw = drawer(task, tier)
    model = network(seeds, tier, mask, inputs, outputs, weights)
    draw = with_input(draw, inputs) if supervise == "both" else draw
    recipe.train(model, draw, seeds, tier, lr, recipe.steps_of(seeds, tier))
    return recipe.judged(model, draw, seeds, tier)


def tuned(name: str, rates: tuple[float, ...], fixed: Mapping[str, Any]) -> Arm:
    return Arm(name, fixed=fixed, tuned={"lr": rates})


SEPARATE, WIDE = {"weights": "separate"}, {"weights": "wide"}
CONTINUATION = Experiment(
    name="continuation",
    measure=measure,
    arms=(
        tuned("gpt", RATES, {"mask": "gpt"}),
        tuned("unilm", RATES, {"mask": "unilm"}),
        tuned("gpt-separate", RATES, {"mask": "gpt", **SEPARATE}),
        tuned("unilm-separate", RATES, {"mask": "unilm", **SEPARATE}),
        tuned("gpt-wide", RATES, {"mask": "gpt", **WIDE}),
        tuned("gpt-on-all", RATES, {"mask": "gpt", "supervise": "both"}),
    ),
    tune_on="validation",
    tiers={
        "smoke": Tier(
            seeds=8,
            tuning_seeds=1,
            sizes={
                **SMALLEST,
                "inputs": 8,
                "outputs": 8,
                "batch": 10,
                "held_out": 64,
                "tuning_steps": 50,
                "steps": 100,
            },
        ),
        "cpu": Tier(
            seeds=8, tuning_seeds=4, at_most=24, stack=4, sizes={**SMALL, "inputs": 48, "outputs": 16, "steps": 250}
        ),
        "gpu": Tier(seeds=8, tuning_seeds=4, at_most=16, stack=4, sizes={**LARGE, "inputs": 256, "outputs": 256}),
        "hub": Tier(
            seeds=8,
            tuning_seeds=4,
            at_most=24,
            stack=4,
            sizes={**SMALL, "source": "wikitext-103", "inputs": 48, "outputs": 16, "steps": 250},
        ),
    },
)
TASKS = Experiment(
    name="tasks",
    measure=measure,
    arms=(tuned("gpt", RATES, {"mask": "gpt"}), tuned("unilm", RATES, {"mask": "unilm"})),
    conditions={"task": ("denoise", "sort", "count-larger")},
    tune_on="validation",
    tiers={
        "smoke": Tier(seeds=4, tuning_seeds=1, sizes={**SMALLEST, "inputs": 16, "steps": 20}),
        "cpu": Tier(
            seeds=8,
            tuning_seeds=4,
            at_most=24,
            stack=4,
            sizes={**SMALL, "batch": 16, "inputs": 16, "tuning_steps": 120, "steps": 320},
        ),
        "gpu": Tier(
            seeds=8, tuning_seeds=4, at_most=16, stack=4, sizes={**LARGE, "heads": 16, "inputs": 64, "batch": 64}
        ),
    },
)
