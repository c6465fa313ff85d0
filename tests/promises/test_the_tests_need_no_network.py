"""The default session runs behind a guard, child processes included; libraries are told to stay offline and silent; and
who lacks a data set is told which one, and how to bring it.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from suite import hub, worker
from suite.track.place import environment

OUTSIDE = "192.0.2.1"  # reserved for documentation, RFC 5737
TRY = f"import socket; socket.create_connection(('{OUTSIDE}', 80), timeout=1)"


def test_the_guard_lets_nothing_out() -> None:
    with pytest.raises(AssertionError, match="this machine only"):
        socket.create_connection((OUTSIDE, 80), timeout=1)
    with pytest.raises(AssertionError, match="this machine only"):
        socket.getaddrinfo("example.org", 80)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as post, pytest.raises(AssertionError):
        post.sendto(b"x", (OUTSIDE, 53))
    with socket.create_server(("127.0.0.1", 0)) as here, socket.create_connection(here.getsockname()):
        pass


@pytest.mark.parametrize("command", [[sys.executable], [sys.executable, "-B"]])
def test_the_guard_holds_in_processes_that_tests_start(command: list[str]) -> None:
    done = subprocess.run([*command, "-c", TRY], capture_output=True, text=True, check=False)
    assert "AssertionError: a test tried to reach" in done.stderr


def test_the_guard_holds_in_processes_that_those_start(tmp_path: Path) -> None:
    program = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {TRY!r}]).returncode)"
    kept = environment(tmp_path, os.environ)  # what MLflow's process is given
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=kept)
    assert "AssertionError: a test tried to reach" in done.stderr


def test_libraries_are_offline_and_silent(tmp_path: Path) -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert environment(tmp_path, {})["MLFLOW_DISABLE_TELEMETRY"] == "true"


# --- A request to the Hub ------------------------------------------------------------------------------


def weights() -> None:
    from transformers import AutoModel

    AutoModel.from_pretrained("some-people/no-such-model", revision="a" * 40)


def text() -> None:
    from datasets import load_dataset

    load_dataset("some-people/no-such-text", split="test", revision="b" * 40)


def one_file() -> None:
    from huggingface_hub import hf_hub_download

    hf_hub_download("some-people/no-such-text", "a.parquet", repo_type="dataset", revision="c" * 40)


@pytest.mark.parametrize(
    ("ask", "bring"),
    [
        (weights, "hf download some-people/no-such-model "),
        (text, "hf download --repo-type dataset some-people/no-such-text "),
        (one_file, "hf download --repo-type dataset some-people/no-such-text "),
    ],
)
def test_what_is_missing_is_named_with_the_way_to_bring_it(ask, bring, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each library has its own
        ask()
    line = hub.missing(caught.value)
    assert line is not None, repr(caught.value)
    assert "\n" not in line
    assert len(line) < 300, "a run prints that many characters"
    assert bring in line
    assert "the Hub cannot be reached" in line


def test_a_unit_that_lacks_its_data_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import tests.pages.toy_sums as page

    def dice(seeds, tier, *, by):
        one_file()

    experiment = page.TASK.experiment("dice")
    monkeypatch.setitem(vars(experiment), "measure", dice)
    trial = {"arm": "fair", "at": {}, "setting": {}, "fixed": {"by": 0.0}, "seed": {"purpose": "verdict", "number": 0}}
    message = {"id": "x", "module": page.__name__, "experiment": "dice", "root": "t/r1", "sizes": {"throws": 3}}
    answer = worker.measure_unit({**message, "trials": [trial]}, None, "cpu", None)
    assert answer["error"].startswith("some-people/no-such-text is not on this machine")


def test_other_errors_are_left_alone() -> None:
    assert hub.missing(ValueError("no such thing")) is None
    assert hub.missing(ConnectionRefusedError(111, "Connection refused")) is None
