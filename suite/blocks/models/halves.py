"""What a transformer block does before its attention and after it, for a stack: one node each, a few models at a time.

Of a chain of single operations each writes a tensor that autograd keeps, and together they leave the cache.  Here what
one operation wrote is still there for the next one, and only what the way back needs is kept.  The operations are the
same, and so are the numbers, bit for bit.

Letters: R models, N = batch times length tokens, D width, H hidden numbers.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from suite.blocks.gradients import place_for
from suite.blocks.models import rms_norm
from suite.blocks.models.layers import Linear, RMSNorm
from suite.blocks.positions.packed import rotate
from suite.blocks.second_order import once_more

# Widest layers of at most about this many numbers are worked on at a time.
CHUNK = 1 << 20
# The last few numbers of a tensor that are no full vector may be rounded differently: only whole vectors are cut apart.
LANES = 32


def before_attention(x: Tensor, norm: RMSNorm, linear: nn.Module, turn: Tensor | None = None) -> Tensor:
    """Queries, keys and values norm(x) W, turned by ``rotation`` where it is given: x [R, B, T, D] to [R, B, T, 3 D].

    >>> streams = [torch.Generator().manual_seed(r) for r in range(2)]
    >>> linear = Linear(streams, 4, 12, std=0.5, bias=False)
    >>> before_attention(torch.ones(2, 3, 5, 4), RMSNorm(2, 4), linear).shape
    torch.Size([2, 3, 5, 12])
    """
    if not _in_chunks(x, linear):
        return before_by_operations(x, norm, linear, turn)
    flat = x.flatten(1, 2)
    length = x.shape[2]
    here = None if turn is None else turn[:length]
    y = _Before.apply(flat, norm.gain, linear.weight, here, norm.eps, torch.is_grad_enabled())
    return y.view(*x.shape[:-1], -1)


def before_by_operations(x: Tensor, norm: RMSNorm, linear: nn.Module, turn: Tensor | None = None) -> Tensor:
    """``before_attention``, one operation after the other over the whole stack."""
    qkv = linear(norm(x))
    return qkv if turn is None else rotate(qkv, turn)


def after_attention(
    x: Tensor, y: Tensor, output: nn.Module, norm: RMSNorm, widen: nn.Module, narrow: nn.Module
) -> Tensor:
    """h + gelu(norm(h) W) V with h = x + y O, the exact GELU: x and y [R, B, T, D] to [R, B, T, D].

    (Hendrycks & Gimpel, arXiv:1606.08415.)

    >>> streams = [torch.Generator().manual_seed(r) for r in range(2)]
    >>> output, widen, narrow = (Linear(streams, i, o, std=0.5, bias=False) for i, o in ((4, 4), (4, 8), (8, 4)))
    >>> after_attention(torch.ones(2, 3, 5, 4), torch.ones(2, 3, 5, 4), output, RMSNorm(2, 4), widen, narrow).shape
    torch.Size([2, 3, 5, 4])
    """
    if not _in_chunks(x, output, widen, narrow) or x.dtype != y.dtype:
        return after_by_operations(x, y, output, norm, widen, narrow)
    weights = (output.weight, norm.gain, widen.weight, narrow.weight)
    found = _After.apply(x.flatten(1, 2), y.flatten(1, 2), *weights, norm.eps, torch.is_grad_enabled())
    return found.view(x.shape)


def after_by_operations(
    x: Tensor, y: Tensor, output: nn.Module, norm: RMSNorm, widen: nn.Module, narrow: nn.Module
) -> Tensor:
    """``after_attention``, one operation after the other over the whole stack."""
    h = x + output(y)
    return h + narrow(F.gelu(widen(norm(h))))


def _in_chunks(x: Tensor, *layers: nn.Module) -> bool:
    """Whether it can be done here and changes nothing, and nobody looks at the layers or transforms the operations."""
    tokens = x.shape[1] * x.shape[2]
    return (
        x.device.type == "cpu"
        and all(_plain(layer, x, tokens) for layer in layers)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
    )


def _plain(layer: nn.Module, x: Tensor, tokens: int) -> bool:
    if type(layer) is not Linear:
        return False
    weight = layer.weight
    return (
        layer.bias is None
        and weight.dtype == x.dtype
        and len(weight) == len(x)
        and 1 not in weight.shape[1:]  # see Linear
        and tokens > 1
        and tokens * weight.shape[2] % LANES == 0
        and not (layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks or layer._backward_pre_hooks)
    )


def _cut(models: int, numbers: int) -> tuple[int, list[slice]]:
    """The largest number of models at a time, where each has so many numbers, and their rows.

    >>> _cut(5, CHUNK // 2)
    (2, [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)])
    """
    size = min(models, max(1, CHUNK // numbers))
    return size, [slice(start, min(start + size, models)) for start in range(0, models, size)]


def _of(tensor: Tensor | None, rows: slice) -> Tensor | None:
    """These rows of a tensor that may be missing."""
    return None if tensor is None else tensor[rows]


def _turned(qkv: Tensor, turn: Tensor, out: Tensor) -> Tensor:
    """qkv [., N, 3 D] times ``turn`` [T, 3 D / 2], as pairs, into ``out``."""
    pairs = torch.view_as_complex(qkv.view(-1, *turn.shape, 2))
    torch.mul(pairs, turn, out=torch.view_as_complex(out.view(-1, *turn.shape, 2)))
    return out


class _Before(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gain: Tensor | None, weight: Tensor, turn: Tensor | None, eps: float, keep: bool
    ) -> Tensor:
        models, tokens, width = x.shape
        size, parts = _cut(models, tokens * weight.shape[2])
        kept = models if keep else size
        y, scale = x.new_empty(kept, tokens, width), x.new_empty(kept, tokens, 1)
        out = x.new_empty(models, tokens, weight.shape[2])
        gained = None if gain is None else x.new_empty(size, tokens, width)
        straight = None if turn is None else x.new_empty(size, *out.shape[1:])
        for rows in parts:
            number = rows.stop - rows.start
            own = rows if keep else slice(0, number)
            z = rms_norm.gained(
                rms_norm.forward(x[rows], eps, scale[own], y[own]), _of(gain, rows), _of(gained, slice(number))
            )
            if straight is None or turn is None:
                torch.bmm(z, weight[rows], out=out[rows])
            else:
                _turned(torch.bmm(z, weight[rows], out=straight[:number]), turn, out[rows])
        if keep:
            ctx.save_for_backward(x, gain, weight, turn, y, scale)
            ctx.eps = eps
        return out

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (gradient,) = grad_outputs
        x, gain, weight, turn, y, scale = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody will differentiate the gradient

            def again(x: Tensor, gain: Tensor | None, weight: Tensor) -> Tensor:
                qkv = torch.bmm(rms_norm.by_operations(x, gain, ctx.eps), weight)
                return qkv if turn is None else rotate(qkv.view(len(x), -1, *_real(turn)), turn).view(qkv.shape)

            return *once_more(ctx, again, (x, gain, weight), gradient), None, None, None
        gradient = gradient.contiguous()
        (models, tokens, width), wide = y.shape, weight.shape[2]
        size, parts = _cut(models, tokens * wide)
        of_x, of_weight = torch.empty_like(y), place_for(weight)
        of_gain = None if gain is None else place_for(gain)
        room, inner = y.new_empty(size, tokens, width), y.new_empty(size, tokens, width)
        straight, back = (None, None) if turn is None else (y.new_empty(size, tokens, wide), turn.conj_physical())
        for rows in parts:
            number = rows.stop - rows.start
            g = gradient[rows]
            if straight is not None and back is not None:
                g = _turned(g, back, straight[:number])
            z = rms_norm.gained(y[rows], _of(gain, rows), room[:number])
            torch.bmm(z.transpose(1, 2), g, out=of_weight[rows])
            d = torch.bmm(g, weight[rows].transpose(1, 2), out=inner[:number])
            rms_norm.backward(d, y[rows], scale[rows], _of(gain, rows), room[:number], of_x[rows], _of(of_gain, rows))
        return of_x, of_gain, of_weight, None, None, None


class _After(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        y: Tensor,
        output: Tensor,
        gain: Tensor | None,
        widen: Tensor,
        narrow: Tensor,
        eps: float,
        keep: bool,
    ) -> Tensor:
        (models, tokens, width), wide = x.shape, widen.shape[2]
        size, parts = _cut(models, tokens * wide)
        kept = models if keep else size
        normed, scale, hidden = (x.new_empty(kept, tokens, n) for n in (width, 1, wide))
        summed, gained, active = (x.new_empty(size, tokens, n) for n in (width, width, wide))
        out = torch.empty_like(x)
        for rows in parts:
            number = rows.stop - rows.start
            own = rows if keep else slice(0, number)
            h = torch.bmm(y[rows], output[rows], out=summed[:number]).add_(x[rows])
            z = rms_norm.gained(rms_norm.forward(h, eps, scale[own], normed[own]), _of(gain, rows), gained[:number])
            wider = torch.bmm(z, widen[rows], out=hidden[own])
            torch.bmm(torch.ops.aten.gelu.out(wider, out=active[:number]), narrow[rows], out=out[rows])
            out[rows].add_(h)
        if keep:
            ctx.save_for_backward(x, y, output, gain, widen, narrow, normed, scale, hidden)
            ctx.eps = eps
        return out

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (gradient,) = grad_outputs
        x, y, output, gain, widen, narrow, normed, scale, hidden = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody will differentiate the gradient

            def again(
                x: Tensor, y: Tensor, output: Tensor, gain: Tensor | None, widen: Tensor, narrow: Tensor
            ) -> Tensor:
                h = x + torch.bmm(y, output)
                return h + torch.bmm(F.gelu(torch.bmm(rms_norm.by_operations(h, gain, ctx.eps), widen)), narrow)

            return *once_more(ctx, again, (x, y, output, gain, widen, narrow), gradient), None, None
        gradient = gradient.contiguous()
        (models, tokens, width), wide = x.shape, widen.shape[2]
        size, parts = _cut(models, tokens * wide)
        of_x, of_y = torch.empty_like(x), torch.empty_like(y)
        of_output, of_widen, of_narrow = map(place_for, (output, widen, narrow))
        of_gain = None if gain is None else place_for(gain)
        room, inner = (x.new_empty(size, tokens, width) for _ in range(2))
        active, wider = (x.new_empty(size, tokens, wide) for _ in range(2))
        for rows in parts:
            number = rows.stop - rows.start
            g = gradient[rows]
            on = torch.ops.aten.gelu.out(hidden[rows], out=active[:number])
            torch.bmm(on.transpose(1, 2), g, out=of_narrow[rows])
            d = torch.bmm(g, narrow[rows].transpose(1, 2), out=wider[:number])
            d = torch.ops.aten.gelu_backward.grad_input(d, hidden[rows], grad_input=on)
            z = rms_norm.gained(normed[rows], _of(gain, rows), room[:number])
            torch.bmm(z.transpose(1, 2), d, out=of_widen[rows])
            d = torch.bmm(d, widen[rows].transpose(1, 2), out=inner[:number])
            rms_norm.backward(
                d, normed[rows], scale[rows], _of(gain, rows), room[:number], of_x[rows], _of(of_gain, rows)
            )
            d = of_x[rows].add_(g)
            torch.bmm(y[rows].transpose(1, 2), d, out=of_output[rows])
            torch.bmm(d, output[rows].transpose(1, 2), out=of_y[rows])
        return of_x, of_y, of_output, of_gain, of_widen, of_narrow, None, None


def _real(turn: Tensor) -> tuple[int, int]:
    """T and 3 D of a rotation [T, 3 D / 2]."""
    return turn.shape[0], 2 * turn.shape[1]
