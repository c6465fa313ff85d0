"""A/A: a thousand null worlds are decided as often as alpha says, looks included, and planted effects lie on the power
curve.
"""

from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from suite import home, ledger
from suite.calibration import most_on_normal_noise
from suite.doctor import comparisons
from suite.report.evidence_content import calibration
from suite.synthetic import synthetic_worlds
from tests.judge_worlds import bounds

LOOKS = (6, 10, 16)


@pytest.fixture(scope="module")
def doctor() -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in synthetic_worlds(worlds=1000, planted=250)}


def test_null_worlds_are_decided_as_often_as_alpha_says_looks_included(doctor: Any) -> None:
    for looks in ([16], list(LOOKS)):
        row = doctor[f"null, looks at {looks}"]
        assert row["worlds"] == 1000
        assert row["ok"]
        assert row["rate"] <= bounds(0.05, 1000)[1]
    assert doctor["null, looks at [16]"]["expected"] == pytest.approx(0.05, abs=0.002)
    assert 0.035 < doctor["null, looks at [6, 10, 16]"]["expected"] < 0.05  # looks overlap, their alphas add up


def test_planted_effects_lie_on_the_power_curve(doctor: Any) -> None:
    for effect in (0.8, 1.0):
        row = doctor[f"{effect:g} sd beyond the margin, looks at [16]"]
        noncentral = stats.nct.sf(stats.t.ppf(0.975, 15), 15, 4 * effect)
        assert row["expected"] == pytest.approx(noncentral, abs=0.004)
        assert bounds(noncentral, 250)[0] <= row["rate"] <= bounds(noncentral, 250)[1]
        looked = doctor[f"{effect:g} sd beyond the margin, looks at {list(LOOKS)}"]
        assert looked["ok"]
        assert looked["expected"] < row["expected"]  # peeking is paid for


def test_the_doctor_notices_a_judge_that_peeks_for_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at 6, 10 and 16 seeds with a plain 5 % each is the usual sin: about one false verdict in nine worlds."""
    monkeypatch.setattr("suite.looks.look_alphas", lambda tier, seeds=None: ((6, 0.05), (10, 0.05), (16, 0.05)))
    row = next(r for r in synthetic_worlds(worlds=400, planted=1) if r["name"] == f"null, looks at {list(LOOKS)}")
    assert row["rate"] > 0.07
    assert not row["ok"]


def test_the_doctor_notices_an_interval_that_is_too_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A normal quantile in place of Student's, the classical slip at few seeds, errs in 7 % of worlds of 16 seeds."""
    normal = lambda df, alpha: float(stats.norm.isf(alpha / 2))  # noqa: E731
    monkeypatch.setattr("suite.quantities.intervals.t_quantile", normal)
    rows = synthetic_worlds(worlds=1000, planted=1)
    assert rows[0]["rate"] > 0.055


# --- On the noise of the tasks themselves ---------------------------------------------------------------

BOOKS = sorted((home.ROOT / "results").glob("[cgh]*/*.json"))


@pytest.mark.parametrize("file", BOOKS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_comparing_task_has_its_rates_in_ledger_and_report(file: Path) -> None:
    """At least a hundred worlds drawn from the task's own trials; no claim errs beyond the bounds of chance."""
    book = ledger.read(file)
    assert set(comparisons(book)) == set() or book["calibration"]
    claims = {claim["id"]: claim for claim in book["card"]["claims"]}
    printed = {line["id"]: line["false"] for line in calibration(book, claims)["lines"]}
    for name, found in book["calibration"].items():
        assert found["worlds"] >= 100
        assert found["false_verdict_rate"] <= most_on_normal_noise(found["seeds"], found["alpha"], found["worlds"])
        assert printed[name] == f"{100 * found['false_verdict_rate']:.1f} %"
