"""What several claims read, by name, and the shape that most of them have."""

from collections.abc import Sequence
from functools import partial

from suite.phrases import NO_HUB, claim
from suite.quantities import Quantity, across, mean, paired_gap, ratio, value
from tasks.attention_rank import trained

ONLY_HUB = dict.fromkeys(("smoke", "cpu", "gpu"), "pretrained weights come from the Hub: hub tier")
START, TRAINED, SPREAD = [0.02, 0.1], [0.5, 1.0, 2.0, 4.0], [1.0, 2.0, 4.0, 8.0]  # logit scales

judged = partial(claim, untested=NO_HUB)  # on every tier but hub


def exactly_known(metric: str) -> Quantity:
    return value(metric, experiment="exact")


def in_floats(metric: str, n: int | None = None) -> Quantity:
    return value(metric, experiment="floats", at={"n": n} if n else None)


def causal_over_bidirectional(scales: Sequence[float] = ()) -> Quantity:
    """Effective rank of the causal matrix over that of the bidirectional one, of the same logits."""
    at = {"sd": list(scales)} if scales else None
    return ratio("effective_rank", "causal", over="bidirectional", experiment="spectra", at=at)


def causal_minus_bidirectional(metric: str, experiment: str, scales: Sequence[float] = ()) -> Quantity:
    at = {"sd": list(scales)} if scales else None
    return paired_gap(metric, "causal", minus="bidirectional", experiment=experiment, at=at)


def every_model(metric: str) -> Quantity:
    """The mean over seeds for each of the four trained models."""
    return across(*(mean(metric, kind, experiment="trained") for kind in trained.KINDS))
