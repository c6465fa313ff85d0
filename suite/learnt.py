"""Tables of what a machine has learnt on its runs, as JSON: losing one costs time, and no run fails over it."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from suite.errors import UserError
from suite.files import read_json, write_json


def read(path: Path, what: str, usable: Callable[[Any], bool]) -> dict[str, Any]:
    """The usable entries of a table; none where it is missing or damaged.  Another version may have written it."""
    found: Any = None
    if path.exists():
        with contextlib.suppress(UserError):
            found = read_json(path, what)
    return {name: entry for name, entry in found.items() if usable(entry)} if isinstance(found, dict) else {}


def write(path: Path, table: Mapping[str, Any]) -> None:
    """Keep the table, or go without: the next run then learns anew."""
    with contextlib.suppress(UserError):
        write_json(path, dict(sorted(table.items())))
