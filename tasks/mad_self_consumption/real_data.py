"""Gaussian loops that are fed real data too, by sufficient statistics in one dimension (c8 to c12).

The truth is N(0, 1); a pool is known by (how many, mean, sum of squares about it), and two pools merge into one.  The
error of a fit is W = E[mu^2 + (1 - S^(1/2))^2], the squared Wasserstein distance, S the fitted variance without lambda.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln

from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.mad_self_consumption.pools import late


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Many pools at once: ``number`` points each, their means and their sums of squares about the mean."""

    number: int
    mean: np.ndarray
    squares: np.ndarray

    def __add__(self, other: "Pool") -> "Pool":
        number = self.number + other.number
        apart = other.mean - self.mean
        return Pool(
            number=number,
            mean=self.mean + apart * (other.number / number),
            squares=self.squares + other.squares + apart**2 * (self.number * other.number / number),
        )

    @property
    def variance(self) -> np.ndarray:
        return self.squares / (self.number - 1)

    @property
    def error(self) -> float:
        """The mean squared Wasserstein distance to N(0, 1)."""
        return float((self.mean**2 + (1 - np.sqrt(self.variance)) ** 2).mean())


def drawn(rng: np.random.Generator, number: int, mean: np.ndarray, variance: np.ndarray) -> Pool:
    """The pools of ``number`` points each from N(mean, variance)."""
    return Pool(
        number=number,
        mean=mean + np.sqrt(variance / number) * rng.standard_normal(len(mean)),
        squares=variance * rng.chisquare(number - 1, len(mean)),
    )


def of_real(n: int) -> float:
    """W of a fit to n real points: 1 / n + 2 - 2 c4(n), c4(n) = sqrt(2 / (n - 1)) Gamma(n / 2) / Gamma((n - 1) / 2).

    >>> round(100 * of_real(100), 3)
    1.504
    """
    return 1 / n + 2 - 2 * float(np.exp(gammaln(n / 2) - gammaln((n - 1) / 2)) * np.sqrt(2 / (n - 1)))


def worth(error: float) -> float:
    """n_e: how many real points give the same W.

    >>> round(worth(of_real(300)), 6)
    300.0
    """
    found: Any = brentq(lambda n: of_real(n) - error, 2.0, 1e7, xtol=1e-9)
    return float(found)


# --- Four diets -------------------------------------------------------------------------------------

DIETS = ("synthetic", "fixed", "growing", "fresh")


def diets(seeds: Sequence[Seed], tier: Tier, *, diet: str, lam: float) -> Mapping[str, Any]:
    """W over the generations, n real points in the first, n synthetic ones from every model after it."""
    n, last = tier["n"], tier["generations"]
    found: dict[str, list[Any]] = {"error": [], "ratio": [], "late": []}
    for seed in seeds:
        rng, none, one = seed.numpy("chains"), np.zeros(tier["chains"]), np.ones(tier["chains"])
        first = pool = drawn(rng, n, none, one)
        errors = [pool.error]
        for _ in range(1, last):
            made = drawn(rng, n, pool.mean, lam * pool.variance)
            real = drawn(rng, n, none, one)
            pool = {"synthetic": made, "fixed": first + made, "growing": pool + made, "fresh": real + made}[diet]
            errors.append(pool.error)
        found["error"].append(errors)
        found["ratio"].append(errors[-1] / errors[0])
        found["late"].append(late(errors))
    found["generation"] = [list(range(1, last + 1))] * len(seeds)
    return found


EXPERIMENT_DIETS = Experiment(
    name="diets",
    measure=diets,
    arms=tuple(Arm(diet, fixed={"diet": diet}) for diet in DIETS),
    conditions={"lam": (1.0, 0.7)},
    tiers={
        "smoke": Tier(seeds=8, sizes={"n": 100, "generations": 30, "chains": 2000}),
        "cpu": Tier(seeds=16, at_most=64, sizes={"n": 100, "generations": 60, "chains": 20_000}),
        "gpu": Tier(seeds=16, at_most=64, sizes={"n": 100, "generations": 300, "chains": 20_000}),
    },
)

# --- The fresh loop forgets how it began ------------------------------------------------------------

STARTS = (0.1, 10.0)


def forgets(seeds: Sequence[Seed], tier: Tier, *, n_s: int, lam: float) -> Mapping[str, Any]:
    """W after many generations from S_0 = 0.1 and 10, over that from S_0 = 1; n_r = 100.  Draws of their own each."""
    found: dict[str, list[Any]] = {"start": [], "limit": []}
    for seed in seeds:
        begun, ended = [], []
        for start in (1.0, *STARTS):
            rng = seed.numpy(f"start {start}")
            none, one = np.zeros(tier["chains"]), np.ones(tier["chains"])
            pool = drawn(rng, 100 + n_s, none, start * one)
            begun.append(pool.error)
            errors = []
            for _ in range(tier["generations"]):
                pool = drawn(rng, 100, none, one) + drawn(rng, n_s, pool.mean, lam * pool.variance)
                errors.append(pool.error)
            ended.append(float(np.mean(errors[-tier["averaged"] :])))
        found["start"].append([value / begun[0] for value in begun[1:]])
        found["limit"].append([value / ended[0] for value in ended[1:]])
    return found


FORGETS = Experiment(
    name="forgets",
    measure=forgets,
    conditions={"n_s": (100, 500), "lam": (1.0, 0.9)},
    tiers={
        "smoke": Tier(seeds=8, sizes={"generations": 60, "averaged": 20, "chains": 1000}),
        "cpu": Tier(seeds=16, at_most=64, sizes={"generations": 100, "averaged": 50, "chains": 5000}),
        "gpu": Tier(seeds=16, at_most=64, sizes={"generations": 200, "averaged": 100, "chains": 20_000}),
    },
)

# --- How much synthetic data helps ------------------------------------------------------------------

SHARES = (0.02, 0.1, 0.3, 1.0, 3.0, 10.0)  # n_s / n_r


def admissible(seeds: Sequence[Seed], tier: Tier, *, lam: float) -> Mapping[str, Any]:
    """n_e / n_r of the fresh loop over n_s / n_r: above 1 the synthetic data help."""
    n_r = tier["n_r"]
    found: dict[str, list[Any]] = {"worth": [], "best": [], "most": [], "over_formula": []}
    for seed in seeds:
        rng, ratios = seed.numpy("chains"), []
        none, one = np.zeros(tier["chains"]), np.ones(tier["chains"])
        for share in SHARES:
            n_s = max(2, round(share * n_r))
            pool, errors = drawn(rng, n_r, none, one), []
            burn = round(8 * (1 + share))  # the past fades like (n_s / (n_r + n_s))^t
            for t in range(burn + tier["averaged"]):
                pool = drawn(rng, n_r, none, one) + drawn(rng, n_s, pool.mean, lam * pool.variance)
                if t >= burn:
                    errors.append(pool.error)
            ratios.append(worth(float(np.mean(errors))) / n_r)
        found["worth"].append(ratios)
        found["best"].append(max(ratios))
        found["most"].append(ratios[-1])
        found["over_formula"].append([r - (1 + s / (1 + s)) for r, s in zip(ratios, SHARES, strict=True)])
    return found


ADMISSIBLE = Experiment(
    name="admissible",
    measure=admissible,
    conditions={"lam": (1.0, 0.99, 0.95, 0.9, 0.8, 0.5)},
    tiers={
        "smoke": Tier(seeds=8, sizes={"n_r": 1000, "averaged": 20, "chains": 500}),
        "cpu": Tier(seeds=16, at_most=64, stack=4, sizes={"n_r": 1000, "averaged": 60, "chains": 2000}),
        "gpu": Tier(seeds=32, at_most=64, stack=4, sizes={"n_r": 1000, "averaged": 200, "chains": 4000}),
    },
)

# --- Where it stops to help: common random numbers --------------------------------------------------


def crossing_formula(lam: float, d: int = 1) -> float:
    """n_s* = 4 [(2 - lam) + (d + 1) (2 - lam^2) / 4 - 3/8 (1 - lam) (d + 1)] / (1 - lam)^2, for n_r -> infinity.

    >>> [round(crossing_formula(lam), 6) for lam in (0.5, 0.8, 0.9)]
    [32.0, 173.0, 648.0]
    """
    return 4 * ((2 - lam) + (d + 1) * (2 - lam**2) / 4 - 0.375 * (1 - lam) * (d + 1)) / (1 - lam) ** 2


GRID = tuple(round(8 * 2 ** (k / 2)) for k in range(17))  # n_s from 8 to 2048


def crossing(seeds: Sequence[Seed], tier: Tier, *, lam: float) -> Mapping[str, Any]:
    """n_s at which W(n_r, n_s, lambda) = W(n_r, 0): the first change of sign over ``GRID``, over the formula.

    Both fits share the real points.  The difference is small beside W itself; what it owes to the chance of single
    draws is taken off by regression on products of independent, centred draws, whose means are known to be 0.
    """
    n_r, chains = tier["n_r"], tier["chains"]
    found: dict[str, list[Any]] = {"excess": [], "crossing": [], "over_formula": []}
    for seed in seeds:
        rng, excess = seed.numpy("chains"), []
        none, one = np.zeros(chains), np.ones(chains)
        for n_s in GRID:
            pool = drawn(rng, n_r, none, one)
            gaps, controls = [], []
            for t in range(tier["generations"]):
                z, shape = rng.standard_normal(chains), rng.chisquare(n_s - 1, chains)
                variance = lam * pool.variance
                made = Pool(number=n_s, mean=pool.mean + np.sqrt(variance / n_s) * z, squares=variance * shape)
                real = drawn(rng, n_r, none, one)
                a = np.sqrt(n_r) * real.mean
                b = (real.variance - 1) * np.sqrt((n_r - 1) / 2)
                c = (shape - (n_s - 1)) / np.sqrt(2 * (n_s - 1))
                p, q = np.sqrt(n_r) * pool.mean, np.sqrt(n_r) * (pool.variance - pool.variance.mean())
                pool = real + made
                if t >= tier["burn"]:
                    gap = pool.mean**2 + (1 - np.sqrt(pool.variance)) ** 2
                    gaps.append(gap - real.mean**2 - (1 - np.sqrt(real.variance)) ** 2)
                    controls.append(np.stack([a**2 - 1, b**2 - 1, b, c, a * p, a * z, b * q, b * c], 1))
            excess.append(without_chance(np.concatenate(gaps), np.concatenate(controls)) / of_real(n_r))
        found["excess"].append(excess)
        found["crossing"].append(first_root(GRID, excess))
        found["over_formula"].append(found["crossing"][-1] / crossing_formula(lam))
    found["per_point"] = [[n_r * e / n for e, n in zip(row, GRID, strict=True)] for row in found["excess"]]
    return found


def without_chance(values: np.ndarray, controls: np.ndarray) -> float:
    """The mean of values [N] less their regression on controls [N, K] of mean 0.

    >>> controls = np.array([[-1.0], [0.0], [2.0]])
    >>> round(without_chance(5 + 3 * controls[:, 0], controls), 9)
    5.0
    """
    design = np.concatenate([np.ones((len(values), 1)), controls], 1)
    return float(np.linalg.solve(design.T @ design, design.T @ values)[0])


def first_root(places: Sequence[float], values: Sequence[float]) -> float:
    """Where values / places changes from below 0 to above it, by a straight line; the grid's ends where it does not.

    >>> first_root((1, 2, 4), (-1.0, -2.0, 4.0))
    3.0
    """
    slopes = [v / p for v, p in zip(values, places, strict=True)]
    for i in range(1, len(places)):
        if slopes[i - 1] < 0 <= slopes[i]:
            return places[i - 1] + (places[i] - places[i - 1]) * slopes[i - 1] / (slopes[i - 1] - slopes[i])
    return float(places[0] if slopes[0] >= 0 else places[-1])


CROSSING = Experiment(
    name="crossing",
    measure=crossing,
    conditions={"lam": (0.5, 0.7, 0.8, 0.9)},
    tiers={
        "smoke": Tier(seeds=8, sizes={"n_r": 100_000, "chains": 100, "generations": 6, "burn": 3}),
        "cpu": Tier(seeds=16, at_most=64, sizes={"n_r": 100_000, "chains": 2000, "generations": 12, "burn": 4}),
        "gpu": Tier(seeds=16, at_most=64, sizes={"n_r": 1_000_000, "chains": 10_000, "generations": 12, "burn": 4}),
    },
)
