"""Density and coverage of samples (Naeem et al., arXiv:2002.09797, equations 3 and 4)."""

from torch import Tensor

from suite.blocks.metrics.neighbours import distances, radii


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> tuple[Tensor, Tensor]:
    """(density, coverage), each [R], of fake [R, M, D] against real [R, N, D].

        density   1 / (k M) times the number of pairs in which the fake point lies in the real point's ball
        coverage  share of the real points whose ball holds a fake point

    The balls reach to the k-th nearest other real point, so that outliers among the fakes widen nothing.  Density may
    pass 1.

    >>> import torch
    >>> real = torch.tensor([[[0.0], [1.0], [5.0]]])
    >>> [value.item() for value in density_coverage(real, torch.tensor([[[0.5], [0.5]]]), k=1)]
    [2.0, 0.6666666865348816]
    """
    inside = distances(fake, real) <= radii(real, k).unsqueeze(-2)
    density = inside.sum(-1).to(real.dtype).mean(-1) / k
    return density, inside.any(-2).to(real.dtype).mean(-1)
