"""Tiger: Lion with one momentum coefficient (kexue.fm/archives/9512; for its relatives kexue.fm/archives/8634)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from suite.blocks.optim.decoupled import move, shrink


def update(
    weight: Tensor, gradient: Tensor, momentum: Tensor, lr: float | Tensor, decay: float | Tensor, beta: float
) -> None:
    """One step of Tiger, in place on ``weight`` and ``momentum`` (equal shapes; lr and decay broadcast).

        m     <- beta m + (1 - beta) g                m_0 = 0
        theta <- theta - lr (sign(m) + decay theta)   sign(0) = 0

    It is Lion with beta1 == beta2; without decay it is SIGNUM (Bernstein et al., arXiv:1802.04434).  While sign(m)
    stays the same, theta runs to the fixed point -sign(m) / decay (post kexue.fm/archives/9736).

    >>> import torch
    >>> weight, momentum = torch.tensor([1.0, 1.0]), torch.zeros(2)
    >>> update(weight, torch.tensor([3.0, -0.5]), momentum, lr=0.1, decay=0.5, beta=0.9); weight
    tensor([0.8500, 1.0500])
    """
    momentum.lerp_(gradient, 1 - beta)
    shrink(weight, lr, decay)
    move(weight, momentum.sign(), lr)


def relative_rate(weight: Tensor, lr: float | Tensor, over: Literal["parameter", "row"]) -> float | Tensor:
    """The rate that post 9512 gives a parameter ``weight`` [R, ...]: lr times its root mean square.

    A vector [R, n] gets lr / 2.  ``over`` = "parameter" takes the mean over the whole parameter of each model, "row"
    over the last axis (embeddings in the author's code).

    >>> import torch
    >>> relative_rate(torch.tensor([[[3.0, 4.0], [0.0, 0.0]]]), 1.0, "row").flatten()
    tensor([3.5355, 0.0000])
    """
    if weight.ndim <= 2:
        return 0.5 * lr
    axes = tuple(range(1, weight.ndim)) if over == "parameter" else (weight.ndim - 1,)
    return lr * weight.square().mean(axes, keepdim=True).sqrt()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``update`` as a stack's rule: ``Group(tiger.Rule(), lr=[...], decay=[...])``.

    ``relative`` scales the rate by the weights' root mean square (``relative_rate``); None keeps it as it is.
    """

    beta: float = 0.965
    relative: Literal["parameter", "row"] | None = None
    state: ClassVar[tuple[str, ...]] = ("momentum",)

    @property
    def per_parameter(self) -> bool:
        """Whether the rule must see one parameter [R, ...] at a time instead of the flat [R, P]."""
        return self.relative is not None

    def __call__(
        self,
        weight: Tensor,
        gradient: Tensor,
        state: tuple[Tensor, ...],
        lr: float | Tensor,
        decay: float | Tensor,
        step: int,
    ) -> None:
        rate = relative_rate(weight, lr, self.relative) if self.relative else lr
        update(weight, gradient, state[0], rate, decay, self.beta)
