"""Rotary positions of queries, keys and values that lie side by side, [..., T, 3 D]: one pass over contiguous numbers.

Letters: T positions, D width.
"""

import torch
from torch import Tensor

from suite.blocks.positions.rope import frequencies


def rotation(context: int, width: int, heads: int, base: float = 10_000.0) -> Tensor:
    """Rotary positions as factors of queries, keys and values in complex pairs: [context, 3 width / 2] (complex64).

        exp(i t base^(-2j / size)) for pair j of a head of ``size`` = width / heads at position t; 1 for the values

    (Su et al., arXiv:2104.09864, equations 15 and 34).

    >>> rotation(2, 4, 1)
    tensor([[1.0000+0.0000j, 1.0000+0.0000j, 1.0000+0.0000j, 1.0000+0.0000j,
             1.0000+0.0000j, 1.0000+0.0000j],
            [0.5403+0.8415j, 0.9999+0.0100j, 0.5403+0.8415j, 0.9999+0.0100j,
             1.0000+0.0000j, 1.0000+0.0000j]])
    """
    return factors(frequencies(width // heads, base), context, heads)


def factors(theta: Tensor, context: int, heads: int) -> Tensor:
    """``rotation`` by frequencies [P] (float64) of a head, in radians per position: [context, 3 P heads] (complex64).

    >>> factors(torch.zeros(1, dtype=torch.float64), 2, 1).shape
    torch.Size([2, 3])
    """
    angle = torch.arange(context, dtype=torch.float64, device=theta.device).outer(theta).repeat(1, 2 * heads)
    angle = torch.cat((angle, angle.new_zeros(context, len(theta) * heads)), 1)
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)


def rotate(qkv: Tensor, turn: Tensor) -> Tensor:
    """Turn neighbouring pairs of qkv [..., T, 3 D] by ``rotation``, in one pass over contiguous numbers.

    The compiler generates no code for complex numbers; it wants ``turn`` as cosines and sines [context, 3 D / 2, 2].
    """
    if not turn.is_complex():
        return _rotate_parts(qkv, turn)
    pairs = torch.view_as_complex(qkv.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turn[: qkv.shape[-2]]).flatten(-2).to(qkv.dtype)


def _rotate_parts(qkv: Tensor, turn: Tensor) -> Tensor:
    """``rotate`` in real arithmetic."""
    cosine, sine = turn[: qkv.shape[-2]].unbind(-1)
    a, b = qkv.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((a * cosine - b * sine, a * sine + b * cosine), -1).flatten(-2).to(qkv.dtype)
