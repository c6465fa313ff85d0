"""Random networks of transformers that are the same in every run: it draws weights from the global generator."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def same_weights() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)  # noqa: TID251 - the one generator that transformers draws from
        yield
