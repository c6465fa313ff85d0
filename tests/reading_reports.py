"""What the tests of the report share: two ledgers, their PDFs, and the text in a PDF."""

import copy
import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdfium2

from suite import report
from suite.report.numbers import BREAK, THIN
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


def changed(book: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    found = copy.deepcopy(book)
    change(found)
    return fake_ledger.sealed(found)


@functools.cache
def made(name: str) -> bytes:
    """The PDF of one of the two ledgers, or of the summary over both."""
    return report.summary_pdf(list(BOOKS.values())) if name == "summary" else report.task_pdf(BOOKS[name])


PDFS = (*BOOKS, "summary")


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
