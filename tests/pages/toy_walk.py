"""A toy page for crashes: walkers that are tuned, small networks that are kept, and an exact check; nothing is timed.

Every number of its ledger is repeatable, so that whole files can be compared.

Not the post's scale: there is no post.
Known to bite: nothing, it is a toy.
"""

from fractions import Fraction

import torch

from suite import fit
from suite.blocks.losses.cross_entropy import cross_entropy
from suite.blocks.models.mlp import mlp
from suite.blocks.optim import adamw
from suite.claims import Arm, Claim, Experiment, Post, Source, Task, Tier, at_least, exactly
from suite.figures import PairedDots
from suite.quantities import mean, paired_gap, value
from suite.stack import Group
from suite.trained import trained

SOURCE = Source(posts=(Post(title="A toy walk", url="https://example.org/walk", date="2020-01-01"),))

CLAIMS = (
    Claim(
        id="c1",
        says="the steady walker ends nearer than the one that is kicked about",
        kind="comparison",
        quantity=paired_gap("loss", "kicked", minus="steady", experiment="walk"),
        claimed=at_least(0.0),
        headline=True,
    ),
    Claim(
        id="c2",
        says="small networks do better than guessing",
        kind="simulation",
        quantity=mean("accuracy", experiment="nets"),
        claimed=at_least(0.5),
    ),
    Claim(
        id="c3",
        says="one third and one sixth are one half",
        kind="identity",
        quantity=value("error", experiment="sums"),
        claimed=exactly(0),
    ),
)


class Walker:
    """The positions of all models, as something that can be checkpointed."""

    def __init__(self, positions: torch.Tensor) -> None:
        self.positions = positions

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"positions": self.positions}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self.positions = state["positions"]


def kick(noise: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    return strength * noise


def walk(seeds, tier, *, strength, lr):
    walker = Walker(torch.stack([torch.randn(3, generator=s.stream("start"), dtype=torch.float64) for s in seeds]))
    shape = (tier["steps"], 3)
    noise = torch.stack([torch.randn(shape, generator=s.stream("noise"), dtype=torch.float64) for s in seeds])
    rate, strong = (torch.tensor(column, dtype=torch.float64)[:, None] for column in (lr, strength))

    def update(step: int) -> None:
        walker.positions = walker.positions - rate * walker.positions + kick(noise[:, step], strong)

    fit.drive(update, walker, steps=tier["steps"])
    return {"loss": walker.positions.square().sum(-1), "position": walker.positions}


def untrained_no_more(seeds, *, steps):
    model = mlp((2, 4, 2), [seed.stream("weights") for seed in seeds])
    x = torch.stack([torch.randn(16, 2, generator=seed.stream("data")) for seed in seeds])
    fit.fit(
        model,
        loss=lambda net, x, y: cross_entropy(net(x), y),
        batch=lambda step: (x, (x[..., 0] > 0).long()),
        steps=steps,
        optimizer=Group(adamw.Rule(), lr=0.1),
    )
    return model


def nets(seeds, tier):
    state = trained("toy-walk/r1", untrained_no_more, seeds, {"steps": tier["steps"]})
    model = mlp((2, 4, 2), [seed.stream("weights") for seed in seeds])
    model.load_state_dict(state)
    x = torch.stack([torch.randn(64, 2, generator=seed.stream("test")) for seed in seeds])
    return {"accuracy": (model(x).argmax(-1) == (x[..., 0] > 0)).double().mean(-1)}


def sums(seeds, tier):
    return {"error": [float(Fraction(1, 3) + Fraction(1, 6) - Fraction(1, 2))] * len(seeds)}


TASK = Task(
    title="A toy walk",
    family="optimizers and fine-tuning",
    source=SOURCE,
    claims=CLAIMS,
    experiments=(
        Experiment(
            name="walk",
            measure=walk,
            arms=(
                Arm("steady", fixed={"strength": 0.01}, tuned={"lr": (0.01, 0.3, 1.9)}),
                Arm("kicked", fixed={"strength": 0.5}, tuned={"lr": (0.01, 0.3, 1.9)}),
            ),
            columns=("strength",),
            tune_on="loss",
            tiers={
                "smoke": Tier(seeds=2, tuning_seeds=1, sizes={"steps": 2}),
                "cpu": Tier(seeds=8, tuning_seeds=4, at_most=12, stack=10, sizes={"steps": 4}),
            },
        ),
        Experiment(
            name="nets",
            measure=nets,
            tiers={"smoke": Tier(seeds=2, sizes={"steps": 2}), "cpu": Tier(seeds=8, stack=4, sizes={"steps": 4})},
        ),
        Experiment(name="sums", measure=sums, tiers={"smoke": Tier(seeds=1), "cpu": Tier(seeds=1)}),
    ),
    figures=(PairedDots(title="Loss of either walker", experiment="walk", metric="loss", arms=("kicked", "steady")),),
    revision=1,
)
