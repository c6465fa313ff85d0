"""How many inputs a fuzzed test tries: few in a test run, many in ``make torture``, which also counts them."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("TORTURE_EXAMPLES", "0"))
TALLY = os.environ.get("TORTURE_TALLY")


def tried() -> None:
    """One more input; ``make torture`` counts them."""
    if TALLY:
        with open(TALLY, "ab") as handle:
            handle.write(b".")


def many(examples: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=EXAMPLES or examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
