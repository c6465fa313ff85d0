"""A stack of small transformers whose layers see what a mask lets them.

Letters: R models, B sequences, T positions, D width, H heads, V symbols.  Beside masks: separate weights for the front
and the back of a sequence, linear attention, learned biases for what lies left and right, and no positions at all.
"""

import copy
import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from suite.blocks.attention.biased import biased
from suite.blocks.attention.heads import split_heads
from suite.blocks.attention.linear import feature, linear_attention
from suite.blocks.attention.masks import sides
from suite.blocks.models.halves import after_attention, before_attention
from suite.blocks.models.layers import Embedding, Linear, RMSNorm
from suite.blocks.positions.packed import rotation


class Both(nn.Module):
    """One linear layer for the first ``split`` of ``length`` positions and another, equal at first, for the others.

    A shorter x [R, B, t, I] holds the last t positions.
    """

    def __init__(self, layer: Linear, split: int, length: int) -> None:
        super().__init__()
        self.front, self.back = layer, copy.deepcopy(layer)
        self.behind = length - split

    def forward(self, x: Tensor) -> Tensor:
        cut = x.shape[2] - self.behind
        return torch.cat((self.front(x[:, :, :cut]), self.back(x[:, :, cut:])), 2) if cut > 0 else self.back(x)


class MaskedBlock(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)), for the last ``last`` positions; no biases, no gains."""

    seen: Tensor
    sides: Tensor | None

    def __init__(
        self,
        linear: Callable[[int, int, float], nn.Module],
        models: int,
        width: int,
        heads: int,
        hidden: int,
        depth: int,
        seen: Tensor,
        kind: str,
        start: Tensor | None,
    ) -> None:
        super().__init__()
        out, length = 1 / math.sqrt(2 * depth), seen.shape[-1]
        self.heads, self.kind = heads, kind
        self.attention_norm = RMSNorm(models, width, gain=False)
        self.query_key_value = linear(width, 3 * width, width**-0.5)
        self.output = linear(width, width, width**-0.5 * out)
        self.feed_forward_norm = RMSNorm(models, width, gain=False)
        self.widen = linear(width, hidden, width**-0.5)
        self.narrow = linear(hidden, width, hidden**-0.5 * out)
        self.lean = None if start is None else nn.Parameter(start.expand(models, -1, -1).clone())  # [R, H, 2]
        self.register_buffer("seen", seen, persistent=False)
        self.register_buffer("sides", None if start is None else sides(length).float(), persistent=False)

    def forward(self, x: Tensor, turn: Tensor | None, last: int) -> Tensor:
        at_once = None if self.kind == "linear" else turn
        y = self.attend(before_attention(x, self.attention_norm, self.query_key_value, at_once), turn, last)
        x = _last(x, last)
        return after_attention(x, y, self.output, self.feed_forward_norm, self.widen, self.narrow)

    def attend(self, qkv: Tensor, turn: Tensor | None, last: int) -> Tensor:
        models, batch, length, width = *qkv.shape[:3], qkv.shape[3] // 3
        seen = self.seen[..., :length, :length][..., -last:, :]
        if seen.ndim == 3:
            seen = seen.unsqueeze(0)  # torch's fast kernel takes masks of two or four axes
        elif seen.ndim == 4:  # a mask per model: the stack is folded into the batch
            seen = seen.unsqueeze(1).expand(-1, batch, -1, -1, -1).flatten(0, 1)

        def split(qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # [R B, H, T, D / H] each, queries of the last alone
            queries, keys, values = split_heads(qkv, self.heads)
            return _last(queries, last), keys, values

        if self.kind == "linear":
            q, k, v = split(torch.cat((feature(qkv[..., : 2 * width]), qkv[..., 2 * width :]), -1))
            turned = None if turn is None else tuple(_turn(part, turn[:length], self.heads) for part in (q, k))
            y = linear_attention(q, k, v, seen, turned)  # type: ignore[arg-type]
        else:
            q, k, v = split(qkv)  # turned already
            bias = self.leaning(seen)
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen) if bias is None else biased(q, k, v, bias)
        return y.transpose(1, 2).reshape(models, batch, last, width)

    def leaning(self, seen: Tensor) -> Tensor | None:
        """The biases of left and right as what is added to the scores [R, H, last, T], or None."""
        if self.lean is None or self.sides is None:
            return None
        here = self.sides[:, : seen.shape[-1], : seen.shape[-1]][:, -seen.shape[-2] :]
        # One product per model: how one over all of them is rounded depends on how many there are.
        each = torch.bmm(self.lean, here.flatten(1).expand(len(self.lean), -1, -1))
        return each.unflatten(2, here.shape[1:]).masked_fill(~seen, -math.inf)


def _last(x: Tensor, last: int) -> Tensor:
    """The last positions of [., ., T, .].  A slice of everything would cost its gradient a pass over as many zeros."""
    return x if last == x.shape[2] else x[:, :, -last:]


def _turn(x: Tensor, turn: Tensor, heads: int) -> Tensor:
    """Turn the pairs of queries or keys [..., t, D / H] that stand at the last t positions."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous())
    own = turn[-x.shape[-2] :, : x.shape[-1] // 2]
    return torch.view_as_real(pairs * own).flatten(-2).to(x.dtype)


class MaskedTransformer(nn.Module):
    """tokens [R, B, T] (int64) to logits [R, B, last, symbols] at the last positions; all of them without ``last``."""

    turn: Tensor | None

    def __init__(self, embedding: Embedding, blocks: Sequence[MaskedBlock], head: Linear, turn: Tensor | None) -> None:
        super().__init__()
        models, width, _ = head.weight.shape
        self.embedding, self.blocks, self.head = embedding, nn.ModuleList(blocks), head
        self.norm = RMSNorm(models, width, gain=False)
        self.register_buffer("turn", turn, persistent=False)

    def forward(self, tokens: Tensor, last: int | None = None) -> Tensor:
        x, length = self.embedding(tokens), tokens.shape[-1]
        for number, block in enumerate(self.blocks, 1):
            # Nobody reads what the last layer makes of the positions in front: it is left out.
            x = block(x, self.turn, (last or length) if number == len(self.blocks) else length)
        return self.head(self.norm(x))


def masked_transformer(
    vocab: int,
    symbols: int,
    width: int,
    heads: int,
    streams: Sequence[Generator],
    seen: Sequence[Tensor],
    *,
    hidden: int | None = None,
    rope: bool = True,
    split: int | None = None,
    kind: str = "softmax",
    lean: Tensor | None = None,
) -> MaskedTransformer:
    """R = len(streams) pre-norm transformers without biases, one layer per mask in ``seen``.

    RMSNorm without gain, GELU feed-forward of width ``hidden`` (4 D), weights as in ``transformer``, untied head.

    vocab, symbols  tokens that come in, and symbols that are predicted
    seen            per layer [T, T], [H, T, T] or [R, H, T, T] (bool), see ``suite.blocks.attention.masks``
    rope            rotary positions, or none at all
    split           positions below it have weights of their own in every layer, equal to the others' at first
    kind            "softmax" or "linear" attention (elu + 1; positions in the numerator)
    lean            [H, 2]: where learned biases of left and right keys start, one pair per head and layer

    >>> stack = masked_transformer(9, 8, 16, 2, [torch.Generator().manual_seed(0)], [torch.ones(5, 5).bool()] * 2)
    >>> stack(torch.zeros(1, 4, 5, dtype=torch.int64), last=3).shape
    torch.Size([1, 4, 3, 8])
    """
    if kind not in ("softmax", "linear"):
        raise ValueError(f'kind= is "softmax" or "linear", got {kind!r}')
    if kind == "linear" and lean is not None:
        raise ValueError("biases of left and right are added to softmax scores; linear attention has none")
    length = seen[0].shape[-1]

    def linear(inputs: int, outputs: int, std: float) -> nn.Module:
        layer = Linear(streams, inputs, outputs, std=std, bias=False)
        return layer if split is None else Both(layer, split, length)

    embedding = Embedding(streams, vocab, width, std=width**-0.5)
    blocks = [
        MaskedBlock(linear, len(streams), width, heads, hidden or 4 * width, len(seen), mask, kind, lean)
        for mask in seen
    ]
    head = Linear(streams, width, symbols, std=width**-0.5, bias=False)
    return MaskedTransformer(embedding, blocks, head, rotation(length, width, heads) if rope else None)
