"""``suite sync``: fill an empty or partial MLflow from the files, through the very code that writes while running."""

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.errors import UserError
from suite.files import locked
from suite.track import invocation as about
from suite.track.held import Held, cards_of
from suite.track.place import available, tracking_uri
from suite.track.tracker import start_child

if TYPE_CHECKING:
    from mlflow.tracking.client import MlflowClient

Say = Callable[[str], None]
_AT_ONCE = 500


@dataclass(frozen=True)
class Synced:
    """How many invocations there are and how many runs had to be written for them."""

    invocations: int
    written: int


def sync(
    home: Path,
    trials: Path,
    runs: Path,
    results: Path,
    cards: Mapping[str, Mapping[str, Any]] | None = None,
    say: Say = print,
) -> Synced:
    """Bring MLflow up to what the files hold; doing it again changes nothing.

    trials   the folder of the trial records, ``<slug>/<k2>/<key>.json``
    runs     the folder of the invocation records, ``<slug>/<id>.json``
    results  the folder of the ledgers, ``<tier>/<page>.json``
    cards    the cards of the pages by slug; a missing one is taken from a ledger

    Runs in a process of its own.  Raises UserError when MLflow cannot be written.
    """
    if not available():
        raise UserError("mlflow is not installed, so there is nothing to fill; pip install mlflow, then: suite sync")
    order = {"trials": os.path.abspath(trials), "runs": os.path.abspath(runs), "results": os.path.abspath(results)}
    try:
        Path(home).mkdir(parents=True, exist_ok=True)
        found = {"again": True}
        for _ in range(2):  # a second process, if the first one had to mend the database
            if "again" in found:
                found = relay(start_child(home, "sync"), {**order, "cards": dict(cards or {})}, say)
    except OSError as error:
        raise UserError(f"cannot write {home}: {error.strerror or error}") from None
    if "again" in found:
        raise UserError(f"MLflow cannot be written: {tracking_uri(home)} was mended and still cannot be used")
    return Synced(found["invocations"], found["written"])


def relay(child: subprocess.Popen[bytes], order: Mapping[str, Any] | None, say: Say) -> dict[str, Any]:
    """Give a process of ours its order, pass on what it says, and return its last answer; its failure is one line."""
    answers: dict[str, Any] = {"failed": "its process ended early"}
    try:
        with child as running:
            assert running.stdin is not None
            assert running.stdout is not None
            with contextlib.suppress(BrokenPipeError), running.stdin:
                running.stdin.write(json.dumps(order, default=str).encode() + b"\n")
            for line in running.stdout:
                answer = json.loads(line)
                if "say" in answer:
                    say(answer["say"])
                answers |= answer
    except BaseException:
        child.kill()
        raise
    if "done" not in answers:
        raise UserError(f"MLflow cannot be written: {answers['failed']}")
    return answers


def rebuild(
    home: Path, trials: Path, runs: Path, results: Path, cards: Mapping[str, Mapping[str, Any]], say: Say
) -> Synced | None:
    """What ``sync`` does, in this process; None when the database had to be mended and another process must do it."""
    from suite.track.database import open_client, repair, set_damaged_aside
    from suite.track.write import close_dead

    known = {**cards_of(results), **cards}
    folders = [path for folder in (trials, runs) if folder.is_dir() for path in folder.iterdir() if path.is_dir()]
    done = Synced(0, 0)
    with locked(Path(home) / ".sync.lock", "waiting for another sync"):
        set_damaged_aside(home, say)
        try:
            client = open_client(home)
            close_dead(client)
            for slug in sorted({path.name for path in folders}):
                one = _task(client, home, Held(slug, trials, runs, results, say), known.get(slug), say)
                done = Synced(done.invocations + one.invocations, done.written + one.written)
        except Exception as error:
            if repair(home, error, say):
                return None
            raise
    return done


def _task(client: "MlflowClient", home: Path, held: Held, card: Mapping[str, Any] | None, say: Say) -> Synced:
    """Write what is missing of one task."""
    from suite.track.write import DONE, Writer, experiment_of, is_live, present

    seen = present(client, experiment_of(client, home, held.slug, card))
    told = [*held.invocations, *([] if seen.live else held.orphans())]
    written = 0
    for one in told:
        title = f"{held.slug}  {about.name(one)}"
        before = seen.parents.get(one["id"])
        if before and is_live(before[1]):
            say(f"{title}  is being written by its own run")
            continue
        writer = Writer(client, home)
        writer.begin(one, card, seen)
        measured, reused = held.used(one)
        for start in range(0, len(measured), _AT_ONCE):
            writer.trials(measured[start : start + _AT_ONCE])
            if start:
                say(f"{title}  {start + _AT_ONCE} of {len(measured)} trials looked at")
        writer.trials(reused, reused=True)
        writer.flush()
        if before is None or before[1] != DONE or writer.written:
            writer.finish(one, held.ledger(one), held.artifacts(one), newest=held.newest(one))
        written += writer.written
        say(f"{title}  " + (f"{writer.written} runs written" if writer.written else "nothing was missing"))
    return Synced(len(told), written)
