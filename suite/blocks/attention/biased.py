"""Attention whose scores have a bias that is learned, one for every model of a stack."""

from torch import Tensor


def biased(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(D) + bias) v: q [R B, H, I, D], k [R B, H, T, D], v [R B, H, T, E] to [R B, H, I, E].

    ``bias`` [R, H, I, T] may be -inf where a position is not seen, but not for all of a row.  Torch's fast kernels give
    no gradient for it, and its slow one guards against rows that see nothing, which costs as much as the rest.

    >>> import math, torch
    >>> q, k, v = torch.zeros(2, 1, 1, 4), torch.ones(2, 1, 2, 4), torch.tensor([[0.0], [4.0]]).expand(2, 1, 2, 1)
    >>> biased(q, k, v, torch.tensor([[[[0.0, -math.inf]]]])).flatten()
    tensor([0., 0.])
    """
    scores = (q * q.shape[-1] ** -0.5) @ k.mT
    leaning = scores.unflatten(0, (len(bias), -1)) + bias.unsqueeze(1)
    return leaning.softmax(-1).flatten(0, 1) @ v
