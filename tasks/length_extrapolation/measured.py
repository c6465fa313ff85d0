"""What several claims read, by name, and the reasons why something is not tested at a tier."""

from functools import partial

from suite.phrases import claim
from suite.quantities import Quantity, across, mean, paired_gap
from tasks.length_extrapolation.inference import DAGGER, LOG, SHARES, mixed

NO_HUB = {"hub": "needs no pretrained weights: see the other tiers"}
UNTRAINED = "at smoke the networks are too short-trained and too small for it"
NO_SMOKE = {"smoke": UNTRAINED, **NO_HUB}
CAN_RUN = ("smoke", "cpu", "hub")
DEEPER = dict.fromkeys(
    CAN_RUN, "seven networks of four layers and 1400 steps per seed are beyond the minutes of this tier"
)
LANGUAGE = dict.fromkeys(CAN_RUN, "a language model of 25 million weights needs a GPU")
ENCODERS = dict.fromkeys(CAN_RUN, "encoders that learn these tasks take thousands of steps: a matter for a GPU")
PRETRAINED = dict.fromkeys(("smoke", "cpu", "gpu"), "needs a pretrained language model: see the hub tier")


def gap(metric: str, arm: str, minus: str) -> Quantity:
    """A metric of one arm of the published table less that of another."""
    return paired_gap(metric, arm, minus=minus, experiment="inference")


def of(metric: str, arm: str) -> Quantity:
    return mean(metric, arm, experiment="inference")


def language(metric: str, arm: str, minus: str) -> Quantity:
    return paired_gap(metric, arm, minus=minus, experiment="language")


DAGGER_GAINS = across(*(gap("mean", name + DAGGER, name) for name in ("RoPE", "NTK-fixed", "NTK-mixed")))
LOG_OVER_DAGGER = across(*(gap("mean", name + LOG, name + DAGGER) for name in ("RoPE", "NTK-fixed", "NTK-mixed")))
MIXED_GAINS = across(*(gap("mean", mixed(b), "NTK-fixed") for b in SHARES))
YARN_LEAD = across(
    *(gap("mean", "YaRN", name) for name in ("RoPE", "PI", "NTK-old", "NTK-bloc97", "NTK-fixed")),
    *(gap("mean", "YaRN", mixed(b)) for b in SHARES),
)

rule = partial(claim, untested=NO_SMOKE)
