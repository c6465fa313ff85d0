"""One recipe for every arm: Adam with a warm-up and a linear decay, and the checkpoint that validation likes best.

Only the loss and its learning rate differ between two arms.  Arms of one network share a stack.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from suite import fit
from suite.blocks.losses.cosent import cosent
from suite.blocks.losses.pointwise import logistic, squared_error
from suite.blocks.models.interaction import Interaction, Representation
from suite.blocks.optim import adamw
from suite.claims import Tier
from suite.seeds import Seed
from suite.stack import Group
from tasks.cosent_vs_cross_entropy.metrics import accuracy, spearman, threshold
from tasks.cosent_vs_cross_entropy.worlds import World

WARMUP = 50  # steps
CHECKPOINTS = 5
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # tried for every loss on every task
COSINES = 20.0  # CoSENT's scale where scores are cosines; 1 where they are unbounded

Loss = Callable[[Tensor, Tensor], Tensor]
# Of scores [R, B] and labels [R, B].
ON_SCORES: Mapping[str, Loss] = {
    "ce": lambda f, y: logistic(f, y),
    "cosent": lambda f, y: cosent(f, y),
    "mse": lambda f, y: squared_error(f, y / 5),  # graded labels reach 5
}


def linear(steps: int) -> Callable[[int], float]:
    """Rise over WARMUP steps (a fifth of the steps, if those are fewer), then a straight fall to 0.

    >>> [linear(10)(t) for t in (0, 1, 2, 9)]
    [0.5, 1.0, 1.0, 0.125]
    """
    rise = min(WARMUP, steps // 5)
    return lambda step: (step + 1) / rise if step < rise else (steps - step) / (steps - rise)


def cosine_regression(cosines: Tensor, y: Tensor) -> Tensor:
    """Mean of y (1 - cos) + (1 - y) (1 + cos): pushes every negative towards -1.

    >>> cosine_regression(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([0.5000])
    """
    return (y * (1 - cosines) + (1 - y) * (1 + cosines)).mean(1)


def by_rows(names: Sequence[str], of: Callable[[str, list[int]], Tensor]) -> Tensor:
    """[R]: ``of(name, rows)`` for the rows of each name, put back into their places."""
    groups = {name: [row for row, other in enumerate(names) if other == name] for name in dict.fromkeys(names)}
    found = torch.cat([of(name, rows) for name, rows in groups.items()])
    back = torch.tensor([row for rows in groups.values() for row in rows]).argsort()
    return found[back.to(found.device)]


def interaction(seeds: Sequence[Seed], tier: Tier, data: World) -> Interaction:
    return Interaction(data.table, [seed.stream("weights") for seed in seeds], hidden=tier["hidden"])


def representation(seeds: Sequence[Seed], tier: Tier, data: World) -> Representation:
    return Representation(data.table, [seed.stream("weights") for seed in seeds], hidden=tier["hidden"])


def scores(model: nn.Module, a: Tensor, b: Tensor) -> Tensor:
    """[R, B]: the network's own for an interaction network, cosines for representations."""
    if isinstance(model, Representation):
        return (model(a) * model(b)).sum(-1)
    return model(a, b)


def losses(model: nn.Module, names: Sequence[str], a: Tensor, b: Tensor, y: Tensor) -> Tensor:
    """[R], each row under its own loss."""
    if isinstance(model, Representation):
        u, v = model(a), model(b)
        cosines = (u * v).sum(-1)
        logits = model.logit(u, v) if "sbert" in names else cosines

        def of(name: str, rows: list[int]) -> Tensor:
            if name == "sbert":
                return logistic(logits[rows], y[rows])
            if name == "cosine":
                return cosine_regression(cosines[rows], y[rows])
            return cosent(cosines[rows], y[rows], COSINES)

        return by_rows(names, of)
    f = model(a, b)
    return by_rows(names, lambda name, rows: ON_SCORES[name](f[rows], y[rows]))


def judged(model: nn.Module, data: World) -> dict[str, Tensor]:
    """Spearman's correlation on validation and test, and accuracy on test [R]; raw scores are ranked in every arm."""
    found: dict[str, Tensor] = {}
    seen: dict[str, tuple[Tensor, Tensor]] = {}
    for split in ("validation", "test"):
        a, b, y = data.held_out(split)
        seen[split] = (scores(model, a, b).float(), y)
        found[split] = spearman(*seen[split])
    if data.binary:
        found["accuracy"] = accuracy(*seen["test"], threshold(*seen["validation"]))
    return found


def train(model: nn.Module, data: World, names: Sequence[str], lr: Sequence[float], steps: int) -> Mapping[str, Tensor]:
    """Train the stack, each model under the loss of its name, and take the checkpoint that validation likes best.

    "validation", "spearman" (on test) and, for binary labels, "accuracy" [R] at that checkpoint; "curve"
    [R, CHECKPOINTS], the validation values of all, and their mean "area" [R].
    """
    fitted = fit.fit(
        model,
        loss=lambda model, a, b, y: losses(model, names, a, b, y),
        batch=data.batch,
        steps=steps,
        optimizer=Group(adamw.Rule(), lr=lr),
        schedule=linear(steps),
        evaluate=lambda model: judged(model, data),
        every=max(1, steps // CHECKPOINTS),
    )
    curve = fitted.curves["validation"]
    best = curve.nan_to_num(-1e9).argmax(1, keepdim=True)
    names_of = {"validation": "validation", "test": "spearman", "accuracy": "accuracy"}
    found = {names_of[name]: values.gather(1, best).squeeze(1).double() for name, values in fitted.curves.items()}
    return {**found, "curve": curve, "area": curve.mean(1)}
