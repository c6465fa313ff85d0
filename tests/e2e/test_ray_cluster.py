"""A real Ray cluster of two nodes on this machine: the same bytes as the local executor, whichever node dies."""

import contextlib
import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.projects import Project, make
from tests.track_look import free_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra [ray] is not installed"),
]
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}
STORE = "80000000"


def living(word: str) -> dict[int, int]:
    """{process: its parent} of all whose command or environment holds the word."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            text = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
            if word.encode() in text and int(folder.name) != os.getpid():
                found[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
    return found


def until(holds: Callable[[], Any], seconds: float, says: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, says
        time.sleep(0.05)


@dataclass
class Cluster:
    """``ray start`` as a person types it; every node's processes carry a mark of their own."""

    folder: Path
    port: int = field(default_factory=free_port)
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    nodes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {**QUIET, "RAY_AUTH_TOKEN": self.token, "RAY_ADDRESS": f"127.0.0.1:{self.port}"}

    def start(self) -> str:
        """Add a node with one CPU; returns its mark."""
        mark = f"suite-node-{secrets.token_hex(8)}"
        head = ["--head", f"--port={self.port}", "--include-dashboard=false", f"--temp-dir={self.folder}"]
        where = head if not self.nodes else [f"--address=127.0.0.1:{self.port}"]
        size = ["--num-cpus=1", "--num-gpus=0", f"--object-store-memory={STORE}", "--node-ip-address=127.0.0.1"]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SUITE_", "RAY_", "MLFLOW_"))}
        log = self.folder.with_suffix(f".{len(self.nodes)}.log")
        with log.open("wb") as out:
            self.nodes[mark] = subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *where, *size],
                env={**kept, **QUIET, "RAY_AUTH_TOKEN": self.token, "SUITE_TEST_NODE": mark},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        until(lambda: b"Ray runtime started" in log.read_bytes(), 40, f"no node: {log.read_text()}")
        return mark

    def kill(self, mark: str) -> None:
        """The node is gone from one moment to the next, all of it."""
        for process in living(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.nodes.pop(mark).wait(20)


@pytest.fixture(scope="module")
def head() -> Iterator[Cluster]:
    """A cluster of one node; tests may add others."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as short:  # sockets want short paths
        cluster = Cluster(Path(short) / "s")
        try:
            cluster.start()
            yield cluster
        finally:
            for mark in list(cluster.nodes)[::-1]:
                cluster.kill(mark)


@pytest.fixture
def two(head: Cluster) -> Iterator[tuple[Cluster, str]]:
    """A cluster of two nodes, and the mark of the second."""
    mark = head.start()
    yield head, mark
    if mark in head.nodes:
        head.kill(mark)


def slowed(project: Project, log: Path) -> Project:
    """A race takes a second, and writes down which node runs it."""
    path = project.root / "tasks/toy_race.py"
    text = path.read_text().replace('{"steps": 12, "pause": 0.0}', '{"steps": 12, "pause": 0.05}')
    name = 'os.environ.get("SUITE_TEST_NODE", "here")'
    note = f'    with open({str(log)!r}, "a") as log:\n        print({name}, file=log)\n'
    start = "    state = State("
    path.write_text(text.replace(start, note + start).replace("import time\n", "import os\nimport time\n"))
    return project


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Path]:
    """What the local executor makes of the page, and where its copies say which node ran them."""
    base = tmp_path_factory.mktemp("world")
    log = base / "log"
    project = slowed(make(base / "project", "toy_race"), log)
    project.suite("run", "toy-race", "--no-track", SUITE_WORKERS="2")
    return project, log


def judged(project: Project) -> str:
    book = json.loads(project.ledger("toy_race").read_text(encoding="utf8"))
    return json.dumps({k: v for k, v in book.items() if k != "timing"}, sort_keys=True)


RUN = ("run", "toy-race", "--no-track", "--executor", "ray")


def test_two_nodes_make_the_same_bytes(world: Any, two: Any, tmp_path: Path) -> None:
    (whole, log), (cluster, _) = world, two
    project = slowed(make(tmp_path / "project", "toy_race"), log)
    log.write_text("")
    done = project.suite(*RUN, **cluster.environment)
    assert judged(project) == judged(whole)
    assert set(log.read_text().split()) == set(cluster.nodes), "both nodes had units"
    assert "runs again" not in done.stderr
    assert not list((project.root / ".suite/cluster").iterdir())
    until(lambda: not living(str(project.root)), 10, "a process of the run outlived it")


def test_a_node_dies_in_mid_run_and_nothing_is_lost(world: Any, two: Any, tmp_path: Path) -> None:
    (whole, log), (cluster, second) = world, two
    project = slowed(make(tmp_path / "project", "toy_race"), log)
    log.write_text("")
    process = project.start(*RUN, **cluster.environment)
    until(lambda: second in log.read_text() or process.poll() is not None, 50, "the second node has no unit")
    cluster.kill(second)
    kept = {path: path.read_bytes() for path in project.root.glob(".suite/trials/*/*/*.json")}
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert "its unit runs again (1 of 3)" in err
    assert judged(project) == judged(whole)
    assert all(path.read_bytes() == data for path, data in kept.items())


def test_a_unit_that_kills_its_worker_ends_the_run_with_one_line(head: Cluster, tmp_path: Path) -> None:
    project = make(tmp_path / "project", "toy_race")
    path = project.root / "tasks/toy_race.py"
    dies = "def exact(seeds, tier):\n    import os\n\n    os.kill(os.getpid(), 9)\n"
    path.write_text(path.read_text().replace("def exact(seeds, tier):\n", dies))
    done = project.suite(*RUN, "--only", "c2", check=False, **head.environment)
    assert done.returncode == 2
    assert done.stderr.count("its unit runs again") == 3
    assert done.stderr.strip().splitlines()[-1].startswith("suite: a unit was lost 4 times")
    assert "Traceback" not in done.stderr


def test_a_ray_of_its_own_stops_with_ctrl_c_and_goes_on(world: Any, tmp_path: Path) -> None:
    whole, log = world
    project = slowed(make(tmp_path / "project", "toy_race"), log)
    process = project.start(*RUN, SUITE_WORKERS="2")
    records = project.root / ".suite/trials"
    until(lambda: list(records.glob("*/*/*.json")) or process.poll() is not None, 50, "no trial")
    assert process.poll() is None, process.communicate()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to everything in the foreground
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert err.strip().splitlines()[-1].startswith("suite: stopped; finished trials are kept")
    until(lambda: not living(str(project.root)), 10, "a process of Ray outlived the run")
    assert ", 0 reused" not in project.suite(*RUN[:3], SUITE_WORKERS="2").stdout, "any executor goes on"
    assert judged(project) == judged(whole)


@pytest.mark.parametrize(
    ("address", "says"),
    [("ray://127.0.0.1:10001", "Ray Client"), ("127.0.0.1:9", "no Ray cluster answers"), ("nonsense", "host:port")],
)
def test_an_address_without_a_cluster_is_one_line(world: Any, tmp_path: Path, address: str, says: str) -> None:
    project = make(tmp_path / "project", "toy_race")
    done = project.suite(*RUN, check=False, RAY_ADDRESS=address, **QUIET, RAY_AUTH_TOKEN="00" * 32)
    assert done.returncode == 2
    assert says in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
