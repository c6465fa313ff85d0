"""The page's figures, as data."""

from suite.figures import Axis, Bars, Curves, HeatMap, TuningCurve
from tasks.rerope import own, pretrained, windows
from tasks.rerope.eightfold import named
from tasks.rerope.lengths import TIMES
from tasks.rerope.published import METHODS

SHARE = Axis("share of right answers", low=0.3, high=1.02)
WINDOW = Axis("window over N", log=True)

FIGURES = (
    Bars(
        title="At eight times the training length",
        caption="Mean of recall and offsets, every method at its best setting; ticks: the post's accuracy on repeated "
        "text, of language models with 100 million weights.",
        experiment="eightfold",
        metric="percent",
        arms=tuple(named(*arm) for arm in METHODS),
        axis=Axis("accuracy", "%"),
        published=tuple((named(*arm), repeated) for arm, (repeated, _) in METHODS.items()),
    ),
    TuningCurve(
        title="What tuning saw",
        caption="b of NTK-mixed, tau of YaRN, the window of ReRoPE over N.",
        experiment="eightfold",
        over="knob",
        x_axis=Axis("b, tau or w / N", log=True),
        y_axis=Axis("share of right answers"),
    ),
    Curves(
        title="Accuracy against the window of ReRoPE",
        caption="At 8 N, by log n: never, at the test, in training too.  Dashed: plain RoPE.",
        experiment="windows",
        x=windows.SHARES,
        y="mean",
        reference="rope",
        reference_label="RoPE",
        x_axis=WINDOW,
        y_axis=SHARE,
    ),
    Curves(
        title="Recall and offsets against the window",
        caption="Without log n: what a window at N costs is recall.",
        experiment="windows",
        x=windows.SHARES,
        y=("recall", "local"),
        arms=("none",),
        x_axis=WINDOW,
        y_axis=SHARE,
    ),
    HeatMap(
        title="Leaky ReRoPE: window and k",
        caption="Mean accuracy at 8 N, without log n and with log n in training.",
        experiment="leaky",
        metric="mean",
        rows=tuple(f"w = {share:g} N" for share in windows.LEAKY_SHARES),
        columns=("k = 4", "k = 8", "k = 16", "k = 32", "ReRoPE"),
    ),
    Curves(
        title="Accuracy against length",
        caption="Networks trained with log n; w = N / 4.  The largest position of Leaky ReRoPE passes N at about 6 N "
        "(k = 8) and 12 N (k = 16).",
        experiment="lengths",
        x=TIMES,
        y="mean",
        x_axis=Axis("length over N", log=True),
        y_axis=SHARE,
    ),
    Bars(
        title="Trained with ReRoPE throughout",
        caption="Mean accuracy at 8 N, and at N.",
        experiment="throughout",
        metric=("mean", "at_n"),
        labels=("at 8 N", "at N"),
        axis=Axis("share of right answers"),
        small=True,
    ),
    Bars(
        title="The inverse, between RoPE and ReRoPE",
        caption="Mean accuracy at 8 N, all with log n.",
        experiment="inverse",
        metric="mean",
        axis=Axis("share of right answers"),
        small=True,
    ),
    HeatMap(
        title="The inverse: steps beyond the window in training, and the window",
        caption="Mean accuracy at 8 N; gpu tier.",
        experiment="inverse-grid",
        metric="mean",
        rows=tuple(f"step {step}" for step in own.INVERSE_STEPS),
        columns=tuple(f"w = {share:g} N" for share in own.INVERSE_SHARES),
    ),
    Bars(
        title="HWFA with ReRoPE in its full layers",
        caption="Mean accuracy at 8 N, and at N; gpu tier.",
        experiment="hybrid",
        metric=("mean", "at_n"),
        labels=("at 8 N", "at N"),
        axis=Axis("share of right answers"),
    ),
    Curves(
        title="Loss on the last N tokens of a book against the context",
        caption="Pretrained models without further training; hub tier.",
        experiment="pretrained",
        x=pretrained.CONTEXTS,
        y="loss",
        x_axis=Axis("context over N", log=True),
        y_axis=Axis("loss", "nats"),
    ),
)
