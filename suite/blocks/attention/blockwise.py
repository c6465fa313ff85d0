"""ReRoPE and Leaky ReRoPE with each score computed once, and no score matrix kept.

Queries are taken in tiles.  For the tile i0 .. i1 - 1 and a window w the keys fall into three stretches,

    j <= i0 - w             outside the window of every query of the tile: one product, of the far pair
    i0 - w < j < i1 - w     inside for some, outside for others: both products, fewer columns than the tile has rows
    i1 - w <= j < i1        inside for all: one product, of the near pair

so that of T^2 / 2 scores only T (tile - 1) are computed twice, where the two-matrix form computes 2 T^2.  The backward
pass computes them anew from the log of the softmax's denominator, as FlashAttention does (Dao et al.,
arXiv:2205.14135), so that memory grows with T instead of T^2.

Letters as in ``two_step``: N models times batch, H heads, T positions, d numbers of a head.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from suite.blocks.attention.two_step import scaled, turned
from suite.blocks.positions.log_scale import Scale


@dataclass(frozen=True)
class Tile:
    """Rows first .. last - 1, and where the far, the mixed and the near keys end (each stretch begins where the one
    before it ends).

    >>> Tile.of(first=8, last=12, window=4)
    Tile(first=8, last=12, far=5, mixed=8)
    """

    first: int
    last: int
    far: int
    mixed: int

    @staticmethod
    def of(first: int, last: int, window: int) -> "Tile":
        return Tile(first, last, max(0, first - window + 1), max(0, last - window))

    def scores(self, near: tuple[Tensor, Tensor], far: tuple[Tensor, Tensor], window: int) -> Tensor:
        """[N, H, rows, last], minus infinity where a key comes after its query."""
        rows = slice(self.first, self.last)
        near_q, far_q = near[0][..., rows, :], far[0][..., rows, :]
        middle = slice(self.far, self.mixed)
        pieces = [far_q @ far[1][..., : self.far, :].mT] if self.far else []
        if self.far < self.mixed:
            pieces.append(
                torch.where(
                    self.inside(window, near_q.device),
                    near_q @ near[1][..., middle, :].mT,
                    far_q @ far[1][..., middle, :].mT,
                )
            )
        if self.mixed < self.last:
            pieces.append(near_q @ near[1][..., self.mixed : self.last, :].mT)
        a = torch.cat(pieces, -1).float() if near_q.dtype != torch.float64 else torch.cat(pieces, -1)
        later = torch.ones(self.last - self.first, self.last - self.first, dtype=torch.bool, device=a.device).triu(1)
        a[..., self.first :].masked_fill_(later, -math.inf)
        return a

    def inside(self, window: int, device: torch.device) -> Tensor:
        """[rows, mixed keys], whether the key lies inside the window of the query."""
        i = torch.arange(self.first, self.last, device=device)
        return i.unsqueeze(1) - torch.arange(self.far, self.mixed, device=device) < window


def tiles(length: int, window: int, tile: int) -> list[Tile]:
    """The tiles that make up ``length`` rows; the last may be smaller.

    >>> [(t.first, t.last) for t in tiles(10, 4, 4)]
    [(0, 4), (4, 8), (8, 10)]
    """
    return [Tile.of(first, min(first + tile, length), window) for first in range(0, length, tile)]


class _Blockwise(torch.autograd.Function):
    """softmax(scores) v, tile by tile.  With P the weights, dS = P (dP - sum(dO O)), dP = dO v^T, all per tile."""

    @staticmethod
    def forward(
        ctx: Any, near_q: Tensor, near_k: Tensor, far_q: Tensor, far_k: Tensor, v: Tensor, window: int, tile: int
    ) -> Tensor:
        out = torch.empty_like(v)
        denominators = []
        for piece in tiles(v.shape[-2], window, tile):
            a = piece.scores((near_q, near_k), (far_q, far_k), window)
            denominator = torch.logsumexp(a, -1, keepdim=True)
            weights = a.sub_(denominator).exp_().to(v.dtype)
            out[..., piece.first : piece.last, :] = weights @ v[..., : piece.last, :]
            denominators.append(denominator)
        ctx.save_for_backward(near_q, near_k, far_q, far_k, v, out, torch.cat(denominators, -2))
        ctx.sizes = window, tile
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # type: ignore[override] - for the decorator
        (gradient,) = grad_outputs
        near_q, near_k, far_q, far_k, v, out, denominators = ctx.saved_tensors
        window, tile = ctx.sizes
        d_near_q, d_near_k, d_far_q, d_far_k, d_v = (torch.zeros_like(t) for t in (near_q, near_k, far_q, far_k, v))
        for piece in tiles(v.shape[-2], window, tile):
            rows, f, m, last = slice(piece.first, piece.last), piece.far, piece.mixed, piece.last
            a = piece.scores((near_q, near_k), (far_q, far_k), window)
            weights = a.sub_(denominators[..., rows, :]).exp_().to(v.dtype)
            g = gradient[..., rows, :]
            d_v[..., :last, :] += weights.mT @ g
            d_a = weights * (g @ v[..., :last, :].mT - (g * out[..., rows, :]).sum(-1, keepdim=True))
            in_far, in_near = d_a[..., :m], d_a[..., f:]
            if f < m:
                inside = piece.inside(window, v.device)
                in_far, in_near = in_far.clone(), in_near.clone()
                in_far[..., f:].masked_fill_(inside, 0)
                in_near[..., : m - f].masked_fill_(~inside, 0)
            d_near_q[..., rows, :] = in_near @ near_k[..., f:last, :]
            d_near_k[..., f:last, :] += in_near.mT @ near_q[..., rows, :]
            if m:
                d_far_q[..., rows, :] = in_far @ far_k[..., :m, :]
                d_far_k[..., :m, :] += in_far.mT @ far_q[..., rows, :]
        return d_near_q, d_near_k, d_far_q, d_far_k, d_v, None, None


@dataclass(frozen=True, kw_only=True, eq=False)
class Blockwise:
    """``TwoStep`` with each score computed once: same arguments, same result, less time and memory.

    window  whole
    tile    queries at a time

    q, k, v [N, H, T, d] give [N, H, T, d]; the softmax is taken in float32 at least.

    >>> from suite.blocks.positions.rope import frequencies
    >>> q, k, v = torch.ones(3, 1, 2, 5, 4)
    >>> Blockwise(frequencies=frequencies(4, 1e4), window=2, tile=2)(q, k, v).shape
    torch.Size([1, 2, 5, 4])
    """

    frequencies: Tensor
    window: int
    k: float = math.inf
    scale: Scale | None = None
    tile: int = 64

    def __post_init__(self) -> None:
        if self.window % 1 or self.window < 0 or self.tile < 1:
            raise ValueError(f"window= is whole and not negative, tile= at least 1; got {self.window} and {self.tile}")

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        turns = turned(scaled(q, self.scale), k, self.frequencies, self.window, self.k)
        return _Blockwise.apply(*turns.near, *turns.far, v, self.window, self.tile)
