"""Where the best decay lies (c5): the whole square of rates and decays, run anew for every seed.

The digits at batch 64, where wrong labels can be learnt by heart, so that the decay matters.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.lion_vs_adamw.digits import network, trained, world

BATCH = 64
RATES = {"lion": (3.16e-3, 1e-2, 3.16e-2, 1e-1), "adamw": (3.16e-3, 1e-2, 3.16e-2, 1e-1)}
OPEN_END = {"lion": -1, "adamw": 0}  # Lion's best decay is claimed to be the larger one
DECAYS = {"lion": (0.1, 0.316, 1.0, 3.16, 10.0, 31.6), "adamw": (0.01, 0.0316, 0.1, 0.316, 1.0, 3.16)}


def measure(seeds: Sequence[Seed], tier: Tier, *, rule: str) -> Mapping[str, Sequence[Any]]:
    """Held-out loss (validation and test together, nothing is selected here) at every pair, and where it is least."""
    rates, decays = RATES[rule], DECAYS[rule]
    pairs = [(rate, decay) for rate in rates for decay in decays]
    stack = [seed for seed in seeds for _ in pairs]
    lr, decay = ([pair[i] for pair in pairs] * len(seeds) for i in (0, 1))
    data = world(stack)
    fitted = trained(data, network(stack), BATCH, tier, rule, lr, decay)
    (_, v), (_, t) = data.validation, data.test
    held_out = (fitted.final("validation") * v.shape[1] + fitted.final("test") * t.shape[1]) / (v.shape[1] + t.shape[1])
    squares = held_out.view(len(seeds), len(rates), len(decays))
    best = [least(square, rates, decays, OPEN_END[rule]) for square in squares]
    return {
        "loss": squares.nan_to_num(nan=math.log(10)).tolist(),  # diverged: no better than guessing
        "best_rate": [rate for rate, _ in best],
        "best_decay": [decay for _, decay in best],
        "best_product": [rate * decay for rate, decay in best],
    }


def least(loss: Tensor, rates: Sequence[float], decays: Sequence[float], open_end: int) -> tuple[float, float]:
    """Rate and decay at the least loss [rates, decays], each refined by the parabola through its neighbours in log10.

    A pair that diverged counts as infinitely bad.  A rate at the end of its grid stands as it is, and so does a decay
    at the end ``open_end`` (0 or -1): the best one lies beyond, which can only widen the distance between the arms.  At
    the other end it is NaN, and the claim is not judged.

    >>> import torch
    >>> x = torch.tensor([-1.0, 0.0, 1.0]).square()
    >>> least(x[:, None] + x, [0.1, 1.0, 10.0], [0.1, 1.0, 10.0], 0)
    (1.0, 1.0)
    """
    loss = loss.nan_to_num(nan=math.inf)
    i, j = divmod(int(loss.argmin()), len(decays))
    rate = rates[i] if i in (0, len(rates) - 1) else _refined(loss[:, j].tolist(), rates, i)
    if j == open_end % len(decays):
        return rate, decays[j]
    return rate, math.nan if j in (0, len(decays) - 1) else _refined(loss[i].tolist(), decays, j)


def _refined(loss: Sequence[float], grid: Sequence[float], i: int) -> float:
    """Vertex of the parabola through point i, the lowest, and its neighbours; an infinite one is half a step away."""
    step = math.log10(grid[i + 1] / grid[i])
    left, right = loss[i - 1] - loss[i], loss[i + 1] - loss[i]
    if math.isinf(left) or math.isinf(right):
        shift = (math.isinf(left) - math.isinf(right)) / 2
    else:
        shift = (left - right) / (left + right) / 2 if left + right > 0 else 0.0
    return grid[i] * 10 ** (shift * step)


EXPERIMENT = Experiment(
    name="decay",
    measure=measure,
    arms=(Arm("lion", fixed={"rule": "lion"}), Arm("adamw", fixed={"rule": "adamw"})),
    tiers={
        "smoke": Tier(seeds=3, sizes={"steps": 100}),
        "cpu": Tier(seeds=16, at_most=64, stack=4, sizes={"steps": 300}),
    },
)
