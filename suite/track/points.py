"""Measured values as MLflow metrics: safe keys, curves of at most 200 points, nothing that MLflow would falsify."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from suite.canonical import revive

MOST_POINTS = 200  # a longer curve makes the MLflow pages slow and shows nothing more
MOST_ROWS = 12  # a table of more curves than this is not readable as metrics


class Point(NamedTuple):
    """One value of a metric at one step."""

    key: str
    value: float
    step: int = 0


def safe_key(name: str) -> str:
    """A metric, parameter or tag name that every MLflow store accepts.

    >>> safe_key("loss (val)"), safe_key("../x//y"), safe_key("κ")
    ('loss _val_', 'x/y', 'κ')
    """
    parts = [part.strip() for part in re.sub(r"[^\w\-. /]", "_", name).split("/")]
    return "/".join(part for part in parts if part not in ("", ".", ".."))[:240] or "_"


def evenly(length: int, most: int = MOST_POINTS) -> list[int]:
    """Indices of at most ``most`` points of a curve, evenly spread, the first and the last among them.

    >>> evenly(5), evenly(9, 3), len(set(evenly(1000)))
    ([0, 1, 2, 3, 4], [0, 4, 8], 200)
    """
    if length <= most:
        return list(range(length))
    return [(i * (length - 1)) // (most - 1) for i in range(most)]


def _number(value: Any) -> float | None:
    """A value as a metric, None for what is none; an infinity or a huge integer has no faithful double in MLflow."""
    if isinstance(value, str):
        value = revive(value)
    if isinstance(value, bool | int | float):
        try:
            number = float(value)
        except OverflowError:
            return None
        return None if math.isinf(number) else number
    return None


def _curve(key: str, values: list[Any]) -> Iterator[Point]:
    for index in evenly(len(values)):
        number = _number(values[index])
        if number is not None:
            yield Point(key, number, index)


def points(metrics: Mapping[str, Any]) -> tuple[list[Point], list[str]]:
    """The metrics of one trial, and the names of those that MLflow cannot show (they stand in the store).

    A number becomes a metric, a list a curve over its index, a short list of lists one curve a row.

    >>> shown, hidden = points({"loss": 0.5, "path": [1, "NaN"], "huge": 10**400})
    >>> [tuple(point) for point in shown], hidden
    ([('loss', 0.5, 0), ('path', 1.0, 0), ('path', nan, 1)], ['huge'])
    """
    shown: list[Point] = []
    hidden: list[str] = []
    taken: set[str] = set()
    for name in sorted(metrics):
        key, value = _free(safe_key(name), taken), metrics[name]
        found: list[Point] = []
        if not isinstance(value, list):
            number = _number(value)
            found = [] if number is None else [Point(key, number)]
        elif not any(isinstance(item, list) for item in value):
            found = list(_curve(key, value))
        elif len(value) <= MOST_ROWS and all(
            isinstance(row, list) and not any(isinstance(c, list) for c in row) for row in value
        ):
            found = [point for index, row in enumerate(value) for point in _curve(f"{key}/{index}", row)]
        shown += found
        if not found:
            hidden.append(name)
    return shown, hidden


def _free(key: str, taken: set[str]) -> str:
    """The key, numbered when another name was already turned into it."""
    candidate, count = key, 2
    while candidate in taken:
        candidate, count = f"{key}_{count}", count + 1
    taken.add(candidate)
    return candidate


def safe_keys(values: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names and texts as parameters or tags, with safe keys and no two alike."""
    taken: set[str] = set()
    return {_free(safe_key(name), taken): text for name, text in values}
