"""Experiment "pieces": sticks cut at random, against density, survival function and mean of the longest piece."""

from fractions import Fraction
from typing import Any

import numpy as np

from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.duck_sector_probability.formula import mean_longest, moment, survival
from tasks.duck_sector_probability.ponds import chunks

MOMENTS = tuple((n, a, b) for n in (3, 5, 8) for a, b in ((1, 0), (2, 0), (1, 1), (2, 1)))
LONGEST = tuple(range(2, 11))
# Twenty sets of floors, in hundredths, for 1 to n of the n pieces.
FLOORS = tuple(
    (n, tuple(Fraction(c, 100) for c in floors))
    for n, floors in (
        *((3, floors) for floors in ((10,), (40,), (10, 20), (30, 5), (10, 10, 10), (20, 5, 15))),
        *(
            (4, floors)
            for floors in ((5,), (20,), (10, 5), (20, 10), (5, 10, 2), (10, 10, 10), (5, 5, 5, 5), (2, 10, 4, 8))
        ),
        *((6, floors) for floors in ((10,), (5, 10), (2, 5, 8), (3, 3, 3, 3), (2, 4, 1, 3, 5), (2, 2, 2, 2, 2, 2))),
    )
)
ROWS = 4  # the triangle of three pieces is cut into ROWS^2 equal small ones


def cut(n: int, sticks: int, stream: np.random.Generator) -> np.ndarray:
    """[n, sticks]: the pieces, in order along the stick, of unit sticks cut at n - 1 uniform points."""
    ends = np.zeros((n + 1, sticks))
    ends[1:n] = np.sort(stream.random((n - 1, sticks)), axis=0)
    ends[n] = 1
    return np.diff(ends, axis=0)


def small_triangle(pieces: np.ndarray, rows: int = ROWS) -> np.ndarray:
    """[3, sticks] -> [sticks], the number (0 .. rows^2 - 1) of the small triangle that each stick falls into.

    The lines x_i = whole / rows cut the triangle into rows^2 equal ones; the whole parts of rows x_i name one of
    them, and add up to rows - 1 in those that point upwards, to rows - 2 in the others.  Row f of constant whole part
    of x_1 holds 2 (rows - f) - 1.

    >>> two_corners_and_the_middle = np.array([[0.9, 0.1, 0.3], [0.05, 0.1, 0.35], [0.05, 0.8, 0.35]])
    >>> small_triangle(two_corners_and_the_middle, rows=2).tolist()
    [3, 0, 1]
    """
    first, second, third = np.floor(rows * pieces).astype(np.int64)
    downwards = rows - 1 - first - second - third
    return first * (2 * rows - first) + 2 * second + downwards


def survivors(pieces: np.ndarray, floors: tuple[Fraction, ...]) -> int:
    """How many sticks have their first pieces above these floors, each above its own."""
    above = np.ones(pieces.shape[1], dtype=bool)
    for piece, floor in zip(pieces, floors, strict=False):
        above &= piece > float(floor)
    return int(np.count_nonzero(above))


def one_seed(sticks: int, seed: Seed) -> dict[str, Any]:
    triangles = np.zeros(ROWS**2, dtype=np.int64)
    centre = 0
    powers = np.zeros(len(MOMENTS))
    longest = np.zeros(len(LONGEST))
    survived = [0] * len(FLOORS)
    for n in range(2, 11):
        stream = seed.numpy(f"sticks/{n}")
        for size in chunks(sticks):
            x = cut(n, size, stream)
            most = x.max(axis=0)
            longest[LONGEST.index(n)] += most.sum()
            for i, (m, a, b) in enumerate(MOMENTS):
                if m == n:
                    powers[i] += (x[0] ** a * x[1] ** b).sum()
            for i, (m, floors) in enumerate(FLOORS):
                if m == n:
                    survived[i] += survivors(x, floors)
            if n == 3:
                triangles += np.bincount(small_triangle(x), minlength=ROWS**2)
                centre += int(np.count_nonzero(most < 0.5))
    return {
        "in_triangle": triangles.tolist(),
        "density_of_three": 8 * centre / sticks,  # all three below 1/2: a region of area 1/8 in (x_1, x_2)
        "moment_error": [float(powers[i]) / sticks / float(moment(*m)) - 1 for i, m in enumerate(MOMENTS)],
        "longest_error": [float(longest[i]) / sticks / float(mean_longest(n)) - 1 for i, n in enumerate(LONGEST)],
        "survived": survived,
    }


def measure(seeds: list[Seed], tier: Tier) -> dict[str, list[Any]]:
    """Counts and relative errors over ``tier["sticks"]`` sticks a seed for each n = 2..10."""
    rows = [one_seed(tier["sticks"], seed) for seed in seeds]
    found: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
    found["triangle_share"] = [[1 / ROWS**2] * ROWS**2] * len(seeds)
    found["sticks"] = [tier["sticks"]] * len(seeds)
    found["survival_formula"] = [[float(survival(n, *floors)) for n, floors in FLOORS]] * len(seeds)
    return found


EXPERIMENT = Experiment(
    name="pieces",
    measure=measure,
    tiers={
        "smoke": Tier(seeds=8, sizes={"sticks": 100_000}),
        "cpu": Tier(seeds=16, at_most=64, stack=1, sizes={"sticks": 500_000}),
        "gpu": Tier(seeds=16, at_most=64, stack=1, sizes={"sticks": 25_000_000}),
    },
)
