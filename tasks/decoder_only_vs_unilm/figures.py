"""What is drawn."""

from suite.figures import Axis, Bars, Curves, Forest, PairedDots, TuningCurve
from tasks.decoder_only_vs_unilm import masked

LOSS = Axis("test loss", "nats")
RATE = Axis("learning rate", log=True)
_POINTS = tuple((k + 1) / masked.POINTS for k in range(masked.POINTS))
FIGURES = (
    Forest(
        title="GPT over UniLM, task by task",
        caption="GPT's loss over UniLM's, less 1 (sort: minus UniLM's, in nats), with the claimed side of the margin; "
        "below 0 GPT is better.",
        claims=("c1", "c1_denoise", "c1_sort", "c1_count"),
    ),
    PairedDots(
        title="Continuation: every seed under both masks",
        caption="Test loss after tuning on other seeds.",
        experiment="continuation",
        metric="test",
        arms=("unilm", "gpt"),
        axis=LOSS,
    ),
    Bars(
        title="Masks against weights",
        caption="Test loss on continuations: shared weights, separate ones for input and output, a wider decoder with "
        "as many weights as the separate ones, and GPT that predicts its input too.",
        experiment="continuation",
        metric="test",
        axis=LOSS,
    ),
    PairedDots(
        title="The other tasks",
        caption="Test loss under both masks, one panel per task.",
        experiment="tasks",
        metric="test",
        arms=("unilm", "gpt"),
        axis=LOSS,
    ),
    Curves(
        title="Masked language models along the training",
        caption="Loss of the hidden symbols at eight equal strides.",
        experiment="masked",
        y="curve",
        x=_POINTS,
        x_axis=Axis("share of the steps"),
        y_axis=LOSS,
    ),
    Bars(
        title="Masked language models at the end",
        caption="Test loss of the hidden symbols.",
        experiment="masked",
        metric="test",
        axis=LOSS,
    ),
    Bars(
        title="Softmax and linear attention",
        caption="Test loss as a language model (masked 0) and as a masked one (masked 1).",
        experiment="linear",
        metric="test",
        axis=LOSS,
    ),
    PairedDots(
        title="Before and after pre-training",
        caption="Test loss on continuations from scratch (pretraining 0) and after denoising (pretraining 1).",
        experiment="finetuning",
        metric="test",
        arms=("unilm", "gpt"),
        axis=LOSS,
    ),
    TuningCurve(
        title="What tuning saw on continuations",
        caption="Validation loss of the shorter tuning runs against the rate.",
        experiment="continuation",
        over="lr",
        x_axis=RATE,
        y_axis=Axis("validation loss", "nats"),
    ),
    TuningCurve(
        title="What tuning saw of masked language models",
        caption="Validation loss of the shorter tuning runs against the rate.",
        experiment="masked",
        over="lr",
        x_axis=RATE,
        y_axis=Axis("validation loss", "nats"),
    ),
)
