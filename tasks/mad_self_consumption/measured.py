"""What several claims read, by name, and the shape that most of them have."""

from collections.abc import Sequence
from functools import partial

from suite.claims import at_least, at_most
from suite.phrases import NO_HUB, Test, claim
from suite.quantities import Quantity, mean

NEEDS_GPU = dict.fromkeys(("smoke", "cpu"), "training a convolutional flow anew in every generation needs a GPU")

FALLS, FAR, LOST, KEPT = at_most(-0.10), at_most(-0.30), at_most(-0.05), at_least(-0.02)

judged = partial(claim, untested=NO_HUB)


def decline(experiment: str) -> tuple[Test, ...]:
    """The four tests of c1 on one kind of trained model: the last generation less the first."""

    def change(metric: str, arm: str) -> Quantity:
        return mean(f"{metric}_change", arm, experiment=experiment)

    return (
        (change("recall", "synthetic"), FALLS),
        (change("precision", "synthetic"), LOST),
        (change("recall", "synthetic 0.7"), FAR),
        (change("precision", "synthetic 0.7"), KEPT),
    )


def walk(metric: str, n: Sequence[int] = (), d: int = 0) -> Quantity:
    """A number of the walk of log det, for some n and d (all without)."""
    at = {**({"n": list(n)} if n else {}), **({"d": d} if d else {})}
    return mean(metric, experiment="walk", at=at or None)


def law(metric: str, n: int = 0) -> Quantity:
    return mean(metric, experiment="law", at={"n": n} if n else None)


def diet(metric: str, arm: str, lam: float = 1.0) -> Quantity:
    """A number of the Gaussian loop on a diet."""
    return mean(metric, arm, experiment="diets", at={"lam": lam})


def fed(metric: str, arm: str) -> Quantity:
    """A number of the mixture on a diet."""
    return mean(metric, arm, experiment="fed")


def admissible(metric: str, *lam: float) -> Quantity:
    return mean(metric, experiment="admissible", at={"lam": list(lam)})
