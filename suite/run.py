"""Plan, tune, measure, judge, record: one task at one tier.

The coordinator in this file imports neither torch nor a page.  It works from the page's card, sends units to an
executor, writes every finished trial to the store at once and judges from plain numbers.  Running the same command
again goes on where the last one stopped.
"""

import contextlib
import datetime
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite import home, ledger, registry
from suite.errors import UserError
from suite.executors import Executor, check_executor, open_executor
from suite.files import locked, write_json, write_text
from suite.pace import Pace
from suite.plan import Plan, Unit
from suite.progress import Progress, clock, describe
from suite.request import Request, code_of, selected, title, world
from suite.stacks import Stacks
from suite.store import Store, sweep


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A judged run: its ledger, where it was written, and how much was new."""

    ledger: dict[str, Any]
    file: Path
    pdf: Path | None
    ran: int
    reused: int
    seconds: float


def run(name: str, request: Request) -> Finished:
    """Run a task until it is judged; raises UserError with one clear line when it cannot be."""
    page = registry.find(name)
    card, news = registry.lock(page)
    if news:
        print(news, file=sys.stderr)
    store = Store(home.work())
    holding = home.work() / "locks" / f"{page.slug}-{request.tier}.lock"
    with locked(holding, f"another run of {page.slug} at tier {request.tier} is under way; waiting for it"):
        store.sweep(page.slug)
        for folder in (home.results() / request.tier, home.results() / "history", home.reports()):
            sweep(folder)
        return _Run(page, card, request, store).go()


class _Run:
    def __init__(self, page: registry.Page, card: dict[str, Any], request: Request, store: Store) -> None:
        check_executor(request.executor)
        self.page, self.request, self.store = page, request, store
        self.whole = card
        self.card, only = selected(card, request.only)
        self.code, self.parts = code_of(card, request.tier)
        self.world = world(request.tier)
        self.plan = Plan(self.card, request.tier, self.code, self.world, request.seeds, only, request.sizes)
        self.pace = Pace(store.folder, ledger.path(request.tier, page.name))
        self.stacks = Stacks(store.folder, page.slug, self.world)
        self.data: dict[str, str] = {}
        self.used: dict[str, dict[str, Any]] = {}  # trial key -> record
        self.reused: list[str] = []
        self.device = self.world["machine"]["device"]
        self.tracker: Any = None

    # --- The run ------------------------------------------------------------------------------------

    def go(self) -> Finished:
        began = time.monotonic()
        started = now()
        self._recall()
        self.reused = list(self.used)
        self._announce()
        invocation = self._invocation(started)
        with _interruptible(), self._tracking(invocation):
            self.store.write_invocation(invocation)
            try:
                self._measure()
                rows, choices = self._judge()
                while self._look_further(rows):
                    self._measure()
                    rows, choices = self._judge()
            except BaseException as error:
                status = "killed" if isinstance(error, KeyboardInterrupt) else "failed"
                invocation.update(status=status, ended=now(), trials=list(self.used), reused=self.reused)
                with contextlib.suppress(UserError):
                    self.store.write_invocation(invocation)
                if self.tracker is not None:
                    self.tracker.finish(invocation, None)
                raise
            book = self._ledger(rows, choices, time.monotonic() - began)
            file = self._write(book)
            self.store.drop_checkpoints(self.page.slug, self.request.tier)
            verdict = {row["id"]: row["outcome"] for row in rows if row["outcome"]}
            invocation.update(
                status="finished",
                ended=now(),
                verdict=verdict,
                outcome=book["outcome"],
                trials=list(self.used),
                reused=self.reused,
                ledger=_relative(file),
                ledger_hash=ledger.read(file)["hash"],
            )
            self.store.write_invocation(invocation)  # finished, even if no report can be made of it
            made = self._report(file)
            invocation["artifacts"] = [_relative(path) for path in made]
            self.store.write_invocation(invocation)
            if self.tracker is not None:
                self.tracker.finish(invocation, file, made)
        return Finished(
            ledger=book,
            file=file,
            pdf=made[0] if made else None,
            ran=len(self.used) - len(self.reused),
            reused=len(self.reused),
            seconds=time.monotonic() - began,
        )

    def _recall(self) -> None:
        """Take what the store already has."""
        for record in self.plan.recall(lambda key: self.store.get(self.plan.card["slug"], key)):
            self._use(record)

    def _use(self, record: dict[str, Any]) -> None:
        """The record of a trial whose numbers the plan has taken in."""
        self.used[record["key"]] = record
        self.data.update(record.get("data", {}))

    def _missing(self, busy: set[str]) -> list[Unit]:
        missing = [t for t in self.plan.wanted() if t.key not in self.plan.results and t.key not in busy]
        return self.plan.units(missing, self.stacks.stacking)

    def _measure(self) -> None:
        """Send units to the executor until nothing that is wanted is missing."""
        first = self._missing(set())
        if not first:
            return
        progress = Progress(f"{self.page.slug} · {self.request.tier}")
        executor = open_executor(self.request.executor, self.device, progress.event)
        progress.slots = executor.slots
        abandon = True
        try:
            self._schedule(executor, progress)
            abandon = False
        except BrokenExecutor:
            raise UserError(
                "a worker process died (out of memory?); finished trials are kept, run the same command again"
            ) from None
        finally:
            progress.close()
            executor.close(abandon)
            self.pace.save()
            self.stacks.save()

    def _schedule(self, executor: Executor, progress: Progress) -> None:
        waiting: list[Unit] = []
        running: dict[Future[dict[str, Any]], Unit | None] = {}  # None: a preparation
        unprepared: list[Unit] = []
        busy: set[str] = set()
        news = True
        while True:
            for unit in self._missing(busy) if news else ():
                busy |= {t.key for t in unit.trials}
                waiting.append(unit)
                if unit.timed:
                    unprepared.append(unit)
                progress.add(unit, self.pace.expected(unit))
            # The longest first keeps all workers busy to the end; what measures time runs last and alone.
            waiting.sort(key=lambda u: (u.timed, -(self.pace.expected(u) or len(u.trials))))
            if executor.slots > 1 and any(not unit.timed for unit in waiting):
                # What a timed unit can do beforehand, such as compiling, need not keep the machine waiting later.
                while unprepared and len(running) < executor.slots:
                    running[executor.submit({**unprepared.pop().message(), "prepare": True}, None)] = None
            while waiting and len(running) < executor.slots:
                if (waiting[0].timed and running) or any(u is not None and u.timed for u in running.values()):
                    break
                unit = waiting.pop(0)
                progress.start(unit.id)
                running[
                    executor.submit(
                        unit.message(), str(self.store.checkpoints(self.page.slug, self.request.tier, unit.id))
                    )
                ] = unit
            if not running:
                return
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            news = bool(done)  # only results make more trials known
            for future in done:
                unit = running.pop(future)
                if unit is not None:  # if a preparation failed, its unit will say why
                    self._keep(unit, future.result())
                    progress.done(unit.id, future.result()["seconds"])

    def _keep(self, unit: Unit, answer: Mapping[str, Any]) -> None:
        """Write the records of a finished unit."""
        if "error" in answer:
            log = self.store.folder / "logs" / f"{unit.id}.txt"
            with contextlib.suppress(UserError):  # what went wrong matters more than its traceback
                write_text(log, str(answer["traceback"]))
            first = unit.trials[0].identity
            reason = answer["error"].splitlines()[0][:300]
            raise UserError(f"{self.page.slug}: {describe(first)} failed: {reason} (traceback in {log})")
        share = answer["seconds"] / len(unit.trials)
        records = [
            {
                **trial.identity,
                "key": trial.key,
                "tier": self.request.tier,
                "revision": self.card["revision"],
                "rule_hash": self.whole["rule_hash"],
                "metrics": metrics,
                "data": answer["data"],
                "seconds": share,
                "unit": unit.id,
                "written": now(),
            }
            for trial, metrics in zip(unit.trials, answer["metrics"], strict=True)
        ]
        kept = self.store.put(records)
        self.store.drop_checkpoints(self.page.slug, self.request.tier, unit.id)
        self.pace.learn(unit, answer["seconds"])
        self.stacks.learn(unit, answer["seconds"])
        for record in kept:
            self.plan.take(record)
            self._use(record)
        if self.tracker is not None:
            self.tracker.trials(kept)

    # --- The verdict --------------------------------------------------------------------------------

    def _evidence(self, tuning: bool) -> list[dict[str, Any]]:
        """The verdict trials in the order of the page, with the tuning trials where asked for."""
        found = []
        for experiment, arm, at in self.plan.places():
            wanted = self.plan.tuning_trials(experiment, arm, at) if tuning else []
            wanted += self.plan.verdict_trials(experiment, arm, at)
            found += [
                shown(self.used[trial.key], self.plan.results[trial.key]) for trial in wanted if trial.key in self.used
            ]
        return found

    def _judge(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        from suite.judge import judge

        choices = self.plan.choices()
        evidence = self._evidence(tuning=True)
        return judge(self.card, self.request.tier, evidence, choices, seeds=self.request.seeds), choices

    def _look_further(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Move experiments that still hold an undecided claim to their next planned look."""
        from suite.judge import unsettled

        moved = False
        for experiment in self.plan.experiments:
            looks = experiment["tiers"][self.request.tier]["looks"]
            at = self.plan.looks.get(experiment["name"], 0)
            if (
                self.plan.number_of_seeds(experiment) in looks
                and at + 1 < len(looks)
                and unsettled(self.card, rows, experiment["name"])
            ):
                self.plan.looks[experiment["name"]] = at + 1
                moved = True
        return moved

    def _ledger(self, rows: list[dict[str, Any]], choices: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
        from suite.calibration import calibrate
        from suite.judge import published_rows

        trials, everything = self._evidence(tuning=False), self._evidence(tuning=True)
        tier = self.request.tier
        if not any(row["headline"] for row in rows):  # ONLY= without the headline: the first claim asked for stands in
            rows = [{**row, "headline": i == 0} for i, row in enumerate(rows)]
        timed = [e["name"] for e in self.plan.experiments if e["timed"]]
        spent: dict[str, dict[str, float]] = {}
        for record in self.used.values():
            entry = spent.setdefault(record["experiment"], {"seconds": 0.0, "trials": 0})
            entry["seconds"] += record["seconds"]
            entry["trials"] += 1
        provenance = {
            "code": {name: {"hash": self.code[name], "parts": self.parts[name]} for name in self.code},
            "versions": self.world["versions"],
            "machine": self.world["machine"],
            "git": home.git_state(),
            "data": dict(sorted(self.data.items())),
            "seeds": {e["name"]: self.plan.seeds_now(e) for e in self.plan.experiments},
            "sizes": {e["name"]: self.plan.sizes_of(e) for e in self.plan.experiments},
        }
        timing = {
            "measured": max((r["written"] for r in self.used.values()), default=now()),
            "seconds": sum(entry["seconds"] for entry in spent.values()),
            "per_experiment": spent,
        }
        return ledger.compose(
            self.card,
            tier,
            rows=rows,
            choices=choices,
            trials=trials,
            timed=timed,
            calibration=calibrate(self.card, tier, everything, choices, rows),
            published=published_rows(self.card, tier, everything, choices),
            provenance=provenance,
            timing=timing,
        )

    def _write(self, book: dict[str, Any]) -> Path:
        if self.request.partial:
            file = self.store.folder / "partial" / self.request.tier / f"{self.page.name}.json"
            write_json(file, book)
            return file
        file = ledger.path(self.request.tier, self.page.name)
        if self._stands(book, file):
            return file
        moved = ledger.write(book, file)
        if moved:
            print(
                f"the earlier ledger (another rule or another verdict) is kept as {_relative(moved)}",
                file=sys.stderr,
            )
        return file

    def _stands(self, book: Mapping[str, Any], file: Path) -> bool:
        """Whether the ledger on disk says the same already, made from these very trials at whatever commit."""
        if len(self.used) > len(self.reused) or not file.exists():
            return False
        try:
            old = ledger.read(file)
        except UserError:
            return False
        apart = ("provenance", "hash", "timing")
        same = {k: v for k, v in old.items() if k not in apart} == {k: v for k, v in book.items() if k not in apart}
        before, now_ = ({k: v for k, v in b["provenance"].items() if k != "git"} for b in (old, book))
        return same and before == now_

    def _report(self, file: Path) -> list[Path]:
        """The PDF and the figures as files; without typst or matplotlib the ledger stands alone, with the next step."""
        folder = self.store.folder / "partial" if self.request.partial else home.reports()
        folder = folder / "smoke" if self.request.tier == "smoke" else folder
        try:
            from suite.report import build_with_pictures

            return build_with_pictures(file, folder)
        except ImportError as error:
            print(f"no PDF: {error.name} is not installed here; carry {file.name} home, suite adopt", file=sys.stderr)
            return []

    # --- Around it ----------------------------------------------------------------------------------

    def _announce(self) -> None:
        units = self._missing(set())
        wanted = self.plan.wanted()
        print(title(self.whole, self.request.tier), file=sys.stderr)
        expected = self.pace.total(units)
        about = "" if expected is None or not units else f", about {clock(expected / home.workers())}"
        more = (
            " (and the verdict trials that tuning will choose)"
            if any(u.trials[0].identity["seed"]["purpose"] == "tune" for u in units)
            else ""
        )
        print(
            f"{len(self.reused)} trials reused, {len(wanted) - len(self.reused)} to run{more}{about}",
            file=sys.stderr,
            flush=True,
        )

    def _invocation(self, started: str) -> dict[str, Any]:
        return {
            "id": f"{started.replace(':', '').replace('-', '')}-{secrets.token_hex(3)}",
            "slug": self.page.slug,
            "tier": self.request.tier,
            "started": started,
            "ended": None,
            "status": "running",
            "trials": [],
            "reused": self.reused,
            "verdict": {},
            "outcome": None,
            "revision": self.card["revision"],
            "rule_hash": self.whole["rule_hash"],
            "git": home.git_state(),
            "versions": self.world["versions"],
            "machine": self.world["machine"],
            "ledger": None,
            "argv": [Path(sys.argv[0]).name, *sys.argv[1:]],
        }

    @contextlib.contextmanager
    def _tracking(self, invocation: dict[str, Any]) -> Iterator[None]:
        if not self.request.track:
            yield
            return
        from suite import track

        self.tracker = track.Tracker(home.work())
        self.tracker.begin(invocation, self.card)
        if self.reused:
            self.tracker.trials([self.used[key] for key in self.reused], reused=True)
        try:
            yield
        finally:
            self.tracker.close()


def shown(record: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """A record as the ledger lists it, with its numbers as the plan has taken them in."""
    found = {name: record[name] for name in ("experiment", "arm", "at", "setting", "seed")}
    return {**found, "metrics": metrics}


def now() -> str:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0).isoformat()


def _relative(path: Path) -> str:
    return str(path.relative_to(home.ROOT)) if path.is_relative_to(home.ROOT) else str(path)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Make SIGTERM end a run the way Ctrl-C does: workers are stopped, finished trials are kept.

    An interrupt may fall into C code that makes another error of it, as matplotlib's does; it ends as an interrupt.
    """
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def stop(_number: int, _frame: Any) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, stop)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, or somebody else's
        before[signal.SIGINT] = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except Exception as error:
        if asked:
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
