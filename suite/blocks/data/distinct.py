"""Which models of a stack share their data: those of one seed."""

from collections.abc import Hashable, Sequence
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def distinct(seeds: Sequence[Key]) -> tuple[list[Key], list[int]]:
    """The different seeds of a stack, and for every model which of them it has: data are drawn once per seed.

    >>> distinct(["b", "a", "b"])
    (['b', 'a'], [0, 1, 0])
    """
    found = list(dict.fromkeys(seeds))
    place = {seed: index for index, seed in enumerate(found)}
    return found, [place[seed] for seed in seeds]
