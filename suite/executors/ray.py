"""Units on a Ray cluster: the one that RAY_ADDRESS names, or a local Ray that starts and ends with this process.

Each unit is one Ray task with one CPU, and one GPU where the device is cuda.  The suite's and the pages' source travels
with the job, progress and numbers come back as the items of a generator, and only the coordinator writes records.
There are no actors, so that nothing outlives the connection: it closes, and Ray ends the job's processes.
"""

import atexit
import contextlib
import importlib
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite import home
from suite.errors import UserError
from suite.executors import node
from suite.files import write_text

RETRIES = 3  # of a unit whose machine or process died
STORE = 80_000_000  # bytes of Ray's object store on a local start, close to its least: units and answers are small

_connected_with: str | None = None  # the code that was shipped with the open connection
_folder: tempfile.TemporaryDirectory[str] | None = None  # sockets and logs of a Ray of our own


@dataclass
class _Sent:
    message: dict[str, Any]
    checkpoints: str | None
    future: "Future[dict[str, Any]]"
    lost: int = 0


class Ray:
    """The cluster as an executor; ``slots`` is the number of its CPUs, or of its GPUs."""

    def __init__(self, device: str, report: Callable[[dict[str, Any]], None]) -> None:
        self.device, self._report = device, report
        self._ray = connect()
        self._slots, self._asked = 0, -60.0
        if not self.slots:
            disconnect()
            lacks = "CPU" if device == "cpu" else "GPU"
            raise UserError(f"the Ray cluster has no {lacks}, and a unit takes one")
        token = home.work() / "cluster" / secrets.token_hex(8)
        write_text(token, "whoever sees this file shares the folder\n")
        self._token = token
        self._terms = node.terms(device, token)
        self._task = self._ray.remote(
            num_cpus=1, num_gpus=0 if device == "cpu" else 1, max_retries=0, num_returns="streaming"
        )(node.measure)
        self._sent: dict[Any, _Sent] = {}  # by the generator of what the unit says
        self._lock, self._news = threading.Lock(), threading.Event()
        self._open = True
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def slots(self) -> int:
        """How many units fit into the cluster; machines may join and leave while a run goes on."""
        now = time.monotonic()
        if now - self._asked >= 2:
            kind = "CPU" if self.device == "cpu" else "GPU"
            self._slots, self._asked = int(self._ray.cluster_resources().get(kind, 0)), now
        return self._slots

    def submit(self, message: dict[str, Any], checkpoints: str | None) -> "Future[dict[str, Any]]":
        sent = _Sent(message, checkpoints, Future())
        self._send(sent)
        return sent.future

    def close(self, abandon: bool = False) -> None:
        """Stay connected for the next run of this process, or with ``abandon`` stop what runs and leave the cluster."""
        self._open = False
        self._listener.join(timeout=5)
        if abandon:
            for said in list(self._sent):
                with contextlib.suppress(Exception):  # it may be over already
                    self._ray.cancel(said, force=True)
            disconnect()
        self._token.unlink(missing_ok=True)

    # --- Between submit and the future ----------------------------------------------------------------

    def _send(self, sent: _Sent) -> None:
        said = self._task.remote(sent.message, sent.checkpoints, self._terms)
        with self._lock:
            self._sent[said] = sent
        self._news.set()

    def _listen(self) -> None:
        while self._open:
            with self._lock:
                waiting = list(self._sent)
            if not waiting:
                self._news.wait(0.2)
                self._news.clear()
                continue
            try:
                ready, _ = self._ray.wait(waiting, num_returns=1, timeout=0.02)  # then look for what was sent since
                for said in ready:
                    self._hear(said)
            except Exception as error:  # the connection itself is gone: whoever waits must hear of it
                self._fail_all(error)
                return

    def _hear(self, said: Any) -> None:
        """Take in the next item of one unit."""
        failures = self._ray.exceptions
        sent = self._sent[said]
        try:
            item = self._ray.get(next(said))
        except (failures.RayTaskError, failures.RuntimeEnvSetupError) as error:
            return self._settle(said, UserError(f"a node of the Ray cluster cannot measure: {_line(error)}"))
        except (failures.RayError, StopIteration) as error:
            return self._lost(said, sent, error)
        if "event" in item:
            return self._report(item["event"])
        return self._settle(said, UserError(item["unfit"]) if "unfit" in item else item["answer"])

    def _lost(self, said: Any, sent: _Sent, error: Exception) -> None:
        """Its process or machine died: send the unit again, unless it has happened too often."""
        sent.lost += 1
        if sent.lost > RETRIES:
            return self._settle(
                said,
                UserError(
                    f"a unit was lost {sent.lost} times with its process or its machine (out of memory?): "
                    f"{_line(error)}; finished trials are kept, run the same command again"
                ),
            )
        with self._lock:
            del self._sent[said]
        name = type(error).__name__ if str(error) else "no word"
        self._report({"note": f"a worker or its machine died ({name}); its unit runs again ({sent.lost} of {RETRIES})"})
        self._send(sent)
        return None

    def _settle(self, said: Any, outcome: dict[str, Any] | UserError) -> None:
        with self._lock:
            sent = self._sent.pop(said)
        if isinstance(outcome, UserError):
            sent.future.set_exception(outcome)
        else:
            sent.future.set_result(outcome)

    def _fail_all(self, error: Exception) -> None:
        for said in list(self._sent):
            self._settle(said, UserError(f"the Ray cluster is gone: {_line(error)}; run the same command again"))


# --- The connection -----------------------------------------------------------------------------------


def connect() -> Any:
    """The ray module, connected; the code is shipped anew where it has changed since."""
    global _connected_with
    address, code = cluster_address(os.environ.get("RAY_ADDRESS", "")), node.code_now()
    if _connected_with == code:
        return sys.modules["ray"]
    disconnect()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what later versions do, and no warning of it
    options = {"address": address} if address else _of_its_own()
    ray = importlib.import_module("ray")  # after the environment is set, which Ray reads on import
    try:
        with _signals_kept(), _quiet():
            ray.init(**options, runtime_env=shipped(), log_to_driver=False, configure_logging=False)
    except (OSError, RuntimeError, ValueError) as error:
        whose = f"the Ray cluster at {address}" if address else "a Ray of this machine"
        raise UserError(f"cannot reach or start {whose}: {_line(error)} (docs/clusters.md)") from None
    _connected_with = code
    atexit.register(disconnect)
    return ray


def cluster_address(text: str) -> str:
    """RAY_ADDRESS, checked: empty for a Ray of one's own, "auto" for this machine's, else host:port that answers.

    Ray itself would go on trying for minutes.
    """
    host, _, port = text.rpartition(":")
    if text in ("", "auto"):
        return text
    if text.startswith("ray://"):
        raise UserError(
            f"RAY_ADDRESS={text} names a Ray Client server; run on a machine of the cluster, with host:port or auto"
        )
    if not host or not port.isdigit():
        raise UserError(f"RAY_ADDRESS is host:port or auto, got {text!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"no Ray cluster answers at {text}: {_line(error)} (docs/clusters.md)") from None
    return text


def _of_its_own() -> dict[str, Any]:
    """A Ray of this machine alone: no dashboard, and a secret that nobody else has, since its ports are open to all."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    global _folder
    _folder = tempfile.TemporaryDirectory(prefix="suite-ray-", ignore_cleanup_errors=True)
    return {
        "address": "local",
        "num_cpus": home.workers(),
        "include_dashboard": False,
        "object_store_memory": STORE,
        "_node_ip_address": "127.0.0.1",
        "_temp_dir": _folder.name,
    }


def shipped(root: Path = home.ROOT) -> dict[str, Any]:
    """What a job brings to every machine: the source of the suite and the pages, and one thread per process.

    >>> sorted(shipped())
    ['env_vars', 'excludes', 'working_dir']
    """
    rest = [f"/{path.name}" for path in root.iterdir() if path.name not in node.SHIPPED]
    return {"working_dir": str(root), "excludes": [*sorted(rest), "__pycache__"], "env_vars": home.ONE_THREAD}


def disconnect() -> None:
    """Leave the cluster: Ray ends what this process still runs there, and a local Ray ends with it."""
    global _connected_with, _folder
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        ray.shutdown()
    if _folder is not None:
        _folder.cleanup()
    _connected_with, _folder = None, None


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray makes SIGTERM an exit of its own; the suite's runs end by it as by Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's announcements off the terminal."""
    import logging

    logger = logging.getLogger("ray")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _line(error: Exception) -> str:
    r"""The last line that says something, of errors that hold a whole remote traceback.

    >>> _line(ValueError("Traceback ...\n  File x\nValueError: no such thing\n"))
    'ValueError: no such thing'
    >>> _line(ValueError())
    'ValueError'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
