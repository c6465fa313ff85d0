"""What the command line prints about tasks, plans and results."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suite import home, ledger, registry
from suite.claims import TIERS
from suite.errors import UserError
from suite.progress import clock

COLOURS = {"reproduced": "green", "refuted": "red", "inconclusive": "yellow", "error": "magenta"}


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 160)


def _coloured(outcome: str | None) -> str:
    return f"[{COLOURS[outcome]}]{outcome}[/]" if outcome in COLOURS else "not tested here"


def verdicts(page: registry.Page) -> dict[str, str]:
    """{tier: the headline's outcome} of the committed ledgers."""
    found = {}
    for tier in TIERS[1:]:
        file = ledger.path(tier, page.name)
        if file.exists():
            try:
                found[tier] = str(ledger.read(file)["outcome"])
            except UserError as error:  # one damaged ledger must not hide the other tasks
                print(f"suite: {error}", file=sys.stderr)
    return found


def headline(card: Mapping[str, Any]) -> Mapping[str, Any]:
    return next(claim for claim in card["claims"] if claim["headline"])


def tiers(card: Mapping[str, Any]) -> list[str]:
    return [t for t in TIERS if any(t in e["tiers"] for e in card["experiments"])]


def listing() -> list[dict[str, Any]]:
    """The rows of ``suite list --json``."""
    found = []
    for page in registry.pages().values():
        try:
            card = registry.card(page)
        except UserError as error:  # one broken page must not hide the others
            print(f"suite: {error}", file=sys.stderr)
            continue
        found.append(
            {
                "slug": page.slug,
                "title": card["title"],
                "family": card["family"],
                "posts": [post["url"] for post in card["source"]["posts"]],
                "claims": len(card["claims"]),
                "headline": headline(card)["says"],
                "tiers": tiers(card),
                "verdicts": verdicts(page),
            }
        )
    return found


def print_list(as_json: bool) -> None:
    rows = listing()
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    width = max((len(row["slug"]) for row in rows), default=0)
    for row in rows:
        last = ", ".join(f"{tier}: {outcome}" for tier, outcome in row["verdicts"].items()) or "not run yet"
        print(f"{row['slug']:<{width}}  {row['claims']:>3} claims  {last}\n{'':<{width}}  {row['headline']}")


def details(page: registry.Page) -> dict[str, Any]:
    """The value of ``suite show --json``."""
    card = registry.card(page)
    names = tiers(card)
    return {
        "slug": page.slug,
        "title": card["title"],
        "family": card["family"],
        "source": card["source"],
        "claims": [
            {
                "id": claim["id"],
                "says": claim["says"],
                "kind": claim["kind"],
                "claimed": claim["clauses"][0]["claimed"] if claim["clauses"] else None,
                "clauses": claim["clauses"],
                "headline": claim["headline"],
                "tested": {tier: claim["untested"].get(tier) or claim["untested"].get("*") or True for tier in names},
                "note": claim["note"],
            }
            for claim in card["claims"]
        ],
        "experiments": card["experiments"],
        "arms": [{"experiment": e["name"], **arm} for e in card["experiments"] for arm in e["arms"]],
        "tiers": names,
        "revision": card["revision"],
        "rule_hash": card["rule_hash"],
        "verdicts": verdicts(page),
    }


def print_task(name: str, as_json: bool, why: bool) -> None:
    page = registry.find(name)
    if why:
        print_why(page)
        return
    found = details(page)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    from suite.quantities import from_json

    print(found["title"])
    print(f"{page.slug} · {found['family']} · revision {found['revision']} · rule {found['rule_hash'][:12]}")
    for post in found["source"]["posts"]:
        print(f"  {post['title']} ({post['date']}) {post['url']}")
    for claim in found["claims"]:
        print(f"\n{claim['id']}{' (headline)' if claim['headline'] else ''}: {claim['says']}")
        for clause in claim["clauses"]:
            needs = f", in at least {clause['needs']} cells" if clause["needs"] else ""
            print(f"    {from_json(clause['quantity'])} in {span(clause['claimed'])}{needs}")
        for tier, tested in claim["tested"].items():
            if tested is not True:
                print(f"    not tested at {tier}: {tested}")
    print("\nexperiments")
    for experiment in found["experiments"]:
        arms = ", ".join(arm["name"] for arm in experiment["arms"])
        sizes = "; ".join(f"{tier}: {value['seeds']} seeds" for tier, value in experiment["tiers"].items())
        print(f"    {experiment['name']}: {arms} ({sizes})")
    print("verdicts: " + (", ".join(f"{t}: {o}" for t, o in found["verdicts"].items()) or "none yet"))


def span(claimed: Sequence[float | None]) -> str:
    """
    >>> span([None, 0.5]), span([2, 2]), span([0, 1])
    ('(-inf, 0.5]', '{2}', '[0, 1]')
    """
    low, high = claimed
    if low == high and low is not None:
        return f"{{{low:g}}}"
    left = "(-inf" if low is None else f"[{low:g}"
    return f"{left}, {'inf)' if high is None else f'{high:g}]'}"


def print_why(page: registry.Page) -> None:
    """Is each committed result stale against the code and the rule, and which piece changed."""
    from suite.request import code_of

    card = registry.card(page)
    found = False
    for tier in TIERS[1:]:
        file = ledger.path(tier, page.name)
        if not file.exists():
            continue
        found = True
        book = ledger.read(file)
        if book["rule_hash"] != card["rule_hash"]:
            print(
                f"{tier}: stale, gathered under another rule ({book['rule_hash'][:12]}, now {card['rule_hash'][:12]})"
            )
            continue
        changed = ledger.stale(book, code_of(card, tier)[1])
        print(
            f"{tier}: {book['outcome']}, "
            + ("made by the code as it stands" if not changed else "stale, changed since:")
        )
        for line in changed:
            print(f"    {line}")
    if not found:
        print(f"no committed result of {page.slug}; make reproduce-{page.slug} makes one")


def print_finished(finished: Any) -> None:
    """The claims with their outcomes and the path of the PDF."""
    from rich.markup import escape
    from rich.table import Table

    book = finished.ledger
    console = _console()
    table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
    table.add_column("claim")
    table.add_column("outcome", no_wrap=True)
    table.add_column("measured")
    table.add_column("claimed")
    table.add_column("n", justify="right")
    for row in ledger.rows(book):
        mark = " *" if row["headline"] else ""
        table.add_row(
            f"[bold]{row['id']}{mark}[/] {escape(row['says'])}",
            _coloured(row["outcome"]),
            _measured(row),
            span(row["claimed"]) if row.get("claimed") else "",
            str(row.get("n") or ""),
        )
    console.print(table)
    for row in ledger.rows(book):
        if row["outcome"] != "reproduced" and row.get("reason"):
            console.print(f"[dim]{row['id']}: {escape(row['reason'])}[/]")
    head = next(row for row in ledger.rows(book) if row["headline"])
    console.print(f"\n[bold]{head['id']} (headline): {_coloured(head['outcome'])}[/] at tier {book['tier']}")
    if book["tier"] == "smoke":
        console.print("The smoke tier checks the machinery; its outcomes are no verdicts.")
    console.print(f"{finished.ran} trials run, {finished.reused} reused, {clock(finished.seconds)}")
    console.print(f"ledger  {_short(finished.file)}")
    if finished.pdf:
        console.print(f"PDF     {_short(finished.pdf)}")


def _measured(row: Mapping[str, Any]) -> str:
    cells = row.get("measured") or []
    if len(cells) > 3:
        return f"{len(cells)} cells, the first {span([_number(end) for end in cells[0]])}"
    return "\n".join(span([_number(end) for end in cell]) for cell in cells)


def _number(value: Any) -> float | None:
    return None if value is None or isinstance(value, str) else float(f"{value:.4g}")


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def build_reports(tasks: Sequence[str], tier: str | None, out: str | None) -> None:
    """Every PDF from the ledgers, the suite's summary, and the generated tables."""
    from suite.report import build, build_summary
    from suite.summary import write_tables

    wanted = {registry.find(name).name for name in tasks}
    files = [file for file in ledger.each(tier) if not wanted or file.stem in wanted]
    if not files:
        raise UserError("no ledger to report; make reproduce-<task> makes one")
    folder = Path(out).resolve() if out else home.reports()
    made = build(files, folder)
    if not wanted:
        made.append(build_summary(files, folder))
        if tier is None:
            write_tables()
    for pdf in made:
        print(_short(pdf))
