"""Where units run: an executor takes units and gives futures of what the worker returns.

``local`` uses processes of this machine, ``ray`` a cluster.  An executor is any object with ``slots``, ``submit`` and
``close``.
"""

import importlib.util
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from suite.errors import UserError


class Executor(Protocol):
    """slots: how many units run side by side; submit: start one; close: stop, at once when asked to abandon."""

    @property
    def slots(self) -> int: ...

    def submit(self, message: dict[str, Any], checkpoints: str | None) -> "Future[dict[str, Any]]": ...

    def close(self, abandon: bool = False) -> None: ...


def check_executor(name: str) -> None:
    """Raise a clear line for an executor that does not exist or is not installed."""
    if name not in ("local", "ray", "inline"):
        raise UserError(
            f"no executor {name!r}; there are local (processes of this machine), ray (a Ray cluster) and inline "
            "(this process)"
        )
    if name == "ray" and importlib.util.find_spec("ray") is None:
        raise UserError(
            "the executor ray needs the extra [ray]: "
            '.venv/bin/python -m pip install --no-build-isolation -e ".[ray]"; or use EXECUTOR=local'
        )


def open_executor(name: str, device: str, report: Callable[[dict[str, Any]], None]) -> Executor:
    """The executor of that name, ready to take units."""
    check_executor(name)
    if name == "inline":
        from suite.executors.inline import Inline

        return Inline(device=device, report=report)
    if name == "ray":
        from suite.executors.ray import Ray

        return Ray(device=device, report=report)
    from suite.executors.local import Local

    return Local(device=device, report=report)
