"""Update rules one number at a time, from the papers' algorithms: the obvious twins of ``suite.blocks.optim``."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class NaiveRule(torch.optim.Optimizer):
    """A plain optimizer over one model; ``advance`` gets Python floats and returns the new weight and state."""

    slots = 1

    def __init__(self, params: Sequence[dict], **settings: float) -> None:
        super().__init__(params, {"lr": 1.0, "decay": 0.0, **settings})
        self.number = 0

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        self.number += 1
        for group in self.param_groups:
            for parameter in group["params"]:
                memory = self.state[parameter].setdefault(
                    "memory", [[0.0] * self.slots for _ in range(parameter.numel())]
                )
                weights, gradients = parameter.flatten().tolist(), parameter.grad.flatten().tolist()
                for i, (theta, g) in enumerate(zip(weights, gradients, strict=True)):
                    weights[i], memory[i] = self.advance(theta, g, memory[i], group, parameter)
                parameter.copy_(torch.tensor(weights, dtype=torch.float64).view(parameter.shape))

    def advance(self, theta: float, g: float, memory: list[float], group: dict, parameter: Tensor):
        raise NotImplementedError


def sign(x: float) -> float:
    return float(x > 0) - float(x < 0)


class NaiveLion(NaiveRule):
    """Chen et al., arXiv:2302.06675, algorithm 2."""

    def advance(self, theta, g, memory, group, parameter):
        (m,), b1, b2 = memory, group["beta1"], group["beta2"]
        u = sign(b1 * m + (1 - b1) * g)
        return theta - group["lr"] * (u + group["decay"] * theta), [b2 * m + (1 - b2) * g]


class NaiveTiger(NaiveRule):
    """Post 9512: one beta; ``relative`` scales the rate by the parameter's root mean square, for vectors by a half."""

    def advance(self, theta, g, memory, group, parameter):
        m = group["beta"] * memory[0] + (1 - group["beta"]) * g
        lr = group["lr"]
        if group.get("relative"):
            lr *= 0.5 if parameter.ndim < 2 else self.before[parameter]
        return theta - lr * (sign(m) + group["decay"] * theta), [m]

    def step(self, closure=None):
        """Remember every parameter's root mean square before the step changes it."""
        self.before = {
            p: float(p.detach().square().mean().sqrt()) for group in self.param_groups for p in group["params"]
        }
        super().step()


class NaiveAdamW(NaiveRule):
    """Loshchilov & Hutter, arXiv:1711.05101, algorithm 2."""

    slots = 2

    def advance(self, theta, g, memory, group, parameter):
        b1, b2, t = group["beta1"], group["beta2"], self.number
        m, v = b1 * memory[0] + (1 - b1) * g, b2 * memory[1] + (1 - b2) * g * g
        u = (m / (1 - b1**t)) / (math.sqrt(v / (1 - b2**t)) + group["eps"])
        return theta - group["lr"] * (u + group["decay"] * theta), [m, v]
