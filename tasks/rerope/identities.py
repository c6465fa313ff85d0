"""Experiment "identities": what ReRoPE is, in float64 and in fractions (i1 to i4)."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from suite.blocks.attention.two_step import TwoStep, bent, decoded, direct_scores, farthest, scores
from suite.blocks.positions.rope import frequencies, rotate
from suite.claims import Experiment, Tier
from suite.seeds import Seed

WIDTH, BASE = 32, 10_000.0
WINDOWS = (1, 8, 16, 24)
FACTORS = (math.inf, 16.0, 4.0, 1.0, 1 / 16)  # k; infinite: ReRoPE, below 1: the inverse


def cases() -> list[tuple[int, float]]:
    return [(w, k) for w in WINDOWS for k in FACTORS]


def apart(a: Tensor, b: Tensor) -> float:
    """The largest difference between entries j <= i of two score matrices."""
    return float((a - b).tril().abs().max())


def rope_scores(q: Tensor, k: Tensor, theta: Tensor, step: float = 1.0) -> Tensor:
    """a_ij of plain RoPE at positions 0, step, 2 step, ..."""
    place = torch.arange(q.shape[-2], dtype=torch.float64) * step
    return rotate(q, place, theta) @ rotate(k, place, theta).mT


def limits(q: Tensor, k: Tensor, theta: Tensor) -> list[float]:
    """Leaky with k = 1 and ReRoPE with w >= L against RoPE; Leaky with w = 0 against interpolation by 1 / k."""
    plain, length = rope_scores(q, k, theta), q.shape[-2]
    return [
        max(apart(scores(q, k, theta, w, 1.0), plain) for w in (0, *WINDOWS, length)),
        max(apart(scores(q, k, theta, w), plain) for w in (length, 2 * length)),
        max(apart(scores(q, k, theta, 0, by), rope_scores(q, k, theta, 1 / by)) for by in (2.0, 8.0, 16.0)),
    ]


def one_step(q: Tensor, keys: Tensor, window: float, factor: float, theta: Tensor, larger: bool) -> Tensor:
    """The last formula of post 9708: scores of query i with keys turned to max(j - i, (j - i + w) / k - w)."""
    behind = torch.arange(1 - keys.shape[-2], 1, dtype=torch.float64)
    both = behind, (behind + window) / factor - window
    return rotate(keys, torch.maximum(*both) if larger else torch.minimum(*both), theta) @ q


def decoding(q: Tensor, k: Tensor, v: Tensor, theta: Tensor) -> tuple[list[float], float]:
    """Error of one-step decoding against the matrix's last row, per case; that of the maximum where k < 1."""
    errors, wrong = [], math.inf
    for window, factor in cases():
        whole = TwoStep(frequencies=theta, window=window, k=factor)(q, k, v)
        row = scores(q, k, theta, window, factor)[0, 0, -1]
        formula = one_step(q[0, 0, -1], k[0, 0], window, factor, theta, larger=factor >= 1)
        found = decoded(q[..., -1, :], k, v, theta, window, factor)
        errors.append(max(float((found - whole[..., -1, :]).abs().max()), float((formula - row).abs().max())))
        if factor < 1:
            maximum = one_step(q[0, 0, -1], k[0, 0], window, factor, theta, larger=True)
            wrong = min(wrong, float((maximum - row).abs().max()))
    return errors, wrong


def positions() -> tuple[float, float]:
    """In fractions: how far g jumps at t = w, and how far its largest value lies from w + (L - 1 - w) / k."""
    jump = off = Fraction(0)
    for window in (0, 1, 16, 128, 256):
        for factor in (Fraction(1, 16), Fraction(1), Fraction(8), Fraction(16), Fraction(64)):
            outside = [window + (t - window) / factor for t in map(Fraction, range(window, window + 3))]
            jump = max(jump, abs(outside[0] - window), abs(outside[1] - outside[0] - 1 / factor))
            inside = Fraction(float(bent(torch.tensor(float(window)), window, float(factor))))
            jump = max(jump, abs(inside - window))
            for length in (window + 1, 512, 4096):
                if length > window:
                    largest = window + (length - 1 - window) / factor
                    off = max(off, abs(Fraction(farthest(length, window, float(factor))) - largest))
    return float(jump), float(off)


def measure(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Sequence[Any]]:
    found: dict[str, list[Any]] = {}
    theta = frequencies(WIDTH, BASE)
    for seed in seeds:
        stream = seed.stream("heads")
        q, k, v = torch.randn(3, 1, 2, tier["tokens"], WIDTH, generator=stream, dtype=torch.float64)
        errors, wrong = decoding(q, k, v, theta)
        jump, off = positions()
        row = {
            "two_matrices": [apart(scores(q, k, theta, w, f), direct_scores(q, k, theta, w, f)) for w, f in cases()],
            "limits": limits(q, k, theta),
            "decoding": errors,
            "maximum_is_off": wrong,
            "jump": jump,
            "largest_is_off": off,
        }
        for name, entry in row.items():
            found.setdefault(name, []).append(entry)
    return found


EXPERIMENT = Experiment(
    name="identities",
    measure=measure,
    tiers={name: Tier(seeds=1, sizes={"tokens": 48}) for name in ("smoke", "cpu", "gpu")},
)
