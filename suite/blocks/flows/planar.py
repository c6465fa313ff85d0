"""A stack of velocity fields for points of a few coordinates: a perceptron on the point and its time."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from suite.blocks.models.mlp import mlp


class VelocityMLP(nn.Module):
    """v(x, t) for x [R, B, D] and t [R, B]; the perceptron sees x and t.

    >>> field = VelocityMLP(2, [64, 64], [torch.Generator().manual_seed(r) for r in range(3)])
    >>> field(torch.zeros(3, 5, 2), torch.zeros(3, 5)).shape
    torch.Size([3, 5, 2])
    """

    def __init__(self, size: int, widths: Sequence[int], streams: Sequence[Generator]) -> None:
        super().__init__()
        self.inner = mlp([size + 1, *widths, size], streams, F.silu)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.inner(torch.cat([x, t.unsqueeze(-1)], -1))
