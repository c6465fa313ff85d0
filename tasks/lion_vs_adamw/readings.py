"""What to make of the outcomes; written after the verdicts."""

READINGS = {
    "cpu": {
        "c3_fused": "Foreach goes over the numbers four times, a fused kernel once: two ways of writing a step are "
        "compared, not two optimizers.",
        "c4_tenfold": "The intervals are those of c4. The paper's later version speaks of three to ten times.",
        "c13_cost": "The warm-up saves AdamW more than it saves Lion here.",
        "c16_removed": "A single component beyond 0.9 / lambda, in one seed of one of the three, keeps it open.",
    }
}
