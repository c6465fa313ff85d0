"""Two sides taking turns within one run, and the machine's own rates, against which limits are computed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from suite.blocks.metrics.step_seconds import settle


@dataclass
class Rows:
    """What ``make bench`` prints in the end."""

    rows: list[dict[str, Any]] = field(default_factory=list)


ROWS = Rows()


def seconds(work: Callable[[], Any], least: float = 0.05, rounds: int = 5) -> float:
    """Least seconds of a call, over rounds of at least ``least`` seconds each."""
    work()
    started = time.perf_counter()
    work()
    calls = max(1, round(least / max(1e-9, time.perf_counter() - started)))
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(calls):
            work()
        found.append((time.perf_counter() - started) / calls)
    return min(found)


def copy_bandwidth(numbers: int = 1 << 23) -> float:
    """Bytes per second, read and written, of copying float32 from memory to memory."""
    a, b = torch.ones(numbers), torch.empty(numbers)
    return 8 * numbers / seconds(lambda: b.copy_(a))


def product_seconds(models: int, shapes: Sequence[tuple[int, int, int]], repeats: int = 1) -> tuple[float, float]:
    """Seconds and FLOP of a training step's bare matrix products: forward, by the input, by the weight.

    ``shapes`` are (rows, inputs, outputs) of the layers.
    """
    total = 0.0
    for rows, inputs, outputs in shapes:
        x, w = torch.randn(models, rows, inputs), torch.randn(models, inputs, outputs)
        g = torch.randn(models, rows, outputs)
        total += seconds(lambda x=x, w=w: torch.bmm(x, w), 0.02, 3)
        total += seconds(lambda g=g, w=w: torch.bmm(g, w.transpose(1, 2)), 0.02, 3)
        total += seconds(lambda x=x, g=g: torch.bmm(x.transpose(1, 2), g), 0.02, 3)
    return repeats * total, repeats * operations(models, shapes)


def operations(models: int, shapes: Sequence[tuple[int, int, int]]) -> float:
    """FLOP of a training step's matrix products."""
    return sum(6.0 * models * rows * inputs * outputs for rows, inputs, outputs in shapes)


def matrix_rate(side: int = 1024, dtype: torch.dtype = torch.float32, place: str = "cpu") -> float:
    """FLOP/s of products of square matrices."""
    a, b = (torch.randn(side, side, device=place).to(dtype) for _ in range(2))

    def product() -> None:
        torch.mm(a, b)
        settle(a.device)

    return 2.0 * side**3 / seconds(product)


def interleave(
    benchmark: Any, ours: Callable[[], float], theirs: Callable[[], float], *, rounds: int
) -> tuple[float, float]:
    """Least seconds of either side; a side returns its own seconds, and both take turns in every round."""
    found: list[list[float]] = [[], []]

    def both() -> None:
        for seen, side in zip(found, (ours, theirs), strict=True):
            seen.append(side())

    benchmark.pedantic(both, rounds=rounds, iterations=1, warmup_rounds=0)
    return min(found[0]), min(found[1])


def note(
    benchmark: Any,
    what: str,
    sides: str,
    measured: float,
    *,
    target: float,
    floor: float | None = None,
    limit: float | None = None,
    less: bool = False,
    more: str = "",
) -> None:
    """Keep a ratio for the table and for the saved JSON; ``less`` where smaller is better."""
    row = {
        "what": what,
        "sides": sides,
        "measured": round(measured, 3),
        "target": target,
        "floor": floor,
        "limit": None if limit is None else round(limit, 3),
        "met": measured <= target if less else measured >= target,
        "less": less,
        "more": more,
        "threads": torch.get_num_threads(),
    }
    benchmark.extra_info.update(row)
    ROWS.rows.append(row)
