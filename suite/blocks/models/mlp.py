"""A stack of multilayer perceptrons."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Generator, Tensor, nn
from torch.nn import functional as F

from suite.blocks.models.layers import Linear


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
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


def mlp(sizes: Sequence[int], streams: Sequence[Generator], activation: Callable[[Tensor], Tensor] = F.relu) -> MLP:
    """R = len(streams) perceptrons; weights N(0, 2 / inputs), in the last layer N(0, 1 / inputs), biases 0.

    >>> import torch
    >>> stack = mlp([64, 32, 10], [torch.Generator().manual_seed(r) for r in range(3)])
    >>> stack(torch.zeros(3, 5, 64)).shape
    torch.Size([3, 5, 10])
    """
    return MLP(sizes, streams, activation)
