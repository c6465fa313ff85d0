"""An interaction network: one score for a pair of sentences, from how every word of one meets every word of the other.

(MatchPyramid, arXiv:1602.06359; ESIM, arXiv:1609.06038: the cross-encoder's idea without its depth.)
"""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from suite.blocks.models.layers import Linear, normal
from suite.blocks.models.mlp import mlp


class Interaction(nn.Module):
    """f(a, b) = MLP(T_h, 1 - max_j T_h, 1 - max_i T_h),   T_h[i, j] = tanh((e(a_i) P_h) . (e(b_j) Q_h) / w).

    The maps say which words meet where, the rest what each word of one sentence lacks in the other.  That part is about
    0 for sentences of one meaning; with the maxima as they stand all inputs look alike, which slows cross-entropy down.

    table   [R, V, D], the embeddings that training starts from
    heads   H interaction maps of width w, length x length each; P and Q start equal, so that like meets like

    ``forward`` maps tokens [R, B, L] of either sentence to scores [R, B].
    """

    def __init__(
        self,
        table: Tensor,
        streams: Sequence[Generator],
        *,
        length: int = 8,
        heads: int = 4,
        width: int = 16,
        hidden: int = 96,
    ) -> None:
        super().__init__()
        _, self.symbols, size = table.shape
        self.heads, self.width = heads, width
        self.table = nn.Parameter(table.clone())
        self.left = normal(streams, size, heads * width, std=1 / math.sqrt(size))
        self.right = nn.Parameter(self.left.detach().clone())
        self.score = mlp([heads * (length**2 + 2 * length), hidden, hidden, 1], streams)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        met = self._meetings().flatten(2)  # [R, H, V V]
        places = (a.unsqueeze(-1) * self.symbols + b.unsqueeze(-2)).flatten(1).unsqueeze(1)  # [R, 1, B L L]
        maps = torch.tanh(met.gather(2, places.expand(-1, self.heads, -1)))
        maps = maps.unflatten(2, (*a.shape[1:], b.shape[-1])).transpose(1, 2)  # [R, B, H, L, L]
        best = 1 - torch.cat([maps.amax(-1), maps.amax(-2)], -1)
        return self.score(torch.cat([maps.flatten(2), best.flatten(2)], -1)).squeeze(-1)

    def _meetings(self) -> Tensor:
        """[R, H, V, V]: every word with every word, which is cheaper than many small products as words repeat."""
        rows = (torch.bmm(self.table, matrix).unflatten(-1, (self.heads, -1)) for matrix in (self.left, self.right))
        left, right = (part.transpose(1, 2) / self.width**0.5 for part in rows)
        return left @ right.mT


class Representation(nn.Module):
    """u = bag + MLP(e(a_1), ..., e(a_L)), divided by its length; bag = sum_i e(a_i) W / sqrt(L).

    ``forward`` maps tokens [R, B, L] of one sentence to vectors [R, B, D].  The bag of words is what training starts
    from, as the MLP's last layer starts at 0.  Two sentences meet in their vectors alone (Sentence-BERT,
    arXiv:1908.10084); ``head`` maps (u, v, |u - v|) to one logit, for the losses that need it.
    """

    def __init__(
        self, table: Tensor, streams: Sequence[Generator], *, length: int = 8, hidden: int = 96, width: int = 32
    ) -> None:
        super().__init__()
        models, self.symbols, size = table.shape
        self.table = nn.Parameter(table.clone())
        self.bag = Linear(streams, size, width, std=1 / math.sqrt(size), bias=False)
        self.encode = mlp([length * size, hidden, width], streams)
        last = self.encode.layers[-1]
        assert isinstance(last, Linear)
        nn.init.zeros_(last.weight)
        self.head = Linear(streams, 3 * width, 1, std=1 / math.sqrt(3 * width))
        self.register_buffer("first", torch.arange(models).mul_(self.symbols).view(-1, 1, 1), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        words = nn.functional.embedding(tokens + self.first, self.table.flatten(0, 1))
        bag = self.bag(words.sum(2) / math.sqrt(words.shape[2]))
        return nn.functional.normalize(bag + self.encode(words.flatten(2)), dim=-1)

    def logit(self, u: Tensor, v: Tensor) -> Tensor:
        """One logit [R, B] from (u, v, |u - v|)."""
        return self.head(torch.cat([u, v, (u - v).abs()], -1)).squeeze(-1)
