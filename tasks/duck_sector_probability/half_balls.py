"""Experiment "half-balls": do n points of a d-ball share a half-ball?  Wendel's formula, counted and simulated.

A half space that holds points in general position can be turned until d - 1 of them lie on its boundary.  So it is
enough to look at the hyperplanes through d - 1 of the points, and to ask whether all the others lie on one side.  The
same few lines do it for whole numbers (exactly) and for arrays (many balls at once).
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.duck_sector_probability.formula import half_ball
from tasks.duck_sector_probability.ponds import chunks

# (dimension, points)
PATTERNS = tuple((d, n) for d in range(2, 6) for n in range(d, 9))
CELLS = ((2, 5), (3, 4), (3, 6), (3, 8), (3, 10), (4, 5), (4, 7), (4, 9), (5, 6), (5, 7), (5, 8))
Minors = Mapping[tuple[int, ...], Any]


def wedge(minors: Minors, vector: Sequence[Any]) -> Minors:
    """From the minors of some rows, by columns, to those with one row more (Laplace's rule along the new last row).

    >>> wedge(wedge({(): 1}, (1, 2, 3)), (4, 5, 6))
    {(0, 1): -3, (0, 2): -6, (1, 2): -3}
    """
    grown: dict[tuple[int, ...], Any] = {}
    for columns in itertools.combinations(range(len(vector)), len(next(iter(minors))) + 1):
        for place, column in enumerate(columns):
            sign = (-1) ** (len(columns) - 1 - place)
            product = sign * vector[column] * minors[columns[:place] + columns[place + 1 :]]
            grown[columns] = grown[columns] + product if columns in grown else product
    return grown


def hyperplanes(
    points: Sequence[Any], chosen: tuple[int, ...] = (), minors: Minors | None = None
) -> Iterator[tuple[tuple[int, ...], list[Any]]]:
    """(d - 1 points, the sides of all the others) for each hyperplane through the origin and d - 1 of the points.

    >>> list(hyperplanes([(1, 0), (0, 1), (-1, 2)]))      # d = 2: left (< 0) or right of the line through one point
    [((0,), [-1, -2]), ((1,), [1, -1]), ((2,), [2, 1])]
    """
    d = len(points[0])
    minors = {(): 1} if minors is None else minors
    if len(chosen) == d - 1:
        normal = [(-1) ** c * minors[tuple(i for i in range(d) if i != c)] for c in range(d)]
        others = [p for i, p in enumerate(points) if i not in chosen]
        yield chosen, [sum(a * b for a, b in zip(normal, p, strict=True)) for p in others]
        return
    for i in range(chosen[-1] + 1 if chosen else 0, len(points)):
        yield from hyperplanes(points, (*chosen, i), wedge(minors, points[i]))


def sign_patterns(points: Sequence[Sequence[int]]) -> int:
    """How many of the 2^n ways to reflect some of the points at the origin leave all of them in one half space; n >= d.

    The points are whole numbers in general position, so every sign is exact.  Wendel's theorem rests on this number
    being 2 (C(n-1, 0) + ... + C(n-1, d-1)) whatever the points are.

    >>> sign_patterns([(1, 0), (0, 1), (-1, 2)])      # 2 (1 + 2)
    6
    """
    found = set()
    for chosen, sides in hyperplanes(points):
        if 0 in sides:
            raise ValueError(f"the points {chosen} and another one lie in one hyperplane")
        # The other points must be reflected to one side; those on the boundary may each be turned to either.
        others = [i for i in range(len(points)) if i not in chosen]
        for way, free in itertools.product((1, -1), itertools.product((1, -1), repeat=len(chosen))):
            signs = dict(zip(others, (way if side > 0 else -way for side in sides), strict=True)) | dict(
                zip(chosen, free, strict=True)
            )
            found.add(tuple(signs[i] for i in range(len(points))))
    return len(found)


def in_half_space(points: np.ndarray) -> np.ndarray:
    """[n, d, balls] -> [balls], whether all n >= d points lie in some half space with the origin on its boundary."""
    shared = np.zeros(points.shape[2], dtype=bool)
    for _, sides in hyperplanes(list(points)):
        positive = [side > 0 for side in sides]
        shared |= np.logical_and.reduce(positive) | ~np.logical_or.reduce(positive)
    return shared


def ball(n: int, d: int, balls: int, stream: np.random.Generator) -> np.ndarray:
    """[n, d, balls] points uniform in the unit ball: normal directions, radius u^(1/d)."""
    normal = stream.standard_normal((n, d, balls))
    radius = stream.random((n, 1, balls)) ** (1 / d)
    return normal * (radius / np.sqrt((normal * normal).sum(axis=1, keepdims=True)))


def measure(seeds: list[Seed], tier: Tier) -> dict[str, list[Any]]:
    """Shared half-balls of every cell (d, n), the formula, and the sign patterns of one set of points per (d, n)."""
    cells = tier["cells"]
    found: dict[str, list[Any]] = {"shared": [], "pattern_mismatches": []}
    for seed in seeds:
        counts = []
        for d, n in cells:
            stream = seed.numpy(f"balls/{d}/{n}")
            counts.append(
                sum(
                    int(np.count_nonzero(in_half_space(ball(n, d, size, stream))))
                    for size in chunks(tier["balls"], 2**12)
                )
            )
        found["shared"].append(counts)
        wrong = 0
        for d, n in PATTERNS:
            points = seed.numpy(f"patterns/{d}/{n}").integers(-(10**6), 10**6, size=(n, d)).tolist()
            wrong += sign_patterns(points) != half_ball(n, d) * 2**n
        found["pattern_mismatches"].append(wrong)
    found["balls"] = [tier["balls"]] * len(seeds)
    found["formula"] = [[float(half_ball(n, d)) for d, n in cells]] * len(seeds)
    found["share"] = [[count / tier["balls"] for count in row] for row in found["shared"]]
    found["dimension"] = [[d for d, _ in cells]] * len(seeds)
    found["points"] = [[n for _, n in cells]] * len(seeds)
    return found


EXPERIMENT = Experiment(
    name="half-balls",
    measure=measure,
    tiers={
        "smoke": Tier(seeds=4, sizes={"cells": ((3, 4), (3, 5), (4, 6)), "balls": 75_000}),
        "cpu": Tier(seeds=8, at_most=64, stack=1, sizes={"cells": CELLS, "balls": 100_000}),
        "gpu": Tier(seeds=16, at_most=64, stack=1, sizes={"cells": CELLS, "balls": 400_000}),
    },
)
