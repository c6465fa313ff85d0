"""A made-up ledger of exact arithmetic and simulation."""

from math import comb, pi
from typing import Any

import numpy as np

from suite.figures import Axis, Counts, Curves, Forest, HeatMap, StackedBars, Table
from tests.fake_parts import card_of, claim, composed, drawn, row_of, tier_of, trial

DUCK = """Probability that n random points of a disc share one sector of angle theta.

The radius is irrelevant: n uniform directions fit in a sector of angle theta iff the longest of the n arcs they cut is
at least 2 pi - theta. Inclusion-exclusion gives

    P(n, theta) = sum over k >= 1 with k x < 1 of (-1)^(k-1) C(n, k) (1 - k x)^(n-1),   x = 1 - theta / (2 pi).

Not the post's scale: the same; nothing is trained.
Known to bite: summing beyond k x < 1 gives 1 for every theta; in float64 the sum is nonsense from n of about 50.
"""


def exact() -> dict[str, Any]:
    draw = np.random.default_rng(3)
    numbers = (2, 3, 4, 6, 10)
    theta = np.linspace(0, 2 * pi, 73)
    spots = np.array([0.6, 1.0, 1.4, 1.7]) * pi
    tries = 20000

    def share(n: int, angle: float) -> float:
        x = 1 - angle / (2 * pi)
        return (
            sum((-1) ** (k - 1) * comb(n, k) * (1 - k * x) ** (n - 1) for k in range(1, n + 1) if k * x < 1)
            if n > 1
            else 1.0
        )

    formula = [[share(n, a) for a in theta] for n in numbers]
    parts = [
        [(-1) ** (k - 1) * comb(8, k) * max(1 - k * (1 - a / (2 * pi)), 0) ** 7 for a in theta] for k in range(1, 4)
    ]
    trials = []
    for seed in range(16):
        hits = [[int(draw.binomial(tries, min(max(share(n, a), 0), 1))) for a in spots] for n in numbers]
        trials.append(
            trial(
                "disc",
                "only",
                {},
                {},
                seed,
                formula=formula,
                theta=theta.tolist(),
                hits=hits,
                tries=[[tries] * len(spots)] * len(numbers),
                spots=spots.tolist(),
                parts=parts,
                error=0.0,
                exact_value=[0.75, 0.6111111, 0.5208333],
                simulated=[0.7501, 0.6109, 0.5211],
                mismatch=[[0.0, 1e-16, 2e-16], [1e-15, 3e-14, 2e-9], [5e-12, 4e-4, 1.875e8]],
            )
        )
    claims = [
        claim(
            "c1",
            "P(n, θ) = Σ (−1)^(k−1) C(n,k)(1−kx)^(n−1) over k ≥ 1 with 1−kx > 0, x = 1−θ/2π, for every n and θ",
            "simulation",
            {"quantity": "proportion_gap"},
            [-0.002, 0.002],
            headline=True,
        ),
        claim("c2", "For θ ≤ π it collapses to n(θ/2π)^(n−1)", "identity", {"quantity": "value"}, [0.0, 0.0]),
        claim("c5", "The untruncated sum is 1 for every x ∈ ℝ", "identity", {"quantity": "value"}, [0.0, 0.0]),
    ]  # fmt: skip
    cells = []
    for i, n in enumerate(numbers):
        for j, a in enumerate(spots):
            total = sum(t["metrics"]["hits"][i][j] for t in trials)
            gap = total / (16 * tries) - share(n, a)
            cells.append({"label": f"[{i},{j}]", "low": gap - 0.0012, "high": gap + 0.0012, "estimate": gap, "n": 16})
    rows = [
        row_of(claims[0], "reproduced", cells, alpha=1e-6, quantity="hits out of tries minus formula, exact binomial"),
        row_of(
            claims[1],
            "reproduced",
            [{"label": "", "low": 0.0, "high": 0.0, "estimate": 0.0, "n": 16}],
            quantity="value of error",
        ),
        row_of(
            claims[2],
            "reproduced",
            [{"label": "", "low": 0.0, "high": 0.0, "estimate": 0.0, "n": 16}],
            quantity="value of error",
        ),
    ]
    angle = Axis("θ", "radians")
    card = card_of(
        "duck-sector-probability",
        "Probability that n random points of a disc share one sector of angle θ",
        "similarity, codes, probability, vision",
        DUCK,
        [("圆内随机n点在同一个圆心角为θ的扇形的概率", "https://kexue.fm/archives/9324", "2022-10-25")],
        ["J. G. Wendel, Math. Scand. 11 (1962)"],
        claims,
        [
            {
                "name": "disc",
                "measure": "tasks.duck_sector_probability:measure",
                "arms": [{"name": "only", "fixed": {}, "tuned": {}, "like": None}],
                "conditions": {},
                "columns": [],
                "tune_on": None,
                "best": "min",
                "timed": False,
                "tiers": {"cpu": tier_of(16, tries=tries)},
            }
        ],
        drawn(
            Curves(
                title="The formula and the simulation",
                caption="Lines: the formula. Dots: simulated shares with exact 99 % intervals, pooled over "
                "the seeds; they are mostly smaller than the dots.",
                y="formula",
                x="theta",
                labels=tuple(f"n = {n}" for n in numbers),
                counts=Counts(count="hits", out_of="tries", x="spots"),
                x_axis=angle,
                y_axis=Axis("P(n, θ)", low=0, high=1),
                vertical=((pi, "θ = π"),),
            ),
            StackedBars(
                title="What inclusion–exclusion adds up, n = 8",
                caption="Terms k = 1, 2, 3 stacked by their sign; the dark line is their sum.",
                parts="parts",
                x="theta",
                labels=("k = 1", "k = 2", "k = 3"),
                x_axis=angle,
                y_axis=Axis("contribution"),
                total="P(8, θ)",
            ),
            HeatMap(
                title="Where float64 fails",
                caption="|float64 sum − exact| for n in rows and θ in columns.",
                metric="mismatch",
                rows=(20, 50, 200),
                columns=("π", "1.5π", "1.99π"),
                row_axis=Axis("n"),
                column_axis=Axis("θ"),
                value_axis=Axis("error", log=True),
            ),
            Table(
                title="The longest piece",
                caption="Expected longest of n pieces, H_n/n, and the simulated mean.",
                columns=(("exact_value", "exact"), ("simulated", "simulated")),
                rows=("n = 2", "n = 3", "n = 4"),
            ),
            Forest(title="All cells of the headline", claims=("c1",)),
        ),
    )
    published = [
        {
            "what": "P(4, π)",
            "value": 0.5,
            "where": "title puzzle",
            "unit": "",
            "note": "",
            "ours": [[0.4996, 0.5007]],
            "estimate": 0.50015,
        }
    ]
    return composed(card, rows, [], trials, [], {}, published)
