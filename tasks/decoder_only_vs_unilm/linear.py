"""Experiments "linear" and "order": linear against softmax attention, and language models without positions.

Each pair is trained as a language model (``masked`` 0: every symbol from those before it) and as a masked one
(``masked`` 1: no mask in the attention, 15 % of the symbols hidden).  Both kinds of attention get rotary positions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from suite.blocks.attention import masks
from suite.blocks.models.masked_transformer import masked_transformer
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.decoder_only_vs_unilm import masked as masked_models
from tasks.decoder_only_vs_unilm import recipe
from tasks.decoder_only_vs_unilm.sizes import LARGE, RATES, SMALL, SMALLEST
from tasks.decoder_only_vs_unilm.text import V, text, unigram, windows


def next_symbols(tier: Tier) -> recipe.Draw:
    corpus, length = text(tier), tier["length"]

    def draw(seed: Seed, name: str, number: int, part: str) -> recipe.Batch:
        z = windows(seed, name, getattr(corpus, part), number, length + 1)
        return z[:, :-1], z[:, 1:]

    return draw


def measure(
    seeds: Sequence[Seed], tier: Tier, *, lr: Sequence[float], masked: int = 0, kind: str = "softmax", rope: bool = True
) -> Mapping[str, Any]:
    draw = masked_models.drawer(tier) if masked else next_symbols(tier)
    mask = masks.full(tier["length"]) if masked else masks.causal(tier["length"])
    streams = [seed.stream("weights") for seed in seeds]
    model = masked_transformer(
        V + 1, V, tier["width"], tier["heads"], streams, [mask] * tier["depth"], rope=rope, kind=kind
    )
    recipe.train(model, draw, seeds, tier, lr, recipe.steps_of(seeds, tier))
    found = recipe.judged(model, draw, seeds, tier)
    if seeds[0].purpose == "tune":
        return found
    targets = recipe.drawn(draw, seeds, "test", tier["held_out"], "test")[1]
    floor = torch.tensor([unigram(text(tier).train, own) for own in targets])
    return {**found, "below_unigram": floor - found["test"]}


TIERS = {
    "smoke": Tier(seeds=4, tuning_seeds=1, sizes={**SMALLEST, "length": 16, "steps": 16}),
    "cpu": Tier(seeds=8, tuning_seeds=4, at_most=24, stack=4, sizes={**SMALL, "length": 48, "steps": 200}),
    "gpu": Tier(seeds=8, tuning_seeds=4, at_most=16, stack=4, sizes={**LARGE, "length": 256}),
}
LINEAR = Experiment(
    name="linear",
    measure=measure,
    arms=tuple(Arm(kind, fixed={"kind": kind}, tuned={"lr": RATES}) for kind in ("softmax", "linear")),
    conditions={"masked": (0, 1)},
    tune_on="validation",
    tiers=TIERS,
)
ORDER = Experiment(
    name="order",
    measure=measure,
    arms=tuple(Arm(name, fixed={"rope": name == "rope"}, tuned={"lr": RATES}) for name in ("rope", "none")),
    tune_on="validation",
    tiers=TIERS,
)
