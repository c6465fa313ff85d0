"""Experiment "lengths": how far plain RoPE holds (c12), and NTK-RoPE made for k times the length (c13)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from suite.blocks.attention.rotary import Rotary
from suite.blocks.data.distinct import distinct
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.length_extrapolation.inference import rescaled
from tasks.length_extrapolation.networks import LARGE, NETWORK, TINY, accuracies, networks, theta

MULTIPLES = (1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16)
FACTORS = (2, 4, 8, 16)
RAGGED, LOST = 0.02, 0.05  # drops in accuracy at which c12 and c13 call the end


def reach(lengths: Sequence[float], accuracy: Sequence[float], drop: float) -> float:
    """The length at which the accuracy has first fallen by ``drop`` below its first value.

    Straight lines between the points, over the logarithm of the length; the last length where it never falls so far.

    >>> round(reach([1, 2, 4], [1.0, 1.0, 0.5], 0.25), 14), reach([1, 2], [0.9, 0.95], 0.05)
    (2.82842712474619, 2)
    """
    floor = accuracy[0] - drop
    for i in range(1, len(lengths)):
        if accuracy[i] < floor:
            part = (accuracy[i - 1] - floor) / (accuracy[i - 1] - accuracy[i])
            return math.exp(math.log(lengths[i - 1]) * (1 - part) + math.log(lengths[i]) * part)
    return lengths[-1]


def measure(
    seeds: Sequence[Seed], tier: Tier, *, method: Sequence[str], factor: Sequence[int]
) -> Mapping[str, Sequence[Any]]:
    """Mean accuracy over the lengths ("accuracy"), and how far it holds, in multiples of N and of k N."""
    different, rows = distinct(seeds)
    model, length = networks(different, tier, log_n=False), tier["length"]
    frequencies = theta(tier["width"], tier["heads"])
    lengths = [round(multiple * length) for multiple in MULTIPLES]
    found = {}
    for how in dict.fromkeys(zip(method, factor, strict=True)):
        attention = [Rotary(rescaled(how[0], 0.0, frequencies, how[1], length))] * tier["depth"]
        curves = [
            accuracies(model, attention, different, n, max(2, tier["tokens"] // n), far=length)["mean"].tolist()
            for n in lengths
        ]
        found[how] = list(zip(*curves, strict=True))
    entries = [(found[how][row], how[1]) for how, row in zip(zip(method, factor, strict=True), rows, strict=True)]
    return {
        "accuracy": [list(curve) for curve, _ in entries],
        "multiple": [[n / length for n in lengths] for _ in entries],
        "tolerated": [reach(lengths, curve, RAGGED) / length for curve, _ in entries],
        "usable": [reach(lengths, curve, LOST) / (k * length) for curve, k in entries],
    }


EXPERIMENT = Experiment(
    name="lengths",
    measure=measure,
    arms=(
        Arm("RoPE", fixed={"method": "RoPE", "factor": 1}),
        *(Arm(f"NTK k={k}", fixed={"method": "NTK-bloc97", "factor": k}) for k in FACTORS),
    ),
    columns=("method", "factor"),
    tiers={
        "smoke": Tier(seeds=4, sizes={**TINY, "tokens": 512}),
        "cpu": Tier(seeds=8, at_most=32, sizes={**NETWORK, "tokens": 4096}),
        "gpu": Tier(seeds=8, at_most=32, sizes={**LARGE, "tokens": 32768}),
    },
)
