"""Metrics between sets of points against loops, scipy and scikit-learn, and on worlds whose distance is known."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.stats import wasserstein_distance
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import NearestNeighbors

from suite.blocks.metrics.density_coverage import density_coverage
from suite.blocks.metrics.frechet import frechet, moments, root
from suite.blocks.metrics.mmd import mmd
from suite.blocks.metrics.neighbours import distances, radii
from suite.blocks.metrics.precision_recall import precision_recall
from suite.blocks.metrics.sliced_wasserstein import directions, sliced_wasserstein
from suite.seeds import Seed

SEED = Seed("test/r1", "verdict", 0)


def points(name, *shape):
    return torch.randn(*shape, generator=SEED.stream(name), dtype=torch.float64)


REAL, FAKE = points("real", 3, 60, 4), 0.7 * points("fake", 3, 50, 4) + 0.3


def close(a, b, tolerance=1e-9):
    torch.testing.assert_close(a, torch.as_tensor(b, dtype=a.dtype), rtol=tolerance, atol=tolerance)


# --- slow twins: one model, one point, one pair at a time ---------------------------------------------


def naive_reach(points, k):
    return [sorted(float((p - q).norm()) for j, q in enumerate(points) if j != i)[k - 1] for i, p in enumerate(points)]


def naive_prdc(real, fake, k):
    """Precision, recall, density, coverage, as the papers' formulas read."""
    real_reach, fake_reach = naive_reach(real, k), naive_reach(fake, k)
    inside_real = [[float((f - r).norm()) <= b for r, b in zip(real, real_reach, strict=True)] for f in fake]
    inside_fake = [[float((r - f).norm()) <= b for f, b in zip(fake, fake_reach, strict=True)] for r in real]
    return (
        sum(any(row) for row in inside_real) / len(fake),
        sum(any(row) for row in inside_fake) / len(real),
        sum(sum(row) for row in inside_real) / (k * len(fake)),
        sum(any(row[i] for row in inside_real) for i in range(len(real))) / len(real),
    )


def naive_mmd(a, b, width):
    def kernel(x, y):
        return math.exp(-float((x - y).square().sum()) / (2 * width**2))

    own = 0.0
    for s in (a, b):
        own += sum(kernel(x, y) for i, x in enumerate(s) for j, y in enumerate(s) if i != j) / (len(s) * (len(s) - 1))
    return own - 2 * sum(kernel(x, y) for x in a for y in b) / (len(a) * len(b))


# --- neighbours ---------------------------------------------------------------------------------------


def test_distances_are_those_of_every_pair():
    found = distances(REAL, FAKE)
    close(found[1, 4, 7], (REAL[1, 4] - FAKE[1, 7]).norm())
    assert found.shape == (3, 60, 50)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_radii_are_scikit_learns(k):
    for row in range(3):
        nearest = NearestNeighbors(n_neighbors=k).fit(REAL[row].numpy())
        close(radii(REAL, k)[row], nearest.kneighbors()[0][:, -1])


@pytest.mark.parametrize("k", [0, 60])
def test_k_must_leave_other_points(k):
    with pytest.raises(ValueError, match="k lies between 1 and the other 59 points"):
        radii(REAL, k)


# --- precision, recall, density, coverage ---------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_recall_density_coverage_equal_their_loops(k):
    precision, recall = precision_recall(REAL, FAKE, k)
    density, coverage = density_coverage(REAL, FAKE, k)
    for row in range(3):
        expected = naive_prdc(REAL[row], FAKE[row], k)
        close(torch.stack([precision[row], recall[row], density[row], coverage[row]]), expected)


def test_each_model_is_measured_alone():
    together = precision_recall(REAL, FAKE, 3)
    alone = precision_recall(REAL[1:2], FAKE[1:2], 3)
    assert [float(t[1]) for t in together] == [float(a[0]) for a in alone]


def test_worlds_that_are_known():
    same = points("same", 1, 40, 2)
    assert [float(v) for v in precision_recall(same, same)] == [1.0, 1.0]
    assert [float(v) for v in precision_recall(same, same + 100)] == [0.0, 0.0]
    assert [float(v) for v in density_coverage(same, same + 100)] == [0.0, 0.0]
    two = torch.cat([same, same + 100], 1)  # the fakes know one of two modes: all are precise, half is covered
    assert float(precision_recall(two, same)[0]) == 1.0
    assert float(precision_recall(two, same)[1]) == 0.5
    assert float(density_coverage(two, same)[1]) == 0.5


# --- sliced Wasserstein -------------------------------------------------------------------------------


def test_sliced_wasserstein_is_scipys_along_every_direction():
    a, b = REAL[:, :50], FAKE
    along = directions(SEED.stream("directions"), 7, 4).double()
    for row in range(3):
        each = [wasserstein_distance((a[row] @ u).numpy(), (b[row] @ u).numpy()) for u in along]
        close(sliced_wasserstein(a, b, along, order=1)[row], np.mean(each))


def test_sliced_wasserstein_of_order_two_by_assignment():
    from scipy.optimize import linear_sum_assignment

    a, b, along = REAL[:1, :12], FAKE[:1, :12], directions(SEED.stream("directions"), 5, 4).double()
    costs = []
    for u in along:
        cost = ((a[0] @ u)[:, None] - (b[0] @ u)[None, :]).square().numpy()
        costs.append(cost[linear_sum_assignment(cost)].mean())
    close(sliced_wasserstein(a, b, along)[0], np.sqrt(np.mean(costs)))


def test_sliced_wasserstein_wants_sets_of_one_size():
    with pytest.raises(ValueError, match="two sets of one shape"):
        sliced_wasserstein(REAL, FAKE, directions(SEED.stream("directions"), 5, 4).double())


# --- MMD ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [0.5, 2.0])
def test_mmd_equals_its_loop_and_scikit_learns_kernels(width):
    for row in range(3):
        a, b = REAL[row], FAKE[row]
        close(mmd(REAL, FAKE, width)[row], naive_mmd(a, b, width))
        aa, bb, ab = (rbf_kernel(x, y, gamma=1 / (2 * width**2)) for x, y in ((a, a), (b, b), (a, b)))
        n, m = len(a), len(b)
        expected = (aa.sum() - n) / (n * (n - 1)) + (bb.sum() - m) / (m * (m - 1)) - 2 * ab.mean()
        close(mmd(REAL, FAKE, width)[row], expected)


def test_mmd_is_unbiased():
    """Between two samples of one law it is 0 on average."""
    a, b = points("a", 400, 30, 2), points("b", 400, 30, 2)
    found = mmd(a, b, 1.0)
    assert abs(float(found.mean())) < 4 * float(found.std()) / 20


# --- Frechet ------------------------------------------------------------------------------------------


def test_frechet_is_scipys_square_root():
    m1, c1 = moments(REAL)
    m2, c2 = moments(FAKE)
    for row in range(3):
        cross = sqrtm(c1[row].numpy() @ c2[row].numpy()).real
        expected = float((m1[row] - m2[row]).square().sum() + torch.trace(c1[row] + c2[row])) - 2 * np.trace(cross)
        close(frechet(m1, c1, m2, c2)[row], expected)
    close(frechet(m1, c1, m1, c1), torch.zeros(3))


def test_moments_are_numpys():
    mean, covariance = moments(REAL)
    close(mean[2], REAL[2].numpy().mean(0))
    close(covariance[2], np.cov(REAL[2].numpy().T))


def test_the_root_squares_to_the_matrix():
    _, covariance = moments(REAL)
    close(root(covariance) @ root(covariance), covariance)
    lacking = torch.outer(torch.ones(3), torch.ones(3)).double()
    close(root(lacking) @ root(lacking), lacking)
