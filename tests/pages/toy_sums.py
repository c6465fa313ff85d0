"""A toy page without torch: sums of dice, exact and thrown.

Not the post's scale: there is no post.
Known to bite: nothing, it is a toy.
"""

from fractions import Fraction

from suite.claims import Arm, Claim, Experiment, Mutant, Outcome, Post, Source, Task, Tier, at_least, exactly
from suite.quantities import paired_gap, value

SOURCE = Source(posts=(Post(title="Toy dice", url="https://example.org/dice", date="2020-01-01"),))

CLAIMS = (
    Claim(
        id="c1",
        says="a loaded die shows more than a fair one",
        kind="comparison",
        quantity=paired_gap("eyes", "loaded", minus="fair", experiment="dice"),
        claimed=at_least(0.0),
        headline=True,
    ),
    Claim(
        id="c2",
        says="one third and one sixth are one half",
        kind="identity",
        quantity=value("error", experiment="sums"),
        claimed=exactly(0),
    ),
    Claim(id="c3", says="dice decide", kind="qualitative", untested={"*": "no die is at hand"}),
)


def load(eyes, by):
    return eyes + by


def dice(seeds, tier, *, by):
    thrown = [seed.numpy("throws").integers(1, 7, tier["throws"]) for seed in seeds]
    luck = [seed.numpy("luck").normal(0, 0.01) for seed in seeds]
    rows = zip(thrown, by, luck, strict=True)
    return {"eyes": [float(load(eyes, extra).mean()) + extra * chance for eyes, extra, chance in rows]}


def sums(seeds, tier):
    return {"error": [float(Fraction(1, 3) + Fraction(1, 6) - Fraction(1, 2))] * len(seeds)}


TASK = Task(
    title="Toy dice",
    family="similarity, codes, probability, vision",
    source=SOURCE,
    claims=CLAIMS,
    experiments=(
        Experiment(
            name="dice",
            measure=dice,
            arms=(Arm("fair", fixed={"by": 0.0}), Arm("loaded", fixed={"by": 1.0})),
            columns=("by",),
            tiers={
                "smoke": Tier(seeds=2, sizes={"throws": 5}),
                "cpu": Tier(seeds=8, at_most=12, sizes={"throws": 50}),
            },
        ),
        Experiment(name="sums", measure=sums, tiers={"smoke": Tier(seeds=1), "cpu": Tier(seeds=1)}),
    ),
    mutants=(
        Mutant(
            says="the load is on the wrong side",
            replaces="load",
            by=lambda eyes, by: eyes - by,
            turns_to=Outcome.REFUTED,
        ),
    ),
    revision=1,
)
