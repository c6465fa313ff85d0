"""Feed-forward layers a few models at a time against the whole stack at once: value, gradient, second gradient."""

import pytest
import torch

from suite.blocks.models import feed_forward as module
from suite.blocks.models.feed_forward import by_operations, feed_forward
from suite.seeds import Seed

STREAM = Seed("test/r1", "verdict", 0)


def normal(*shape, name, dtype=torch.float32):
    return torch.randn(*shape, generator=STREAM.stream(name), dtype=dtype)


def inputs(models=5, batch=2, length=4, width=6, hidden=24, dtype=torch.float32):
    return [
        normal(models, batch, length, width, name="x", dtype=dtype).requires_grad_(),
        normal(models, width, hidden, name="widen", dtype=dtype).requires_grad_(),
        normal(models, hidden, width, name="narrow", dtype=dtype).requires_grad_(),
    ]


@pytest.mark.parametrize("chunk", [1, 400, 900])
def test_it_is_the_whole_stack_at_once_bitwise(chunk, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", chunk)
    x, widen, narrow = tensors = inputs()
    assert module._in_chunks(x.flatten(1, -2), widen)
    weight = normal(*x.shape, name="gradient")
    found, slow = feed_forward(*tensors), by_operations(x.flatten(1, -2), widen, narrow).view(x.shape)
    assert torch.equal(found, slow)
    for a, b in zip(
        torch.autograd.grad(found, tensors, weight), torch.autograd.grad(slow, tensors, weight), strict=True
    ):
        assert torch.equal(a, b)


def test_a_model_ignores_its_company(monkeypatch):
    """Also where some are few enough to be done at once and others are not."""
    monkeypatch.setattr(module, "CHUNK", 500)
    tensors = inputs()
    together = feed_forward(*tensors)
    gradients = torch.autograd.grad(together.square().sum(), tensors)
    for rows in ([3], [4, 0], [2, 1, 3]):
        some = [tensor.detach()[rows].requires_grad_() for tensor in tensors]
        found = feed_forward(*some)
        assert torch.equal(found, together[rows])
        for a, b in zip(torch.autograd.grad(found.square().sum(), some), gradients, strict=True):
            assert torch.equal(a, b[rows])


def test_its_gradients_are_right_to_the_second_order(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 1)
    tensors = inputs(2, 1, 4, 2, 8, dtype=torch.float64)
    assert module._in_chunks(tensors[0].flatten(1, -2), tensors[1])
    assert torch.autograd.gradcheck(feed_forward, tensors)
    assert torch.autograd.gradgradcheck(feed_forward, tensors)


def test_what_cannot_be_cut_is_not(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 1)
    x, widen, _ = inputs(batch=1, length=3, hidden=5)
    assert not module._in_chunks(x.flatten(1, -2), widen)  # 15 numbers: no whole vectors
    x, widen, narrow = inputs()
    assert not module._in_chunks(x.flatten(1, -2).double(), widen)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert feed_forward(x, widen, narrow).dtype == torch.bfloat16
    frozen = widen.detach()
    assert len(torch.autograd.grad(feed_forward(x, frozen, narrow).sum(), [x, narrow])) == 2
