"""Learning-rate schedules: functions of the step (from 0) that return what the learning rate is multiplied by."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def constant(*, warmup: int = 0) -> Callable[[int], float]:
    """1, after a linear rise over ``warmup`` steps: (t + 1) / warmup.

    >>> [constant(warmup=4)(t) for t in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """
    return lambda step: min(1.0, (step + 1) / warmup) if warmup else 1.0


def cosine(
    steps: int, *, warmup: float | Sequence[float] = 0.05, floor: float = 0.0
) -> Callable[[int], float | Tensor]:
    """Linear rise over the first ``warmup`` share of the steps, then half a cosine from 1 down to ``floor``.

        w = round(warmup steps)
        t < w   (t + 1) / w
        else    floor + (1 - floor) (1 + cos(pi (t - w) / (steps - w))) / 2

    A sequence of shares, one per model, gives a tensor [R].

    >>> [round(cosine(8, warmup=0.5)(t), 4) for t in range(8)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.8536, 0.5, 0.1464]
    """
    if isinstance(warmup, Sequence):
        each = [cosine(steps, warmup=share, floor=floor) for share in warmup]
        return lambda step: torch.tensor([multiplier(step) for multiplier in each], dtype=torch.float64)
    rise = round(warmup * steps)

    def multiplier(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return floor + (1 - floor) * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise))) / 2

    return multiplier
