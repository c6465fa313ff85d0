"""The layers of stacked models.  Letters: R models, I inputs, O outputs, V symbols.

Each model draws its weights from its own stream, in the order in which the layers are made, so that model r does not
depend on its company.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from suite.blocks.models import rms_norm
from suite.blocks.second_order import once_more


def normal(streams: Sequence[Generator], *shape: int, std: float) -> nn.Parameter:
    """[R, *shape] of N(0, std^2), row r from stream r."""
    return nn.Parameter(torch.stack([torch.randn(*shape, generator=stream) for stream in streams]).mul_(std))


class Linear(nn.Module):
    """y_r = x_r W_r + b_r: x [R, ..., I] to [R, ..., O], with weight [R, I, O] ~ N(0, std^2), bias [R, O] = 0.

    >>> layer = Linear([torch.Generator().manual_seed(r) for r in range(3)], 4, 5, std=0.5)
    >>> layer(torch.zeros(3, 7, 2, 4)).shape
    torch.Size([3, 7, 2, 5])
    """

    def __init__(
        self, streams: Sequence[Generator], inputs: int, outputs: int, *, std: float, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = normal(streams, inputs, outputs, std=std)
        self.bias = nn.Parameter(torch.zeros(len(streams), outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        flat: Tensor = x if x.ndim == 3 else x.flatten(1, -2)
        weight: Tensor = self.weight
        bias: Tensor | None = self.bias
        alone = len(weight) == 1 and 1 in weight.shape[1:]
        if alone:  # one matrix times one vector takes another path in MKL than many, with other roundings: make it two
            flat, weight = flat.expand(2, -1, -1), weight.expand(2, -1, -1)
            bias = None if bias is None else bias.expand(2, -1)
        y = torch.bmm(flat, weight) if bias is None else torch.baddbmm(bias.unsqueeze(1), flat, weight)
        y = y[:1] if alone else y
        return y if x.ndim == 3 else y.reshape(*x.shape[:-1], y.shape[-1])


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) over the last axis, times a gain [R, O] that starts at 1, or without gain.

    (Zhang & Sennrich, arXiv:1910.07467.)

    >>> RMSNorm(1, 2, gain=False)(torch.tensor([[[3.0, 4.0]]]))
    tensor([[[0.8485, 1.1314]]])
    """

    def __init__(self, models: int, width: int, *, gain: bool = True, eps: float = 1e-6) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(models, width)) if gain else None
        self.width, self.eps = width, eps

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(len(x), -1, self.width)
        if x.device.type == "cpu" and not torch.compiler.is_compiling():
            return _RMSNorm.apply(flat, self.gain, self.eps).view(x.shape)
        y = F.rms_norm(flat, (self.width,), eps=self.eps)  # one kernel there, several on the CPU unless compiled
        return rms_norm.gained(y, self.gain, None).view(x.shape)


class _RMSNorm(torch.autograd.Function):
    """x [R, N, O], gain [R, O] or None."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor | None, eps: float) -> Tensor:
        scale = x.new_empty(*x.shape[:2], 1)
        y = rms_norm.forward(x, eps, scale, torch.empty_like(x))
        ctx.save_for_backward(x, gain, y, scale)
        ctx.eps = eps
        return rms_norm.gained(y, gain, None)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (gradient,), (x, gain, y, scale) = grad_outputs, ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody will differentiate the gradient
            return *once_more(ctx, lambda x, gain: rms_norm.by_operations(x, gain, ctx.eps), (x, gain), gradient), None
        of_x, of_gain = torch.empty_like(y), None if gain is None else torch.empty_like(gain)
        rms_norm.backward(gradient, y, scale, gain, torch.empty_like(y), of_x, of_gain)
        return of_x, of_gain, None


class Embedding(nn.Module):
    """Rows of a table per model: tokens [R, ...] (int64) to [R, ..., O], with weight [R, V, O] ~ N(0, std^2)."""

    def __init__(self, streams: Sequence[Generator], symbols: int, width: int, *, std: float) -> None:
        super().__init__()
        self.weight = normal(streams, symbols, width, std=std)

    def forward(self, tokens: Tensor) -> Tensor:
        models, symbols, _ = self.weight.shape
        first = torch.arange(models, device=tokens.device).mul_(symbols).view(-1, *[1] * (tokens.ndim - 1))
        return F.embedding(tokens + first, self.weight.flatten(0, 1))
