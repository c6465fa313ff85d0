"""Half-balls against linear programming and determinants."""

import itertools

import numpy as np
import pytest
from scipy import optimize, stats

from suite.seeds import Seed
from tasks.duck_sector_probability import formula, half_balls


def seed(number: int = 0) -> Seed:
    return Seed("duck-tests/r1", "verdict", number)


def in_half_space_by_programming(points: np.ndarray) -> bool:
    """[n, d]: is there a w with w . z_i >= 1 for all i?  A linear program without an objective."""
    free = [(None, None)] * points.shape[1]
    found = optimize.linprog(
        np.zeros(points.shape[1]), A_ub=-points, b_ub=-np.ones(len(points)), bounds=free, method="highs"
    )
    return found.status == 0


@pytest.mark.parametrize(("d", "n"), [(2, 4), (3, 4), (3, 6), (4, 6), (5, 7)])
def test_half_spaces_by_linear_programming(d: int, n: int) -> None:
    points = half_balls.ball(n, d, 40, seed().numpy(f"balls/{d}/{n}"))
    slow = [in_half_space_by_programming(points[:, :, i]) for i in range(40)]
    assert half_balls.in_half_space(points).tolist() == slow
    assert len(set(slow)) == 2, "the cases must differ"


@pytest.mark.parametrize(("d", "n"), [(2, 5), (3, 5), (4, 5)])
def test_sign_patterns_by_linear_programming(d: int, n: int) -> None:
    points = seed().numpy(f"patterns/{d}").integers(-50, 50, size=(n, d))
    ways = itertools.product((1, -1), repeat=n)
    slow = sum(in_half_space_by_programming(points * np.array(signs)[:, None]) for signs in ways)
    assert half_balls.sign_patterns(points.tolist()) == slow == 2**n * formula.half_ball(n, d)


def test_points_in_one_plane_are_refused() -> None:
    with pytest.raises(ValueError, match="one hyperplane"):
        half_balls.sign_patterns([(1, 0), (2, 0), (0, 1)])


@pytest.mark.parametrize("d", [2, 3, 4, 5])
def test_normals_are_determinants(d: int) -> None:
    rows = seed().numpy(f"rows/{d}").integers(-9, 9, size=(d, d)).tolist()
    minors: half_balls.Minors = {(): 1}
    for row in rows:
        minors = half_balls.wedge(minors, row)
    assert minors[tuple(range(d))] == round(np.linalg.det(np.array(rows, dtype=float)))


def test_points_fill_the_ball() -> None:
    points = half_balls.ball(1, 3, 20_000, seed().numpy("ball"))[0]
    radius = np.sqrt((points * points).sum(axis=0))
    assert stats.kstest(radius**3, "uniform").pvalue > 1e-4
