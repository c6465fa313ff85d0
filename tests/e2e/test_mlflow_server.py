"""A real ``mlflow server`` over HTTP: runs, curves and artifacts go through it; its end in mid-run costs one line."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite.track import Tracker, sync, tracking_uri
from suite.track.place import environment
from tests.track_look import client_of, free_port, picture
from tests.track_world import begun, card, files, invocation, records

pytestmark = pytest.mark.e2e
USED = records(seeds=1)


@contextlib.contextmanager
def server(base: Path, port: int) -> Iterator[str]:
    """A server with its own database and artifacts below ``base``; it is gone afterwards."""
    options = {
        "--backend-store-uri": f"sqlite:///{base}/mlflow.db",
        "--artifacts-destination": str(base / "destination"),
        "--port": str(port),
        "--workers": "1",
    }
    command = [sys.executable, "-m", "mlflow", "server", *(word for option in options.items() for word in option)]
    quick = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (
        (base / "server.log").open("ab") as log,
        subprocess.Popen(
            command,
            env={**environment(base, os.environ), **quick},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=base,
        ) as process,
    ):
        try:
            deadline = time.monotonic() + 120
            while True:
                with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
                    break
                assert process.poll() is None, (base / "server.log").read_text()
                assert time.monotonic() < deadline, "the server did not start within 120 s"
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def test_a_server_holds_what_the_files_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, here, local = files(tmp_path / "server"), files(tmp_path / "here", fresh=True), files(tmp_path / "local")
    final = invocation(USED)
    here.keep(USED, final)
    local.live(final, USED)
    expected = picture(tracking_uri(local.home))
    port = free_port()

    with server(there.home, port) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert here.beside(final, USED) == []
        assert picture(uri) == expected  # through HTTP, artifacts included
        with client_of(uri) as client:
            (parent,) = client.search_runs(["1"], "tags.outcome = 'reproduced'")
        assert parent.info.artifact_uri.startswith("mlflow-artifacts:/")

        warned: list[str] = []
        second = invocation(USED, number=2)
        tracker = Tracker(here.home, warn=warned.append)
        tracker.begin(begun(second), card())
        tracker.trials(USED[:3])
        with client_of(uri) as client:
            while len(client.search_runs(["1"], "attributes.status = 'RUNNING'")) == 0:
                time.sleep(0.05)
    for one in USED[3:]:  # the server is gone
        tracker.trials([one])
    tracker.finish(second, here.ledger)
    assert not tracker.close(timeout=100)
    assert len(warned) == 1
    assert "the server does not answer" in warned[0]
    assert warned[0].endswith("suite sync")

    here.keep(USED, second)
    with server(there.home, port) as uri:
        done = sync(here.home, here.trials, here.runs, here.results, say=lambda line: None)
        assert done.invocations == 2
        with client_of(uri) as client:
            status = [run.info.status for run in client.search_runs(["1"], max_results=1000)]
            assert set(status) == {"FINISHED"}
        assert sync(here.home, here.trials, here.runs, here.results, say=lambda line: None).written == 0
    assert not (here.home / "mlflow.db").exists()
    assert not (here.home / "artifacts").exists()
