"""The 1797 handwritten digits, 8 x 8 pixels of 0 .. 16, that scikit-learn carries along.

One example (index 0, label 0), before normalising, row by row:

     0  0  5 13  9  1  0  0
     0  0 13 15 10 15  5  0
     0  3 15  2  0 11  8  0
     0  4 12  0  0  8  8  0
     0  5  8  0  0  9  8  0
     0  4 11  0  1 12  7  0
     0  2 14  5 10 12  0  0
     0  0  6 13 10  0  0  0

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI repository, 1998 (its test part).
Licence: CC BY 4.0.
"""

import hashlib
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Digits:
    """x [n, 64] (float32) and y [n] (int64) of each split, and the sha256 over all of it."""

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    sha256: str


def digits() -> Digits:
    """900 digits to train, 400 to validate, 497 to test.

    Pixels less the mean of all training pixels, over their standard deviation.

    The split orders the examples by the sha256 of "digits/<index>", the same on every machine and for every seed.

    >>> data = digits()
    >>> [len(y) for _, y in (data.train, data.validation, data.test)]
    [900, 400, 497]
    """
    from sklearn.datasets import load_digits

    pixels, labels = (numpy.asarray(part) for part in load_digits(return_X_y=True))
    order = sorted(range(len(labels)), key=lambda index: hashlib.sha256(f"digits/{index}".encode()).digest())
    x = torch.from_numpy(pixels[order]).to(torch.float64)
    y = torch.from_numpy(labels[order]).to(torch.int64)
    x = ((x - x[:900].mean()) / x[:900].std()).float()
    digest = hashlib.sha256(
        pixels[order].astype("uint8").tobytes() + labels[order].astype("uint8").tobytes()
    ).hexdigest()
    parts = [(x[rows], y[rows]) for rows in (slice(0, 900), slice(900, 1300), slice(1300, None))]
    return Digits(train=parts[0], validation=parts[1], test=parts[2], sha256=digest)
