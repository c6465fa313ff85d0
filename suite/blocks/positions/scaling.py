"""Frequencies for lengths beyond those of training: interpolation, NTK-RoPE and its kin, YaRN.

Letters: d numbers of a head, theta_i = base^(-2i / d) for i = 0 .. d/2 - 1, in float64; k = how many times longer.  The
posts count from m = i + 1 and write beta = base^(2 / d), so that theta_m = beta^(-(m - 1)).  Each function takes the
frequencies of training and gives those of testing; k = 1 changes nothing.

Sources: arXiv:2306.15595 (interpolation), kexue.fm/archives/9675 and 9706 (old, fixed, mixed), the NTK-aware scaling of
bloc97, arXiv:2309.00071 (YaRN).
"""

import math

import torch
from torch import Tensor


def _index(frequencies: Tensor) -> tuple[Tensor, Tensor, int]:
    theta = frequencies.to(torch.float64)
    return theta, torch.arange(len(theta), dtype=torch.float64, device=theta.device), 2 * len(theta)


def pi(frequencies: Tensor, factor: float) -> Tensor:
    """Position interpolation: theta_i / k.

    >>> pi(torch.tensor([1.0, 0.1]), 4.0)
    tensor([0.2500, 0.0250], dtype=torch.float64)
    """
    return _index(frequencies)[0] / factor


def ntk_old(frequencies: Tensor, factor: float) -> Tensor:
    """NTK-RoPE as post 9675 has it: beta becomes beta lambda with lambda = k^(2 / d); theta_i lambda^(-i).

    >>> ntk_old(torch.tensor([1.0, 0.1]), 4.0)
    tensor([1.0000, 0.0500], dtype=torch.float64)
    """
    theta, i, d = _index(frequencies)
    return theta * torch.pow(factor, -2 * i / d)


def ntk(frequencies: Tensor, factor: float) -> Tensor:
    """NTK-aware scaling (bloc97): lambda = k^(2 / (d - 2)), that is base k^(d / (d - 2)); theta_i lambda^(-i).

    >>> ntk(torch.tensor([1.0, 0.1]), 4.0)
    tensor([1.0000, 0.0250], dtype=torch.float64)
    """
    theta, i, d = _index(frequencies)
    return theta * torch.pow(factor, -2 * i / (d - 2))


def ntk_fixed(frequencies: Tensor, factor: float) -> Tensor:
    """Post 9706: the lambda of ``ntk_old`` divides every frequency once more; theta_i lambda^(-(i + 1)).

    >>> ntk_fixed(torch.tensor([1.0, 0.1]), 4.0)
    tensor([0.5000, 0.0250], dtype=torch.float64)
    """
    theta, i, d = _index(frequencies)
    return theta * torch.pow(factor, -2 * (i + 1) / d)


def ntk_mixed(frequencies: Tensor, factor: float, b: float = 0.625) -> Tensor:
    """Mixed radix (post 9706): theta_i exp(-a m^b) with m = i + 1 and a = ln k / (d/2)^b.

    b = 1 is ``ntk_fixed``, b = 0 is ``pi``; ``share`` gives the factor that digit m gets of k.

    >>> ntk_mixed(torch.tensor([1.0, 0.1]), 4.0, 1.0)
    tensor([0.5000, 0.0250], dtype=torch.float64)
    """
    theta, i, d = _index(frequencies)
    return theta * torch.exp(-math.log(factor) * ((i + 1) / (d / 2)) ** b)


def share(pairs: int, factor: float, b: float) -> Tensor:
    """lambda_m = exp(a (m^b - (m - 1)^b)), m = 1 .. d/2: digit m's factor in mixed radix; their product is k.

    >>> share(2, 4.0, 1.0)
    tensor([2., 2.], dtype=torch.float64)
    """
    m = torch.arange(1, pairs + 1, dtype=torch.float64)
    before = torch.where(m > 1, (m - 1) ** b, torch.zeros_like(m))  # 0^0 counts as 0 here
    return torch.exp(math.log(factor) / pairs**b * (m**b - before))


def yarn(frequencies: Tensor, factor: float, length: int, tau: float = 32.0) -> Tensor:
    """YaRN's frequencies: (g_i + (1 - g_i) / k) theta_i with g_i = clip((r_i - 1) / (tau - 1), 0, 1).

    r_i = theta_i N / (2 pi) is how often pair i turned within the training ``length`` N: pairs that turned less than
    once are interpolated, those that turned more than ``tau`` times stay.  YaRN's factor of the scores, (1 + 0.1 ln
    k)^2, is a matter of ``suite.blocks.positions.log_scale``.

    >>> yarn(torch.tensor([1.0, 0.1]), 4.0, 20, 2.0)
    tensor([1.0000, 0.0250], dtype=torch.float64)
    """
    theta = _index(frequencies)[0]
    turns = theta * length / (2 * math.pi)
    kept = ((turns - 1) / (tau - 1)).clamp(0, 1)
    return (kept + (1 - kept) / factor) * theta
