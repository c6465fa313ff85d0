"""A stack of small decoder-only transformers.

Letters: R models, B sequences, T positions, D width, H heads, V symbols.  For attention the stack is folded into the
batch.
"""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from suite.blocks.models.feed_forward import feed_forward
from suite.blocks.models.layers import Embedding, Linear, RMSNorm, normal


def rotation(context: int, width: int, heads: int, base: float = 10_000.0) -> Tensor:
    """Rotary positions as factors of queries, keys and values in complex pairs: [context, 3 width / 2] (complex64).

        exp(i t base^(-2j / size)) for pair j of a head of ``size`` = width / heads at position t; 1 for the values

    (Su et al., arXiv:2104.09864, equations 15 and 34).

    >>> rotation(2, 4, 1)
    tensor([[1.0000+0.0000j, 1.0000+0.0000j, 1.0000+0.0000j, 1.0000+0.0000j,
             1.0000+0.0000j, 1.0000+0.0000j],
            [0.5403+0.8415j, 0.9999+0.0100j, 0.5403+0.8415j, 0.9999+0.0100j,
             1.0000+0.0000j, 1.0000+0.0000j]])
    """
    size = width // heads
    frequency = base ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angle = torch.arange(context, dtype=torch.float64).outer(frequency).repeat(1, 2 * heads)
    angle = torch.cat((angle, torch.zeros(context, width // 2, dtype=torch.float64)), 1)
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)


def rotate(qkv: Tensor, turn: Tensor) -> Tensor:
    """Turn neighbouring pairs of qkv [..., T, 3 D] by ``rotation``, in one pass over contiguous numbers.

    The compiler generates no code for complex numbers; it wants ``turn`` as cosines and sines [context, 3 D / 2, 2].
    """
    if not turn.is_complex():
        return _rotate_parts(qkv, turn)
    pairs = torch.view_as_complex(qkv.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turn[: qkv.shape[-2]]).flatten(-2).to(qkv.dtype)


def _rotate_parts(qkv: Tensor, turn: Tensor) -> Tensor:
    """``rotate`` in real arithmetic."""
    cosine, sine = turn[: qkv.shape[-2]].unbind(-1)
    a, b = qkv.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((a * cosine - b * sine, a * sine + b * cosine), -1).flatten(-2).to(qkv.dtype)


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)); no biases."""

    def __init__(self, streams: Sequence[Generator], width: int, heads: int, depth: int, gain: bool) -> None:
        super().__init__()
        std, out = width**-0.5, 1 / math.sqrt(2 * depth)
        self.heads = heads
        self.attention_norm = RMSNorm(len(streams), width, gain=gain)
        self.query_key_value = Linear(streams, width, 3 * width, std=std, bias=False)
        self.output = Linear(streams, width, width, std=std * out, bias=False)
        self.feed_forward_norm = RMSNorm(len(streams), width, gain=gain)
        self.widen = Linear(streams, width, 4 * width, std=std, bias=False)
        self.narrow = Linear(streams, 4 * width, width, std=std / 2 * out, bias=False)

    def forward(self, x: Tensor, turn: Tensor | None) -> Tensor:
        x = x + self.output(self.attend(self.query_key_value(self.attention_norm(x)), turn))
        return x + feed_forward(self.feed_forward_norm(x), self.widen.weight, self.narrow.weight)

    def attend(self, qkv: Tensor, turn: Tensor | None) -> Tensor:
        models, batch, length, width = *qkv.shape[:3], qkv.shape[3] // 3
        if turn is not None:
            qkv = rotate(qkv, turn)
        q, k, v = qkv.view(models * batch, length, 3, self.heads, width // self.heads).permute(
            2, 0, 3, 1, 4
        )  # [RB, H, T, D/H]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return y.transpose(1, 2).reshape(models, batch, length, width)


class Transformer(nn.Module):
    """tokens [R, B, T] (int64) to logits [R, B, T, V]."""

    turn: Tensor | None
    turn_parts: Tensor | None

    def __init__(
        self,
        vocab: int,
        width: int,
        depth: int,
        heads: int,
        context: int,
        streams: Sequence[Generator],
        tied: bool,
        rope: bool,
        gain: bool,
    ) -> None:
        super().__init__()
        self.embedding = Embedding(streams, vocab, width, std=width**-0.5)
        self.positions = None if rope else normal(streams, context, width, std=width**-0.5)
        self.blocks = nn.ModuleList(Block(streams, width, heads, depth, gain) for _ in range(depth))
        self.norm = RMSNorm(len(streams), width, gain=gain)
        self.head = None if tied else Linear(streams, width, vocab, std=width**-0.5, bias=False)
        turn = rotation(context, width, heads) if rope else None
        self.register_buffer("turn", turn, persistent=False)
        self.register_buffer("turn_parts", None if turn is None else torch.view_as_real(turn), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        if self.positions is not None:
            x = x + self.positions[:, None, : tokens.shape[-1]]
        turn = self.turn_parts if torch.compiler.is_compiling() else self.turn
        for block in self.blocks:
            x = block(x, turn)
        x = self.norm(x)
        if self.head is not None:
            return self.head(x)
        return torch.bmm(x.flatten(1, 2), self.embedding.weight.transpose(1, 2)).view(*x.shape[:-1], -1)


def transformer(
    vocab: int,
    width: int,
    depth: int,
    heads: int,
    context: int,
    streams: Sequence[Generator],
    *,
    tied: bool = False,
    rope: bool = True,
    gain: bool = True,
) -> Transformer:
    """R = len(streams) causal pre-norm transformers without biases.

    RMSNorm, GELU feed-forward of width 4 D, rotary (``rope``) or learned positions.  Weights are N(0, 1 / inputs),
    those that write into the residual stream divided by sqrt(2 depth); embeddings and learned positions N(0, 1 / D).
    ``tied`` uses the embedding as the head, ``gain=False`` drops the gains of the norms.

    >>> stack = transformer(96, 32, 2, 2, 16, [torch.Generator().manual_seed(r) for r in range(3)])
    >>> stack(torch.zeros(3, 4, 16, dtype=torch.int64)).shape
    torch.Size([3, 4, 16, 96])
    """
    return Transformer(vocab, width, depth, heads, context, streams, tied, rope, gain)
