"""How long a step takes (c3): Lion against torch's AdamW, like against like, and against torch's fused AdamW.

All contestants take turns within every round, in an order drawn anew, so that a slow moment of the machine meets them
alike; a block's time is the median over its rounds, and what is judged is the ratio of two medians of the same block.
Before every block all tensors move to other memory: how they lie against each other is luck that lasts as long as they
stay there.
The numbers hold for one machine and for the threads that the worker allows (one).
"""

import logging
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from suite import fit
from suite.blocks import compiler
from suite.blocks.losses.cross_entropy import cross_entropy
from suite.blocks.metrics.step_seconds import turns
from suite.blocks.models.transformer import transformer
from suite.blocks.optim.lion import Lion
from suite.claims import Experiment, Tier
from suite.seeds import Seed

EAGER = ("lion_forloop", "adamw_forloop", "lion_foreach", "adamw_foreach", "adamw_fused")
PIECES = 8  # parameters that the weights are cut into
WARM_UPS = 3
LINE, PAGE = 16, 1024  # numbers of a cache line, and of a page of memory
TURN = 2_000_000  # weights that a turn updates, at least
# What is divided by what: name of the ratio, numerator, denominator.
RATIOS = (
    ("forloop", "lion_forloop", "adamw_forloop"),
    ("foreach", "lion_foreach", "adamw_foreach"),
    ("compiled", "lion_compiled", "adamw_compiled"),
    ("foreach_over_fused", "lion_foreach", "adamw_fused"),
    ("compiled_over_fused", "lion_compiled", "adamw_fused"),
)


def contestants(weights: int, seed: Seed, compiled: bool) -> dict[str, tuple[torch.optim.Optimizer, Callable[[], Any]]]:
    """The optimizers and their steps by name, each with weights and state of its own and the same gradients."""
    stream, place = seed.stream("weights"), fit.device()
    start = [torch.randn(weights // PIECES, generator=stream).to(place) for _ in range(PIECES)]
    gradients = [torch.randn(weights // PIECES, generator=stream).to(place) for _ in range(PIECES)]

    def parameters() -> list[nn.Parameter]:
        found = [nn.Parameter(piece.clone()) for piece in start]
        for parameter, gradient in zip(found, gradients, strict=True):
            parameter.grad = gradient.clone()
        return found

    def adamw(*, foreach: bool | None = None, fused: bool | None = None) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters(), lr=1e-3, weight_decay=0.1, foreach=foreach, fused=fused)

    def lion(implementation: Any) -> torch.optim.Optimizer:
        return Lion(parameters(), lr=1e-4, weight_decay=1.0, implementation=implementation)

    found = {
        "lion_forloop": lion("forloop"),
        "adamw_forloop": adamw(foreach=False),
        "lion_foreach": lion("foreach"),
        "adamw_foreach": adamw(foreach=True),
        "adamw_fused": adamw(fused=True),
    }
    if compiled and compiler.present():
        # What this process compiled before would decide whether this size gets a kernel of its own or one for any size.
        torch.compiler.reset()
        found["lion_compiled"] = lion("compiled")
        found["adamw_compiled"] = adamw(foreach=False)
    return {
        name: (one, torch.compile(one.step) if name == "adamw_compiled" else one.step) for name, one in found.items()
    }


def move(optimizer: torch.optim.Optimizer, stream: Generator) -> None:
    """Bring weights, gradients and state to other memory, each to a place within its page that the stream draws."""
    tensors = []
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            kept = [value for value in optimizer.state[parameter].values() if value.shape == parameter.shape]
            tensors += [parameter, parameter.grad, *kept]
    for tensor in tensors:  # the same tensor over other memory: a compiled step stands
        first = LINE * int(torch.randint(PAGE // LINE, (), generator=stream))
        room = tensor.new_empty(tensor.numel() + PAGE)
        tensor.data = room[first : first + tensor.numel()].view_as(tensor).copy_(tensor.data)


def warm_up(steps: Mapping[str, Callable[[], Any]]) -> None:
    """Let everyone allocate and compile before the clock runs."""
    # Not our doing: dynamo reports the profiler mark in torch's own optimizers, inductor's import a deprecation.
    logging.getLogger("torch._dynamo.variables.ctx_manager").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.")
        for step in steps.values():
            for _ in range(WARM_UPS):
                step()


def prepare(tier: Tier) -> None:
    """Compile what ``measure`` will time; the compiler keeps it on disk."""
    for weights in tier["weights"] if tier["compiled"] else ():
        contest = contestants(weights, Seed("step-time", "prepare", 0), compiled=True)
        warm_up({name: step for name, (_, step) in contest.items() if name.endswith("_compiled")})


def training(seed: Seed, tier: Tier) -> dict[str, Callable[[], Any]]:
    """One whole training step (batch, forward, backward, foreach update) of a transformer, by optimizer."""
    place = fit.device()
    stream = seed.stream("tokens")
    tokens = torch.randint(96, (1, tier["batch"], tier["context"] + 1), generator=stream).to(place)
    found: dict[str, Callable[[], Any]] = {}
    for name in ("lion", "adamw"):
        model = transformer(96, tier["width"], tier["depth"], 4, tier["context"], [seed.stream("model")]).to(place)
        if name == "lion":
            optimizer: torch.optim.Optimizer = Lion(
                model.parameters(), lr=1e-5, weight_decay=1.0, implementation="foreach"
            )
        else:
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.1, foreach=True)
        found[name] = _training_step(model, optimizer, tokens)
    return found


def _training_step(model: nn.Module, optimizer: torch.optim.Optimizer, tokens: Tensor) -> Callable[[], None]:
    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(model(tokens[..., :-1]), tokens[..., 1:]).sum().backward()
        optimizer.step()

    return step


def measure(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Sequence[Any]]:
    """One block per seed; every metric but ``steps_per_second`` has one entry per number of weights."""
    found: dict[str, list[Any]] = {"steps_per_second": []}
    for weights in tier["weights"]:
        contest = contestants(weights, seeds[0], tier["compiled"])
        steps = {name: step for name, (_, step) in contest.items()}
        warm_up(steps)
        for block, seed in enumerate(seeds):
            memory = seed.stream("memory")
            for optimizer, _ in contest.values():
                move(optimizer, memory)
            seconds = turns(steps, seed.stream("order"), fit.device(), tier["rounds"], max(1, TURN // weights))
            row = {f"{name}_ms": 1e3 * value for name, value in seconds.items()}
            for name, a, b in RATIOS:
                if (
                    "compiled" not in name or tier["compiled"]
                ):  # NaN where no compiler is at hand: that claim cannot be judged
                    row[name] = seconds[a] / seconds[b] if a in seconds and b in seconds else math.nan
            for name, value in row.items():
                blocks = found.setdefault(name, [[] for _ in seeds])
                blocks[block].append(value)
    whole = training(seeds[0], tier)
    warm_up(whole)
    for seed in seeds:
        seconds = turns(whole, seed.stream("order"), fit.device(), tier["rounds"])
        found["steps_per_second"].append(seconds["adamw"] / seconds["lion"])
    return found


_SMALL = {"width": 32, "depth": 1, "batch": 2, "context": 16}
_MEDIUM = {"width": 128, "depth": 4, "batch": 8, "context": 32}
_LARGE = {"width": 768, "depth": 12, "batch": 8, "context": 1024}

EXPERIMENT = Experiment(
    name="step-time",
    measure=measure,
    prepare=prepare,
    timed=True,
    tiers={
        "smoke": Tier(seeds=3, sizes={"weights": (100_000,), "rounds": 3, "compiled": False, **_SMALL}),
        "cpu": Tier(seeds=16, sizes={"weights": (100_000, 8_000_000), "rounds": 7, "compiled": True, **_MEDIUM}),
        "gpu": Tier(
            seeds=16, sizes={"weights": (100_000, 8_000_000, 124_000_000), "rounds": 7, "compiled": True, **_LARGE}
        ),
    },
)
