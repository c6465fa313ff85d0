"""Maximum mean discrepancy with a Gaussian kernel (Gretton et al., JMLR 13, 2012, lemma 6)."""

from torch import Tensor

from suite.blocks.metrics.neighbours import distances


def mmd(a: Tensor, b: Tensor, width: float) -> Tensor:
    """Squared MMD [R] of a [R, N, D] and b [R, M, D], unbiased, hence now and then below 0.

        k(x, y) = exp(-|x - y|^2 / (2 width^2))
        mean_{i != j} k(a_i, a_j) + mean_{i != j} k(b_i, b_j) - 2 mean_{i, j} k(a_i, b_j)

    >>> import torch
    >>> mmd(torch.zeros(1, 2, 1), torch.full((1, 2, 1), 50.0), width=1.0)
    tensor([2.])
    """
    within = _kernel(a, a, width), _kernel(b, b, width)
    own = sum((k.sum((-2, -1)) - k.shape[-1]) / (k.shape[-1] * (k.shape[-1] - 1)) for k in within)
    return own - 2 * _kernel(a, b, width).mean((-2, -1))


def _kernel(a: Tensor, b: Tensor, width: float) -> Tensor:
    return distances(a, b).square().div(-2 * width**2).exp()
