"""Experiment "ponds": ducks dropped into a round pond, counted when one sector holds them all, against the formula.

The points are drawn in the plane, radius and all, so that "the radius does not matter" is tested and not assumed.
"""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.duck_sector_probability.formula import probability
from tasks.duck_sector_probability.independent import by_integration

DUCKS = tuple(range(2, 11))
CHUNK = 2**14  # ponds at a time: coordinates and angles of ten ducks stay within the processor's cache
CURVE = tuple(Fraction(i, 48) for i in range(1, 49))  # where the figure's lines are evaluated
RARE = Fraction(2, 1000)  # cells closer than this to 0 or 1 are judged with a tenth of the margin


def disc(points: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates x, y uniform on the unit disc: points of the square around it, less those in its corners."""
    x, y = np.empty(0), np.empty(0)
    while len(x) < points:
        u, v = 2 * stream.random((2, int(1.3 * points) + 64)) - 1
        inside = np.flatnonzero(u * u + v * v <= 1)
        x, y = np.concatenate([x, u.take(inside)]), np.concatenate([y, v.take(inside)])
    return x[:points], y[:points]


def chunks(total: int, size: int = CHUNK) -> Iterator[int]:
    """Sizes that add up to ``total``.

    >>> list(chunks(5, 2))
    [2, 2, 1]
    """
    for start in range(0, total, size):
        yield min(size, total - start)


def longest_arc(turn: np.ndarray) -> np.ndarray:
    """[n, ponds] angles in turns -> [ponds], the longest arc between neighbours, the one across the seam included.

    >>> longest_arc(np.array([[0.9], [0.1], [0.25]])).round(12).tolist()      # arcs .15, .65, .2
    [0.65]
    """
    around = np.sort(turn, axis=0)
    longest = 1 - (around[-1] - around[0])
    for left, right in itertools.pairwise(around):
        np.maximum(longest, right - left, out=longest)
    return longest


def count_shared(n: int, turns: list[Fraction], ponds: int, stream: np.random.Generator) -> list[int]:
    """In how many of the ponds some sector of each angle holds all n ducks; one set of ponds serves all angles."""
    needed = [float(1 - turn) for turn in turns]
    shared = [0] * len(turns)
    for size in chunks(ponds):
        x, y = disc(n * size, stream)
        longest = longest_arc((np.arctan2(y, x) / (2 * np.pi)).reshape(n, size))
        for i, length in enumerate(needed):
            shared[i] += int(np.count_nonzero(longest >= length))
    return shared


def measure(seeds: list[Seed], tier: Tier) -> dict[str, list[Any]]:
    """[n][theta] counts and formula of every cell, the rare ones once more by themselves, and the curves of the figure.

    Which cells are rare is decided by the independent integral, so that a wrong formula cannot move them.
    """
    ducks, turns = tier["ducks"], [Fraction(i, tier["parts"]) for i in range(1, tier["parts"])]
    formula = [[float(probability(n, turn)) for turn in turns] for n in ducks]
    sure = [[by_integration(n, turn) for turn in turns] for n in ducks]
    rare = [(r, c) for r, row in enumerate(sure) for c, p in enumerate(row) if min(p, 1 - p) < RARE]
    found: dict[str, list[Any]] = {"shared": [], "rare_shared": [], "four_in_half": []}
    for seed in seeds:
        counts = [count_shared(n, turns, tier["ponds"], seed.numpy(f"ponds/{n}")) for n in ducks]
        found["shared"].append(counts)
        found["rare_shared"].append([counts[r][c] for r, c in rare])
        found["four_in_half"].append(counts[ducks.index(4)][turns.index(Fraction(1, 2))])
    same = {
        "formula": formula,
        "rare_formula": [formula[r][c] for r, c in rare],
        "ponds": [[tier["ponds"]] * len(turns)] * len(ducks),
        "dropped": tier["ponds"],
        "turn": [float(turn) for turn in turns],
        "curve": [[round(float(probability(n, turn)), 6) for turn in CURVE] for n in ducks],
    }
    return found | {name: [entry] * len(seeds) for name, entry in same.items()}


# stack=1: every seed is a unit of its own, so that seeds run side by side and a stopped run keeps the finished ones.
EXPERIMENT = Experiment(
    name="ponds",
    measure=measure,
    tiers={
        "smoke": Tier(seeds=4, sizes={"ducks": DUCKS, "parts": 12, "ponds": 300_000}),
        "cpu": Tier(seeds=8, at_most=64, stack=1, sizes={"ducks": DUCKS, "parts": 12, "ponds": 2_000_000}),
        "gpu": Tier(seeds=16, at_most=64, stack=1, sizes={"ducks": DUCKS, "parts": 24, "ponds": 25_000_000}),
    },
)
