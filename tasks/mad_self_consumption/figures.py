"""The page's figures, as data."""

from suite.figures import Axis, Bars, Curves, Forest, Table
from suite.figures.images import Images
from tasks.mad_self_consumption import real_data

GENERATION = Axis("generation")
OVER_N = Axis("generations over n", log=True)

FIGURES = (
    Images(
        title="Digits, generation by generation",
        caption="Samples of generations 1, 4, 7 and 10 on the cpu tier, one seed, the same random numbers in every "
        "block: what truncation (0.7), its absence and a floor on the variances make of them, and what real data do.",
        experiment="pictures",
        metric="pictures",
        rows=("first", "early", "late", "last"),
        high=15,
    ),
    *(
        Curves(
            title=title,
            caption=caption,
            experiment="alone",
            x="generation",
            y=metric,
            x_axis=GENERATION,
            y_axis=Axis(name, low=0.0, high=1.02),
            small=True,
        )
        for title, metric, name, caption in (
            (
                "Quality in the loop without real data",
                "precision",
                "precision",
                "Share of samples inside the manifold of held-out truth, k = 5.",
            ),
            (
                "Diversity in the same loop",
                "recall",
                "recall",
                "Share of held-out truth inside the manifold of samples, k = 5.",
            ),
        )
    ),
    *(
        Curves(
            title=title,
            caption=caption,
            experiment=experiment,
            x="generation",
            y=metric,
            x_axis=GENERATION,
            y_axis=axis,
        )
        for title, experiment, metric, axis, caption in (
            (
                "Other generators, synthetic data alone: recall",
                "generators",
                "recall",
                Axis("recall", low=0.0, high=1.02),
                "5 components lose diversity more slowly; a floor of 0.2 on the variances keeps it and loses quality.",
            ),
            (
                "Other generators, synthetic data alone: precision",
                "generators",
                "precision",
                Axis("precision", low=0.0, high=1.02),
                "The same two.",
            ),
            (
                "Four diets: distance of the mixture from the truth",
                "fed",
                "frechet",
                Axis("Frechet distance", log=True),
                "Twice as many synthetic points against real and synthetic ones in equal parts.",
            ),
            ("Four diets: recall", "fed", "recall", Axis("recall", low=0.0, high=1.02), "k = 5."),
            (
                "True images to begin with: recall",
                "true-images",
                "recall",
                Axis("recall", low=0.0, high=1.02),
                "Judged by images that the first generation has not seen.",
            ),
        )
    ),
    Bars(
        title="The truth against itself",
        caption="Precision and recall of fresh points of the density at the same numbers of points: the ceiling.",
        experiment="ceiling",
        metric=("precision", "recall"),
        axis=Axis("share"),
        small=True,
    ),
    Curves(
        title="The logarithm of the variance walks downwards without truncation",
        caption="d = 1, lambda = 1: mean and median of log S_t over the chains, and the formula's line.",
        experiment="walk",
        at={"d": 1},
        x="time",
        y=("mean", "median"),
        reference="line",
        reference_label="formula",
        x_axis=GENERATION,
        y_axis=Axis("log S"),
    ),
    Curves(
        title="How far the mean goes",
        caption="Median of |mu_t - mu_0| in units of sigma_0 at lambda = 1: it stops where Student's law has it, the "
        "post's normal law would go on.",
        experiment="law",
        x="time",
        y=("median", "post_median", "limit"),
        labels=("measured", "post's law", "Student's"),
        x_axis=OVER_N,
        y_axis=Axis("median distance", log=True),
    ),
    Curves(
        title="Distance of the law of the mean from two laws",
        caption="Largest gap between distribution functions, to N(mu_0, t / n) and to Student's t with 2 degrees of "
        "freedom.",
        experiment="law",
        x="time",
        y=("normal_distance", "student_distance"),
        labels=("post's law", "Student's"),
        x_axis=OVER_N,
        y_axis=Axis("largest gap"),
    ),
    Curves(
        title="Four diets: error of the Gaussian loop",
        caption="E of the squared Wasserstein distance, n = 100.  At lambda = 1 the fixed set ends at 4/3 of the first "
        "generation's error, the growing pool near pi^2 / 6, fresh data below it.",
        experiment="diets",
        x="generation",
        y="error",
        x_axis=GENERATION,
        y_axis=Axis("error", log=True),
    ),
    Curves(
        title="What real and synthetic data together are worth",
        caption="n_e / n_r of the fresh loop, n_r = 1000: above 1 synthetic data help.",
        experiment="admissible",
        x=real_data.SHARES,
        y="worth",
        by="lam",
        x_axis=Axis("synthetic over real", log=True),
        y_axis=Axis("n_e / n_r"),
        horizontal=((1, "no gain"),),
    ),
    Curves(
        title="Where synthetic data stop to help",
        caption="Relative excess error times n_r over n_s, n_r = 100 000, common random numbers: below 0 they help.",
        experiment="crossing",
        x=real_data.GRID,
        y="per_point",
        by="lam",
        x_axis=Axis("synthetic points", log=True),
        y_axis=Axis("excess per synthetic point", low=-2.0, high=2.0),
        horizontal=((0, "no gain"),),
    ),
    Table(
        title="The crossing by lambda",
        caption="Measured number of synthetic points, and over the formula's.",
        experiment="crossing",
        columns=(("crossing", "measured"), ("over_formula", "over formula")),
    ),
    Images(
        title="The flow on eight Gaussians, generation by generation",
        caption="Samples counted on a grid, one seed; generations 1, 3, 5 and 8 on the cpu tier.",
        experiment="flow-pictures",
        metric="pictures",
        rows=("first", "early", "late", "last"),
        high=15,
    ),
    *(
        Curves(
            title=f"The flow: {name}",
            caption=caption,
            experiment=experiment,
            x="generation",
            y=metric,
            x_axis=GENERATION,
            y_axis=Axis(name),
        )
        for experiment in ("flow", "flow-more")
        for metric, name, caption in (
            ("distance", "sliced Wasserstein distance", "To held-out points, 32 directions."),
            ("recall", "recall", "k = 5."),
            ("within", "spread within the modes", "The truth has 0.2: what lies above is the generator's own blur."),
        )
    ),
    Images(
        title="A convolutional flow on 28 x 28 digits",
        caption="Generations 1, 3 and 5, one seed, halved in size; gpu and hub tiers.",
        experiment="images",
        metric="pictures",
        rows=("1", "3", "5"),
        high=15,
    ),
    Curves(
        title="The convolutional flow: precision and recall",
        caption="gpu and hub tiers.",
        experiment="images",
        x="generation",
        y=("precision", "recall"),
        x_axis=GENERATION,
        y_axis=Axis("share", low=0.0, high=1.02),
    ),
    Forest(
        title="Precision and recall: last generation less the first",
        claims=("c1", "c1_any_k", "c1_generators", "c1_flow"),
    ),
)
