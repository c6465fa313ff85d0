"""Take over records and ledgers that were made on another machine (a GPU node without a network, say).

Everything is read in memory and checked before a byte is written: schema, checksum or hash, names, and for a ledger
the rule that is locked here.  A ledger is judged again, from its own trials and from the records that come along or
are here already, and one that concludes otherwise is refused.  Archives are never unpacked onto the disk, links in
them are not followed, and nothing in them is executed.
"""

import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from suite import home, ledger, registry
from suite.canonical import canonical
from suite.declare import RULE_KEYS
from suite.errors import UserError
from suite.files import write_json
from suite.rejudge import follows
from suite.request import code_of
from suite.store import Store

LARGEST = 256 * 2**20  # bytes of one member; a ledger is a few megabytes at most


def adopt(files: Iterable[str]) -> list[str]:
    """Merge the files; returns a line for each kind of thing that was taken or was there already."""
    documents = [pair for name in files for pair in _documents(Path(name))]
    if not documents:
        raise UserError("nothing to adopt: the files hold no record and no ledger")
    store = Store(home.work())
    records: list[dict[str, Any]] = []
    books: list[tuple[str, dict[str, Any]]] = []
    runs: list[dict[str, Any]] = []
    for name, value in documents:  # check all before writing any
        if isinstance(value, dict) and "checksum" in value:
            problem = store.problem(value)
            if problem:
                raise UserError(f"{name} {problem}; nothing was adopted")
            store.path(value["slug"], value["key"])
            records.append(value)
        elif isinstance(value, dict) and "provenance" in value:
            books.append((name, _ledger(name, value)))
        elif isinstance(value, dict) and "trials" in value and "started" in value:
            runs.append(_run(name, value, store))
        elif not isinstance(value, dict) or "schema" in value:
            raise UserError(f"{name} is neither a trial record nor a ledger; nothing was adopted")
    coming = {record["key"]: record for record in records}
    found = [_judged_again(name, book, coming, store) for name, book in books]
    lines = []
    new = sum(not path.exists() for path in {store.path(r["slug"], r["key"]) for r in records})
    store.put({k: v for k, v in r.items() if k != "checksum"} for r in records)
    if records:
        lines.append(f"{new} trial records adopted, {len(records) - new} were here already")
    for run in runs:
        if not store.run_path(run).exists():
            store.write_invocation(run)
    for (name, book), remarks in zip(books, found, strict=True):
        page = registry.find(book["slug"])
        target = ledger.path(book["tier"], page.name)
        moved = ledger.write(book, target)
        lines.append(
            f"{name}: {book['slug']} at tier {book['tier']}, {book['outcome']}"
            + (f" (the earlier one is kept as {moved.name})" if moved else "")
        )
        lines += remarks
    return [*lines, "suite report rebuilds the PDFs, suite sync fills MLflow"]


def _run(name: str, value: dict[str, Any], store: Store) -> dict[str, Any]:
    """The record of a run; the files that it names lie on the other machine, and here they would be other files."""
    lists = (value.get("trials"), value.get("reused") or [])
    try:
        store.run_path(value)
        if not all(isinstance(keys, list) and all(isinstance(key, str) for key in keys) for keys in lists):
            raise UserError("lists its trials as no run does")
        canonical(value)
    except (KeyError, UserError, ValueError, RecursionError) as error:
        raise UserError(f"{name}: {error}; nothing was adopted") from None
    return {field: entry for field, entry in value.items() if field != "artifacts"}


def _ledger(name: str, value: dict[str, Any]) -> dict[str, Any]:
    staging = home.work() / "adopt" / "candidate.json"
    try:
        write_json(staging, value)
        book = ledger.read(staging)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name} is not a ledger ({error}); nothing was adopted") from None
    except UserError as error:
        raise UserError(str(error).replace(str(staging), name) + "; nothing was adopted") from None
    finally:
        staging.unlink(missing_ok=True)
    page = registry.find(book["slug"])
    if registry.card(page)["rule_hash"] != book["rule_hash"]:
        raise UserError(
            f"{name} was gathered under another rule of {page.slug} ({book['rule_hash'][:12]!r}); nothing was adopted"
        )
    rule = registry.card(page)
    if book["revision"] != rule["revision"] or any(book["card"].get(key) != rule[key] for key in RULE_KEYS):
        raise UserError(f"{name} tells another rule of {page.slug} than the one it names; nothing was adopted")
    return book


def _judged_again(name: str, book: dict[str, Any], coming: Mapping[str, Mapping[str, Any]], store: Store) -> list[str]:
    """What is to be said of a ledger that follows from its records and the committed rule."""
    card = registry.card(registry.find(book["slug"]))

    def record(key: str) -> Mapping[str, Any] | None:
        return coming.get(key) or store.get(book["slug"], key)

    try:
        followed = follows(book, card, record)
    except UserError as error:
        raise UserError(f"{name} {error}; nothing was adopted") from None
    lines = [f"  judged again from {followed.trials} trials, {followed.recorded} of them with a record here"]
    changed = ledger.stale(book, code_of(card, book["tier"])[1])
    if changed:
        rest = " …" if len(changed) > 3 else ""
        pieces = "".join(c if c.isprintable() else "?" for c in "; ".join(changed[:3]))
        lines.append(f"  stale: made by other code than stands here, {pieces}{rest}")
    if any(book["card"].get(part) != card.get(part) for part in card.keys() | book["card"].keys()):
        lines.append("  its page's words or figures are not those of the page here; the PDF shows the ledger's")
    return lines


def _documents(path: Path) -> Iterator[tuple[str, Any]]:
    if not path.exists():
        raise UserError(f"no file {path}")
    try:
        yield from _read(path)
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error or 'cut short'}); nothing was adopted") from None


def _read(path: Path) -> Iterator[tuple[str, Any]]:
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            if file.is_file():
                yield str(file), _parse(str(file), file.read_bytes())
        return
    if not path.is_file():
        raise UserError(f"{path} is neither a file nor a folder; nothing was adopted")
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and member.name.endswith(".json"):
                    if member.size > LARGEST:
                        raise UserError(
                            f"{path}: {member.name} has {member.size} bytes, no record has; nothing was adopted"
                        )
                    handle = archive.extractfile(member)
                    if handle is not None:
                        yield f"{path}: {member.name}", _parse(member.name, handle.read())
        return
    yield str(path), _parse(str(path), path.read_bytes())


def _parse(name: str, data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise UserError(f"{name} is not JSON (damaged or cut short); nothing was adopted") from None
