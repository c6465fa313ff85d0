"""What several claims read, by name, and the shapes that most of them have."""

from functools import partial

from suite.phrases import NO_HUB, claim
from suite.quantities import Quantity, across, mean, paired_gap
from tasks.rerope.eightfold import named

NO_SMOKE = {**NO_HUB, "smoke": "needs trainings of its own: cpu tier"}
ONLY_GPU = {
    **NO_HUB,
    **dict.fromkeys(("smoke", "cpu"), "needs trainings of its own, too dear for two cores: gpu tier"),
}
ONLY_HUB = dict.fromkeys(("smoke", "cpu", "gpu"), "pretrained weights and books come from the Hub: hub tier")

judged = partial(claim, untested=NO_HUB)


def rerope_less(other: str, scale: str) -> Quantity:
    """Mean accuracy at 8 N of ReRoPE less that of another method, both with their own best setting."""
    return paired_gap("mean", named("ReRoPE", scale), minus=named(other, scale), experiment="eightfold")


def rerope_less_in_both(other: str) -> Quantity:
    """Without log n, and with log n in training."""
    return across(rerope_less(other, "none"), rerope_less(other, "trained"))


def of_windows(metric: str, *scales: str) -> Quantity:
    """The mean over seeds for each of the scales."""
    members = [mean(metric, scale, experiment="windows") for scale in scales]
    return members[0] if len(members) == 1 else across(*members)


def over_none(metric: str, scale: str, minus: str) -> Quantity:
    return paired_gap(metric, scale, minus=minus, experiment="windows")
