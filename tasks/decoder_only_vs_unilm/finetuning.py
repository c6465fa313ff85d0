"""Experiment "finetuning": the fight of "continuation" once from scratch and once after pre-training on denoising.

Pre-training takes one rate for both masks; the rate of the fine-tuning is tuned.  A seed's network is pre-trained once
for all the rates that are tried on it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from suite.blocks.data.distinct import distinct
from suite.blocks.models.masked_transformer import MaskedTransformer
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.decoder_only_vs_unilm import recipe
from tasks.decoder_only_vs_unilm.generation import drawer, network
from tasks.decoder_only_vs_unilm.sizes import LARGE, RATES, SMALL, SMALLEST


def pretrained(seeds: Sequence[Seed], tier: Tier, mask: str) -> MaskedTransformer:
    """One model per entry of ``seeds``, trained to restore a text of n symbols, some of them hidden."""
    inputs = tier["inputs"]
    different, row = distinct(seeds)
    teacher = network(different, tier, mask, inputs, inputs)
    recipe.train(
        teacher,
        drawer("denoise", tier),
        different,
        tier,
        tier["pretraining_lr"],
        tier["pretraining"],
        name="pretraining",
    )
    model = network(seeds, tier, mask, inputs, inputs)
    model.load_state_dict({name: weight[row] for name, weight in teacher.state_dict().items()})
    return model


def measure(
    seeds: Sequence[Seed], tier: Tier, *, mask: str, pretraining: int, lr: Sequence[float]
) -> Mapping[str, Any]:
    draw, inputs = drawer("continue", tier), tier["inputs"]
    model = pretrained(seeds, tier, mask) if pretraining else network(seeds, tier, mask, inputs, inputs)
    recipe.train(model, draw, seeds, tier, lr, recipe.steps_of(seeds, tier))
    return recipe.judged(model, draw, seeds, tier)


EXPERIMENT = Experiment(
    name="finetuning",
    measure=measure,
    arms=tuple(Arm(mask, fixed={"mask": mask}, tuned={"lr": RATES}) for mask in ("gpt", "unilm")),
    conditions={"pretraining": (0, 1)},
    tune_on="validation",
    tiers={
        "smoke": Tier(
            seeds=4,
            tuning_seeds=1,
            sizes={**SMALLEST, "inputs": 16, "outputs": 16, "pretraining": 16, "pretraining_lr": 0.01, "steps": 16},
        ),
        "cpu": Tier(
            seeds=8,
            tuning_seeds=4,
            at_most=24,
            stack=12,
            sizes={
                **SMALL,
                "inputs": 24,
                "outputs": 24,
                "pretraining": 250,
                "pretraining_lr": 0.01,
                "tuning_steps": 60,
                "steps": 120,
            },
        ),
        "gpu": Tier(
            seeds=8,
            tuning_seeds=4,
            at_most=16,
            stack=12,
            sizes={
                **LARGE,
                "inputs": 256,
                "outputs": 256,
                "pretraining": 400,
                "pretraining_lr": 0.002,
                "tuning_steps": 80,
                "steps": 200,
            },
        ),
    },
)
