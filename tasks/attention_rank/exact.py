"""Experiment "exact": full rank or not, decided without rounding.

Determinants of 24 x 24 matrices in big decimals; proofs up to n = 512 that hold at every algebraic logit scale; a text
whose tokens repeat; the half-heads' identity; the post's arithmetic.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.attention_rank import certificates, matrices

N = 24
HEADS = (1, 2, 4)
SCALES = (0.1, 1.0, 4.0)
SHAPES = ((24, 1), (24, 2), (24, 4), (128, 16), (512, 64))  # n, d of the proofs
DIGITS = 60
SYMBOLS = 12  # of the text of N tokens, so that some must repeat

# c9: context and head size.  The models' own configuration files; today's contexts with the extension they ship with.
MODELS = (
    ("BERT base (the post)", 512, 768 // 12),
    ("GPT-2 small", 1024, 64),
    ("GPT-3 175B", 2048, 128),
    ("Llama 3.1 8B", 131072, 128),
    ("Qwen2.5 7B", 131072, 128),
)


def grid(seed: Seed, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Queries and keys [n, d] as whole numbers of grid steps."""
    drawn = seed.numpy(f"grid {n} {d}").standard_normal((2, n, d))
    u, v = np.rint(certificates.GRID * drawn).astype(np.int64)
    return u, v


def order_sign(x: np.ndarray) -> int:
    """Sign of the permutation that sorts different numbers [n].

    >>> order_sign(np.array([1, 2, 3])), order_sign(np.array([2, 1, 3]))
    (1, -1)
    """
    return round(np.linalg.det(np.eye(len(x))[np.argsort(x)]))


def flipped(logits: Tensor) -> Tensor:
    """J B J: both orders turned round."""
    return logits.flip(-2, -1)


def determinants(seed: Seed) -> dict[str, Any]:
    """Both matrices and the upper triangle at every head size and scale; errors are of the natural logarithm.

    For d = 1 the kernel exp(c q k) is strictly totally positive: the determinant is positive once q and k are sorted.
    """
    found: dict[str, Any] = {"vanishing": [], "log10_determinant": [], "digits": [], "wrong_signs": 0}
    found |= {"lower_error": 0.0, "upper_error": 0.0, "linear_error": 0.0, "not_positive": 0}
    for d in HEADS:
        u, v = grid(seed, N, d)
        whole = u @ v.T
        both_ways = [certificates.determinant(whole, sd, d, "none") for sd in SCALES]
        found["vanishing"].append(sum(det.sign == 0 for det in both_ways))
        found["log10_determinant"].append([round(float(det.log) / math.log(10), 3) for det in both_ways])
        found["digits"].append([det.digits for det in both_ways])
        if d == 1:
            found["wrong_signs"] = sum(det.sign != order_sign(u[:, 0]) * order_sign(v[:, 0]) for det in both_ways)
        for mask in ("lower", "upper"):
            for sd in SCALES:
                det = certificates.determinant(whole, sd, d, mask)
                matrix = certificates.softmax(whole, certificates.scale(sd, d, det.digits), mask, det.digits)
                error = abs(det.log - certificates.log_diagonal(matrix, det.digits))
                found[f"{mask}_error"] = max(found[f"{mask}_error"], float(error))
                found["not_positive"] += det.sign != 1
        for sd in SCALES:
            matrix = certificates.linear(u, v, sd, DIGITS)
            sign, log = certificates.eliminate(matrix, DIGITS)
            error = abs(log - certificates.log_diagonal(matrix, DIGITS))
            found["linear_error"] = max(found["linear_error"], float(error) if sign == 1 else math.inf)
    return found


def one_seed(seed: Seed) -> dict[str, Any]:
    found = determinants(seed)
    # Singular by how much: 0 where the proof succeeds, NaN (which nothing can be judged by) where it does not.
    proved = [certificates.nonsingular(u @ v.T) for u, v in (grid(seed, n, d) for n, d in SHAPES)]
    found["deficit"] = [0.0 if sure else math.nan for sure in proved]

    u, v = grid(seed, SYMBOLS, 4)
    tokens = seed.numpy("text").integers(SYMBOLS, size=N)
    found["deficit_of_repeats"] = N - certificates.repeated_rank(u @ v.T, tokens)
    causal = certificates.determinant((u @ v.T)[np.ix_(tokens, tokens)], 1.0, 4, "lower")
    found["causal_deficit_of_repeats"] = 0 if causal.sign == 1 else 1

    q, k = matrices.queries_and_keys([seed], 128, 16)
    logits = matrices.logits(q, k, 1.0)
    turned = flipped(matrices.attention(flipped(logits), "lower"))
    found["flip_error"] = float((matrices.attention(logits, "upper") - turned).abs().max())
    return found


def measure(seeds: Sequence[Seed], tier: Tier) -> dict[str, list[Any]]:
    rows = [one_seed(seed) for seed in seeds]
    found: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
    same = {
        "head_size": 768 // 12,
        "lengths": [n for _, n, _ in MODELS],
        "head_sizes": [d for _, _, d in MODELS],
        "ratios": [n / d for _, n, d in MODELS],
    }
    return found | {name: [entry] * len(seeds) for name, entry in same.items()}


EXPERIMENT = Experiment(
    name="exact",
    measure=measure,
    tiers={
        "smoke": Tier(seeds=2),
        "cpu": Tier(seeds=6, at_most=32, stack=3),
        "gpu": Tier(seeds=32, at_most=64, stack=8),
    },
)
