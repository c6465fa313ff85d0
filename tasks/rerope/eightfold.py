"""Experiment "eightfold": at eight times N without further training, ReRoPE against the methods that bend frequencies.

Every arm has one number to choose and nine values to choose from, on tuning seeds with networks and texts of their
own; without log n and with log n at the test, each for itself.  Networks trained with log n take over what was chosen
for log n at the test: their factor is the same there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from suite.claims import Arm, Experiment, Tier, Winner
from suite.seeds import Seed
from tasks.rerope.networks import SIZES, TIMES, examined, row_by_row, stack, treated

GRIDS = {
    "NTK-mixed": (0.25, 0.5, 0.625, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0),  # b; 1 is NTK-fixed, towards 0 lies interpolation
    "YaRN": (1.1, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 16.0),  # tau
    "ReRoPE": (1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8),  # window over N
}
SUFFIX = {"none": "", "test": ", log n at test", "trained": ", log n"}


def named(method: str, scale: str) -> str:
    """The arm's name.

    >>> named("ReRoPE", "none"), named("YaRN", "test")
    ('ReRoPE', 'YaRN, log n at test')
    """
    return method + SUFFIX[scale]


def measure(
    seeds: Sequence[Seed], tier: Tier, *, method: Sequence[str], scale: Sequence[str], knob: Sequence[float]
) -> Mapping[str, Sequence[Any]]:
    """Accuracies at 8 N, at N with the same treatment, and at N with plain RoPE."""

    def one(some: list[Seed], setting: tuple[str, str, float]) -> dict[str, Tensor]:
        name, by, value = setting
        model, attention = stack(some, tier, by), treated(name, value, by, tier)
        plain = treated("RoPE", 0.0, "trained" if by == "trained" else "none", tier)
        long, short = (examined(model, attention, some, tier, times) for times in (TIMES, 1))
        before = examined(model, plain, some, tier, 1)
        return {
            **long,
            "percent": 100 * long["mean"],
            "at_n": short["mean"],
            "cost": short["mean"] - before["mean"],
            "kept": long["mean"] - before["mean"],
        }

    return row_by_row(seeds, list(zip(method, scale, knob, strict=True)), one)


def arms() -> tuple[Arm, ...]:
    found = [
        Arm(named(method, scale), fixed={"method": method, "scale": scale}, tuned={"knob": grid})
        for scale in ("none", "test")
        for method, grid in GRIDS.items()
    ]
    found += [Arm(named("RoPE", scale), fixed={"method": "RoPE", "scale": scale, "knob": 0.0}) for scale in SUFFIX]
    return (
        *found,
        *(
            Arm(
                named(method, "trained"),
                fixed={"scale": "trained"},
                like=Winner(experiment="eightfold", arm=named(method, "test")),
            )
            for method in GRIDS
        ),
    )


EXPERIMENT = Experiment(
    name="eightfold",
    measure=measure,
    arms=arms(),
    columns=("method", "scale", "knob"),
    tune_on="mean",
    best="max",
    tiers={
        "smoke": Tier(seeds=8, tuning_seeds=4, sizes={**SIZES["smoke"], "tokens": 1024}),
        "cpu": Tier(seeds=8, tuning_seeds=4, at_most=16, sizes={**SIZES["cpu"], "tokens": 4096}),
        "gpu": Tier(seeds=8, tuning_seeds=4, at_most=16, sizes={**SIZES["gpu"], "tokens": 32_768}),
    },
)
