"""Which examples a step sees: drawn beforehand from each seed's stream, hence a pure function of the step."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor


def draws(streams: Sequence[Generator], steps: int, size: int, number: int) -> Tensor:
    """Uniform indices below ``number`` with replacement, [R, steps, size] (int32): row r from stream r alone.

    >>> a, b = (torch.Generator().manual_seed(0) for _ in range(2))
    >>> drawn = draws([a, b], steps=3, size=4, number=10)
    >>> drawn.shape, bool((drawn[0] == drawn[1]).all())
    (torch.Size([2, 3, 4]), True)
    """
    return torch.stack(
        [torch.randint(number, (steps, size), generator=stream, dtype=torch.int32) for stream in streams]
    )


def shuffles(streams: Sequence[Generator], steps: int, size: int, number: int) -> Tensor:
    """Indices below ``number`` that pass through all of them before any comes again, [R, steps, size] (int32).

    >>> shuffles([torch.Generator().manual_seed(0)], steps=3, size=2, number=3).flatten().bincount()
    tensor([2, 2, 2])
    """
    rounds = -(-steps * size // number)
    rows = [torch.cat([torch.randperm(number, generator=stream) for _ in range(rounds)]) for stream in streams]
    return torch.stack([row[: steps * size].view(steps, size).int() for row in rows])


def rows(data: Tensor, indices: Tensor) -> Tensor:
    """Examples that all models share, by index: ``data`` [N, ...], ``indices`` [R, B]; gives [R, B, ...].

    >>> rows(torch.tensor([10, 11, 12]), torch.tensor([[0, 2], [1, 1]]))
    tensor([[10, 12],
            [11, 11]])
    """
    return data[indices.long()]


def own_rows(data: Tensor, indices: Tensor) -> Tensor:
    """The same where every model has data of its own: ``data`` [R, N, ...], ``indices`` [R, B]; gives [R, B, ...].

    >>> own_rows(torch.tensor([[10, 11], [20, 21]]), torch.tensor([[1], [0]]))
    tensor([[11],
            [20]])
    """
    models, number = data.shape[:2]
    first = torch.arange(models, device=data.device).mul_(number).unsqueeze(1)
    return data.flatten(0, 1)[indices + first]


def windows(text: Tensor, starts: Tensor, length: int) -> Tensor:
    """Stretches of a text [N]: starts [R, B] give [R, B, length] (int64).

    >>> windows(torch.arange(10, 20), torch.tensor([[0, 5]]), 3)
    tensor([[[10, 11, 12],
             [15, 16, 17]]])
    """
    return text[starts.long().unsqueeze(-1) + torch.arange(length, device=starts.device)].long()
