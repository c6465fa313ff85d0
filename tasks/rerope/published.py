"""What the posts print: accuracies in per cent at 4096 tokens after training at 512, and losses of llama2-13b."""

from suite.claims import Published
from suite.quantities import mean
from tasks.rerope.eightfold import named

OURS = "100 M weights and text there; ours: mean of recall and offsets, in per cent, of small networks"
TABLE = "post 9708, table of the 24-layer GAU"

# (method, scale): accuracy on repeated and on plain text.
METHODS = {
    ("RoPE", "none"): (24.17, 23.16),
    ("RoPE", "trained"): (24.60, 24.02),
    ("NTK-mixed", "none"): (53.09, 40.12),
    ("NTK-mixed", "test"): (59.11, 42.38),
    ("NTK-mixed", "trained"): (68.91, 45.41),
    ("ReRoPE", "none"): (77.90, 48.48),
    ("ReRoPE", "test"): (82.40, 48.85),
    ("ReRoPE", "trained"): (85.12, 49.07),
}
# Window: none, log n at the test, log n in training, each repeated | plain.
WINDOWS = {
    "w64": ("69.39 | 45.19", "78.58 | 47.42", "84.38 | 48.14"),
    "w128": ("76.11 | 47.82", "82.28 | 48.78", "85.47 | 48.87"),
    "w256": ("77.90 | 48.48", "82.40 | 48.85", "85.12 | 49.07"),
    "w384": ("70.72 | 48.15", "76.42 | 48.31", "83.24 | 48.62"),
    "w512": ("7.09 | 8.25", "7.08 | 8.25", "15.84 | 10.83"),
}
LEAKY = {
    "w128": "k64 85.29 | 48.96, k32 85.31 | 49.03, k16 85.15 | 49.10, k8 80.00 | 48.11",
    "w256": "k64 84.60 | 49.03, k32 84.30 | 48.97, k16 83.59 | 48.87, k8 69.80 | 45.72",
}
INVERSE = {"HWFA": "80.84 | 48.15", "inverse, w128": "82.25 | 48.32", "inverse, w128, base 80000": "81.15 | 48.85"}
HYBRIDS = {
    "w32, 1 full": "83.13 | 49.34",
    "w64, 1 full": "82.41 | 49.37",
    "w128, 1 full": "80.18 | 48.99",
    "w256, 1 full": "54.94 | 47.64",
    "w32, 2 full": "84.09 | 49.35",
    "w64, 2 full": "84.43 | 49.36",
    "w128, 2 full": "83.09 | 48.97",
    "w256, 2 full": "75.24 | 48.42",
}
LOSSES = {"RoPE": "1.4967, 8.8615", "NTK": "1.6081, 1.5417, 1.5163", "ReRoPE": "1.4996, 1.4267, 1.4001"}

PUBLISHED = (
    *(
        Published(
            what=f"{named(*arm)}, repeated text",
            value=repeated,
            where=TABLE,
            unit="%",
            ours=mean("percent", named(*arm), experiment="eightfold"),
            note=OURS,
        )
        for arm, (repeated, _) in METHODS.items()
    ),
    *(
        Published(what=f"{named(*arm)}, plain text", value=plain, where=TABLE, unit="%")
        for arm, (_, plain) in METHODS.items()
    ),
    *(
        Published(what=f"ReRoPE {w}, {scale}, repeated | plain", value=value, where=TABLE, unit="%")
        for w, values in WINDOWS.items()
        for scale, value in zip(("no log n", "log n at test", "log n"), values, strict=True)
    ),
    *(
        Published(what=f"Leaky ReRoPE {w}, log n, repeated | plain", value=value, where=TABLE, unit="%")
        for w, value in LEAKY.items()
    ),
    *(
        Published(what=f"{name}, log n, repeated | plain", value=value, where="post 9728", unit="%")
        for name, value in INVERSE.items()
    ),
    *(
        Published(what=f"HWFA with ReRoPE, {name}, repeated | plain", value=value, where="post 9731", unit="%")
        for name, value in HYBRIDS.items()
    ),
    *(
        Published(
            what=f"{name}: loss of llama2-13b at 4k, 8k, 16k",
            value=value,
            where="post 9708; ReRoPE is w1024",
            unit="nats",
        )
        for name, value in LOSSES.items()
    ),
    Published(what="1000 training steps, RoPE and inverse Leaky ReRoPE", value="330, 350", where="post 9728", unit="s"),
)
