r"""The source text of Python's own standard library, character by character.

The top-level ``*.py`` files in the order of their names, printable ASCII and newline, every other character left out.
Symbol 0 is the newline, symbol k is chr(31 + k).  One example, 31 characters and their symbols:

    "import re\n\ndef match(pattern, s"
    [74, 78, 81, 80, 83, 85, 1, 83, 70, 0, 0, 69, 70, 71, 1,
     78, 66, 85, 68, 73, 9, 81, 66, 85, 85, 70, 83, 79, 13, 1, 84]

The bytes differ between versions of Python: the digest is part of a trial's provenance.
Licence: PSF License Version 2.
"""

import hashlib
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

SYMBOLS = "\n" + "".join(map(chr, range(32, 127)))
# Written at installation or by the user, so that they differ between two installations of one version.
LOCAL = ("_sysconfigdata", "sitecustomize", "usercustomize")


@dataclass(frozen=True, kw_only=True)
class Text:
    """Symbols (uint8, below 96) of each split, and the sha256 over the whole text."""

    train: Tensor
    validation: Tensor
    test: Tensor
    sha256: str


def stdlib_text(size: int = 1_500_000, blocks: int = 100) -> Text:
    """The first ``size`` characters in equal blocks; of every ten blocks eight train, one validates, one tests.

    >>> text = stdlib_text(20_000)
    >>> len(text.train), len(text.validation), len(text.test)
    (16000, 2000, 2000)
    """
    text = _library(size)
    pieces = text[: size - size % blocks].view(blocks, -1)
    part = torch.arange(blocks) % 10
    return Text(
        train=pieces[part < 8].flatten(),
        validation=pieces[part == 8].flatten(),
        test=pieces[part == 9].flatten(),
        sha256=hashlib.sha256(text.numpy().tobytes()).hexdigest(),
    )


def encode(text: bytes) -> Tensor:
    r"""Symbols [n] (uint8) of the characters that have one.

    >>> encode(b"\n ~\t!").tolist()
    [0, 1, 95, 2]
    """
    code = torch.frombuffer(bytearray(text), dtype=torch.uint8) if text else torch.zeros(0, dtype=torch.uint8)
    kept = code[(code == 10) | ((code >= 32) & (code < 127))]
    return torch.where(kept == 10, 0, kept - 31).to(torch.uint8)


def decode(symbols: Tensor) -> str:
    r"""The text of symbols [n].

    >>> decode(torch.tensor([74, 71, 0]))
    'if\n'
    """
    return "".join(SYMBOLS[symbol] for symbol in symbols.tolist())


def _library(size: int) -> Tensor:
    folder = Path(sysconfig.get_path("stdlib"))
    files = sorted(path for path in folder.glob("*.py") if not path.name.startswith(LOCAL))
    found: list[Tensor] = []
    for path in files:
        found.append(encode(path.read_bytes()))
        if sum(map(len, found)) >= size:
            return torch.cat(found)[:size]
    raise ValueError(
        f"the Python files of {folder} hold {sum(map(len, found))} characters, fewer than the {size} asked for"
    )
