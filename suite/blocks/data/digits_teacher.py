"""A source of digits without end: scikit-learn's 1797 images in 16 principal components, blurred into a density.

Pixels over 16, less their mean, turned onto the 16 directions of largest variance (85 % of it) and multiplied by 3; a
Gaussian kernel of standard deviation ``BANDWIDTH`` about each image makes a density that can be drawn from for ever and
whose moments are known.  One example, the first image before blurring:

    -0.24  3.99  -1.77  -2.44  1.34  1.40  -0.61  -0.48 ...

Licence of the images: CC BY 4.0 (see ``suite.blocks.data.digits``).
"""

import functools
import hashlib
from dataclasses import dataclass

import numpy
import torch
from torch import Generator, Tensor

SIZE = 16
SCALE = 3.0
BANDWIDTH = 0.55  # of the multiples of 0.05 the likeliest, each image judged by the kernels of all others


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """points [1797, 16] (float64), basis [16, 64], pixel mean [64], labels, and the sha256 over images and labels."""

    points: Tensor
    basis: Tensor
    centre: Tensor
    labels: Tensor
    sha256: str
    bandwidth: float = BANDWIDTH

    def draw(self, stream: Generator, number: int) -> Tensor:
        """``number`` fresh points [number, 16]."""
        which = torch.randint(len(self.points), (number,), generator=stream)
        noise = torch.randn(number, SIZE, generator=stream, dtype=torch.float64)
        return self.points[which] + self.bandwidth * noise

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean [16] and covariance [16, 16] of the density."""
        mean = self.points.mean(0)
        spread = (self.points - mean).T @ (self.points - mean) / len(self.points)
        return mean, spread + self.bandwidth**2 * torch.eye(SIZE, dtype=spread.dtype)

    def images(self, points: Tensor) -> Tensor:
        """Pixels [..., 8, 8] of points [..., 16], 0 to 1 for most."""
        return (points / SCALE @ self.basis.to(points) + self.centre.to(points)).unflatten(-1, (8, 8))


@functools.cache
def digits_teacher() -> Teacher:
    """The teacher, the same on every machine up to rounding; signs of the directions are fixed.

    >>> teacher = digits_teacher()
    >>> teacher.points.shape, bool((teacher.basis.sum(1) > 0).all())
    (torch.Size([1797, 16]), True)
    """
    from sklearn.datasets import load_digits

    pixels, labels = (numpy.asarray(part) for part in load_digits(return_X_y=True))
    x = torch.from_numpy(pixels / 16.0)
    centre = x.mean(0)
    _, vectors = torch.linalg.eigh((x - centre).T @ (x - centre))
    basis = vectors.T.flip(0)[:SIZE]
    basis = basis * basis.sum(1, keepdim=True).sign()
    return Teacher(
        points=SCALE * (x - centre) @ basis.T,
        basis=basis,
        centre=centre,
        labels=torch.from_numpy(labels.astype("int64")),
        sha256=hashlib.sha256(pixels.astype("uint8").tobytes() + labels.astype("uint8").tobytes()).hexdigest(),
    )
