"""``suite dashboard``: the MLflow pages over our database, started the cheap way."""

import errno
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from suite.errors import UserError
from suite.track.invocation import VIEW
from suite.track.place import available, environment, served, shown, tracking_uri
from suite.track.rebuild import relay
from suite.track.tracker import start_child

_LISTED = 10


def _free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise UserError(
                f"cannot listen on {host}: {error.strerror or error}; --host 127.0.0.1 always works"
            ) from None
    return True


def dashboard(home: Path, port: int = 5000, host: str = "127.0.0.1", say: Callable[[str], None] = print) -> None:
    """Become ``mlflow ui``: tell the addresses, then run until Ctrl-C.

    Returns only when ``MLFLOW_TRACKING_URI`` names a server, which shows the runs itself.  One worker and no job
    runner: MLflow's own settings start 15 processes and take four times as long to the first page.
    """
    if not available():
        raise UserError("mlflow is not installed, so there is no dashboard; pip install mlflow, then: suite sync")
    uri = tracking_uri(home)
    if served(uri):
        say(f"MLFLOW_TRACKING_URI is set; its server shows the runs: {shown(uri)}")
        return
    if not 1 <= port <= 65535:
        raise UserError(f"a port lies between 1 and 65535, got {port}")
    if not _free(host, port):
        other = next((p for p in range(port + 1, min(port + 50, 65536)) if _free(host, p)), None)
        raise UserError(
            f"port {port} is taken (by another dashboard?)"
            + (f"; try: suite dashboard --port {other}" if other else "")
        )
    Path(home).mkdir(parents=True, exist_ok=True)
    try:
        found = relay(start_child(home, "prepare"), None, say)["experiments"]  # makes the tables, under our lock
    except UserError as error:
        raise UserError(f"{error}; repair it with: suite sync") from None
    shown_host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    address = f"http://{shown_host}:{port}/#/experiments"
    say(f"MLflow: {address}   (in about 10 s; Ctrl-C stops it)")
    for slug, number in found[:_LISTED]:
        say(f"  {slug}: {address}/{number}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}")
    if len(found) != len(found[:_LISTED]):
        say(f"  ... and {len(found) - _LISTED} more, in the list of experiments")
    if found:
        say('  MLflow opens with its pages for chat programs; choose "Model training" at the top left, once')
    else:
        say("  nothing there yet; a run fills it, and so does: suite sync")
    cheap = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
    options = {
        "--backend-store-uri": uri,
        "--registry-store-uri": uri,
        "--host": host,
        "--port": str(port),
        "--workers": "1",
        "--uvicorn-opts": "--log-level warning",
    }
    command = [sys.executable, "-m", "mlflow", "ui", *(word for option in options.items() for word in option)]
    sys.stdout.flush()
    os.chdir(home)
    os.execve(sys.executable, command, {**environment(home, os.environ), **cheap})
