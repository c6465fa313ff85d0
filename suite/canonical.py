"""One text for one value: canonical JSON, its digest, and the way back.

Hashes and byte-for-byte comparisons rest on this file alone.  Keys are sorted, floats are written by ``repr`` (the
shortest text that gives the same double), and the three floats that JSON does not know are written as strings.
"""

import enum
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def plain(value: Any) -> Any:
    """``value`` as JSON types only; callables become "module:qualified.name".

    >>> plain({"lr": (0.1, float("inf")), "rule": math.sqrt})
    {'lr': [0.1, 'Infinity'], 'rule': 'math:sqrt'}
    """
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, enum.Enum) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}:{value.__qualname__}"
    raise TypeError(f"{type(value).__name__} has no place in a record: {value!r:.80}")


def revive(value: Any) -> Any:
    """The inverse of ``plain`` for numbers: the three strings become floats again.

    >>> revive(["NaN", 1, {"a": "-Infinity"}])
    [nan, 1, {'a': -inf}]
    """
    if isinstance(value, str):
        return _NON_FINITE.get(value, value)
    if isinstance(value, list):
        return [revive(item) for item in value]
    if isinstance(value, dict):
        return {key: revive(item) for key, item in value.items()}
    return value


def canonical(value: Any) -> str:
    """The canonical JSON text.

    >>> canonical({"b": 0.1, "a": (1, None)})
    '{"a":[1,null],"b":0.1}'
    """
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 of the canonical text, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
