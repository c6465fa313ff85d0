"""What to make of the outcomes; written after the verdicts."""

READINGS = {
    "cpu": {
        "c1_any_k": "Recall falls at every k. With 10 neighbours precision loses 4 to 7 points, on both sides of "
        "the margin of five.",
        "c1_generators": "What is lost depends on how a generator errs. Five components lose diversity more slowly; "
        "components that are kept wide keep their recall and lose two thirds of their precision instead.",
        "c1_flow": "The flow spreads beyond its modes: its recall stays and its precision falls, with truncation "
        "too, where precision was to hold.",
        "c5": "The variance of the equation is exact (c4), the normal law is not. Variances shrink along every "
        "single chain, so that the mean comes to rest: the median distance is about half of the normal law's after "
        "five times n generations.",
        "c5_growth": "It saturates at 0.8165 (i1): almost every chain stops near where it started, and the variance "
        "keeps growing through ever fewer, ever larger exceptions.",
        "c8": "Errors end a third above generation 1's and stay there: the exact factor is 4/3 (i2). Worse, yes; "
        "going on growing, no.",
        "c8_growing": "A plateau again, at about pi^2 / 6 (i3): the last third grows by less than one percent.",
        "c8_biased": "Truncation makes the plateau higher, twice the error of generation 1, and a plateau it is.",
        "c9_equal": "Fresh data do better than keep the level: the error falls to about two thirds, for every "
        "generation adds information.",
        "c9_flow": "Eight trainings of a flow scatter too much for a margin of a quarter.",
        "c11": "Synthetic data help a little at every lambda, but the gain is below 5 % from lambda = 0.8 "
        "downwards; a large amount hurts at all of them.",
        "c11_unbiased": "Without truncation ten times as many synthetic points are worth 1.9 times the real ones: "
        "what hurts is the bias, not the amount.",
        "c12": "All crossings lie within 2 % of the formula; what is short of proof is one cell without truncation, "
        "at ten times as many synthetic points.",
    }
}
