"""Experiments "hwfa", "hwfa-ablations" and "families": networks that are trained with the attention they test with.

HWFA: L - 1 layers see a window of w tokens under RoPE, the last layer sees everything, knows no positions and has
log n.  Every arm has the same weights to begin with, the same batches, rate and number of steps.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from suite.blocks.attention.protocol import Attention
from suite.blocks.attention.rotary import Alibi, KeyNorm, NoPositions, Rotary
from suite.blocks.positions.log_scale import log_n
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.length_extrapolation.networks import LARGE, NETWORK, RECIPE, TINY, accuracies, learn, theta

HWFA = "HWFA"
ABLATIONS = ("RoPE in the full layer", "no log n", "all windows", "two full layers", "wide windows", "no RoPE")


def layers(kind: str, tier: Tier) -> list[Attention]:
    """The attention of each layer; ``tier`` gives depth L, window w, length N and the shape of a head."""
    depth, window, length = tier["depth"], tier["window"], tier["length"]
    frequencies, scale = theta(tier["width"], tier["heads"]), log_n(length)
    local, full = Rotary(frequencies, window=window), NoPositions(scale)
    if kind == "RoPE in the full layer":
        return [local] * (depth - 1) + [Rotary(frequencies, scale)]
    if kind == "no log n":
        return [local] * (depth - 1) + [NoPositions()]
    if kind == "all windows":
        return [local] * depth
    if kind == "two full layers":
        return [local] * (depth - 2) + [full, full]
    if kind == "wide windows":
        return [Rotary(frequencies, window=length)] * (depth - 1) + [full]
    if kind == "no RoPE":
        return [NoPositions(window=window)] * (depth - 1) + [full]
    whole: dict[str, list[Attention]] = {
        "RoPE": [Rotary(frequencies)] * depth,
        HWFA: [local] * (depth - 1) + [full],
        "NoPE": [NoPositions()] * depth,
        "NoPE, log n": [full] * depth,
        "ALiBi": [Alibi()] * depth,
        "normed keys": [KeyNorm(Rotary(frequencies))] * depth,
    }
    return whole[kind]


def measure(seeds: Sequence[Seed], tier: Tier, *, kind: str) -> Mapping[str, Any]:
    """Accuracies at N ("short") and at ``factor`` N of networks trained at N."""
    attention, length, factor = layers(kind, tier), tier["length"], tier["factor"]
    model = learn(seeds, attention, **{name: tier[name] for name in RECIPE}).eval()
    there = accuracies(model, attention, seeds, factor * length, tier["sequences"], far=length)
    here = accuracies(model, attention, seeds, length, tier["sequences"] * factor, far=length)
    return {**there, "short": here["mean"], "short_recall": here["recall"], "short_local": here["local"]}


def arms(*kinds: str) -> tuple[Arm, ...]:
    return tuple(Arm(kind, fixed={"kind": kind}) for kind in kinds)


TEST = {"factor": 8, "sequences": 16}
EXPERIMENT = Experiment(
    name="hwfa",
    measure=measure,
    arms=arms("RoPE", HWFA, "RoPE in the full layer"),
    tiers={
        "smoke": Tier(seeds=2, sizes={**TINY, **TEST, "depth": 2, "steps": 20, "window": 8, "sequences": 8}),
        "cpu": Tier(seeds=4, at_most=16, sizes={**NETWORK, **TEST, "steps": 700, "window": 32}),
        "gpu": Tier(seeds=8, at_most=16, sizes={**LARGE, **TEST, "window": 64}),
    },
)
# (w - 1)(L - 1) + 1 = 46 of N = 64: three windows of 16 cannot see past the training length.
DEEP = {**NETWORK, **TEST, "depth": 4, "window": 16, "steps": 1400}
ABLATED = Experiment(
    name="hwfa-ablations",
    measure=measure,
    arms=arms(HWFA, *ABLATIONS),
    tiers={"gpu": Tier(seeds=8, at_most=16, sizes=DEEP)},
)
# Eight heads: with two, the slopes of ALiBi cannot tell three offsets apart.
FAMILIES = Experiment(
    name="families",
    measure=measure,
    arms=arms("RoPE", "NoPE", "NoPE, log n", "ALiBi", "normed keys"),
    tiers={
        "gpu": Tier(
            seeds=8, at_most=16, sizes={**NETWORK, **TEST, "width": 128, "heads": 8, "steps": 1400, "window": 64}
        )
    },
)
