"""Stochastic gradient descent with heavy-ball or Nesterov momentum, as ``torch.optim.SGD`` writes it."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

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

    The decay is part of the gradient here (L2 penalty), unlike in AdamW, Lion and Tiger.

    >>> import torch
    >>> weight, momentum = torch.tensor([1.0]), torch.zeros(1)
    >>> for _ in range(2): update(weight, torch.tensor([1.0]), momentum, lr=0.1, decay=0.0, beta=0.5)
    >>> weight
    tensor([0.7500])
    """
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
