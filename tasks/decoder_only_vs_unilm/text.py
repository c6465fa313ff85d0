"""The text: windows of it, the frequencies of its symbols, and holes for a model to guess.

Characters of the standard library's own source; at the hub tier those of WikiText-103.
"""

import functools

import torch
from torch import Tensor

from suite import fit
from suite.blocks.data.stdlib_text import SYMBOLS, Text, stdlib_text
from suite.blocks.data.wikitext import wikitext
from suite.claims import Tier
from suite.seeds import Seed

V = len(SYMBOLS)
MARK = V  # the token that ends the input, and the one that stands for a hidden symbol
HIDDEN = 0.15  # share of symbols that a masked language model has to guess


@functools.lru_cache(maxsize=2)
def _kept(source: str, characters: int, folder: str) -> Text:
    return wikitext(characters, folder) if source == "wikitext-103" else stdlib_text(characters)


def text(tier: Tier) -> Text:
    found = _kept(tier["source"], tier["characters"], tier["folder"])
    fit.uses(tier["source"], found.sha256)
    return found


def windows(seed: Seed, name: str, part: Tensor, number: int, length: int) -> Tensor:
    """``number`` stretches of the part at random places: [number, length] (int64)."""
    starts = torch.randint(len(part) - length, (number, 1), generator=seed.stream(name))
    return part[starts + torch.arange(length)].long()


def holes(seed: Seed, name: str, number: int, length: int, share: float) -> Tensor:
    """Where a symbol is hidden: [number, length] (bool), in every sequence one at least."""
    uniform = torch.rand(number, length, generator=seed.stream(f"{name} holes"))
    return uniform <= uniform.amin(-1, keepdim=True).clamp(min=share)


def unigram(train: Tensor, targets: Tensor) -> float:
    """Nats per symbol of ``targets`` (-1: not judged) under the frequencies of the training text, each count plus 1.

    >>> round(unigram(torch.tensor([0, 0, 0, 1]), torch.tensor([0, -1])), 4)
    3.2189
    """
    counts = torch.bincount(train.long(), minlength=V).double() + 1
    return float(-(counts / counts.sum()).log()[targets[targets >= 0]].mean())
