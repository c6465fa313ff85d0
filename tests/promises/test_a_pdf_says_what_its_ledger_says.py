"""Two renders are equal byte for byte, no number comes from elsewhere, no glyph is missing, and no string of a ledger
can do more than be read.
"""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pypdfium2
import pytest

from suite import report
from suite.errors import UserError
from suite.report.content import task_content
from suite.report.numbers import prose
from tests.reading_reports import BOOKS, PDFS, changed, flat, inside_the_page, made, read


@pytest.fixture(scope="module")
def pdfs() -> dict[str, bytes]:
    return {name: made(name) for name in PDFS}


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


# --- Glyphs ---


def embedded_notdef(pdf: bytes) -> int:
    """How many characters of a PDF were set without a glyph: pypdfium maps them to U+FFFD or U+0000."""
    document = pypdfium2.PdfDocument(pdf)
    text = "".join(page.get_textpage().get_text_range() for page in document)
    return sum(character in "\ufffd\x00" for character in text)


def test_no_missing_glyph(pdfs: dict[str, bytes]) -> None:
    for pdf in pdfs.values():
        assert embedded_notdef(pdf) == 0


def test_an_unchecked_missing_glyph_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above can fail: without the guard a lost character is found in the PDF, or Typst itself refuses."""
    monkeypatch.setattr(report, "check", lambda *_: None)
    book = changed(BOOKS["exact"], lambda b: b["card"].update(title="a duck 🦆"))
    try:
        pdf = report.task_pdf(book)
    except UserError:
        return
    assert embedded_notdef(pdf) > 0 or "🦆" not in read(pdf)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a duck 🦆", "U+1F986 DUCK"),
        ("שלום", "HEBREW LETTER SHIN"),
        ("left \u202eright", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("bell \x07", "U+0007"),
        ("rare 龘", "U+9F98"),
        ("join\u200d", "U+200D"),
    ],
)
def test_a_missing_glyph_is_an_error_that_says_where(text: str, name: str) -> None:
    book = changed(BOOKS["exact"], lambda b: b["claims"][1].update(says=text))
    with pytest.raises(UserError) as caught:
        report.task_pdf(book)
    message = str(caught.value)
    assert name in message
    assert "duck-sector-probability, cpu, claims / c2 / says" in message
    assert "subset.py" in message
    assert "\n" not in message


def test_a_missing_glyph_in_a_figure_is_an_error() -> None:
    def rename(book: dict) -> None:
        book["card"]["figures"][0]["labels"] = [f"n 🦆 {n}" for n in range(5)]

    with pytest.raises(UserError, match=r"figure-1\.svg.*DUCK"):
        report.task_pdf(changed(BOOKS["exact"], rename))


# --- Hostile strings --------------------------------------------------------------------------------

EVIL = [
    '#panic("x") #read("/etc/passwd") #import "@preview/x:1.0.0": *',
    "$ sum_(i=0)^n x_i $ \\ \\n \\u{1F986} @ref <label> *bold* _it_ `raw` = heading // comment /* */ ~ ' \"",
    "</text><script>alert(1)</script> & &amp; {{json}} %PDF-1.7 {} [] ()",
    "x" * 10_000,
    "word " * 2_000,
    "https://example.org/" + "a/b-c_d." * 300,
    "line\nbreaks\tand   spaces",
    "-" * 3_000,
    " ",
]


@pytest.mark.parametrize("text", EVIL, ids=range(len(EVIL)))
def test_hostile_strings_are_only_text(text: str) -> None:
    def spoil(book: dict) -> None:
        book["card"]["title"] = text[:2000]
        book["card"]["doc"] = f"{text}\n\nNot the post's scale: {text}\nKnown to bite: {text}"
        book["card"]["source"]["posts"][0]["title"] = text
        book["card"]["source"]["papers"] = [text]
        book["card"]["mutants"][0]["says"] = text
        book["published"][0].update(what=text, where=text, note=text)
        for row, claim in zip(book["claims"], book["card"]["claims"], strict=False):
            row["says"] = claim["says"] = text
            row["reason"] = row["quantity"] = text
        book["claims"][1].update(outcome="inconclusive", edge=[text])
        book["claims"][2].update(outcome=None)
        book["claims"][0]["cells"][0]["label"] = text
        book["card"]["figures"] = [{**book["card"]["figures"][0], "title": text.strip() or "t", "caption": text}]
        book["provenance"]["data"] = {text[:200]: text[:200]}

    book = changed(BOOKS["exact"], spoil)
    pdf = report.task_pdf(book)
    assert flat(prose(text)) in read(pdf) or not text.strip()
    assert inside_the_page(pdf)
    assert inside_the_page(report.summary_pdf([book]))
