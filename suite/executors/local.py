"""Processes of this machine, one unit each at a time, one thread each.

The workers are forked from a server that has imported torch and Lightning once, so that a second worker costs
milliseconds.  On a GPU there is one worker: the stack, not the process count, fills the device.
"""

import multiprocessing
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

from suite import home

_events: Any = None  # in a worker: the queue to the coordinator


def _start(events: Any, lifeline: Any) -> None:
    global _events
    _events = events
    from suite import worker

    worker.prepare(lifeline)


def _measure(message: dict[str, Any], checkpoints: str | None, device: str) -> dict[str, Any]:
    from suite import worker

    return worker.measure_unit(message, checkpoints, device, _events.put)


class Local:
    """A pool of worker processes; ``slots`` is ``home.workers()``, or 1 on a GPU."""

    def __init__(self, device: str, report: Callable[[dict[str, Any]], None]) -> None:
        self.slots = 1 if device != "cpu" else home.workers()
        self.device = device
        for name, number in home.ONE_THREAD.items():
            os.environ.setdefault(name, number)
        # glibc asks for large pages then, which saves page faults and a few percent of a training step.
        os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["suite.preload"])
        self._events: Any = context.Queue()
        self._report = report
        lifeline, self._alive = context.Pipe(duplex=False)  # our end closes with this process
        self._pool = ProcessPoolExecutor(
            self.slots, mp_context=context, initializer=_start, initargs=(self._events, lifeline)
        )
        self._open = True
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        while self._open:
            try:
                event = self._events.get(timeout=0.2)
            except queue.Empty:
                continue
            except (OSError, EOFError, ValueError):
                return
            self._report(event)

    def submit(self, message: dict[str, Any], checkpoints: str | None) -> "Future[dict[str, Any]]":
        return self._pool.submit(_measure, message, checkpoints, self.device)

    def close(self, abandon: bool = False) -> None:
        """Wait for what runs, or with ``abandon`` kill it (its checkpoints stay)."""
        self._open = False
        if abandon:
            for process in list((self._pool._processes or {}).values()):
                process.kill()
        self._pool.shutdown(wait=not abandon, cancel_futures=True)
        self._listener.join(timeout=1)
