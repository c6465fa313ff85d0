"""Reports: the verdict can be found, every number comes from the ledger, the same ledger gives the same bytes."""

import copy
import json
import re
import subprocess
import sys
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


# --- The same bytes, and no number from elsewhere ---------------------------------------------------


def test_two_processes_give_the_same_bytes(pdfs: dict[str, bytes], tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\nfrom tests import fake_ledger\nfrom suite import report\n"
        "out = pathlib.Path(sys.argv[1])\n"
        "books = [fake_ledger.comparison(), fake_ledger.exact()]\n"
        "(out / 'comparison').write_bytes(report.task_pdf(books[0]))\n"
        "(out / 'exact').write_bytes(report.task_pdf(books[1]))\n"
        "(out / 'summary').write_bytes(report.summary_pdf(books))\n"
        "heavy = {'torch', 'lightning', 'mlflow', 'datasets', 'transformers'} & set(sys.modules)\n"
        "pages = [n for n in sys.modules if n.startswith('tasks')]\n"
        "assert not heavy and not pages, (heavy, pages)\n"
    )
    root = Path(report.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=root)
    for name, pdf in pdfs.items():
        assert (tmp_path / name).read_bytes() == pdf, name


CHANGES = [
    lambda book: book["claims"][0]["cells"][0].update(low=book["claims"][0]["cells"][0]["low"] - 0.011),
    lambda book: book["claims"][0].update(p_raw=0.0213),
    lambda book: book["claims"][3].update(n=5),
    lambda book: book["trials"][0]["metrics"].update(test_loss=0.3333),
    lambda book: book["arms"][0]["tuning"][0].update(value=0.777),
    lambda book: book["calibration"]["c1"].update(false_verdict_rate=0.052),
    lambda book: book["published"][0].update(value=78.1),
    lambda book: book["provenance"]["git"].update(dirty=True),
    lambda book: book["timing"].update(seconds=999.0),
    lambda book: book["timing"]["claims"][0]["cells"][0].update(high=0.88),
]


@pytest.mark.parametrize("index", range(len(CHANGES)))
def test_a_changed_number_changes_the_report(index: int) -> None:
    book = copy.deepcopy(BOOKS["comparison"])
    if index not in (3, 4):  # the pictures take the time
        book["card"]["figures"], book["arms"] = book["card"]["figures"][:1], []
    else:
        book["card"]["figures"] = book["card"]["figures"][:2]
    other = copy.deepcopy(book)
    CHANGES[index](other)  # unsealed: the hash itself is the same, so that only the number can make the difference
    assert _content(other) != _content(book)


def _content(book: dict) -> tuple[str, dict[str, bytes]]:
    data, files = task_content(book)
    return json.dumps(data, sort_keys=True), files


def test_a_changed_number_changes_the_pdf(pdfs: dict[str, bytes]) -> None:
    other = copy.deepcopy(BOOKS["exact"])
    other["published"][0]["value"] = 0.25
    assert report.task_pdf(other) != pdfs["exact"]


def test_no_number_that_the_ledger_does_not_hold() -> None:
    """Numbers of the claims table, one by one: every printed end is the rounding of a number of the ledger."""
    book = {**BOOKS["comparison"], "arms": []}
    book["card"] = {**book["card"], "figures": []}
    held_numbers: list[float] = []

    def gather(value: object) -> None:
        if isinstance(value, bool) or value is None:
            return
        if isinstance(value, int | float):
            held_numbers.append(float(value))
        elif isinstance(value, dict):
            for item in value.values():
                gather(item)
        elif isinstance(value, list):
            for item in value:
                gather(item)

    gather({"claims": book["claims"], "timed": book["timing"]["claims"], "card": book["card"]["claims"]})
    data, _ = task_content(book)
    for entry in data["claims"]:
        for part in entry["parts"]:
            shown = [part["claimed"], *(m["text"] for m in part["measured"]), *(c["estimate"] for c in part["cells"])]
            for text in shown:
                for printed in re.findall(r"[−-]?\d+(?:\.\d+)?", text.replace("×10", "e")):
                    value = float(printed.replace("−", "-"))
                    decimals = len(printed.partition(".")[2])
                    assert any(abs(round(n, decimals) - value) < 1e-9 for n in held_numbers), (entry["id"], text)


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
