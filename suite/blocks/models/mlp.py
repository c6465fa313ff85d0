"""A stack of multilayer perceptrons."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from suite.blocks.gradients import place_for
from suite.blocks.models.layers import Linear
from suite.blocks.second_order import once_more

# Layers of at most about this many numbers are worked on at a time, so that what one operation wrote is still in the
# cache when the next one reads it.
CHUNK = 1 << 18


class MLP(nn.Module):
    """linear, activation, ..., linear: x [R, ..., sizes[0]] to [R, ..., sizes[-1]]."""

    def __init__(
        self, sizes: Sequence[int], streams: Sequence[Generator], activation: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Linear(streams, inputs, outputs, std=math.sqrt((2 if number < len(sizes) - 2 else 1) / inputs))
            for number, (inputs, outputs) in enumerate(pairwise(sizes))
        )
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        if not self._in_one(x):
            return self.by_layers(x)
        layers = list(self.layers)
        weights, biases = [layer.weight for layer in layers], [layer.bias for layer in layers]
        y = _Perceptron.apply(x if x.ndim == 3 else x.flatten(1, -2), *weights, *biases)
        return y if x.ndim == 3 else y.view(*x.shape[:-1], -1)

    def by_layers(self, x: Tensor) -> Tensor:
        """``forward``, one layer after the other."""
        layers = list(self.layers)
        for layer in layers[:-1]:
            x = self.activation(layer(x))
        return layers[-1](x)

    def _in_one(self, x: Tensor) -> bool:
        """Whether the layers can be run as one: nobody looks at them or transforms their operations."""
        layers = list(self.layers)
        first = layers[0].weight
        return (  # pyrefly: ignore
            self.activation is F.relu
            and x.device.type == "cpu"
            and x.dtype == first.dtype
            and len(x) == len(first)  # pyrefly: ignore
            and all(map(_plain, layers))
            and not torch.is_autocast_enabled("cpu")
            and not torch.compiler.is_compiling()
            and not torch._C._are_functorch_transforms_active()
        )


def _plain(layer: nn.Module) -> bool:
    """Whether it is a linear layer with a bias, and nobody looks at it."""
    return (
        type(layer) is Linear
        and layer.bias is not None
        and 1 not in layer.weight.shape[1:]  # see Linear
        and not (layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks or layer._backward_pre_hooks)
    )


class _Perceptron(torch.autograd.Function):
    """x [R, B, I], weights [R, I, O] and biases [R, O] of all layers: the operations of ``by_layers``, bit for bit, a
    few models at a time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor) -> Tensor:
        depth = len(parameters) // 2
        weights, biases = parameters[:depth], [bias.unsqueeze(1) for bias in parameters[depth:]]
        hidden = [x.new_empty(len(x), x.shape[1], weight.shape[2]) for weight in weights]
        for rows in _chunks(x, weights):
            y = _cut(x, rows)
            for number, (weight, bias, out) in enumerate(zip(weights, biases, hidden, strict=True)):
                y = torch.baddbmm(_cut(bias, rows), y, _cut(weight, rows), out=_cut(out, rows))
                if number < depth - 1:
                    y.relu_()
        ctx.save_for_backward(x, *parameters, *hidden[:-1])
        return hidden[-1]

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (gradient,), saved = grad_outputs, ctx.saved_tensors
        depth = len(saved) // 3
        x, weights, biases = saved[0], saved[1 : 1 + depth], saved[1 + depth : 1 + 2 * depth]
        inputs = [x, *saved[1 + 2 * depth :]]  # of the layers
        if torch.is_grad_enabled():  # somebody will differentiate the gradient
            return once_more(ctx, _in_turn, saved[: 1 + 2 * depth], gradient)
        of_x = torch.empty_like(x, memory_format=torch.contiguous_format) if ctx.needs_input_grad[0] else None
        of_weights, of_biases = [place_for(weight) for weight in weights], [place_for(bias) for bias in biases]
        for rows in _chunks(x, weights):
            g = _cut(gradient, rows)
            for number in reversed(range(depth)):
                entered = _cut(inputs[number], rows)
                torch.bmm(entered.transpose(1, 2), g, out=_cut(of_weights[number], rows))
                torch.sum(g, 1, out=_cut(of_biases[number], rows))
                if number:
                    g = torch.bmm(g, _cut(weights[number], rows).transpose(1, 2))
                    torch.ops.aten.threshold_backward.grad_input(g, entered, 0, grad_input=g)
                elif of_x is not None:
                    torch.bmm(g, _cut(weights[0], rows).transpose(1, 2), out=_cut(of_x, rows))
        return of_x, *of_weights, *of_biases


def _cut(tensor: Tensor, rows: slice | None) -> Tensor:
    return tensor if rows is None else tensor[rows]


def _chunks(x: Tensor, weights: Sequence[Tensor]) -> list[slice | None]:
    """The models to work on at a time; None for all of them."""
    size = max(1, CHUNK // (x.shape[1] * max(x.shape[2], *(weight.shape[2] for weight in weights))))
    return [None] if size >= len(x) else [slice(start, start + size) for start in range(0, len(x), size)]


def _in_turn(x: Tensor, *parameters: Tensor) -> Tensor:
    """The layers by operations that can be differentiated again."""
    depth = len(parameters) // 2
    for number, (weight, bias) in enumerate(zip(parameters[:depth], parameters[depth:], strict=True)):
        x = torch.baddbmm(bias.unsqueeze(1), x, weight)
        x = x.relu() if number < depth - 1 else x
    return x


def mlp(sizes: Sequence[int], streams: Sequence[Generator], activation: Callable[[Tensor], Tensor] = F.relu) -> MLP:
    """R = len(streams) perceptrons; weights N(0, 2 / inputs), in the last layer N(0, 1 / inputs), biases 0.

    >>> import torch
    >>> stack = mlp([64, 32, 10], [torch.Generator().manual_seed(r) for r in range(3)])
    >>> stack(torch.zeros(3, 5, 64)).shape
    torch.Size([3, 5, 10])
    """
    return MLP(sizes, streams, activation)
