"""The parts of reports: numbers, strips, sentences, docstrings."""

import copy
import re

import pytest

from suite.report.claims_content import certainty, claim_entry, held, verdict_words
from suite.report.docstring import parse, sections
from suite.report.numbers import interval, number
from suite.report.strips import strip
from suite.report.summary_content import holm, summary_content
from tests.reading_reports import BOOKS

# --- Parts ----------------------------------------------------------------------------------------


def test_words_for_where_intervals_lie() -> None:
    row = {"outcome": "refuted", "claimed": [None, 0.0], "alpha": 0.05, "p_raw": 0.01}
    cells = [{"low": 1.0, "high": 2.0}, {"low": -1.0, "high": 1.0}, {"low": -2.0, "high": -1.0}]
    assert [held(cell, row["claimed"]) for cell in cells] == ["outside", "across", "inside"]
    three, one = ([{"claimed": row["claimed"], "cells": cells[:n]}] for n in (3, 1))
    words = verdict_words(row, three)
    assert words == (
        "Of 3 measured intervals, 1 lies inside, 1 lies wholly outside and 1 crosses the bound of the claimed one."
    )
    assert verdict_words(row, one).endswith("wholly outside the claimed one.")
    assert verdict_words(row, one + one) == "All 2 measured intervals lie wholly outside the claimed ones."
    assert "95 %" in certainty(row, three)
    assert certainty({**row, "alpha": 1e-6}, one).endswith(
        "misses the truth at most once in 1\u202f000\u202f000 tries."
    )
    exact = [{"claimed": [1.0, 1.0], "cells": [{"low": 1.0, "high": 1.0}]}]
    assert certainty({**row, "p_raw": None}, exact).startswith("Exact")
    assert verdict_words({**row, "outcome": "error"}, []).endswith("not a refutation.")


def test_each_clause_is_shown_with_its_own_outcome() -> None:
    row = copy.deepcopy(BOOKS["comparison"]["claims"][2])
    assert row["id"] == "c4"
    parts = claim_entry(row, {})["parts"]
    assert [part["outcome"] for part in parts] == ["inconclusive", "reproduced"]
    row["cells"] = [{**cell, "low": 3.0} for cell in row["cells"]]  # now the leading clause holds, the claim does not
    assert claim_entry({**row, "outcome": "refuted"}, {})["parts"][0]["outcome"] == "reproduced"


def test_exact_numbers_need_no_picture_and_many_cells_are_a_shape() -> None:
    row = {**BOOKS["exact"]["claims"][1], "cells": [{"label": "", "low": 0.0, "high": 0.0, "estimate": 0.0}] * 3}
    assert claim_entry(row, {})["parts"][0]["exact"] == "0 in all 3 cells"
    wrong = {**row, "cells": [{"label": "", "low": 2.0, "high": 2.0, "estimate": 2.0}]}
    assert claim_entry(wrong, {})["parts"][0]["exact"] == ""
    middles = [bar["mid"] for bar in claim_entry(BOOKS["exact"]["claims"][0], {})["parts"][0]["strip"]["bars"]]
    assert len(middles) == 20
    assert middles == sorted(middles, reverse=True)


def test_only_cells_that_lie_elsewhere_are_listed() -> None:
    [part] = claim_entry(BOOKS["exact"]["claims"][0], {})["parts"]
    outside = [cell["label"] for cell in BOOKS["exact"]["claims"][0]["cells"] if cell["high"] > 0.002]
    assert [cell["label"] for cell in part["cells"]] == outside
    assert int(part["inside"]) + len(outside) == 20


def test_an_interval_never_shrinks_to_a_point() -> None:
    for low, high in [(0.0049, 0.0051), (-1e-9, 1e-9), (0.99996, 1.00004), (123456.7, 123457.9), (0.1, 0.10000001)]:
        text = interval(low, high)
        ends = text.strip("[]").split(", ")
        assert len(ends) == 2
        assert ends[0] != ends[1], text


@pytest.mark.parametrize("value", [0.1 + 0.2, 1e-12, -3.3e8, 5, 99999, 123456.789, 2**-149, 1e300, True])
def test_numbers_read_back(value: float) -> None:
    text = number(value).replace("−", "-")
    mantissa, _, power = re.sub(r"^(-?)(10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹])", r"\g<1>1×\2", text).partition("×10")
    exponent = power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or "0"
    assert float(f"{mantissa}e{exponent}") == pytest.approx(float(value), rel=6e-4)


def test_strip_keeps_the_order_of_the_line() -> None:
    cells = [{"low": -3.0, "high": -1.0, "estimate": -2.0}, {"low": 1.0, "high": "Infinity", "estimate": 2.0}]
    found = strip([0.0, None], cells)
    first, second = found["bars"]
    assert first["low"] < first["mid"] < first["high"] < found["ends"][0] < second["low"] < second["mid"]
    assert second["open"] == [False, True]
    assert found["band"][1] == 1.0
    assert strip([None, None], []) is None
    assert strip([0.5, 0.5], [{"low": 0.5, "high": 0.5, "estimate": 0.5}])["bars"][0]["mid"] == 0.5


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.02, 0.03, 0.04]) == [0.04, 0.06, 0.06, 0.06]
    assert holm([None, 0.9, 0.8]) == [None, 1.0, 1.0]
    values = summary_content(list(BOOKS.values()))["headlines"]
    assert [entry["p_suite"] for entry in values] == ["2.1×10⁻⁶", "–"]


def test_both_kinds_of_look_and_edge_are_understood() -> None:
    row = {**BOOKS["comparison"]["claims"][0], "look": {"number": 2, "of": [6, 10, 16]}}
    assert claim_entry(row, {})["look"] == "look 2 of 3"
    assert claim_entry({**row, "look": {"number": 1, "of": 1}}, {})["look"] == ""
    edge = {"experiment": "digits", "arm": "lion", "at": {"batch": 8}, "setting": "lr"}
    assert claim_entry({**row, "edge": [edge]}, {})["edge"] == ["lion at batch 8: best lr at the edge of its grid"]


DOCS = {
    "the usual": "Sum.\n\nBody.\n\nNot the post's scale: small.\nKnown to bite: noise\nand more.",
    "apostrophe": "Sum.\n\nNot the post’s scale: small.\n\nKnown to bite: noise\nand more.",
    "indented": "Sum.\n\n    Not the post's scale: small.\n    Known to bite: noise\n    and more.",
    "case": "Sum.\n\nNOT THE POST'S SCALE: small.\nknown to bite: noise\nand more.",
    "text below": "Sum.\n\nNot the post's scale:\n\nsmall.\n\nKnown to bite:\nnoise\nand more.\n\nBody.",
}


@pytest.mark.parametrize("name", DOCS)
def test_docstrings(name: str) -> None:
    assert sections(DOCS[name]) == {"Not the post's scale": "small.", "Known to bite": "noise and more."}
    assert parse(DOCS[name]).summary == "Sum."


@pytest.mark.parametrize("text", [None, "", "\n\n", "One line", "    \n  - a\n  - b\n", "Known to bite:"])
def test_poor_docstrings_are_no_error(text: str | None) -> None:
    assert sections(text) == {}


def test_docstring_blocks() -> None:
    doc = parse("S.\n\nA formula:\n\n    x = 1\n\n        y = 2\n\n- one\n- two\n  goes on\n\nUse ``lr``.")
    assert [block["kind"] for block in doc.body] == ["text", "display", "list", "text"]
    assert doc.body[1]["text"] == "x = 1\n\n    y = 2"
    assert [span["text"] for span in doc.body[2]["items"][1]] == ["two goes on"]
    assert doc.body[3]["spans"][1] == {"text": "lr", "code": True}
