"""What can be checked to the last digit: memory, first steps, fixed points, underflow (c2, c7 to c10, c15, c17).

Every check runs the suite's own update rules (torch's AdamW where memory and operations are counted) against an
independent statement of what the posts say.  float64 throughout, but for c17, which is about float32.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from suite.blocks.optim import adamw, lion, tiger
from suite.claims import Experiment, Tier
from suite.seeds import Seed

NORMAL_COSINE = math.sqrt(2 / math.pi)  # between a normal vector and its signs: E|x| / sqrt(E x^2)
AMOS, DIMENSION = 1.11e-3, 768  # alpha_0 and the width of a base model, post 9473
TINY = 2.0**-149  # the least positive float32
BETAS = (0.965, 0.99)  # Tiger's coefficient and Lion's, whose momenta fade while a token is absent
NORMAL = 2.0**-126  # the least one with full precision


def identities(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Sequence[Any]]:
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        lion_state, adamw_state = state_per_weight(seed)
        left = [underflow(beta, 1e-6, 20_000)[0] for beta in BETAS]
        rows.append(
            {
                "lion_state": lion_state,
                "adamw_state": adamw_state,
                "state_ratio": lion_state / adamw_state,
                "first_step": first_step(seed),
                "signum": signum_gap(seed, tier["steps"]),
                "lion_costly": costly(lion.Lion([torch.nn.Parameter(torch.ones(100))], implementation="forloop")),
                "adamw_costly": costly(torch.optim.AdamW([torch.nn.Parameter(torch.ones(100))], foreach=False)),
                "lion_rms": lion_rms(seed, tier["steps"]),
                "fixed_point": fixed_point_gap(seed, tier["steps"]),
                "amos_rate": AMOS * DIMENSION**-0.5,
                "amos_decay": AMOS * DIMENSION**0.5 / 2,
                "left": left,
                "stall_gap": [found - stall(beta) for found, beta in zip(left, BETAS, strict=True)],
                "flushed_after": flushed(0.965, 1e-6),
                "flushed_in_theory": math.ceil(math.log(NORMAL / 1e-6) / math.log(0.965)),
            }
        )
    return {name: [row[name] for row in rows] for name in rows[0]}


def state_per_weight(seed: Seed) -> tuple[float, float]:
    """Numbers that an optimizer keeps per weight after a step: our Lion, torch's AdamW without its step counter."""
    shapes = [(17, 5), (5,), (3, 5)]
    stream = seed.stream("state")
    parameters = [torch.nn.Parameter(torch.randn(*shape, generator=stream)) for shape in shapes]
    weights = sum(parameter.numel() for parameter in parameters)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=stream)
    kept = []
    for optimizer in (lion.Lion(parameters, lr=1e-3), torch.optim.AdamW(parameters, lr=1e-3)):
        optimizer.step()
        tensors = [
            t for entry in optimizer.state.values() for t in entry.values() if isinstance(t, Tensor) and t.ndim > 0
        ]
        kept.append(sum(t.numel() for t in tensors) / weights)
    return kept[0], kept[1]


class _Costly(TorchDispatchMode):
    """Adds up the results of every square root and of every division of tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.roots, self.divisions = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.rstrip("_")
        if isinstance(found, Tensor) and found.ndim:
            self.roots += found.numel() * (name in ("sqrt", "rsqrt"))
            self.divisions += found.numel() * (name in ("div", "addcdiv", "reciprocal"))
        return found


def costly(optimizer: torch.optim.Optimizer) -> list[float]:
    """Square roots and divisions per weight of one step, without the optimizer's scalars."""
    (parameter,) = optimizer.param_groups[0]["params"]
    parameter.grad = torch.ones_like(parameter)
    with _Costly() as counted:
        optimizer.step()
    return [counted.roots / parameter.numel(), counted.divisions / parameter.numel()]


def first_step(seed: Seed) -> float:
    """max |u_1 - sign g_1| of Adam's first bias-corrected update with epsilon 0."""
    gradient = torch.randn(1000, generator=seed.stream("first"), dtype=torch.float64)
    weight, mean, square = (torch.zeros_like(gradient) for _ in range(3))
    adamw.update(weight, gradient, mean, square, 1.0, 0.0, 1, 0.9, 0.999, 0.0)
    return float((-weight - gradient.sign()).abs().max())


def bowl(seed: Seed) -> tuple[Tensor, Tensor, Tensor]:
    """Start, matrix A and noise for the loss sum cos(A theta) + theta^2 / 20, whose gradient keeps changing sign."""
    stream = seed.stream("bowl")
    matrix = torch.randn(30, 30, generator=stream, dtype=torch.float64)
    return (
        torch.randn(30, generator=stream, dtype=torch.float64),
        matrix,
        torch.randn(1000, 30, generator=stream, dtype=torch.float64),
    )


def slope_at(theta: Tensor, matrix: Tensor) -> Tensor:
    return -(matrix.T @ (matrix @ theta).sin()) + theta / 10


def signum_gap(seed: Seed, steps: int) -> float:
    """Largest distance between Lion's path with beta1 = beta2 and no decay, and SIGNUM's own recursion."""
    start, matrix, noise = bowl(seed)
    ours, momentum = start.clone(), torch.zeros_like(start)
    theirs, average = start.clone(), torch.zeros_like(start)
    gap = 0.0
    for step in range(steps):
        lion.update(ours, slope_at(ours, matrix) + noise[step], momentum, 1e-2, 0.0, 0.9, 0.9)
        average = 0.9 * average + 0.1 * (slope_at(theirs, matrix) + noise[step])
        theirs = theirs - 1e-2 * average.sign()
        gap = max(gap, float((ours - theirs).abs().max()))
    return gap


def lion_rms(seed: Seed, steps: int) -> list[float]:
    """Least and largest root mean square of Lion's update over the steps, rate 1 and no decay."""
    _, _, noise = bowl(seed)
    momentum = torch.zeros(30, dtype=torch.float64)
    found = []
    for step in range(steps):
        weight = torch.zeros_like(momentum)
        lion.update(weight, noise[step], momentum, 1.0, 0.0, 0.9, 0.99)
        found.append(float(weight.square().mean().sqrt()))
    return [min(found), max(found)]


def fixed_point_gap(seed: Seed, steps: int) -> float:
    """Largest distance, relative to 1 / lambda, of Tiger's path under a constant sign s from its closed form.

    theta_t = theta* + (theta_0 - theta*) (1 - eta lambda)^t,   theta* = -s / lambda
    """
    eta, decay = 0.02, 0.1
    stream = seed.stream("fixed point")
    start = torch.randn(100, generator=stream, dtype=torch.float64)
    momentum = torch.randn(100, generator=stream, dtype=torch.float64)
    target = -momentum.sign() / decay
    theta, gap = start.clone(), 0.0
    for step in range(1, steps + 1):
        tiger.update(theta, torch.zeros_like(theta), momentum, eta, decay, 0.965)  # the token is absent: m only shrinks
        closed = target + (start - target) * (1 - eta * decay) ** step
        gap = max(gap, float((theta - closed).abs().max()) * decay)
    return gap


def underflow(beta: float, start: float, steps: int) -> tuple[float, int]:
    """What is left of a float32 momentum after ``steps`` without a gradient, over 2^-149; the step of its end, or 0."""
    momentum, weight, nothing = torch.tensor([start]), torch.zeros(1), torch.zeros(1)
    for step in range(1, steps + 1):
        tiger.update(weight, nothing, momentum, 0.0, 0.0, beta)
        if not momentum.item():
            return 0.0, step
    return momentum.item() / TINY, 0


def stall(beta: float) -> float:
    """The largest k with k (1 - beta) <= 1/2, 1 - beta in float32: there k 2^-149 times beta rounds back to itself.

    >>> stall(0.965), stall(0.99)
    (14.0, 50.0)
    """
    return float(math.floor(0.5 / torch.tensor(1 - beta).item()))


def flushed(beta: float, start: float) -> float:
    """Steps until the momentum is 0 where the processor flushes denormals to zero; NaN where it cannot."""
    if not torch.set_flush_denormal(True):
        return math.nan
    try:
        return float(underflow(beta, start, 20_000)[1])
    finally:
        torch.set_flush_denormal(False)


def drift(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Sequence[Any]]:
    """Adam's update under pure noise: cosine with its own signs, and RMS; and its RMS under a constant gradient."""
    steps, early = tier["steps"], tier["early"]
    found: dict[str, list[Any]] = {
        "cosine": [],
        "early": [],
        "fall": [],
        "late_cosine": [],
        "rms": [],
        "steady_rms": [],
        "rate_ratio": [],
    }
    for seed in seeds:
        stream = seed.stream("noise")
        mean, square = (torch.zeros(tier["coordinates"], dtype=torch.float64) for _ in range(2))
        cosine, rms = [], []
        for step in range(1, steps + 1):
            gradient = torch.randn(len(mean), generator=stream, dtype=torch.float64)
            weight = torch.zeros_like(mean)
            adamw.update(weight, gradient, mean, square, 1.0, 0.0, step, 0.9, 0.999, 0.0)
            if step in early or step > steps - tier["late"]:
                rms.append(float(weight.square().mean().sqrt()))
                cosine.append(float(weight.abs().mean()) / rms[-1])
        late = len(early)
        found["early"].append([float(step) for step in early])
        found["cosine"].append(cosine[:late])
        found["fall"].append([a - b for a, b in itertools.pairwise(cosine[:late])])
        found["late_cosine"].append(sum(cosine[late:]) / tier["late"])
        found["rms"].append(sum(rms[late:]) / tier["late"])
        found["rate_ratio"].append(tier["late"] / sum(rms[late:]))  # Lion's update has RMS 1
        found["steady_rms"].append(steady_rms(seed))
    return found


def steady_rms(seed: Seed) -> float:
    """RMS of Adam's update after 100 steps of one and the same gradient."""
    gradient = torch.randn(1000, generator=seed.stream("steady"), dtype=torch.float64)
    mean, square = torch.zeros_like(gradient), torch.zeros_like(gradient)
    for step in range(1, 101):
        weight = torch.zeros_like(gradient)
        adamw.update(weight, gradient, mean, square, 1.0, 0.0, step, 0.9, 0.999, 0.0)
    return float(weight.square().mean().sqrt())


IDENTITIES = Experiment(
    name="identities",
    measure=identities,
    tiers={"smoke": Tier(seeds=1, sizes={"steps": 200}), "cpu": Tier(seeds=8, sizes={"steps": 200})},
)
DRIFT = Experiment(
    name="drift",
    measure=drift,
    tiers={
        "smoke": Tier(seeds=4, sizes={"coordinates": 4_000, "steps": 200, "early": (1, 2, 4, 8), "late": 50}),
        "cpu": Tier(seeds=16, sizes={"coordinates": 20_000, "steps": 1_000, "early": (1, 2, 4, 8, 16), "late": 100}),
    },
)
