"""Where MLflow keeps its index, and the environment in which it may be imported.  Standard library only."""

import importlib.util
import os
import re
from collections.abc import Mapping
from pathlib import Path

from suite.errors import UserError
from suite.home import ONE_THREAD, ROOT

DATABASE = "mlflow.db"


def available() -> bool:
    """Whether mlflow is installed; nothing is imported to find out."""
    return importlib.util.find_spec("mlflow") is not None


def tracking_uri(home: Path) -> str:
    """``MLFLOW_TRACKING_URI`` where it is set, else an absolute ``sqlite:///`` address of ``<home>/mlflow.db``.

    It never depends on the working directory: MLflow's own default does, and a folder called ``mlruns`` changes it.

    >>> tracking_uri(Path("/tmp/work")) if "MLFLOW_TRACKING_URI" not in os.environ else "sqlite:////tmp/work/mlflow.db"
    'sqlite:////tmp/work/mlflow.db'
    """
    given = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    if not given:
        path = Path(os.path.abspath(home)) / DATABASE
        if set("%?") & set(str(path)):
            raise UserError(f"MLflow cannot keep a database below {path.parent}: no '%' or '?' there; set SUITE_HOME")
        return f"sqlite:///{path}"
    relative = re.fullmatch(r"sqlite:///([^/?:][^?:]*)(\?.*)?", given)
    if relative:
        return f"sqlite:///{os.path.abspath(relative[1])}{relative[2] or ''}"
    return given


def own_database(home: Path) -> Path | None:
    """The database file that this suite made and may therefore replace; None when the user chose another place."""
    path = Path(os.path.abspath(home)) / DATABASE
    return path if database_file(tracking_uri(home)) == path else None


def database_file(uri: str) -> Path | None:
    """The file behind a plain sqlite address.

    >>> database_file("sqlite:////tmp/mlflow.db"), database_file("http://127.0.0.1:5000"), database_file("sqlite://")
    (PosixPath('/tmp/mlflow.db'), None, None)
    """
    plain = re.fullmatch(r"sqlite:///(/[^?]+)", uri)
    return Path(plain[1]) if plain else None


def served(uri: str) -> bool:
    """Whether a server stands between us and the data; it then decides where artifacts lie."""
    return uri.startswith(("http://", "https://"))


def artifact_location(home: Path, uri: str, slug: str) -> str | None:
    return None if served(uri) else (Path(os.path.abspath(home)) / "artifacts" / slug).as_uri()


def shown(uri: str) -> str:
    """The address without its password, fit for a terminal or a log.

    >>> shown("postgresql://me:secret@db/mlflow")
    'postgresql://me:***@db/mlflow'
    """
    return re.sub(r"(//[^/@:]*):[^/@]*@", r"\1:***@", uri)


def reason(error: BaseException) -> str:
    r"""The first line of an error as a user can read it.

    >>> reason(OSError("(sqlite3.OperationalError) attempt to write a readonly database\n[SQL: INSERT ...]"))
    'attempt to write a readonly database'
    """
    line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    if "Max retries exceeded" in line or "Connection refused" in line or "timed out" in line:
        return "the server does not answer"
    for wrapper in ("(sqlite3.OperationalError) ", "(sqlite3.DatabaseError) "):
        line = line.replace(wrapper, "")
    return shown(line if len(line) <= 200 else line[:197] + "...")


def environment(home: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that imports mlflow: no telemetry, no system metrics, short patience with a server.

    MLflow itself waits up to 120 s seven times for a server that does not answer; what the user set stays.
    """
    uri = tracking_uri(home)
    quick = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        **ONE_THREAD,
    }
    forced = {
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_DISABLE_AGENT_HINT": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "PYTHONPATH": os.pathsep.join(part for part in (str(ROOT), inherited.get("PYTHONPATH")) if part),
    }
    return {**quick, **inherited, **forced}
