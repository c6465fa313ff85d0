"""A small made-up store for the MLflow tests: records, invocations, and the folders that hold them."""

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from suite.canonical import canonical, digest
from suite.track import Tracker, tracking_uri
from suite.track.feed import follow
from suite.track.place import environment
from suite.track.rebuild import rebuild
from tests.track_look import picture, quiet

Told = dict[str, Any]

SLUG = "lion-vs-made-up"
RATES = (1e-4, 3e-4, 1e-3)


def card() -> dict[str, Any]:
    arms = [{"name": a, "fixed": {"rule": a}, "tuned": {"lr": list(RATES)}, "like": None} for a in ("lion", "adamw")]
    return {
        "schema": 1,
        "slug": SLUG,
        "title": "Lion *beats* | AdamW",
        "rule_hash": "ab" * 32,
        "revision": 2,
        "source": {"posts": [{"title": "狮子", "url": "https://example.org/1", "date": "2023-02-16"}], "papers": []},
        "claims": [
            {"id": "c1", "says": "Lion ends lower than AdamW | by 2 %.", "headline": True},
            {"id": "c2", "says": "The gap grows with the batch.", "headline": False},
        ],
        "experiments": [
            {"name": "digits", "arms": arms, "conditions": {"batch": [8, 64]}, "tune_on": "val"},
            {"name": "counting", "arms": [{"name": "only", "fixed": {}, "tuned": {}, "like": None}], "conditions": {}},
        ],
    }


def record(
    experiment: str, arm: str, at: dict[str, Any], setting: dict[str, Any], purpose: str, seed: int
) -> dict[str, Any]:
    spread = seed + 10 * len(arm) + (at.get("batch") or 0)
    if experiment == "digits":
        metrics: dict[str, Any] = {
            "test": 0.5 / (1 + spread),
            "val": 0.25 + setting["lr"],
            "path": [1 / (1 + t) for t in range(450)],
        }
    else:
        metrics = {"hits": 40 + seed, "cells": [[1, 2, 3], [4, 5, "NaN"]], "exact": True, "huge": 10**400}
    found = {
        "schema": 1,
        "slug": SLUG,
        "experiment": experiment,
        "arm": arm,
        "at": at,
        "setting": setting,
        "fixed": {"rule": arm} if experiment == "digits" else {},
        "seed": {"purpose": purpose, "number": seed},
        "sizes": {"steps": 450, "lr": "warm"},
        "tier": "cpu",
        "revision": 2,
        "rule_hash": "ab" * 32,
        "metrics": metrics,
        "seconds": 1.5,
        "code": "c0de",
        "versions": {"python": "3.11", "torch": "2.13.0"},
        "machine": {"device": "cpu", "threads": "1"},
        "data": {"digits": "f" * 64} if experiment == "digits" else {},
        "written": f"2026-11-22T14:0{3 + seed % 6}:2{seed % 10}Z",
    }
    found["key"] = digest(
        {name: value for name, value in found.items() if name not in ("metrics", "written", "seconds")}
    )
    found["checksum"] = digest(found)
    return found


def records(seeds: int = 2, tuning_seeds: int = 1) -> list[dict[str, Any]]:
    found = []
    for arm in ("lion", "adamw"):
        for batch in (8, 64):
            found += [
                record("digits", arm, {"batch": batch}, {"lr": lr}, "tune", s)
                for s in range(tuning_seeds)
                for lr in RATES
            ]
            found += [record("digits", arm, {"batch": batch}, {"lr": 3e-4}, "verdict", s) for s in range(seeds)]
    return found + [record("counting", "only", {}, {}, "verdict", s) for s in range(seeds)]


def invocation(
    used: list[dict[str, Any]], number: int = 1, reused: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {
        "schema": 1,
        "id": f"20261122-140{number}-aaaa",
        "slug": SLUG,
        "tier": "cpu",
        "started": f"2026-11-22T14:0{number}:00Z",
        "ended": f"2026-11-22T14:0{number}:59Z",
        "status": "finished",
        "trials": [r["key"] for r in used],
        "reused": [r["key"] for r in reused or ()],
        "verdict": {"c1": "reproduced", "c2": "inconclusive"},
        "rule_hash": "ab" * 32,
        "git": {"commit": "deadbeef", "dirty": False},
        "versions": {"python": "3.11", "torch": "2.13.0"},
        "ledger": f"results/cpu/{SLUG.replace('-', '_')}.json",
        "argv": ["suite", "run", SLUG],
    }


def begun(final: dict[str, Any]) -> dict[str, Any]:
    """What is known of an invocation when it starts."""
    late = ("ended", "status", "trials", "reused", "verdict", "ledger")
    return {name: value for name, value in final.items() if name not in late}


class Files:
    """The folders of a working copy: trials, runs, results."""

    def __init__(self, base: Path) -> None:
        self.home, self.trials, self.runs, self.results = base, base / "trials", base / "runs", base / "results"
        self.report, self.figure = base / "out" / "report.pdf", base / "out" / "dots.svg"
        self.ledger = self.results / "cpu" / f"{SLUG.replace('-', '_')}.json"
        self.write(self.report, "%PDF-1.7 made up")
        self.write(self.figure, "<svg xmlns='http://www.w3.org/2000/svg'/>")
        ledger = {"schema": 1, "slug": SLUG, "tier": "cpu", "rule_hash": "ab" * 32, "card": card()}
        self.write(self.ledger, canonical(ledger))

    def write(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf8")
        return path

    def keep(self, used: list[dict[str, Any]], *told: dict[str, Any]) -> None:
        for one in used:
            self.write(self.trials / one["slug"] / one["key"][:2] / f"{one['key']}.json", canonical(one))
        for one in told:
            one = {**one, "artifacts": [str(self.figure), str(self.report)]}
            self.write(self.runs / one["slug"] / f"{one['id']}.json", canonical(one))

    def live(self, final: Told, measured: list[Told], reused: list[Told] | None = None) -> None:
        """One invocation through the code that the process beside a run runs, here."""
        messages = [
            {"do": "begin", "invocation": begun(final), "card": card()},
            {"do": "trials", "records": reused or [], "reused": True},
            *({"do": "trials", "records": measured[i : i + 5], "reused": False} for i in range(0, len(measured), 5)),
            {
                "do": "finish",
                "invocation": final,
                "ledger": str(self.ledger),
                "artifacts": [str(self.figure), str(self.report)],
            },
        ]
        with quiet(tracking_uri(self.home)):
            follow(self.home, map(json.dumps, messages), lambda answer: None)

    def beside(self, final: Told, measured: list[Told], reused: list[Told] | None = None) -> list[str]:
        """One invocation through a real tracker and its process; returns what it warned."""
        warned: list[str] = []
        tracker = Tracker(self.home, warn=warned.append)
        tracker.begin(begun(final), card())
        tracker.trials(reused or [], reused=True)
        for start in range(0, len(measured), 5):
            tracker.trials(measured[start : start + 5])
        tracker.finish(final, self.ledger, [self.figure, self.report])
        tracker.close(timeout=100, at_most=200)  # the machine of a test may be busy with much else
        return warned

    def fill(self, home: Path | None = None) -> tuple[int, list[str]]:
        """``sync`` in this process: how many runs it wrote, and what it said."""
        said: list[str] = []
        home = home or self.home
        with quiet(tracking_uri(home)):
            done = rebuild(home, self.trials, self.runs, self.results, {}, said.append)
        assert done is not None
        return done.written, said


@functools.cache
def _template() -> Path:
    """A database with its tables and nothing in it; making one takes seconds, copying it milliseconds."""
    home = Path(tempfile.mkdtemp(prefix="suite-track-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    answer = subprocess.run(
        [sys.executable, "-m", "suite.track", "prepare", str(home)],
        env=environment(home, {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert b"done" in answer.stdout
    assert not (home / "mlflow.db-wal").exists()
    return home / "mlflow.db"


def files(base: Path, *, fresh: bool = False) -> Files:
    """The folders of a working copy; its database has its tables already, unless it shall be fresh."""
    found = Files(base)
    if not fresh:
        shutil.copy(_template(), base / "mlflow.db")
    return found


USED = records(seeds=1)
RUNS = 1 + 4 + 1 + 4  # what they become: the invocation, four digits, one counting, four tuning groups


def kept(base: Path, *, fresh: bool = False) -> Files:
    """A working copy that holds one finished invocation and its trials."""
    found = files(base, fresh=fresh)
    found.keep(USED, invocation(USED))
    return found


def undisturbed(base: Path) -> list[Any]:
    """What MLflow shows of the invocation when nothing goes wrong."""
    made = files(base)
    made.live(invocation(USED), USED)
    return picture(tracking_uri(made.home))
