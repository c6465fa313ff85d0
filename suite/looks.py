"""When a claim may be decided, and how much of its 5 % each time costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suite.claims import Tier, seeds_taken
from suite.quantities import ALPHA, Quantity
from suite.results import Results

_DECLARED: dict[tuple[int, ...], tuple[float, ...]] = {(6, 10, 16): (0.005, 0.015, 0.03)}


def look_alphas(tier: Tier | Mapping[str, Any], seeds: int | None = None) -> tuple[tuple[int, float], ...]:
    """(seeds, alpha) of each planned look; the alphas add up to 0.05, so that any dependence between looks is covered.

    Looks at 6, 10 and 16 seeds spend .005, .015 and .03.  Other schedules n_1 < ... < n_k spend 0.05 ((n_i / n_k)^2 -
    (n_{i-1} / n_k)^2) (Kim and DeMets 1987, power family).  A tier that allows more seeds (``at_most``) plans one more
    look with that: what was declared then costs half, and a run with other than the declared ``seeds`` the other half.

    >>> look_alphas(Tier(seeds=16, looks=(6, 10, 16)))
    ((6, 0.005), (10, 0.015), (16, 0.03))
    >>> look_alphas(Tier(seeds=16)), look_alphas(Tier(seeds=16, at_most=24)), look_alphas(Tier(seeds=16), seeds=12)
    (((16, 0.05),), ((16, 0.025),), ((12, 0.025),))
    """
    of = tier if isinstance(tier, Mapping) else {n: getattr(tier, n) for n in ("seeds", "looks", "at_most")}
    declared = int(of["seeds"])
    taken = seeds_taken(declared, of.get("at_most"), seeds)
    if taken != declared:
        return ((taken, ALPHA / 2),)
    numbers: tuple[int, ...] = tuple(of.get("looks") or ()) or (declared,)
    share = 0.5 if (of.get("at_most") or 0) > declared > 1 else 1.0
    last = numbers[-1]
    spent = _DECLARED.get(numbers) or [
        ALPHA * (n * n - before * before) / (last * last) for before, n in zip((0, *numbers), numbers, strict=False)
    ]
    return tuple((n, share * alpha) for n, alpha in zip(numbers, spent, strict=True))


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One look of one claim: number ``look`` of ``looks``, its alpha, and the seeds read of each experiment."""

    look: int
    looks: int
    alpha: float
    first: Mapping[str, int]

    @property
    def weight(self) -> float:
        """The share of 0.05 that this look spends; p / weight is comparable between looks."""
        return self.alpha / ALPHA


def stages(
    results: Results, card: Mapping[str, Any], tier: str, quantities: Sequence[Quantity], seeds: int | None
) -> list[Stage]:
    """The looks of a claim that its trials have reached, in order; at least one.

    A claim that infers nothing, or only from tuning, is read once, at all there is.  One that reads several
    experiments takes its looks from the one with the most; the others stay at their last look once they have reached
    it.
    """
    plans = {e["name"]: look_alphas(e["tiers"][tier], seeds) for e in card["experiments"] if tier in e["tiers"]}
    parts = [part for quantity in quantities for part in quantity.parts()]
    read = [e for e in dict.fromkeys(results.experiment(p.experiment)["name"] for p in parts) if e in plans]
    grows = {results.experiment(p.experiment)["name"] for p in parts if p.grows and p.budget != "none"}
    growing = [e for e in read if e in grows]

    def reached(experiment: str) -> int:
        """How many looks the trials have reached; a look that has begun counts, and is then found incomplete."""
        numbers = [n for n, _ in plans[experiment]]
        available = results.available(experiment)
        done = sum(n <= available for n in numbers)
        return max(1, done + (done < len(numbers) and available > (numbers[done - 1] if done else 0)))

    at_end = {e: plans[e][reached(e) - 1][0] for e in read}
    if not growing:
        return [Stage(look=1, looks=1, alpha=ALPHA, first=at_end)]
    leading = max(growing, key=lambda e: len(plans[e]))
    total = min(sum(alpha for _, alpha in plans[e]) for e in growing)
    scale = total / sum(alpha for _, alpha in plans[leading])
    found = []
    for i in range(max(reached(e) for e in growing)):
        if any(i >= reached(e) and reached(e) < len(plans[e]) for e in growing):
            break
        first = {e: plans[e][min(i, len(plans[e]) - 1)][0] if e in growing else at_end[e] for e in read}
        alpha = plans[leading][min(i, len(plans[leading]) - 1)][1] * scale
        found.append(Stage(look=i + 1, looks=len(plans[leading]), alpha=alpha, first=first))
    return found
