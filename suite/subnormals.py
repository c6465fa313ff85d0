"""Numbers below the smallest normal one, taken for zero."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def flushed() -> Iterator[None]:
    """Within, this thread takes subnormal numbers (below 1.2e-38 in float32) for zero, where the processor can.

    Softmax over sharp scores is full of them, and each costs a hundred times what another number costs; a training with
    a rate that is too high takes twice as long.

    >>> small = torch.tensor(1e-40)
    >>> with flushed():
    ...     inside = float(small * 1)
    >>> float(small * 1) > 0  # and inside it was 0 where the processor can
    True
    """
    before = _flushes()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Within ``flushed``, an exception: this thread computes with subnormal numbers.

    An optimizer that takes signs moves a weight as long as its momentum is not zero, however small.

    >>> small = torch.tensor(1e-40)
    >>> with flushed(), kept():
    ...     float(small * 1) > 0
    True
    """
    torch.set_flush_denormal(False)
    try:
        yield
    finally:
        torch.set_flush_denormal(True)


def _flushes() -> bool:
    return float(torch.tensor(1e-40) * 1) == 0
