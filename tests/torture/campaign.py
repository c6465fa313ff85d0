"""Worlds in which runs are stopped or their disk fails, and what must hold afterwards.

Acknowledged trials are never lost, never doubled, never half read; one clear line says what is wrong; and the run that
goes on ends with the very files of a run that was left alone.
"""

import random
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.canonical import canonical
from suite.errors import UserError
from suite.files import read_json
from suite.store import Store
from tests.torture.nursery import Ended, Nursery
from tests.torture.traps import Trap

SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT")
ERRORS = ("ENOSPC", "EIO", "EACCES")
# Where a run is stopped: (kinds of calls, part of the path), in words.
POINTS: dict[str, tuple[tuple[str, ...], str]] = {
    "between trials": (("kept",), ""),
    "in a trial": (("step",), ""),
    "before a trial": (("measure",), ""),
    "in a checkpoint's write": (("write",), "/checkpoints/"),
    "before a checkpoint's rename": (("replace",), "/checkpoints/"),
    "in a record's write": (("write",), "/trials/"),
    "before a record is flushed": (("fsync",), "/trials/"),
    "before a record's rename": (("replace",), "/trials/"),
    "in a network's write": (("write",), "/networks/"),
    "before a network's rename": (("replace",), "/networks/"),
    "in the run's own record": (("write",), "/runs/"),
    "in the ledger's write": (("write",), "/results/"),
    "before the ledger's rename": (("replace",), "/results/"),
    "in the report's write": (("write",), "/reports/"),
    "before the report's rename": (("replace",), "/reports/"),
}
ONCE = ("/results/", "/reports/")  # written once a run: only the first call can be met for sure


def trap(point: str, nth: int, does: str) -> Trap:
    at, where = POINTS[point]
    return {"at": list(at), "where": where, "nth": 1 if where in ONCE else nth, "does": does}


@dataclass
class Figures:
    """What a campaign did and what it found."""

    kills: int = 0
    faults: int = 0
    worlds: int = 0
    losses: list[str] = field(default_factory=list)

    def note(self, where: str, problems: Sequence[str]) -> None:
        self.losses += [f"{where}: {problem}" for problem in problems]


@dataclass(frozen=True)
class Case:
    """A page at a tier, and the files of the run that was left alone."""

    nursery: Nursery
    words: tuple[str, ...]
    locks: Path
    draft: bool
    files: dict[str, bytes]
    calls: list[str]
    seconds: float

    def world(self, base: Path) -> "World":
        shutil.rmtree(base, ignore_errors=True)
        shutil.copytree(self.locks, base / "world" / "locks")
        return World(self, base)


def case(nursery: Nursery, base: Path, locks: Path, slug: str, tier: str = "cpu", draft: bool = False) -> Case:
    """Run a page once and leave it alone; ``locks`` holds its rule already."""
    words = ("run", slug, "--tier", tier, "--executor", "inline", "--no-track")
    found = Case(nursery, words, locks, draft, {}, [], 0.0)
    world = found.world(base / "whole")
    started = time.perf_counter()
    ended = world.run()
    assert ended.code == 0, ended.err
    return Case(nursery, words, locks, draft, world.files(), ended.calls, time.perf_counter() - started)


def content(path: Path) -> bytes:
    """What must be the same: of a record all but the name of the stack that it was measured in."""
    if path.parent.parent.parent.name != "trials" or path.name.startswith("."):
        return path.read_bytes()
    record = read_json(path, "the trial record")
    return canonical({name: value for name, value in record.items() if name not in ("unit", "checksum")}).encode()


@dataclass
class World:
    """The files of one claim's runs, and every trial that was acknowledged in it."""

    case: Case
    base: Path
    acknowledged: dict[str, bytes] = field(default_factory=dict)

    def run(self, traps: Sequence[Trap] = ()) -> Ended:
        return self.case.nursery.run(self.base, *self.case.words, traps=traps, draft=self.case.draft)

    def start(self, traps: Sequence[Trap] = ()) -> Any:
        return self.case.nursery.start(self.base, *self.case.words, traps=traps, draft=self.case.draft)

    def records(self) -> dict[str, Path]:
        found = (self.base / "world/work/trials").glob("*/*/*.json")
        return {path.stem: path for path in found if not path.name.startswith(".")}

    def files(self) -> dict[str, bytes]:
        """Records, ledger and reports, and whatever was left lying about."""
        roots = [self.base / "world" / name for name in ("results", "reports", "work/trials", "work/checkpoints")]
        found = [path for root in roots for path in root.rglob("*") if path.is_file()]
        found += (self.base / "world").rglob("*.tmp")
        return {str(path.relative_to(self.base / "world")): content(path) for path in found}

    def stopped(self, ended: Ended) -> list[str]:
        """What must hold of the store, and of what was said, when a run has stopped anywhere."""
        problems = []
        if "Traceback" in ended.err:
            problems.append("a traceback: " + ended.err.strip().splitlines()[-1])
        records = self.records()
        for key in ended.acknowledged:
            if key in records:
                self.acknowledged.setdefault(key, records[key].read_bytes())
            else:
                problems.append(f"acknowledged trial {key[:8]} is lost")
        for key, content in self.acknowledged.items():
            if key not in records or records[key].read_bytes() != content:
                problems.append(f"acknowledged trial {key[:8]} changed")
        for key, path in records.items():
            try:
                problem = Store.problem(read_json(path, "the trial record"), key)
            except UserError as error:
                problem = str(error)
            if problem:
                problems.append(f"record {key[:8]} {problem}")
        return problems

    def refused(self, ended: Ended) -> list[str]:
        """What a run must say whose disk failed; a run that could do without has nothing to say."""
        lines = [line for line in ended.err.splitlines() if line.startswith("suite: ")]
        if ended.code == 0:
            return []
        if ended.code != 2:
            return [f"exit code {ended.code} after a fault: {ended.err[-300:]}"]
        return [] if len(lines) == 1 and ended.err.strip().endswith(lines[0]) else [f"not one clear line: {ended.err}"]

    def ends_whole(self) -> list[str]:
        """Run once more, with nothing in the way, and compare every file with the run that was left alone."""
        before = set(self.records())
        ended = self.run()
        problems = self.stopped(ended)
        if ended.code != 0:
            return [*problems, f"the last run ended with {ended.code}: {ended.err[-500:]}"]
        if again := before & set(ended.acknowledged):
            problems.append(f"{len(again)} trials were measured again")
        said = re.search(r"(\d+) trials run, (\d+) reused", ended.out)
        if said is None or int(said[1]) != len(self.records()) - len(before):
            problems.append(f"{len(before)} records were there, and the run says: {said and said[0]}")
        files = self.files()
        for name in sorted(files.keys() | self.case.files.keys()):
            if files.get(name) != self.case.files.get(name):
                word = "is left over" if name not in self.case.files else "lacks" if name not in files else "differs"
                problems.append(f"{name} {word}")
        return problems


def stop(world: World, what: Trap | float, name: str, figures: Figures) -> bool:
    """Stop one run at a trap, or after so many seconds; whether it was stopped before it had ended."""
    if isinstance(what, float):
        child = world.start()
        time.sleep(what)
        child.signal(name)
        ended = child.wait()
        stopped = ended.code != 0
    else:
        ended = world.run([what])
        stopped = bool(ended.met)
    figures.kills += stopped
    problems = world.stopped(ended)
    if ended.code not in (0, 130, *(-number for number in (2, 9, 15))):
        problems.append(f"exit code {ended.code} after {name}: {ended.err[-300:]}")
    figures.note(f"{name} {what}", problems)
    return stopped


def kill_at_random(the_case: Case, base: Path, kills: int, dice: random.Random, figures: Figures) -> None:
    """Worlds of up to four stops each, at scripted points and at any time, until there were so many kills."""
    while figures.kills < kills:
        world = the_case.world(base)
        for _ in range(dice.randint(1, 4)):
            name = dice.choice(SIGNALS)
            point = trap(dice.choice(list(POINTS)), dice.randint(1, 12), name)
            what = point if dice.random() < 0.5 else dice.uniform(0, the_case.seconds)
            if not stop(world, what, name, figures):
                break
        figures.worlds += 1
        figures.note(f"after {figures.kills} kills", world.ends_whole())


def fail_at(the_case: Case, base: Path, fault: Trap, figures: Figures) -> bool:
    """One run whose disk fails at one call, and the run after it; whether the fault was met."""
    world = the_case.world(base)
    ended = world.run([fault])
    figures.faults += len(ended.met)
    figures.worlds += 1
    figures.note(f"{dict(fault)}", [*world.stopped(ended), *world.refused(ended), *world.ends_whole()])
    return bool(ended.met)
