"""Experiments "raising" and "linear": what softmax and linear attention make of a product of rank d."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.attention_rank import certificates, matrices

RELATIVE = 1e-10  # a singular value counts if it exceeds this share of the largest
HEADS = (2, 4, 16)
SCALES = (0.3, 1.0, 2.0)


def counted(s: torch.Tensor) -> torch.Tensor:
    """Singular values above RELATIVE times the largest."""
    return (s > RELATIVE * s[..., :1]).sum(-1)


def measure(seeds: Sequence[Seed], tier: Tier, *, n: int) -> Mapping[str, Any]:
    """[d][sd] rank of the softmax, its excess over d, and the effective rank."""
    pairs = [matrices.queries_and_keys(seeds, n, d) for d in HEADS]
    s = torch.stack(
        [
            torch.stack(
                [torch.linalg.svdvals(matrices.attention(matrices.logits(q, k, sd), "none"))[:, 0] for sd in SCALES], 1
            )
            for q, k in pairs
        ],
        1,
    )
    excess = counted(s) - torch.tensor(HEADS, device=s.device)[:, None]
    return {"rank": counted(s), "excess": excess, "effective_rank": matrices.effective_rank(s)}


RAISING = Experiment(
    name="raising",
    measure=measure,
    conditions={"n": (64, 128, 512)},
    tiers={
        "smoke": Tier(seeds=2),
        "cpu": Tier(seeds=8, at_most=64),
        "gpu": Tier(seeds=32, at_most=64),
    },
)


def linear(seeds: Sequence[Seed], tier: Tier, *, n: int, d: int, sd: float, kind: str) -> Mapping[str, Any]:
    """Ranks of one kind of attention without a mask; of linear attention also what is exact, and the causal log det.

    Phi_q and Phi_k [n, d] of full column rank make the product Phi_q Phi_k^T of rank d, no more and no less.
    """
    q, k = matrices.queries_and_keys(seeds, n, d)
    if kind == "softmax":
        s = torch.linalg.svdvals(matrices.attention(matrices.logits(q, k, sd), "none"))[:, 0]
        return {"effective_rank": matrices.effective_rank(s), "excess": counted(s) - min(n, d)}
    s = torch.linalg.svdvals(matrices.linear_attention(q, k, sd, "none"))[:, 0]
    phi = [matrices.feature(sd**0.5 * x)[:, 0].cpu().numpy() for x in (q, k)]
    least = [min(certificates.rank_modulo(certificates.remainders(x)) for x in pair) for pair in zip(*phi, strict=True)]
    causal = matrices.linear_attention(q, k, sd, "lower")[:, 0].cpu()
    known = causal.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return {
        "effective_rank": matrices.effective_rank(s),
        "excess": counted(s) - min(n, d),
        "exact_excess": [rank - min(n, d) for rank in least],
        "determinant_error": np.abs(np.linalg.slogdet(causal.numpy())[1] - known.numpy()),
    }


LINEAR = Experiment(
    name="linear",
    measure=linear,
    arms=(Arm("softmax", fixed={"kind": "softmax"}), Arm("linear", fixed={"kind": "linear"})),
    conditions={"n": (128, 512), "d": (16, 64), "sd": (0.02, 0.3, 1.0, 4.0)},
    tiers={
        "smoke": Tier(seeds=2),
        "cpu": Tier(seeds=8, at_most=64, stack=4),
        "gpu": Tier(seeds=32, at_most=64, stack=16),
    },
)
