"""What the next generation is trained on: the four diets of the paper, for points of any kind."""

from collections.abc import Sequence

import torch
from torch import Tensor


def next_pool(diet: str, first: Tensor, fresh: Tensor, before: Tensor, made: Tensor) -> Tensor:
    """The points [R, N, D] that the next generation learns from.

    first   the real points of generation 1
    fresh   as many new real points
    before  all that the present generation learnt from
    made    what the present generation makes

    >>> one, two, three, four = (torch.full((1, 1, 1), float(i)) for i in range(1, 5))
    >>> next_pool("fixed", one, two, three, four).flatten()
    tensor([1., 4.])
    """
    if diet == "synthetic":
        return made
    if diet == "fixed":
        return torch.cat([first, made], -2)
    if diet == "growing":
        return torch.cat([before, made], -2)
    if diet == "fresh":
        return torch.cat([fresh, made], -2)
    raise ValueError(f"a diet is synthetic, fixed, growing or fresh, got {diet!r}")


def late(errors: Sequence[float]) -> float:
    """What an error still gains late: its mean over the last third of the generations, over that of the third before.

    >>> late([5.0, 1.0, 3.0, 2.0])
    0.6666666666666666
    """
    third = len(errors) // 3
    last, before = errors[-third:], errors[-2 * third : -third]
    return sum(last) / sum(before)
