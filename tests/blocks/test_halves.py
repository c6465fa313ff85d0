"""The halves of a block a few models at a time against single operations over the whole stack."""

import pytest
import torch
from torch.autograd import grad, gradcheck, gradgradcheck

from suite.blocks.models import halves
from suite.blocks.models.halves import after_attention, after_by_operations, before_attention, before_by_operations
from suite.blocks.models.layers import Linear, RMSNorm
from suite.blocks.positions.packed import rotate, rotation
from suite.seeds import Seed

BATCH, LENGTH, WIDTH, HIDDEN, HEADS = 2, 4, 8, 16, 2
TURN = rotation(LENGTH + 3, WIDTH, HEADS)


def streams(models):
    return [Seed("test/r1", "verdict", row).stream("weights") for row in models]


def normal(models, name, dtype=torch.float32):
    rows = [
        torch.randn(BATCH, LENGTH, WIDTH, generator=Seed("test/r1", "verdict", r).stream(name), dtype=dtype)
        for r in models
    ]
    return torch.stack(rows).requires_grad_()


def norm(models, gain, dtype=torch.float32):
    found = RMSNorm(len(models), WIDTH, gain=gain)
    if found.gain is not None:
        with torch.no_grad():
            found.gain.copy_(torch.stack([1 + torch.rand(WIDTH, generator=s) for s in streams(models)]))
    return found.to(dtype)


def linear(models, inputs, outputs, dtype=torch.float32):
    return Linear(streams(models), inputs, outputs, std=0.5, bias=False).to(dtype)


def first_half(models, gain=True, turn=None, dtype=torch.float32):
    """The inputs that have gradients, and the half as a function of them, at once and by operations."""
    layers = (norm(models, gain, dtype), linear(models, WIDTH, 3 * WIDTH, dtype))
    inputs = [normal(models, "x", dtype), *(p for layer in layers for p in layer.parameters())]
    return (
        inputs,
        lambda: before_attention(inputs[0], *layers, turn),
        lambda: before_by_operations(inputs[0], *layers, turn),
    )


def second_half(models, gain=True, turn=None, dtype=torch.float32):
    del turn
    layers = (
        linear(models, WIDTH, WIDTH, dtype),
        norm(models, gain, dtype),
        linear(models, WIDTH, HIDDEN, dtype),
        linear(models, HIDDEN, WIDTH, dtype),
    )
    x, y = normal(models, "x", dtype), normal(models, "y", dtype)
    inputs = [x, y, *(p for layer in layers for p in layer.parameters())]
    return inputs, lambda: after_attention(x, y, *layers), lambda: after_by_operations(x, y, *layers)


CASES = [(first_half, None), (first_half, TURN[:LENGTH]), (first_half, TURN), (second_half, None)]


@pytest.mark.parametrize("gain", [True, False])
@pytest.mark.parametrize("chunk", [1, 400, 1 << 18])
@pytest.mark.parametrize(("half", "turn"), CASES)
def test_it_is_single_operations_bitwise(half, turn, chunk, gain, monkeypatch):
    monkeypatch.setattr(halves, "CHUNK", chunk)
    inputs, at_once, slowly = half(range(5), gain, turn)
    found, slow = at_once(), slowly()
    assert type(found.grad_fn.next_functions[0][0]).__name__ in ("_BeforeBackward", "_AfterBackward")
    assert torch.equal(found, slow)
    weight = torch.randn(found.shape, generator=streams([9])[0])
    for a, b in zip(grad(found, inputs, weight), grad(slow, inputs, weight), strict=True):
        assert torch.equal(a, b)
    with torch.no_grad():
        assert torch.equal(at_once(), slow)


@pytest.mark.parametrize(("half", "turn"), CASES)
def test_a_model_ignores_its_company(half, turn, monkeypatch):
    monkeypatch.setattr(halves, "CHUNK", 500)
    inputs, at_once, _ = half(range(5), turn=turn)
    together = at_once()
    gradients = grad(together.square().sum(), inputs)
    for rows in ([3], [4, 0], [2, 1, 3]):
        some, apart, _ = half(rows, turn=turn)
        found = apart()
        assert torch.equal(found, together[rows])
        for a, b in zip(grad(found.square().sum(), some), gradients, strict=True):
            assert torch.equal(a, b[rows])


@pytest.mark.parametrize("half", [first_half, second_half])
def test_its_gradients_are_right_to_the_second_order(half, monkeypatch):
    monkeypatch.setattr(halves, "CHUNK", 1)
    inputs, at_once, _ = half(range(2), dtype=torch.float64)
    assert gradcheck(lambda *_: at_once(), inputs)
    assert gradgradcheck(lambda *_: at_once(), inputs)


def test_turned_gradients_to_the_second_order():
    """Against the norm as a formula, which can be differentiated as often as one likes."""
    inputs, at_once, _ = first_half(range(2), turn=TURN)

    def by_formula():
        x, gain, weight = inputs
        y = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * gain.view(2, 1, 1, -1)
        return rotate(torch.bmm(y.flatten(1, 2), weight).view(*x.shape[:3], -1), TURN)

    twice = []
    for half in (at_once, by_formula):
        first = grad(half().square().sum(), inputs, create_graph=True)
        twice.append(grad(sum(g.square().sum() for g in first), inputs))
    for a, b in zip(*twice, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))


def test_what_is_frozen_has_no_gradient():
    inputs, at_once, _ = second_half(range(2))
    inputs[2].requires_grad_(False)
    assert len(grad(at_once().sum(), [tensor for tensor in inputs if tensor.requires_grad])) == len(inputs) - 1


def test_what_cannot_be_cut_is_not():
    x, layers = normal(range(2), "x"), (norm(range(2), True), linear(range(2), WIDTH, 3 * WIDTH))
    assert halves._in_chunks(x, layers[1])
    assert not halves._in_chunks(x.double(), layers[1])
    assert not halves._in_chunks(x, linear(range(2), WIDTH, 5))  # 40 numbers: no whole vectors
    assert not halves._in_chunks(x, Linear(streams(range(2)), WIDTH, 24, std=0.5))  # it has a bias
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert before_attention(x, *layers).dtype == torch.bfloat16
    seen = []
    layers[1].register_forward_hook(lambda *_: seen.append(1))
    before_attention(x, *layers)
    assert seen == [1]
