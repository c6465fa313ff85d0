"""Stochastic gradient descent with heavy-ball or Nesterov momentum, as ``torch.optim.SGD`` writes it."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from suite.blocks.optim import fused
from suite.blocks.optim.decoupled import move


def update(
    weight: Tensor,
    gradient: Tensor,
    momentum: Tensor | None,
    lr: float | Tensor,
    decay: float | Tensor,
    beta: float,
    nesterov: bool = False,
) -> None:
    """One step of SGD, in place on ``weight`` and ``momentum`` (equal shapes; lr and decay broadcast).

        d = g + decay theta
        b <- beta b + d                                b_0 = 0
        theta <- theta - lr b                          (Nesterov: d + beta b instead of b)

    The decay is part of the gradient here (L2 penalty), unlike in AdamW, Lion and Tiger.  A stack [R, n] with rates
    [R, 1] on the CPU takes torch's fused kernel, which goes over the numbers once; everything else ``by_passes``.

    >>> import torch
    >>> weight, momentum = torch.tensor([1.0]), torch.zeros(1)
    >>> for _ in range(2): update(weight, torch.tensor([1.0]), momentum, lr=0.1, decay=0.0, beta=0.5)
    >>> weight
    tensor([0.7500])
    """
    others = (gradient,) if momentum is None else (gradient, momentum)
    if fused.serves(weight, lr, *others):
        assert isinstance(lr, Tensor)
        weights, gradients = fused.rows(weight), fused.rows(gradient)
        momenta = [] if momentum is None else fused.rows(momentum)
        for rate, fraction, places in fused.alike(lr, decay):
            torch._fused_sgd_(
                [weights[row] for row in places],
                [gradients[row] for row in places],
                [momenta[row] for row in places] if momenta else [],
                weight_decay=fraction,
                momentum=beta if momenta else 0.0,
                lr=rate,
                dampening=0.0,
                nesterov=nesterov and momentum is not None,
                maximize=False,
                is_first_step=False,
            )
    else:
        by_passes(weight, gradient, momentum, lr, decay, beta, nesterov)


def by_passes(
    weight: Tensor,
    gradient: Tensor,
    momentum: Tensor | None,
    lr: float | Tensor,
    decay: float | Tensor,
    beta: float,
    nesterov: bool = False,
) -> None:
    """``update`` in single operations."""
    direction = gradient
    if isinstance(decay, Tensor) or decay != 0:
        direction = gradient + decay * weight
    if momentum is not None:
        momentum.mul_(beta).add_(direction)
        direction = direction.add(momentum, alpha=beta) if nesterov else momentum
    move(weight, direction, lr)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``update`` as a stack's rule: ``Group(sgd.Rule(momentum=0.9), lr=[...])``."""

    momentum: float = 0.0
    nesterov: bool = False
    per_parameter: ClassVar[bool] = False
    single_pass: ClassVar[bool] = True

    @property
    def state(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def __call__(
        self,
        weight: Tensor,
        gradient: Tensor,
        state: tuple[Tensor, ...],
        lr: float | Tensor,
        decay: float | Tensor,
        step: int,
    ) -> None:
        update(weight, gradient, state[0] if state else None, lr, decay, self.momentum, self.nesterov)
