"""Sliced Wasserstein distance: the mean over directions of the one-dimensional one (Rabin et al., 2011)."""

import torch
from torch import Generator, Tensor


def directions(stream: Generator, number: int, size: int) -> Tensor:
    """Uniform unit vectors [number, size].

    >>> directions(torch.Generator().manual_seed(0), 3, 2).norm(dim=1).round(decimals=4)
    tensor([1., 1., 1.])
    """
    drawn = torch.randn(number, size, generator=stream)
    return drawn / drawn.norm(dim=1, keepdim=True)


def sliced_wasserstein(a: Tensor, b: Tensor, along: Tensor, order: int = 2) -> Tensor:
    """Distance [R] between point sets a and b, both [R, N, D], along unit vectors [L, D].

        (mean_l mean_i |sort(a u_l)_i - sort(b u_l)_i|^order)^(1 / order)

    Both sets have the same size: then sorting pairs the points as the best transport does.

    >>> a = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]])
    >>> sliced_wasserstein(a, a + torch.tensor([3.0, 0.0]), torch.tensor([[1.0, 0.0]]))
    tensor([3.])
    """
    if a.shape != b.shape:
        raise ValueError(f"two sets of one shape are compared, got {tuple(a.shape)} and {tuple(b.shape)}")
    each = ((a @ along.T).sort(-2).values - (b @ along.T).sort(-2).values).abs()
    return (each**order).mean((-2, -1)) ** (1 / order)
