"""A toy page without torch whose winner sits on the edge of its grid; only its tuning tells that this does no harm.

Not the post's scale: there is no post.
Known to bite: nothing, it is a toy.
"""

from suite.claims import Arm, Claim, Experiment, Post, Source, Task, Tier, at_most
from suite.quantities import mean

SOURCE = Source(posts=(Post(title="A toy slope", url="https://example.org/slope", date="2020-01-01"),))

CLAIMS = (
    Claim(
        id="c1",
        says="little of the height is left",
        kind="simulation",
        quantity=mean("left", experiment="slope"),
        claimed=at_most(0.8),
        headline=True,
    ),
)


def slope(seeds, tier, *, lr):
    """``left`` falls with the rate as ``loss`` does; at one and the same rate the two have nothing to do with each
    other.
    """
    luck = [[float(seed.numpy(name).normal(0, 0.001)) for name in ("loss", "left")] for seed in seeds]
    return {
        "loss": [1 - rate + one for rate, (one, _) in zip(lr, luck, strict=True)],
        "left": [1 - rate + other for rate, (_, other) in zip(lr, luck, strict=True)],
    }


TASK = Task(
    title="A toy slope",
    family="optimizers and fine-tuning",
    source=SOURCE,
    claims=CLAIMS,
    experiments=(
        Experiment(
            name="slope",
            measure=slope,
            arms=(Arm("only", tuned={"lr": (0.1, 0.2, 0.3)}),),
            tune_on="loss",
            tiers={
                "smoke": Tier(seeds=2, tuning_seeds=4),
                "cpu": Tier(seeds=8, tuning_seeds=4),
            },
        ),
    ),
    revision=1,
)
