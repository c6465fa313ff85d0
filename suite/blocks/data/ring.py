"""Gaussians on a circle, the smallest world in which a generator can lose modes.

One example of the default ring (8 modes at radius 2, standard deviation 0.2): (1.47, -1.31), of the mode at angle
-pi/4.
"""

import math

import torch
from torch import Generator, Tensor


def centres(modes: int = 8, radius: float = 2.0) -> Tensor:
    """The modes' means [modes, 2], the first one on the positive x axis.

    >>> centres(4).round(decimals=3) + 0.0
    tensor([[ 2.,  0.],
            [ 0.,  2.],
            [-2.,  0.],
            [ 0., -2.]])
    """
    angle = 2 * math.pi / modes * torch.arange(modes)
    return radius * torch.stack([angle.cos(), angle.sin()], -1)


def ring(stream: Generator, number: int, modes: int = 8, radius: float = 2.0, sd: float = 0.2) -> Tensor:
    """``number`` points [number, 2], each of a uniformly chosen mode.

    >>> points = ring(torch.Generator().manual_seed(0), 1000)
    >>> points.shape, round(points.norm(dim=1).mean().item(), 1)
    (torch.Size([1000, 2]), 2.0)
    """
    which = torch.randint(modes, (number,), generator=stream)
    return centres(modes, radius)[which] + sd * torch.randn(number, 2, generator=stream)


def within_modes(points: Tensor, modes: int = 8, radius: float = 2.0) -> Tensor:
    """Root mean square, per coordinate, of the distance to the nearest mode: [..., N, 2] to [...].

    >>> within_modes(torch.tensor([[2.0, 0.2], [-2.0, 0.0]]))
    tensor(0.1000)
    """
    nearest = (points.unsqueeze(-2) - centres(modes, radius).to(points)).square().sum(-1).min(-1).values
    return (nearest.mean(-1) / 2).sqrt()
