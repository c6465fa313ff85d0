"""Precision and recall of samples (Kynkaanniemi et al., arXiv:1904.06991, equations 1 and 2)."""

from torch import Tensor

from suite.blocks.metrics.neighbours import distances, radii


def covered(points: Tensor, manifold: Tensor, reach: Tensor) -> Tensor:
    """Share [R] of ``points`` [R, N, D] within ``reach`` [R, M] of a point of ``manifold`` [R, M, D].

    >>> import torch
    >>> covered(torch.tensor([[[0.5], [3.0]]]), torch.tensor([[[0.0], [1.0]]]), torch.ones(1, 2))
    tensor([0.5000])
    """
    inside = distances(points, manifold) <= reach.unsqueeze(-2)
    return inside.any(-1).to(points.dtype).mean(-1)


def precision_recall(real: Tensor, fake: Tensor, k: int = 5) -> tuple[Tensor, Tensor]:
    """(precision, recall), each [R], of fake [R, M, D] against real [R, N, D].

    The manifold of a set is the union of balls about its points, each as large as the distance to the k-th nearest
    other point.  Precision is the share of the fake points inside the manifold of the real ones, recall the reverse.
    Both depend on the numbers of points and on k: compare only at equal ones.

    >>> import torch
    >>> real = torch.tensor([[[0.0], [1.0], [2.0], [9.0]]])
    >>> [share.item() for share in precision_recall(real, real[:, :3], k=1)]
    [1.0, 0.75]
    """
    return covered(fake, real, radii(real, k)), covered(real, fake, radii(fake, k))
