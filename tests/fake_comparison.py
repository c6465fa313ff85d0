"""A made-up ledger of a trained, tuned, paired task, with every outcome among its claims."""

from typing import Any

import numpy as np

from tests.fake_comparison_card import BATCHES, DECAYS, RATES, SEEDS, comparison_card
from tests.fake_parts import TUNING_SEEDS, cells_of, composed, row_of, trial


def comparison() -> dict[str, Any]:
    draw = np.random.default_rng(7)
    card = comparison_card()
    claims = card["claims"]
    trials, losses = [], {}
    for b, batch in enumerate(BATCHES):
        base = draw.normal([0.32, 0.227, 0.1965][b], [0.012, 0.006, 0.004][b], SEEDS)
        gap = draw.normal([0.026, 0.010, 0.0035][b], [0.014, 0.0041, 0.008][b], SEEDS)
        for arm, values in (("adamw", base), ("lion", base + gap)):
            losses[arm, batch] = values
            for seed in range(SEEDS):
                steps = np.arange(0, 601, 20)
                curve = values[seed] * 0.7 + 2.1 * np.exp(-steps / (60 if arm == "adamw" else 85)) * np.exp(
                    draw.normal(0, 0.05, len(steps))
                )
                trials.append(
                    trial(
                        "digits",
                        arm,
                        {"batch": batch},
                        {"lr": RATES[arm][2], "decay": 0.1},
                        seed,
                        test_loss=values[seed],
                        train_steps=steps.tolist(),
                        train_curve=curve.tolist(),
                        state_per_weight=1 if arm == "lion" else 2,
                    )
                )
    edges = np.linspace(-1.2, 1.2, 25)
    for arm, spread, saturated in (("adamw", 0.06, 0.0), ("lion", 0.3, 0.11), ("tiger", 0.28, 0.09)):
        for seed in range(8):
            values = draw.normal(0, spread, 2000)
            lost = draw.random(2000) < saturated
            values[lost] = np.sign(values[lost])
            counts, _ = np.histogram(np.clip(values, -1, 1), bins=edges)
            trials.append(
                trial(
                    "embeddings",
                    arm,
                    {},
                    {},
                    seed,
                    rare_counts=counts.tolist(),
                    edges=edges.tolist(),
                    largest=float(min(abs(values).max(), 1.0)),
                )
            )
    for seed in range(8):
        trials.append(
            trial(
                "step-time",
                "only",
                {},
                {},
                seed,
                lion_ms=float(draw.normal(3.1, 0.1)),
                adamw_ms=float(draw.normal(4.2, 0.1)),
            )
        )
    gaps = {f"batch {b}": losses["lion", b] / losses["adamw", b] - 1 for b in BATCHES}
    rows = [
        row_of(
            claims[0],
            "refuted",
            cells_of(gaps, 1 - 0.05 / 3),
            p_raw=2.1e-6,
            p_holm=1.05e-5,
            sign_flip=3.05e-5,
            look={"number": 1, "of": [16]},
            quantity="relative paired gap of test_loss, lion against adamw (digits)",
            reason="2 of 3 cells lie wholly outside the claimed interval, so that 2 can no longer hold",
            experiments=["digits"],
        ),
        row_of(
            claims[1],
            "reproduced",
            [{"label": "", "low": 0.5, "high": 0.5, "estimate": 0.5, "n": 16}],
            quantity="value of state_ratio",
        ),
        row_of(
            claims[2],
            "reproduced",
            [{"label": "", "low": 0.71, "high": 0.77, "estimate": 0.74, "n": 8}],
            p_raw=1.2e-7,
            p_holm=7.2e-7,
            timed=True,
            quantity="ratio of lion_ms over adamw_ms (step-time)",
        ),
        row_of(
            claims[3],
            "inconclusive",
            [
                {"label": f"batch {b}", "low": low, "high": high, "estimate": mid, "n": 4}
                for b, low, mid, high in ((8, 2.4, 4.1, 7.0), (64, 3.3, 5.2, 8.1), (512, 0.8, 2.6, 8.6))
            ],
            p_raw=0.031,
            p_holm=0.093,
            more_seeds=22,
            edge=["lion at batch 512: its best lr, 0.02, is the largest of its grid"],
            reason="the interval at batch 512 crosses the claimed bound; about 22 tuning seeds would settle it",
            also=[
                {
                    "claimed": [None, 10.0],
                    "measured": [[2.4, 7.0], [3.3, 8.1], [0.8, 8.6]],
                    "cells": [
                        {"label": f"batch {b}", "low": low, "high": high, "estimate": mid, "n": 4}
                        for b, low, mid, high in ((8, 2.4, 4.1, 7.0), (64, 3.3, 5.2, 8.1), (512, 0.8, 2.6, 8.6))
                    ],
                    "needs": None,
                    "outcome": "reproduced",
                }
            ],
            quantity="ratio of the best lr, adamw over lion (digits)",
        ),
        row_of(
            claims[4],
            "reproduced",
            [{"label": "", "low": -0.0052, "high": -0.0026, "estimate": -0.0039, "n": 16}],
            p_raw=4.4e-5,
            p_holm=1.76e-4,
            sign_flip=3.05e-5,
            quantity="slope of test_loss, lion minus adamw, per doubling of batch (digits)",
        ),
        row_of(
            claims[5],
            "reproduced",
            [{"label": "", "low": 0.0, "high": 0.0, "estimate": 0.0, "n": 16}],
            quantity="value of trajectory_error",
        ),
        row_of(
            claims[6],
            "error",
            [],
            reason="lion, seeds 3 and 11: the loss under noise is NaN, so the pair cannot be formed",
        ),
        row_of(claims[7], None, [], reason=claims[7]["untested"]["*"]),
        row_of(
            claims[8],
            "reproduced",
            [
                {"label": "lion", "low": 1.0, "high": 1.0, "estimate": 1.0, "n": 8},
                {"label": "tiger", "low": 0.9996, "high": 1.0, "estimate": 0.9998, "n": 8},
            ],
            quantity="largest component times lambda",
        ),
        row_of(claims[9], None, [], reason=claims[9]["untested"]["cpu"]),
    ]
    choices = []
    for b, batch in enumerate(BATCHES):
        for arm in ("adamw", "lion"):
            table = []
            best = 4 if (arm, batch) == ("lion", 512) else 2
            for i, rate in enumerate(RATES[arm]):
                for decay in DECAYS:
                    for seed in range(TUNING_SEEDS):
                        value = [0.30, 0.22, 0.19][b] * (
                            1 + 0.09 * (i - best) ** 2 + (0.02 if decay == 1.0 else 0)
                        ) + draw.normal(0, 0.006)
                        table.append({"setting": {"lr": rate, "decay": decay}, "seed": seed, "value": float(value)})
            edge = ["lr"] if best == 4 else []
            choices.append(
                {
                    "experiment": "digits",
                    "arm": arm,
                    "at": {"batch": batch},
                    "chosen": {"lr": RATES[arm][best], "decay": 0.1},
                    "edge": edge,
                    "tuning": table,
                }
            )
    calibration = {
        "c1": {
            "worlds": 1000,
            "false_verdict_rate": 0.041,
            "false_verdict_rate_skewed": 0.048,
            "power": {"0.5": 0.31, "1.0": 0.88, "1.5": 0.991},
            "planted": "reproduced",
            "cells": 3,
            "seeds": 16,
        }
    }
    published = [
        {
            "what": "ViT-B/16 on ImageNet at batch 32 768, Lion",
            "value": 77.9,
            "where": "README of google/automl lion",
            "unit": "%",
            "note": "11 000 steps; not our workload",
            "ours": [],
            "estimate": None,
        },
        {
            "what": "learning rate of Lion against AdamW",
            "value": "3-10 times smaller",
            "where": "README of google/automl lion",
            "unit": "",
            "note": "",
            "ours": [[2.4, 7.0], [3.3, 8.1], [0.8, 8.6]],
            "estimate": 4.1,
        },
        {
            "what": "largest embedding component times lambda",
            "value": 1.0,
            "where": "kexue.fm/archives/9736, figure 1",
            "unit": "",
            "note": "Tiger, 7B model",
            "ours": [[0.9996, 1.0]],
            "inside": [True],
            "estimate": 0.9998,
        },
    ]
    return composed(card, rows, choices, trials, ["step-time"], calibration, published)
