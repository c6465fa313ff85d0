"""Lion: the sign of an interpolated momentum (Chen et al., arXiv:2302.06675, algorithm 2; kexue.fm/archives/9473)."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from suite.blocks import compiler
from suite.blocks.optim.decoupled import move, shrink


def update(
    weight: Tensor,
    gradient: Tensor,
    momentum: Tensor,
    lr: float | Tensor,
    decay: float | Tensor,
    beta1: float,
    beta2: float,
) -> None:
    """One step of Lion, in place on ``weight`` and ``momentum`` (any equal shapes; lr and decay broadcast).

        u      = sign(beta1 m + (1 - beta1) g)        sign(0) = 0
        theta <- theta - lr (u + decay theta)
        m     <- beta2 m + (1 - beta2) g              m_0 = 0

    With beta1 == beta2 and decay == 0 it is SIGNUM, with beta1 == beta2 it is Tiger.

    >>> weight, momentum = torch.tensor([1.0, 1.0]), torch.zeros(2)
    >>> update(weight, torch.tensor([3.0, -0.5]), momentum, lr=0.1, decay=1.0, beta1=0.9, beta2=0.99)
    >>> weight, momentum
    (tensor([0.8000, 1.0000]), tensor([ 0.0300, -0.0050]))
    """
    direction = torch.lerp(momentum, gradient, 1 - beta1).sign_()
    shrink(weight, lr, decay)
    move(weight, direction, lr)
    momentum.lerp_(gradient, 1 - beta2)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``update`` as a stack's rule: ``Group(lion.Rule(betas=(0.9, 0.99)), lr=[...], decay=[...])``."""

    betas: tuple[float, float] = (0.9, 0.99)
    state: ClassVar[tuple[str, ...]] = ("momentum",)
    per_parameter: ClassVar[bool] = False

    def __call__(
        self,
        weight: Tensor,
        gradient: Tensor,
        state: tuple[Tensor, ...],
        lr: float | Tensor,
        decay: float | Tensor,
        step: int,
    ) -> None:
        update(weight, gradient, state[0], lr, decay, *self.betas)


class Lion(torch.optim.Optimizer):
    """Lion as an ordinary torch optimizer; its state is exactly one tensor per parameter.

    forloop   one parameter after the other, five passes over the numbers each
    foreach   the same passes over all parameters at once
    compiled  one pass that reads weight, gradient, momentum and writes weight, momentum: five numbers moved per
              weight, where AdamW moves seven.  The first step compiles, which takes seconds

    >>> weight = torch.nn.Parameter(torch.tensor([1.0]))
    >>> weight.grad = torch.tensor([4.0])
    >>> Lion([weight], lr=0.25, weight_decay=1.0).step(); weight.item()
    0.5
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        implementation: Literal["forloop", "foreach", "compiled"] = "foreach",
    ) -> None:
        if implementation not in _STEPS:
            raise ValueError(f"implementation= is one of {', '.join(_STEPS)}, got {implementation!r}")
        if lr < 0 or weight_decay < 0 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(
                f"Lion takes lr >= 0, weight_decay >= 0 and betas in [0, 1), got {lr}, {weight_decay}, {betas}"
            )
        super().__init__(
            params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "implementation": implementation}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight]["momentum"] = torch.zeros_like(weight, memory_format=torch.preserve_format)
            if weights:
                gradients, momenta = [w.grad for w in weights], [self.state[w]["momentum"] for w in weights]
                _STEPS[group["implementation"]](
                    weights, gradients, momenta, group["lr"], group["weight_decay"], *group["betas"]
                )
        return loss


def _forloop(
    weights: list[Tensor],
    gradients: list[Tensor],
    momenta: list[Tensor],
    lr: float,
    decay: float,
    beta1: float,
    beta2: float,
) -> None:
    for weight, gradient, momentum in zip(weights, gradients, momenta, strict=True):
        update(weight, gradient, momentum, lr, decay, beta1, beta2)


def _foreach(
    weights: list[Tensor],
    gradients: list[Tensor],
    momenta: list[Tensor],
    lr: float,
    decay: float,
    beta1: float,
    beta2: float,
) -> None:
    directions = torch._foreach_lerp(momenta, gradients, 1 - beta1)
    torch._foreach_sign_(directions)
    if decay != 0:
        torch._foreach_mul_(weights, 1 - lr * decay)
    torch._foreach_add_(weights, directions, alpha=-lr)
    torch._foreach_lerp_(momenta, gradients, 1 - beta2)


def _compiled(
    weights: list[Tensor],
    gradients: list[Tensor],
    momenta: list[Tensor],
    lr: float,
    decay: float,
    beta1: float,
    beta2: float,
) -> None:
    # As tensors the rate and the decay may change from step to step without compiling anew.
    rate, kept = (weights[0].new_tensor(value) for value in (lr, 1 - lr * decay))
    _single_pass()([w.detach() for w in weights], gradients, momenta, rate, kept, beta1, beta2)


def _to_compile(
    weights: list[Tensor],
    gradients: list[Tensor],
    momenta: list[Tensor],
    rate: Tensor,
    kept: Tensor,
    beta1: float,
    beta2: float,
) -> None:
    """``update`` in the form that the compiler makes the least of: the difference once, the sign as two choices."""
    for weight, gradient, momentum in zip(weights, gradients, momenta, strict=True):
        difference = gradient - momentum
        direction = momentum + (1 - beta1) * difference
        move = torch.where(direction > 0, rate, torch.where(direction < 0, -rate, 0.0))
        weight.copy_(weight * kept - move)
        momentum.add_(difference, alpha=1 - beta2)


@functools.cache
def _single_pass() -> Callable[..., None]:
    compiler.load()
    return torch.compile(_to_compile, fullgraph=True)


_STEPS = {"forloop": _forloop, "foreach": _foreach, "compiled": _compiled}
