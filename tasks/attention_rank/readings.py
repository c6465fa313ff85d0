"""What to make of the outcomes; written after the verdicts."""

READINGS = {
    "cpu": {
        "c4": "Which mask comes out ahead turns with the logit scale, as the map shows: the causal one near uniform "
        "attention, the bidirectional one from a standard deviation of about 1 on.",
        "c4_trained": "Part of c4: most logit scales of trained models lie beyond the turn.",
        "c5": "The smallest singular value of a triangle is at most its smallest diagonal entry, and that falls "
        "with the logit scale.",
    }
}
