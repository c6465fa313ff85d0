"""Stacked layers and models against single ones written as a textbook would, in value and in gradient."""

import itertools
import math
import warnings

import pytest
import torch
from torch.nn import functional as F

from suite.blocks.losses.cross_entropy import by_torch, cross_entropy
from suite.blocks.models.layers import Embedding, Linear, RMSNorm
from suite.blocks.models.mlp import mlp
from suite.blocks.models.transformer import transformer
from suite.blocks.positions.packed import rotate, rotation
from suite.seeds import Seed
from tests.naive_models import naive_rms_norm, naive_rotate, naive_transformer

SEEDS = [Seed("test/r1", "verdict", number) for number in range(3)]


def streams(rows=range(3), name="weights"):
    return [SEEDS[row].stream(name) for row in rows]


def normal(*shape, name="x", dtype=torch.float64):
    return torch.randn(*shape, generator=SEEDS[0].stream(name), dtype=dtype)


def close(a, b, tolerance=1e-12):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


# --- layers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(4,), (2, 5), (2, 3, 2)])
def test_linear_multiplies_each_model_by_its_own_matrix(bias, shape):
    layer = Linear(streams(), 6, 5, std=0.5, bias=bias).double()
    if bias:
        layer.bias.data.copy_(normal(3, 5, name="bias"))
    x = normal(3, *shape, 6).requires_grad_()
    y, weight = layer(x), normal(3, *shape, 5, name="gradient")
    (y * weight).sum().backward()
    for row in range(3):
        alone = x[row].detach().clone().requires_grad_()
        matrix = layer.weight[row].detach().clone().requires_grad_()
        expected = alone @ matrix + (layer.bias[row].detach() if bias else 0.0)
        close(y[row], expected)
        (expected * weight[row]).sum().backward()
        close(x.grad[row], alone.grad)
        close(layer.weight.grad[row], matrix.grad)
        if bias:
            close(layer.bias.grad[row], weight[row].flatten(0, -2).sum(0))


@pytest.mark.parametrize("size", [*itertools.product([1, 3, 16, 33], [1, 5, 32], [1, 4, 10, 33])], ids=str)
def test_linear_is_bitwise_the_same_alone_and_in_company(size):
    """Matrix-vector products too, which MKL computes on another path when there is just one of them."""
    batch, inputs, outputs = size

    def run(rows):
        layer = Linear(streams(rows), inputs, outputs, std=1.0)
        x = torch.stack([torch.randn(batch, inputs, generator=s) for s in streams(rows, "x")]).requires_grad_()
        y = layer(x)
        y.backward(torch.stack([torch.randn(batch, outputs, generator=s) for s in streams(rows, "gradient")]))
        return y.detach(), x.grad, layer.weight.grad, layer.bias.grad

    together = run([0, 1, 2])
    for rows in ([0], [2], [2, 1]):
        assert all(torch.equal(a, b[rows]) for a, b in zip(run(rows), together, strict=True))


@pytest.mark.parametrize("gain", [True, False])
def test_rms_norm_equals_its_formula(gain):
    layer = RMSNorm(3, 6, gain=gain).double()
    if gain:
        layer.gain.data.copy_(normal(3, 6, name="gain"))
    x, weight = normal(3, 2, 4, 6).requires_grad_(), normal(3, 2, 4, 6, name="gradient")
    y = layer(x)
    (y * weight).sum().backward()
    for row in range(3):
        alone = x[row].detach().clone().requires_grad_()
        own = layer.gain[row].detach().clone().requires_grad_() if gain else None
        expected = naive_rms_norm(alone, own)
        close(y[row], expected)
        (expected * weight[row]).sum().backward()
        close(x.grad[row], alone.grad)
        if gain:
            close(layer.gain.grad[row], own.grad)


def test_rms_norm_survives_zeros_and_passes_gradcheck():
    layer = RMSNorm(1, 4).double()
    x = torch.zeros(1, 2, 4, dtype=torch.float64, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert y.abs().max() == 0
    assert x.grad.isfinite().all()
    inputs = normal(1, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(layer, (inputs,))


@pytest.mark.parametrize("gain", [True, False])
def test_rms_norm_is_right_to_the_second_order(gain):
    layer = RMSNorm(2, 4, gain=gain).double()
    inputs = [normal(2, 3, 4).requires_grad_(), *layer.parameters()]
    assert torch.autograd.gradcheck(lambda x, *_: layer(x), inputs)
    assert torch.autograd.gradgradcheck(lambda x, *_: layer(x), inputs)


def test_rms_norm_equals_torchs():
    x = normal(3, 5, 8, dtype=torch.float32)
    close(RMSNorm(3, 8)(x), F.rms_norm(x, (8,), eps=1e-6), 1e-6)


def test_embedding_looks_up_each_models_own_table():
    layer = Embedding(streams(), 7, 4, std=1.0).double()
    tokens = torch.randint(7, (3, 2, 5), generator=SEEDS[0].stream("tokens"))
    weight = normal(3, 2, 5, 4, name="gradient")
    y = layer(tokens)
    (y * weight).sum().backward()
    for row in range(3):
        table = layer.weight[row].detach().clone().requires_grad_()
        expected = torch.stack([table[token] for token in tokens[row].flatten()]).view(2, 5, 4)
        close(y[row], expected)
        (expected * weight[row]).sum().backward()
        close(layer.weight.grad[row], table.grad)


def test_rotation_turns_pairs_by_their_angle():
    """Against cos and sin written out, in value and gradient; values (the last third) stay as they are."""
    width, heads = 8, 2
    qkv = normal(3, 5, 3 * width, dtype=torch.float32).requires_grad_()
    turned = rotate(qkv, rotation(6, width, heads))
    weight = normal(3, 5, 3 * width, name="gradient", dtype=torch.float32)
    (turned * weight).sum().backward()
    alone = qkv.detach().double().requires_grad_()
    parts = [naive_rotate(part) for part in alone[..., : 2 * width].chunk(2 * heads, -1)]
    expected = torch.cat([*parts, alone[..., 2 * width :]], -1)
    (expected * weight.double()).sum().backward()
    close(turned.double(), expected, 1e-6)
    close(qkv.grad.double(), alone.grad, 1e-6)
    assert torch.equal(turned[..., 2 * width :], qkv[..., 2 * width :])


def test_rotary_scores_depend_on_the_distance_alone():
    q, k = normal(1, 1, 8, dtype=torch.float32), normal(1, 1, 8, name="k", dtype=torch.float32)
    qkv = torch.cat([q.expand(1, 9, 8), k.expand(1, 9, 8), k.expand(1, 9, 8)], -1)
    turned = rotate(qkv, rotation(9, 8, 1))
    scores = turned[0, :, :8] @ turned[0, :, 8:16].T
    for distance in range(-8, 9):
        on_diagonal = scores.diagonal(distance)
        close(on_diagonal, on_diagonal[:1].expand_as(on_diagonal), 1e-5)


# --- the loss ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 10, 63, 64, 96])
def test_cross_entropy_is_the_mean_negative_log_likelihood(classes):
    logits = (3 * normal(3, 4, 5, classes)).requires_grad_()
    targets = torch.randint(classes, (3, 4, 5), generator=SEEDS[0].stream("targets"))
    found = cross_entropy(logits, targets)
    (found * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    for row in range(3):
        alone = logits[row].detach().clone().requires_grad_()
        picked = alone.log_softmax(-1).flatten(0, 1)[torch.arange(20), targets[row].flatten()]
        close(found[row], -picked.mean())
        (-(row + 1) * picked.mean()).backward()
        close(logits.grad[row], alone.grad)


@pytest.mark.parametrize("classes", [10, 96])
def test_cross_entropy_of_a_model_ignores_its_company(classes):
    logits = normal(3, 497, classes, dtype=torch.float32)
    targets = torch.randint(classes, (3, 497), generator=SEEDS[0].stream("targets"))
    together = cross_entropy(logits, targets)
    assert all(torch.equal(cross_entropy(logits[r : r + 1], targets[r : r + 1])[0], together[r]) for r in range(3))


@pytest.mark.parametrize("classes", [10, 96])
def test_cross_entropy_equals_torchs(classes):
    """Far from zero and in bfloat16 too, with gradients and without."""
    targets = torch.randint(classes, (3, 5), generator=SEEDS[0].stream("targets"))
    for scale, dtype in ((1.0, torch.float32), (1e4, torch.float32), (3.0, torch.bfloat16)):
        logits = (scale * normal(3, 5, classes)).to(dtype).requires_grad_()
        gradients = []
        for loss in (cross_entropy, by_torch):
            found = loss(logits, targets)
            gradients.append(torch.autograd.grad(found.sum(), logits)[0])
            close(found.float(), by_torch(logits.detach().float(), targets), 2e-6 if dtype == torch.float32 else 1e-2)
            assert torch.equal(loss(logits.detach(), targets), found)
        close(*gradients, 1e-6 if dtype == torch.float32 else 1e-2)


@pytest.mark.parametrize("classes", [3, 70])
def test_cross_entropy_can_be_differentiated_twice(classes):
    targets = torch.randint(classes, (2, 2), generator=SEEDS[0].stream("targets"))
    logits = normal(2, 2, classes).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: cross_entropy(z, targets), logits)
    assert torch.autograd.gradgradcheck(lambda z: cross_entropy(z, targets), logits)


def test_cross_entropy_of_a_lost_model_is_nan_and_stays_with_it():
    logits = normal(3, 5, 10, dtype=torch.float32)
    logits[1, 2, 3] = math.nan
    found = cross_entropy(logits, torch.zeros(3, 5, dtype=torch.int64))
    assert found.isnan().tolist() == [False, True, False]


# --- models -----------------------------------------------------------------------------------------


def build(rows=range(3), **options):
    settings = {"tied": False, "rope": True, "gain": True, **options}
    return transformer(11, 8, 2, 2, 7, streams(rows), **settings)


@pytest.mark.parametrize("options", [{}, {"tied": True}, {"rope": False}, {"gain": False}], ids=str)
@pytest.mark.parametrize("length", [7, 4])
def test_a_transformer_equals_its_naive_twin(options, length):
    stack = build(**options).double()
    tokens = torch.randint(11, (3, 2, length), generator=SEEDS[0].stream("tokens"))
    for parameter in stack.parameters():
        parameter.data.add_(0.1 * normal(*parameter.shape, name="jitter"))  # gains that are not all 1
    weight = normal(3, 2, length, 11, name="gradient")
    logits = stack(tokens)
    (logits * weight).sum().backward()
    found = {name: parameter.grad.clone() for name, parameter in stack.named_parameters()}
    stack.zero_grad()
    for row in range(3):
        expected = naive_transformer(stack, row, tokens[row], heads=2, depth=2)
        close(logits[row], expected, 2e-6)  # the angles of the positions are kept in float32
        (expected * weight[row]).sum().backward()
    for name, parameter in stack.named_parameters():
        close(found[name], parameter.grad, 2e-5)


def test_a_transformer_looks_only_back():
    stack = build()
    tokens = torch.randint(11, (3, 2, 7), generator=SEEDS[0].stream("tokens"))
    changed = tokens.clone()
    changed[..., 4] = (changed[..., 4] + 1) % 11
    one, other = stack(tokens), stack(changed)
    assert torch.equal(one[:, :, :4], other[:, :, :4])
    assert (one[:, :, 4:] != other[:, :, 4:]).any(-1).all()


def test_parameters_are_counted():
    def count(**options):
        return sum(p[0].numel() for p in transformer(96, 32, 2, 2, 32, streams(), **options).parameters())

    block = 32 * 96 + 32 * 32 + 2 * 32 * 128 + 2 * 32
    assert count() == 2 * 96 * 32 + 2 * block + 32
    assert count(tied=True) == count() - 96 * 32
    assert count(rope=False) == count() + 32 * 32 == 31_904
    assert count(gain=False) == count() - 5 * 32


@pytest.mark.parametrize("make", [lambda s: mlp([6, 5, 4], s), lambda s: transformer(11, 8, 2, 2, 7, s)])
def test_a_model_starts_the_same_in_any_company(make):
    together = dict(make(streams([0, 1, 2])).named_parameters())
    for rows in ([1], [2, 0]):
        for name, parameter in make(streams(rows)).named_parameters():
            assert torch.equal(parameter, together[name][rows]), name


def test_initial_weights_have_the_stated_spread():
    layers = mlp([400, 300, 200], streams()).layers
    for layer, expected in zip(layers, (math.sqrt(2 / 400), math.sqrt(1 / 300)), strict=True):
        assert float(layer.weight.detach().std()) == pytest.approx(expected, rel=0.02)
        assert layer.bias.abs().max() == 0
    block = transformer(50, 256, 2, 2, 8, streams()).blocks[0]
    for layer, expected in (
        (block.query_key_value, 1 / 16),
        (block.output, 1 / 32),
        (block.widen, 1 / 16),
        (block.narrow, 1 / 64),
    ):
        assert float(layer.weight.detach().std()) == pytest.approx(expected, rel=0.02)


def test_logits_start_at_unit_scale():
    stack = transformer(96, 64, 2, 4, 32, streams())
    tokens = torch.randint(96, (3, 4, 32), generator=SEEDS[0].stream("tokens"))
    assert stack(tokens).std((1, 2, 3)).tolist() == [pytest.approx(1.0, rel=0.1)] * 3


@pytest.mark.parametrize("activation", [F.relu, F.gelu, F.silu, torch.tanh], ids=lambda f: f.__name__)
def test_a_perceptron_equals_its_layers(activation):
    stack = mlp([6, 5, 4], streams(), activation).double()
    x = normal(3, 8, 6)
    for row in range(3):
        hidden = activation(x[row] @ stack.layers[0].weight[row] + stack.layers[0].bias[row])
        close(stack(x)[row], hidden @ stack.layers[1].weight[row] + stack.layers[1].bias[row])


def tried(model, x, weight, forward):
    """Logits and the gradients of x and of every parameter."""
    model.zero_grad()
    x = x.clone().requires_grad_()
    y = forward(x)
    y.backward(weight)
    return [y.detach(), x.grad, *(parameter.grad.clone() for parameter in model.parameters())]


@pytest.mark.parametrize("chunk", [1, 100, 1000])
@pytest.mark.parametrize("shape", [(9,), (3, 4)], ids=str)
def test_layers_run_as_one_bitwise(chunk, shape, monkeypatch):
    """One model, two or all at a time; frozen parameters and inputs that want no gradient; no gradients at all."""
    monkeypatch.setattr("suite.blocks.models.mlp.CHUNK", chunk)
    stack = mlp([6, 5, 7, 4], streams())
    for layer in stack.layers:
        layer.bias.data.copy_(normal(*layer.bias.shape, name="bias", dtype=torch.float32))
    x, weight = normal(3, *shape, 6, dtype=torch.float32), normal(3, *shape, 4, name="gradient", dtype=torch.float32)
    assert stack._in_one(x)
    for a, b in zip(tried(stack, x, weight, stack), tried(stack, x, weight, stack.by_layers), strict=True):
        assert torch.equal(a, b)
    stack.layers[0].weight.requires_grad_(False)
    stack.zero_grad()
    stack(x).sum().backward()
    assert stack.layers[0].weight.grad is None
    assert stack.layers[0].bias.grad is not None
    with torch.no_grad():
        assert torch.equal(stack(x), stack.by_layers(x))


def test_layers_run_one_by_one_where_somebody_looks():
    stack, x = mlp([6, 5, 4], streams()), normal(3, 9, 6, dtype=torch.float32)
    assert stack._in_one(x)
    seen = []
    handle = stack.layers[1].register_forward_hook(lambda layer, inputs, output: seen.append(output))
    stack(x)
    handle.remove()
    assert len(seen) == 1
    assert stack._in_one(x)
    assert not stack._in_one(x.double())
    assert not mlp([6, 5, 4], streams(), torch.tanh)._in_one(x)
    assert not mlp([6, 5, 1], streams())._in_one(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not stack._in_one(x)
        assert stack(x).dtype == torch.bfloat16


def test_layers_run_as_one_can_be_differentiated_twice(monkeypatch):
    monkeypatch.setattr("suite.blocks.models.mlp.CHUNK", 1)
    stack, x = mlp([4, 5, 3], streams()).double(), normal(3, 6, 4).requires_grad_()
    parameters = list(stack.parameters())
    found = []
    for forward in (stack, stack.by_layers):
        first = torch.autograd.grad(forward(x).square().sum(), [x, *parameters], create_graph=True)
        found.append(torch.autograd.grad(sum(g.square().sum() for g in first), [x, *parameters]))
    for a, b in zip(*found, strict=True):
        close(a, b)


def test_no_slow_fallback_is_taken():
    """Neither functorch's loop over attention nor anything else that torch warns about, forward and backward."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stack = build()
        tokens = torch.randint(11, (3, 2, 7), generator=SEEDS[0].stream("tokens"))
        with torch.profiler.profile() as profile:
            cross_entropy(stack(tokens), tokens).sum().backward()
    called = {event.key for event in profile.key_averages()}
    assert "aten::_scaled_dot_product_flash_attention_for_cpu" in called
    assert "aten::_scaled_dot_product_attention_math" not in called
    assert not any("vmap" in name or "batch_rule" in name for name in called)


@pytest.mark.parametrize("classes", [2, 3, 5, 10, 17, 63, 64, 70])
@pytest.mark.parametrize("size", [1, 3, 11])
def test_a_loss_ignores_its_company_at_odd_sizes(size, classes):
    """Bitwise, value and gradient: no number's rounding may depend on where in a vector it happens to lie."""
    logits = normal(5, size, classes, dtype=torch.float32).requires_grad_()
    targets = torch.randint(classes, (5, size), generator=SEEDS[0].stream("targets"))
    together = cross_entropy(logits, targets)
    gradient = torch.autograd.grad(together.sum(), logits)[0]
    for rows in ([0], [3], [4, 1], [2, 3, 0]):
        some = logits.detach()[rows].requires_grad_()
        found = cross_entropy(some, targets[rows])
        assert torch.equal(found, together[rows])
        assert torch.equal(torch.autograd.grad(found.sum(), some)[0], gradient[rows])


def test_rotation_in_real_arithmetic_is_the_rotation():
    qkv, turn = normal(3, 5, 24, dtype=torch.float32), rotation(6, 8, 2)
    close(rotate(qkv, torch.view_as_real(turn)), rotate(qkv, turn), 1e-6)
