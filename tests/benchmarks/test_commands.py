"""Seconds that a command takes before it does anything, against a bare start of Python and against importing torch."""

import subprocess
import sys
from typing import Any

import pytest

from suite import home


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["-c", "pass"], id="python"),
        pytest.param(["-c", "import torch"], id="import torch"),
        pytest.param(["-m", "suite", "list"], id="suite list"),
        pytest.param(["-m", "suite", "plan", "duck-sector-probability"], id="suite plan"),
        pytest.param(["-m", "suite", "show", "duck-sector-probability"], id="suite show"),
        pytest.param(["-m", "suite", "--help"], id="suite --help"),
    ],
)
def test_start(benchmark: Any, words: list[str]) -> None:
    def start() -> int:
        return subprocess.run([sys.executable, *words], cwd=home.ROOT, capture_output=True).returncode

    assert benchmark.pedantic(start, rounds=3, warmup_rounds=1) == 0
