"""NaN, a diverged or missing arm, one failed seed, no variance, a single seed, ties: an error or inconclusive, with its
reason, and never reproduced.
"""

import copy
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.canonical import canonical
from suite.claims import at_least, at_most, within
from tests.judge_worlds import GAP, Json, claim, fight, row_of, trials, world


def without(rows: list[Json], arm: str, *numbers: int) -> list[Json]:
    return [t for t in rows if t["arm"] != arm or t["seed"]["number"] not in numbers]


def with_value(rows: list[Json], arm: str, number: int, entry: Any) -> list[Json]:
    found = copy.deepcopy(rows)
    for t in found:
        if t["arm"] == arm and t["seed"]["number"] == number:
            t["metrics"]["loss"] = entry
    return found


BROKEN = {
    "NaN": (with_value(world(3.0), "a", 5, math.nan), "a: loss is not finite at seed 5"),
    "NaN as the store writes it": (with_value(world(3.0), "a", 5, "NaN"), "a: loss is not finite at seed 5"),
    "infinite": (with_value(world(3.0), "b", 0, -math.inf), "b: loss is not finite at seed 0"),
    "diverged arm": (fight([math.nan] * 16, [1.0] * 16), "a: loss is not finite at seeds 0-15"),
    "missing arm": (without(world(3.0), "b", *range(16)), "b: no results"),
    "one failed seed": (without(world(3.0), "a", 7), "a: seed 7 of 16 lacking"),
    "the last seed failed in both": (
        without(without(world(3.0), "a", 15), "b", 15),
        "a: seed 15 of 16 lacking",
    ),
    "a seed twice": (world(3.0) + world(3.0)[3:4], "a: seed 3 stands there twice"),
    "zero variance": (fight([3.0] * 16, [1.0] * 16), "zero variance over 16 seeds"),
    "the arms are the same": (world(0.0, sd=0.0), "zero variance over 16 seeds"),
    "nothing": ([], "a: no results"),
    "another metric": (trials("a", {"x": [1] * 16}) + trials("b", {"x": [2] * 16}), "no metric 'loss'"),
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("claimed", [at_least(0), at_most(0), within(-100, 100)], ids=str)
def test_what_cannot_be_judged_is_an_error_with_its_reason(broken: str, claimed: Any) -> None:
    rows, words = BROKEN[broken]
    row = row_of(rows, claim(GAP, claimed, headline=True))
    assert row["outcome"] == "error"
    assert words in row["reason"]
    assert row["measured"] == []


def test_a_single_seed_cannot_judge_a_comparison() -> None:
    row = row_of(fight([3.0], [1.0]), seeds=1)
    assert (row["outcome"], row["reason"]) == ("error", "one seed gives no interval; at least 2 are needed")


def test_two_seeds_of_the_smoke_tier_are_judged_for_what_they_are() -> None:
    assert row_of(fight([3.0, 5.0], [1.0, 1.2]), seeds=2)["outcome"] == "inconclusive"
    assert row_of(fight([3.0, 3.001], [1.0, 1.0]), seeds=2)["outcome"] == "reproduced"


def test_ties_between_arms_are_data() -> None:
    """Accuracies on a small set: most seeds tie."""
    a, b = [0.9] * 12 + [0.91, 0.92, 0.9, 0.9], [0.9] * 16
    assert row_of(fight(a, b))["outcome"] == "inconclusive"
    assert row_of(fight(a, b), claim(GAP, within(-0.01, 0.01), headline=True))["outcome"] == "reproduced"


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damage_never_reproduces(data: Any) -> None:
    """Whatever is lost or spoilt, a claim that a whole world refutes or leaves open is not reproduced."""
    whole = world(data.draw(st.sampled_from([-3.0, 0.0])))
    rows = copy.deepcopy(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        if rows:
            i = data.draw(st.integers(0, len(rows) - 1))
            harm = data.draw(st.sampled_from(["drop", "nan", "inf", "text", "none", "list", "double", "rename"]))
            if harm == "drop":
                rows.pop(i)
            elif harm == "double":
                rows.append(copy.deepcopy(rows[i]))
            elif harm == "rename":
                rows[i]["metrics"] = {"other": 1.0}
            else:
                spoilt = {"nan": math.nan, "inf": math.inf, "text": "broken", "none": None, "list": [1.0]}
                rows[i]["metrics"]["loss"] = spoilt[harm]
    unharmed = sorted(map(canonical, rows)) == sorted(map(canonical, whole))  # what was doubled may have been dropped
    assert row_of(rows)["outcome"] == (row_of(whole)["outcome"] if unharmed else "error")
