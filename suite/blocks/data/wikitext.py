"""WikiText-103, raw (Merity et al., arXiv:1609.07843; CC BY-SA), as symbols and as it stands.

From the Hub at a fixed revision, or from a ``folder`` in the same layout.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

import torch

from suite.blocks.data.stdlib_text import Text, encode

REPOSITORY = "Salesforce/wikitext"
REVISION = "b08601e04326c79dfdd32d625aee71d232d685c3"
FILES = {
    "train": "wikitext-103-raw-v1/train-00000-of-00002.parquet",
    "validation": "wikitext-103-raw-v1/validation-00000-of-00001.parquet",
    "test": "wikitext-103-raw-v1/test-00000-of-00001.parquet",
}


def wikitext(characters: int, folder: str = "") -> Text:
    """Printable ASCII: 80 % of ``characters`` from the front of the training part, 10 % each from the other two.

    Raises ValueError where a part holds fewer than that.
    """
    shares = {"train": characters * 8 // 10, "validation": characters // 10, "test": characters // 10}
    parts = {}
    for split, size in shares.items():
        symbols = _until(size, (encode(text.encode()) for text in _texts(split, folder)))
        parts[split] = torch.cat([torch.zeros(0, dtype=torch.uint8), *symbols])[:size]
        if len(parts[split]) < size:
            where = f"{folder or REPOSITORY}, {FILES[split]}"
            raise ValueError(f"{where}: {len(parts[split])} characters, fewer than the {size} asked for")
    digest = hashlib.sha256(b"".join(part.numpy().tobytes() for part in parts.values())).hexdigest()
    return Text(train=parts["train"], validation=parts["validation"], test=parts["test"], sha256=digest)


def beginning(split: str, characters: int, folder: str = "") -> str:
    """The first ``characters`` of a part with all that stands in it, or the whole part where it is shorter."""
    return "".join(_until(characters, _texts(split, folder)))[:characters]


def _texts(split: str, folder: str) -> Iterator[str]:
    from datasets import load_dataset

    place, revision = (folder, None) if folder else (REPOSITORY, REVISION)
    rows: Any = load_dataset(place, data_files={split: FILES[split]}, split=split, revision=revision)
    for row in rows:
        yield row["text"]


Piece = TypeVar("Piece", bound=Sized)


def _until(size: int, pieces: Iterable[Piece]) -> list[Piece]:
    """As many pieces as it takes for their lengths to reach ``size``.

    >>> _until(3, ["ab", "cd", "ef"])
    ['ab', 'cd']
    """
    taken: list[Piece] = []
    length = 0
    for piece in pieces:
        taken.append(piece)
        length += len(piece)
        if length >= size:
            break
    return taken
