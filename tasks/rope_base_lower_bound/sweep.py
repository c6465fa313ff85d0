"""The proof that nothing below b* is feasible, without a grid and without gaps.

In s = ln b, with exponents u_i = 2i / d and phases phi_i = m e^(-u_i s),

    f     = sum_i cos phi_i  (+ 1 for every pair that does not turn)
    f'    = sum_i u_i phi_i sin phi_i
    |f''| <= c(s) = m^2 sum_i u_i^2 e^(-2 u_i s) + m sum_i u_i^2 e^(-u_i s),   which falls as s grows.

If a distance m < L has f = -delta < 0 at s, then f stays below 0, and every base in [s, s + h) is infeasible, as long
as -delta + f' h + c(s) h^2 / 2 < 0.  ``Sweep`` starts at b = 1, looks for the distance that reaches farthest, steps to
where it reaches, and so on: each step begins where the last one ended.  It halts where no distance is proved negative,
and shows within a relative 1e-12 a base that is feasible.  What is feasible for 2L is feasible for L, so that one
sweep serves all lengths in turn.

Rounding is part of the bound: f and f' carry the error of float64 with exponentials, sines and cosines good to
``ULPS`` units in the last place, ends of steps are rounded down.  Finding a distance needs no care, since what is
found is proved afterwards: ``sums`` takes f at all distances from a matrix product, by the addition theorem for m = K
a + j.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from suite import fit

ULPS = 4  # what the elementary functions of libm, SLEEF, SVML and CUDA stay below
UNIT = 2.0**-53
POOL = 512  # distances that are tried at every step
SHORT = 0.1  # below this share of the usual step it pays to look at all distances again


def exponents(rotated: int) -> Tensor:
    """u_i = 2i / d for i = 0 .. d/2 - 1, so that theta_i = b^(-u_i); u_0 = 0."""
    return torch.arange(0, rotated, 2, dtype=torch.float64, device=fit.device()) / rotated


@dataclass(frozen=True)
class Rotary:
    """A head of ``width`` numbers of which the first ``rotated`` (all unless told) turn."""

    width: int
    rotated: int = 0

    @cached_property
    def u(self) -> Tensor:
        return exponents(self.rotated or self.width)

    @property
    def still(self) -> int:
        """Pairs that do not turn; each adds 1 to f."""
        return (self.width - (self.rotated or self.width)) // 2


@dataclass(frozen=True, kw_only=True)
class Values:
    """f and its slope in s at some distances [N], bounds of their rounding errors, and a bound of |f''| from here
    upwards.
    """

    f: Tensor
    slope: Tensor
    bend: Tensor
    error: Tensor
    slope_error: Tensor

    @property
    def positive(self) -> Tensor:
        return self.f - self.error >= 0

    def negative_for(self) -> Tensor:
        """How far above s each distance is proved to stay negative; 0 where it is not at s."""
        return _below_zero(-(self.f + self.error), self.slope + self.slope_error, self.bend)

    def positive_for(self) -> Tensor:
        """How far above s each distance is proved to stay positive; 0 where it is not at s."""
        return _below_zero(self.f - self.error, self.slope_error - self.slope, self.bend)


def _below_zero(depth: Tensor, slope: Tensor, bend: Tensor) -> Tensor:
    """The root h > 0 of -depth + slope h + bend h^2 / 2, no cancellation for either slope; 0 without depth."""
    depth = depth.clamp(min=0)
    root = torch.sqrt(slope * slope + 2 * bend * depth)
    h = torch.where(slope > 0, 2 * depth / (root + slope), (root - slope) / bend)
    return torch.where(depth > 0, h, 0.0)


def evaluate(rope: Rotary, s: float, m: Tensor) -> Values:
    """Everything that is known about the distances m [N] (float64) at s = ln b.

    Errors, with v = 2^-53 and twice the sum of what follows: the exponent u_i s is off by 2v and its exponential by (2
    u_i s + 8) v relatively, a phase by one rounding more, a cosine or sine by 8v besides, a sum of n terms by n v of
    the terms' sizes.
    """
    x = rope.u * s
    theta = torch.exp(-x)
    phi = m[:, None] * theta
    sine, cosine = torch.sin(phi), torch.cos(phi)
    weight, n = rope.u * theta, len(theta)
    off = (2 * x + 2 * ULPS + 1) * UNIT  # relative error of a phase
    return Values(
        f=cosine.sum(1) + rope.still,
        slope=m * (sine @ weight),
        bend=(m * m * float(weight @ weight) + m * float(weight @ rope.u)) * (1 + 1e-9),
        error=2 * (m * float(theta @ off) + n * (n + rope.still + 2 * ULPS) * UNIT),
        slope_error=2 * m * (m * float((weight * theta) @ off) + float(weight @ (off + (n + 2 * ULPS + 3) * UNIT))),
    )


def sums(rope: Rotary, s: float, length: int, kind: torch.dtype = torch.float64) -> Tensor:
    """f at all distances 0 .. length - 1 from one matrix product:

    cos((K a + j) theta) = cos(K a theta) cos(j theta) - sin(K a theta) sin(j theta)
    """
    theta = torch.exp(-rope.u * s)
    block = 1 << (max(length - 1, 1).bit_length() + 1) // 2
    rows = torch.arange(-(-length // block), dtype=torch.float64, device=theta.device) * block
    far, near = rows[:, None] * theta, torch.arange(block, dtype=torch.float64, device=theta.device)[:, None] * theta
    left = torch.cat([far.cos(), far.sin()], 1).to(kind)
    right = torch.cat([near.cos(), -near.sin()], 1).to(kind)
    return (left @ right.T).flatten()[:length].add_(rope.still)


def slack(rope: Rotary, s: float, length: int) -> float:
    """More than ``sums`` in float64 can be off, at any distance below ``length``."""
    return 4 * float(evaluate(rope, s, torch.tensor([float(length)], dtype=torch.float64, device=rope.u.device)).error)


def lowest(rope: Rotary, s: float, length: int) -> tuple[float, int]:
    """(min f, where) over the distances 0 .. length - 1, f less its rounding error, so that 0 or more proves
    feasibility.
    """
    rough = sums(rope, s, length)
    near = torch.nonzero(rough <= rough.min() + 2 * slack(rope, s, length)).flatten().double()
    values = evaluate(rope, s, near)
    place = int((values.f - values.error).argmin())
    return float((values.f - values.error)[place]), int(near[place])


def least(s: float) -> float:
    """The shortest stretch that is worth a step: some units in the last place."""
    return 4 * math.ulp(max(s, 1.0))


def upward(s: float, h: float) -> float:
    """The end of a proved stretch of length h, rounded down; s itself where h is lost in rounding."""
    return math.nextafter(s + h * (1 - 1e-9), -math.inf) if h > least(s) else s


class Sweep:
    """Proves upwards from ln b = ``start``; ``low`` and ``high`` bracket ln b* for each length in turn.

    low    everything below is infeasible        high   a feasible base
    holes  places where a violated base could not be joined to the proof below it; a proof has none
    """

    def __init__(self, rope: Rotary, lengths: Sequence[int], start: float = 0.0) -> None:
        if list(lengths) != sorted(set(lengths)):
            raise ValueError(f"lengths rise, got {lengths}")
        self.rope, self.lengths = rope, tuple(lengths)
        self.s, self.scanned, self.steps, self.scans, self.holes = start, -math.inf, 0, 0, 0
        self.low: list[float] = []
        self.high: list[float] = []
        self.pool = torch.zeros(0, dtype=torch.float64, device=rope.u.device)

    @property
    def done(self) -> bool:
        return len(self.low) == len(self.lengths)

    @property
    def length(self) -> int:
        return self.lengths[len(self.low)]

    def advance(self, until: float) -> None:
        """Go on until ``until`` in ln b, or until every length has its bracket."""
        while not self.done and self.s < until:
            if not len(self.pool):
                self.scan()
            values = evaluate(self.rope, self.s, self.pool)
            h = float(values.negative_for().max())
            usual = 1 / math.sqrt(float((self.rope.u * torch.exp(-self.rope.u * self.s)).square().sum())) / self.length
            ahead = upward(self.s, h)
            self.steps += 1
            if self.s > self.scanned + (SHORT * usual if ahead > self.s else 0) and h < SHORT * usual:
                self.scan()
            elif ahead > self.s:
                self.s = ahead
            else:
                self.decide()

    def scan(self) -> None:
        """Keep the distances with the smallest sums."""
        rough = sums(self.rope, self.s, self.length, torch.float32)
        self.pool = torch.topk(rough, min(POOL, self.length), largest=False, sorted=False).indices.double()
        self.scanned, self.scans = self.s, self.scans + 1

    def decide(self) -> None:
        """The proof is stuck: either the base is feasible from here on, or rounding hides a violation."""
        gap = 0.0
        while gap < 1e-6:
            violated, settled = self.violated(self.s + gap)
            if len(violated):
                self.s, self.pool, self.holes = self.s + gap, violated, self.holes + (gap > 0)
                return
            if settled:
                self.low.append(self.s)
                self.high.append(self.s + gap)
                self.pool = self.pool[:0]
                return
            gap = max(2 * gap, 2e-15 * self.s, 1e-15)
        raise ArithmeticError(f"float64 cannot tell whether base {math.exp(self.s):.15g} is feasible for {self.length}")

    def violated(self, s: float) -> tuple[Tensor, bool]:
        """Distances that are proved negative over more than the rounding of s, and whether all are proved positive."""
        rough = sums(self.rope, s, self.length)
        near = torch.nonzero(rough < slack(self.rope, s, self.length)).flatten().double()
        values = evaluate(self.rope, s, near)
        return near[values.negative_for() > least(s)], bool(values.positive.all())

    def state_dict(self) -> dict[str, Any]:
        numbers = torch.tensor([self.s, self.scanned, self.steps, self.scans, self.holes], dtype=torch.float64)
        return {
            "numbers": numbers,
            "brackets": torch.tensor([self.low, self.high], dtype=torch.float64),
            "pool": self.pool,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.s, self.scanned, *counts = state_dict["numbers"].tolist()
        self.steps, self.scans, self.holes = map(int, counts)
        self.low, self.high = state_dict["brackets"].tolist()
        self.pool = state_dict["pool"].to(self.pool.device)


@dataclass(frozen=True, kw_only=True)
class Bracket:
    """b* of one length: low <= b* <= high."""

    length: int
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The brackets of a sweep with what they cost."""

    brackets: tuple[Bracket, ...]
    steps: int
    scans: int
    holes: int


def infima(rope: Rotary, lengths: Sequence[int]) -> Proof:
    """The smallest feasible base of each length (rising), with its proof.

    ArithmeticError when a length has none up to 10^6 times the longest.  Progress is shown and checkpoints are kept as
    for a fit.
    """
    sweep, parts = Sweep(rope, lengths), 64
    end = math.log(1e6 * lengths[-1])
    fit.drive(lambda step: sweep.advance((step + 1) / parts), sweep, steps=math.ceil(end * parts))
    if not sweep.done:
        raise ArithmeticError(f"no base up to {math.exp(sweep.s):.6g} is feasible for {sweep.length}")
    brackets = tuple(
        Bracket(length=length, low=math.exp(low) * (1 - 4 * UNIT), high=math.exp(high) * (1 + 4 * UNIT))
        for length, low, high in zip(lengths, sweep.low, sweep.high, strict=True)
    )
    return Proof(brackets=brackets, steps=sweep.steps, scans=sweep.scans, holes=sweep.holes)
