"""Attention matrices of random queries and keys, and the several things that "rank" can mean.

Letters: n positions, d head size; q and k [..., n, d]; logits and attention matrices [..., n, n]; s singular values
[..., n], falling.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from suite import fit
from suite.seeds import Seed

# The logit scales that every experiment looks at: 0.02 is a fresh network, 0.5 to 4 is what training makes of it.
SCALES = (0.02, 0.1, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0)
FLOAT32, FLOAT64 = 2.0**-23, 2.0**-52  # distance from 1 to the next number


def queries_and_keys(seeds: Sequence[Seed], n: int, d: int, draws: int = 1) -> tuple[Tensor, Tensor]:
    """Independent N(0, 1) entries, [seeds, draws, n, d] each; all scales, masks and kinds of attention share them."""
    streams = [seed.stream(f"queries and keys {n} {d}") for seed in seeds]
    drawn = torch.stack([torch.randn(2, draws, n, d, dtype=torch.float64, generator=stream) for stream in streams])
    q, k = drawn.to(fit.device()).unbind(1)
    return q, k


def logits(q: Tensor, k: Tensor, sd: float) -> Tensor:
    """B = sd q k^T / sqrt(d): for unit-variance entries sd is the standard deviation of a logit."""
    return sd * (q @ k.mT) / math.sqrt(q.shape[-1])


def hidden(n: int, mask: str) -> Tensor:
    """[n, n], where a mask forbids to look: "none", "lower" (to later positions) or "upper" (to earlier ones).

    >>> hidden(2, "lower")
    tensor([[False,  True],
            [False, False]])
    """
    full = torch.ones(n, n, dtype=torch.bool)
    return {"none": torch.zeros_like(full), "lower": full.triu(1), "upper": full.tril(-1)}[mask]


def attention(logits: Tensor, mask: str) -> Tensor:
    """A_ij = exp(B_ij) / sum over the visible j' of exp(B_ij'), 0 where the mask hides j.

    >>> attention(torch.zeros(3, 3), "lower")
    tensor([[1.0000, 0.0000, 0.0000],
            [0.5000, 0.5000, 0.0000],
            [0.3333, 0.3333, 0.3333]])
    """
    return torch.softmax(logits.masked_fill(hidden(logits.shape[-1], mask).to(logits.device), -torch.inf), dim=-1)


def feature(x: Tensor) -> Tensor:
    """phi(x) = elu(x) + 1, the positive feature of linear attention (Katharopoulos et al., arXiv:2006.16236)."""
    return F.elu(x) + 1


def linear_attention(q: Tensor, k: Tensor, sd: float, mask: str) -> Tensor:
    """A_ij = phi(q_i) . phi(k_j) over its sum over the visible j; q and k are scaled as in ``logits``.

    >>> linear_attention(torch.zeros(2, 3), torch.zeros(2, 3), 1.0, "none")
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]])
    """
    weight = feature(math.sqrt(sd) * q) @ feature(math.sqrt(sd) * k).mT
    weight = weight.masked_fill(hidden(weight.shape[-1], mask).to(weight.device), 0.0)
    return weight / weight.sum(-1, keepdim=True)


# --- Ranks ----------------------------------------------------------------------------------------


def effective_rank(s: Tensor) -> Tensor:
    """exp(-sum p_i log p_i), p_i = s_i / sum s: n for equal singular values, 1 for one alone (Roy and Vetterli, 2007).

    >>> effective_rank(torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]))
    tensor([3., 1.])
    """
    return torch.exp(torch.special.entr(s / s.sum(-1, keepdim=True)).sum(-1))


def stable_rank(s: Tensor) -> Tensor:
    """||A||_F^2 / s_1^2, which sees how far the largest singular value stands out."""
    return s.square().sum(-1) / s[..., 0].square()


def numerical_rank(s: Tensor, epsilon: float) -> Tensor:
    """How many s_i exceed s_1 n epsilon, what ``matrix_rank`` counts.

    >>> numerical_rank(torch.tensor([1.0, 1e-3, 1e-9]), FLOAT32)
    tensor(2)
    """
    return (s > s[..., :1] * s.shape[-1] * epsilon).sum(-1)


def geometric_mean(x: Tensor, dim: int = -1) -> Tensor:
    return x.log().mean(dim).exp()
