"""Named streams of random numbers: every draw is a function of (task, purpose, seed number, name), of nothing else.

A stream never depends on the arm, on the device or on which other seeds are measured in the same stack, so that two
arms of a comparison share their weights and batches by construction.  Nothing in the project seeds a global generator.
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    import torch


@dataclass(frozen=True)
class Seed:
    """One seed of one task: ``root`` is "<slug>/r<revision>", ``purpose`` keeps tuning and verdict seeds apart.

    >>> seed = Seed("lion-vs-adamw/r1", "verdict", 3)
    >>> str(seed)
    'verdict/3'
    >>> seed.bits("weights") == Seed("lion-vs-adamw/r1", "verdict", 3).bits("weights")
    True
    >>> seed.bits("weights") == seed.bits("batches")
    False
    """

    root: str
    purpose: str
    number: int

    def bits(self, name: str) -> int:
        """63 bits of sha256 of "root/purpose/number/name"."""
        digest = hashlib.sha256(f"{self.root}/{self.purpose}/{self.number}/{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def stream(self, name: str) -> "torch.Generator":
        """A fresh generator on the CPU; draw there and move, so that every device sees the same numbers."""
        import torch

        return torch.Generator().manual_seed(self.bits(name))

    def numpy(self, name: str) -> "numpy.random.Generator":
        """The same for numpy; its numbers differ from those of ``stream(name)``."""
        import numpy

        return numpy.random.Generator(numpy.random.PCG64(self.bits(name)))

    def __str__(self) -> str:
        return f"{self.purpose}/{self.number}"
