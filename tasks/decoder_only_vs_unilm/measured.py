"""What several claims read, by name, and the shape that most of them have."""

from suite.claims import Claim, Clause, Interval, at_most, within
from suite.quantities import Quantity, mean, paired_gap, value

SHARE = 0.01  # of a loss: what is less counts as no difference
NATS = 0.005  # the same in nats, where a loss is small
NO_WORSE, SAME = at_most(SHARE), within(-SHARE, SHARE)
NO_HUB = {"hub": "needs nothing from the Hub: see the cpu tier"}

Test = tuple[Quantity, Interval]


def judged(
    id: str,
    says: str,
    kind: str,
    *tests: Test,
    needs: int | None = None,
    hub: bool = False,
    headline: bool = False,
    note: str = "",
) -> Claim:
    """A claim that holds when all its tests do (of the first ``needs`` cells); on the hub tier too where ``hub``."""
    (quantity, claimed), *rest = tests
    return Claim(
        id=id,
        says=says,
        kind=kind,
        headline=headline,
        quantity=quantity,
        claimed=claimed,
        needs=needs,
        also=tuple(Clause(quantity=q, claimed=c) for q, c in rest),
        untested={} if hub else NO_HUB,
        note=note,
    )


def continuation(arm: str, over: str) -> Quantity:
    """The test loss of one arm over that of another, less 1, on the continuation of text."""
    return paired_gap("test", arm, minus=over, relative=True, experiment="continuation")


def nats(arm: str, minus: str) -> Quantity:
    return paired_gap("test", arm, minus=minus, experiment="continuation")


def on(task: str, relative: bool = True) -> Quantity:
    """GPT's test loss over UniLM's, less 1 (or minus UniLM's), on a task beside the headline's."""
    return paired_gap("test", "gpt", minus="unilm", relative=relative, experiment="tasks", at={"task": task})


def masked(arm: str, minus: str, metric: str = "test") -> Quantity:
    """A loss of one kind of masked language model minus that of another."""
    return paired_gap(metric, arm, minus=minus, experiment="masked")


def exact(metric: str) -> Quantity:
    return value(metric, experiment="identities")


def below_unigram(arm: str) -> Quantity:
    return mean("below_unigram", arm, experiment="order")
