"""The made-up page behind tests.fake_comparison: its claims, experiments and figures."""

from typing import Any

from suite.figures import Axis, Bars, Curves, Forest, GapAgainst, Histogram, PairedDots, TuningCurve
from tests.fake_parts import card_of, claim, drawn, tier_of

BATCHES = (8, 64, 512)
RATES = {"adamw": (0.001, 0.003, 0.01, 0.03, 0.1), "lion": (0.0002, 0.0006, 0.002, 0.006, 0.02)}
DECAYS = (0.1, 1.0)
SEEDS = 16

DOC = """Lion against AdamW, each at its own best learning rate and weight decay.

The post reports the paper's finding that Lion ends at or below AdamW's loss while it keeps one state tensor per weight
where AdamW keeps two. Its update is the sign of an interpolation of momentum and gradient,

    u_t     = sign(beta1 m_{t-1} + (1 - beta1) g_t)
    theta_t = theta_{t-1} - eta (u_t + lambda theta_{t-1}),

so that every component moves by the same amount and the rate must be smaller, by ten times or more.

A companion post shows that the embeddings of rare tokens run to exactly 1/lambda under such updates:

- the sign of the momentum stays as it is while a token is absent
- weight decay then pulls towards -sign(m)/lambda

Not the post's scale: it speaks of ViT, T5 and 7B language models; this is a network of 12 000 weights on digits of
8 x 8 pixels, and a character model of 32 000 weights.

Known to bite: the paper itself reports that Lion loses its edge at batch sizes under 64, and a baseline whose rate
does not decay to zero flatters Lion. The learning-rate grid must hold the optimum in its inside for both.
"""


def comparison_card() -> dict[str, Any]:
    claims = [
        claim(
            "c1",
            "At an equal tuning budget Lion's held-out loss is at most 0.5 % above AdamW's "
            "on at least 2 of 3 batch sizes",
            "comparison",
            {"quantity": "paired_gap"},
            [None, 0.005],
            headline=True,
            needs=2,
        ),
        claim(
            "c2", "Lion keeps exactly half of AdamW's optimizer state", "identity", {"quantity": "value"}, [0.5, 0.5]
        ),
        claim(
            "c3",
            "A step of Lion is faster than one of AdamW, compiled against compiled",
            "comparison",
            {"quantity": "ratio"},
            [None, 1.0],
        ),
        claim(
            "c4",
            "The best learning rate of Lion is 1/10 to 1/3 of AdamW's",
            "scaling",
            {"quantity": "optimum"},
            [2.0, 15.0],
            also=[[None, 10.0]],
        ),
        claim("c6", "Lion minus AdamW falls as the batch grows", "scaling", {"quantity": "slope"}, [None, 0.0]),
        claim(
            "c8",
            "SIGNUM is Lion with beta1 = beta2 and lambda = 0, bit for bit",
            "identity",
            {"quantity": "value"},
            [0.0, 0.0],
        ),
        claim(
            "c11",
            "Lion ends in flatter regions: noise on the weights raises its loss less",
            "comparison",
            {"quantity": "paired_gap"},
            [None, 0.0],
        ),
        claim(
            "c12",
            "Lion can have a better validation result without a better training loss",
            "comparison",
            None,
            [None, None],
            untested={"*": "needs a workload that over-fits; the digits do not at this size"},
        ),
        claim(
            "c14",
            "Rare tokens' embeddings run to exactly 1/lambda under Lion",
            "simulation",
            {"quantity": "value"},
            [0.98, 1.02],
        ),
        claim(
            "c16",
            "The published gap of 2.5 points at batch 32 768 is seen",
            "comparison",
            {"quantity": "paired_gap"},
            [0.02, None],
            untested={"cpu": "needs ImageNet and a ViT; see the gpu tier"},
        ),
    ]
    experiments = [
        {
            "name": "digits",
            "measure": "tasks.lion_vs_adamw.digits:measure",
            "arms": [
                {"name": a, "fixed": {"rule": a}, "tuned": {"lr": list(RATES[a]), "decay": list(DECAYS)}, "like": None}
                for a in ("adamw", "lion")
            ],
            "conditions": {"batch": list(BATCHES)},
            "columns": [],
            "tune_on": "validation_loss",
            "best": "min",
            "timed": False,
            "tiers": {"cpu": tier_of(SEEDS, steps=600, train=900), "gpu": tier_of(5, steps=20000, train=900)},
        },
        {
            "name": "embeddings",
            "measure": "tasks.lion_vs_adamw.embeddings:measure",
            "arms": [{"name": a, "fixed": {"rule": a}, "tuned": {}, "like": None} for a in ("adamw", "lion", "tiger")],
            "conditions": {},
            "columns": [],
            "tune_on": None,
            "best": "min",
            "timed": False,
            "tiers": {"cpu": tier_of(8, steps=6000, vocabulary=256)},
        },
        {
            "name": "step-time",
            "measure": "tasks.lion_vs_adamw.speed:measure",
            "arms": [{"name": "only", "fixed": {}, "tuned": {}, "like": None}],
            "conditions": {},
            "columns": [],
            "tune_on": None,
            "best": "min",
            "timed": True,
            "tiers": {"cpu": tier_of(8, weights=1000000)},
        },
    ]
    return card_of(
        "lion-vs-adamw",
        "Does Lion beat AdamW, and what does it cost, at an equal tuning budget?",
        "optimizers and fine-tuning",
        DOC,
        [
            ("Google新搜出的优化器Lion：效率与效果兼得的“训练狮”", "https://kexue.fm/archives/9473", "2023-02-16"),
            ("Lion/Tiger优化器训练下的Embedding异常和对策", "https://kexue.fm/archives/9736", "2023-08-28"),
        ],
        ["arXiv 2302.06675", "arXiv 1711.05101"],
        claims,
        experiments,
        drawn(
            PairedDots(
                title="Every seed, both optimizers",
                caption="Held-out loss of the tuned arms; one thin line joins the two arms of one seed. "
                "Right of each pair the difference, Lion minus AdamW: "
                "every seed, mean and 95 % interval. The shaded band is the margin of the claim.",
                metric="test_loss",
                arms=("adamw", "lion"),
                experiment="digits",
                axis=Axis("held-out loss", "nats"),
                margin=(None, 0.005),
            ),
            TuningCurve(
                title="Tuning, at every batch size",
                caption="Validation loss against the learning rate at the better weight decay; "
                "every dot is a tuning seed, a ring marks the chosen rate.",
                experiment="digits",
                over="lr",
                x_axis=Axis("learning rate", log=True),
                y_axis=Axis("validation loss", "nats"),
            ),
            GapAgainst(
                title="The gap against the batch size",
                caption="Lion minus AdamW, held-out loss: every seed a dot, the mean and its 95 % interval "
                "beside it. Above zero AdamW is better.",
                experiment="digits",
                metric="test_loss",
                arm="lion",
                minus="adamw",
                condition="batch",
                margin=(None, 0.005),
                x_axis=Axis("batch size", log=True),
                y_axis=Axis("Lion − AdamW", "nats"),
            ),
            Curves(
                title="Training loss",
                caption="Mean over the seeds at batch 64, every seed thin behind it.",
                experiment="digits",
                at={"batch": 64},
                y="train_curve",
                x="train_steps",
                x_axis=Axis("step"),
                y_axis=Axis("training loss", "nats", log=True),
            ),
            Histogram(
                title="Where embeddings end",
                caption="Components of lambda E of rare tokens, shares per bin; thin outlines are single seeds.",
                experiment="embeddings",
                counts="rare_counts",
                edges="edges",
                x_axis=Axis("λE"),
                vertical=((-1, "−1"), (1, "1")),
            ),
            Bars(
                title="How far rare embeddings go",
                caption="The largest component times lambda; the tick is the post's number.",
                experiment="embeddings",
                metric="largest",
                axis=Axis("largest |λE|", low=0),
                published=(("tiger", 1.0),),
                small=True,
            ),
            Forest(
                title="All measured intervals",
                caption="Each claim's cells against the shaded band that the source claims; "
                "cells of one claim are simultaneous intervals.",
            ),
        ),
    )
