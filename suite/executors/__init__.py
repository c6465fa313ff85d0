"""Where units run: an executor takes units and gives futures of what the worker returns.

``local`` uses processes of this machine.  An executor is any object with ``slots``, ``submit`` and ``close``.
"""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from suite.errors import UserError


class Executor(Protocol):
    """slots: how many units run side by side; submit: start one; close: stop, at once when asked to abandon."""

    slots: int

    def submit(self, message: dict[str, Any], checkpoints: str | None) -> "Future[dict[str, Any]]": ...

    def close(self, abandon: bool = False) -> None: ...


def check_executor(name: str) -> None:
    """Raise a clear line for an executor that does not exist or is not installed."""
    if name == "ray":
        raise UserError("the ray executor is not part of this installation; use EXECUTOR=local")
    if name not in ("local", "inline"):
        raise UserError(f"no executor {name!r}; there are local (processes of this machine) and inline (this process)")


def open_executor(name: str, device: str, report: Callable[[dict[str, Any]], None]) -> Executor:
    """The executor of that name, ready to take units."""
    check_executor(name)
    if name == "inline":
        from suite.executors.inline import Inline

        return Inline(device=device, report=report)
    from suite.executors.local import Local

    return Local(device=device, report=report)
