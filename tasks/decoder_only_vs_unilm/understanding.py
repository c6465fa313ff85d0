"""Experiment "understanding": no generation, but a label for every token of the input.

The label says whether the same symbol comes again further on.  That depends on later tokens alone, as a word's part of
speech or a name's extent does in part, so that a causal model can only guess from the position.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from suite.blocks.attention import masks
from suite.blocks.models.masked_transformer import masked_transformer
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.decoder_only_vs_unilm import recipe
from tasks.decoder_only_vs_unilm.sizes import LARGE, RATES, SMALL, SMALLEST


def again(x: Tensor) -> Tensor:
    """1 where the same symbol stands further on in x [B, n], else 0.

    >>> again(torch.tensor([[5, 7, 5, 7, 7]])).tolist()
    [[1, 1, 0, 1, 0]]
    """
    return (x.unsqueeze(1) == x.unsqueeze(2)).triu(1).any(-1).long()


def measure(seeds: Sequence[Seed], tier: Tier, *, mask: str, lr: Sequence[float]) -> Mapping[str, Any]:
    length = tier["length"]  # and as many symbols

    def draw(seed: Seed, name: str, number: int, part: str) -> recipe.Batch:
        x = torch.randint(length, (number, length), generator=seed.stream(name))
        return x, again(x)

    seen = masks.causal(length) if mask == "causal" else masks.full(length)
    streams = [seed.stream("weights") for seed in seeds]
    model = masked_transformer(length, 2, tier["width"], tier["heads"], streams, [seen] * tier["depth"])
    recipe.train(model, draw, seeds, tier, lr, recipe.steps_of(seeds, tier))
    return recipe.judged(model, draw, seeds, tier)


EXPERIMENT = Experiment(
    name="understanding",
    measure=measure,
    arms=tuple(Arm(mask, fixed={"mask": mask}, tuned={"lr": RATES}) for mask in ("causal", "bidirectional")),
    tune_on="validation",
    tiers={
        "smoke": Tier(seeds=4, tuning_seeds=1, sizes={**SMALLEST, "length": 16, "steps": 20}),
        "cpu": Tier(
            seeds=8,
            tuning_seeds=4,
            at_most=24,
            stack=4,
            sizes={**SMALL, "batch": 16, "length": 32, "tuning_steps": 120, "steps": 200},
        ),
        "gpu": Tier(seeds=8, tuning_seeds=4, at_most=16, stack=4, sizes={**LARGE, "length": 256, "steps": 300}),
    },
)
