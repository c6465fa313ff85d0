"""Small cards and trials for the judge's tests: what a page and a run would have given it."""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from suite.canonical import canonical
from suite.claims import Interval, at_least
from suite.declare import bound
from suite.judge import judge
from suite.quantities import Quantity, paired_gap
from suite.results import Results

Json = dict[str, Any]


def experiment(
    name: str = "race",
    arms: Sequence[str] = ("a", "b"),
    *,
    seeds: int = 16,
    looks: Sequence[int] = (),
    at_most: int | None = None,
    conditions: Mapping[str, Sequence[Any]] | None = None,
    tuned: Mapping[str, Sequence[float]] | None = None,
    best: str = "min",
    timed: bool = False,
    like: Mapping[str, Json] | None = None,
) -> Json:
    tier = {"seeds": seeds, "tuning_seeds": 4, "looks": list(looks), "at_most": at_most, "stack": None, "sizes": {}}
    return {
        "name": name,
        "measure": "tasks.x:measure",
        "arms": [{"name": arm, "fixed": {}, "tuned": dict(tuned or {}), "like": (like or {}).get(arm)} for arm in arms],
        "conditions": dict(conditions or {}),
        "columns": [],
        "tune_on": "val" if tuned else None,
        "best": best,
        "timed": timed,
        "tiers": {"cpu": tier},
    }


def claim(
    quantity: Quantity | None,
    claimed: Interval | None,
    *,
    id: str = "c1",
    needs: int | None = None,
    headline: bool = False,
    also: Sequence[tuple[Quantity, Interval, int | None]] = (),
    untested: Mapping[str, str] | None = None,
) -> Json:
    clauses = [] if quantity is None or claimed is None else [(quantity, claimed, needs), *also]
    return {
        "id": id,
        "says": f"claim {id}",
        "kind": "comparison",
        "headline": headline,
        "clauses": [{"quantity": q.to_json(), "claimed": bound(c), "needs": n} for q, c, n in clauses],
        "untested": dict(untested or {}),
        "note": "",
    }


def card(claims: Sequence[Json], experiments: Sequence[Json], published: Sequence[Json] = ()) -> Json:
    return {
        "slug": "toy",
        "claims": list(claims),
        "experiments": list(experiments),
        "published": list(published),
    }


def trials(
    arm: str,
    metrics: Mapping[str, Sequence[Any]],
    *,
    experiment: str = "race",
    at: Mapping[str, Any] | None = None,
    purpose: str = "verdict",
    first: int = 0,
    setting: Mapping[str, float] | None = None,
) -> list[Json]:
    """One trial per entry of the metrics' columns, seeds counted from ``first``."""
    columns = {name: list(column) for name, column in metrics.items()}
    return [
        {
            "experiment": experiment,
            "arm": arm,
            "at": dict(at or {}),
            "setting": dict(setting or {}),
            "seed": {"purpose": purpose, "number": first + i},
            "metrics": {name: column[i] for name, column in columns.items()},
        }
        for i in range(len(next(iter(columns.values()))))
    ]


def fight(a: Sequence[Any], b: Sequence[Any], **place: Any) -> list[Json]:
    """Trials of the arms a and b with their losses."""
    return trials("a", {"loss": a}, **place) + trials("b", {"loss": b}, **place)


def choice(
    arm: str,
    curve: Mapping[float, Sequence[float]],
    *,
    experiment: str = "race",
    at: Mapping[str, Any] | None = None,
    setting: str = "lr",
    chosen: float | None = None,
    edge: bool = False,
) -> Json:
    """A tuning table: {value of the setting: loss per tuning seed}, and its winner."""
    means = {x: sum(column) / len(column) for x, column in curve.items()}
    winner = min(means, key=lambda x: means[x]) if chosen is None else chosen
    return {
        "experiment": experiment,
        "arm": arm,
        "at": dict(at or {}),
        "chosen": {setting: winner},
        "edge": [setting] if edge else [],
        "tuning": [
            {"setting": {setting: x}, "seed": seed, "value": value}
            for x, column in curve.items()
            for seed, value in enumerate(column)
        ],
    }


def results(
    rows: Sequence[Json], *, of: Sequence[Json] | None = None, choices: Sequence[Json] = (), seeds: int | None = None
) -> Results:
    """Results of a card with just these experiments; by default two arms and as many seeds as there are."""
    number = max((row["seed"]["number"] + 1 for row in rows), default=1) if seeds is None else seeds
    arms = list(dict.fromkeys([row["arm"] for row in rows] + [c["arm"] for c in choices]))
    known = list(of) if of is not None else [experiment(arms=arms, seeds=number)]
    return Results(card([], known), "cpu", rows, choices)


def product(**axes: Sequence[Any]) -> list[Json]:
    """
    >>> product(x=(1, 2), y=("a",))
    [{'x': 1, 'y': 'a'}, {'x': 2, 'y': 'a'}]
    """
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def bounds(rate: float, worlds: int) -> tuple[float, float]:
    """Between these rates lie all but one in a thousand experiments of so many worlds."""
    return tuple(float(stats.binom.ppf(q, worlds, rate)) / worlds for q in (0.0005, 0.9995))  # type: ignore[return-value]


# --- Sixteen seeds ---

GAP = paired_gap("loss", "a", minus="b")
RNG = np.random.default_rng(9473)
NOISE = stats.norm.ppf((np.arange(16) + 0.5) / 16)  # sixteen numbers as normal as can be, mean 0
NOISE = RNG.permutation((NOISE - NOISE.mean()) / NOISE.std(ddof=1))  # mean 0 and standard deviation 1
COMMON = RNG.normal(10, 3, 64)


def world(gap: float, sd: float = 1.0, **place: Any) -> list[Json]:
    """Sixteen seeds whose paired gaps have just this mean and standard deviation."""
    return fight((COMMON[:16] + gap + sd * NOISE).tolist(), COMMON[:16].tolist(), **place)


def row_of(rows: list[Json], the_claim: Json | None = None, **more: Any) -> Json:
    given = the_claim or claim(GAP, at_least(0), headline=True)
    choices = more.pop("choices", [])
    seeds = more.pop("asked", None)
    of = more.pop("of", None) or experiment(**more)
    (row,) = judge(card([given], [of]), "cpu", rows, choices, seeds=seeds)
    assert row["outcome"] == "reproduced" or row["reason"], "every other outcome says why"
    json.dumps(row, allow_nan=False)
    canonical(row)
    return row
