"""What several claims read, by name, and the shape that most of them have."""

from collections.abc import Mapping

from suite.claims import Claim, Clause, Interval, within
from suite.quantities import Quantity, across, paired_gap, slope, value

AS_GOOD = within(-1, 1)  # points: the difference that counts as none, fixed before the run
NO_HUB = {"hub": "made-up pairs need nothing from the Hub: see the cpu tier, and c1_chinese, c1_stsb, c7_stsb"}
NO_GPU = {"gpu": "the same on every device: see the cpu tier", **NO_HUB}
ONLY_HUB = dict.fromkeys(("smoke", "cpu", "gpu"), "real pairs and pretrained weights come from the Hub: hub tier")

Test = tuple[Quantity, Interval]


def claim(
    id: str,
    says: str,
    kind: str,
    *tests: Test,
    note: str = "",
    untested: Mapping[str, str] = NO_HUB,
    headline: bool = False,
) -> Claim:
    """A claim that holds when all its tests do."""
    (quantity, claimed), *rest = tests
    return Claim(
        id=id,
        says=says,
        kind=kind,
        quantity=quantity,
        claimed=claimed,
        also=tuple(Clause(quantity=q, claimed=c) for q, c in rest),
        headline=headline,
        untested=untested,
        note=note,
    )


def cosent_minus_ce(metric: str, noise: float | None = None, rare: float | None = None) -> Quantity:
    """CoSENT minus cross-entropy, in points, on every binary task: replaced, swapped, replaced and rare."""
    at, seldom = ({"noise": value} if value is not None else None for value in (noise, rare))
    return across(
        paired_gap(metric, "cosent", minus="ce", experiment="pairs", at=at),
        paired_gap(metric, "cosent", minus="ce", experiment="rare", at=seldom),
    )


def growth_with_noise() -> Quantity:
    """How fast CoSENT's lead grows with the noise on the initial embeddings, per task."""
    return across(
        slope("spearman", "cosent", minus="ce", over="noise", experiment="pairs"),
        slope("spearman", "cosent", minus="ce", over="noise", experiment="rare"),
    )


def graded() -> Quantity:
    return paired_gap("spearman", "cosent", minus="mse", experiment="graded")


def embedded(metric: str, arm: str, minus: str, hard: int) -> Quantity:
    return paired_gap(metric, arm, minus=minus, experiment="embeddings", at={"hard": hard})


def exact(metric: str) -> Quantity:
    return value(metric, experiment="identities")
