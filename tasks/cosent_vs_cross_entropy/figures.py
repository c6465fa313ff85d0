"""What is drawn."""

from suite.figures import Axis, Bars, Curves, Forest, GapAgainst, PairedDots, Table, TuningCurve
from tasks.cosent_vs_cross_entropy.training import CHECKPOINTS

SPEARMAN = Axis("Spearman", "points")
SHARES = tuple(round((i + 1) / CHECKPOINTS, 3) for i in range(CHECKPOINTS))
FIGURES = (
    Forest(
        title="CoSENT minus cross-entropy",
        caption="Every task and regime against the margin of one point.",
        claims=("c1", "c1_accuracy"),
    ),
    PairedDots(
        title="Every seed under both losses",
        caption="Test correlation; one panel per noise on the initial embeddings and kind of negatives.",
        experiment="pairs",
        metric="spearman",
        arms=("ce", "cosent"),
        axis=SPEARMAN,
        margin=(-1, 1),
    ),
    PairedDots(
        title="The same where positives are rare",
        experiment="rare",
        metric="spearman",
        arms=("ce", "cosent"),
        axis=SPEARMAN,
        margin=(-1, 1),
    ),
    Curves(
        title="How fast either loss learns",
        caption="Validation correlation at five checkpoints.",
        experiment="pairs",
        y="curve",
        x=SHARES,
        arms=("ce", "cosent"),
        x_axis=Axis("share of the steps"),
        y_axis=SPEARMAN,
    ),
    TuningCurve(
        title="What tuning saw",
        caption="Validation correlation at the best checkpoint against the learning rate.",
        experiment="pairs",
        over="lr",
        x_axis=Axis("learning rate", log=True),
        y_axis=SPEARMAN,
    ),
    GapAgainst(
        title="Graded labels: CoSENT minus regression",
        experiment="graded",
        metric="spearman",
        arm="cosent",
        minus="mse",
        condition="noise",
        margin=(-1, 1),
        x_axis=Axis("noise on the initial embeddings"),
        y_axis=Axis("CoSENT minus MSE", "points"),
    ),
    Bars(
        title="Embeddings: three losses",
        caption="Test correlation of the cosines; hard 0: random negatives, hard 1: one or two concepts differ.",
        experiment="embeddings",
        metric="spearman",
        arms=("cosent", "sbert", "cosine"),
        axis=SPEARMAN,
    ),
    Table(
        title="The source's own noise",
        caption="Accuracy in points: CoSENT minus cross-entropy beside the same cross-entropy arm published twice.",
        experiment="table",
        columns=(("accuracy_differences", "CoSENT minus CE"), ("repeats", "repeat of CE")),
        rows=tuple(
            f"{task}, {backbone}" for backbone in ("BERT", "RoBERTa") for task in ("ATEC", "BQ", "LCQMC", "PAWSX")
        ),
        rows_label="task",
    ),
)
