"""Experiments "windows" and "leaky": accuracy at eight times N against the window w, and against w and k."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from tasks.rerope.networks import SCALES, SIZES, examined, row_by_row, stack, treated

# Windows over N; those of the published table are 1/8 (w64), 1/4, 1/2, 3/4 and 1 (w512).
SHARES = (1 / 16, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 3 / 4, 7 / 8, 63 / 64, 1.0)
TABLE = (1 / 8, 1 / 4, 1 / 2, 3 / 4)
LEAKY_SHARES = (1 / 8, 1 / 4, 1 / 2)
STEPS = ("Leaky 4", "Leaky 8", "Leaky 16", "Leaky 32", "ReRoPE")


def windows(seeds: Sequence[Seed], tier: Tier, *, scale: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """ReRoPE with every window; lists run over SHARES, those of the table over TABLE."""

    def one(some: list[Seed], by: str) -> dict[str, Tensor]:
        model = stack(some, tier, by)
        found = [examined(model, treated("ReRoPE", share, by, tier), some, tier) for share in SHARES]
        plain = examined(model, treated("RoPE", 0.0, by, tier), some, tier)["mean"]
        mean = {share: answer["mean"] for share, answer in zip(SHARES, found, strict=True)}
        middle = (mean[1 / 4] + mean[1 / 2]) / 2
        lists = {
            name: torch.stack([answer[name] for answer in found], 1) for name in ("mean", "recall", "local", "loss")
        }
        return {
            **lists,
            "table": torch.stack([mean[share] for share in TABLE], 1),
            "table_loss": torch.stack([found[SHARES.index(share)]["loss"] for share in TABLE], 1),
            "middle_less_others": torch.stack([middle - mean[share] for share in (1 / 8, 3 / 4, 1.0)], 1),
            "half_less_whole": mean[1 / 2] - mean[1.0],
            "whole_less_rope": mean[1.0] - plain,
            "rope": plain.unsqueeze(1).expand(-1, len(SHARES)),
        }

    return row_by_row(seeds, scale, one)


def leaky(seeds: Sequence[Seed], tier: Tier, *, scale: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """Leaky ReRoPE over windows and k, ReRoPE as the last k: ``mean`` is [w][k]."""

    def one(some: list[Seed], by: str) -> dict[str, Tensor]:
        model = stack(some, tier, by)
        rows = [
            torch.stack([examined(model, treated(m, share, by, tier), some, tier)["mean"] for m in STEPS], 1)
            for share in LEAKY_SHARES
        ]
        mean = torch.stack(rows, 1)  # [R, w, k]
        quarter = mean[:, LEAKY_SHARES.index(1 / 4)]
        at = {method: quarter[:, i] for i, method in enumerate(STEPS)}
        return {
            "mean": mean,
            "leaky_less_rerope": at["Leaky 16"] - at["ReRoPE"],
            "sixteen_less_eight": at["Leaky 16"] - at["Leaky 8"],
        }

    return row_by_row(seeds, scale, one)


def tiers(smoke: int, cpu: int) -> dict[str, Tier]:
    """Tokens per seed at smoke and cpu."""
    return {
        "smoke": Tier(seeds=8, sizes={**SIZES["smoke"], "tokens": smoke}),
        "cpu": Tier(seeds=8, stack=8, at_most=16, sizes={**SIZES["cpu"], "tokens": cpu}),
        "gpu": Tier(seeds=8, at_most=16, sizes={**SIZES["gpu"], "tokens": 32_768}),
    }


ARMS = tuple(Arm(scale, fixed={"scale": scale}) for scale in SCALES)
WINDOWS = Experiment(name="windows", measure=windows, arms=ARMS, columns=("scale",), tiers=tiers(1024, 4096))
LEAKY = Experiment(name="leaky", measure=leaky, arms=(ARMS[0], ARMS[2]), columns=("scale",), tiers=tiers(1024, 4096))
