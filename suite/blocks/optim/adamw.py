"""AdamW: Adam with decoupled weight decay (Loshchilov & Hutter, arXiv:1711.05101, algorithm 2)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from suite.blocks.optim import fused
from suite.blocks.optim.decoupled import move, shrink


def update(
    weight: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    lr: float | Tensor,
    decay: float | Tensor,
    step: int,
    beta1: float,
    beta2: float,
    eps: float,
) -> None:
    """Step number ``step`` (from 1) of AdamW, in place on ``weight``, ``mean`` and ``square``; lr and decay broadcast.

        theta <- theta - lr decay theta
        m <- beta1 m + (1 - beta1) g,   v <- beta2 v + (1 - beta2) g^2
        theta <- theta - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    Equal to ``torch.optim.AdamW`` up to rounding.  A stack [R, n] with rates [R, 1] on the CPU takes torch's fused
    kernel, which goes over the numbers once; everything else takes ``by_passes``.

    >>> weight, mean, square = torch.tensor([1.0, 1.0]), torch.zeros(2), torch.zeros(2)
    >>> update(weight, torch.tensor([3.0, -0.5]), mean, square, 0.1, 0.0, 1, 0.9, 0.999, 1e-8); weight
    tensor([0.9000, 1.1000])
    """
    if fused.serves(weight, lr, gradient, mean, square):
        assert isinstance(lr, Tensor)
        weights, gradients, means, squares = map(fused.rows, (weight, gradient, mean, square))
        count = torch.tensor(float(step))
        for rate, fraction, places in fused.alike(lr, decay):
            torch._fused_adamw_(
                [weights[row] for row in places],
                [gradients[row] for row in places],
                [means[row] for row in places],
                [squares[row] for row in places],
                [],
                [count] * len(places),
                lr=rate,
                beta1=beta1,
                beta2=beta2,
                weight_decay=fraction,
                eps=eps,
                amsgrad=False,
                maximize=False,
            )
    else:
        by_passes(weight, gradient, mean, square, lr, decay, step, beta1, beta2, eps)


def by_passes(
    weight: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    lr: float | Tensor,
    decay: float | Tensor,
    step: int,
    beta1: float,
    beta2: float,
    eps: float,
) -> None:
    """``update`` in single operations: sqrt(1 - beta2^t) is multiplied into eps and lr, which saves two passes."""
    shrink(weight, lr, decay)
    mean.lerp_(gradient, 1 - beta1)
    square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    root = math.sqrt(1 - beta2**step)
    direction = torch.div(mean, square.sqrt().add_(eps * root))
    move(weight, direction, lr * (root / (1 - beta1**step)))


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``update`` as a stack's rule: ``Group(adamw.Rule(betas=(0.9, 0.99)), lr=[...], decay=[...])``."""

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    state: ClassVar[tuple[str, ...]] = ("mean", "square")
    per_parameter: ClassVar[bool] = False
    single_pass: ClassVar[bool] = True

    def __call__(
        self,
        weight: Tensor,
        gradient: Tensor,
        state: tuple[Tensor, ...],
        lr: float | Tensor,
        decay: float | Tensor,
        step: int,
    ) -> None:
        update(weight, gradient, state[0], state[1], lr, decay, step, *self.betas, self.eps)
