"""Reports: ledgers become PDFs, one for each task and one for the suite.

Typst sets them from templates beside this file; data travel as JSON and are never read as markup.  Nothing is trained
and no task is imported.  The same ledger gives the same bytes: no clock, no system font, no number that the ledger
does not hold.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suite import ledger
from suite.errors import UserError
from suite.files import write_bytes
from suite.report.glyphs import check

FOLDER = Path(__file__).resolve().parent
FONTS = FOLDER / "fonts"


def build(ledger_paths: Sequence[Path], out_dir: Path) -> list[Path]:
    """Write ``<slug>-<tier>.pdf`` for every ledger; returns the PDFs in the same order.

    UserError for a damaged ledger, a character that no bundled font has, or a page that cannot be set.
    """
    made = []
    for path in ledger_paths:
        book = ledger.read(Path(path))
        target = Path(out_dir) / f"{book['slug']}-{book['tier']}.pdf"
        write_bytes(target, task_pdf(book))
        made.append(target)
    return made


def build_with_pictures(path: Path, out_dir: Path) -> list[Path]:
    """Write one ledger's PDF and, below ``figures/<slug>-<tier>/``, its figures as SVG; the PDF comes first."""
    book = ledger.read(Path(path))
    name = f"{book['slug']}-{book['tier']}"
    data, files = _content(book)
    made = {Path(out_dir) / f"{name}.pdf": typeset("task.typ", data, files, f"{book['slug']}, {book['tier']}")}
    made |= {Path(out_dir) / "figures" / name / picture: svg for picture, svg in files.items()}
    for target, content in made.items():
        write_bytes(target, content)
    return list(made)


def build_summary(ledger_paths: Sequence[Path], out_dir: Path) -> Path:
    """Write ``summary.pdf`` over all the ledgers."""
    target = Path(out_dir) / "summary.pdf"
    write_bytes(target, summary_pdf([ledger.read(Path(path)) for path in ledger_paths]))
    return target


def task_pdf(book: Mapping[str, Any]) -> bytes:
    """The report of one ledger as PDF bytes."""
    data, files = _content(book)
    return typeset("task.typ", data, files, f"{book['slug']}, {book['tier']}")


def summary_pdf(books: Sequence[Mapping[str, Any]]) -> bytes:
    """The suite's summary as PDF bytes."""
    from suite.report.summary_content import summary_content

    if not books:
        raise UserError("a summary needs at least one ledger; make reproduce-<task> makes one")
    return typeset("summary.typ", summary_content(books), {}, "summary")


def pictures(book: Mapping[str, Any]) -> dict[str, bytes]:
    """The figures of a ledger as {"figure-1.svg": bytes}, in the order of the report."""
    return _content(book)[1]


def _content(book: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    from suite.report.content import task_content

    data, files = task_content(book)
    return {**data, "rule": book["rule_hash"][:16]}, files


def typeset(template: str, data: Mapping[str, Any], files: Mapping[str, bytes], document: str) -> bytes:
    """A PDF from a template beside this file, its data and its pictures."""
    import typst

    missing = [name for name in ("task.typ", "summary.typ", "style.typ") if not (FOLDER / name).is_file()]
    if missing or not any(FONTS.glob("*.otf")):
        raise UserError(
            f"suite/report lacks {', '.join(missing) or 'its fonts'}; restore it from git or install the suite again"
        )
    check(data, files, document)
    sources = {
        "main.typ": (FOLDER / template).read_bytes(),
        "style.typ": (FOLDER / "style.typ").read_bytes(),
        "data.json": json.dumps(data, ensure_ascii=False, sort_keys=True).encode(),
        **files,
    }
    try:
        # PDF/UA-1: tagged, with a language, a title and a description of every picture, so that it can be read aloud.
        pdf, warnings = typst.compile_with_warnings(  # type: ignore[call-overload] - the stub knows no mapping of files
            sources, format="pdf", ignore_system_fonts=True, font_paths=[str(FONTS)], pdf_standards=["ua-1"]
        )
    except typst.TypstError as error:
        raise UserError(f"{document}: Typst cannot set the report: {str(error).splitlines()[0][:300]}") from None
    if warnings:  # an unknown face, text that did not converge: the page would not be what the template says
        raise UserError(f"{document}: Typst warns: {str(warnings[0]).splitlines()[0][:300]}")
    return pdf
