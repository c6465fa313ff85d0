"""ReRoPE and Leaky ReRoPE: relative positions are exact inside a window and rise by 1 / k outside.

    g(t) = t                   t < w
           w + (t - w) / k     t >= w          k = infinity: ReRoPE, g = w;  k < 1: the inverse, with larger steps
    a_ij = <R^g(i - j) q_i, k_j> / sqrt(d),    j <= i,   then a softmax over j

(kexue.fm/archives/9708, 9728; code github.com/bojone/rerope.)  No single rotation of queries and of keys gives these
scores, hence two score matrices of which each entry takes one.  Letters: N models times batch, H heads, T positions, d
numbers of a head, P = d / 2 pairs.  Queries and keys come without rotation.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from suite.blocks.positions.log_scale import Scale
from suite.blocks.positions.rope import rotate


def bent(distance: Tensor, window: float, k: float = math.inf) -> Tensor:
    """g(t) of every distance t >= 0 of any shape, float64: t inside the window, w + (t - w) / k outside.

    >>> bent(torch.arange(6), 2).tolist(), bent(torch.arange(6), 2, 4)[-1].item()
    ([0.0, 1.0, 2.0, 2.0, 2.0, 2.0], 2.75)
    """
    t = distance.to(torch.float64)
    return torch.where(t < window, t, window + (t - window) / k)


def farthest(length: int, window: float, k: float = math.inf) -> float:
    """The largest relative position among ``length`` tokens: g(length - 1).

    >>> farthest(4096, 256), farthest(4096, 256, 16), farthest(100, 256, 16)
    (256.0, 495.9375, 99.0)
    """
    return float(bent(torch.tensor(length - 1), window, k))


def reach(trained: int, window: int, k: float) -> float:
    """The longest text whose relative positions stay below ``trained``: w + 1 + k (N - w) by the post's bound
    w + (L - 1 - w) / k <= N; infinite for ReRoPE.

    >>> reach(64, 16, 8), reach(64, 16, math.inf)
    (401, inf)
    """
    return window + 1 + k * (trained - window)


@dataclass(frozen=True, kw_only=True, eq=False)
class Turns:
    """Queries and keys turned for distances inside the window and outside.

    near  R^i q_i and R^j k_j
    far   R^((i - w)/k + w) q_i and R^(j/k) k_j; for k = infinity R^w q_i and k_j as it is
    """

    near: tuple[Tensor, Tensor]
    far: tuple[Tensor, Tensor]


def turned(q: Tensor, k: Tensor, frequencies: Tensor, window: float, factor: float) -> Turns:
    """Both pairs for q, k [..., T, d]; ``factor`` is the k of the formula."""
    place = torch.arange(q.shape[-2], dtype=torch.float64)
    far_q = rotate(q, (place - window) / factor + window, frequencies)
    far_k = k if math.isinf(factor) else rotate(k, place / factor, frequencies)
    return Turns(near=(rotate(q, place, frequencies), rotate(k, place, frequencies)), far=(far_q, far_k))


def scaled(q: Tensor, scale: Scale | None) -> Tensor:
    """q [..., T, d] / sqrt(d), query n = 1 .. T times ``scale(n)`` where one is given."""
    q = q * q.shape[-1] ** -0.5
    if scale is None:
        return q
    factor = scale(torch.arange(1, q.shape[-2] + 1, dtype=torch.float64))
    return q * factor.to(q).unsqueeze(-1)


def hidden(length: int, device: torch.device) -> Tensor:
    """[T, T], true where key j comes after query i."""
    return torch.ones(length, length, dtype=torch.bool, device=device).triu(1)


def scores(q: Tensor, k: Tensor, frequencies: Tensor, window: float, factor: float = math.inf) -> Tensor:
    """a_ij [..., T, T] before scale and softmax, from two matrices; entries with j > i mean nothing.

    >>> from suite.blocks.positions.rope import frequencies
    >>> x = torch.tensor([[1.0, 0.0]] * 4, dtype=torch.float64)
    >>> scores(x, x, frequencies(2, 1e4), window=2)[-1].clamp(max=1).arccos().round(decimals=6)
    tensor([2., 2., 1., 0.], dtype=torch.float64)
    """
    turns = turned(q, k, frequencies, window, factor)
    near, far = (a @ b.mT for a, b in (turns.near, turns.far))
    place = torch.arange(q.shape[-2], device=q.device)
    return torch.where(place.unsqueeze(1) - place < window, near, far)


def direct_scores(q: Tensor, k: Tensor, frequencies: Tensor, window: float, factor: float = math.inf) -> Tensor:
    """The same from the definition: every key turned by -g(i - j) for every query, [..., T, T, P] numbers at a time."""
    place = torch.arange(q.shape[-2])
    distance = place.unsqueeze(1) - place
    g = torch.where(distance < 0, distance.to(torch.float64), bent(distance, window, factor))
    return torch.stack([(rotate(k, -g[i], frequencies) @ q[..., i, :, None]).squeeze(-1) for i in place], -2)


@dataclass(frozen=True, kw_only=True, eq=False)
class TwoStep:
    """Causal attention with ReRoPE (k infinite), Leaky ReRoPE or its inverse, from two whole score matrices.

    scale   factor of query n = 1, 2, ... as a function of n, such as log n over log N; None for 1
    direct  scores from the definition instead: slow, for checks

    q, k, v [N, H, T, d] give [N, H, T, d].

    >>> from suite.blocks.positions.rope import frequencies
    >>> q, k, v = torch.ones(3, 1, 2, 5, 4)
    >>> TwoStep(frequencies=frequencies(4, 1e4), window=2)(q, k, v).shape
    torch.Size([1, 2, 5, 4])
    """

    frequencies: Tensor
    window: float
    k: float = math.inf
    scale: Scale | None = None
    direct: bool = False

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        form = direct_scores if self.direct else scores
        a = form(scaled(q, self.scale), k, self.frequencies, self.window, self.k)
        return a.masked_fill_(hidden(q.shape[-2], q.device), -math.inf).softmax(-1) @ v


def decoded(
    q: Tensor, keys: Tensor, values: Tensor, frequencies: Tensor, window: float, factor: float = math.inf
) -> Tensor:
    """The last row of ``TwoStep`` for one new query and cached keys that were never turned.

    q [N, H, d] is the query of position T - 1; keys, values [N, H, T, d]; gives [N, H, d].  Key j is turned to

        max(j - i, (j - i + w) / k - w)        for k >= 1; min where k < 1

    >>> from suite.blocks.positions.rope import frequencies
    >>> theta, x = frequencies(4, 1e4), torch.arange(24.0).view(3, 1, 1, 2, 4)
    >>> whole = TwoStep(frequencies=theta, window=1)(*x)
    >>> torch.equal(decoded(x[0, ..., -1, :], x[1], x[2], theta, 1), whole[..., -1, :])
    True
    """
    behind = torch.arange(1 - keys.shape[-2], 1, dtype=torch.float64)  # j - i
    both = behind, (behind + window) / factor - window
    place = torch.maximum(*both) if factor >= 1 else torch.minimum(*both)
    a = (rotate(keys, place, frequencies) @ scaled(q.unsqueeze(-2), None).mT).squeeze(-1)
    return (a.softmax(-1).unsqueeze(-2) @ values).squeeze(-2)
