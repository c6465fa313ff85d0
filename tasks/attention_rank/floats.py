"""Experiment "floats": what float64 says of matrices whose rank and determinant are known.

n / d = 8 as in BERT base.  The exact rank is that of the float64 matrix itself, every entry taken as the fraction that
it is: the rank modulo a prime, which never lies above it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.attention_rank import certificates, matrices
from tasks.attention_rank.matrices import SCALES

FLOOR, CEILING = -18.0, 6.0  # log10 of the errors that stand for "none" and for "infinite"


def error(found: float, known: float) -> float:
    """log10 |found - known|, between FLOOR and CEILING.

    >>> error(1.0, 1.0), error(-np.inf, 1.0), round(error(1.5, 1.0), 3)
    (-18.0, 6.0, -0.301)
    """
    size = abs(found - known)
    return CEILING if not np.isfinite(size) else float(np.clip(np.log10(max(size, 1e-300)), FLOOR, CEILING))


def one_seed(seed: Seed, n: int) -> dict[str, Any]:
    """log10 errors of the causal log det at every scale, its sign, ranks as counted, and the exact rank at sd 4."""
    q, k = (part[0, 0].cpu() for part in matrices.queries_and_keys([seed], n, n // 8))
    found: dict[str, Any] = {name: [] for name in ("pivoted", "transposed", "wrong_sign", "causal_rank", "open_rank")}
    for sd in SCALES:
        causal, both_ways = (matrices.attention(matrices.logits(q, k, sd), mask).cpu() for mask in ("lower", "none"))
        known = float(causal.diagonal().log().sum())
        sign, log = np.linalg.slogdet(causal.numpy())  # pivots, because entries below the diagonal can be larger
        found["pivoted"].append(error(float(log), known))
        found["wrong_sign"].append(int(sign != 1))
        found["transposed"].append(error(float(np.linalg.slogdet(causal.mT.numpy())[1]), known))
        found["causal_rank"].append(int(torch.linalg.matrix_rank(causal)))
        found["open_rank"].append(int(torch.linalg.matrix_rank(both_ways)))
        if sd == 4.0:
            exact = certificates.rank_modulo(certificates.remainders(causal.numpy()))
            found |= {"deficit": n - exact, "lost": [exact - found["causal_rank"][-1]]}
    found["uniform_error"] = found["pivoted"][:2]
    found["spread_error"] = found["pivoted"][2:]
    return found


def measure(seeds: Sequence[Seed], tier: Tier, *, n: int) -> dict[str, list[Any]]:
    rows = [one_seed(seed, n) for seed in seeds]
    return {name: [row[name] for row in rows] for name in rows[0]}


EXPERIMENT = Experiment(
    name="floats",
    measure=measure,
    conditions={"n": (128, 512)},
    tiers={
        "smoke": Tier(seeds=1),
        "cpu": Tier(seeds=4, at_most=32, stack=2),
        "gpu": Tier(seeds=16, at_most=64, stack=4),
    },
)
