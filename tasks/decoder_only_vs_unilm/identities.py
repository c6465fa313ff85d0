"""Experiment "identities": what must hold to the last digit, and that the arms differ in the mask alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from suite.blocks.attention import masks
from suite.blocks.models.masked_transformer import masked_transformer
from suite.claims import Experiment, Tier
from suite.seeds import Seed
from suite.stack import row_hashes
from tasks.decoder_only_vs_unilm import finetuning, generation, linear, masked, recipe, understanding

TRAINED = (generation.CONTINUATION, generation.TASKS, masked.EXPERIMENT, linear.LINEAR, linear.ORDER)


def least_ratio() -> float:
    """The least length over head size, n / d, of all trainings on this page, smoke left out."""
    found = []
    for experiment in (*TRAINED, finetuning.EXPERIMENT, understanding.EXPERIMENT):
        for sizes in (tier.sizes for name, tier in experiment.tiers.items() if name != "smoke"):
            length = sizes.get("length") or sizes["inputs"] + sizes.get("outputs", sizes["inputs"])
            found.append(length / (sizes["width"] / sizes["heads"]))
    return min(found)


def weights(model: torch.nn.Module) -> int:
    """Weights of one model of the stack."""
    return sum(parameter[0].numel() for parameter in model.parameters())


def pairing(seed: Seed, tier: Tier) -> tuple[float, float, float]:
    """(weights of UniLM less GPT's, tensors that differ at first, batches that differ) of the two arms."""
    n, m = tier["inputs"], tier["outputs"]
    models = [generation.network([seed], tier, mask, n, m) for mask in ("gpt", "unilm")]
    first, second = (row_hashes(model)[0] for model in models)
    draw = generation.drawer("continue", tier)
    batches = [[draw(seed, f"batch {step}", tier["batch"], "train") for step in range(4)] for _ in models]
    same = [torch.equal(a, b) for x, y in zip(*batches, strict=True) for a, b in zip(x, y, strict=True)]
    return float(weights(models[1]) - weights(models[0])), float(first != second), float(len(same) - sum(same))


def mask_effect(seed: Seed, tier: Tier, depth: int) -> float:
    """|loss of GPT - loss of UniLM| on test data after a few steps from the same weights and batches."""
    shallow = replace(tier, sizes={**tier.sizes, "depth": depth})
    draw, losses = generation.drawer("continue", tier), []
    for mask in ("gpt", "unilm"):
        model = generation.network([seed], shallow, mask, tier["inputs"], tier["outputs"])
        recipe.train(model, draw, [seed], shallow, 0.01, tier["steps"])
        losses.append(float(recipe.judged(model, draw, [seed], shallow)["test"]))
    return abs(losses[0] - losses[1])


def reordering(seed: Seed, seen: Tensor) -> float:
    """max |f(P x) - P f(x)| over a random order P, for a fresh network of two layers without positions."""
    length = seen.shape[-1]
    model = masked_transformer(32, 8, 32, 4, [seed.stream("weights")], [seen] * 2, rope=False)
    x = torch.randint(32, (1, 4, length), generator=seed.stream("tokens"))
    order = torch.rand(length, generator=seed.stream("order")).argsort()
    with torch.no_grad():
        return float((model(x[..., order]) - model(x)[:, :, order]).abs().max())


def wide_over_separate(seed: Seed, tier: Tier) -> float:
    """Weights of the wide decoder over those of the one with separate weights."""
    both = [generation.network([seed], tier, "gpt", 8, 8, weights=kind) for kind in ("wide", "separate")]
    return weights(both[0]) / weights(both[1])


def measure(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Any]:
    pairs = [pairing(seed, tier) for seed in seeds]
    length = tier["length"]
    return {
        "head_size": [768 / 12 for _ in seeds],
        "bert_ratio": [512 / (768 / 12) for _ in seeds],
        "least_ratio": [least_ratio() for _ in seeds],
        "weights_apart": [pair[0] for pair in pairs],
        "starts_apart": [pair[1] for pair in pairs],
        "batches_apart": [pair[2] for pair in pairs],
        "effect_at_one_layer": [mask_effect(seed, tier, 1) for seed in seeds],
        "effect_at_two_layers": [mask_effect(seed, tier, 2) for seed in seeds],
        "reordering_full": [reordering(seed, masks.full(length)) for seed in seeds],
        "reordering_causal": [reordering(seed, masks.causal(length)) for seed in seeds],
        "wide_over_separate": [wide_over_separate(seed, tier) for seed in seeds],
    }


_CPU = {**generation.CONTINUATION.tiers["cpu"].sizes, "length": 32}
EXPERIMENT = Experiment(
    name="identities",
    measure=measure,
    tiers={
        "smoke": Tier(seeds=2, sizes={**generation.CONTINUATION.tiers["smoke"].sizes, "length": 16, "steps": 4}),
        "cpu": Tier(seeds=4, sizes={**_CPU, "held_out": 64, "steps": 8}),
        "gpu": Tier(seeds=2, sizes={**generation.CONTINUATION.tiers["gpu"].sizes, "length": 64, "steps": 8}),
    },
)
