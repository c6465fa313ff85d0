"""Steps of the optimizers over 8 million weights; the limit is the ratio of the numbers that they move."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from suite.blocks import compiler
from suite.blocks.metrics.step_seconds import settle
from suite.blocks.models.mlp import mlp
from suite.blocks.optim import adamw, lion, sgd, tiger
from suite.blocks.optim.lion import Lion
from suite.seeds import Seed
from suite.stack import Group, StackOptimizer
from tests.benchmarks import plain
from tests.benchmarks.ratios import copy_bandwidth, interleave, note

WEIGHTS, PIECES, REPEATS = 8_000_000, 8, 5
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def parameters(place: str) -> list[nn.Parameter]:
    found = [nn.Parameter(torch.randn(WEIGHTS // PIECES, device=place)) for _ in range(PIECES)]
    for parameter in found:
        parameter.grad = torch.randn_like(parameter)
    return found


def timed(step: Callable[[], Any], place: str) -> Callable[[], float]:
    def run() -> float:
        best = float("inf")
        for _ in range(REPEATS):
            started = time.perf_counter()
            step()
            settle(torch.device(place))
            best = min(best, time.perf_counter() - started)
        return best

    for _ in range(3):
        step()
    return run


@pytest.mark.parametrize("place", DEVICES)
def test_compiled_lion_against_fused_adamw(benchmark: Any, place: str) -> None:
    if place == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    if place == "cpu" and not compiler.present():
        pytest.skip("needs a C++ compiler")
    ours = Lion(parameters(place), lr=1e-4, weight_decay=1.0, implementation="compiled")
    theirs = torch.optim.AdamW(parameters(place), lr=1e-3, weight_decay=0.1, fused=True)
    fast, slow = interleave(benchmark, timed(ours.step, place), timed(theirs.step, place), rounds=8)
    bandwidth = 20 * WEIGHTS / fast
    note(
        benchmark,
        f"compiled Lion, 8 million weights, {place}",
        f"Lion {1e3 * fast:.2f} ms / AdamW(fused=True) {1e3 * slow:.2f} ms",
        fast / slow,
        target=0.76,
        floor=0.79,
        limit=5 / 7,
        less=True,
        more=f"Lion moves {bandwidth / 1e9:.1f} GB/s, AdamW {28 * WEIGHTS / slow / 1e9:.1f} GB/s"
        + (f", a copy {copy_bandwidth() / 1e9:.1f} GB/s" if place == "cpu" else ""),
    )


MODELS, SIZES = 48, [64, 64, 64, 10]


def stack_step(rule: Any) -> tuple[Callable[[], Any], int]:
    """The step of 48 models with rates of their own, and the number of their weights."""
    stack = mlp(SIZES, [Seed("bench/r1", "verdict", n).stream("weights") for n in range(MODELS)])
    rates = [1e-4 * (1 + n) for n in range(MODELS)]
    step = StackOptimizer(stack, Group(rule, lr=rates, decay=[0.1] * MODELS)).step
    return step, sum(parameter.numel() for parameter in stack.parameters())


def note_rule(
    benchmark: Any, what: str, theirs: str, seconds: tuple[float, float], target: float, moved: int, weights: int
) -> None:
    fast, slow = seconds
    note(
        benchmark,
        what,
        f"the stack's step {1e3 * fast:.2f} ms / {theirs} {1e3 * slow:.2f} ms",
        fast / slow,
        target=target,
        less=True,
        more=f"{moved} numbers a weight: {4 * moved * weights / fast / 1e9:.1f} GB/s",
    )


@pytest.mark.parametrize(
    ("name", "rule", "moved", "target"),
    [
        ("AdamW", adamw.Rule(), 7, 0.6),
        ("SGD with momentum", sgd.Rule(momentum=0.9), 5, 0.8),
        ("Lion", lion.Rule(), 5, 1.1),
        ("Tiger", tiger.Rule(), 5, 1.1),
    ],
)
def test_rules_of_a_stack_against_foreach_adamw(
    benchmark: Any, name: str, rule: Any, moved: int, target: float
) -> None:
    """48 models with rates and decays of their own; the other side has one rate for all."""
    ours, weights = stack_step(rule)
    one = nn.Parameter(torch.randn(weights))
    one.grad = torch.randn(weights)
    theirs = torch.optim.AdamW([one], lr=1e-3, weight_decay=0.1, foreach=True)
    found = interleave(benchmark, timed(ours, "cpu"), timed(theirs.step, "cpu"), rounds=8)
    what = f"{name} of {MODELS} models, a rate each"
    note_rule(benchmark, what, "AdamW(foreach=True) over as many weights", found, target, moved, weights)


def fused_adamw(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, weight_decay=0.1, fused=True)


def fused_sgd(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, momentum=0.9, weight_decay=0.1, fused=True)


@pytest.mark.parametrize(
    ("name", "rule", "moved", "theirs"),
    [
        ("AdamW", adamw.Rule(), 7, fused_adamw),
        ("SGD with momentum", sgd.Rule(momentum=0.9), 5, fused_sgd),
        ("Lion", lion.Rule(), 5, fused_adamw),
        ("Tiger", tiger.Rule(), 5, fused_adamw),
    ],
)
def test_rules_of_a_stack_against_groups(benchmark: Any, name: str, rule: Any, moved: int, theirs: Any) -> None:
    """Torch's own way to give 48 models a rate each is a group of parameters for each.  It has no Lion or Tiger."""
    ours, weights = stack_step(rule)
    apart = [plain.perceptron(SIZES) for _ in range(MODELS)]
    for model in apart:
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
    other = theirs([{"params": list(model.parameters()), "lr": 1e-4 * (1 + n)} for n, model in enumerate(apart)])
    found = interleave(benchmark, timed(ours, "cpu"), timed(other.step, "cpu"), rounds=8)
    what, against = f"{name} of {MODELS} models, as groups", f"{type(other).__name__}(fused=True), {MODELS} groups"
    note_rule(benchmark, what, against, found, 1, moved, weights)
