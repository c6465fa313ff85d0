"""What a run does with the store before it measures: with a thousand records of its task, and a hundred thousand."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from suite.canonical import digest
from suite.store import Store
from tests.benchmarks.ratios import interleave, note
from tests.track_world import records

FEW, MANY, WANTED = 1_000, 100_000, 400


def filled(folder: Path, number: int) -> tuple[Store, str, Iterator[str]]:
    """A store with so many records of a task; those that a run wants are real, the others fill their folders."""
    store, (first, *_) = Store(folder), records()
    wanted = [{**first, "root": "bench/r1", "seed": {"purpose": "verdict", "number": index}} for index in range(WANTED)]
    kept = store.put([{**record, "key": _key(record)} for record in wanted])
    for index in range(number - WANTED):
        path = store.path(first["slug"], digest(index))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}")
    return store, first["slug"], itertools.cycle([record["key"] for record in kept])


def _key(record: dict[str, Any]) -> str:
    from suite.store import trial_key

    return trial_key(record)


def test_a_run_begins_as_fast_with_many_records(benchmark: Any, tmp_path: Path) -> None:
    sides = [filled(tmp_path / str(number), number) for number in (FEW, MANY)]

    def begin(store: Store, slug: str, keys: Iterator[str]) -> float:
        started = time.perf_counter()
        store.sweep(slug)
        assert all(store.get(slug, next(keys)) for _ in range(WANTED))
        return time.perf_counter() - started

    many, few = interleave(benchmark, lambda: begin(*sides[1]), lambda: begin(*sides[0]), rounds=4)
    note(
        benchmark,
        "a run's start with 100 000 records",
        f"{1e3 * many:.0f} ms / {1e3 * few:.0f} ms with 1 000",
        many / few,
        target=1.5,
        limit=1.0,
        less=True,
    )
