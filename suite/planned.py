"""What ``suite plan`` prints: the units of a run, what is reused and why the rest must run, the expected minutes."""

import json
from collections.abc import Mapping
from typing import Any

from suite import home, ledger, registry
from suite.errors import UserError
from suite.pace import Pace
from suite.plan import Plan
from suite.progress import clock
from suite.request import code_of, selected, title, world
from suite.stacks import Stacks
from suite.store import Store


def print_plan(name: str, request: Any, as_json: bool) -> None:
    """The units of a run as they stand now; verdict trials of an arm appear once its tuning is known."""
    page = registry.find(name)
    whole = registry.card(page)
    card, only = selected(whole, request.only)
    code, parts = code_of(card, request.tier)
    plan = Plan(card, request.tier, code, world(request.tier), request.seeds, only, request.sizes)
    store = Store(home.work())
    pace = Pace(store.folder, ledger.path(request.tier, page.name))
    stacks = Stacks(store.folder, page.slug, plan.world)
    for _ in plan.recall(lambda key: store.get(page.slug, key)):
        pass
    reason = _reason(page, whole, request.tier, parts)
    rows: list[dict[str, Any]] = []
    for cached in (True, False):
        for unit in plan.units([t for t in plan.wanted() if (t.key in plan.results) == cached], stacks.stacking):
            first = unit.trials[0].identity
            rows.append(
                {
                    "experiment": unit.experiment,
                    "arm": ", ".join(dict.fromkeys(t.identity["arm"] for t in unit.trials)),
                    "at": first["at"],
                    "settings": list(
                        {
                            json.dumps(t.identity["setting"], sort_keys=True): t.identity["setting"]
                            for t in unit.trials
                        }.values()
                    ),
                    "seeds": sorted(
                        {f"{t.identity['seed']['purpose']}/{t.identity['seed']['number']}" for t in unit.trials},
                        key=_numbered,
                    ),
                    "cached": cached,
                    "reason": "already measured" if cached else reason.get(unit.experiment, "never measured here"),
                    "seconds_expected": 0.0 if cached else pace.expected(unit),
                    "trials": len(unit.trials),
                }
            )
    if as_json:
        print(
            json.dumps(
                {"slug": page.slug, "tier": request.tier, "rule_hash": whole["rule_hash"], "units": rows},
                ensure_ascii=False,
                indent=1,
            )
        )
        return
    print(title(whole, request.tier))
    for row in rows:
        where = " · ".join([row["experiment"], row["arm"], *(f"{k} {v}" for k, v in row["at"].items())])
        cost = (
            ""
            if row["cached"]
            else f", about {clock(row['seconds_expected'])}"
            if row["seconds_expected"]
            else ", time unknown"
        )
        phase = row["seeds"][0].split("/")[0]
        verb = "reuse" if row["cached"] else "run  "
        print(f"  {verb} {row['trials']:>4} {phase} trials  {where}  ({row['reason']}{cost})")
    waiting = [e["name"] for e, arm, at in plan.places() if plan.settings(e, arm, at) is None]
    for name in dict.fromkeys(waiting):
        print(f"  then       verdict trials of {name}, once tuning has chosen their settings")
    total = [r["seconds_expected"] for r in rows if not r["cached"]]
    if total:
        known = sum(t for t in total if t)
        print(f"expected: {clock(known)} of single-core work" + (" and units never run here" if None in total else ""))
    else:
        print("nothing to run: every trial is there")


def _numbered(seed: str) -> tuple[str, int]:
    purpose, _, number = seed.partition("/")
    return purpose, int(number)


def _reason(
    page: registry.Page, card: Mapping[str, Any], tier: str, parts: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Why trials of an experiment must run although a ledger has them."""
    file = ledger.path(tier, page.name)
    if not file.exists():
        return {}
    try:
        book = ledger.read(file)
    except UserError:
        return {}
    found = {}
    for name, now in parts.items():
        before = book["provenance"]["code"].get(name, {}).get("parts", {})
        changed = ledger.changed(before, now)
        if book["rule_hash"] != card["rule_hash"]:
            found[name] = "the rule changed since the committed result"
        elif changed:
            found[name] = f"code changed: {', '.join(changed[:3])}{' …' if len(changed) > 3 else ''}"
        elif book["provenance"]["versions"] != home.versions():
            found[name] = "other library versions than the committed result's"
        else:
            found[name] = "measured elsewhere, not in this store"
    return found
