"""What to make of the outcomes; written after the verdicts."""

READINGS = {
    "cpu": {
        "c1_denoise": "The two are equal to the precision of eight seeds, about 3 %, in a task where both sides of "
        "a hole could help.",
        "c1_sort": "No difference shows, but the margin is 0.005 nats of a small loss, and the seeds scatter by more.",
        "c1_count": "UniLM is worse here, by 3 to 48 %, but when the circuit forms is luck of the seed; eight seeds "
        "do not bear it against so many other claims.",
        "c2": "The counting task is the candidate: c1_count. With four tasks tried at once its interval is too wide.",
        "c3": "Separate weights lower the loss under either mask, by 1.5 to 9 hundredths of a nat; the mask changes "
        "nothing with separate weights, and with shared weights its interval misses the margin of 1 % by a tenth "
        "of a percent.",
        "c4": "The wide decoder, with as many weights as the separate ones, does not beat them: both arms with "
        "separate weights lie 0.3 to 4.6 % below it. That is half of the claim; the margin leaves it open.",
        "c4_cost": "With twice the weights at the same cost the encoder-decoder is 1 to 3.4 % better: what c3 says "
        "in other words. One claim of many at this confidence.",
        "c7_later": "The lead is drawn on from the last quarter of a short training. It seems to last; a longer run "
        "would tell.",
        "c8": "Both predictions of the rank account fail. Triangles under a random order, of the same rank as the "
        "mixed ones, are worse than no mask; dense heads that only start with a liking for one side gain about as "
        "much as the triangles. What helps is direction.",
        "c8_order": "By 9 to 16 hundredths of a nat.",
        "c8_soft": "They gain 7 to 16 hundredths of a nat, where the triangles of c5 gain 12 to 20.",
        "c8_parameters": "If the two biases per head gain anything from 0, it is 1 to 3 hundredths: a small part of "
        "c8_soft.",
        "c13": "There is no sign of it: the change is within 1.2 %, on either side of none.",
    }
}
