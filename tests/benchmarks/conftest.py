"""Threads of the machine for the benchmarks, its class in the saved JSON, and the table in the end."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from suite.home import machine
from tests.benchmarks.ratios import ROWS


@pytest.fixture(autouse=True)
def threads() -> Iterator[int]:
    """BENCH_THREADS, else all cores but at most two, for both sides; the rest of the tests run on one."""
    before = torch.get_num_threads()
    number = int(os.environ.get("BENCH_THREADS", min(2, len(os.sched_getaffinity(0)))))
    torch.set_num_threads(number)
    yield number
    torch.set_num_threads(before)


def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    machine_info["class"] = {**machine(), "threads": os.environ.get("BENCH_THREADS", "all, at most 2")}
    machine_info["torch"] = torch.__version__


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not ROWS.rows:
        return
    write = terminalreporter.write_line
    terminalreporter.section("target / measured / limit")
    write(f"{'':44} {'target':>8} {'measured':>9} {'limit':>7}  sides")
    for row in ROWS.rows:
        sign = "<=" if row["less"] else ">="
        limit = "" if row["limit"] is None else f"{row['limit']:.3g}"
        write(
            f"{row['what']:44} {sign}{row['target']:>6g} {row['measured']:>9.3g} {limit:>7}"
            f"  {row['sides']}{'' if row['met'] else '  (not met)'}"
        )
        if row["more"]:
            write(f"{'':4}{row['more']}")
