"""Torch's single-pass optimizer kernels for a stack: one call per model, or per models that share rate and decay.

A kernel reads weight, gradient and state once and writes weight and state once, where a rule made of single operations
goes over them many times.  It takes flat tensors, and numbers for rate and decay; so a stack [R, n] is cut into rows.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

_ROWS = "rows_of_a_stack"


def keep_rows(*tensors: Tensor) -> None:
    """Cut tensors [R, n] that will be updated again and again into rows once and for all.

    Their storage must stay the same from then on.
    """
    for tensor in tensors:
        setattr(tensor, _ROWS, tensor.data.unbind(0))  # .data: a view of the tensor itself would keep it alive for ever


def rows(tensor: Tensor) -> Sequence[Tensor]:
    """The rows of a tensor [R, n]."""
    found = getattr(tensor, _ROWS, None)
    return tensor.unbind(0) if found is None else found


def serves(weight: Tensor, lr: object, *others: Tensor) -> bool:
    """Whether the kernels can do it: [R, n] on the CPU, every row in one piece, a rate [R, 1] for each.

    On other devices a broadcast over the whole stack is one launch, and R rows would be R of them.
    """
    if torch.compiler.is_compiling() or not isinstance(lr, Tensor) or lr.shape != (len(weight), 1):
        return False
    return (
        weight.device.type == "cpu"
        and weight.dtype in (torch.float32, torch.float64)
        and weight.ndim == 2
        and all(other.dtype == weight.dtype and other.shape == weight.shape for other in others)
        and all(tensor.stride(1) == 1 for tensor in (weight, *others))
    )


def alike(lr: Tensor, decay: float | Tensor) -> Iterator[tuple[float, float, list[int]]]:
    """(rate, decay, rows) for every pair of rate [R, 1] and decay (a number or [R, 1]) that occurs.

    >>> list(alike(torch.tensor([[1.0], [2.0], [1.0]]), 0.5))
    [(1.0, 0.5, [0, 2]), (2.0, 0.5, [1])]
    """
    rates: list[float] = lr.flatten().tolist()
    decays = decay.flatten().tolist() if isinstance(decay, Tensor) else [decay] * len(rates)
    found: dict[tuple[float, float], list[int]] = {}
    for row, pair in enumerate(zip(rates, decays, strict=True)):
        found.setdefault(pair, []).append(row)
    for (rate, fraction), places in found.items():
        yield rate, fraction, places
