"""Does the heavy ball get further than plain gradient descent in the same number of steps, each at its best rate?

A post says in a few sentences what you write here: the idea, its formula with the post's own symbols, and what follows.

    b <- beta b + g,    theta <- theta - lr b

Under a constant gradient b tends to g / (1 - beta), so that momentum acts like a larger rate where the loss is flat,
while it averages the gradient where the loss is steep.

Not the post's scale: a linear regression with 16 weights stands in for a network, and its gradients carry no noise.
Known to bite: at one common rate momentum wins trivially, because it multiplies the rate; hence a grid for either arm.
A rate just below the stable limit can survive tuning and diverge on fresh seeds; hence a coarse grid.
"""

from fractions import Fraction

import torch
from torch import Tensor, nn

from suite import fit
from suite.blocks.models.mlp import mlp
from suite.blocks.optim import sgd
from suite.claims import Arm, Claim, Experiment, Mutant, Outcome, Post, Source, Task, Tier, at_most, exactly
from suite.figures import Axis, PairedDots, TuningCurve
from suite.quantities import paired_gap, value
from suite.seeds import Seed
from suite.stack import Group

SOURCE = Source(
    posts=(Post(title="The post's own title", url="https://example.org/its-address", date="2026-01-01"),),
    papers=("B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964",),
)

CLAIMS = (
    Claim(
        id="c1",
        says="after the same number of steps the heavy ball's held-out loss is at least a tenth below plain descent's",
        kind="comparison",
        quantity=paired_gap("loss", "heavy ball", minus="plain", experiment="regression", relative=True),
        claimed=at_most(-0.1),
        headline=True,
    ),
    Claim(
        id="c2",
        says="under a constant gradient g, b = g (1 - beta^n) / (1 - beta) after n steps",
        kind="identity",
        quantity=value("error", experiment="constant-gradient"),
        claimed=exactly(0),
    ),
    Claim(
        id="c3",
        says="the advantage grows with the size of the network",
        kind="scaling",
        untested={"*": "one size of one linear model is trained here"},
    ),
)

# --- The fair fight: both arms see the same data and start from the same weights ------------------
# R models, N examples, D inputs

INPUTS = 16


def regression(seed: Seed, examples: int) -> tuple[Tensor, Tensor]:
    """Inputs [N, D] whose scales fall from 1 to 1/30, hence a long flat valley, and targets [N] with a little noise."""
    stream = seed.stream("data")
    x = torch.randn(examples, INPUTS, generator=stream) * torch.logspace(0, -1.5, INPUTS)
    weights = torch.randn(INPUTS, generator=stream) / torch.logspace(0, -1.5, INPUTS)
    return x, x @ weights + 0.1 * torch.randn(examples, generator=stream)


def squared_error(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of each model: x [R, N, D] and y [R, N] give [R]."""
    return (model(x).squeeze(-1) - y).square().mean(-1)


def rule(beta: float) -> sgd.Rule:
    return sgd.Rule(momentum=beta)


def measure(seeds, tier, *, beta, lr):
    x, y = (torch.stack(part).to(fit.device()) for part in zip(*(regression(s, 512) for s in seeds), strict=True))
    model = mlp([INPUTS, 1], [seed.stream("weights") for seed in seeds])
    fit.fit(
        model,
        loss=squared_error,
        batch=lambda step: (x[:, :256], y[:, :256]),
        steps=tier["steps"],
        optimizer=Group(rule(beta), lr=lr),
    )
    with torch.no_grad():
        return {"loss": squared_error(model, x[:, 256:], y[:, 256:]).tolist()}


# --- The identity, in exact arithmetic ------------------------------------------------------------


def constant_gradient(seeds, tier):
    error = Fraction(0)
    for beta in (Fraction(tenths, 10) for tenths in range(10)):
        b = Fraction(0)
        for n in range(1, 50):
            b = beta * b + 1
            error = max(error, abs(b - (1 - beta**n) / (1 - beta)))
    return {"error": [float(error)] * len(seeds)}


RATES = (0.01, 0.04, 0.12, 0.4, 1.2, 4.0)

TASK = Task(
    title="Heavy ball against plain descent",
    family="optimizers and fine-tuning",
    source=SOURCE,
    claims=CLAIMS,
    experiments=(
        Experiment(
            name="regression",
            measure=measure,
            arms=(
                Arm("plain", fixed={"beta": 0.0}, tuned={"lr": RATES}),
                Arm("heavy ball", fixed={"beta": 0.9}, tuned={"lr": RATES}),
            ),
            tune_on="loss",
            tiers={
                "smoke": Tier(seeds=8, tuning_seeds=2, sizes={"steps": 60}),
                "cpu": Tier(seeds=16, tuning_seeds=4, at_most=32, sizes={"steps": 200}),
            },
        ),
        Experiment(
            name="constant-gradient",
            measure=constant_gradient,
            tiers={"smoke": Tier(seeds=1), "cpu": Tier(seeds=1)},
        ),
    ),
    figures=(
        PairedDots(
            title="Held-out loss of either arm",
            experiment="regression",
            metric="loss",
            arms=("plain", "heavy ball"),
            axis=Axis("mean squared error", log=True),
        ),
        TuningCurve(
            title="What tuning saw",
            experiment="regression",
            over="lr",
            x_axis=Axis("learning rate", log=True),
            y_axis=Axis("mean squared error", log=True),
        ),
    ),
    mutants=(
        Mutant(
            says="the momentum has the wrong sign",
            replaces="rule",
            by=lambda beta: sgd.Rule(momentum=-beta),
            turns_to=Outcome.REFUTED,
        ),
    ),
)
