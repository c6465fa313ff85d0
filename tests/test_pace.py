"""What is expected of a unit: what it cost here, else what the committed ledger says, else nothing."""

import json

import pytest

from suite import home
from suite.pace import Pace
from suite.plan import Trial, Unit

COMMITTED = home.ROOT / "results" / "cpu" / "duck_sector_probability.json"


def unit(models, experiment="ponds", purpose="verdict"):
    identity = {"slug": "duck-sector-probability", "arm": "only", "at": {}, "seed": {"purpose": purpose, "number": 0}}
    trials = tuple(Trial(identity, str(number)) for number in range(models))
    return Unit("id", "tasks.duck_sector_probability", experiment, "cpu", False, "root", {}, trials)


def test_the_first_run_expects_what_the_ledger_says(tmp_path):
    spent = json.loads(COMMITTED.read_text())["timing"]["per_experiment"]["ponds"]
    assert Pace(tmp_path, COMMITTED).expected(unit(3)) == pytest.approx(3 * spent["seconds"] / spent["trials"])
    assert Pace(tmp_path, COMMITTED).expected(unit(3, experiment="new")) is None


def test_what_it_cost_here_counts_more_and_is_kept(tmp_path):
    pace = Pace(tmp_path, COMMITTED)
    pace.learn(unit(4), 10.0)
    pace.learn(unit(4, purpose="tune"), 2.0)
    pace.save()
    again = Pace(tmp_path, COMMITTED)
    assert (again.expected(unit(2)), again.expected(unit(2, purpose="tune"))) == (5.0, 1.0)
    assert again.total([unit(2), unit(2, purpose="tune")]) == 6.0


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": "fast"}', '{"a": null}', '{"a": -1}', '{"a": [1]}'])
def test_a_damaged_table_is_as_good_as_none_and_is_replaced(text, tmp_path):
    (tmp_path / "pace.json").write_text(text)
    pace = Pace(tmp_path, tmp_path / "no ledger")
    assert pace.known == {}
    pace.learn(unit(4), 10.0)
    pace.save()
    assert Pace(tmp_path, tmp_path / "no ledger").expected(unit(2)) == 5.0


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"schema": 99}'])
def test_without_a_ledger_nothing_is_expected(text, tmp_path):
    committed = tmp_path / "some.json"
    if text is not None:
        committed.write_text(text)
    pace = Pace(tmp_path, committed)
    assert pace.expected(unit(1)) is None
    assert pace.total([unit(1)]) is None
