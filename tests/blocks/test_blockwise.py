"""The blockwise form against the two-matrix one, in value and gradient, and the count of its scores."""

import math

import pytest
import torch
from torch import Tensor

from suite.blocks.attention.blockwise import Blockwise, tiles
from suite.blocks.attention.two_step import TwoStep
from suite.blocks.positions.rope import frequencies
from suite.seeds import Seed

WIDTH = 6
THETA = frequencies(WIDTH, 50.0)


def heads(length: int, kind: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    seed = Seed("blockwise/r1", "verdict", length)
    q, k, v, weights = (torch.randn(2, 3, length, WIDTH, generator=seed.stream(n), dtype=kind) for n in "qkvw")
    return q.requires_grad_(), k.requires_grad_(), v.requires_grad_(), weights


@pytest.mark.parametrize("tile", [1, 3, 4, 8, 64])
@pytest.mark.parametrize("factor", [math.inf, 3.0, 0.5])
@pytest.mark.parametrize(("length", "window"), [(1, 2), (17, 0), (17, 1), (17, 4), (17, 7), (17, 16), (17, 30)])
def test_values_and_gradients_are_those_of_two_matrices(length: int, window: int, factor: float, tile: int) -> None:
    *inputs, weights = heads(length)
    ours = Blockwise(frequencies=THETA, window=window, k=factor, tile=tile)(*inputs)
    whole = TwoStep(frequencies=THETA, window=window, k=factor)(*inputs)
    assert torch.allclose(ours, whole, rtol=0, atol=1e-12)
    for mine, theirs in zip(
        torch.autograd.grad((ours * weights).sum(), inputs),
        torch.autograd.grad((whole * weights).sum(), inputs),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, rtol=0, atol=1e-12)


def test_gradients_against_finite_differences() -> None:
    *inputs, _ = heads(7)
    form = Blockwise(frequencies=THETA, window=3, k=2.0, scale=lambda n: n.log1p(), tile=2)
    assert torch.autograd.gradcheck(form, tuple(inputs))


@pytest.mark.parametrize(("length", "window", "tile"), [(40, 8, 4), (40, 8, 16), (33, 0, 8), (33, 40, 8)])
def test_every_score_once_but_for_a_strip(length: int, window: int, tile: int) -> None:
    """The stretches join, agree with the window, and only the mixed one is computed twice."""
    twice = 0
    for piece in tiles(length, window, tile):
        assert 0 <= piece.far <= piece.mixed <= piece.last
        for i in range(piece.first, piece.last):
            assert all(i - j >= window for j in range(min(piece.far, i + 1)))
            assert all(i - j < window for j in range(piece.mixed, i + 1))
        twice += (piece.last - piece.first) * (piece.mixed - piece.far)
    assert twice <= length * tile


def test_single_and_half_precision_stay_near_double() -> None:
    *inputs, _ = heads(50)
    exact = TwoStep(frequencies=THETA, window=8)(*inputs)
    for kind, error in ((torch.float32, 1e-5), (torch.bfloat16, 5e-2)):
        found = Blockwise(frequencies=THETA, window=8, tile=16)(*(t.detach().to(kind) for t in inputs))
        assert found.dtype == kind
        assert (found.double() - exact).abs().max() < error


def test_views_are_taken_as_they_come() -> None:
    """Heads are split off by a permutation in every model: nothing relies on contiguous memory."""
    *inputs, _ = heads(12)
    form = Blockwise(frequencies=THETA, window=4, tile=5)
    strided = [t.detach().transpose(1, 2).contiguous().transpose(1, 2) for t in inputs]
    assert torch.equal(form(*strided), form(*(t.detach() for t in inputs)))


def test_odd_windows_are_errors() -> None:
    with pytest.raises(ValueError, match="whole"):
        Blockwise(frequencies=THETA, window=2.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1"):
        Blockwise(frequencies=THETA, window=2, tile=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_the_device() -> None:
    *inputs, _ = heads(50)
    exact = Blockwise(frequencies=THETA, window=8, tile=16)(*inputs)
    found = Blockwise(frequencies=THETA, window=8, tile=16)(*(t.detach().cuda() for t in inputs))
    assert torch.allclose(found.cpu(), exact, atol=1e-10)
