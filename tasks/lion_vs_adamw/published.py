"""The source's numbers beside ours; what a number of ours can only stand near says so in its note."""

from suite.claims import Published
from suite.phrases import exact
from suite.quantities import mean, ratio
from tasks.lion_vs_adamw.measured import WORKLOADS, rates, toy

README = "the optimizer's README (google/automl, lion)"
PUBLISHED = (
    Published(
        what="Lion's rate over AdamW's",
        value="below 1/10",
        where="post 9473",
        ours=rates(),
        note="ours: AdamW's over Lion's, per workload",
    ),
    Published(
        what="Lion's rate over AdamW's",
        value="1/10 to 1/3",
        where=README,
        ours=rates(),
        note="ours: AdamW's over Lion's, per workload",
    ),
    Published(
        what="(rate, decay), ViT-B/16, ImageNet",
        value="Lion (1e-4, 10), AdamW (1e-3, 1)",
        where=README,
        ours=ratio("best_decay", "lion", over="adamw", experiment="decay"),
        note="ours: Lion's best decay over AdamW's",
    ),
    Published(
        what="(rate, decay), diffusion",
        value="Lion (3e-5, 0.1), AdamW (3e-4, 0.01)",
        where=README,
        ours=ratio("best_product", "lion", over="adamw", experiment="decay"),
        note="rate times decay is the same in both; ours: Lion's best product over AdamW's",
    ),
    Published(
        what="(rate, decay), language model of 7.5 billion weights",
        value="Lion (1e-4, 0.01), Adafactor (1e-3, 0.001)",
        where=README,
    ),
    Published(
        what="more steps per second",
        value="2 to 15 %",
        where=README,
        ours=mean("steps_per_second", experiment="step-time"),
        note="ours: ratio; another machine",
    ),
    Published(
        what="ViT-B/16, ImageNet top-1 at batch 32,768",
        value="Lion 77.9 %, AdamW 75.4 %",
        where=README,
        ours=WORKLOADS,
        note="ours: relative gap of the test loss, other models and data",
    ),
    Published(what="best batch size of ViT-B/16", value="Lion 4,096, AdamW 256", where=README, note="ours: c6"),
    Published(
        what="rate of a base model", value=4e-5, where="post 9473", ours=exact("amos_rate"), note="exactly 4.0054e-5"
    ),
    Published(
        what="decay of a base model", value=0.015, where="post 9473", ours=exact("amos_decay"), note="exactly 0.015381"
    ),
    Published(
        what="largest embedding component",
        value=100,
        where="post 9736, 7 billion weights, lambda = 0.01",
        ours=toy("peak", "tiger"),
        note="1 / lambda; ours in units of 1 / lambda",
    ),
    Published(
        what="smallest embedding component",
        value=-100,
        where="post 9736, 7 billion weights, lambda = 0.01",
        note="-1 / lambda",
    ),
)
