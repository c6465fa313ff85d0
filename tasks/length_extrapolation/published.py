"""The source's numbers beside ours: token accuracies of a language model there, shares of right answers here."""

from suite.claims import Published
from tasks.length_extrapolation.inference import DAGGER, LOG
from tasks.length_extrapolation.measured import of

TABLE = "post 9706, table; 100 million weights, 512 tokens, tested at 4096"
# arm: accuracy (%) at 4096, repeating and not
ACCURACY = {
    "RoPE": (24.17, 23.16),
    "RoPE" + LOG: (24.60, 24.02),
    "PI": (15.04, 13.54),
    "PI" + LOG: (14.99, 16.51),
    "NTK-old": (51.28, 39.27),
    "NTK-old" + LOG: (61.71, 43.75),
    "NTK-fixed": (51.86, 39.61),
    "NTK-fixed" + DAGGER: (55.94, 41.11),
    "NTK-fixed" + LOG: (62.85, 44.14),
    "NTK-mixed": (53.09, 40.12),
    "NTK-mixed" + DAGGER: (59.11, 42.38),
    "NTK-mixed" + LOG: (68.91, 45.41),
}
PUBLISHED = (
    *(
        Published(
            what=f"{arm}: repeating / plain text",
            value=f"{repeating:.2f} / {plain:.2f}",
            unit="%",
            where=TABLE,
            ours=of("mean", arm),
            note="ours: mean of recall and local accuracy at 8 N",
        )
        for arm, (repeating, plain) in ACCURACY.items()
    ),
    Published(what="HWFA: training length / repeating / plain", value="48.70 / 80.84 / 48.15", unit="%", where=TABLE),
    Published(
        what="RoPE without and with biases at 512, 1024, 2048, 4096",
        value="52.37, 33.15, 22.85, 17.87; 52.75, 50.99, 45.25, 39.55",
        unit="%",
        where="post 9577",
        note="the author later notes that it is hard to reproduce",
    ),
    Published(
        what="RoPE alone bears lengths beyond training", value="10 to 20 %", where="post 9431", note="ours: claim c12"
    ),
)
