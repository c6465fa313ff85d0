"""A stack of small convolutional velocity fields for square grey images, in the shape of a U.

(Ronneberger et al., arXiv:1505.04597.)

Letters: R models, B images, C channels, S side.  A stack is one convolution with R groups.
"""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from suite.blocks.models.layers import Linear, normal


class Convolution(nn.Module):
    """Each model's own 3 x 3 convolution, zeros at the border: [R, B, C, S, S] to [R, B, O, S / stride, S / stride].

    >>> layer = Convolution([torch.Generator().manual_seed(r) for r in range(3)], 4, 6)
    >>> layer(torch.zeros(3, 2, 4, 8, 8)).shape
    torch.Size([3, 2, 6, 8, 8])
    """

    def __init__(self, streams: Sequence[Generator], inputs: int, outputs: int, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = normal(streams, outputs, inputs, 3, 3, std=gain / math.sqrt(9 * inputs))
        self.bias = nn.Parameter(torch.zeros(len(streams), outputs))

    def forward(self, x: Tensor, stride: int = 1) -> Tensor:
        models, outputs = self.bias.shape
        folded = x.transpose(0, 1).flatten(1, 2)  # [B, R C, S, S]
        y = F.conv2d(folded, self.weight.flatten(0, 1), self.bias.flatten(), stride=stride, padding=1, groups=models)
        return y.unflatten(1, (models, outputs)).transpose(0, 1)


class Residual(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x))) + time))), norms over all channels and places of an image."""

    def __init__(self, streams: Sequence[Generator], width: int, time: int) -> None:
        super().__init__()
        self.first = Convolution(streams, width, width, gain=math.sqrt(2))
        self.time = Linear(streams, time, width, std=1 / math.sqrt(time))
        self.second = Convolution(streams, width, width, gain=0.5)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        inner = self.first(F.silu(_normed(x))) + self.time(time)[..., None, None]
        return x + self.second(F.silu(_normed(inner)))


def _normed(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-3:])


class UNet(nn.Module):
    """v(x, t) for x [R, B, S, S] (S a multiple of 4) and t [R, B]: three resolutions of widths w, 2w, 2w.

    >>> field = UNet(8, [torch.Generator().manual_seed(r) for r in range(2)])
    >>> field(torch.zeros(2, 3, 8, 8), torch.zeros(2, 3)).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(self, width: int, streams: Sequence[Generator], frequencies: int = 16) -> None:
        super().__init__()
        time = 2 * frequencies
        self.frequencies = frequencies
        self.into = Convolution(streams, 1, width)
        self.top = Residual(streams, width, time)
        self.down = Convolution(streams, width, 2 * width)
        self.middle = Residual(streams, 2 * width, time)
        self.further = Convolution(streams, 2 * width, 2 * width)
        self.bottom = Residual(streams, 2 * width, time)
        self.rise = Convolution(streams, 4 * width, 2 * width)
        self.middle_again = Residual(streams, 2 * width, time)
        self.rise_again = Convolution(streams, 3 * width, width)
        self.top_again = Residual(streams, width, time)
        self.out = Convolution(streams, width, 1, gain=0.1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        angle = t.unsqueeze(-1) * torch.logspace(0, 2, self.frequencies, device=t.device, dtype=t.dtype)
        time = torch.cat([angle.sin(), angle.cos()], -1)
        high = self.top(self.into(x.unsqueeze(2)), time)
        middle = self.middle(self.down(high, stride=2), time)
        low = self.bottom(self.further(middle, stride=2), time)
        middle = self.middle_again(self.rise(torch.cat([_doubled(low), middle], 2)), time)
        high = self.top_again(self.rise_again(torch.cat([_doubled(middle), high], 2)), time)
        return self.out(F.silu(_normed(high))).squeeze(2)


def _doubled(x: Tensor) -> Tensor:
    """Every pixel four times."""
    return x.repeat_interleave(2, -1).repeat_interleave(2, -2)
