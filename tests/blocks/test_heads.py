"""Splitting heads off: views forwards, one pass backwards."""

import torch
from torch.autograd import grad, gradgradcheck

from suite.blocks.attention import heads as module
from suite.blocks.attention.biased import biased
from suite.blocks.attention.heads import split_heads
from suite.seeds import Seed

STREAM = Seed("test/r1", "verdict", 0)


def normal(*shape, name="x", dtype=torch.float32):
    return torch.randn(*shape, generator=STREAM.stream(name), dtype=dtype).requires_grad_()


def test_it_copies_nothing_and_its_gradient_is_that_of_views():
    qkv = normal(2, 3, 4, 24)
    found, slow = split_heads(qkv, 2), module._views(qkv, 2)
    weights = [normal(*part.shape, name=str(i)).detach() for i, part in enumerate(slow)]
    for a, b in zip(found, slow, strict=True):
        assert torch.equal(a, b)
        assert a.untyped_storage().data_ptr() == qkv.untyped_storage().data_ptr()
    assert torch.equal(grad(found, qkv, weights)[0], grad(slow, qkv, weights)[0])


def test_a_part_that_nobody_uses_has_zeros():
    qkv = normal(1, 1, 2, 12)
    (found,) = grad(split_heads(qkv, 1)[1].sum(), qkv)
    assert found[0, 0, 0].tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 4


def test_to_the_second_order():
    qkv = normal(1, 1, 2, 6, dtype=torch.float64)
    assert gradgradcheck(lambda x: sum(part.pow(3).sum() for part in split_heads(x, 1)), qkv)


def test_learned_biases_against_torch():
    """Value and gradients of every input, the bias included, for a stack of two models with three sequences each."""
    q, k, v = (normal(6, 2, 5, 4, name=name, dtype=torch.float64) for name in "qkv")
    free = normal(2, 2, 5, 5, name="bias", dtype=torch.float64)
    unseen = torch.ones(5, 5).tril().bool().logical_not()

    def ours():
        return biased(q, k, v, free.masked_fill(unseen, -torch.inf))

    def torchs():
        whole = free.masked_fill(unseen, -torch.inf).unsqueeze(1).expand(-1, 3, -1, -1, -1).flatten(0, 1)
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=whole)

    torch.testing.assert_close(ours(), torchs(), rtol=0, atol=1e-12)
    for a, b in zip(
        grad(ours().square().sum(), (q, k, v, free)), grad(torchs().square().sum(), (q, k, v, free)), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)
