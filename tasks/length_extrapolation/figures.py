"""What is drawn."""

from suite.figures import Axis, Bars, Curves, PairedDots, TuningCurve
from tasks.length_extrapolation.inference import DAGGER, LOG, SHARES, mixed
from tasks.length_extrapolation.lengths import FACTORS

ACCURACY = Axis("share of right answers", low=0.0, high=1.0)
PLAIN = ("RoPE", "window", "PI", "NTK-old", "NTK-fixed", "NTK-mixed", "YaRN")
FIGURES = (
    Bars(
        title="Recall and offsets at eight times the training length",
        caption="Same networks, trained without log n; every seed a dot.  All stand at 1 at the training length.",
        experiment="inference",
        metric=("recall", "local"),
        arms=PLAIN,
        labels=("recall", "offsets"),
        axis=ACCURACY,
    ),
    Bars(
        title="The same with log n",
        caption="max(1, log n) at test time alone, and log n in training too.",
        experiment="inference",
        metric=("recall", "local"),
        arms=tuple(name + end for name in ("RoPE", "PI", "NTK-fixed", "NTK-mixed", "YaRN") for end in (DAGGER, LOG)),
        labels=("recall", "offsets"),
        axis=ACCURACY,
    ),
    Bars(
        title="The share that low digits get",
        caption="NTK-mixed against NTK-fixed (b = 1) and PI (b = 0): what recall gains, offsets lose.",
        experiment="inference",
        metric=("recall", "local"),
        arms=("PI", *(mixed(b) for b in SHARES), "NTK-fixed"),
        labels=("recall", "offsets"),
        axis=ACCURACY,
        small=True,
    ),
    Bars(
        title="What it costs at the training length",
        caption="Mean accuracy at N with the frequencies that are made for 8 N.",
        experiment="inference",
        metric="tax",
        arms=PLAIN,
        axis=ACCURACY,
        small=True,
    ),
    PairedDots(
        title="RoPE, NTK-fixed and log n at test time, seed by seed",
        caption="Mean of recall and offsets at 8 N.",
        experiment="inference",
        metric="mean",
        arms=("RoPE", "NTK-fixed", "NTK-fixed" + DAGGER),
        axis=ACCURACY,
    ),
    TuningCurve(
        title="How tau of YaRN was chosen",
        caption="Mean accuracy at 8 N on seeds that judge nothing.",
        experiment="inference",
        over="shape",
        arms=("YaRN",),
        x_axis=Axis("tau", log=True),
        y_axis=ACCURACY,
    ),
    Curves(
        title="Accuracy against length",
        caption="Plain RoPE, and NTK-RoPE with its factor k held fixed.",
        experiment="lengths",
        y="accuracy",
        x="multiple",
        arms=("RoPE", *(f"NTK k={k}" for k in FACTORS)),
        x_axis=Axis("length over N", log=True),
        y_axis=ACCURACY,
    ),
    Bars(
        title="Trained with windows",
        caption="HWFA, HWFA with RoPE in its full layer, and plain RoPE, all trained alike; accuracy at 8 N.",
        experiment="hwfa",
        metric=("recall", "local"),
        labels=("recall", "offsets"),
        axis=ACCURACY,
    ),
    Curves(
        title="What each method does to the frequencies",
        caption="New over old frequency of every pair, k = 8, heads of 64; YaRN with N = 4096 and tau = 32.",
        experiment="identities",
        y=("ratio_pi", "ratio_old", "ratio_fixed", "ratio_mixed", "ratio_yarn"),
        x="pair",
        labels=("PI", "NTK-old", "NTK-fixed", "NTK-mixed", "YaRN"),
        band="none",
        x_axis=Axis("pair"),
        y_axis=Axis("new over old frequency", log=True),
    ),
)
