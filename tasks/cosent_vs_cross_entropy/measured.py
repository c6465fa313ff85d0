"""What several claims read, by name, and the shape that most of them have."""

from functools import partial

from suite import phrases
from suite.claims import within
from suite.quantities import Quantity, across, paired_gap, slope

AS_GOOD = within(-1, 1)  # points: the difference that counts as none, fixed before the run
NO_HUB = {"hub": "made-up pairs need nothing from the Hub: see the cpu tier, and c1_chinese, c1_stsb, c7_stsb"}
NO_GPU = {"gpu": "the same on every device: see the cpu tier", **NO_HUB}
ONLY_HUB = dict.fromkeys(("smoke", "cpu", "gpu"), "real pairs and pretrained weights come from the Hub: hub tier")

claim = partial(phrases.claim, untested=NO_HUB)


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
