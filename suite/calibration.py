"""The judge judged: how often does the rule go wrong, and how often does it see an effect, on a claim's own noise?

The real per-seed numbers of a comparison are centred, and worlds are drawn from them whose truth is known.  A/A: the
truth of every cell sits on the margin, where any verdict is a false one; signs are flipped at random, because an arm
against itself is symmetric (``false_verdict_rate_skewed`` leaves the signs, so that the skewness stays).  Planted: the
truth lies 0.5, 1 and 1.5 standard deviations beyond the margin, and the share of worlds that say so is the power.  The
planned looks are part of every world.
"""

import functools
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.clauses import Clause, clauses_of, gather, split
from suite.looks import look_alphas
from suite.quantities import ALPHA, Evidence, Unmeasurable, levels
from suite.quantities.intervals import Student, t_quantile
from suite.results import Results
from suite.synthetic import synthetic_worlds

__all__ = ["calibrate", "synthetic_worlds"]

WORLDS = 1000
EFFECTS = (0.5, 1.0, 1.5)
HOLDS, FAILS, OPEN = 1, -1, 0


@dataclass(frozen=True, kw_only=True)
class Fight:
    """A clause, or those of its cells that have one number of seeds, as arrays: c cells whose values are centred, and
    whose claimed ends are given relative to the truth.

    values   [c, m] centred per-seed values
    low, high [c] ends of the claimed interval, the truth on the margin being 0
    seeds    of each look
    alphas   [looks, c] level of each cell at each look
    """

    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    needs: int
    seeds: tuple[int, ...]
    alphas: np.ndarray
    group: str  # cells of one group see the same seeds
    clause: int = 0  # the cells of one clause are judged together

    @property
    def two_sided(self) -> bool:
        return bool((np.isfinite(self.low) & np.isfinite(self.high)).any())

    def inward(self) -> np.ndarray:
        """[c] the sign of a planted effect: into the claimed interval, or out of one with two ends (a refutation)."""
        return np.where(self.low == 0, 1.0, -1.0) * (-1.0 if self.two_sided else 1.0)


def decide_worlds(fights: Fight | Sequence[Fight], worlds: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
    """[looks, worlds] HOLDS, FAILS or OPEN of one clause for worlds [c, worlds, n]: ``decide`` on t intervals.

    The cells of a clause may have different numbers of seeds; they are then several fights, each with its worlds.
    """
    if isinstance(fights, Fight):
        fights, worlds = [fights], [np.asarray(worlds)]
    inside, apart = np.sum([_cells(fight, x) for fight, x in zip(fights, worlds, strict=True)], axis=0)
    cells, needs = sum(len(fight.values) for fight in fights), fights[0].needs
    return np.where(inside >= needs, HOLDS, OPEN) + np.where(cells - apart < needs, FAILS, OPEN)


def _cells(fight: Fight, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """([looks, worlds] cells that lie inside, [looks, worlds] cells that lie apart) of worlds x [c, worlds, n]."""
    counts = np.zeros((2, len(fight.seeds), x.shape[1]), dtype=int)
    for look, n in enumerate(fight.seeds):
        seen = x[:, :, :n]
        mean, sd = seen.mean(-1), seen.std(-1, ddof=1)
        t = np.asarray([t_quantile(n - 1, float(alpha)) for alpha in fight.alphas[look]])
        half = t[:, None] * sd / math.sqrt(n)
        varies = np.ptp(seen, axis=-1) > 0  # without variance the judge answers with an error, not with a verdict
        low, high = fight.low[:, None], fight.high[:, None]
        counts[0, look] = (varies & (mean - half >= low) & (mean + half <= high)).sum(0)
        counts[1, look] = (varies & ((mean + half < low) | (mean - half > high))).sum(0)
    return counts[0], counts[1]


def first_verdict(looks: np.ndarray) -> np.ndarray:
    """[worlds] the verdict of the first look that has one, from [looks, worlds].

    >>> first_verdict(np.array([[0, 1, 0], [-1, -1, 0]]))
    array([-1,  1,  0])
    """
    first = np.argmax(looks != OPEN, axis=0)
    return looks[first, np.arange(looks.shape[1])]


def worlds_of(fights: Sequence[Fight], worlds: int, rng: np.random.Generator, flip: bool) -> list[np.ndarray]:
    """Resampled worlds [c, worlds, n] of each fight; the cells and fights of one group share seeds and signs."""
    drawn: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]] = {}
    found = []
    for fight in fights:
        m, n = fight.values.shape[1], max(fight.seeds)
        key = (fight.group, m)
        if key not in drawn:
            seeds = rng.integers(m, size=(worlds, n))
            drawn[key] = (seeds, rng.choice((-1.0, 1.0), size=(worlds, n)) if flip else np.ones((worlds, n)))
        seeds, signs = drawn[key]
        found.append(fight.values[:, seeds[:, :n]] * signs[:, :n])
    return found


def rates(fights: Sequence[Fight], rng: np.random.Generator, worlds: int = WORLDS) -> dict[str, Any]:
    """False-verdict rates and power of some clauses together."""
    null = worlds_of(fights, worlds, rng, flip=True)
    skewed = worlds_of(fights, worlds, rng, flip=False)
    refute = any(fight.two_sided for fight in fights)
    power = {}
    for effect in EFFECTS:
        shifted = []
        for fight, x in zip(fights, null, strict=True):
            sd = fight.values.std(axis=1)  # of the world that is drawn from
            inward = fight.inward() * (-1.0 if refute and not fight.two_sided else 1.0)
            shifted.append(x + (effect * sd * inward)[:, None, None])
        looks = [decide_worlds(*clause) for clause in _clauses(fights, shifted)]
        power[str(effect)] = float((_together(looks) == (FAILS if refute else HOLDS)).mean())
    return {
        "false_verdict_rate": _false(fights, null),
        "false_verdict_rate_skewed": _false(fights, skewed),
        "worlds": worlds,
        "power": power,
        "planted": "refuted" if refute else "reproduced",
        "cells": sum(len(fight.values) for fight in fights),
        "seeds": max(fight.seeds[-1] for fight in fights),
    }


def _clauses(fights: Sequence[Fight], worlds: Sequence[np.ndarray]) -> list[tuple[list[Fight], list[np.ndarray]]]:
    """The fights and the worlds of each clause."""
    found: dict[int, tuple[list[Fight], list[np.ndarray]]] = {}
    for fight, x in zip(fights, worlds, strict=True):
        cells, seen = found.setdefault(fight.clause, ([], []))
        cells.append(fight)
        seen.append(x)
    return list(found.values())


def _false(fights: Sequence[Fight], worlds: Sequence[np.ndarray]) -> float:
    """The share of worlds in which some clause is decided although every truth sits on its margin."""
    decided = [first_verdict(decide_worlds(*clause)) != OPEN for clause in _clauses(fights, worlds)]
    return float(np.any(decided, axis=0).mean())


def _together(looks: Sequence[np.ndarray]) -> np.ndarray:
    """[worlds] a claim's first verdict from its clauses' [looks, worlds]: one that fails refutes, all must hold."""
    most = max(len(one) for one in looks)
    whole = np.stack([np.concatenate([one, np.repeat(one[-1:], most - len(one), axis=0)]) for one in looks])
    return first_verdict(np.where((whole == FAILS).any(0), FAILS, np.where((whole == HOLDS).all(0), HOLDS, OPEN)))


@functools.cache
def most_on_normal_noise(seeds: int, alpha: float, worlds: int, claims: int = 1000) -> float:
    """The largest false-verdict rate among so many claims of one cell and one look whose noise is normal.

    A claim's worlds are drawn from a handful of values, on which Student's interval is not exact.  At 8 seeds and a
    level of 0.025 the rates of claims in order therefore scatter up to 0.05, wider than a binomial of 1000 worlds.
    """
    rng, worst = np.random.default_rng(seeds), 0.0
    bar = t_quantile(seeds - 1, alpha) / math.sqrt(seeds)
    for _ in range(claims):
        values = rng.normal(size=seeds)
        picked = (values - values.mean())[rng.integers(seeds, size=(worlds, seeds))]
        seen = picked * rng.choice((-1.0, 1.0), size=picked.shape)
        sd = seen.std(axis=1, ddof=1)
        worst = max(worst, float(((sd > 0) & (np.abs(seen.mean(axis=1)) > bar * sd)).mean()))
    return worst


# --- A claim's own noise ------------------------------------------------------------------------------


def calibrate(
    card: Mapping[str, Any],
    tier: str,
    trials: Iterable[Mapping[str, Any]],
    choices: Sequence[Mapping[str, Any]],
    rows: Iterable[Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    """{claim id: rates} of every judged claim that compares means over seeds; deterministic.

    Claims with an ``error``, untested ones, exact ones, probabilities and predictions have no entry; nor have timed
    ones, whose numbers must not enter what is compared between runs.
    """
    results = Results(card, tier, trials, choices)
    judged = {row["id"] for row in rows if row["outcome"] not in (None, "error") and not row["timed"]}
    found = {}
    for claim in card["claims"]:
        if claim["id"] not in judged:
            continue
        clauses = clauses_of(claim)
        names = {results.experiment(e)["name"] for c in clauses for e, _ in c.quantity.reads()}
        reach = {e: results.available(e) for e in names if results.available(e)}
        try:
            evidence = gather(clauses, results.reading(reach))
        except Unmeasurable:
            continue  # judged at an earlier look, and later seeds have failed
        fights, alpha = _fights(clauses, evidence, card, tier, results)
        if fights:
            seed = int.from_bytes(hashlib.sha256(f"{card['slug']}/{claim['id']}/calibration".encode()).digest()[:8])
            found[claim["id"]] = {**rates(fights, np.random.default_rng(seed)), "alpha": alpha}
    return found


def _fights(
    clauses: Sequence[Clause],
    evidence: Sequence[Sequence[Evidence]],
    card: Mapping[str, Any],
    tier: str,
    results: Results,
) -> tuple[list[Fight], float]:
    """The clauses that compare means, each quantity once, and the alpha of all looks together."""
    tiers = {e["name"]: e["tiers"][tier] for e in card["experiments"] if tier in e["tiers"]}
    plans: dict[str, tuple[tuple[int, float], ...]] = {}
    for clause in clauses:
        for part in clause.quantity.parts():
            name = results.experiment(part.experiment)["name"]
            if part.grows and part.budget != "none":
                available, declared = results.available(name), tiers[name]["seeds"]
                plans[name] = look_alphas(tiers[name], available if available > declared else None)
    leading = max(plans.values(), key=len, default=((0, ALPHA),))
    total = min((math.fsum(a for _, a in plan) for plan in plans.values()), default=ALPHA)
    scale = total / math.fsum(a for _, a in leading)
    alphas = [a * scale for _, a in leading]
    sharing = split(clauses)
    fights, seen = [], set()
    for clause, items in zip(clauses, evidence, strict=True):
        students = [e for e in items if isinstance(e, Student) and not (e.new or e.open_low or e.open_high)]
        if clause.key in seen or not students or len(students) < len(items):
            continue
        seen.add(clause.key)
        shares = np.asarray([levels(students, alpha, sharing) for alpha in alphas])
        sizes: dict[tuple[str, int], list[int]] = {}
        for i, cell in enumerate(students):
            sizes.setdefault((cell.leans[0].experiment if cell.leans else "", cell.n), []).append(i)
        for (name, n), members in sizes.items():
            values = np.asarray([students[i].values for i in members])
            means = values.mean(axis=1)
            low, high = (
                np.asarray([students[i].scaled(end) for i in members])
                for end in (clause.claimed.low, clause.claimed.high)
            )
            margin = np.where(np.abs(means - low) <= np.abs(high - means), low, high)  # the end next to the measured
            fights.append(
                Fight(
                    values=values - means[:, None],
                    low=low - margin,
                    high=high - margin,
                    needs=len(students) if clause.needs is None else clause.needs,
                    seeds=tuple(
                        plans[name][min(i, len(plans[name]) - 1)][0] if name in plans else n for i in range(len(alphas))
                    ),
                    alphas=shares[:, members],
                    group=name,
                    clause=len(seen),
                )
            )
    return fights, math.fsum(alphas)
