"""Experiment "learned": how well the networks that every arm runs on know their task at the length of training."""

from collections.abc import Mapping, Sequence
from typing import Any

from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.rerope.networks import SIZES, examined, stack, treated


def measure(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Sequence[Any]]:
    """Accuracy at N with plain RoPE, of the networks without and with log n."""
    found: dict[str, Any] = {}
    for scale, name in (("none", "plain"), ("trained", "log_n")):
        answer = examined(stack(seeds, tier, scale), treated("RoPE", 0.0, scale, tier), seeds, tier, 1)
        found |= {f"{name}_{metric}": answer[metric] for metric in ("recall", "local")}
    return found


EXPERIMENT = Experiment(
    name="learned",
    measure=measure,
    tiers={
        "smoke": Tier(seeds=8, sizes={**SIZES["smoke"], "tokens": 2048}),
        "cpu": Tier(seeds=8, stack=4, at_most=16, sizes={**SIZES["cpu"], "tokens": 8192}),
        "gpu": Tier(seeds=8, at_most=16, sizes={**SIZES["gpu"], "tokens": 32_768}),
    },
)
