"""Connections and name look-ups reach this machine only; anything else fails whoever tried.

The tests import this; the Python processes that they start load it by its name, because its folder stands in
PYTHONPATH, and find themselves guarded when TESTS_REACH_THIS_MACHINE_ONLY is set.
"""

import ipaddress
import os
import socket
from typing import Any

SIGN = "TESTS_REACH_THIS_MACHINE_ONLY"


def _loopback(host: Any) -> bool:
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    try:
        address = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _check(host: Any) -> None:
    if not _loopback(host):
        raise AssertionError(f"a test tried to reach {host!r}; the tests use this machine only")


def guarded() -> dict[str, Any]:
    """The functions that take the places of those of the socket module, by name."""

    def method(name: str, position: int) -> Any:
        original = getattr(socket.socket, name)

        def call(self: socket.socket, *arguments: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                _check(arguments[position][0])
            return original(self, *arguments)

        return call

    look_up = socket.getaddrinfo

    def looked_up(host: Any, *arguments: Any, **options: Any) -> Any:
        _check(host)
        return look_up(host, *arguments, **options)

    places = {"connect": 0, "connect_ex": 0, "sendto": -1}
    return {"getaddrinfo": looked_up, **{name: method(name, position) for name, position in places.items()}}


if os.environ.get(SIGN):
    for _name, _function in guarded().items():
        setattr(socket if _name == "getaddrinfo" else socket.socket, _name, _function)
