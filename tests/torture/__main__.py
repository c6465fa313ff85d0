"""``make torture``: many more kills, faults, races and broken files than a test run has time for, with its figures.

    python -m tests.torture [--kills 200] [--races 50] [--examples 2000] [--seed N] [--quick]

Exit code 0: nothing was lost; 1: something was, each loss on a line of its own.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.projects import ROOT, Project, make
from tests.torture.campaign import ERRORS, Case, Figures, case, fail_at, kill_at_random
from tests.torture.nursery import Nursery
from tests.torture.traps import DISK

HOSTILE = ("tests/promises/test_hostile_input_is_one_clear_line.py", "tests/test_rejudge.py")


def faults(the_case: Case, base: Path, figures: Figures, every: int) -> None:
    """Each call fails with each error, once and for good."""
    calls = sum(line.split()[0] in DISK for line in the_case.calls)
    for k in range(1, calls + 1, every):
        for does in ERRORS:
            for stays in (False, True):
                fault = {"at": list(DISK), "where": "", "nth": k, "does": does, "stays": stays}
                fail_at(the_case, base, fault, figures)


def kill_workers(project: Project, kills: int, dice: random.Random, figures: Figures) -> None:
    """Processes as a user starts them, with workers of their own, killed at any time until they come to their end."""
    done = 0
    while done < kills:
        process = project.start("run", "toy-race", "--no-track")
        time.sleep(dice.uniform(2, 20))
        name = dice.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
        if process.poll() is None:
            os.kill(process.pid, name)
        _, err = process.communicate(timeout=120)
        if process.returncode == 0:
            break
        done += 1
        if "Traceback" in err and "KeyboardInterrupt" not in err:
            figures.note(f"workers, {name.name}", [err[-300:]])
    figures.kills += done
    last = project.suite("run", "toy-race", "--no-track", check=False)
    figures.note("workers, the last run", [] if last.returncode == 0 else [last.stderr[-300:]])


def races(project: Project, times: int, figures: Figures) -> None:
    """Two runs of different claims make a fresh MLflow database together."""
    for number in range(times):
        home = project.root.parent / f"race-{number}"
        words = ("run", "--tier", "smoke", "--executor", "inline")
        both = [project.start(*words, slug, SUITE_HOME=str(home)) for slug in ("toy-sums", "toy-dice")]
        for process in both:
            out, err = process.communicate(timeout=600)
            bad = process.returncode != 0 or "MLflow: " in err
            figures.note(f"race {number}", [out[-200:] + err[-300:]] if bad else [])


def fuzz(examples: int) -> tuple[int, list[str]]:
    """The tests of hostile input with many more examples: how many were tried, and which lines tell of failures."""
    words = ["-q", "-p", "no:cacheprovider", "-n0", *HOSTILE]
    environment = {**os.environ, "TORTURE_EXAMPLES": str(examples)}
    with tempfile.TemporaryDirectory() as folder:
        tally = Path(folder) / "tally"
        environment["TORTURE_TALLY"] = str(tally)
        command = [sys.executable, "-m", "pytest", *words]
        done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True)
        tried = tally.stat().st_size if tally.exists() else 0
    return tried, [] if done.returncode == 0 else [line for line in done.stdout.splitlines() if "FAILED" in line]


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.torture")
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--workers", type=int, default=10, help="kills of runs with worker processes, on top")
    options.add_argument("--races", type=int, default=50)
    options.add_argument("--examples", type=int, default=2000, help="inputs for each fuzzed thing")
    options.add_argument("--every", type=int, default=1, help="only every so many of the calls that may fail")
    options.add_argument("--seed", type=int, default=int(time.time()))
    asked = options.parse_args()
    figures, dice, began = Figures(), random.Random(asked.seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        base = Path(folder)
        project = make(base / "project", "toy_walk", "toy_sums", "toy_race")
        project.page("toy_dice", (project.root / "tasks/toy_sums.py").read_text(encoding="utf8"))
        nursery = Nursery(project)
        assert nursery.run(base / "rules", "lock", "toy-walk", "toy-sums").code == 0
        locks = base / "rules/world/locks"
        walk = case(nursery, base / "walk", locks, "toy-walk")
        small = case(nursery, base / "small", locks, "toy-walk", "smoke", draft=True)
        sums = case(nursery, base / "sums", locks, "toy-sums", "smoke", draft=True)
        print(f"seed {asked.seed}", flush=True)
        kill_at_random(walk, base / "world", asked.kills, dice, figures)
        print(f"{figures.kills} kills, {len(figures.losses)} losses", flush=True)
        for one in (sums, small):
            faults(one, base / "world", figures, asked.every)
        print(f"{figures.faults} faults injected, {len(figures.losses)} losses", flush=True)
        nursery.close()
        kill_workers(project, asked.workers, dice, figures)
        races(project, asked.races, figures)
    tried, failed = fuzz(asked.examples) if asked.examples else (0, [])
    figures.losses += failed
    for loss in figures.losses:
        print("LOSS", loss)
    print(
        f"{figures.kills} kills, {figures.faults} faults injected, {figures.worlds} worlds compared byte for byte, "
        f"{asked.races} races, {tried} inputs fuzzed: {len(figures.losses)} losses found "
        f"({(time.monotonic() - began) / 60:.0f} min, seed {asked.seed})"
    )
    return 1 if figures.losses else 0


if __name__ == "__main__":
    sys.exit(main())
