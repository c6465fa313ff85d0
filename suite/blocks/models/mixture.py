"""A stack of Gaussian mixtures, fitted by expectation-maximisation (Dempster, Laird and Rubin, 1977).

Letters: R models, N points, D coordinates, K components.  Quadratic forms and second moments are taken through the D^2
products of coordinates, so that each half of an iteration is one matrix product for the whole stack; in float64 the
cancellation that this costs does not matter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """weights [R, K], means [R, K, D], covariances [R, K, D, D]."""

    weights: Tensor
    means: Tensor
    covariances: Tensor

    def log_joint(self, features: Tensor) -> Tensor:
        """log(weight_k N(x; mean_k, covariance_k)) of points given by their ``products``: [R, N, K]."""
        lower = torch.linalg.cholesky(self.covariances)
        inverse = torch.cholesky_inverse(lower)
        linear = (inverse @ self.means.unsqueeze(-1)).squeeze(-1)
        constant = (
            self.weights.log()
            - lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            - 0.5 * (linear * self.means).sum(-1)
            - 0.5 * self.means.shape[-1] * math.log(2 * math.pi)
        )
        coefficients = torch.cat([-0.5 * inverse.flatten(-2), linear], -1)
        return torch.baddbmm(constant.unsqueeze(-2), features, coefficients.mT)

    def log_density(self, points: Tensor) -> Tensor:
        """log p(x) of points [R, N, D]: [R, N]."""
        return self.log_joint(products(points)).logsumexp(-1)

    def widened(self, factor: float) -> "Mixture":
        """The same with every covariance times ``factor``: below 1, a sampler that plays safe."""
        return Mixture(weights=self.weights, means=self.means, covariances=self.covariances * factor)

    def sample(self, choices: Tensor, noise: Tensor) -> Tensor:
        """Points [R, N, D] from uniform ``choices`` [R, N] and standard normal ``noise`` [R, N, D]."""
        ends = self.weights.cumsum(-1)
        which = torch.searchsorted(ends, choices * ends[:, -1:]).clamp(max=ends.shape[-1] - 1)
        row = torch.arange(len(which), device=which.device).unsqueeze(-1)
        lower = torch.linalg.cholesky(self.covariances)[row, which]
        return self.means[row, which] + (lower @ noise.unsqueeze(-1)).squeeze(-1)

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean [R, D] and covariance [R, D, D] of the whole mixture."""
        mean = (self.weights.unsqueeze(-1) * self.means).sum(-2)
        apart = self.means - mean.unsqueeze(-2)
        spread = self.covariances + apart.unsqueeze(-1) * apart.unsqueeze(-2)
        return mean, (self.weights[..., None, None] * spread).sum(-3)


def products(points: Tensor) -> Tensor:
    """All products of two coordinates, then the coordinates: [..., D] to [..., D^2 + D].

    >>> products(torch.tensor([2.0, 3.0]))
    tensor([4., 6., 6., 9., 2., 3.])
    """
    return torch.cat([(points.unsqueeze(-1) * points.unsqueeze(-2)).flatten(-2), points], -1)


def maximise(features: Tensor, shares: Tensor, reg: float) -> Mixture:
    """The mixture that fits ``products`` [R, N, D^2 + D] best, given how each point is shared [R, N, K] among the
    components; ``reg`` is added to the variances.
    """
    size = math.isqrt(features.shape[-1])
    mass = shares.sum(-2) + 10 * torch.finfo(shares.dtype).eps
    sums = shares.mT @ features / mass.unsqueeze(-1)
    means = sums[..., size * size :]
    seconds = sums[..., : size * size].unflatten(-1, (size, size))
    covariances = seconds - means.unsqueeze(-1) * means.unsqueeze(-2)
    covariances = covariances + reg * torch.eye(size, dtype=shares.dtype, device=shares.device)
    return Mixture(weights=mass / features.shape[-2], means=means, covariances=covariances)


def spread_out(points: Tensor, components: int, streams: Sequence[Generator]) -> Tensor:
    """Starting centres [R, K, D] among the points [R, N, D] (k-means++, Arthur and Vassilvitskii, 2007).

    Each further centre is drawn with probability proportional to the squared distance to the nearest one so far.
    """
    drawn = torch.stack([torch.rand(components, generator=stream, dtype=torch.float64) for stream in streams])
    drawn = drawn.to(points)
    row = torch.arange(len(points), device=points.device)
    first = (drawn[:, 0] * points.shape[1]).long()
    centres = [points[row, first]]
    nearest = torch.full(points.shape[:2], math.inf, dtype=points.dtype, device=points.device)
    for k in range(1, components):
        nearest = torch.minimum(nearest, (points - centres[-1].unsqueeze(1)).square().sum(-1))
        ends = nearest.cumsum(-1)
        chosen = torch.searchsorted(ends, drawn[:, k : k + 1] * ends[:, -1:], right=True).squeeze(-1)
        centres.append(points[row, chosen.clamp(max=points.shape[1] - 1)])
    return torch.stack(centres, 1)


def nearest_centre(points: Tensor, centres: Tensor) -> Tensor:
    """Each point shared out whole to its nearest centre: [R, N, K] of zeros and ones."""
    which = torch.cdist(points, centres).argmin(-1)
    return torch.nn.functional.one_hot(which, centres.shape[1]).to(points.dtype)


def fit_mixtures(
    points: Tensor,
    components: int,
    streams: Sequence[Generator],
    *,
    iterations: int = 40,
    rounds: int = 5,
    reg: float = 1e-3,
) -> Mixture:
    """R mixtures of full covariance, one for each set of points [R, N, D] (float64).

    k-means++ and ``rounds`` rounds of k-means to start with, then ``iterations`` of EM, the same number for all models:
    a model does not depend on its company.

    >>> points = torch.tensor([[[0.0], [0.2], [5.0], [5.2]]], dtype=torch.float64)
    >>> fitted = fit_mixtures(points, 2, [torch.Generator().manual_seed(0)])
    >>> fitted.means.flatten().sort().values
    tensor([0.1000, 5.1000], dtype=torch.float64)
    """
    features = products(points)
    size = points.shape[-1]
    centres = spread_out(points, components, streams)
    for _ in range(rounds):
        shares = nearest_centre(points, centres)
        mass = shares.sum(-2).unsqueeze(-1)
        sums = shares.mT @ features[..., size * size :]
        centres = torch.where(mass > 0, sums / mass.clamp(min=1), centres)  # a centre that lost its points stays
    mixture = maximise(features, nearest_centre(points, centres), reg)
    for _ in range(iterations):
        mixture = maximise(features, mixture.log_joint(features).softmax(-1), reg)
    return mixture
