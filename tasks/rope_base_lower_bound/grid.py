"""Experiment "grid": the post's own search, which evaluates f plainly and knows nothing of the proof, in float64 and
float32.

B = 1000 L; then for k = 1, ..., 5: B <- the first feasible one of B / 10^k, 2 B / 10^k, ..., B.

It ends on a feasible base, so it bounds b* from above; that nothing below is feasible it cannot know.  A base is given
up as soon as one of the distances that broke its neighbours breaks it too, and is accepted only after all of them have
been looked at.
"""

from typing import Any

import torch
from torch import Tensor

from suite import fit
from suite.claims import Arm, Experiment, Tier
from suite.figures import Table
from suite.seeds import Seed
from tasks.rope_base_lower_bound.sweep import Rotary, infima

CHUNK = 2048  # bases that are tried together
WITNESSES = 8  # distances, the latest ones first


def cosines(bases: Tensor, distances: Tensor) -> Tensor:
    """f_b(m) = sum_i cos(m b^(-2i/128)) for every base and distance, in the precision of the bases: [bases,
    distances].
    """
    exponent = torch.arange(0, 128, 2, dtype=bases.dtype, device=bases.device) / 128
    theta = bases[:, None] ** -exponent
    return torch.cos(distances[None, :, None] * theta[:, None, :]).sum(-1)


def first_feasible(bases: Tensor, length: int) -> float:
    """The first of some rising bases with f >= 0 at all distances below ``length``."""
    distances = torch.arange(length, dtype=bases.dtype, device=bases.device)
    witnesses = distances[:0]
    for some in bases.split(CHUNK):
        alive = some
        while len(alive):
            if len(witnesses):
                alive = alive[(cosines(alive, witnesses) >= 0).all(1)]
            if not len(alive):
                break
            f = cosines(alive[:1], distances)[0]
            if bool((f >= 0).all()):
                return float(alive[0])
            worst = torch.topk(f, 2, largest=False).indices
            witnesses = torch.cat([distances[worst], witnesses])[:WITNESSES]
            alive = alive[1:]
    raise ArithmeticError(f"no base up to {float(bases[-1]):.6g} is feasible for {length}")


def search(length: int, kind: torch.dtype) -> float:
    """The post's five rounds; ``kind`` is the precision of everything but the grid itself."""
    base = 1000.0 * length
    for k in range(1, 6):
        parts = 10**k
        grid = base * torch.arange(1, parts + 1, dtype=torch.float64, device=fit.device()) / parts
        base = first_feasible(grid.to(kind), length)
    return base


def measure(seeds: list[Seed], tier: Tier, *, bits: int) -> dict[str, list[Any]]:
    """What the search finds, and by how much it lies above the proved infimum."""
    kind = {64: torch.float64, 32: torch.float32}[bits]
    lengths = tier["lengths"]
    bases = [search(n, kind) for n in lengths]
    proof = infima(Rotary(128), lengths)
    found = {
        "length": list(lengths),
        "base": bases,
        "over": [base / b.high - 1 for base, b in zip(bases, proof.brackets, strict=True)],
    }
    return {name: [value] * len(seeds) for name, value in found.items()}


EXPERIMENT = Experiment(
    name="grid",
    measure=measure,
    arms=(Arm("float64", fixed={"bits": 64}), Arm("float32", fixed={"bits": 32})),
    tiers={
        "smoke": Tier(seeds=1, sizes={"lengths": (1024, 2048)}),
        "cpu": Tier(seeds=1, sizes={"lengths": (1024, 2048, 4096, 8192, 16384)}),
        "gpu": Tier(seeds=1, sizes={"lengths": (1024, 2048, 4096, 8192, 16384, 32768)}),
    },
)

# --- Figures --------------------------------------------------------------------------------------

FIGURES = (
    Table(
        title="The post's search",
        caption="Where the refined grid ends, and how far above b*.",
        experiment="grid",
        columns=(("length", "L"), ("base", "grid"), ("over", "above b*")),
        digits=10,
    ),
)
