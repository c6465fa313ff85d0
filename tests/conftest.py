"""The world of the default test session: one thread, a store of its own, no network beyond this machine."""

import atexit
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suite.home import ONE_THREAD
from tests.guard import sitecustomize

# Before torch is imported anywhere: results are compared bitwise, and the cores are shared.
os.environ.update(ONE_THREAD)
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.pop("MLFLOW_TRACKING_URI", None)  # runs go to the database of the test
os.environ[sitecustomize.SIGN] = "1"  # for the processes that tests start; this one is guarded below
_path = [str(Path(sitecustomize.__file__).parent), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, _path))

_home = tempfile.mkdtemp(prefix="suite-tests-")
os.environ["SUITE_HOME"] = _home  # never the real .suite
atexit.register(shutil.rmtree, _home, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares fixtures stays in one process when the tests run in several: a file, a page of the battery, or what
    says so itself.
    """
    for item in items:
        if item.get_closest_marker("xdist_group"):
            continue
        page = getattr(item, "callspec", None) and item.callspec.params.get("module")  # type: ignore[attr-defined]
        item.add_marker(pytest.mark.xdist_group(str(page or item.path)))


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Connections and name look-ups reach this machine only; anything else fails the test that tried."""
    with pytest.MonkeyPatch.context() as patch:
        for name, function in sitecustomize.guarded().items():
            patch.setattr(socket if name == "getaddrinfo" else socket.socket, name, function)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What MLflow shows after a run that nothing disturbed."""
    from tests.track_world import undisturbed

    return undisturbed(tmp_path_factory.mktemp("whole"))
