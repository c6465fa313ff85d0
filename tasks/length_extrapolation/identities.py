"""Experiment "identities": what the posts derive, to the last digits of float64 (i1 to i5), and the frequencies."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from suite.blocks.positions import scaling
from suite.blocks.positions.rope import frequencies, rotate
from suite.claims import Experiment, Tier
from suite.seeds import Seed

WIDTH, BASE, FACTOR, LENGTH = 64, 10_000.0, 8.0, 64
SHARES = (0.0, 0.25, 0.5, 0.625, 0.75, 0.9, 1.0)
PRINTED = ((2048, 0.131), (4096, 0.120))  # 1 / ln N of two training lengths, as printed


def off(found: Tensor, expected: Tensor) -> float:
    """The largest relative difference."""
    return float(((found - expected).abs() / expected.abs()).max())


def ntk_errors() -> dict[str, float]:
    """i1: every variant's lowest frequency against PI's, and the bases that two of them amount to."""
    theta, k, d = frequencies(WIDTH, BASE), FACTOR, WIDTH
    lowest = scaling.pi(theta, k)[-1:]
    variants = [scaling.ntk(theta, k), scaling.ntk_fixed(theta, k)]
    variants += [scaling.ntk_mixed(theta, k, b) for b in SHARES]
    return {
        "lowest_off": max(off(each[-1:], lowest) for each in variants),
        "base_old_off": off(scaling.ntk_old(theta, k), frequencies(d, BASE * k)),
        "base_off": off(scaling.ntk(theta, k), frequencies(d, BASE * k ** (d / (d - 2)))),
    }


def mixed_errors() -> dict[str, float]:
    """i2: the two ends of the family, and what its shares lambda_m of k have to fulfil."""
    theta, k = frequencies(WIDTH, BASE), FACTOR
    shares = [scaling.share(WIDTH // 2, k, b) for b in SHARES]
    whole = torch.tensor(k, dtype=torch.float64)
    rebuilt = [theta / share.cumprod(0) for share in shares]
    return {
        "is_fixed_off": off(scaling.ntk_mixed(theta, k, 1.0), scaling.ntk_fixed(theta, k)),
        "is_pi_off": off(scaling.ntk_mixed(theta, k, 0.0), scaling.pi(theta, k)),
        "rebuilt_off": max(off(scaling.ntk_mixed(theta, k, b), r) for b, r in zip(SHARES, rebuilt, strict=True)),
        "product_off": max(off(share.prod(), whole) for share in shares),
        "least_fall": min(float((share[:-1] - share[1:]).min()) for share in shares),
        "least_share": min(float(share.min()) for share in shares),
    }


def xpos(q: Tensor, k: Tensor, positions: Tensor, theta: Tensor, gamma: float = 0.4, scale: float = 512.0) -> Tensor:
    """Scores [T, T] of XPOS (arXiv:2212.10554): (R_m q_m zeta^(m / s))^T (R_n k_n zeta^(-n / s)).

    zeta_i = (i / (d/2) + gamma) / (1 + gamma) for pair i.
    """
    pairs = len(theta)
    zeta = (torch.arange(pairs, dtype=torch.float64) / pairs + gamma) / (1 + gamma)
    decay = (zeta.log() * positions.unsqueeze(-1) / scale).exp().repeat_interleave(2, dim=-1)
    return (rotate(q, positions, theta) * decay) @ (rotate(k, positions, theta) / decay).mT


def waves(positions: Tensor, theta: Tensor) -> Tensor:
    """Sinusoidal positions p_m [T, D]: cos(m theta_i), sin(m theta_i), side by side."""
    angle = positions.unsqueeze(-1) * theta
    return torch.stack((angle.cos(), angle.sin()), -1).flatten(-2)


def score_errors(seed: Seed) -> dict[str, float]:
    """i3: XPOS against itself further on; Sandwich as a concatenation, and as the bias that a = b = [root, 0, ...]
    adds to RoPE.
    """
    stream, theta, weight = seed.stream("scores"), frequencies(WIDTH, BASE), 0.3
    q, k = torch.randn(2, LENGTH, WIDTH, dtype=torch.float64, generator=stream)
    at = torch.arange(LENGTH, dtype=torch.float64)
    one = torch.randn(2, 1, WIDTH, dtype=torch.float64, generator=stream).expand(-1, LENGTH, -1)
    moved = [xpos(one[0], one[1], at + shift, theta) for shift in (0, 1, 777)]
    along = xpos(one[0], one[1], at, theta)
    size = float(moved[0].abs().max())
    p = waves(at, theta)
    sandwich = q @ k.mT + weight * p @ p.mT
    root = weight**0.5
    joined = torch.cat((q, root * p), -1) @ torch.cat((k, root * p), -1).mT
    a = torch.zeros(1, WIDTH, dtype=torch.float64)
    a[:, ::2] = root
    bias = rotate(a.expand(LENGTH, -1), at, theta) @ rotate(a.expand(LENGTH, -1), at, theta).mT
    return {
        "xpos_off": max(float((each - moved[0]).abs().max()) for each in moved) / size,
        "xpos_diagonal_off": float((along[1:, 1:] - along[:-1, :-1]).abs().max()) / size,
        "joined_off": float((joined - sandwich).abs().max()),
        "bias_off": float((bias - weight * p @ p.mT).abs().max()),
    }


def bias_errors(seed: Seed) -> dict[str, float]:
    """i4: how much a bias on the keys moves the attention, without RoPE and with it."""
    stream, theta = seed.stream("bias"), frequencies(WIDTH, BASE)
    q, k = torch.randn(2, LENGTH, WIDTH, dtype=torch.float64, generator=stream)
    bias, at = torch.randn(WIDTH, dtype=torch.float64, generator=stream), torch.arange(LENGTH)

    def attention(key: Tensor, turned: bool) -> Tensor:
        left, right = (rotate(x, at, theta) if turned else x for x in (q, key))
        return torch.softmax(left @ right.mT / WIDTH**0.5, -1)

    return {
        "bias_without_rope": float((attention(k + bias, False) - attention(k, False)).abs().max()),
        "bias_with_rope": float((attention(k + bias, True) - attention(k, True)).abs().max()),
    }


def measure(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Sequence[Any]]:
    theta, k = frequencies(WIDTH, BASE), FACTOR
    both = {
        "pi": scaling.pi(theta, k),
        "old": scaling.ntk_old(theta, k),
        "fixed": scaling.ntk_fixed(theta, k),
        "mixed": scaling.ntk_mixed(theta, k),
        "yarn": scaling.yarn(theta, k, 4096),
    }
    step = 1e-6  # (1 + 0.1 ln s)^2 grows by 0.2 per unit of ln s where s is 1
    yarns = ((1 + 0.1 * step) ** 2 - (1 - 0.1 * step) ** 2) / (2 * step)
    entries = [
        {
            **ntk_errors(),
            **mixed_errors(),
            **score_errors(seed),
            **bias_errors(seed),
            "yarn_coefficient": round(yarns, 9),
            "log_n_coefficient": [1 / math.log(n) for n, _ in PRINTED],
            "log_n_off": [round(1 / math.log(n), 3) - printed for n, printed in PRINTED],
            "pair": list(range(len(theta))),
            **{f"ratio_{name}": (each / theta).tolist() for name, each in both.items()},
        }
        for seed in seeds
    ]
    return {name: [entry[name] for entry in entries] for name in entries[0]}


EXPERIMENT = Experiment(
    name="identities",
    measure=measure,
    tiers={name: Tier(seeds=2) for name in ("smoke", "cpu", "gpu")},
)
