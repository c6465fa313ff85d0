"""Reports: the verdict can be found, every number comes from the ledger, the same ledger gives the same bytes,
no character is lost, and no string of a ledger can do more than be read."""

import copy
import json
import re
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pypdfium2
import pytest
from fontTools.ttLib import TTFont

from suite import report
from suite.errors import UserError
from suite.files import write_json
from suite.report import glyphs
from suite.report.claims_content import certainty, claim_entry, held, verdict_words
from suite.report.content import task_content
from suite.report.docstring import parse, sections
from suite.report.fonts import subset
from suite.report.numbers import BREAK, THIN, interval, number, prose
from suite.report.strips import strip
from suite.report.summary_content import holm, summary_content
from tests import fake_ledger

BOOKS = {"comparison": fake_ledger.comparison(), "exact": fake_ledger.exact()}
FONTS = Path(report.__file__).parent / "fonts"


def read(pdf: bytes) -> str:
    """The text of a PDF, with soft breaks and line ends taken out."""
    document = pypdfium2.PdfDocument(pdf)
    pages = [page.get_textpage().get_text_range() for page in document]
    return flat("\n".join(pages))


def flat(text: str) -> str:
    text = text.replace(BREAK, "").replace("\u00ad", "").replace("\ufffe", "").replace(THIN, " ")
    return re.sub(r"\s+", "", text)


@pytest.fixture(scope="module")
def pdfs() -> dict[str, bytes]:
    found = {name: report.task_pdf(book) for name, book in BOOKS.items()}
    return {**found, "summary": report.summary_pdf(list(BOOKS.values()))}


@pytest.fixture(scope="module")
def said(pdfs: dict[str, bytes]) -> dict[str, str]:
    return {name: read(pdf) for name, pdf in pdfs.items()}


def changed(book: dict, change) -> dict:
    found = copy.deepcopy(book)
    change(found)
    return fake_ledger.sealed(found)


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
    assert flat("lion at batch 512: its best lr, 0.02, is the largest of its grid") in text
    assert flat("It speaks of ViT, T5 and 7B language models") in text
    assert flat("The paper itself reports that Lion loses its edge") in text
    assert "4.1%" in text
    assert "77.9%" in text
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


# --- Glyphs ---------------------------------------------------------------------------------------


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


def inside_the_page(pdf: bytes) -> bool:
    """No character stands outside the paper's printable width."""
    for page in pypdfium2.PdfDocument(pdf):
        text = page.get_textpage()
        width = page.get_width()
        for index in range(0, text.count_chars(), 7):
            left, _, right, _ = text.get_charbox(index)
            if right > width - 40 or (left < 40 and right > left):
                return False
    return True


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
