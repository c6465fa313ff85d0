"""The text: windows of it, the frequencies of its symbols, and holes for a model to guess.

Characters of the standard library's own source; at the hub tier those of WikiText-103.
"""

import functools
import hashlib
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from suite import fit
from suite.blocks.data.stdlib_text import SYMBOLS, Text, encode, stdlib_text
from suite.claims import Tier
from suite.seeds import Seed

V = len(SYMBOLS)
MARK = V  # the token that ends the input, and the one that stands for a hidden symbol
HIDDEN = 0.15  # share of symbols that a masked language model has to guess

WIKITEXT = "Salesforce/wikitext"
REVISION = "b08601e04326c79dfdd32d625aee71d232d685c3"
FILES = {
    "train": "wikitext-103-raw-v1/train-00000-of-00002.parquet",
    "validation": "wikitext-103-raw-v1/validation-00000-of-00001.parquet",
    "test": "wikitext-103-raw-v1/test-00000-of-00001.parquet",
}


def wikitext(characters: int, folder: str = "") -> Text:
    """Printable ASCII of WikiText-103, raw (Merity et al., arXiv:1609.07843; CC BY-SA).

    80 % of ``characters`` come from the front of its training part, 10 % each from its validation and test parts; from
    the Hub at a fixed revision, or from a ``folder`` in the same layout.
    """
    from datasets import load_dataset

    source = folder or WIKITEXT
    shares = {"train": characters * 8 // 10, "validation": characters // 10, "test": characters // 10}
    parts = {}
    for split, size in shares.items():
        rows = load_dataset(
            source, data_files={split: FILES[split]}, split=split, revision=None if folder else REVISION
        )
        parts[split] = _first(rows, size)
        if len(parts[split]) < size:
            raise ValueError(
                f"{source}, {FILES[split]}: {len(parts[split])} characters, fewer than the {size} asked for"
            )
    digest = hashlib.sha256(b"".join(part.numpy().tobytes() for part in parts.values())).hexdigest()
    return Text(train=parts["train"], validation=parts["validation"], test=parts["test"], sha256=digest)


def _first(rows: Iterable[Any], size: int) -> Tensor:
    """The first ``size`` symbols of the rows' texts."""
    pieces, length = [], 0
    for row in rows:
        pieces.append(encode(row["text"].encode()))
        length += len(pieces[-1])
        if length >= size:
            break
    return torch.cat(pieces)[:size] if pieces else torch.zeros(0, dtype=torch.uint8)


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
