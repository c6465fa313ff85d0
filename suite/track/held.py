"""What the files of a working folder hold of one task: its trials, its invocations, the ledger of the latest one."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from suite.canonical import digest
from suite.errors import UserError
from suite.files import read_json
from suite.home import ROOT

Say = Callable[[str], None]
_TRIAL = ("key", "slug", "experiment", "arm", "at", "setting", "seed", "tier", "metrics")
_INVOCATION = ("id", "slug", "tier", "started")


class Held:
    """The files of one task; what is damaged or foreign is told to ``say`` and left out."""

    def __init__(self, slug: str, trials: Path, runs: Path, results: Path, say: Say) -> None:
        self.slug, self.results = slug, results
        self.trials = {one["key"]: one for one in _sound(sorted((trials / slug).glob("*/*.json")), slug, _TRIAL, say)}
        found = _sound(sorted((runs / slug).glob("*.json")), slug, _INVOCATION, say)
        self.invocations = sorted(found, key=lambda one: (str(one["started"]), str(one["id"])))
        self._latest = {one["tier"]: one["id"] for one in self.invocations if one.get("ledger")}
        self._finished = {one["tier"]: one["id"] for one in self.invocations if one.get("status") == "finished"}

    def used(self, one: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The trials that an invocation measured, and those that it reused, in its order."""
        reused = dict.fromkeys(one.get("reused") or ())
        measured = [key for key in dict.fromkeys(one.get("trials") or ()) if key not in reused]
        return [self.trials[key] for key in measured if key in self.trials], [
            self.trials[key] for key in reused if key in self.trials
        ]

    def orphans(self) -> list[dict[str, Any]]:
        """Trials that no invocation used (adopted ones, or their record was lost): one made-up invocation a tier."""
        used = {key for one in self.invocations for name in ("trials", "reused") for key in one.get(name) or ()}
        by_tier: dict[str, list[dict[str, Any]]] = {}
        for key, trial in self.trials.items():
            if key not in used:
                by_tier.setdefault(trial["tier"], []).append(trial)
        return [_made_up(self.slug, tier, members) for tier, members in sorted(by_tier.items())]

    def newest(self, one: Mapping[str, Any]) -> bool:
        """Whether an invocation is the latest of its tier that came to its end."""
        return self._finished.get(one["tier"]) == one["id"]

    def ledger(self, one: Mapping[str, Any]) -> Path | None:
        """The file of an invocation's ledger, if it still is that ledger: the next run writes over it.

        A record that names its ``ledger_hash`` is compared by that, another one must be the latest under the same rule.
        """
        latest = self._latest.get(one["tier"]) == one["id"]
        for path, found in _ledgers(self.results):
            if all(found.get(name) == one.get(name) for name in ("slug", "tier", "rule_hash")) and (
                found.get("hash") == one["ledger_hash"] if one.get("ledger_hash") else latest
            ):
                return path
        return None

    def artifacts(self, one: Mapping[str, Any]) -> list[Path]:
        """The figures and the report that the record names, made of its ledger; relative paths start at the root."""
        return [Path(ROOT, path) for path in one.get("artifacts") or ()] if self.ledger(one) else []


def cards_of(results: Path) -> dict[str, Any]:
    """The cards that the ledgers carry, by slug."""
    return {found["slug"]: found["card"] for _, found in _ledgers(results) if isinstance(found.get("card"), dict)}


def _ledgers(results: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(results.glob("*/*.json")):
        try:
            found = read_json(path, "the ledger")
        except UserError:
            continue
        if isinstance(found, dict) and "slug" in found:
            yield path, found


def _made_up(slug: str, tier: str, members: list[dict[str, Any]]) -> dict[str, Any]:
    times = sorted(str(trial.get("written") or "") for trial in members)
    return {
        "id": f"{slug}/{tier}/unclaimed",
        "name": f"{tier} · trials without a run",
        "slug": slug,
        "tier": tier,
        "status": "finished",
        "started": times[0],
        "ended": times[-1],
        "trials": sorted(trial["key"] for trial in members),
    }


def _sound(paths: list[Path], slug: str, needed: tuple[str, ...], say: Say) -> Iterator[dict[str, Any]]:
    for path in paths:
        try:
            found = read_json(path, "the record")
        except UserError as error:
            say(f"left out: {error}")
            continue
        whole = (
            isinstance(found, dict) and all(found.get(name) is not None for name in needed) and found["slug"] == slug
        )
        if whole and "checksum" in found:
            rest = {name: value for name, value in found.items() if name != "checksum"}
            whole = found["checksum"] == digest(rest)
        if whole:
            yield found
        else:
            say(f"left out: {path} is damaged or not ours; delete it, and the trial is repeated by the next run")
