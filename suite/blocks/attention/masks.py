"""Who sees whom: masks of attention as booleans [..., T, T], true where position i (row) looks at position j (column).

Positions count from 0; every mask has a true diagonal.
"""

import torch
from torch import Tensor


def full(length: int) -> Tensor:
    """Every position sees every other: [T, T].

    >>> full(2).int().tolist()
    [[1, 1], [1, 1]]
    """
    return torch.ones(length, length, dtype=torch.bool)


def causal(length: int) -> Tensor:
    """j <= i, a language model: [T, T].

    >>> causal(3).int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    return full(length).tril()


def prefix(length: int, inputs: int) -> Tensor:
    """j <= i, or both below ``inputs``: UniLM's mask, also called prefix LM: [T, T].

    (Dong et al., arXiv:1905.03197, figure 1; Raffel et al., arXiv:1910.10683, figure 3.)

    >>> prefix(3, 2).int().tolist()
    [[1, 1, 0], [1, 1, 0], [1, 1, 1]]
    """
    if not 0 <= inputs <= length:
        raise ValueError(f"inputs counts positions from 0 to {length}, got {inputs}")
    seen = causal(length)
    seen[:inputs, :inputs] = True
    return seen


def half_and_half(length: int, heads: int) -> Tensor:
    """The first half of the heads looks back, the other half ahead: [H, T, T] (kexue.fm/archives/9529).

    >>> half_and_half(2, 2).int().tolist()
    [[[1, 0], [1, 1]], [[1, 1], [0, 1]]]
    """
    if heads % 2:
        raise ValueError(f"half of {heads} heads is no whole number")
    back = causal(length)
    return torch.stack([back if head < heads // 2 else back.mT for head in range(heads)])


def permuted(orders: Tensor) -> Tensor:
    """A triangle under another order of the positions: i sees j where order[j] <= order[i]; [..., T] to [..., T, T].

    As full of rank as the causal mask, for it is P L P^T, but without left and right.

    >>> permuted(torch.tensor([[1, 0]])).int().tolist()
    [[[1, 1], [0, 1]]]
    """
    return orders.unsqueeze(-2) <= orders.unsqueeze(-1)


def sides(length: int) -> Tensor:
    """Where j lies left of i, and where it lies right of it: [2, T, T].

    >>> sides(2).int().tolist()
    [[[0, 0], [1, 0]], [[0, 1], [0, 0]]]
    """
    left = full(length).tril(-1)
    return torch.stack((left, left.mT))
