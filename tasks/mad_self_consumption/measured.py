"""What several claims read, by name, and the shape that most of them have."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from suite.claims import Claim, Clause, Interval, at_least, at_most
from suite.quantities import Quantity, mean

NO_HUB = {"hub": "needs nothing from the Hub: see the cpu tier"}
NEEDS_GPU = dict.fromkeys(("smoke", "cpu"), "training a convolutional flow anew in every generation needs a GPU")

FALLS, FAR, LOST, KEPT = at_most(-0.10), at_most(-0.30), at_most(-0.05), at_least(-0.02)

Test = tuple[Quantity, Interval]


def judged(
    id: str,
    says: str,
    kind: str,
    *tests: Test,
    note: str = "",
    headline: bool = False,
    hub: bool = False,
    also_untested: Mapping[str, str] = MappingProxyType({}),
) -> Claim:
    """A claim that holds when all its tests do; without ``hub`` it is judged on every tier but that one.

    The headline is judged on all.
    """
    (quantity, claimed), *rest = tests
    return Claim(
        id=id,
        says=says,
        kind=kind,
        quantity=quantity,
        claimed=claimed,
        also=tuple(Clause(quantity=q, claimed=c) for q, c in rest),
        headline=headline,
        untested={**(NEEDS_GPU if hub else {} if headline else NO_HUB), **also_untested},
        note=note,
    )


def decline(experiment: str, *, id: str, says: str, note: str = "", hub: bool = False, headline: bool = False) -> Claim:
    """The four tests of c1 on one kind of trained model: the last generation less the first."""

    def change(metric: str, arm: str) -> Quantity:
        return mean(f"{metric}_change", arm, experiment=experiment)

    return judged(
        id,
        says,
        "qualitative",
        (change("recall", "synthetic"), FALLS),
        (change("precision", "synthetic"), LOST),
        (change("recall", "synthetic 0.7"), FAR),
        (change("precision", "synthetic 0.7"), KEPT),
        note=note,
        hub=hub,
        headline=headline,
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
