"""Trial records: append-only, atomic, checksummed; the only truth.

One file per trial, named by its key, below ``trials/<slug>/``.  The key is the digest of everything the numbers depend
on (code, experiment, arm, condition, setting, seed, sizes, versions, machine class), so that looking a trial up is
opening one file, however many others there are.  A record is never changed: a file is whole or absent.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.canonical import canonical, digest
from suite.errors import UserError
from suite.files import read_json, write_bytes

SCHEMA = 1
_KEYED = ("slug", "root", "experiment", "arm", "at", "setting", "fixed", "seed", "sizes", "code", "versions", "machine")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _table(value: Any) -> bool:
    return isinstance(value, dict)


def _seed(value: Any) -> bool:
    return _table(value) and _text(value.get("purpose")) and type(value.get("number")) is int and value["number"] >= 0


def _numbers(value: Any) -> bool:
    """Numbers, lists of numbers, and the three that JSON does not know."""
    if isinstance(value, list):
        return all(map(_numbers, value))
    return isinstance(value, int | float) or value in ("NaN", "Infinity", "-Infinity")


def _metrics(value: Any) -> bool:
    return _table(value) and all(map(_numbers, value.values()))


_SHAPES = {
    **dict.fromkeys(("slug", "root", "experiment", "arm", "code", "tier", "key"), _text),
    **dict.fromkeys(("at", "setting", "fixed", "sizes", "versions", "machine"), _table),
    "seed": _seed,
    "metrics": _metrics,
    "seconds": lambda value: isinstance(value, int | float),
    "written": _text,
    "data": lambda value: _table(value) and all(map(_text, value.values())),
}


def trial_key(identity: Mapping[str, Any]) -> str:
    """The digest of what a trial's numbers depend on; every part of ``_KEYED`` must be there."""
    return digest({name: identity[name] for name in _KEYED})


def checksum(record: Mapping[str, Any]) -> str:
    return digest({name: value for name, value in record.items() if name != "checksum"})


@dataclass(frozen=True)
class Store:
    """The trials of one working folder."""

    folder: Path

    def path(self, slug: str, key: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", key) or not re.fullmatch(r"[a-z0-9][a-z0-9-]*", slug):
            raise UserError(
                f"a record named {slug!r}/{key!r} has no place in the store; names are slugs and SHA-256 digests"
            )
        return self.folder / "trials" / slug / key[:2] / f"{key}.json"

    def get(self, slug: str, key: str) -> dict[str, Any] | None:
        """The record of a key, None when it is not there; a damaged record is an error that names its file."""
        path = self.path(slug, key)
        if not path.exists():
            return None
        record = read_json(path, "the trial record")
        problem = self.problem(record, key)
        if problem:
            raise UserError(f"the trial record {path} {problem}; delete it and run again, the trial is then repeated")
        return record

    @staticmethod
    def problem(record: Any, key: str | None = None) -> str | None:
        """Why a record cannot be trusted, or None."""
        if not isinstance(record, dict) or "checksum" not in record:
            return "is not a trial record"
        try:
            return Store._problem(record, key)
        except (UnicodeEncodeError, RecursionError):  # half a character, or lists in lists without end
            return "holds what no record holds"

    @staticmethod
    def _problem(record: dict[str, Any], key: str | None) -> str | None:
        if record.get("schema") != SCHEMA:
            return f"has schema {record.get('schema')!r}, this suite reads {SCHEMA}"
        if record["checksum"] != checksum(record):
            return "does not match its checksum"
        if any(name not in record for name in (*_KEYED, *_SHAPES)):
            return "lacks a field"
        if crooked := next((name for name, holds in _SHAPES.items() if not holds(record[name])), None):
            return f"has no {crooked} that a trial could have"
        if trial_key(record) != record["key"] or (key is not None and record["key"] != key):
            return "does not belong to its name"
        return None

    def put(self, records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Write new records; those that are there already stay as they are.  Returns what now stands in the store."""
        kept: list[dict[str, Any]] = []
        for record in records:
            whole: dict[str, Any] = {**record, "schema": SCHEMA}
            whole["checksum"] = checksum(whole)
            path = self.path(whole["slug"], whole["key"])
            if not path.exists():
                write_bytes(path, (canonical(whole) + "\n").encode())
                kept.append(whole)
            else:
                kept.append(self.get(whole["slug"], whole["key"]) or whole)
        return kept

    def each(self, slug: str | None = None) -> Iterator[tuple[Path, Any]]:
        """Every record file with its content, in the order of their names; unreadable ones come as None."""
        base = self.folder / "trials"
        for path in sorted(base.glob(f"{slug or '*'}/*/*.json")):
            try:
                yield path, read_json(path, "the trial record")
            except UserError:
                yield path, None

    # --- Invocations: what one run of a task used --------------------------------------------------

    def run_path(self, invocation: Mapping[str, Any]) -> Path:
        slug, name = str(invocation["slug"]), str(invocation["id"])
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", slug) or not re.fullmatch(r"[0-9A-Za-z+-]+", name):
            raise UserError(f"a run named {slug!r}/{name!r} has no place in the store")
        return self.folder / "runs" / slug / f"{name}.json"

    def write_invocation(self, invocation: Mapping[str, Any]) -> Path:
        path = self.run_path(invocation)
        write_bytes(path, (canonical({**invocation, "schema": SCHEMA}) + "\n").encode())
        return path

    def invocations(self, slug: str | None = None) -> Iterator[dict[str, Any]]:
        for path in sorted((self.folder / "runs").glob(f"{slug or '*'}/*.json")):
            with contextlib.suppress(UserError):
                yield read_json(path, "the run record")

    # --- Checkpoints -------------------------------------------------------------------------------

    def checkpoints(self, slug: str, tier: str, unit: str = "") -> Path:
        """Where a unit keeps its checkpoints; without a unit, the folder of all units of a task at a tier."""
        return self.folder / "checkpoints" / f"{slug}-{tier}" / unit

    def drop_checkpoints(self, slug: str, tier: str, unit: str = "") -> None:
        """Forget the checkpoints of a finished unit, or of a whole finished run."""
        shutil.rmtree(self.checkpoints(slug, tier, unit), ignore_errors=True)

    def sweep(self, slug: str) -> None:
        """Remove what runs of a task that were killed in the middle of a write have left behind."""
        sweep(self.folder, below=False)
        for name in (f"trials/{slug}", f"runs/{slug}", "checkpoints", "networks", "partial", "logs"):
            sweep(self.folder / name)


def sweep(folder: Path, below: bool = True) -> None:
    """Remove the half-written files in a folder (and ``below`` it) whose process is gone.

    ``suite.files`` names them ``.<name>.<pid>.tmp``; another live process may be writing one.
    """
    for path in _half_written(folder, below):
        pid = path.name.split(".")[-2]
        if pid.isdecimal() and not _writes(int(pid)):
            with contextlib.suppress(OSError):
                path.unlink()


def _half_written(folder: Path, below: bool) -> Iterator[Path]:
    """Files named as ``sweep`` says.  ``Path.glob`` takes three times as long among a hundred thousand others."""
    for here, folders, names in os.walk(folder):
        yield from (Path(here, name) for name in names if name.startswith(".") and name.endswith(".tmp"))
        if not below:
            folders.clear()


def _writes(pid: int) -> bool:
    """Whether another process of that number lives; one of our own number was an earlier life of this machine."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
