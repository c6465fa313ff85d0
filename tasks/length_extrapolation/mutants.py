"""A deliberately wrong NTK-RoPE: the headline must turn."""

import torch
from torch import Tensor


def ntk_backwards(frequencies: Tensor, factor: float) -> Tensor:
    """Divides where it should multiply: every pair turns faster, to angles that training never saw."""
    theta = frequencies.to(torch.float64)
    m = torch.arange(1, len(theta) + 1, dtype=torch.float64)
    return theta * torch.pow(factor, m / len(theta))
