"""The page's figures, as data."""

from suite.figures import Axis, Bars, Curves, GapAgainst, HeatMap, Table
from tasks.attention_rank import exact, floats, order, trained
from tasks.attention_rank.matrices import SCALES

SD = Axis("standard deviation of the logits", log=True)
WIDE = Axis("standard deviation of the logits")
BOTH = ("causal", "bidirectional")

FIGURES = (
    Curves(
        title="Effective rank of both matrices of the same logits",
        caption="Near-uniform attention (left) has a low rank unless it is causal; from a scale on that falls with the "
        "head size d, the bidirectional matrix has the higher one.",
        experiment="spectra",
        x="sd",
        y="effective_rank",
        arms=BOTH,
        x_axis=SD,
        y_axis=Axis("effective rank", log=True),
    ),
    GapAgainst(
        title="Where the post's order holds",
        caption="Effective rank of the causal matrix over that of the bidirectional one, less 1 (above 1 not "
        "shown): above 0 the post is right.",
        experiment="spectra",
        metric="effective_rank",
        arm="causal",
        minus="bidirectional",
        condition="sd",
        relative=True,
        x_axis=SD,
        y_axis=Axis("ratio less 1", low=-0.4, high=1.0),
    ),
    HeatMap(
        title="The map: logit scale and head size at n = 256",
        caption="log of the causal over the bidirectional effective rank, cut at 0.5 either way; orange: the post's "
        "order, violet: the reverse.  Head sizes of 4 never turn, those of today's models turn early.",
        experiment="map",
        metric="by_head",
        rows=tuple(f"d {d}" for d in order.HEADS),
        columns=order.SCALES,
        column_axis=WIDE,
        centre=0.0,
    ),
    *(
        HeatMap(
            title=f"The map: logit scale and n / d at d = {d}",
            caption="As above.  Down a column the text gets longer and the head does not: the sign hardly changes.",
            experiment="map",
            metric=f"by_ratio_{d}",
            rows=tuple(f"n / d {ratio}" for ratio in ratios),
            columns=order.SCALES,
            column_axis=WIDE,
            centre=0.0,
        )
        for d, ratios in order.RATIOS.items()
    ),
    HeatMap(
        title="The logit scale at which the order turns",
        caption="About 3 over root d, whatever n; 4 stands for: not up to 4.",
        experiment="map",
        metric="crossing",
        rows=tuple(f"n {n}" for n in order.LENGTHS),
        columns=order.HEADS,
        column_axis=Axis("head size"),
        value_axis=Axis(log=True),
    ),
    HeatMap(
        title="The same for long texts",
        caption="As above; gpu tier.",
        experiment="long-map",
        metric="crossing",
        rows=tuple(f"n {n}" for n in order.LONG_LENGTHS),
        columns=order.LONG_HEADS,
        column_axis=Axis("head size"),
        value_axis=Axis(log=True),
    ),
    Curves(
        title="Singular values at three logit scales",
        caption="log10 of s_i over s_1 against i over n.  The causal matrix is well conditioned while attention is "
        "near uniform, and numerically singular otherwise.",
        experiment="profiles",
        x="place",
        y="profile",
        arms=BOTH,
        x_axis=Axis("i over n"),
        y_axis=Axis("log10 of s_i / s_1"),
    ),
    Curves(
        title="The rank that float64 counts",
        caption="Both matrices have the exact rank n at every scale.",
        experiment="floats",
        x=SCALES,
        y=("causal_rank", "open_rank"),
        labels=BOTH,
        x_axis=SD,
        y_axis=Axis("rank counted"),
        band="range",
    ),
    Curves(
        title="The error of the causal log-determinant in float64",
        caption=f"log10 of the error against the sum of log a_ii; {floats.CEILING:g} stands for infinite.  Elimination "
        "that pivots ruins a triangular matrix; of the transposed one the same routine is right.",
        experiment="floats",
        x=SCALES,
        y=("pivoted", "transposed"),
        labels=("as it stands", "transposed"),
        x_axis=SD,
        y_axis=Axis("log10 of the error"),
        band="range",
        horizontal=((0, "error 1"),),
    ),
    HeatMap(
        title="Determinants of bidirectional matrices, n = 24",
        caption="log10 of |det|, from as many digits as it takes (up to 240): tiny, never 0.  A double ends at -308.",
        experiment="exact",
        metric="log10_determinant",
        rows=exact.HEADS,
        columns=exact.SCALES,
        row_axis=Axis("head size"),
        column_axis=Axis("standard deviation of the logits"),
    ),
    Curves(
        title="Attention alone, layer upon layer",
        caption="log10 of the distance of all tokens from their mean.  Without a mask its logarithm triples with every "
        "layer (-40 stands for less); dashed: what plain float64 shows.  With a triangle it halves.",
        experiment="depth",
        x="layer",
        y="residual",
        reference="in_floats",
        reference_label="in float64",
        x_axis=Axis("layer"),
        y_axis=Axis("log10 of the residual"),
    ),
    Curves(
        title="Effective rank of all layers' product",
        experiment="depth",
        x="layer",
        y="product_rank",
        x_axis=Axis("layer"),
        y_axis=Axis("effective rank", log=True),
    ),
    Bars(
        title="Heads of trained models, each matrix with a triangle and without a mask",
        caption="Geometric means over layers, heads and held-out windows; the same logits in both.",
        experiment="trained",
        metric=("triangle", "open"),
        labels=("triangle", "no mask"),
        arms=trained.KINDS,
        axis=Axis("effective rank"),
    ),
    Bars(
        title="Heads of pretrained models",
        caption="As above, 512 tokens of WikiText-103; hub tier.",
        experiment="pretrained",
        metric="effective_rank",
        axis=Axis("effective rank"),
    ),
    Table(
        title="How much longer than a head is wide",
        caption="Context n and head size d of some models, and n / d.",
        experiment="exact",
        columns=(("lengths", "n"), ("head_sizes", "d"), ("ratios", "n / d")),
        rows=tuple(name for name, _, _ in exact.MODELS),
        digits=6,
    ),
)
