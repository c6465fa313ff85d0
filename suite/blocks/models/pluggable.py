"""A stack of small transformers whose attention is handed in at call time, one per layer.

The same weights can thus be run under any treatment of positions.  Letters: R models, B sequences, T positions, D
width, H heads, V symbols, O outputs.
"""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from suite.blocks.attention.heads import split_heads
from suite.blocks.attention.protocol import Attention
from suite.blocks.attention.rotary import Rotary
from suite.blocks.models.halves import after_attention, before_attention
from suite.blocks.models.layers import Embedding, Linear, RMSNorm


class PluggableBlock(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)); biases on queries and keys alone, if at all."""

    def __init__(
        self, streams: Sequence[Generator], width: int, heads: int, depth: int, widening: int, biases: bool
    ) -> None:
        super().__init__()
        models, std, out = len(streams), width**-0.5, 1 / math.sqrt(2 * depth)
        self.heads = heads
        self.attention_norm = RMSNorm(models, width)
        self.query_key_value = Linear(streams, width, 3 * width, std=std, bias=False)
        self.query_key_bias = nn.Parameter(torch.zeros(models, 2 * width)) if biases else None
        self.output = Linear(streams, width, width, std=std * out, bias=False)
        self.feed_forward_norm = RMSNorm(models, width)
        self.widen = Linear(streams, width, widening * width, std=std, bias=False)
        self.narrow = Linear(streams, widening * width, width, std=std / math.sqrt(widening) * out, bias=False)

    def forward(self, x: Tensor, attention: Attention) -> Tensor:
        rotary = attention if isinstance(attention, Rotary) and self.query_key_bias is None else None
        turn = None if rotary is None else rotary.factors(x.shape[2], self.heads)
        if rotary is None or turn is None:
            y = attention(*self.split(x))
        else:  # one pass over numbers that lie side by side
            y = rotary.turned(*self.split(x, turn.to(x.device)))
        y = y.transpose(1, 2).reshape(x.shape)
        return after_attention(x, y, self.output, self.feed_forward_norm, self.widen, self.narrow)

    def split(self, x: Tensor, turn: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each [R B, H, T, D / H], of x [R, B, T, D], turned if it is asked for."""
        qkv = before_attention(x, self.attention_norm, self.query_key_value, turn)
        if self.query_key_bias is not None:
            qkv = qkv + F.pad(self.query_key_bias, (0, x.shape[-1])).view(len(x), 1, 1, -1)
        return split_heads(qkv, self.heads)


class Pluggable(nn.Module):
    """tokens [R, B, T] (int64) and one attention per layer to logits [R, B, T, O]."""

    def __init__(
        self,
        vocab: int,
        width: int,
        depth: int,
        heads: int,
        streams: Sequence[Generator],
        outputs: int,
        widening: int,
        biases: bool,
    ) -> None:
        super().__init__()
        self.embedding = Embedding(streams, vocab, width, std=width**-0.5)
        self.blocks = nn.ModuleList(
            PluggableBlock(streams, width, heads, depth, widening, biases) for _ in range(depth)
        )
        self.norm = RMSNorm(len(streams), width)
        self.head = Linear(streams, width, outputs, std=width**-0.5, bias=False)

    def forward(self, tokens: Tensor, attention: Sequence[Attention]) -> Tensor:
        x = self.embedding(tokens)
        for block, attend in zip(self.blocks, attention, strict=True):
            x = block(x, attend)
        return self.head(self.norm(x))


def pluggable(
    vocab: int,
    width: int,
    depth: int,
    heads: int,
    streams: Sequence[Generator],
    *,
    outputs: int | None = None,
    widening: int = 4,
    biases: bool = False,
) -> Pluggable:
    """R = len(streams) pre-norm transformers; ``outputs`` of the untied head, V unless told.

    RMSNorm with gains, GELU feed-forward of width ``widening`` D.  Weights are N(0, 1 / inputs), those that write into
    the residual stream divided by sqrt(2 depth); embeddings N(0, 1 / D).  ``biases`` adds biases, 0 at first, to
    queries and keys; there are no others.

    >>> from suite.blocks.attention.rotary import NoPositions, Rotary
    >>> from suite.blocks.positions.rope import frequencies
    >>> stack = pluggable(96, 32, 2, 2, [torch.Generator().manual_seed(r) for r in range(3)])
    >>> attention = [Rotary(frequencies(16, 1e4)), NoPositions()]
    >>> stack(torch.zeros(3, 4, 8, dtype=torch.int64), attention).shape
    torch.Size([3, 4, 8, 96])
    """
    return Pluggable(vocab, width, depth, heads, streams, vocab if outputs is None else outputs, widening, biases)
