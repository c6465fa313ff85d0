"""Cut queries, keys and values that lie side by side into heads."""

from typing import Any

import torch
from torch import Tensor


def split_heads(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Views of qkv [R, B, T, 3 D] as queries, keys and values, each [R B, H, T, D / H].

    On the way back their three gradients are written side by side in one pass; torch's own views take two.

    >>> q, k, v = split_heads(torch.arange(12.0).view(1, 1, 1, 12), heads=2)
    >>> q.flatten().tolist(), v.flatten().tolist(), v.shape
    ([0.0, 1.0, 2.0, 3.0], [8.0, 9.0, 10.0, 11.0], torch.Size([1, 2, 1, 2]))
    """
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return _views(qkv, heads)
    return _SplitHeads.apply(qkv, heads)


def _views(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    models, batch, length, width = *qkv.shape[:3], qkv.shape[3] // 3
    q, k, v = qkv.view(models * batch, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4).unbind(0)
    return q, k, v


class _SplitHeads(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
        ctx.shape = qkv.shape
        return _views(qkv, heads)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        parts = [gradient.transpose(1, 2) for gradient in grad_outputs]  # [R B, T, H, D / H]
        if torch.is_grad_enabled():  # somebody will differentiate the gradient
            return torch.stack(parts, 2).view(ctx.shape), None
        first = parts[0]
        whole = first.new_empty(*first.shape[:2], 3, *first.shape[2:])
        torch.stack(parts, 2, out=whole)
        return whole.view(ctx.shape), None
