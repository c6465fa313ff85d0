"""What stands behind the verdicts: the source's numbers, chosen settings, scale, calibration, provenance."""

from collections.abc import Mapping
from typing import Any

from suite.canonical import revive
from suite.report.numbers import aligned, breakable, count, duration, interval, number, prose, real, whole


def published(ledger: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The source's numbers beside ours."""
    found = []
    for entry in [*ledger["published"], *(ledger.get("timing") or {}).get("published", ())]:
        value = entry["value"]
        shown = prose(value) if isinstance(value, str) else number(value, 6)
        ours = [interval(low, high) for low, high in (entry.get("ours") or ())]
        held = entry.get("inside") or []
        if len(held) == len(ours):
            ours = [f"{text} {'holds' if inside else 'misses'} it" for text, inside in zip(ours, held, strict=True)]
        estimate = real(entry.get("estimate"))
        found.append(
            {
                "what": prose(entry["what"]),
                "value": f"{shown} {entry['unit']}".strip() if entry.get("unit") else shown,
                "where": prose(entry["where"]),
                "ours": ours[:6] + ([f"and {len(ours) - 6} more"] if len(ours) > 6 else []),
                "estimate": "" if estimate is None else number(estimate),
                "missing": prose(entry.get("reason") or "not measured"),
                "note": prose(entry.get("note") or ""),
            }
        )
    return found


def settings(chosen: Mapping[str, Any] | None) -> str:
    return ", ".join(
        f"{k} {number(v) if isinstance(v, int | float) and not isinstance(v, bool) else v}"
        for k, v in (chosen or {}).items()
    )


def tuning(ledger: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Chosen settings with the grids they were chosen from; one entry per experiment."""
    found = []
    for experiment in ledger["card"]["experiments"]:
        choices = [entry for entry in ledger["arms"] if entry["experiment"] == experiment["name"] and entry["tuning"]]
        if not choices:
            continue
        grids = {arm["name"]: arm["tuned"] for arm in experiment["arms"]}
        lines: list[dict[str, Any]] = []
        for entry in choices:
            table = entry["tuning"]
            values = [real(revive(t["value"])) for t in table if t["setting"] == entry["chosen"]]
            finite = [v for v in values if v is not None and abs(v) != float("inf")]
            lines.append(
                {
                    "arm": breakable(entry["arm"], 16),
                    "at": breakable(", ".join(f"{k} {v}" for k, v in entry["at"].items()), 16),
                    "chosen": breakable(settings(entry["chosen"])) or "none: every setting diverged",
                    "value": sum(finite) / len(finite) if finite else None,
                    "edge": ", ".join(entry.get("edge") or ()),
                }
            )
        for line, shown in zip(lines, aligned([line["value"] for line in lines]), strict=True):
            line["value"] = shown
        arms = [
            {
                "name": name,
                "grid": "; ".join(f"{k}: " + ", ".join(number(v) for v in values) for k, values in tuned.items()),
            }
            for name, tuned in grids.items()
            if tuned
        ]
        seeds = {t["seed"]["number"] if isinstance(t["seed"], Mapping) else t["seed"] for t in choices[0]["tuning"]}
        trials = len(choices[0]["tuning"]) // max(len(seeds), 1)
        found.append(
            {
                "experiment": experiment["name"],
                "on": experiment["tune_on"],
                "best": "least" if experiment["best"] == "min" else "greatest",
                "budget": f"{count(trials, 'setting')} on {count(len(seeds), 'seed')} for each arm",
                "grids": arms,
                "lines": lines,
            }
        )
    return found


def experiments(ledger: Mapping[str, Any]) -> list[dict[str, Any]]:
    proof = ledger["provenance"]
    spent = (ledger.get("timing") or {}).get("per_experiment", {})
    found = []
    for experiment in ledger["card"]["experiments"]:
        name = experiment["name"]
        tier = experiment["tiers"].get(ledger["tier"])
        if tier is None or name not in proof["code"]:
            continue
        sizes = (proof.get("sizes") or {}).get(name, tier["sizes"])
        seconds = spent.get(name)
        seconds = seconds.get("seconds") if isinstance(seconds, Mapping) else seconds
        code = proof["code"][name]
        found.append(
            {
                "name": name,
                "arms": ", ".join(arm["name"] for arm in experiment["arms"]) if len(experiment["arms"]) > 1 else "",
                "conditions": "; ".join(
                    f"{k}: " + ", ".join(_value(v) for v in values) for k, values in experiment["conditions"].items()
                ),
                "seeds": number((proof.get("seeds") or {}).get(name, tier["seeds"])),
                "sizes": breakable(", ".join(f"{k} {_value(v)}" for k, v in sizes.items())),
                "timed": bool(experiment["timed"]),
                "seconds": duration(seconds),
                "code": (code["hash"] if isinstance(code, Mapping) else str(code))[:16],
            }
        )
    return found


def _value(value: Any) -> str:
    if value is None or isinstance(value, bool | str):
        return str(value)
    if isinstance(value, list):
        return "(" + ", ".join(_value(v) for v in value) + ")"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_value(v)}" for k, v in value.items())
    return whole(value) if isinstance(value, int) else number(value, 6)


def calibration(ledger: Mapping[str, Any], claims: Mapping[str, Any]) -> dict[str, Any]:
    """False-verdict rates and power of each claim that has them; what else a calibration measured, as pairs of words
    and numbers.
    """
    effects = sorted(
        {e for m in ledger["calibration"].values() if isinstance(m, Mapping) for e in m.get("power", {})}, key=float
    )
    lines, others = [], []
    for name in [c for c in claims if c in ledger["calibration"]]:
        measured = ledger["calibration"][name]
        if isinstance(measured, Mapping) and {"false_verdict_rate", "worlds", "power"} <= set(measured):
            lines.append(
                {
                    "id": name,
                    "worlds": _value(measured["worlds"]),
                    "false": _share(measured["false_verdict_rate"]),
                    "skewed": _share(measured.get("false_verdict_rate_skewed")),
                    "power": [_share(measured["power"].get(effect)) for effect in effects],
                    "planted": str(measured.get("planted", "")),
                }
            )
        else:
            pairs = measured.items() if isinstance(measured, Mapping) else [("", measured)]
            others.append(
                {"id": name, "pairs": [{"key": prose(str(k).replace("_", " ")), "value": _value(v)} for k, v in pairs]}
            )
    return {"effects": [number(float(e)) for e in effects], "lines": lines, "others": others}


def _share(value: Any) -> str:
    """A share in per cent, as far as a thousand worlds can tell."""
    found = real(value)
    return "–" if found is None else f"{found * 100:.1f} %"


def provenance(ledger: Mapping[str, Any]) -> list[dict[str, str]]:
    """What made the numbers, as (name, value, mono) lines."""
    proof, timing = ledger["provenance"], ledger.get("timing") or {}
    git = proof.get("git") or {}
    state = str(git.get("commit", "unknown"))
    if git.get("dirty"):
        state += " with uncommitted changes"
    lines = [
        ("rule", f"{ledger['rule_hash']} (revision {number(ledger['revision'])})"),
        ("ledger", ledger["hash"]),
        ("git", state),
        ("versions", ", ".join(f"{k} {v}" for k, v in proof["versions"].items())),
        ("machine", ", ".join(f"{k} {v}" for k, v in proof["machine"].items())),
        # The names of trained networks end with their settings, for which the digest stands.
        *((f"data {name.split(' {')[0]}", str(value)) for name, value in (proof.get("data") or {}).items()),
    ]
    if timing.get("measured"):
        lines.append(("measured", str(timing["measured"])))
    if timing.get("seconds") is not None:
        lines.append(("computing time", duration(timing["seconds"])))
    return [{"name": breakable(name, 16), "value": breakable(value, 40)} for name, value in lines]
