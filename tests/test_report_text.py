"""Reports: no character is lost, no string of a ledger can do more than be read, and odd ledgers are set too."""

import re
import unicodedata
from pathlib import Path

import pypdfium2
import pytest
from fontTools.ttLib import TTFont

from suite import report
from suite.errors import UserError
from suite.report import glyphs
from suite.report.content import task_content
from suite.report.fonts import subset
from tests.reading_reports import BOOKS, FONTS, PDFS, changed, flat, inside_the_page, made, read


@pytest.fixture(scope="module")
def pdfs() -> dict[str, bytes]:
    return {name: made(name) for name in PDFS}


# --- Glyphs ---------------------------------------------------------------------------------------


def test_fonts_are_small_licensed_and_hold_what_they_list() -> None:
    files = sorted(FONTS.glob("*.otf"))
    assert {path.name for path in files} == set(subset.FACES)
    assert sum(path.stat().st_size for path in files) < 1_500_000
    licence = (FONTS / "OFL.txt").read_text(encoding="utf8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence
    cjk = TTFont(FONTS / "ClaimCJK-Regular.otf").getBestCmap()
    assert not [c for c in subset.listed() + subset.WIDE if ord(c) not in cjk], "run suite/report/fonts/subset.py"
    for path in files:
        font = TTFont(path)
        family = font["name"].getDebugName(1)
        assert family.startswith("Claim")  # "Source" and "STIX" are reserved names
        assert family in licence
        assert font["CFF "].cff.fontNames[0].startswith("Claim")


def test_mathematics_and_titles_are_covered() -> None:
    have = glyphs.covered()
    wanted = "αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΦΨΩ±×÷−·≤≥≠≈≡∞∂∇∑∏∫√∈∉⊂∪∩∀∃→←↔⇒⇔↦⌈⌉⌊⌋‖ℝℕℤℂ⊗⊙∝≪≫≲ŝ½¼"
    assert not [c for c in wanted if ord(c) not in have]
    titles = [post["title"] for book in BOOKS.values() for post in book["card"]["source"]["posts"]]
    locks = Path(report.__file__).parents[2] / "tasks" / "locks"
    for lock in locks.glob("*.json"):
        titles += re.findall(r'"title": "([^"]*)"', lock.read_text(encoding="utf8"))
    for title in titles:
        lost = [c for c in title if ord(c) not in have and c != " "]
        assert not lost, f"{title}: {[unicodedata.name(c) for c in lost]}"


def test_pages_keep_their_margins(pdfs: dict[str, bytes]) -> None:
    for pdf in pdfs.values():
        assert inside_the_page(pdf)


def test_no_heading_stands_last_on_a_page(pdfs: dict[str, bytes]) -> None:
    for name, pdf in pdfs.items():
        document = pypdfium2.PdfDocument(pdf)
        titles = {flat(entry.get_title()) for entry in document.get_toc()}
        for page in document:
            lines = [flat(line) for line in page.get_textpage().get_text_range().splitlines() if line.strip()]
            body = [
                line
                for line in lines
                if not re.fullmatch(r".*\d+/\d+|lion-vs.*rule.*|duck.*rule.*|Published.*again", line)
            ]
            assert body
            assert body[-1] not in titles, (name, body[-1])


# --- Ledgers that are not the usual kind --------------------------------------------------------------


def test_a_partial_ledger_says_what_it_left_out() -> None:
    def cut(book: dict) -> None:
        book["claims"] = book["claims"][1:2]
        book["claims"][0]["headline"] = True

    text = read(report.task_pdf(changed(BOOKS["exact"], cut)))
    assert flat("This run left it out.") in text


def test_a_figure_that_cannot_be_drawn_says_so() -> None:
    def lose(book: dict) -> None:
        book["trials"] = [t for t in book["trials"] if t["experiment"] != "embeddings"]

    text = read(report.task_pdf(changed(BOOKS["comparison"], lose)))
    assert flat("Not drawn: figure") in text
    assert flat("no trials of embeddings") in text


def test_tuned_settings_are_drawn_although_the_page_draws_none() -> None:
    book = changed(BOOKS["comparison"], lambda b: b["card"].update(figures=[]))
    data, files = task_content(book)
    assert [figure["title"] for figure in data["figures"]] == ["Tuning of lr, digits"]
    assert list(files) == ["figure-1.svg"]


def test_infinite_and_missing_ends() -> None:
    def open_up(book: dict) -> None:
        book["claims"][0].update(outcome="inconclusive")
        book["claims"][0]["cells"][0].update(low="-Infinity", high="Infinity", estimate="NaN")
        book["claims"][0]["cells"][1].update(low=None)
        book["claims"][1].update(outcome="error", cells=[], measured=[], n=None, reason="seed 3: NaN")
        book["published"][0].update(ours=[["NaN", "Infinity"]], estimate="NaN")

    assert "∞" in read(report.task_pdf(changed(BOOKS["exact"], open_up)))


def test_an_empty_world() -> None:
    def strip_down(book: dict) -> None:
        book["card"].update(doc="", figures=[], mutants=[])
        book.update(published=[], calibration={}, arms=[])
        book["card"]["source"]["papers"] = []

    assert flat("Reproduced at cpu scale") in read(report.task_pdf(changed(BOOKS["exact"], strip_down)))
    with pytest.raises(UserError, match="at least one ledger"):
        report.summary_pdf([])
