"""Attention with one score matrix against loops over sequences, heads, queries and keys; values and gradients."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from suite.blocks.attention.protocol import Attention
from suite.blocks.attention.rotary import Alibi, KeyNorm, NoPositions, Rotary, slopes, visible
from suite.blocks.positions.log_scale import log_n, log_n_dagger
from suite.blocks.positions.rope import frequencies
from suite.seeds import Seed

N, H, T, D = 2, 3, 7, 8
THETA = frequencies(D, 50.0)


def drawn(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    stream = Seed("rotary-tests/r1", "verdict", 0).stream("qkv")
    q, k, v = torch.randn(3, N, H, T, D, generator=stream, dtype=torch.float64).to(dtype)
    return q, k, v


def score(q: Tensor, k: Tensor, m: float, n: float) -> Tensor:
    """q^T R_(n - m) k, pair by pair: the real part of q conj(k) exp(i (m - n) theta)."""
    total = torch.zeros((), dtype=torch.float64)
    for i, theta in enumerate(THETA.tolist()):
        a, b, c, d = q[2 * i], q[2 * i + 1], k[2 * i], k[2 * i + 1]
        angle = (m - n) * theta
        total = total + (a * c + b * d) * math.cos(angle) + (a * d - b * c) * math.sin(angle)
    return total


def naive(
    q: Tensor, k: Tensor, v: Tensor, logit: Callable[[int, int, int, int], Tensor], seen: Callable[[int, int], bool]
) -> Tensor:
    rows = []
    for n in range(N):
        for h in range(H):
            for i in range(T):
                keys = [j for j in range(T) if seen(i, j)]
                weights = torch.softmax(torch.stack([logit(n, h, i, j) for j in keys]), 0)
                rows.append(sum((w * v[n, h, j] for w, j in zip(weights, keys, strict=True)), torch.zeros(D)))
    return torch.stack(rows).view(N, H, T, D)


def causal(i: int, j: int) -> bool:
    return j <= i


ROOT = D**-0.5
PLACES = torch.tensor([0.0, 2.0, 3.0, 3.5, 9.0, 20.0, 21.0], dtype=torch.float64)
OWN = torch.stack((PLACES, PLACES + torch.arange(T) ** 2)).unsqueeze(1)  # [N, 1, T]
Factor = Callable[[int], float]
CASES: dict[str, tuple[Attention, Callable[..., Tensor], Callable[[int, int], bool]]] = {
    "rotary": (Rotary(THETA), lambda q, k, n, h, i, j: score(q, k, i, j) * ROOT, causal),
    "log n": (
        Rotary(THETA, log_n(4)),
        lambda q, k, n, h, i, j: score(q, k, i, j) * ROOT * math.log(i + 1) / math.log(4),
        causal,
    ),
    "window": (
        Rotary(THETA, log_n_dagger(4), window=3),
        lambda q, k, n, h, i, j: score(q, k, i, j) * ROOT * max(1.0, math.log(i + 1) / math.log(4)),
        lambda i, j: j <= i and i - j < 3,
    ),
    "sinks": (
        Rotary(THETA, window=2, sinks=2),
        lambda q, k, n, h, i, j: score(q, k, i, j) * ROOT,
        lambda i, j: j <= i and (i - j < 2 or j < 2),
    ),
    "positions": (
        Rotary(THETA, positions=PLACES),
        lambda q, k, n, h, i, j: score(q, k, float(PLACES[i]), float(PLACES[j])) * ROOT,
        causal,
    ),
    "own positions, both ways": (
        Rotary(THETA, positions=OWN, causal=False),
        lambda q, k, n, h, i, j: score(q, k, float(OWN[n, 0, i]), float(OWN[n, 0, j])) * ROOT,
        lambda i, j: True,
    ),
    "none": (NoPositions(), lambda q, k, n, h, i, j: q @ k * ROOT, causal),
    "none, window both ways": (
        NoPositions(window=2, causal=False),
        lambda q, k, n, h, i, j: q @ k * ROOT,
        lambda i, j: abs(i - j) < 2,
    ),
    "linear bias": (
        Alibi(log_n_dagger(4)),
        lambda q, k, n, h, i, j: (
            q @ k * ROOT * max(1.0, math.log(i + 1) / math.log(4)) - 2 ** (-8 * (h + 1) / H) * (i - j)
        ),
        causal,
    ),
    "linear bias, own positions": (
        Alibi(positions=OWN, causal=False),
        lambda q, k, n, h, i, j: q @ k * ROOT - 2 ** (-8 * (h + 1) / H) * float((OWN[n, 0, i] - OWN[n, 0, j]).abs()),
        lambda i, j: True,
    ),
    "normed keys": (KeyNorm(NoPositions()), lambda q, k, n, h, i, j: q @ k / k.norm(), causal),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient(name: str) -> None:
    attention, logit, seen = CASES[name]
    parts = [part.requires_grad_() for part in drawn()]
    q, k, v = parts
    fast = attention(q, k, v)
    slow = naive(q, k, v, lambda n, h, i, j: logit(q[n, h, i], k[n, h, j], n, h, i, j), seen)
    assert torch.allclose(fast, slow, atol=1e-12)
    weight = torch.linspace(-1, 1, fast.numel(), dtype=torch.float64).view_as(fast)
    for one, other in zip(
        torch.autograd.grad((fast * weight).sum(), parts),
        torch.autograd.grad((slow * weight).sum(), parts),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-12)


def test_what_is_visible() -> None:
    for window, sinks, both in ((None, 0, True), (3, 0, True), (3, 2, True), (2, 0, False), (None, 0, False)):
        found = visible(6, window=window, sinks=sinks, causal=both)
        for i in range(6):
            for j in range(6):
                near = window is None or abs(i - j) < window or j < sinks
                assert bool(found[i, j]) == (near and (j <= i or not both))


def test_a_window_of_all_is_none() -> None:
    q, k, v = drawn(torch.float32)
    assert torch.equal(Rotary(THETA, window=T)(q, k, v), Rotary(THETA)(q, k, v))


def test_far_apart_in_float32() -> None:
    """Positions of a million turn by angles taken in float64."""
    q, k, v = drawn(torch.float32)
    near, far = (Rotary(THETA, positions=torch.arange(T) + shift)(q, k, v) for shift in (0, 1_000_000))
    assert torch.allclose(near, far, atol=1e-5)


def test_slopes() -> None:
    assert slopes(8).tolist() == pytest.approx([2.0**-h for h in range(1, 9)])
