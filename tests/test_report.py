"""Reports: the verdict can be found, every number comes from the ledger, the same ledger gives the same bytes."""

import time
from pathlib import Path

import pypdfium2
import pytest

from suite import report
from suite.errors import UserError
from suite.files import write_json
from suite.report.content import task_content
from suite.report.numbers import prose
from tests import fake_ledger
from tests.reading_reports import BOOKS, PDFS, changed, flat, made, read


@pytest.fixture(scope="module")
def pdfs() -> dict[str, bytes]:
    return {name: made(name) for name in PDFS}


@pytest.fixture(scope="module")
def said(pdfs: dict[str, bytes]) -> dict[str, str]:
    return {name: read(pdf) for name, pdf in pdfs.items()}


# --- What is on the page --------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOOKS)
def test_verdict_claims_and_source_are_there(said: dict[str, str], name: str) -> None:
    book, text = BOOKS[name], said[name]
    assert flat(f"{book['outcome'].capitalize()} at cpu scale") in text
    for claim in book["card"]["claims"]:
        assert flat(prose(claim["says"])) in text, claim["id"]
        assert flat(claim["id"]) in text
    for post in book["card"]["source"]["posts"]:
        assert flat(post["title"]) in text
        assert post["date"] in text
    assert book["rule_hash"] in text
    assert book["hash"] in text
    assert book["provenance"]["git"]["commit"] in text
    assert f"makereproduce-{book['slug']}" in text


def test_reasons_flags_and_what_is_not_tested(said: dict[str, str]) -> None:
    text = said["comparison"]
    for row in BOOKS["comparison"]["claims"]:
        if row["outcome"] != "reproduced":
            assert flat(prose(row["reason"])) in text, row["id"]
    assert flat("What we make of it, written afterwards: AdamW keeps its lead where batches are small") in text
    assert flat("Refuted: what to make of it") in said["summary"]
    assert flat("AdamW keeps its lead where batches are small") in said["summary"]
    assert flat("lion at batch 512: its best lr, 0.02, is the largest of its grid") in text
    assert flat("It speaks of ViT, T5 and 7B language models") in text
    assert flat("The paper itself reports that Lion loses its edge") in text
    assert "4.1%" in text
    assert "77.9%" in text
    assert flat("[0.9996, 1.0000] holds it") in text
    assert flat("suite.blocks.optim.lion:update") in text


def test_the_summary_holds_every_task(said: dict[str, str]) -> None:
    text = said["summary"]
    assert flat("Of 2 headline claims, 1 reproduced and 1 refuted") in text
    for book in BOOKS.values():
        assert book["slug"] in text
        for row in book["claims"]:
            assert flat(prose(row["says"])) in text
        for post in book["card"]["source"]["posts"]:
            assert flat(post["title"]) in text
    for part in ("Not tested", "Inconclusive", "Errors: could not be judged", "Not the source’s scale", "Flags"):
        assert flat(part) in text


def test_documents_are_described(pdfs: dict[str, bytes]) -> None:
    for name, pdf in pdfs.items():
        document = pypdfium2.PdfDocument(pdf)
        meta = document.get_metadata_dict()
        assert meta["Title"]
        assert not meta["Author"]
        assert not meta["CreationDate"]
        assert [entry.get_title() for entry in document.get_toc()], name
        assert b"/Lang" in pdf
        assert b"pdfuaid:part" in pdf or b"pdfuaid" in pdf
    assert pdfs["comparison"].count(b"/Alt") >= 7


def test_the_verdict_is_set_in_one_size_whatever_it_says() -> None:
    sizes = set()
    for outcome in ("reproduced", "refuted", "inconclusive", "error"):

        def turn(book: dict, outcome: str = outcome) -> None:
            book["outcome"] = outcome
            book["claims"][0]["outcome"] = outcome
            book["card"]["figures"] = []

        data, files = task_content(changed(BOOKS["exact"], turn))
        pdf = report.typeset("task.typ", {**data, "rule": ""}, files, "test")
        page = pypdfium2.PdfDocument(pdf)[0]
        text = page.get_textpage()
        found = text.search(f"{outcome.capitalize()} at cpu scale")
        at = found.get_next()
        assert at, outcome
        box = text.get_charbox(at[0] + len(outcome) + 1, loose=True)  # the a of "at"
        sizes.add(round(box[3] - box[1], 1))
    assert len(sizes) == 1
    assert sizes.pop() > 20


def test_smoke_is_no_verdict() -> None:
    def smoke(book: dict) -> None:
        book["tier"] = "smoke"
        for experiment in book["card"]["experiments"]:
            experiment["tiers"]["smoke"] = experiment["tiers"]["cpu"]

    assert flat("its outcomes are no verdicts") in read(report.task_pdf(changed(BOOKS["exact"], smoke)))


def test_build_writes_one_pdf_per_ledger(tmp_path: Path) -> None:
    paths = []
    for name, book in BOOKS.items():
        paths.append(tmp_path / f"{name}.json")
        write_json(paths[-1], fake_ledger.sealed(book))
    begun = time.process_time()
    made = report.build(paths, tmp_path / "out")
    spent = time.process_time() - begun
    assert [path.name for path in made] == ["lion-vs-adamw-cpu.pdf", "duck-sector-probability-cpu.pdf"]
    assert report.build_summary(paths, tmp_path / "out").name == "summary.pdf"
    assert spent < 8  # processor time of two tasks, fonts and libraries included
    assert all(path.read_bytes().startswith(b"%PDF-") for path in made)


def test_a_damaged_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {**BOOKS["exact"], "outcome": "refuted"})
    with pytest.raises(UserError, match="does not match its hash"):
        report.build([path], tmp_path)
    assert not list(tmp_path.glob("*.pdf"))
