"""What a layer of ``suite.blocks.models.pluggable`` calls: the part of attention that knows about positions."""

from typing import Protocol

from torch import Tensor


class Attention(Protocol):
    """Queries, keys and values of one layer to what its heads read.

    q, k, v are [N, H, T, D], not turned by any position; N = R B, the stack folded into the batch, H heads, D numbers
    of a head.  The result is [N, H, T, D]: softmax over the keys that a query may see, causal unless it says otherwise,
    of scores divided by sqrt(D).
    """

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor: ...
