"""A stack of small decoder-only transformers.

Letters: R models, B sequences, T positions, D width, H heads, V symbols.  For attention the stack is folded into the
batch.
"""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from suite.blocks.attention.heads import split_heads
from suite.blocks.models.halves import after_attention, before_attention
from suite.blocks.models.layers import Embedding, Linear, RMSNorm, normal
from suite.blocks.positions.packed import rotation


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
        y = self.attend(before_attention(x, self.attention_norm, self.query_key_value, turn))
        return after_attention(x, y, self.output, self.feed_forward_norm, self.widen, self.narrow)

    def attend(self, qkv: Tensor) -> Tensor:
        models, batch, length, width = *qkv.shape[:3], qkv.shape[3] // 3
        q, k, v = split_heads(qkv, self.heads)  # [R B, H, T, D / H]
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
