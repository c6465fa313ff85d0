"""What to make of the outcomes; written after the verdicts."""

READINGS = {
    "cpu": {
        "c2": "The two forms stand within about three points of each other, and NTK-fixed is rather the lower one. "
        "The published rows differ by half a point, in one run each.",
        "c3": "Half of this accuracy is offsets, and they lose more than recall gains (c3_recall). The post's "
        "accuracy is that of a text, and it warns that b belongs to a model.",
        "c4_recall": "PI recalls about 40 points more than RoPE as it is: squeezed positions stay inside what was "
        "trained, and recall asks for little position. What PI ruins is neighbourhood (c4), on which texts lean.",
        "c4_mean": "The two halves of c4 go opposite ways, and recall moves further.",
        "c6": "Two trainings are two draws of what lies beyond N: the gaps vary from seed to seed by more than any "
        "effect of log n in training.",
        "c10_rope": "Every seed loses, but by anything from 12 to 51 points, which four seeds cannot average out.",
        "c12": "These networks hold to 1.7 N. The 10 to 20 % of the post are those of language models.",
        "c13": "Half is right near k = 8 alone. What is usable grows slowly, from 2.6 N at k = 2 to about 4.6 N at "
        "k = 16.",
        "c15": "If anything, biases lower these networks at 8 N. The author withdrew the claim in a note.",
    }
}
