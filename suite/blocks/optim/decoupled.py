"""The two moves that every rule shares: decay the weight by itself, then step along a direction.

``rate`` is a number, or a tensor that broadcasts against the weight: [R, 1] against a stack [R, P] of R models.
"""

from torch import Tensor


def shrink(weight: Tensor, lr: float | Tensor, decay: float | Tensor) -> None:
    """Decoupled weight decay, weight <- (1 - lr decay) weight, in place (Loshchilov & Hutter, arXiv:1711.05101).

    >>> import torch
    >>> weight = torch.tensor([2.0])
    >>> shrink(weight, lr=0.1, decay=0.5); weight
    tensor([1.9000])
    """
    if isinstance(decay, Tensor) or decay != 0:
        weight.mul_(1 - lr * decay)


def move(weight: Tensor, direction: Tensor, rate: float | Tensor) -> None:
    """weight <- weight - rate direction, in place."""
    if isinstance(rate, Tensor):
        weight.addcmul_(direction, -rate)
    else:
        weight.add_(direction, alpha=-rate)
