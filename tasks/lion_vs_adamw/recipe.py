"""What both sides of every fight share: the rules with their coefficients, the schedule, the clip, the decay mask.

Only the rule, its learning rate and its decay differ between two arms.  Weights, batches and noise come from the seed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from torch import Tensor, nn

from suite import fit
from suite.blocks.optim import adamw, lion
from suite.blocks.optim.schedules import cosine
from suite.stack import Group

WARMUP = 0.1  # share of the steps over which the rate rises; afterwards half a cosine down to zero
CLIP = 1.0  # largest gradient norm of a model

# The paper's coefficients: section 4 for vision, and those that it changes for language.
RULES = {
    "lion": lion.Rule(betas=(0.9, 0.99)),
    "adamw": adamw.Rule(betas=(0.9, 0.999), eps=1e-8),
    "lion-language": lion.Rule(betas=(0.95, 0.98)),
    "adamw-language": adamw.Rule(betas=(0.9, 0.99), eps=1e-6),
}


def train(
    model: nn.Module,
    rule: str,
    *,
    lr: Sequence[float],
    decay: Sequence[float],
    loss: Callable[..., Tensor],
    batch: Callable[[int], Sequence[Tensor]],
    steps: int,
    warmup: float | Sequence[float] = WARMUP,
    evaluate: Callable[[nn.Module], Mapping[str, Tensor]] | None = None,
    precision: Literal["fp32", "bf16"] = "fp32",
) -> fit.Fitted:
    """Train a stack with one rule; matrices and tables decay, biases and gains do not."""
    return fit.fit(
        model,
        loss=loss,
        batch=batch,
        steps=steps,
        optimizer=Group(RULES[rule], lr=lr, decay=decay),
        schedule=cosine(steps, warmup=warmup),
        clip=CLIP,
        record=20,
        evaluate=evaluate,
        precision=precision,
    )
