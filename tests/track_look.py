"""Looking at what MLflow holds, and waiting for what other processes do."""

import contextlib
import socket
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from suite.canonical import digest


@contextlib.contextmanager
def quiet(uri: str) -> Iterator[None]:
    """Use mlflow in this process: its own warnings are not ours to mend, and connections are closed afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

            if uri in SqlAlchemyStore._engine_map:
                SqlAlchemyStore._engine_map[uri].dispose()


@contextlib.contextmanager
def client_of(uri: str) -> Iterator[Any]:
    """A client of this process."""
    with quiet(uri):
        from mlflow.tracking.client import MlflowClient

        yield MlflowClient(tracking_uri=uri, registry_uri=uri)


def picture(uri: str) -> list[Any]:
    """Everything that MLflow holds, without the names it gives by itself: equal pictures, equal dashboards."""
    with client_of(uri) as client:
        found = []
        for experiment in client.search_experiments():
            runs = list(client.search_runs([experiment.experiment_id], max_results=5000))
            parents = {run.info.run_id: run.data.tags.get("suite.invocation") for run in runs}
            found.append((experiment.name, dict(experiment.tags), sorted(_run(client, run, parents) for run in runs)))
        return sorted(found, key=lambda one: one[0])


def _run(client: Any, run: Any, parents: dict[str, Any]) -> tuple[str, ...]:
    tags = {**run.data.tags}
    if "mlflow.parentRunId" in tags:
        tags["mlflow.parentRunId"] = parents[tags["mlflow.parentRunId"]]
    history = {
        key: [(m.step, repr(m.value), m.timestamp) for m in client.get_metric_history(run.info.run_id, key)]
        for key in run.data.metrics
    }
    inputs = [(d.dataset.name, d.dataset.digest, [(t.key, t.value) for t in d.tags]) for d in run.inputs.dataset_inputs]
    info = (run.info.run_name, run.info.status, run.info.start_time, run.info.end_time, run.info.lifecycle_stage)
    held = _artifacts(client, run.info.run_id) if "suite.invocation" in tags else {}
    return tuple(
        repr(part) for part in (info, sorted(tags.items()), sorted(run.data.params.items()), history, inputs, held)
    )


def _artifacts(client: Any, run_id: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(client.download_artifacts(run_id, "", folder))
        return {str(p.relative_to(base)): digest(p.read_bytes().hex()) for p in sorted(base.rglob("*")) if p.is_file()}


def one_line(warned: list[str]) -> str:
    """The one warning that losing MLflow may cost."""
    (line,) = warned
    assert "\n" not in line
    assert len(line) < 400
    assert line.startswith("MLflow: ")
    assert line.endswith("To fill MLflow from them: suite sync")
    return line


def run_names(home: Path) -> list[str]:
    """The runs in a database that another process is writing."""
    connection = sqlite3.connect(f"file:{home}/mlflow.db?mode=ro", uri=True, timeout=20)
    with contextlib.closing(connection):
        return [name for (name,) in connection.execute("SELECT name FROM runs")]


def wait_for(condition: Callable[[], bool], patience: float = 120) -> None:
    """Until it holds; the machine of a test may be busy with much else."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
