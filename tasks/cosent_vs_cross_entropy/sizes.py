"""How many pairs of how large a language the tiers take; each experiment adds its steps.

At smoke the experiments differ: each takes what it needs to tell its arms apart within seconds.
"""

CPU = {"concepts": 24, "synonyms": 3, "pairs": 30_000, "validation": 1000, "test": 1500, "batch": 32, "hidden": 64}
GPU = {**CPU, "concepts": 240, "pairs": 300_000, "validation": 4000, "test": 8000, "hidden": 384}
SMOKE = {**CPU, "concepts": 16, "pairs": 800, "validation": 200, "test": 400, "hidden": 16}
