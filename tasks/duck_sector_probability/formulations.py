"""Experiment "formulations": the disc, the circle and the stick, simulated three ways from independent streams.

``in_one_sector`` decides the disc statement with half planes alone: no angle, no arc, no sorting.
"""

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np

from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.duck_sector_probability.ponds import chunks, disc, longest_arc

# (n, angles in twelfths of the circle); the probabilities lie between 0.15 and 0.98.
CELLS = ((3, (4, 6)), (4, (4, 6, 7)), (5, (6, 8)), (6, (6, 8, 9)))
PAIRS = tuple(itertools.combinations(("disc", "circle", "stick"), 2))


def in_one_sector(x: np.ndarray, y: np.ndarray, turn: float) -> np.ndarray:
    """[n, ponds] coordinates -> [ponds], whether a sector of ``turn`` that starts at some duck holds all the others.

    With z_i x z_j the cross product, duck j lies left of the ray through i when z_i x z_j >= 0, and not beyond the
    sector's other edge when (R z_i) x z_j = cos(theta) z_i x z_j - sin(theta) z_i . z_j <= 0.  Up to half a turn both
    must hold, above it either.

    >>> x, y = np.array([[1.0], [0.0], [-0.2]]), np.array([[0.0], [0.5], [0.01]])      # at 0, 90 and 177 degrees
    >>> [bool(in_one_sector(x, y, turn)[0]) for turn in (0.45, 0.5, 0.6)]
    [False, True, True]
    """
    cos, sin = math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn)
    shared = np.zeros(x.shape[1], dtype=bool)
    for i in range(len(x)):
        holds = np.ones(x.shape[1], dtype=bool)
        for j in range(len(x)):
            if j != i:
                cross = x[i] * y[j] - y[i] * x[j]
                dot = x[i] * x[j] + y[i] * y[j]
                left, before = cross >= 0, cos * cross <= sin * dot
                holds &= (left & before) if turn <= 0.5 else (left | before)
        shared |= holds
    return shared


def longest_piece(cuts: np.ndarray) -> np.ndarray:
    """[n-1, sticks] cuts of the unit stick -> [sticks], its longest of n pieces.

    >>> longest_piece(np.array([[0.75], [0.25]])).tolist()
    [0.5]
    """
    along = np.sort(cuts, axis=0)
    longest = np.maximum(along[0], 1 - along[-1])
    for left, right in itertools.pairwise(along):
        np.maximum(longest, right - left, out=longest)
    return longest


def three_ways(n: int, turns: list[float], trials: int, seed: Seed) -> tuple[dict[str, list[int]], int]:
    """Counts of trials on which one formulation says yes and another, drawn independently, says no; and disagreements.

    Disagreements are counted on the *same* ducks: the sector by half planes, the longest arc of their angles, and the
    longest piece after cutting the circle at the first duck.
    """
    streams = {name: seed.numpy(f"{name}/{n}") for name in ("disc", "circle", "stick")}
    counts = {f"{kind}_{a}_{b}": [0] * len(turns) for a, b in PAIRS for kind in ("only", "either")}
    disagreements = 0
    for size in chunks(trials):
        x, y = (part.reshape(n, size) for part in disc(n * size, streams["disc"]))
        own = np.arctan2(y, x) / (2 * np.pi)
        arc, piece = longest_arc(own), longest_piece((own[1:] - own[0]) % 1.0)
        circle = longest_arc(streams["circle"].random((n, size)))
        stick = longest_piece(streams["stick"].random((n - 1, size)))
        for i, turn in enumerate(turns):
            yes = {"disc": in_one_sector(x, y, turn), "circle": circle >= 1 - turn, "stick": stick > 1 - turn}
            differs = (yes["disc"] != (arc >= 1 - turn)) | (yes["disc"] != (piece > 1 - turn))
            disagreements += int(np.count_nonzero(differs))
            for a, b in PAIRS:
                counts[f"only_{a}_{b}"][i] += int(np.count_nonzero(yes[a] & ~yes[b]))
                counts[f"either_{a}_{b}"][i] += int(np.count_nonzero(yes[a] ^ yes[b]))
    return counts, disagreements


def measure(seeds: list[Seed], tier: Tier) -> dict[str, list[Any]]:
    """For each pair of formulations and each cell (n, theta): discordant trials, and how many the first one won.

    Trials of independent simulators are matched by their number.  If both have the same probability, the first is the
    only one to say yes in exactly half of the discordant trials: share = odds / (1 + odds) with the odds ratio p
    (1-q) / (q (1-p)), which a binomial interval judges exactly, whatever p is.
    """
    found: dict[str, list[Any]] = {f"{kind}_{a}_{b}": [] for a, b in PAIRS for kind in ("only", "either")}
    found["disagreements"] = []
    for seed in seeds:
        row: dict[str, list[int]] = {name: [] for name in found}
        total = 0
        for n, twelfths in tier["cells"]:
            counts, disagreements = three_ways(n, [float(Fraction(i, 12)) for i in twelfths], tier["trials"], seed)
            total += disagreements
            for name, values in counts.items():
                row[name] += values
        for name in found:
            found[name].append(total if name == "disagreements" else row[name])
    return found


EXPERIMENT = Experiment(
    name="formulations",
    measure=measure,
    tiers={
        "smoke": Tier(seeds=4, sizes={"cells": ((4, (6, 7)),), "trials": 50_000}),
        "cpu": Tier(seeds=8, at_most=64, stack=1, sizes={"cells": CELLS, "trials": 500_000}),
        "gpu": Tier(seeds=16, at_most=64, stack=1, sizes={"cells": CELLS, "trials": 2_500_000}),
    },
)
