"""What to make of the outcomes; written after the verdicts."""

READINGS = {
    "cpu": {
        "c1": "Close to the ceiling the two losses are about equal, as in the post, whose encoders are pretrained "
        "and trained to the end. With weak embeddings CoSENT is ahead by 1.5 points and more, on swapped and on "
        "rare pairs. So the equality is one of saturation.",
        "c1_saturated": "No difference shows, but three cells at once, each to within one point, ask for a few more "
        "seeds.",
        "c1_unsaturated": "CoSENT is ahead by 2 to 5 points on swapped pairs and by 2 to 7 on rare positives, after "
        "both losses were tuned over the same rates for the same steps. Whether cross-entropy would catch up with "
        "many more steps is not decided here.",
        "c1_accuracy": "As for Spearman's correlation: 3 to 6 points on swapped pairs.",
        "c2": "The difference is positive, 0.4 to 3.3 points; it falls short only beside the other claims of the page.",
        "c3": "Ahead in all three cells, and clearly so in two: the first, replaced pairs, has the smallest "
        "difference.",
        "c7_better": "The gain is real in size, 0.04 to 0.6 points, and falls short only beside the other claims of "
        "the page.",
        "c9": "Here Sentence-BERT's head is the better one by 2 to 7 points: hard negatives share most of their "
        "words, and |u - v| is made for that. The post's gain is that of pretrained encoders.",
        "c9_faster": "The area under the validation curve goes the same way as c9.",
        "c10_random": "On random negatives the two are equal to within half a point.",
        "c11_any": "A symmetric matrix of similarities need not be positive semidefinite: [[1, 1, 0], [1, 1, 1], "
        "[0, 1, 1]] has the eigenvalue 1 - sqrt(2).",
        "i1": "Two tasks hold; rare positives scatter more, because few pairs decide.",
    }
}
