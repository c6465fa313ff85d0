"""Where the best value of a tuned setting lies, read from the tuning table."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from suite.quantities.base import Evidence, Quantity, Readable, labels
from suite.quantities.intervals import Student, Unmeasurable


@dataclass(frozen=True)
class Optimum(Quantity):
    """The best value of a tuned setting: per tuning seed the vertex of the parabola through the best point and its
    two neighbours.

    The curve is taken at the best of the other tuned settings, against log10 of the setting; t interval over the
    tuning seeds.  With ``over`` it is the ratio of the arm's optimum to that of ``over``.  A seed whose best point is
    an end of the grid leaves its cell open on that side: nothing is known there.  A neighbour that diverged counts as
    infinitely worse, which puts the vertex half a step away from it.

    >>> from suite.quantities import optimum
    >>> str(optimum("lr", "adamw", over="lion"))
    "adamw's best lr over lion's, per tuning seed"
    """

    name: ClassVar[str] = "optimum"
    grows: ClassVar[bool] = False
    setting: str
    arm: str
    over: str | None = field(default=None, kw_only=True)

    def arms(self) -> list[str | None]:
        return [self.arm, self.over] if self.over is not None else [self.arm]

    def evidence(self, results: Readable) -> list[Evidence]:
        found: list[Evidence] = []
        for at in self._places(results):
            vertices, low, high, notes = self._vertices(results, self.arm, at)
            if self.over is not None:
                others, below, above, more = self._vertices(results, self.over, at)
                if set(others) != set(vertices):
                    raise Unmeasurable(f"{self.arm} and {self.over} were tuned on different seeds")
                vertices = {seed: vertex - others[seed] for seed, vertex in vertices.items()}
                low, high, notes = low or above, high or below, notes + more
            values = tuple(vertices[seed] for seed in sorted(vertices))
            if max(values) == min(values) and (low or high):  # every seed at the edge: even the other side is unknown
                low = high = True
            found.append(
                Student(
                    label=labels(at, ())[0],
                    values=values,
                    log=10.0,
                    magnitude=1.0,
                    open_low=low,
                    open_high=high,
                    note="; ".join(notes),
                )
            )
        return found

    def _vertices(
        self, results: Readable, arm: str, at: Mapping[str, Any]
    ) -> tuple[dict[int, float], bool, bool, list[str]]:
        """{tuning seed: log10 of the optimum}, whether a seed ends at the low or high edge, and the words for it."""
        best = 1.0 if results.experiment(self.experiment)["best"] == "min" else -1.0
        curves: dict[int, dict[float, float]] = {}
        for row in results.tuning(self.experiment, results.arm(self.experiment, arm), at):
            if self.setting not in row["setting"]:
                raise Unmeasurable(f"{arm} does not tune {self.setting}; it tunes {', '.join(row['setting'])}")
            x = float(row["setting"][self.setting])
            if not x > 0:
                raise Unmeasurable(f"{self.setting} {x:g} has no logarithm")
            loss = best * row["value"] if math.isfinite(row["value"]) else math.inf
            curve = curves.setdefault(row["seed"], {})
            curve[x] = min(curve.get(x, math.inf), loss)
        vertices: dict[int, float] = {}
        ends = Counter[float]()
        grid: list[float] = []
        for seed, curve in curves.items():
            grid = sorted(curve)
            if len(grid) < 3:
                raise Unmeasurable(f"an optimum needs at least 3 values of {self.setting}, {arm} has {len(grid)}")
            i = min(range(len(grid)), key=lambda k: curve[grid[k]])
            if not math.isfinite(curve[grid[i]]):
                raise Unmeasurable(f"{arm} diverged at every {self.setting} on tuning seed {seed}")
            if i in (0, len(grid) - 1):
                ends[grid[i]] += 1
                vertices[seed] = math.log10(grid[i])
            else:
                vertices[seed] = vertex(
                    [math.log10(g) for g in grid[i - 1 : i + 2]], [curve[g] for g in grid[i - 1 : i + 2]]
                )
        notes = [
            f"{arm}: {count} of {len(curves)} tuning seeds do best at the edge, {self.setting} {end:g}"
            for end, count in sorted(ends.items())
        ]
        return vertices, bool(grid) and grid[0] in ends, bool(grid) and grid[-1] in ends, notes

    def __str__(self) -> str:
        of = f"{self.arm}'s best {self.setting}" + (f" over {self.over}'s" if self.over else "")
        return f"{of}, per tuning seed{self._where()}"


def vertex(x: Sequence[float], y: Sequence[float]) -> float:
    """The lowest point of the parabola through three points, the middle one lowest; a neighbour may be infinite.

    >>> vertex([0.0, 1.0, 2.0], [4.0, 1.0, 4.0]), vertex([0.0, 1.0, 2.0], [4.0, 1.0, math.inf])
    (1.0, 0.5)
    """
    left, right = (
        (y[0] - y[1]) / (x[1] - x[0]),
        (y[2] - y[1]) / (x[2] - x[1]),
    )  # both >= 0: how steeply it rises to either side
    if math.isinf(left) or math.isinf(right):
        pull = float(math.isinf(left)) - float(math.isinf(right))
        return x[1] + (pull * ((x[2] - x[1]) if pull > 0 else (x[1] - x[0])) / 2 if pull else 0.0)
    if left + right == 0:
        return x[1]
    return x[1] + ((x[2] - x[1]) * left - (x[1] - x[0]) * right) / (2 * (left + right))
