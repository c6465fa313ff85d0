"""What several claims read, by name, and the shape that most of them have."""

from functools import partial

from suite.claims import at_most, within
from suite.phrases import NO_HUB, claim
from suite.quantities import Quantity, mean, paired_gap

SHARE = 0.01  # of a loss: what is less counts as no difference
NATS = 0.005  # the same in nats, where a loss is small
NO_WORSE, SAME = at_most(SHARE), within(-SHARE, SHARE)

judged = partial(claim, untested=NO_HUB)


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


def below_unigram(arm: str) -> Quantity:
    return mean("below_unigram", arm, experiment="order")
