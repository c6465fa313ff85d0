"""0 is for what was judged, whatever the verdict; a run, a comparison or a check that measured nothing ends with 2."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite import cli, ledger, registry
from tests.pages import toy_sums

PAGE = registry.Page("toy_sums", toy_sums.__name__, (Path(toy_sums.__file__ or ""),))
RUN = ("run", "toy-sums", "--executor", "inline", "--no-track")
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def locks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("locks")


@pytest.fixture
def suite(tmp_path: Path, locks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line over a store of its own, with one toy page: (exit code, output, the last line of errors)."""
    folders = {"SUITE_HOME": "work", "SUITE_RESULTS": "results", "SUITE_REPORTS": "reports"}
    for name, folder in folders.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("SUITE_LOCKS", str(locks))
    monkeypatch.setattr(registry, "pages", lambda: {PAGE.name: PAGE})

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main(words)
        said = capsys.readouterr()
        return code, said.out, (said.err.strip().splitlines() or [""])[-1]

    return run


def nothing(answer: tuple[int, str, str]) -> str:
    code, out, line = answer
    assert code == 2, out + line
    assert line.startswith("suite: ")
    return line


def measured_as(monkeypatch: pytest.MonkeyPatch, experiment: str, measure: Any) -> None:
    monkeypatch.setitem(vars(toy_sums.TASK.experiment(experiment)), "measure", measure)


def not_a_number(name: str) -> Any:
    return lambda seeds, tier, **_: {name: [math.nan] * len(seeds)}


def test_a_refuted_claim_is_a_measurement(suite: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toy_sums, "load", lambda eyes, by: eyes - 2 * by)
    code, out, _ = suite(*RUN)
    assert code == 0
    assert "c1 (headline): refuted" in out


def test_a_measure_that_raises(suite: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(seeds: Any, tier: Any, *, by: Any) -> Any:
        raise ValueError("no such thing\nand more of it")

    measured_as(monkeypatch, "dice", raises)
    line = nothing(suite(*RUN))
    assert "dice" in line
    assert "ValueError: no such thing (traceback in " in line
    assert not ledger.path("cpu", "toy_sums").exists()
    monkeypatch.undo()


def test_claims_that_all_end_as_errors(suite: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger tells why of each claim, and the exit code that there is no verdict."""
    measured_as(monkeypatch, "dice", not_a_number("eyes"))
    measured_as(monkeypatch, "sums", not_a_number("error"))
    answer = suite(*RUN)
    assert "no claim could be judged" in nothing(answer)
    assert "eyes is not finite" in answer[1]
    assert "1 of 2 tasks could not be measured" not in answer[2]
    assert "2 of 2 tasks could not be measured" in nothing(suite("run", "toy-sums", "toy_sums", *RUN[2:]))


def test_one_error_beside_a_verdict(suite: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    measured_as(monkeypatch, "dice", not_a_number("eyes"))
    code, out, _ = suite(*RUN)
    assert code == 0
    assert "c1 (headline): error" in out


def test_only_what_nobody_tests(suite: Command) -> None:
    assert "none of c3 is tested by an experiment" in nothing(suite(*RUN, "--only", "c3"))
    assert "it has cpu, smoke" in nothing(suite(*RUN, "--tier", "hub"))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"ears": 1.0}, "no claim could be judged"),
        ({}, "one entry per seed"),
        (None, "got NoneType"),
        ({"eyes": "text"}, "entries for 16 seeds"),
        ({"eyes": ["text"] * 16}, "holds str"),
    ],
)
def test_a_measure_that_answers_something_else(
    suite: Command, monkeypatch: pytest.MonkeyPatch, answer: Any, says: str
) -> None:
    def measure(seeds: Any, tier: Any, *, by: Any) -> Any:
        return {"ears": [1.0] * len(seeds)} if answer == {"ears": 1.0} else answer

    measured_as(monkeypatch, "dice", measure)
    assert says in nothing(suite(*RUN, "--only", "c1"))


def test_comparing_nothing(suite: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    empty = str(tmp_path / "empty")
    assert "hold no ledger" in nothing(suite("diff", empty, empty))
    assert "cannot read" in nothing(suite("diff", f"{empty}/a.json", f"{empty}/b.json"))
    assert suite(*RUN)[0] == 0
    file = ledger.path("cpu", "toy_sums")
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(file.read_bytes())
    measured_as(monkeypatch, "dice", not_a_number("eyes"))
    measured_as(monkeypatch, "sums", not_a_number("error"))
    monkeypatch.setenv("SUITE_HOME", str(tmp_path / "elsewhere"))
    assert suite(*RUN)[0] == 2
    bad.write_bytes(file.read_bytes())
    assert json.loads(bad.read_text())["outcome"] == "error"
    assert "the new ledger measured nothing" in nothing(suite("diff", str(good), str(bad)))
    assert "the old ledger measured nothing" in nothing(suite("diff", str(bad), str(good)))


def test_checking_and_reporting_nothing(suite: Command) -> None:
    assert "no task 'no-such-task'" in nothing(suite("doctor", "no-such-task"))
    assert "no ledger to report" in nothing(suite("report"))
