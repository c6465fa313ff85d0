"""The command line: one verb each for listing, planning, running, reporting and keeping results.

Exit codes: 0 judged (whatever the verdict), 1 a regression (``diff``, ``doctor``), 2 could not measure or bad input.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from suite.claims import TIERS
from suite.errors import UserError

ABOUT = (
    "Experiment reproduction for machine learning: each claim of a source has a rule, fixed before its data are seen."
)

TIER_HELP = "smoke: seconds, the machinery only; cpu: minutes (default); gpu: one large GPU; hub: real data sets"


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="suite", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(name: str, summary: str, more: str = "") -> argparse.ArgumentParser:
        return verbs.add_parser(
            name,
            help=summary,
            description=f"{summary}.\n\n{more}".strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    made = verb(
        "list",
        "every task with its headline and last verdicts",
        "Reads declarations and ledgers only; imports no page.",
    )
    made.add_argument("--json", action="store_true", help="machine-readable")

    made = verb(
        "show",
        "one task: source, claims with their rules, arms, tiers and last verdicts",
        "--why says for each committed result whether the code that made it still stands, and which piece changed.",
    )
    made.add_argument("task", help="a task's name, with dashes or underscores")
    made.add_argument("--json", action="store_true", help="machine-readable")
    made.add_argument("--why", action="store_true", help="is each committed result stale, and why")

    made = verb(
        "plan",
        "what a run would do: units of work, what is reused and why, expected minutes",
        "Nothing is run.  The expected time is learned from earlier runs on this machine.",
    )
    made.add_argument("task")
    _running(made)
    made.add_argument("--json", action="store_true", help="machine-readable")

    made = verb(
        "run",
        "measure a task, judge its claims, write the ledger and the PDF",
        "Finished trials are reused.  After Ctrl-C, a crash or a kill the same command goes on where it stopped.\n"
        "A run with --only or --set is partial: it is judged and reported, but results/ is left alone.",
    )
    made.add_argument("task", nargs="+", help="one task or several; 'all' for every task")
    _running(made)
    made.add_argument(
        "--executor",
        default="local",
        metavar="NAME",
        help="local: processes of this machine (default); ray: the cluster at RAY_ADDRESS, or a Ray of this machine; "
        "inline: this process",
    )
    made.add_argument("--no-track", action="store_true", help="do not tell MLflow")

    made = verb(
        "report",
        "rebuild PDFs from the ledgers, without training",
        "Without a task: every task's PDF, the summary of the suite, results/README.md and the table in README.md.",
    )
    made.add_argument("task", nargs="*", help="only these tasks")
    made.add_argument("--tier", choices=TIERS, help="only the ledgers of this tier")
    made.add_argument("--out", metavar="FOLDER", help="where the PDFs go (default: reports/)")

    made = verb("dashboard", "open the MLflow dashboard", "Serves the index of all trials until Ctrl-C.")
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, default=5000)

    verb(
        "sync",
        "bring MLflow up to date with the trial records",
        "Idempotent; rebuilds an empty or damaged database from the records.",
    )

    made = verb(
        "adopt",
        "take over records and ledgers made on another machine",
        "FILE is a trial record, a ledger, a folder of them or a .tar/.tar.gz archive.\n"
        "Everything is checked before anything is taken.  A ledger is judged again, by the rule that is committed\n"
        "here, from its trials and from the records that come along; one that concludes otherwise is refused.",
    )
    made.add_argument("file", nargs="+")

    made = verb(
        "diff",
        "compare two ledgers, or two folders of them",
        "By bytes inside a machine class, by verdict across them.\n"
        "0: same, 1: a verdict flipped or an effect moved by more than its noise, 2: could not compare.",
    )
    made.add_argument("old")
    made.add_argument("new")

    made = verb(
        "doctor",
        "check the judge on worlds whose truth is known, and the tasks' own calibration",
        "Without a task: the judge only.  With tasks: also their seeds, repeatability and mutants at the smoke tier.",
    )
    made.add_argument("task", nargs="*")

    made = verb("lock", "fix the rule of a task as it stands on its page", "Done by the first run of a revision too.")
    made.add_argument("task", nargs="+")

    made = verb("new", "start a page from the template", "Writes tasks/<name>.py, which passes the tests as it stands.")
    made.add_argument("task", help="a name such as some-claim")
    return top


def _running(made: argparse.ArgumentParser) -> None:
    made.add_argument("--tier", default="cpu", help=TIER_HELP)
    made.add_argument("--seeds", metavar="N", help="verdict seeds, within what the page declares beforehand")
    made.add_argument("--only", metavar="C1,C4", help="just the experiments that these claims read")
    made.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="sizes",
        help="override a size of the tier, to explore",
    )


def main(arguments: Sequence[str]) -> int:
    """Parse and run one command; bad input is one line on standard error and exit code 2."""
    options = parser().parse_args(arguments)
    try:
        return _VERBS[options.verb](options)
    except UserError as error:
        print(f"suite: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("suite: stopped; finished trials are kept, run the same command again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def request(options: argparse.Namespace) -> Any:
    """The options of ``run`` and ``plan`` as a checked request."""
    from suite.request import Request

    if options.tier not in TIERS:
        raise UserError(f"no tier {options.tier!r}; tiers are {', '.join(TIERS)}")
    seeds = None
    if options.seeds is not None:
        if not (options.seeds.isascii() and options.seeds.isdigit() and len(options.seeds) < 10):
            raise UserError(f"SEEDS takes a whole number, got {options.seeds[:40]!r}")
        seeds = int(options.seeds)
    only = tuple(part.strip() for part in (options.only or "").split(",") if part.strip())
    return Request(
        tier=options.tier,
        seeds=seeds,
        only=only,
        executor=getattr(options, "executor", "local"),
        sizes=dict(_size(text) for text in options.sizes),
        track=not getattr(options, "no_track", False),
    )


def _size(text: str) -> tuple[str, Any]:
    import json

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UserError(f"--set takes NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


# --- Verbs ------------------------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> int:
    from suite import show

    show.print_list(options.json)
    return 0


def _show(options: argparse.Namespace) -> int:
    from suite import show

    show.print_task(options.task, options.json, options.why)
    return 0


def _plan(options: argparse.Namespace) -> int:
    from suite.planned import print_plan

    print_plan(options.task, request(options), options.json)
    return 0


def _run(options: argparse.Namespace) -> int:
    from suite import ledger, registry, show
    from suite.run import run

    asked = request(options)
    names = [name for task in options.task for name in (registry.pages() if task == "all" else [task])]
    if len(names) > 1:  # "all" takes what has the tier; a name that was spelled out must have it
        names = [n for n in names if "all" not in options.task or asked.tier in registry.tiers(registry.find(n))]
    failed = []
    for name in names:
        try:
            finished = run(name, asked)
            show.print_finished(finished)
            if not ledger.measured(finished.ledger):
                raise UserError(f"{name}: no claim could be judged, see the reasons above; nothing was measured")
        except UserError as error:
            if len(names) == 1:
                raise
            failed.append(name)
            print(f"suite: {error}", file=sys.stderr)
    if failed:
        raise UserError(f"{len(failed)} of {len(names)} tasks could not be measured: {', '.join(failed)}")
    return 0


def _report(options: argparse.Namespace) -> int:
    from suite import show

    show.build_reports(options.task, options.tier, options.out)
    return 0


def _dashboard(options: argparse.Namespace) -> int:
    from suite import home, track

    track.dashboard(home.work(), options.port, options.host)
    return 0


def _sync(_options: argparse.Namespace) -> int:
    from suite import home, registry, track

    work = home.work()
    cards = {}
    for page in registry.pages().values():
        try:
            cards[page.slug] = registry.card(page)
        except UserError as error:  # its runs are described by the ledgers' own cards then
            print(f"suite: {error}", file=sys.stderr)
    track.sync(work, work / "trials", work / "runs", home.results(), cards)
    return 0


def _adopt(options: argparse.Namespace) -> int:
    from suite.adopt import adopt

    for line in adopt(options.file):
        print(line)
    return 0


def _diff(options: argparse.Namespace) -> int:
    from suite.diff import compare

    code, lines = compare(options.old, options.new)
    print("\n".join(lines))
    return code


def _doctor(options: argparse.Namespace) -> int:
    from suite.doctor import examine

    return examine(options.task)


def _lock(options: argparse.Namespace) -> int:
    from suite import registry

    for name in options.task:
        page = registry.find(name)
        card, news = registry.lock(page)
        print(news or f"rule of {page.slug} stands: revision {card['revision']}, {card['rule_hash'][:12]}")
    return 0


def _new(options: argparse.Namespace) -> int:
    from suite.new import new

    print(new(options.task))
    return 0


_VERBS = {
    "list": _list,
    "show": _show,
    "plan": _plan,
    "run": _run,
    "report": _report,
    "dashboard": _dashboard,
    "sync": _sync,
    "adopt": _adopt,
    "diff": _diff,
    "doctor": _doctor,
    "lock": _lock,
    "new": _new,
}
