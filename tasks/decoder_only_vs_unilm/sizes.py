"""How large everything is, tier by tier; an experiment overrides what it must.

width, heads, depth  of the networks; ``wide``: width and feed-forward width of one with separate weights' number of
                     weights
steps, tuning_steps  of a training that judges, and of one that only tunes
"""

RATES = (0.003, 0.01, 0.03, 0.1)

_TEXT = {"source": "standard library", "folder": "", "precision": "fp32", "characters": 1_500_000}
SMALLEST = {
    **_TEXT,
    "characters": 100_000,
    "width": 16,
    "wide": (24, 64),
    "heads": 2,
    "depth": 2,
    "batch": 8,
    "held_out": 32,
    "tuning_steps": 24,
}
SMALL = {
    **_TEXT,
    "width": 32,
    "wide": (48, 144),
    "heads": 4,
    "depth": 2,
    "batch": 12,
    "held_out": 256,
    "tuning_steps": 64,
}
LARGE = {
    **_TEXT,
    "precision": "bf16",
    "characters": 4_000_000,
    "width": 256,
    "wide": (384, 1275),
    "heads": 4,
    "depth": 6,
    "batch": 32,
    "held_out": 256,
    "tuning_steps": 100,
    "steps": 400,
}
