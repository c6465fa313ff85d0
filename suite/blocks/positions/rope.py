"""Rotary positions (Su et al., arXiv:2104.09864): frequencies, the rotation, and the cosine sum that a base is judged
by.

Letters: T positions, D numbers of a head, P = D / 2 pairs.  Pairs are neighbours, (x_0, x_1), (x_2, x_3), ..., as in
the paper.  Scaling, interpolation and windows are changes of ``positions`` or ``frequencies``; the rotation stays the
same.
"""

import torch
from torch import Tensor


def frequencies(width: int, base: float, *, rotated: int | None = None) -> Tensor:
    """theta_i = base^(-2i / D) for pair i = 0 .. D/2 - 1, in radians per position: [P] (float64).

    With ``rotated`` = D' < D only the first D' numbers of a head turn: theta_i = base^(-2i / D') for i < D'/2, then 0.

    >>> frequencies(4, 100.0), frequencies(4, 100.0, rotated=2)
    (tensor([1.0000, 0.1000], dtype=torch.float64), tensor([1., 0.], dtype=torch.float64))
    """
    turning = width if rotated is None else rotated
    if width < 2 or width % 2 or turning % 2 or not 0 <= turning <= width:
        raise ValueError(f"width and rotated are even, with 0 <= rotated <= width; got {width} and {turning}")
    if not base > 0:
        raise ValueError(f"a base is positive, got {base}")
    theta = torch.zeros(width // 2, dtype=torch.float64)
    if turning:
        theta[: turning // 2] = base ** (-torch.arange(0, turning, 2, dtype=torch.float64) / turning)
    return theta


def rotate(x: Tensor, positions: Tensor, frequencies: Tensor) -> Tensor:
    """Turn pair i of x [..., T, D] at position t by the angle t theta_i: (x_2i + j x_2i+1) e^(j t theta_i) (equation
    34).

    ``positions`` are whole or fractional, [T] or any shape that broadcasts against x [..., T]; ``frequencies`` [D/2].
    Angles are float64, the product has at least float32, the result the type of x.  Then <rotate(q, m), rotate(k, n)>
    depends on m - n alone.

    >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> rotate(x, torch.tensor([0, 1]), frequencies(2, 1e4))
    tensor([[1.0000, 0.0000],
            [0.5403, 0.8415]])
    """
    if x.shape[-1] != 2 * len(frequencies):
        raise ValueError(
            f"x ends in {x.shape[-1]} numbers, but {len(frequencies)} frequencies turn {2 * len(frequencies)}"
        )
    kind = torch.float64 if x.dtype == torch.float64 else torch.float32
    angle = positions.to(x.device, torch.float64).unsqueeze(-1) * frequencies.to(x.device, torch.float64)
    turn = torch.polar(torch.ones_like(angle), angle).to(torch.complex128 if kind == torch.float64 else torch.complex64)
    pairs = torch.view_as_complex(x.to(kind).unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * turn).flatten(-2).to(x.dtype)


def cosine_sum(distances: Tensor, frequencies: Tensor) -> Tensor:
    """f(m) = sum_i cos(m theta_i) for every m of ``distances`` [...]: [...] (float64).

    For queries and keys with independent components of variance s^2, 2 s^2 f(m) is how much a key that is a noisy copy
    of the query scores above an unrelated one at distance m on average (kexue.fm/archives/10122; arXiv:2405.14591).

    >>> cosine_sum(torch.tensor([0, 3]), frequencies(4, 100.0))
    tensor([ 2.0000, -0.0347], dtype=torch.float64)
    """
    angle = distances.to(torch.float64).unsqueeze(-1) * frequencies.to(distances.device, torch.float64)
    return angle.cos_().sum(-1)
