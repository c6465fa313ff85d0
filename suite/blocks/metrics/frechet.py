"""Frechet distance: squared Wasserstein distance between Gaussians (Dowson and Landau, 1982)."""

import torch
from torch import Tensor


def root(matrix: Tensor) -> Tensor:
    """The symmetric square root of positive semidefinite matrices [..., D, D].

    >>> root(torch.tensor([[4.0, 0.0], [0.0, 9.0]]))
    tensor([[2., 0.],
            [0., 3.]])
    """
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt().unsqueeze(-2)) @ vectors.mT


def frechet(mean: Tensor, covariance: Tensor, other_mean: Tensor, other_covariance: Tensor) -> Tensor:
    """Distance [...] between N(mean, covariance) and another Gaussian; [..., D] and [..., D, D] each.

        |m - m'|^2 + tr(C + C' - 2 (C^(1/2) C' C^(1/2))^(1/2))

    Not square-rooted, as the FID has it.

    >>> one, two = torch.tensor([[1.0]]), torch.tensor([[4.0]])
    >>> frechet(torch.zeros(1), one, torch.full((1,), 3.0), two)
    tensor(10.)
    """
    half = root(covariance)
    inner = torch.linalg.eigvalsh(half @ other_covariance @ half).clamp(min=0).sqrt().sum(-1)
    traces = (covariance + other_covariance).diagonal(dim1=-2, dim2=-1).sum(-1)
    return (mean - other_mean).square().sum(-1) + traces - 2 * inner


def moments(points: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [R, D] and covariance [R, D, D] (over N - 1) of points [R, N, D].

    >>> moments(torch.tensor([[[0.0], [2.0]]]))
    (tensor([[1.]]), tensor([[[2.]]]))
    """
    mean = points.mean(-2)
    centred = points - mean.unsqueeze(-2)
    return mean, centred.mT @ centred / (points.shape[-2] - 1)
