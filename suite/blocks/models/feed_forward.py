"""gelu(x W) V for a stack, a few models at a time: what one operation wrote is still in the cache for the next one."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

# Hidden layers of at most about this many numbers are worked on at a time.
CHUNK = 1 << 18
# The last few numbers of a tensor that are no full vector may be rounded differently: only whole vectors are cut apart.
LANES = 32


def feed_forward(x: Tensor, widen: Tensor, narrow: Tensor) -> Tensor:
    """x [R, ..., D], widen [R, D, H], narrow [R, H, D] to gelu(x widen) narrow [R, ..., D], with the exact GELU.

    (Hendrycks & Gimpel, arXiv:1606.08415.)

    >>> feed_forward(torch.ones(2, 3, 4), torch.ones(2, 4, 8), torch.ones(2, 8, 4)).shape
    torch.Size([2, 3, 4])
    """
    flat = x.flatten(1, -2)
    if _in_chunks(flat, widen):
        return _FeedForward.apply(flat, widen, narrow).view(x.shape)
    return by_operations(flat, widen, narrow).view(x.shape)


def by_operations(x: Tensor, widen: Tensor, narrow: Tensor) -> Tensor:
    """``feed_forward`` of x [R, N, D], over the whole stack at a time."""
    return torch.bmm(F.gelu(torch.bmm(x, widen)), narrow)


def _in_chunks(x: Tensor, widen: Tensor) -> bool:
    """Whether cutting pays and changes nothing, and nobody transforms the operations."""
    size = x.shape[1] * widen.shape[2]
    return (
        len(x) * size > CHUNK
        and size % LANES == 0
        and 1 not in widen.shape[1:]  # see Linear
        and x.device.type == "cpu"
        and x.dtype == widen.dtype
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
    )


class _FeedForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, widen: Tensor, narrow: Tensor) -> Tensor:
        hidden = x.new_empty(*x.shape[:2], widen.shape[2])
        active, y = torch.empty_like(hidden), x.new_empty(*x.shape[:2], narrow.shape[2])
        for rows in _chunks(hidden):
            torch.bmm(x[rows], widen[rows], out=hidden[rows])
            torch.ops.aten.gelu.out(hidden[rows], out=active[rows])
            torch.bmm(active[rows], narrow[rows], out=y[rows])
        ctx.save_for_backward(x, widen, narrow, hidden, active)
        return y

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (gradient,) = grad_outputs
        x, widen, narrow, hidden, active = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody will differentiate the gradient
            inputs = [t for t, needed in zip((x, widen, narrow), ctx.needs_input_grad, strict=True) if needed]
            found = iter(torch.autograd.grad(by_operations(x, widen, narrow), inputs, gradient, create_graph=True))
            return tuple(next(found) if needed else None for needed in ctx.needs_input_grad)
        of_x, of_widen, of_narrow = torch.empty_like(x), widen.new_empty(widen.shape), narrow.new_empty(narrow.shape)
        for rows in _chunks(hidden):
            torch.bmm(active[rows].transpose(1, 2), gradient[rows], out=of_narrow[rows])
            inner = torch.bmm(gradient[rows], narrow[rows].transpose(1, 2))
            torch.ops.aten.gelu_backward.grad_input(inner, hidden[rows], grad_input=inner)
            torch.bmm(x[rows].transpose(1, 2), inner, out=of_widen[rows])
            torch.bmm(inner, widen[rows].transpose(1, 2), out=of_x[rows])
        return of_x, of_widen, of_narrow


def _chunks(hidden: Tensor) -> list[slice]:
    size = max(1, CHUNK // hidden[0].numel())
    return [slice(start, start + size) for start in range(0, len(hidden), size)]
