"""The world of the default test session: one thread, a store of its own, no network beyond this machine."""

import atexit
import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from suite.home import ONE_THREAD

# Before torch is imported anywhere: results are compared bitwise, and the cores are shared.
os.environ.update(ONE_THREAD)
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

_home = tempfile.mkdtemp(prefix="suite-tests-")
os.environ["SUITE_HOME"] = _home  # never the real .suite
atexit.register(shutil.rmtree, _home, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares fixtures stays in one process when the tests run in several: a file, or a page of the battery."""
    for item in items:
        page = getattr(item, "callspec", None) and item.callspec.params.get("module")  # type: ignore[attr-defined]
        item.add_marker(pytest.mark.xdist_group(str(page or item.path)))


def _loopback(host: Any) -> bool:
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    try:
        address = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Connections and name look-ups reach this machine only; anything else fails the test that tried."""
    connect, connect_ex, sendto, look_up = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.socket.sendto,
        socket.getaddrinfo,
    )

    def check(host: Any) -> None:
        if not _loopback(host):
            raise AssertionError(f"a test tried to reach {host!r}; the tests use this machine only")

    def guarded(original: Any, position: int) -> Any:
        def call(self: socket.socket, *arguments: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                check(arguments[position][0])
            return original(self, *arguments)

        return call

    def guarded_look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        check(host)
        return look_up(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(connect, 0))
        patch.setattr(socket.socket, "connect_ex", guarded(connect_ex, 0))
        patch.setattr(socket.socket, "sendto", guarded(sendto, -1))
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        yield
