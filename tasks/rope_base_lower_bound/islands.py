"""Experiment "islands": every feasible base from 1 to 1000 L, both ends of each island proved, and what bisection
makes of them.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from suite.claims import Experiment, Tier
from suite.figures import Axis, Curves, Table
from suite.seeds import Seed
from tasks.rope_base_lower_bound.sweep import Rotary, Sweep, evaluate, least, lowest

AHEAD = 1.0  # proofs that run out within this share of a usual step are renewed together


@dataclass(frozen=True, kw_only=True)
class Island:
    """A stretch of feasible bases; its ends are known to a relative 1e-11."""

    enter: float
    leave: float

    @property
    def middle(self) -> float:
        return math.sqrt(self.enter * self.leave)


def islands(rope: Rotary, length: int, top: float) -> list[Island]:
    """All feasible bases between 1 and ``top``: proofs of infeasibility and of feasibility take turns."""
    found: list[Island] = []
    s, end = 0.0, math.log(top)
    while s < end:
        sweep = Sweep(rope, [length], s)
        sweep.advance(end)
        if sweep.holes:
            raise ArithmeticError(f"length {length}: the proof has a hole below base {math.exp(sweep.s):.15g}")
        if not sweep.done:
            break
        s = afloat(rope, sweep.high[0], length, end)
        found.append(Island(enter=math.exp(sweep.high[0]), leave=math.exp(s)))
    return found


def afloat(rope: Rotary, s: float, length: int, end: float) -> float:
    """From the feasible ln b = s upwards: the first that is proved infeasible, all before it proved feasible; or
    ``end``.
    """
    until = torch.zeros(
        length, dtype=torch.float64, device=rope.u.device
    )  # each distance is proved positive up to here
    until[0] = math.inf
    look = Sweep(rope, [length])
    while s < end:
        until = renewed(rope, s, until)
        ahead = float(until.min())
        if ahead - s > least(s):
            s = ahead
            continue
        gap = least(s)
        while not len(look.violated(s + gap)[0]):
            gap *= 2
            if gap > 1e-9:
                raise ArithmeticError(f"length {length}: f touches 0 near base {math.exp(s):.15g}, float64 cannot tell")
        return s + gap
    return end


def renewed(rope: Rotary, s: float, until: Tensor) -> Tensor:
    """Prove anew, from s on, the distances whose proofs run out soon."""
    usual = 1 / math.sqrt(float((rope.u * torch.exp(-rope.u * s)).square().sum())) / len(until)
    due = torch.nonzero(until <= s + AHEAD * usual).flatten()
    reach = s + evaluate(rope, s, due.double()).positive_for() * (1 - 1e-9)
    until[due] = torch.nextafter(reach, torch.zeros_like(reach))
    return until


def bisected(rope: Rotary, length: int, halvings: int = 45) -> float:
    """What bisection of [1, 1000 L] takes for b*, as if every base above a feasible one were feasible."""
    low, high = 1.0, 1000.0 * length
    for _ in range(halvings):
        middle = (low + high) / 2
        if lowest(rope, math.log(middle), length)[0] >= 0:
            high = middle
        else:
            low = middle
    return high


SHOWN = 2048  # the length whose min f is drawn against the base
BETWEEN = (1.1e4, 2.4e4)


def measure(seeds: list[Seed], tier: Tier) -> dict[str, list[Any]]:
    """Islands of each length, margins on and after the first one, bisection, and the curve of one length."""
    rope, lengths = Rotary(128), tier["lengths"]
    every = [islands(rope, n, 1000.0 * n) for n in lengths]
    first = [row[0] for row in every]
    gaps = [math.sqrt(a.leave * b.enter) for a, b, *_ in every]
    sunk = []
    for row in every:
        dry = sum(math.log(island.leave / island.enter) for island in row[:-1])
        sunk.append(1 - dry / math.log(row[-1].enter / row[0].enter))
    halved = [bisected(rope, n) for n in lengths]
    curve = torch.linspace(*BETWEEN, tier["points"], dtype=torch.float64).tolist()
    found: dict[str, Any] = {
        "length": list(lengths),
        "islands": [len(row) for row in every],
        "first": [i.enter for i in first],
        "first_leave": [i.leave for i in first],
        "safe": [row[-1].enter for row in every],
        "reaches_top": [row[-1].leave / (1000 * n) for n, row in zip(lengths, every, strict=True)],
        "sunk": sunk,
        "safe_8192": every[lengths.index(8192)][-1].enter,
        "safe_over_first": [row[-1].enter / row[0].enter for row in every],
        "feasible_margin": [lowest(rope, math.log(i.middle), n)[0] for n, i in zip(lengths, first, strict=True)],
        "infeasible_margin": [lowest(rope, math.log(b), n)[0] for n, b in zip(lengths, gaps, strict=True)],
        "bisected": halved,
        "bisected_over": [b / i.enter for b, i in zip(halved, first, strict=True)][:3],
        "enter_1024": [i.enter for i in every[0]],
        "leave_1024": [i.leave for i in every[0]],
        "enter_2048": [i.enter for i in every[1]],
        "leave_2048": [i.leave for i in every[1]],
        "curve_base": curve,
        "curve_lowest": [lowest(rope, math.log(b), SHOWN)[0] for b in curve],
    }
    return {name: [value] * len(seeds) for name, value in found.items()}


EXPERIMENT = Experiment(
    name="islands",
    measure=measure,
    tiers={
        "smoke": Tier(seeds=1, sizes={"lengths": (1024, 2048, 4096, 8192), "points": 300}),
        "cpu": Tier(seeds=1, sizes={"lengths": (1024, 2048, 4096, 8192, 16384, 32768), "points": 1500}),
        "gpu": Tier(seeds=1, sizes={"lengths": (1024, 2048, 4096, 8192, 16384, 32768, 65536), "points": 1500}),
    },
)

# --- Figures --------------------------------------------------------------------------------------

FIGURES = (
    Curves(
        title="Islands of feasible bases",
        caption="The least f over all distances below 2048, against the base.  Feasible is what lies on or above 0: "
        "nine islands, of which the last has no end.  Bisection walks into the sixth.",
        experiment="islands",
        y="curve_lowest",
        x="curve_base",
        x_axis=Axis("base"),
        y_axis=Axis("least f"),
        horizontal=((0, ""),),
        vertical=((11_587.24, "b*"), (15_300.29, "bisection")),
    ),
    Table(
        title="The whole set of feasible bases",
        caption="First island, number of islands up to 1000 L, share of ln b between the first and the last that is "
        "infeasible, where the last begins, and what bisection returns.",
        experiment="islands",
        columns=(
            ("length", "L"),
            ("first", "b*"),
            ("first_leave", "island ends"),
            ("islands", "islands"),
            ("sunk", "infeasible"),
            ("safe", "last begins"),
            ("bisected", "bisection"),
        ),
        digits=7,
    ),
    Table(
        title="Islands for 2048 tokens",
        caption="Where each begins and ends; the last one reaches the end of the search, 1000 L.",
        experiment="islands",
        columns=(("enter_2048", "from"), ("leave_2048", "to")),
        rows_label="island",
        digits=8,
    ),
)
