"""The root-mean-square norm of a stack and its gradients, into memory that is handed in.

With y = x / rms(x) and g the gradient of the output times the gain:  dx = (g - y mean(g y)) / rms(x).
(Zhang & Sennrich, arXiv:1910.07467.)  Letters: R models, N tokens, D width.
"""

import torch
from torch import Tensor


def forward(x: Tensor, eps: float, scale: Tensor, y: Tensor) -> Tensor:
    """y = x / rms(x), all [R, N, D], with 1 / rms(x) = 1 / sqrt(mean(x^2) + eps) left in ``scale`` [R, N, 1].

    >>> forward(torch.tensor([[[3.0, 4.0]]]), 0.0, torch.empty(1, 1, 1), torch.empty(1, 1, 2))
    tensor([[[0.8485, 1.1314]]])
    """
    torch.linalg.vector_norm(x, dim=-1, keepdim=True, out=scale)
    scale.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
    return torch.mul(x, scale, out=y)


def gained(y: Tensor, gain: Tensor | None, out: Tensor | None) -> Tensor:
    """y times a gain [R, D], into ``out``; y itself where there is no gain."""
    return y if gain is None else torch.mul(y, gain.unsqueeze(1), out=out)


def backward(
    g: Tensor, y: Tensor, scale: Tensor, gain: Tensor | None, room: Tensor, of_x: Tensor, of_gain: Tensor | None
) -> None:
    """The gradients of x, into ``of_x`` [R, N, D], and of the gain, into ``of_gain`` [R, D].

    ``g`` is the gradient of what ``gained`` returned, ``y`` and ``scale`` come from ``forward``; ``room`` [R, N, D] is
    overwritten.
    """
    torch.mul(g, y, out=room)
    if gain is not None and of_gain is not None:
        torch.sum(room, 1, out=of_gain)
        g = torch.mul(g, gain.unsqueeze(1), out=of_x)
        room.mul_(gain.unsqueeze(1))
    mean = room.sum(-1, keepdim=True).div_(-y.shape[-1])
    torch.addcmul(g, y, mean, out=of_x).mul_(scale)


def by_operations(x: Tensor, gain: Tensor | None, eps: float) -> Tensor:
    """x [R, N, D] over its rms, times the gain: in operations that can be differentiated as often as one likes."""
    return gained(x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps), gain, None)
