"""ReRoPE and Leaky ReRoPE against a loop over pairs of tokens, and against what they become at their limits."""

import math

import pytest
import torch
from torch import Tensor

from suite.blocks.attention.two_step import (
    TwoStep,
    bent,
    decoded,
    direct_scores,
    farthest,
    reach,
    scores,
)
from suite.blocks.positions.rope import frequencies, rotate
from suite.seeds import Seed

LENGTH, WIDTH = 13, 6
THETA = frequencies(WIDTH, 50.0)
CASES = [(w, k) for w in (0, 1, 4, 12, 20) for k in (math.inf, 4.0, 1.0, 0.25)]


def drawn(*shape: int, name: str = "x") -> Tensor:
    return torch.randn(*shape, generator=Seed("two-step/r1", "verdict", 0).stream(name), dtype=torch.float64)


def heads(length: int = LENGTH) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v = (drawn(2, 3, length, WIDTH, name=name).requires_grad_() for name in "qkv")
    return q, k, v


def slowly(q: Tensor, k: Tensor, v: Tensor, window: float, factor: float) -> Tensor:
    """A double loop over tokens and a rotation matrix for every pair."""
    rows = []
    for i in range(q.shape[-2]):
        row = []
        for j in range(i + 1):
            t = i - j
            g = float(t) if t < window else window + (t - window) / factor
            total = torch.zeros(q.shape[:-2], dtype=torch.float64)
            for p, theta in enumerate(THETA.tolist()):
                c, s = math.cos(g * theta), math.sin(g * theta)
                x, y = q[..., i, 2 * p], q[..., i, 2 * p + 1]
                total = total + (c * x - s * y) * k[..., j, 2 * p] + (s * x + c * y) * k[..., j, 2 * p + 1]
            row.append(total / math.sqrt(WIDTH))
        weights = torch.stack(row, -1).softmax(-1)
        rows.append((weights.unsqueeze(-1) * v[..., : i + 1, :]).sum(-2))
    return torch.stack(rows, -2)


@pytest.mark.parametrize(("window", "factor"), CASES)
@pytest.mark.parametrize("direct", [False, True])
def test_values_and_gradients_are_those_of_the_double_loop(window: float, factor: float, direct: bool) -> None:
    inputs, weights = heads(), drawn(2, 3, LENGTH, WIDTH, name="weights")
    ours = TwoStep(frequencies=THETA, window=window, k=factor, direct=direct)(*inputs)
    slow = slowly(*inputs, window, factor)
    assert torch.allclose(ours, slow, rtol=0, atol=1e-12)
    for mine, theirs in zip(
        torch.autograd.grad((ours * weights).sum(), inputs),
        torch.autograd.grad((slow * weights).sum(), inputs),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, rtol=0, atol=1e-12)


def causal(a: Tensor) -> Tensor:
    return a.tril()


@pytest.mark.parametrize("window", [0, 1, 5, 13])
def test_limits(window: int) -> None:
    q, k, _ = (t.detach() for t in heads())
    place = torch.arange(LENGTH)
    plain = rotate(q, place, THETA) @ rotate(k, place, THETA).mT
    squeezed = rotate(q, place / 8, THETA) @ rotate(k, place / 8, THETA).mT
    assert torch.allclose(causal(scores(q, k, THETA, window, 1.0)), causal(plain), atol=1e-12)
    assert torch.allclose(causal(scores(q, k, THETA, LENGTH)), causal(plain), atol=1e-12)
    assert torch.allclose(causal(scores(q, k, THETA, 0, 8.0)), causal(squeezed), atol=1e-12)
    assert torch.allclose(causal(scores(q, k, THETA, window)), causal(direct_scores(q, k, THETA, window)), atol=1e-12)


@pytest.mark.parametrize(("window", "factor"), CASES)
def test_positions(window: float, factor: float) -> None:
    g = bent(torch.arange(100), window, factor)
    assert g.max() == g[-1] == farthest(100, window, factor)
    assert (g.diff() >= 0).all()
    inside = int(min(window, 99)) + 1
    assert torch.equal(g[:inside], torch.arange(inside, dtype=torch.float64))  # continuous at t = w: g(w) = w
    assert g[inside:].diff() == pytest.approx(1 / factor, abs=1e-12)


def test_reach_is_where_the_trained_range_ends() -> None:
    assert farthest(reach(64, 16, 8), 16, 8) == 64
    assert farthest(reach(64, 16, 8) - 1, 16, 8) < 64 < farthest(reach(64, 16, 8) + 1, 16, 8)


@pytest.mark.parametrize(("window", "factor"), CASES)
@pytest.mark.parametrize("length", [1, 5, LENGTH])
def test_decoding_one_query_gives_the_last_row(window: float, factor: float, length: int) -> None:
    q, k, v = (t.detach() for t in heads(length))
    whole = TwoStep(frequencies=THETA, window=window, k=factor)(q, k, v)
    found = decoded(q[..., -1, :], k, v, THETA, window, factor)
    assert torch.allclose(found, whole[..., -1, :], rtol=0, atol=1e-12)


def test_the_maximum_is_wrong_for_the_inverse() -> None:
    """With k < 1 positions outside rise faster than distances: the formula's max would undo them."""
    behind = torch.arange(-9, 1, dtype=torch.float64)
    bent_back = (behind + 3) / 0.25 - 3
    g = bent(-behind, 3, 0.25)
    assert torch.equal(-torch.minimum(behind, bent_back), g)
    assert not torch.equal(-torch.maximum(behind, bent_back), g)


def test_the_scale_multiplies_queries() -> None:
    q, k, v = (t.detach() for t in heads())
    factor = torch.arange(1, LENGTH + 1, dtype=torch.float64).log1p()
    ours = TwoStep(frequencies=THETA, window=4, scale=lambda n: n.log1p())(q, k, v)
    assert torch.allclose(ours, TwoStep(frequencies=THETA, window=4)(q * factor.unsqueeze(-1), k, v), atol=1e-12)
