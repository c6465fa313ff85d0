"""Rotary positions against complex numbers one by one, in value and in gradient."""

import cmath
import math

import pytest
import torch

from suite.blocks.positions import packed
from suite.blocks.positions.rope import cosine_sum, frequencies, rotate
from suite.seeds import Seed

SEED = Seed("test/r1", "verdict", 0)


def normal(*shape, name="x", dtype=torch.float64):
    return torch.randn(*shape, generator=SEED.stream(name), dtype=dtype)


def naive_frequencies(width, base, rotated):
    return [base ** (-2 * i / rotated) if i < rotated // 2 else 0.0 for i in range(width // 2)]


def naive_rotate(x, positions, theta):
    """One complex number after the other; x is a nested list [T][D]."""
    rows = []
    for row, t in zip(x, positions, strict=True):
        turned = [complex(row[2 * i], row[2 * i + 1]) * cmath.exp(1j * t * theta[i]) for i in range(len(theta))]
        rows.append([part for z in turned for part in (z.real, z.imag)])
    return rows


@pytest.mark.parametrize("rotated", [0, 2, 6, 8])
def test_frequencies_one_by_one(rotated):
    found = frequencies(8, 500.0, rotated=rotated)
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx(naive_frequencies(8, 500.0, rotated or 1), rel=1e-15)
    assert torch.equal(frequencies(8, 500.0), frequencies(8, 500.0, rotated=8))


BAD = [(7, 10.0, None), (0, 10.0, None), (8, 0.0, None), (8, -1.0, None), (8, 10.0, 3), (8, 10.0, 10)]


@pytest.mark.parametrize(("width", "base", "rotated"), BAD)
def test_what_has_no_frequencies(width, base, rotated):
    with pytest.raises(ValueError, match=r"even|positive"):
        frequencies(width, base, rotated=rotated)


@pytest.mark.parametrize("positions", [[0, 1, 2, 3, 4], [7, 0, 1000, 3, 65_535], [0.5, 0.25, 1.75, -2.0, 1e6]])
@pytest.mark.parametrize("rotated", [4, 8])
def test_turns_like_complex_numbers_in_value_and_gradient(positions, rotated):
    theta = frequencies(8, 1e4, rotated=rotated)
    x, weight = normal(5, 8).requires_grad_(), normal(5, 8, name="weight")
    y = rotate(x, torch.tensor(positions), theta)
    (y * weight).sum().backward()
    assert y.tolist() == [pytest.approx(row, abs=1e-9) for row in naive_rotate(x.tolist(), positions, theta.tolist())]
    back = naive_rotate(weight.tolist(), [-t for t in positions], theta.tolist())  # the transpose turns back
    assert x.grad.tolist() == [pytest.approx(row, abs=1e-9) for row in back]


def test_gradients_by_differences():
    theta = frequencies(6, 100.0)
    x = normal(2, 3, 6).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: rotate(x, torch.arange(3), theta), (x,))


def test_positions_broadcast_and_types_stay():
    theta = frequencies(4, 100.0)
    x = normal(3, 2, 5, 4)
    positions = torch.tensor([[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]])
    both = rotate(x, positions, theta)
    for row in range(2):
        torch.testing.assert_close(both[:, row], rotate(x[:, row], positions[row], theta), rtol=0, atol=1e-14)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        low = rotate(x.to(dtype), positions, theta)
        assert low.dtype == dtype
        torch.testing.assert_close(low.double(), both, rtol=0, atol=4 * torch.finfo(dtype).eps * float(x.abs().max()))
    with pytest.raises(ValueError, match="4 numbers"):
        rotate(x, positions, frequencies(6, 100.0))


def test_strides_do_not_matter():
    theta, x = frequencies(4, 100.0), normal(4, 3, 5).permute(1, 2, 0)
    plain = rotate(x.contiguous(), torch.arange(5), theta)
    torch.testing.assert_close(rotate(x, torch.arange(5), theta), plain, rtol=0, atol=0)


def test_scores_depend_on_the_distance_alone():
    theta = frequencies(16, 1e4)
    q, k = normal(16), normal(16, name="k")
    m = torch.tensor([0, 3, 50, 4000])
    for shift in (0, 7, 100_000):
        scores = rotate(q.expand(4, 16), m + shift, theta) @ rotate(k, torch.tensor(shift), theta)
        torch.testing.assert_close(scores, rotate(q.expand(4, 16), m, theta) @ k, rtol=0, atol=1e-9)


def test_agrees_with_the_rotation_of_the_transformer():
    context, width, heads = 6, 8, 2
    turn = packed.rotation(context, width, heads, 50.0)
    qkv = normal(3, context, 3 * width, dtype=torch.float32)
    found = packed.rotate(qkv, turn).view(3, context, 3, heads, width // heads)
    theta = frequencies(width // heads, 50.0)
    parts = qkv.view(3, context, 3, heads, width // heads)
    for part in (0, 1):
        mine = rotate(parts[:, :, part].transpose(1, 2), torch.arange(context), theta).transpose(1, 2)
        torch.testing.assert_close(found[:, :, part], mine, rtol=0, atol=1e-6)
    torch.testing.assert_close(found[:, :, 2], parts[:, :, 2], rtol=0, atol=0)


@pytest.mark.parametrize("rotated", [64, 128])
def test_cosine_sums_one_by_one(rotated):
    distances = [0, 1, 17, 1706.5, 99_999]
    theta = frequencies(128, 1e4, rotated=rotated)
    found = cosine_sum(torch.tensor(distances), theta)
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx(
        [math.fsum(math.cos(m * t) for t in theta.tolist()) for m in distances], abs=1e-9
    )
    ones = rotate(torch.tensor([1.0, 0.0], dtype=torch.float64).repeat(5, 64), torch.tensor(distances), theta)
    assert ones[:, 0::2].sum(1).tolist() == pytest.approx(found.tolist(), abs=1e-9)
