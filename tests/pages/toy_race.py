"""A toy page for tests: plain descent against descent that is kicked about, on a noisy parabola.

It has what a real page has, in little: a tuned comparison under two conditions, an exact check, a timed check, and an
untested claim.

Not the post's scale: there is no post.
Known to bite: nothing, it is a toy.
"""

import time
from fractions import Fraction

import torch

from suite import fit
from suite.claims import Arm, Claim, Experiment, Post, Source, Task, Tier, at_least, at_most, exactly
from suite.quantities import mean, paired_gap, value

SOURCE = Source(posts=(Post(title="A toy", url="https://example.org/toy", date="2020-01-01"),))

CLAIMS = (
    Claim(
        id="c1",
        says="the plain descent ends lower than the handicapped one",
        kind="comparison",
        quantity=paired_gap("loss", "handicapped", minus="plain", experiment="race"),
        claimed=at_least(0.0),
        headline=True,
    ),
    Claim(
        id="c2",
        says="one third and one sixth are one half",
        kind="identity",
        quantity=value("error", experiment="exact"),
        claimed=exactly(0),
    ),
    Claim(
        id="c3",
        says="a step takes at most a minute",
        kind="simulation",
        quantity=mean("seconds", experiment="clock"),
        claimed=at_most(60),
    ),
    Claim(id="c4", says="it scales to the moon", kind="qualitative", untested={"*": "no rocket is at hand"}),
)


class State:
    """The positions of all models, as something that can be checkpointed."""

    def __init__(self, positions: torch.Tensor) -> None:
        self.positions = positions

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"positions": self.positions}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self.positions = state["positions"]


def race(seeds, tier, *, handicap, lr, curvature):
    state = State(torch.stack([torch.randn(3, generator=s.stream("start"), dtype=torch.float64) for s in seeds]))
    noise = torch.stack(
        [torch.randn(tier["steps"], 3, generator=s.stream("noise"), dtype=torch.float64) for s in seeds]
    )
    rate = torch.tensor(lr, dtype=torch.float64)[:, None]

    def update(step: int) -> None:
        gradient = curvature * state.positions + 0.1 * noise[:, step]
        state.positions = state.positions - rate * gradient + handicap * noise[:, step]
        time.sleep(tier["pause"])

    fit.drive(update, state, steps=tier["steps"])
    return {"loss": state.positions.square().sum(-1), "position": state.positions}


def exact(seeds, tier):
    return {"error": [float(Fraction(1, 3) + Fraction(1, 6) - Fraction(1, 2))] * len(seeds)}


def clock(seeds, tier):
    found = []
    for _ in seeds:
        started = time.perf_counter()
        sum(range(1000))
        found.append(time.perf_counter() - started)
    return {"seconds": found}


TASK = Task(
    title="A toy race",
    family="optimizers and fine-tuning",
    source=SOURCE,
    claims=CLAIMS,
    experiments=(
        Experiment(
            name="race",
            measure=race,
            arms=(
                Arm("plain", fixed={"handicap": 0.0}, tuned={"lr": (0.01, 0.1, 0.5, 0.9, 3.0)}),
                Arm("handicapped", fixed={"handicap": 0.5}, tuned={"lr": (0.01, 0.1, 0.5, 0.9, 3.0)}),
            ),
            conditions={"curvature": (1.0, 2.0)},
            tune_on="loss",
            tiers={
                "smoke": Tier(seeds=8, tuning_seeds=4, sizes={"steps": 10, "pause": 0.0}),
                "cpu": Tier(seeds=8, tuning_seeds=4, at_most=12, sizes={"steps": 12, "pause": 0.0}),
            },
        ),
        Experiment(name="exact", measure=exact, tiers={"smoke": Tier(seeds=1), "cpu": Tier(seeds=1)}),
        Experiment(name="clock", measure=clock, timed=True, tiers={"smoke": Tier(seeds=8), "cpu": Tier(seeds=8)}),
    ),
    revision=1,
)
