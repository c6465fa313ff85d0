"""What several claims read, by name, and the shapes of claims that repeat themselves."""

from functools import partial

from suite.claims import Claim, at_most
from suite.phrases import claim
from suite.quantities import Quantity, across, mean, optimum, paired_gap, value

AS_GOOD = at_most(0.005)  # half a per cent more loss still counts as "as good as"
SIGNED = ("tiger", "lion")
CURES = ("lazy-tiger", "tied", "adam-on-embedding")

NO_HUB = {"hub": "needs no data from the Hub: see the cpu tier"}
NO_GPU = {"gpu": "the same on every device: see the cpu tier", **NO_HUB}
NO_SMOKE = {"smoke": "compiling takes longer than the whole tier", **NO_HUB}
ONLY_GPU = dict.fromkeys(("smoke", "cpu", "hub"), "85 million weights need a GPU")


def relative(experiment: str, at: dict[str, int] | None = None) -> Quantity:
    """Lion's test loss over AdamW's, less 1."""
    return paired_gap("test", "lion", minus="adamw", relative=True, experiment=experiment, at=at)


# Batches below 64 the post itself excludes; batch 8 is for c6 alone.
WORKLOADS = across(relative("digits", {"batch": 64}), relative("digits", {"batch": 512}), relative("characters"))


def rates() -> Quantity:
    """AdamW's best learning rate over Lion's, on every workload."""
    return across(
        optimum("lr", "adamw", over="lion", experiment="digits", at={"batch": 64}),
        optimum("lr", "adamw", over="lion", experiment="digits", at={"batch": 512}),
        optimum("lr", "adamw", over="lion", experiment="characters"),
    )


def digits_gap(metric: str, batch: int) -> Quantity:
    """A metric of Lion on the digits, minus that of AdamW."""
    return paired_gap(metric, "lion", minus="adamw", experiment="digits", at={"batch": batch})


def noise(metric: str) -> Quantity:
    return mean(metric, experiment="drift")


def toy(metric: str, *arms: str) -> Quantity:
    """A number of the embedding toy as it stands, one cell per arm and seeds from least to largest."""
    each = [value(metric, arm, experiment="embedding") for arm in arms]
    return across(*each) if len(each) > 1 else each[0]


laptop = partial(claim, untested=NO_GPU)  # at smoke and cpu alone


def faster(id: str, says: str, *ratios: str, untested: dict[str, str]) -> Claim:
    """A claim that a ratio of two step times is below 1, one cell per number of weights."""
    each = [mean(name, experiment="step-time") for name in ratios]
    quantity = across(*each) if len(each) > 1 else each[0]
    return Claim(id=id, says=says, kind="comparison", quantity=quantity, claimed=at_most(1), untested=untested)
