"""A machine that a cluster lends: measures as the coordinator would, or says in one line why it may not."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from suite import worker
from suite.errors import UserError
from suite.executors import check_executor, node
from suite.progress import Progress
from tests.projects import make

MESSAGE: dict[str, Any] = {"id": "unit-1"}


@pytest.fixture
def terms(tmp_path: Path) -> node.Terms:
    token = tmp_path / "store/cluster/token"
    token.parent.mkdir(parents=True)
    token.touch()
    return replace(node.terms("cpu", token), work=str(tmp_path / "store"))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str | None, str]]:
    """Where each unit kept its checkpoints, and the working folder then."""
    monkeypatch.setenv("SUITE_HOME", str(tmp_path / "own"))
    found: list[tuple[str | None, str]] = []

    def measure_unit(message: Any, checkpoints: str | None, device: str, report: Any) -> dict[str, Any]:
        found.append((checkpoints, os.environ["SUITE_HOME"]))
        if message.get("raises"):
            raise SystemExit(3)
        if checkpoints:
            Path(checkpoints).mkdir(parents=True)
        report({"step": 1})
        return {"metrics": [{"loss": 0.5}]}

    monkeypatch.setattr(worker, "measure_unit", measure_unit)
    return found


def test_progress_comes_before_the_answer(terms: node.Terms, calls: Any) -> None:
    said = list(node.measure(MESSAGE, None, terms))[:-1]
    assert said == [{"event": {"step": 1}}]


def test_a_shared_folder_is_used_and_another_is_not(terms: node.Terms, calls: Any, tmp_path: Path) -> None:
    shared = str(tmp_path / "store/checkpoints/unit-1")
    list(node.measure(MESSAGE, shared, replace(terms, token=str(tmp_path / "not there"))))
    list(node.measure(MESSAGE, shared, terms))
    own = str(tmp_path / "own")
    assert calls == [(f"{own}/checkpoints/unit-1", own), (shared, terms.work)]
    assert not Path(calls[0][0]).exists(), "the machine cleans up what the coordinator cannot see"
    assert Path(shared).exists(), "the coordinator drops this one when the records are written"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"code": "00"}, "runs other code of the suite"),
        ({"versions": {"python": "2.7"}}, "where this machine has"),
        ({"machine": {"vector": "abacus"}}, "vector abacus"),
    ],
)
def test_a_machine_that_differs_measures_nothing(terms: node.Terms, calls: Any, change: Any, says: str) -> None:
    (said,) = node.measure(MESSAGE, None, replace(terms, **change))
    reason = said["unfit"]
    assert says in reason
    assert "\n" not in reason
    assert calls == []


def test_what_ends_the_measuring_thread_reaches_the_coordinator(terms: node.Terms, calls: Any) -> None:
    with pytest.raises(SystemExit):
        list(node.measure({**MESSAGE, "raises": True}, None, terms))


def test_the_digest_is_that_of_every_source_file(tmp_path: Path) -> None:
    project = make(tmp_path / "project", "toy_race")
    before = node.code_now(project.root)
    (project.root / "results").mkdir()
    (project.root / "results/note.py").write_text("x = 1\n")
    assert node.code_now(project.root) == before
    page = project.page("other", "x = 1\n")
    assert node.code_now(project.root) != before
    page.unlink()
    assert node.code_now(project.root) == before
    os.rename(project.root / "suite/pace.py", project.root / "suite/speed.py")
    assert node.code_now(project.root) != before


def test_without_ray_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"\[ray\]"):
        check_executor("ray")


def test_a_note_is_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    Progress("toy").event({"note": "a worker died [1 of 3]"})
    assert capsys.readouterr().err == "  a worker died [1 of 3]\n"
