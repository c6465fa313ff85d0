"""Seconds of several steps, timed so that a slow moment of the machine meets them all alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator


def turns(
    steps: Mapping[str, Callable[[], Any]], stream: Generator, place: torch.device, rounds: int, repeats: int = 1
) -> dict[str, float]:
    """Median seconds per step of each, over rounds in which all take one turn in an order drawn from the stream.

    A turn is ``repeats`` steps in a row, so that the clock and the scheduler weigh little where a step is short.

    >>> sorted(turns({"one": int, "other": list}, torch.Generator().manual_seed(0), torch.device("cpu"), rounds=2))
    ['one', 'other']
    """
    names = list(steps)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for index in torch.randperm(len(names), generator=stream).tolist():
            settle(place)
            started = time.perf_counter()
            for _ in range(repeats):
                steps[names[index]]()
            settle(place)
            taken[names[index]].append((time.perf_counter() - started) / repeats)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def settle(place: torch.device) -> None:
    """Wait until the device has nothing left to do."""
    if place.type == "cuda":
        torch.cuda.synchronize()
