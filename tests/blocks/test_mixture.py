"""Stacked mixtures of Gaussians against scikit-learn's, one at a time, and on data from a known mixture."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from suite.blocks.models.mixture import Mixture, fit_mixtures, maximise, nearest_centre, products, spread_out
from suite.seeds import Seed

SEEDS = [Seed("test/r1", "verdict", number) for number in range(3)]
CENTRES = torch.tensor([[0.0, 0.0, 0.0], [6.0, 0.0, 1.0], [0.0, 5.0, -2.0]], dtype=torch.float64)


def streams(name, rows=range(3)):
    return [SEEDS[row].stream(name) for row in rows]


def data(number=200):
    def one(stream):
        which = torch.randint(3, (number,), generator=stream)
        return CENTRES[which] + torch.randn(number, 3, generator=stream, dtype=torch.float64)

    return torch.stack([one(stream) for stream in streams("data")])


DATA = data()


def close(a, b, tolerance=1e-8):
    torch.testing.assert_close(a, torch.as_tensor(np.asarray(b), dtype=a.dtype), rtol=tolerance, atol=tolerance)


def fitted(rows=range(3), **more):
    return fit_mixtures(DATA[list(rows)], 3, streams("start", rows), **more)


def test_density_is_scipys():
    found = fitted()
    for row in range(3):
        each = [
            np.log(float(w)) + multivariate_normal(m.numpy(), c.numpy()).logpdf(DATA[row].numpy())
            for w, m, c in zip(found.weights[row], found.means[row], found.covariances[row], strict=True)
        ]
        close(found.log_density(DATA)[row], logsumexp(each, axis=0))


def test_an_m_step_equals_its_loop():
    shares = torch.rand(3, 200, 4, generator=SEEDS[0].stream("shares"), dtype=torch.float64)
    shares = shares / shares.sum(-1, keepdim=True)
    found = maximise(products(DATA), shares, reg=0.01)
    for row in range(3):
        for k in range(4):
            weights = shares[row, :, k]
            mean = sum(w * x for w, x in zip(weights, DATA[row], strict=True)) / weights.sum()
            spread = sum(w * torch.outer(x - mean, x - mean) for w, x in zip(weights, DATA[row], strict=True))
            close(found.weights[row, k], weights.sum() / 200)
            close(found.means[row, k], mean)
            close(found.covariances[row, k], spread / weights.sum() + 0.01 * torch.eye(3))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_em_is_scikit_learns_from_the_same_start():
    iterations = 15
    start, end = fitted(iterations=0), fitted(iterations=iterations)
    for row in range(3):
        oracle = GaussianMixture(
            3,
            reg_covar=1e-3,
            max_iter=iterations,
            tol=0.0,
            weights_init=start.weights[row].numpy(),
            means_init=start.means[row].numpy(),
            precisions_init=torch.linalg.inv(start.covariances[row]).numpy(),
        ).fit(DATA[row].numpy())
        close(end.means[row], oracle.means_, 1e-6)
        close(end.covariances[row], oracle.covariances_, 1e-6)
        close(end.weights[row], oracle.weights_, 1e-6)
        assert float(end.log_density(DATA)[row].mean()) == pytest.approx(oracle.score(DATA[row].numpy()), abs=1e-6)


def test_a_known_mixture_is_found():
    found = fitted()
    for row in range(3):
        apart = torch.cdist(CENTRES, found.means[row])
        assert float(apart.min(1).values.max()) < 0.5
        assert sorted(apart.argmin(1).tolist()) == [0, 1, 2]


def test_a_model_does_not_depend_on_its_company():
    together = fitted()
    for rows in ([0], [2, 1]):
        some = fitted(rows)
        close(some.means, together.means[rows], 1e-9)
        close(some.covariances, together.covariances[rows], 1e-9)


def test_samples_have_the_mixtures_moments():
    found = fitted([0])
    choices = torch.rand(1, 200_000, generator=SEEDS[0].stream("choices"), dtype=torch.float64)
    noise = torch.randn(1, 200_000, 3, generator=SEEDS[0].stream("noise"), dtype=torch.float64)
    for factor in (1.0, 0.5):
        model = found.widened(factor)
        mean, covariance = model.moments()
        points = model.sample(choices, noise)
        close(points.mean(1), mean, 0.03)
        close(torch.cov(points[0].T), covariance[0], 0.1)
    expected = torch.einsum("k,kij->ij", found.weights[0], found.covariances[0])
    _, c = found.widened(0.0).moments()
    close(found.moments()[1][0] - c[0], expected)


def test_spread_out_never_takes_a_point_twice_and_favours_the_far():
    points = torch.cat([torch.zeros(1, 50, 1), torch.full((1, 1, 1), 100.0)], 1).double()
    for number in range(5):
        centres = spread_out(points, 2, [Seed("test/r1", "verdict", number).stream("start")])
        assert sorted(centres.flatten().tolist()) == [0.0, 100.0]
    centres = spread_out(DATA, 10, streams("start"))
    assert all(len({tuple(c) for c in row.tolist()}) == 10 for row in centres)


def test_points_go_to_their_nearest_centre():
    shares = nearest_centre(torch.tensor([[[0.0], [0.9], [2.0]]]), torch.tensor([[[0.0], [1.0]]]))
    assert shares.tolist() == [[[1, 0], [0, 1], [0, 1]]]


def test_a_component_without_points_stays_finite():
    same = torch.zeros(1, 10, 2, dtype=torch.float64)
    found = fit_mixtures(same, 3, streams("start", [0]))
    assert isinstance(found, Mixture)
    assert bool(torch.isfinite(found.log_density(same)).all())
