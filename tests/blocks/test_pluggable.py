"""The pluggable stack against one model at a time in plain torch, and against its own company."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from suite.blocks.attention.rotary import Alibi, NoPositions, Rotary
from suite.blocks.models.layers import RMSNorm
from suite.blocks.models.pluggable import Pluggable, PluggableBlock, pluggable
from suite.blocks.models.transformer import transformer
from suite.blocks.positions.rope import frequencies
from suite.seeds import Seed

VOCAB, WIDTH, HEADS, LENGTH = 11, 16, 2, 9
ATTENTION = [Rotary(frequencies(WIDTH // HEADS, 1e4), window=4), NoPositions()]


def stack(numbers: list[int], *, biases: bool = False) -> Pluggable:
    streams = [Seed("pluggable-tests/r1", "verdict", n).stream("weights") for n in numbers]
    return pluggable(VOCAB, WIDTH, 2, HEADS, streams, outputs=5, widening=2, biases=biases)


def tokens(models: int) -> Tensor:
    stream = Seed("pluggable-tests/r1", "verdict", 0).stream("tokens")
    return torch.randint(VOCAB, (1, 3, LENGTH), generator=stream).expand(models, -1, -1)


def one_model(model: Pluggable, row: int, sequence: Tensor) -> Tensor:
    """One model on one sequence [T], written out."""

    def norm(x: Tensor, layer: RMSNorm) -> Tensor:
        assert layer.gain is not None
        return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * layer.gain[row]

    x = model.embedding.weight[row][sequence]
    for block, attention in zip(model.blocks, ATTENTION, strict=True):
        assert isinstance(block, PluggableBlock)
        qkv = norm(x, block.attention_norm) @ block.query_key_value.weight[row]
        q, k, v = qkv.split(WIDTH, -1)
        if block.query_key_bias is not None:
            q, k = q + block.query_key_bias[row, :WIDTH], k + block.query_key_bias[row, WIDTH:]
        q, k, v = (part.view(LENGTH, HEADS, -1).transpose(0, 1).unsqueeze(0) for part in (q, k, v))
        x = x + attention(q, k, v)[0].transpose(0, 1).reshape(LENGTH, WIDTH) @ block.output.weight[row]
        hidden = F.gelu(norm(x, block.feed_forward_norm) @ block.widen.weight[row])
        x = x + hidden @ block.narrow.weight[row]
    return norm(x, model.norm) @ model.head.weight[row]


@pytest.mark.parametrize("biases", [False, True])
def test_value_and_gradient_of_every_model(biases: bool) -> None:
    model = stack([0, 1, 2], biases=biases)
    if biases:
        for block in model.blocks:
            assert isinstance(block, PluggableBlock)
            assert block.query_key_bias is not None
            torch.nn.init.normal_(block.query_key_bias, generator=Seed("pluggable-tests/r1", "tune", 0).stream("b"))
    read = tokens(3)
    fast = model(read, ATTENTION)
    slow = torch.stack([torch.stack([one_model(model, r, s) for s in read[r]]) for r in range(3)])
    assert fast.shape == (3, 3, LENGTH, 5)
    assert torch.allclose(fast, slow, atol=1e-5)
    parameters = list(model.parameters())
    pairs = zip(
        torch.autograd.grad(fast.square().sum(), parameters),
        torch.autograd.grad(slow.square().sum(), parameters),
        strict=True,
    )
    for one, other in pairs:
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4)


def test_company_does_not_matter() -> None:
    together, alone = stack([4, 2, 7]), stack([2])
    with torch.no_grad():
        assert torch.equal(together(tokens(3), ATTENTION)[1], alone(tokens(1), ATTENTION)[0])


def test_causal_under_any_attention() -> None:
    model, read = stack([0]), tokens(1).clone()
    for attention in (ATTENTION, [Alibi(), Alibi()]):
        with torch.no_grad():
            before = model(read, attention)
            changed = read.clone()
            changed[..., -1] = (changed[..., -1] + 1) % VOCAB
            after = model(changed, attention)
        assert torch.equal(before[..., :-1, :], after[..., :-1, :])
        assert not torch.equal(before, after)


def test_the_number_of_layers_must_fit() -> None:
    with pytest.raises(ValueError, match="argument"):
        stack([0])(tokens(1), ATTENTION[:1])


def test_it_is_the_rotary_transformer() -> None:
    """With plain rotary attention everywhere and the same weights it computes what ``transformer`` computes."""
    streams = [Seed("pluggable-tests/r1", "verdict", 0).stream("weights")]
    known = transformer(VOCAB, WIDTH, 2, HEADS, LENGTH, streams)
    model = pluggable(VOCAB, WIDTH, 2, HEADS, [Seed("pluggable-tests/r1", "verdict", 1).stream("weights")])
    model.load_state_dict(known.state_dict())
    with torch.no_grad():
        found = model(tokens(1), [Rotary(frequencies(WIDTH // HEADS, 1e4))] * 2)
        assert torch.allclose(found, known(tokens(1)), atol=1e-5)
