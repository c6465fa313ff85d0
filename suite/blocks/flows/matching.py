"""Flow matching along straight lines from noise to data.

(Lipman et al., arXiv:2210.02747; Liu et al., arXiv:2209.03003.)

A velocity field v(x, t) maps x [R, B, ...] and times [R, B] to [R, B, ...].
"""

from collections.abc import Callable

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]


def matching_loss(velocity: Velocity, data: Tensor, noise: Tensor, times: Tensor) -> Tensor:
    """Loss [R] of data and noise [R, B, ...] at times [R, B] in [0, 1].

        x_t = (1 - t) noise + t data,   mean over examples and coordinates of |v(x_t, t) - (data - noise)|^2

    >>> data, noise, times = torch.ones(1, 2, 3), torch.zeros(1, 2, 3), torch.rand(1, 2)
    >>> matching_loss(lambda x, t: torch.ones_like(x), data, noise, times)
    tensor([0.])
    """
    t = times.view(*times.shape, *[1] * (data.ndim - 2))
    aim = data - noise
    return (velocity(noise + t * aim, times) - aim).square().flatten(1).mean(1)


def midpoint(velocity: Velocity, start: Tensor, steps: int) -> Tensor:
    """x(1) from x(0) = start [R, B, ...] along dx/dt = v(x, t), by ``steps`` steps of the midpoint rule.

        x <- x + h v(x + h/2 v(x, t), t + h/2)

    Exact for fields that are linear in t.

    >>> midpoint(lambda x, t: 2 * t.unsqueeze(-1).expand_as(x), torch.zeros(1, 1, 1), steps=3)
    tensor([[[1.]]])
    """
    x, h = start, 1 / steps
    for step in range(steps):
        now = torch.full(x.shape[:2], step * h, dtype=x.dtype, device=x.device)
        half = x + h / 2 * velocity(x, now)
        x = x + h * velocity(half, now + h / 2)
    return x
