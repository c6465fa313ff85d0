"""The loop on Gaussians, exactly: no data are drawn, only their sufficient statistics (c2 to c6, i1).

A generation draws n points from N(mu, lambda S) and takes their mean and their covariance over n - 1, so that

    mu <- mu + (lambda S / n)^(1/2) z,    S <- lambda S W / (n - 1),  W ~ Wishart(n - 1)

and log det S moves by d log lambda + sum_i log(chi2_{n-i} / (n - 1)) in independent steps.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import digamma, ndtr, polygamma

from suite.claims import Experiment, Tier
from suite.seeds import Seed

LAMBDAS = (0.5, 0.7, 0.9, 1.0)


def unbiased(n: int) -> int:
    """What the squares are divided by; n here would be a truncation in disguise."""
    return n - 1


def drift(n: int, d: int, lam: float) -> float:
    """E[log det S_t - log det S_{t-1}] = d log lambda + sum_i (psi((n - i) / 2) - log((n - 1) / 2)), i = 1 .. d.

    >>> round(drift(100, 1, 1.0), 6), round(drift(10, 8, 0.5), 3)
    (-0.010135, -12.322)
    """
    i = np.arange(1, d + 1)
    return float(d * np.log(lam) + np.sum(digamma((n - i) / 2) - np.log((n - 1) / 2)))


def spread(n: int, d: int) -> float:
    """The variance of that step: sum_i psi_1((n - i) / 2).

    >>> round(spread(100, 1), 5)
    0.02041
    """
    return float(np.sum(polygamma(1, (n - np.arange(1, d + 1)) / 2)))


def bartlett(rng: np.random.Generator, chains: int, n: int, d: int) -> np.ndarray:
    """Lower triangles A [chains, d, d] with A A^T ~ Wishart(n - 1) (Bartlett, 1933)."""
    found = np.zeros((chains, d, d))
    for i in range(d):
        found[:, i, i] = np.sqrt(rng.chisquare(n - 1 - i, chains))
        found[:, i, :i] = rng.standard_normal((chains, i))
    return found


def moments(seeds: Sequence[Seed], tier: Tier, *, n: int, d: int) -> Mapping[str, Any]:
    """Relative errors of E[S_t] = lambda^(t-1) and of Var(mu_t) = t / n, at times when the chains can tell."""
    times, late = tier["times"][str(n)], tier["mean_times"][str(n)]
    found: dict[str, list[Any]] = {"covariance_error": [], "mean_error": []}
    for seed in seeds:
        rng = seed.numpy("chains")
        errors = []
        for lam in LAMBDAS:
            chains = tier["chains"] // d
            lower, mu = np.broadcast_to(np.eye(d), (chains, d, d)), np.zeros((chains, d))
            scales, drifted = [], []
            for t in range(1, max(*times, *(late if lam == 1 else ())) + 1):
                noise = rng.standard_normal((chains, d, 1))
                past = np.sqrt(lam) if t > 1 else 1.0  # no lambda on real draws
                mu = mu + past * (lower @ noise)[..., 0] / np.sqrt(n)
                lower = past * lower @ bartlett(rng, chains, n, d) / np.sqrt(unbiased(n))
                scales.append((lower**2).sum((1, 2)).mean() / d)
                drifted.append((mu**2).mean())
            errors.append([scales[t - 1] / lam ** (t - 1) - 1 for t in times])
            if lam == 1:
                found["mean_error"].append([drifted[t - 1] / (t / n) - 1 for t in late])
        found["covariance_error"].append(errors)
    return found


def walk(seeds: Sequence[Seed], tier: Tier, *, n: int, d: int) -> Mapping[str, Any]:
    """log det S_t over many generations: its slope and spread against the formulas, and when half is lost."""
    steps, chains = tier["steps"][str(n)], tier["chains"][str(n)] // (4 if d > 1 else 1)  # d = 8 falls more steadily
    times = np.arange(1, steps + 1)
    centred = times - times.mean()
    found: dict[str, list[Any]] = {
        k: []
        for k in (
            "slope_error",
            "spread_error",
            "half",
            "half_error",
            "faster",
            "faster_0.9",
            "gone",
            "chains",
            "mean",
            "median",
            "line",
        )
    }
    for seed in seeds:
        rng = seed.numpy("walk")
        slopes, spreads, halves = [], [], []
        for lam in LAMBDAS:
            few = chains if lam == 1 else max(chains // 10, 100)  # a steeper slope needs fewer chains
            place, means, medians = np.zeros(few), [], []
            squares = 0.0
            for _ in times:
                step = d * np.log(lam) - d * np.log(unbiased(n))
                step = step + sum(np.log(rng.chisquare(n - i, few)) for i in range(1, d + 1))
                place = place + step
                squares += float(((step - drift(n, d, lam)) ** 2).mean())
                means.append(float(place.mean()))
                medians.append(float(np.median(place)) / d)
            slopes.append(float((centred * means).sum() / (centred**2).sum()) / drift(n, d, lam) - 1)
            spreads.append(squares / steps / spread(n, d) - 1)
            halves.append(crossing(medians, -np.log(2)))
        found["slope_error"].append(slopes)
        found["spread_error"].append(spreads)
        found["half"].append(halves)
        formula = [-d * np.log(2) / drift(n, d, lam) for lam in LAMBDAS]
        found["half_error"].append([h / f - 1 for h, f in zip(halves, formula, strict=True)][-2:])
        found["faster"].append([halves[-1] / h for h in halves[:-1]])
        found["faster_0.9"].append(halves[-1] / halves[LAMBDAS.index(0.9)])
        found["gone"].append(int((place < d * np.log(0.01)).sum()))
        found["chains"].append(len(place))
        found["mean"].append(means[:: max(1, steps // 50)])
        found["median"].append([d * v for v in medians[:: max(1, steps // 50)]])
        found["line"].append([drift(n, d, 1.0) * t for t in times[:: max(1, steps // 50)]])
    found["time"] = [times[:: max(1, steps // 50)].tolist()] * len(seeds)
    return found


def crossing(values: Sequence[float], level: float) -> float:
    """When a falling sequence that starts at 0 (time 0) passes a level, by straight lines between steps; NaN if never.

    >>> crossing([-1.0, -3.0], -2.0)
    1.5
    """
    before = 0.0
    for t, value in enumerate(values):
        if value <= level:
            return t + (level - before) / (value - before)
        before = value
    return float("nan")


# --- The law of the mean ----------------------------------------------------------------------------
# Given the variances the mean is exactly normal with variance V_t = (S_0 + ... + S_{t-1}) / n, so that the law of
# mu_t is the mean over chains of normal laws: no draw of mu is needed, and no tail is lost.

STUDENT_MEDIAN = 0.816497  # of |t_2|: sqrt(2) (3/4 - 1/2) / sqrt(3/4 (1 - 3/4))
NORMAL_MEDIAN = 0.674490


def mixed(x: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """P(mu <= x) where mu given V is N(0, V): the mean over the chains."""
    return np.array([ndtr(value / np.sqrt(variances)).mean() for value in x])


def mixed_median(variances: np.ndarray) -> float:
    """The median of |mu| by bisection of its distribution function.

    >>> round(mixed_median(np.ones(3)), 4)
    0.6745
    """
    low, high = 0.0, 10 * float(np.sqrt(variances.max()))
    for _ in range(60):
        middle = (low + high) / 2
        below = float(ndtr(middle / np.sqrt(variances)).mean())
        low, high = (middle, high) if below < 0.75 else (low, middle)
    return high


def student(x: np.ndarray) -> np.ndarray:
    """P(T <= x) of Student's t with 2 degrees of freedom: 1/2 + x / (2 sqrt(2 + x^2))."""
    return 0.5 + x / (2 * np.sqrt(2 + x**2))


PLACES = np.concatenate([np.linspace(0, 6, 121), np.geomspace(6.5, 400, 40)])  # in standard deviations; laws are even


def law(seeds: Sequence[Seed], tier: Tier, *, n: int) -> Mapping[str, Any]:
    """mu_t at lambda = 1 against the post's normal law and against Student's, at multiples of n generations."""
    names = (
        "median", "median_ratio", "normal_distance", "student_distance", "post_median", "limit", "growth",
        "last_median", "last_distance", "at_five_ratio", "at_five_distance",
    )  # fmt: skip
    found: dict[str, list[Any]] = {name: [] for name in names}
    for seed in seeds:
        rng = seed.numpy("chains")
        scale, total = np.ones(tier["chains"]), np.zeros(tier["chains"])
        row: dict[str, list[float]] = {name: [] for name in names[:4]}
        for t in range(1, max(tier["times"]) * n + 1):
            total = total + scale / n
            scale = scale * rng.chisquare(n - 1, tier["chains"]) / unbiased(n)
            if t % n == 0 and t // n in tier["times"]:
                own = np.sqrt(t / n)
                row["median"].append(mixed_median(total))
                row["median_ratio"].append(row["median"][-1] / (NORMAL_MEDIAN * own))
                row["normal_distance"].append(float(np.abs(mixed(PLACES * own, total) - ndtr(PLACES)).max()))
                row["student_distance"].append(float(np.abs(mixed(PLACES, total) - student(PLACES)).max()))
        for name, values in row.items():
            found[name].append(values)
        five, last = tier["times"].index(5), len(tier["times"]) - 1
        found["at_five_ratio"].append(row["median_ratio"][five])
        found["at_five_distance"].append(row["normal_distance"][five])
        found["last_median"].append(row["median"][last])
        found["last_distance"].append(row["student_distance"][last])
        found["growth"].append(
            float(np.log(row["median"][last] / row["median"][five]) / np.log(tier["times"][last] / 5))
        )
        found["post_median"].append([NORMAL_MEDIAN * float(np.sqrt(t)) for t in tier["times"]])
        found["limit"].append([STUDENT_MEDIAN] * len(tier["times"]))
    found["time"] = [list(tier["times"])] * len(seeds)
    return found


NATURAL = {
    "times": {"10": (1, 2, 5, 10), "100": (1, 2, 5, 10, 20)},
    "mean_times": {"10": (1, 2, 5), "100": (1, 20, 50)},
}
MOMENTS = Experiment(
    name="moments",
    measure=moments,
    conditions={"n": (10, 100), "d": (1, 8)},
    tiers={
        "smoke": Tier(seeds=4, sizes={"chains": 4_000, **NATURAL}),
        "cpu": Tier(seeds=16, at_most=64, stack=4, sizes={"chains": 48_000, **NATURAL}),
        "gpu": Tier(seeds=32, at_most=64, stack=4, sizes={"chains": 200_000, **NATURAL}),
    },
)
WALK = Experiment(
    name="walk",
    measure=walk,
    conditions={"n": (10, 100, 1000), "d": (1, 8)},
    tiers={
        "smoke": Tier(
            seeds=4,
            sizes={"steps": {"10": 30, "100": 120, "1000": 1400}, "chains": {"10": 1000, "100": 400, "1000": 40}},
        ),
        "cpu": Tier(
            seeds=16,
            at_most=64,
            stack=4,
            sizes={"steps": {"10": 200, "100": 2000, "1000": 2000}, "chains": {"10": 8000, "100": 6000, "1000": 3000}},
        ),
        "gpu": Tier(
            seeds=32,
            at_most=64,
            stack=2,
            sizes={
                "steps": {"10": 200, "100": 2000, "1000": 4000},
                "chains": {"10": 16000, "100": 12000, "1000": 12000},
            },
        ),
    },
)
LAW = Experiment(
    name="law",
    measure=law,
    conditions={"n": (10, 100)},
    tiers={
        "smoke": Tier(seeds=4, sizes={"chains": 300, "times": (1, 2, 5, 10, 20)}),
        "cpu": Tier(seeds=16, at_most=64, stack=4, sizes={"chains": 2000, "times": (1, 2, 5, 10, 20, 50)}),
        "gpu": Tier(seeds=16, at_most=64, stack=4, sizes={"chains": 20_000, "times": (1, 2, 5, 10, 20, 50, 100)}),
    },
)
