"""Import one page and print its declaration as JSON: the *card*.

This is the only place, besides the workers, where a page is imported.  It runs as a process of its own
(``python -m suite.declare tasks.some_page``), so that listing, planning and reporting never load torch.
"""

import ast
import dataclasses
import importlib
import json
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite.canonical import digest, plain
from suite.claims import Arm, Claim, ContractError, Experiment, Interval, Task

SCHEMA = 1
# What is decided before data are seen; a change of any of these asks for a new revision.
RULE_KEYS = ("slug", "source", "claims", "experiments", "published", "revision")


def declaration(module: str) -> dict[str, Any]:
    """The card of the page ``module``; raises ContractError naming file and line when the page breaks the contract."""
    page = importlib.import_module(module)
    task = getattr(page, "TASK", None)
    if not isinstance(task, Task):
        raise ContractError(f"the page must end with TASK = Task(...), found {type(task).__name__}")
    return card(task, module, page.__doc__ or "")


def card(task: Task, module: str, doc: str) -> dict[str, Any]:
    """A task as JSON; ``rule_hash`` covers source, claims, experiments, published numbers and revision."""
    name = module.rsplit(".", 1)[-1]
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "slug": name.replace("_", "-"),
        "page": name,
        "module": module,
        "title": task.title,
        "family": task.family,
        "doc": doc,
        "source": {
            "posts": [dataclasses.asdict(post) for post in task.source.posts],
            "papers": list(task.source.papers),
        },
        "claims": [_claim(claim) for claim in task.claims],
        "experiments": [_experiment(experiment) for experiment in task.experiments],
        "published": [
            {
                "what": number.what,
                "value": number.value,
                "unit": number.unit,
                "where": number.where,
                "note": number.note,
                "ours": number.ours.to_json() if number.ours is not None else None,
            }
            for number in task.published
        ],
        "figures": [figure.to_json() for figure in task.figures],
        "mutants": [{"says": m.says, "replaces": m.replaces, "turns_to": str(m.turns_to)} for m in task.mutants],
        "revision": task.revision,
    }
    if task.readings:
        found["readings"] = {tier: dict(texts) for tier, texts in task.readings.items()}
    found = plain(found)
    found["rule_hash"] = rule_hash(found)
    return found


def rule_hash(card: Mapping[str, Any]) -> str:
    """Digest of what is fixed before the data; figures, readings and the docstring do not enter."""
    return digest({key: card[key] for key in RULE_KEYS})


def bound(interval: Interval) -> list[float | None]:
    """[low, high] with null for an end that is not bounded."""
    low, high = interval.low, interval.high
    return [None if low == -float("inf") else low, None if high == float("inf") else high]


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "id": claim.id,
        "says": claim.says,
        "kind": claim.kind,
        "headline": claim.headline,
        "untested": dict(claim.untested),
        "note": claim.note,
        "clauses": [
            {"quantity": clause.quantity.to_json(), "claimed": bound(clause.claimed), "needs": clause.needs}
            for clause in claim.clauses
        ],
    }


def _experiment(experiment: Experiment) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "measure": plain(experiment.measure),
        "arms": [_arm(arm) for arm in experiment.arms],
        "conditions": dict(experiment.conditions),
        "columns": list(experiment.columns),
        "tune_on": experiment.tune_on,
        "best": experiment.best,
        "timed": experiment.timed,
        "tiers": {
            name: {
                "seeds": tier.seeds,
                "tuning_seeds": tier.tuning_seeds,
                "looks": list(tier.looks),
                "at_most": tier.at_most,
                "stack": tier.stack,
                "sizes": dict(tier.sizes),
            }
            for name, tier in experiment.tiers.items()
        },
    }


def _arm(arm: Arm) -> dict[str, Any]:
    like = arm.like and {"experiment": arm.like.experiment, "arm": arm.like.arm, "at": dict(arm.like.at)}
    return {
        "name": arm.name,
        "fixed": dict(arm.fixed),
        "tuned": {k: list(v) for k, v in arm.tuned.items()},
        "like": like,
    }


def where(error: BaseException, module: str) -> str:
    """The page's file and the line where it went wrong."""
    folder = module.replace(".", "/")
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename, folder)}, line {error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if folder in f.filename.replace("\\", "/")]
    return f"{_short(frames[-1].filename, folder)}, line {frames[-1].lineno}" if frames else f"{folder}.py"


def _short(filename: str, folder: str) -> str:
    text = filename.replace("\\", "/")
    return text[text.rfind(folder) :]


def main(module: str) -> int:
    try:
        print(json.dumps({"card": declaration(module)}, ensure_ascii=False))
    except Exception as error:  # whatever a page raises is reported as its own mistake, in one line
        reason = str(error).strip().splitlines() or [""]
        print(
            json.dumps(
                {"error": f"{where(error, module)}: {type(error).__name__}: {reason[-1][:300]}"}, ensure_ascii=False
            )
        )
        return 2
    return 0


def docstring(path: Path) -> str:
    """The docstring of a page without importing it."""
    try:
        return ast.get_docstring(ast.parse(path.read_text(encoding="utf8"))) or ""
    except (OSError, SyntaxError):
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
