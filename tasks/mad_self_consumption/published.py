"""What the sources print, beside ours."""

import math

from suite.claims import Published
from suite.quantities import mean
from tasks.mad_self_consumption.measured import diet

PUBLISHED = (
    Published(
        what="generation at which a truncated model is visibly poorer", value=5, where="post, figures after the paper"
    ),
    Published(
        what="generation at which an untruncated model visibly deviates", value=7, where="post, figures after the paper"
    ),
    Published(
        what="error of a growing pool over that of generation 1",
        value=round(math.pi**2 / 6, 4),
        where="Dey and Donoho, title",
        ours=diet("ratio", "growing"),
        note="the limit; ours stops at the tier's last generation",
    ),
    Published(
        what="variance of mu_t over t / n at t = n / 2, n = 100, less 1",
        value=0.0,
        where="post, equation (2)",
        ours=mean("mean_error", experiment="moments", at={"n": 100, "d": 1}),
        note="t = 1, 20 and 50",
    ),
)
