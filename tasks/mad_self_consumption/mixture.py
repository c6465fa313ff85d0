"""Handwritten digits without end and a mixture of Gaussians that learns from itself (c1, c7 to c9).

The truth is a density over digits in 16 principal components, so that fresh data never run out and are never drawn
twice.  The model is a mixture of full covariances, fitted anew by EM in every generation; lambda multiplies the
components' covariances when it samples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from suite import fit
from suite.blocks.data.digits_teacher import SIZE, Teacher, digits_teacher
from suite.blocks.metrics.density_coverage import density_coverage
from suite.blocks.metrics.frechet import frechet, moments
from suite.blocks.metrics.neighbours import radii
from suite.blocks.metrics.precision_recall import covered
from suite.blocks.models.mixture import Mixture, fit_mixtures
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.mad_self_consumption.pools import late, next_pool

NEIGHBOURS = (3, 5, 10)
# 20 components of full covariance, with no more added to the variances than EM needs to stand.  Pilot runs: on 600
# points held-out likelihood prefers 5 components, precision and recall 20; arms with 5, and with a floor of 0.2, which
# held-out likelihood prefers to either, show what that changes.
COMPONENTS, FLOOR, ITERATIONS = 20, 1e-3, 40


@dataclass(frozen=True, kw_only=True)
class World:
    """Where real points come from, and those that are held out to judge: [R, N, 16]."""

    teacher: Teacher
    held_out: Tensor
    first: Tensor
    fresh: Sequence[Tensor]  # one set of points for every later generation

    @property
    def real(self) -> tuple[Tensor, Tensor]:
        """Mean and covariance of the truth."""
        return self.teacher.moments()


def world(seeds: Sequence[Seed], tier: Tier, images: bool) -> World:
    """The density, or with ``images`` the 1797 images alone, split into those to learn from and those held out.

    Images cannot be drawn afresh: ``fresh`` is then empty.
    """
    teacher = digits_teacher()
    fit.uses("digits", teacher.sha256)
    n, judged = tier["points"], tier["judged"]
    if images:
        orders = [torch.randperm(len(teacher.points), generator=seed.stream("images")) for seed in seeds]
        first = torch.stack([teacher.points[order[:n]] for order in orders])
        held_out = torch.stack([teacher.points[order[n : n + judged]] for order in orders])
        return World(teacher=replace(teacher, bandwidth=0.0), held_out=held_out, first=first, fresh=())

    def drawn(name: str, number: int) -> Tensor:
        return torch.stack([teacher.draw(seed.stream(name), number) for seed in seeds])

    return World(
        teacher=teacher,
        held_out=drawn("held out", judged),
        first=drawn("first", n),
        fresh=[drawn(f"fresh {t}", n) for t in range(2, tier["generations"] + 1)],
    )


def noise(seeds: Sequence[Seed], name: str, number: int) -> tuple[Tensor, Tensor]:
    """Uniforms [R, number] and normals [R, number, 16], the same for every arm."""
    streams = [seed.stream(name) for seed in seeds]
    choices = torch.stack([torch.rand(number, generator=s, dtype=torch.float64) for s in streams])
    return choices, torch.stack([torch.randn(number, SIZE, generator=s, dtype=torch.float64) for s in streams])


def judged(real: World, reaches: Sequence[Tensor], model: Mixture, points: Tensor) -> dict[str, Tensor]:
    """Quality and diversity of a model and of its points, each [R]; precision and recall for every k [R, K]."""
    held_out, points = real.held_out.float(), points.float()
    density, coverage = density_coverage(held_out, points)
    own = [radii(points, k) for k in NEIGHBOURS]
    return {
        "frechet": frechet(*model.moments(), *real.real),
        "precision": torch.stack([covered(points, held_out, reach) for reach in reaches], -1),
        "recall": torch.stack([covered(held_out, points, reach) for reach in own], -1),
        "density": density,
        "coverage": coverage,
    }


def generations(
    seeds: Sequence[Seed],
    tier: Tier,
    *,
    diet: str,
    lam: float,
    made: int,
    components: int,
    floor: float,
    images: bool = False,
) -> dict[str, Any]:
    """All generations of one arm; ``made`` times as many synthetic points as there are real ones."""
    real = world(seeds, tier, images)
    n, last = tier["points"], tier["generations"]
    reaches = [radii(real.held_out.float(), k) for k in NEIGHBOURS]
    pool, curves, pictures = real.first, [], []
    for t in range(1, last + 1):
        streams = [seed.stream(f"start {t}") for seed in seeds]
        model = fit_mixtures(pool, components, streams, iterations=tier["iterations"], reg=floor).widened(lam)
        points = model.sample(*noise(seeds, f"judged {t}", tier["judged"]))
        curves.append(judged(real, reaches, model, points))
        if t in tier["pictured"]:
            pictures.append(real.teacher.images(points[:, : tier["pictures"]]))
        choices, normals = noise(seeds, f"made {t}", 2 * n)
        new = model.sample(choices[:, : made * n], normals[:, : made * n])
        fresh = real.fresh[t - 1] if t - 1 < len(real.fresh) else real.first
        pool = next_pool(diet, real.first, fresh, pool, new)
    grey = (torch.stack(pictures, 1).clamp(0, 1) * 15).round().int().flatten(-2)
    return {**summary(curves, last), "pictures": grey.tolist()}


def measure(
    seeds: Sequence[Seed],
    tier: Tier,
    *,
    diet: str,
    lam: float,
    made: int,
    components: int,
    floor: float,
    images: bool = False,
) -> Mapping[str, Any]:
    found = generations(seeds, tier, diet=diet, lam=lam, made=made, components=components, floor=floor, images=images)
    del found["pictures"]
    return found


def pictured(
    seeds: Sequence[Seed], tier: Tier, *, diet: str, lam: float, made: int, components: int, floor: float
) -> Mapping[str, Any]:
    """The pictures alone, in 16 grey levels: [generation][picture][pixel]."""
    found = generations(seeds, tier, diet=diet, lam=lam, made=made, components=components, floor=floor)
    return {"pictures": found["pictures"]}


def summary(curves: Sequence[Mapping[str, Tensor]], last: int) -> dict[str, Any]:
    """Curves over the generations, and what changed from the first to the last."""
    found = {name: torch.stack([each[name] for each in curves], 1) for name in curves[0]}
    every_k = {name: found.pop(name) for name in ("precision", "recall")}
    middle = NEIGHBOURS.index(5)
    for name, values in every_k.items():
        found[name] = values[..., middle]
        found[f"{name}_change"] = values[:, -1, middle] - values[:, 0, middle]
        found[f"{name}_changes"] = values[:, -1] - values[:, 0]
        found[f"last_{name}"] = values[:, -1, middle]
    error = found["frechet"]
    found["ratio"] = error[:, -1] / error[:, 0]
    columns: dict[str, Any] = {name: values.tolist() for name, values in found.items()}
    columns["late"] = [late(row) for row in error.tolist()]
    columns["generation"] = [list(range(1, last + 1))] * len(error)
    return columns


def ceiling(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Any]:
    """Precision and recall of the truth against itself at the same numbers of points; Frechet distance of so many."""
    real = world(seeds, tier, False)
    fake = torch.stack([real.teacher.draw(seed.stream("ceiling"), tier["judged"]) for seed in seeds]).float()
    held_out = real.held_out.float()
    return {
        "precision": covered(fake, held_out, radii(held_out, 5)).tolist(),
        "recall": covered(held_out, fake, radii(fake, 5)).tolist(),
        "frechet": frechet(*moments(fake.double()), *real.real).tolist(),
    }


def arm(
    name: str,
    diet: str,
    lam: float = 1.0,
    *,
    made: int = 1,
    components: int = COMPONENTS,
    floor: float = FLOOR,
    images: bool = False,
) -> Arm:
    settings = {"diet": diet, "lam": lam, "made": made, "components": components, "floor": floor}
    return Arm(name, fixed={**settings, **({"images": True} if images else {})})


SMOKE = {"points": 200, "judged": 200, "generations": 4, "iterations": 5, "pictured": (1, 2, 3, 4), "pictures": 4}
LOOP = {"points": 500, "judged": 400, "generations": 8, "iterations": 10, "pictured": (1, 8), "pictures": 1}
CPU = {"points": 600, "judged": 800, "generations": 10, "iterations": 40, "pictured": (1, 4, 7, 10), "pictures": 8}
GPU = {"points": 600, "judged": 1500, "generations": 20, "iterations": 40, "pictured": (1, 7, 14, 20), "pictures": 8}
TIERS = {
    "smoke": Tier(seeds=4, sizes=SMOKE),
    "cpu": Tier(seeds=16, at_most=64, stack=4, sizes=CPU),
    "gpu": Tier(seeds=16, at_most=64, sizes=GPU),
}
SYNTHETIC, SAFE, TWICE = "synthetic", "synthetic 0.7", "twice as many"
ALONE = Experiment(
    name="alone",
    measure=measure,
    arms=(arm(SYNTHETIC, "synthetic"), arm(SAFE, "synthetic", 0.7)),
    tiers={**TIERS, "smoke": Tier(seeds=10, sizes=LOOP), "hub": TIERS["cpu"]},
)
GENERATORS = Experiment(
    name="generators",
    measure=measure,
    arms=(arm("5 components", "synthetic", components=5), arm("floor 0.2", "synthetic", floor=0.2)),
    tiers=TIERS,
)
FED = Experiment(
    name="fed",
    measure=measure,
    arms=(
        arm(TWICE, "synthetic", made=2),
        arm("fixed", "fixed"),
        arm("growing", "growing"),
        arm("fresh", "fresh"),
        arm("fixed 0.7", "fixed", 0.7),
        arm("fresh 0.7", "fresh", 0.7),
    ),
    tiers=TIERS,
)
IMAGES = Experiment(
    name="true-images",
    measure=measure,
    arms=(arm(SYNTHETIC, "synthetic", images=True), arm(SAFE, "synthetic", 0.7, images=True)),
    tiers=TIERS,
)
CEILING = Experiment(name="ceiling", measure=ceiling, tiers=TIERS)
PICTURES = Experiment(
    name="pictures",
    measure=pictured,
    arms=(
        arm(SYNTHETIC, "synthetic"),
        arm(SAFE, "synthetic", 0.7),
        arm("floor 0.2", "synthetic", floor=0.2),
        arm("fixed", "fixed"),
        arm("fresh", "fresh"),
        arm("fixed 0.7", "fixed", 0.7),
    ),
    tiers={
        "smoke": Tier(seeds=1, sizes=SMOKE),
        "cpu": Tier(seeds=1, sizes=CPU),
        "gpu": Tier(seeds=1, sizes=GPU),
    },
)
