"""From records to what MLflow shall show: one entry per verdict trial, one per group of tuning trials.

Knows nothing of mlflow.  Live logging and ``sync`` both go through these functions, and everything in an entry (times
included) comes from the records, so that a rebuilt database equals the one that was written while running.
"""

import csv
import datetime
import io
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from suite.canonical import canonical, digest
from suite.track.points import Point, points, safe_key, safe_keys

Record = Mapping[str, Any]
TUNING = "tune"
_SHORT = 16  # hexadecimal digits of a trial key that a tuning run lists
_PER_TAG = 400  # such keys in one tag, which holds 8 000 characters


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One run below an invocation's; ``start`` and ``end`` are milliseconds since the epoch."""

    name: str
    start: int
    end: int
    tags: dict[str, str]
    params: dict[str, str]
    points: list[Point]
    data: dict[str, str] = field(default_factory=dict)


def milliseconds(iso: str | None, otherwise: int = 0) -> int:
    """An ISO time (UTC where it names no zone) as milliseconds since the epoch.

    >>> milliseconds("1970-01-01T00:00:02Z"), milliseconds("1970-01-01 00:00:02.5+00:00"), milliseconds("soon", 7)
    (2000, 2500, 7)
    """
    try:
        moment = datetime.datetime.fromisoformat(str(iso))
    except ValueError:
        return otherwise
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return round(moment.timestamp() * 1000)


def text(value: Any) -> str:
    """A setting as a parameter: strings as they are, everything else as canonical JSON."""
    return value if isinstance(value, str) else canonical(value)


def listing(values: Mapping[str, Any]) -> str:
    """Names and values on one line, for versions and machine classes."""
    return " · ".join(f"{name} {text(value)}" for name, value in sorted(values.items()))


def short(key: str) -> str:
    return key[:_SHORT]


def keys_of(tags: Mapping[str, str]) -> set[str]:
    """The short keys of the trials that a run of ours holds."""
    listed = " ".join(
        value for name, value in tags.items() if name == "suite.trials" or name.startswith("suite.trials.")
    )
    single = tags.get("suite.trial")
    return {*listed.split(), *([short(single)] if single else [])}


# --- Names -----------------------------------------------------------------------------------------


def _several_experiments(card: Mapping[str, Any] | None) -> bool:
    return len((card or {}).get("experiments", ())) > 1


def label(record: Record, card: Mapping[str, Any] | None = None) -> str:
    """A short name that tells a run from its neighbours.

    >>> seed = {"purpose": "verdict", "number": 3}
    >>> label({"experiment": "digits", "arm": "lion", "at": {"batch": 64}, "seed": seed})
    'lion · batch 64 · s3'
    >>> label({"experiment": "digits", "arm": "only", "at": {}, "seed": seed}, {"experiments": ["digits", "text"]})
    'digits · s3'
    """
    purpose = record["seed"]["purpose"]
    words = [record["experiment"]] if _several_experiments(card) else []
    words += [record["arm"]] if record["arm"] != "only" else []
    words += [f"{name} {text(value)}" for name, value in sorted(record["at"].items())]
    prefix = {"verdict": "", TUNING: "tuning "}.get(purpose, f"{purpose} ")
    return " · ".join([*words, f"{prefix}s{record['seed']['number']}"])[:240]


# --- Trials ----------------------------------------------------------------------------------------


def _params(record: Record, setting: Mapping[str, Any]) -> dict[str, str]:
    """Conditions, settings and sizes under their own names; a size named like a setting is called size.<name>."""
    chosen = {**record.get("fixed", {}), **setting, **record["at"]}
    sizes = {(f"size.{name}" if name in chosen else name): value for name, value in record.get("sizes", {}).items()}
    return safe_keys((name, text(value)) for name, value in sorted({**chosen, **sizes}.items()))


def _tags(record: Record) -> dict[str, str]:
    found = {
        "slug": record["slug"],
        "tier": record["tier"],
        "experiment": record["experiment"],
        "arm": record["arm"],
        "seed": str(record["seed"]["number"]),
        "purpose": record["seed"]["purpose"],
        "revision": str(record.get("revision", "")),
        "rule_hash": record.get("rule_hash", ""),
        "versions": listing(record.get("versions", {})),
        "machine": listing(record.get("machine", {})),
        "code": str(record.get("code", "")),
    }
    return {name: value for name, value in found.items() if value}


def _times(records: Sequence[Record]) -> tuple[int, int]:
    ends = [milliseconds(record.get("written")) for record in records]
    seconds = [float(record.get("seconds") or 0) for record in records]
    return max(0, min(end - round(1000 * spent) for end, spent in zip(ends, seconds, strict=True))), max(ends)


def _data(records: Iterable[Record]) -> dict[str, str]:
    """Names and digests of the data; MLflow allows a digest 36 characters, and 16 tell two data sets apart."""
    return {name: text(value)[:16] for record in records for name, value in sorted((record.get("data") or {}).items())}


def trial(record: Record, card: Mapping[str, Any] | None = None) -> Entry:
    """The run of one trial that judges."""
    shown, hidden = points(record["metrics"])
    if "seconds" in record and "seconds" not in record["metrics"]:
        shown.append(Point("seconds", float(record["seconds"])))
    start, end = _times([record])
    tags = {**_tags(record), "suite.trial": record["key"]}
    if hidden:
        tags["suite.not_shown"] = ", ".join(hidden)
    return Entry(
        name=label(record, card),
        start=start,
        end=end,
        tags=tags,
        params=_params(record, record["setting"]),
        points=shown,
        data=_data([record]),
    )


# --- Tuning ----------------------------------------------------------------------------------------


def group_of(record: Record) -> str:
    """What the tuning trials of one run have in common."""
    return canonical([record["experiment"], record["arm"], record["at"], record["seed"], record["tier"]])


def _declared(record: Record, card: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    for experiment in (card or {}).get("experiments", ()):
        if experiment["name"] == record["experiment"]:
            return experiment
    return None


def grid(record: Record, card: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The declared settings of the record's arm in their order; empty when the card does not know them."""
    arms = (_declared(record, card) or {}).get("arms", ())
    tuned = next((arm.get("tuned") or {} for arm in arms if arm["name"] == record["arm"]), {})
    names = sorted(tuned)
    return (
        [dict(zip(names, values, strict=True)) for values in itertools.product(*(tuned[name] for name in names))]
        if names
        else []
    )


def _steps(records: Sequence[Record], card: Mapping[str, Any] | None) -> list[tuple[int, Record]]:
    """Each tuning trial with the place of its setting in the grid; undeclared settings follow behind."""
    places = {digest(setting): place for place, setting in enumerate(grid(records[0], card))}
    undeclared = sorted({canonical(r["setting"]) for r in records if digest(r["setting"]) not in places})
    behind = {setting: len(places) + place for place, setting in enumerate(undeclared)}
    found = [(places.get(digest(r["setting"]), behind.get(canonical(r["setting"]), 0)), r) for r in records]
    return sorted(found, key=lambda pair: (pair[0], pair[1]["key"]))


def tuning(records: Sequence[Record], card: Mapping[str, Any] | None = None) -> Entry:
    """The run of all tuning trials of one arm, condition and seed: metrics over the grid, a step per setting."""
    found: list[Point] = []
    ordered = _steps(records, card)
    for step, record in ordered:
        shown, _ = points({name: value for name, value in record["metrics"].items() if not isinstance(value, list)})
        settings, _ = points({f"setting/{safe_key(name)}": value for name, value in record["setting"].items()})
        found += [Point(point.key, point.value, step) for point in (*shown, *settings)]
    start, end = _times(records)
    first = ordered[0][1]
    grids = {name: [r["setting"].get(name) for _, r in ordered] for name in first["setting"]}
    listed = [short(record["key"]) for _, record in ordered]
    tags = {**_tags(first), "suite.trials": " ".join(listed[:_PER_TAG])}
    for part in range(1, -(-len(listed) // _PER_TAG)):
        tags[f"suite.trials.{part}"] = " ".join(listed[part * _PER_TAG : (part + 1) * _PER_TAG])
    return Entry(
        name=label(first, card),
        start=start,
        end=end,
        tags=tags,
        params=_params(
            first, {name: ", ".join(text(v) for v in dict.fromkeys(values)) for name, values in grids.items()}
        ),
        points=found,
        data=_data(records),
    )


def tuning_table(records: Iterable[Record], card: Mapping[str, Any] | None = None) -> dict[str, str]:
    """One CSV per experiment with every tuning trial that an invocation used: ``{file name: text}``."""
    by_experiment: dict[str, list[Record]] = {}
    for record in records:
        by_experiment.setdefault(record["experiment"], []).append(record)
    tables: dict[str, str] = {}
    for experiment, members in sorted(by_experiment.items()):
        settings = sorted({name for record in members for name in record["setting"]})
        conditions = sorted({name for record in members for name in record["at"]})
        metrics = sorted(
            {name for record in members for name, value in record["metrics"].items() if not isinstance(value, list)}
        )
        target = (_declared(members[0], card) or {}).get("tune_on")
        metrics.sort(key=lambda name: name != target)  # what selects stands first
        sheet = io.StringIO()
        writer = csv.writer(sheet, lineterminator="\n")
        writer.writerow(["arm", *conditions, *settings, "seed", *metrics])
        for record in sorted(
            members, key=lambda r: (r["arm"], canonical(r["at"]), r["seed"]["number"], canonical(r["setting"]))
        ):
            given = [
                (record["at"], conditions),
                (record["setting"], settings),
                (record["seed"], ["number"]),
                (record["metrics"], metrics),
            ]
            writer.writerow(
                [
                    record["arm"],
                    *("" if name not in part else text(part[name]) for part, names in given for name in names),
                ]
            )
        tables[f"tuning/{experiment}.csv"] = sheet.getvalue()
    return tables
