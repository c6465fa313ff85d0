"""The doctor ends with 0 when all holds, 1 when something does not, 2 when it could not look; an arm against itself."""

import re
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from suite import cli, declare, doctor, ledger, registry
from suite.against_itself import LEAST, WORLDS, against_itself
from suite.claims import Mutant, Outcome
from suite.rehearse import rehearse
from tests.pages import toy_sums

PAGE = registry.Page("toy_sums", toy_sums.__name__, (Path(toy_sums.__file__ or ""),))
MOST = int(stats.binom.ppf(0.999, WORLDS, 0.05))


@pytest.fixture(autouse=True)
def _world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "pages", lambda: {PAGE.name: PAGE})
    monkeypatch.setenv("SUITE_RESULTS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    row = {"name": "null", "worlds": 10, "verdicts": 0, "low": 0, "high": 3, "ok": True}
    monkeypatch.setattr("suite.synthetic.synthetic_worlds", lambda: [row])  # the promise about it has its own file


def test_a_page_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "toy-sums"]) == 0
    said = capsys.readouterr().out
    for words in ("judge: null", "repeat bit for bit", "other numbers", "its company", "fair against itself", "mutant"):
        assert words in said
    assert "FAILS" not in said


def test_a_mutant_that_turns_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    idle = Mutant(says="nothing at all", replaces="load", by=toy_sums.load, turns_to=Outcome.REFUTED)
    monkeypatch.setitem(vars(toy_sums.TASK), "mutants", (idle,))
    assert cli.main(["doctor", "toy-sums"]) == 1
    assert "reproduced -> reproduced" in capsys.readouterr().out


@pytest.mark.parametrize(("rate", "code"), [(0.05, 0), (0.09, 1)])
def test_the_calibration_of_a_ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rate: float, code: int) -> None:
    file = ledger.path("cpu", PAGE.name)
    file.parent.mkdir()
    file.write_text("{}")
    entry = {"false_verdict_rate": rate, "alpha": 0.05, "worlds": 1000, "seeds": 16}
    monkeypatch.setattr(ledger, "read", lambda _: {"calibration": {"c1": entry}})
    assert cli.main(["doctor", "toy-sums"]) == code


def test_nothing_to_look_at(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for experiment in toy_sums.TASK.experiments:
        monkeypatch.setitem(vars(experiment), "tiers", {"cpu": experiment.tiers["cpu"]})
    assert cli.main(["doctor", "toy-sums"]) == 2
    said = capsys.readouterr().out
    assert "judge: null" in said, "what was looked at stays in the table"
    assert re.search(r"toy-sums: the rest +NOT MADE +toy-sums has no smoke tier", said)


def test_a_measure_that_raises(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def dice(seeds, tier, *, by):
        raise OSError("the [dice] are lost")

    monkeypatch.setitem(vars(toy_sums.TASK.experiment("dice")), "measure", dice)
    assert cli.main(["doctor", "toy-sums"]) == 2
    assert "the [dice] are lost" in capsys.readouterr().out


def test_a_failure_outweighs_what_could_not_be_looked_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[doctor.Row] = [("a", True, ""), ("b", False, ""), ("c", None, "")]
    for some, code in ((rows, 1), (rows[::2], 2), (rows[:1], 0)):
        monkeypatch.setattr(doctor, "task_checks", lambda page, some=some: iter(some))
        assert cli.main(["doctor", "toy-sums"]) == code


def test_a_comparison_without_its_rate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = ledger.path("cpu", PAGE.name)
    file.parent.mkdir()
    file.write_text("{}")
    card = declare.declaration(toy_sums.__name__)
    told = [{"id": name, "outcome": "reproduced", "timed": False} for name in ("c1", "c2")]
    book = {"calibration": {}, "card": card, "claims": told}
    monkeypatch.setattr(ledger, "read", lambda _: book)
    monkeypatch.setattr("suite.against_itself.against_itself", lambda found, claim: None)
    assert doctor.comparisons(book) == ["c1"]
    assert [row for row in doctor.task_checks(PAGE) if row[1] is None] == [
        ("toy-sums at cpu: false verdicts on its own noise", None, "c1: no rate in the ledger, run the task again")
    ]


# --- An arm against itself ------------------------------------------------------------------------------


def test_real_reruns_of_one_arm_are_seldom_told_apart() -> None:
    found = against_itself(rehearse(toy_sums.__name__), "c1")
    assert found is not None
    assert (found.arm, found.worlds, found.cells) == ("fair", WORLDS, 1)
    assert found.trials > 100
    assert 0 < found.verdicts <= MOST


def test_a_judge_that_is_too_sure_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal = rehearse(toy_sums.__name__)
    sure: Any = lambda df, alpha: float(stats.t.isf(2 * alpha, df))  # noqa: E731
    monkeypatch.setattr("suite.quantities.intervals.t_quantile", sure)
    found = against_itself(rehearsal, "c1")
    assert found is not None
    assert found.verdicts > MOST


def test_tuned_arms_and_settings_that_share_a_stack() -> None:
    found = against_itself(rehearse("tests.pages.toy_walk"), "c1")
    assert found is not None
    assert found.arm == "steady"
    assert found.verdicts <= MOST


def test_what_compares_no_arms_or_is_too_dear_is_left_alone() -> None:
    rehearsal = rehearse(toy_sums.__name__)
    assert against_itself(rehearsal, "c2") is None
    assert against_itself(rehearsal, "c1", seconds=0.0) is None
    assert LEAST == 16


def test_the_doctor_says_nothing_of_what_it_did_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite.against_itself.against_itself", lambda found, claim: None)
    assert not [name for name, _, _ in doctor.task_checks(PAGE) if "against itself" in name]
