"""Deliberately wrong optimizers, one for each arm: the headline must turn against whichever is broken."""

import torch
from torch import Tensor

from suite.blocks.optim import adamw, lion

Number = float | Tensor
_adamw, _lion = adamw.update, lion.update


def partly_uphill(gradient: Tensor) -> Tensor:
    """Every eighth weight sees its gradient with the wrong sign; the best rate still lies inside the grid."""
    wrong = torch.arange(gradient.shape[-1], device=gradient.device) % 8 == 0
    return torch.where(wrong, -gradient, gradient)


def broken_adamw(weight: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, lr: Number, decay: Number, step: int,
                 beta1: float, beta2: float, eps: float) -> None:  # fmt: skip
    _adamw(weight, partly_uphill(gradient), mean, square, lr, decay, step, beta1, beta2, eps)


def broken_lion(
    weight: Tensor, gradient: Tensor, momentum: Tensor, lr: Number, decay: Number, beta1: float, beta2: float
) -> None:
    _lion(weight, partly_uphill(gradient), momentum, lr, decay, beta1, beta2)
