"""Factors of the query that keep attention as sharp over many tokens as over few.

Each function gives a map from positions n = 1, 2, ... to factors, as ``Rotary(scale=...)`` takes it.  N is the length
of training.  Source: kexue.fm/archives/8823 and 9706.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Scale = Callable[[Tensor], Tensor]


def log_n(length: int) -> Scale:
    """log_N n, for training and testing; 0 at n = 1, where a query sees itself alone.

    >>> log_n(4)(torch.tensor([1, 2, 4, 16]))
    tensor([0.0000, 0.5000, 1.0000, 2.0000], dtype=torch.float64)
    """
    return lambda n: n.to(torch.float64).log() / math.log(length)


def log_n_dagger(length: int) -> Scale:
    """max(1, log_N n), for testing models that were trained without it.

    >>> log_n_dagger(4)(torch.tensor([1, 2, 4, 16]))
    tensor([1., 1., 1., 2.], dtype=torch.float64)
    """
    return lambda n: (n.to(torch.float64).log() / math.log(length)).clamp_min(1.0)


def yarn_scale(factor: float) -> Scale:
    """(1 + 0.1 ln k)^2 at every position (arXiv:2309.00071, equation 22).

    >>> yarn_scale(math.e)(torch.tensor([1, 9]))
    tensor([1.2100, 1.2100], dtype=torch.float64)
    """
    value = (1 + 0.1 * math.log(factor)) ** 2
    return lambda n: torch.full(n.shape, value, dtype=torch.float64, device=n.device)
