"""The whole judge on normal worlds whose truth is known: its own error rate and its power, for ``suite doctor``."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from suite.judge import judge
from suite.looks import look_alphas
from suite.quantities import ALPHA, paired_gap
from suite.quantities.intervals import t_quantile


def synthetic_worlds(worlds: int = 1000, planted: int = 300, seed: int = 0) -> list[dict[str, Any]]:
    """Normal worlds through the whole judge: {name, worlds, verdicts, rate, expected, low, high, ok} for each kind.

    A null world has its truth on the margin: any verdict is false.  Expected rates come from Student's t directly, at
    200 000 worlds; ``low`` and ``high`` are the counts between which the verdicts lie with probability 0.999 when the
    judge is right, and the null rates must not exceed what alpha allows either.
    """
    from scipy.stats import binom

    rng = np.random.default_rng(seed)
    found = []
    for looks in ((), (6, 10, 16)):
        card = _toy_card(looks)
        plan = look_alphas(card["experiments"][0]["tiers"]["cpu"])
        for effect, count in ((0.0, worlds), (0.8, planted), (1.0, planted)):
            verdicts = sum(_toy_outcome(card, rng, effect, null=effect == 0) for _ in range(count))
            expected = _expected(plan, effect, np.random.default_rng(seed + 1))
            low, high = (int(binom.ppf(q, count, expected)) for q in (0.0005, 0.9995))
            if effect == 0:
                high = min(high, int(binom.ppf(0.9995, count, ALPHA)))
            name = f"{'null' if effect == 0 else f'{effect:g} sd beyond the margin'}, looks at {[n for n, _ in plan]}"
            row = {"name": name, "worlds": count, "verdicts": verdicts, "rate": verdicts / count, "expected": expected}
            found.append({**row, "low": low, "high": high, "ok": low <= verdicts <= high})
    return found


def _toy_card(looks: tuple[int, ...]) -> dict[str, Any]:
    tier = {"seeds": 16, "tuning_seeds": 4, "looks": list(looks), "at_most": None, "stack": None, "sizes": {}}
    arms = [{"name": name, "fixed": {}, "tuned": {}, "like": None} for name in ("a", "b")]
    experiment = {"name": "race", "measure": "", "arms": arms, "conditions": {}, "columns": [], "tune_on": None}
    clause = {"quantity": paired_gap("loss", "a", minus="b").to_json(), "claimed": [0.0, None], "needs": None}
    claim = {"id": "c1", "says": "a lies above b", "kind": "comparison", "headline": True, "clauses": [clause]}
    return {
        "slug": "synthetic",
        "claims": [{**claim, "untested": {}, "note": ""}],
        "experiments": [{**experiment, "best": "min", "timed": False, "tiers": {"cpu": tier}}],
        "published": [],
    }


def _toy_outcome(card: Mapping[str, Any], rng: np.random.Generator, effect: float, null: bool) -> bool:
    """Whether one world ends in a verdict (``null``), or in the right one."""
    common, gap = rng.normal(size=16), rng.normal(size=16) + effect
    trials = [
        {
            "experiment": "race",
            "arm": arm,
            "at": {},
            "seed": {"purpose": "verdict", "number": i},
            "metrics": {"loss": x},
        }
        for arm, column in (("a", common + gap), ("b", common))
        for i, x in enumerate(column.tolist())
    ]
    outcome = judge(card, "cpu", trials, [])[0]["outcome"]
    return outcome in ("reproduced", "refuted") if null else outcome == "reproduced"


def _expected(
    plan: Sequence[tuple[int, float]], effect: float, rng: np.random.Generator, worlds: int = 200_000
) -> float:
    """The rate of (right) verdicts of plain t tests at the planned looks."""
    x = rng.normal(size=(worlds, plan[-1][0])) + effect
    verdict = np.zeros(worlds)
    for n, alpha in plan:
        t = x[:, :n].mean(1) / (x[:, :n].std(1, ddof=1) / math.sqrt(n))
        verdict = np.where(verdict == 0, np.sign(t) * (np.abs(t) > t_quantile(n - 1, alpha)), verdict)
    return float((verdict != 0).mean() if effect == 0 else (verdict > 0).mean())
