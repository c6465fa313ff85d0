"""What to make of the outcomes; written after the verdicts."""

READINGS = {
    "cpu": {
        "c1b": "Without log n ReRoPE leads YaRN by 1.5 to 9 points; with log n both answer nearly everything, and "
        "the lead cannot be told from none.",
        "c3": "With log n on either side nearly everything is answered, so that losses close to 0 are compared; no "
        "order of the two shows. That log n at the test helps is c3_test.",
        "c4": "Windows of N/8 and of N are worse, windows of 3N/4 are as good as those of N/4 and N/2.",
        "c4_whole": "Without log n a window of N costs 8 to 12 points; with it both windows answer nearly everything.",
        "c4b": "The published collapse, 7.09 against 24.17 %, does not show in these networks: a window of N stays "
        "at least 26 points above plain RoPE.",
        "c5_plain": "Leaky ReRoPE at k = 16 is not within a point of ReRoPE, but it errs on the better side.",
        "c8": "Better than RoPE by at least 33 points. Whether it is worse than ReRoPE is open, for both answer "
        "nearly everything with log n.",
        "c10_tenth": "Small networks of two heads spend more of a step in attention than the post's gated units do.",
        "c10_fused": "Block by block in plain torch operations against one fused kernel, at lengths of 64 and 512, "
        "where computing every score once does not pay yet.",
        "c13": "A network trained with ReRoPE throughout extrapolates as well as one that was trained with RoPE: "
        "recall and three offsets can be learned from clipped positions. The post speaks of language models.",
    }
}
