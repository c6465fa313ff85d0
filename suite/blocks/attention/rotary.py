"""Attention with one score matrix: rotary positions, none, or a linear bias; scaled queries, windows and sinks.

Letters: N sequences (models times batch), H heads, T positions, D numbers of a head, P = D / 2 pairs.  Pairs are
neighbours, (x_0, x_1), (x_2, x_3), ..., as everywhere in the suite.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from suite.blocks.attention.protocol import Attention
from suite.blocks.positions.packed import factors
from suite.blocks.positions.rope import rotate

Scale = Callable[[Tensor], Tensor]


def visible(length: int, *, window: int | None = None, sinks: int = 0, causal: bool = True) -> Tensor:
    """[T, T], true where position i (row) may see position j.

    j <= i where ``causal``; with a ``window`` also |i - j| < window, the first ``sinks`` positions excepted, which stay
    in sight (a "lambda" mask: arXiv:2308.16137, arXiv:2309.17453).

    >>> visible(4, window=2, sinks=1).int().tolist()
    [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 1, 1]]
    """
    i = torch.arange(length)
    far = i.unsqueeze(1) - i
    seen = far >= 0 if causal else torch.ones(length, length, dtype=torch.bool)
    return seen if window is None else seen & ((far.abs() < window) | (i < sinks))


def scaled(q: Tensor, scale: Scale | None) -> Tensor:
    """The query at position n = 1, 2, ..., T times ``scale(n)``; ``scale`` maps [T] to [T]."""
    if scale is None:
        return q
    n = torch.arange(1, q.shape[-2] + 1, dtype=torch.float64, device=q.device)
    return q * scale(n).to(q.dtype).unsqueeze(-1)


def attend(q: Tensor, k: Tensor, v: Tensor, window: int | None, sinks: int, causal: bool) -> Tensor:
    """softmax(q k^T / sqrt(D)) v over what is ``visible``."""
    length = q.shape[-2]
    if window is None or window >= length:
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    seen = visible(length, window=window, sinks=sinks, causal=causal).to(q.device)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen)


@dataclass(frozen=True, eq=False)
class Rotary:
    """Rotary positions (Su et al., arXiv:2104.09864): the score of query i and key j is scale(i) q_i^T R_(j-i) k_j.

    frequencies  theta_0 .. theta_(P-1) in radians per position, [P] (float64)
    scale        what the query at the n-th position (from 1) is multiplied by, [T] to [T]; None: nothing
    window       how many positions a query sees, itself included; None: all that came before
    sinks        how many first positions stay in sight whatever the window
    positions    where the T tokens stand, whole or not: [T], or [N, 1, T] to place each sequence; None: 0, 1, 2, ...
    causal       False: both ways

    >>> from suite.blocks.positions.rope import frequencies
    >>> x = torch.ones(1, 1, 3, 4)
    >>> Rotary(frequencies(4, 1e4))(x, x, x).shape
    torch.Size([1, 1, 3, 4])
    """

    frequencies: Tensor
    scale: Scale | None = None
    window: int | None = None
    sinks: int = 0
    positions: Tensor | None = None
    causal: bool = True

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        at = torch.arange(q.shape[-2]) if self.positions is None else self.positions
        return self.turned(rotate(scaled(q, self.scale), at, self.frequencies), rotate(k, at, self.frequencies), v)

    def factors(self, length: int, heads: int) -> Tensor | None:
        """What turns queries, keys and values while they still lie side by side; None where that would not do."""
        return factors(self.frequencies, length, heads) if self.scale is None and self.positions is None else None

    def turned(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention with queries and keys that have been turned already."""
        return attend(q, k, v, self.window, self.sinks, self.causal)


@dataclass(frozen=True, eq=False)
class NoPositions:
    """Attention that knows no positions but those that the mask gives away: scale(i) q_i^T k_j.

    >>> x = torch.ones(1, 1, 3, 4)
    >>> bool((NoPositions()(x, x, x) == 1).all())
    True
    """

    scale: Scale | None = None
    window: int | None = None
    sinks: int = 0
    causal: bool = True

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(scaled(q, self.scale), k, v, self.window, self.sinks, self.causal)


def slopes(heads: int) -> Tensor:
    """lambda_h = 2^(-8 h / H) for h = 1 .. H, [H] (float64).

    >>> slopes(2).tolist()
    [0.0625, 0.00390625]
    """
    return torch.pow(2.0, -8.0 * torch.arange(1, heads + 1, dtype=torch.float64) / heads)


@dataclass(frozen=True, eq=False)
class Alibi:
    """A linear bias (Press et al., arXiv:2108.12409): scale(i) q_i^T k_j / sqrt(D) - lambda_h |p_i - p_j|.

    ``positions``, [T] or [N, 1, T], are p; None: 0, 1, 2, ...

    >>> x = torch.zeros(1, 2, 2, 4)
    >>> v = torch.tensor([0.0, 1.0]).view(1, 1, 2, 1).expand(1, 2, 2, 4)
    >>> Alibi()(x, x, v)[0, :, 1, 0]  # 1 / (1 + exp(-lambda_h))
    tensor([0.5156, 0.5010])
    """

    scale: Scale | None = None
    positions: Tensor | None = None
    causal: bool = True

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        length = q.shape[-2]
        at = torch.arange(length) if self.positions is None else self.positions
        at = at.to("cpu", torch.float64)
        bias = -slopes(q.shape[1]).view(-1, 1, 1) * (at.unsqueeze(-1) - at.unsqueeze(-2)).abs()
        if self.causal:
            bias = bias.masked_fill(~visible(length), -torch.inf)
        return F.scaled_dot_product_attention(scaled(q, self.scale), k, v, attn_mask=bias.to(q.device, q.dtype))


@dataclass(frozen=True, eq=False)
class KeyNorm:
    """Another attention on keys of one length: k_j becomes k_j sqrt(D) / |k_j|, so that no key is seen for its size.

    With the usual division by sqrt(D) the scores are q_i^T k_j / |k_j| (kexue.fm/archives/9859).

    >>> x = torch.ones(1, 1, 2, 4)
    >>> bool((KeyNorm(NoPositions())(x, 5 * x, x) == NoPositions()(x, x, x)).all())
    True
    """

    inner: Attention

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return self.inner(q, F.normalize(k, dim=-1) * k.shape[-1] ** 0.5, v)
