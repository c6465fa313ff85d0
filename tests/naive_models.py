"""One model at a time, as a textbook would write it: the obvious twins of ``suite.blocks.models``."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class NaiveMLP(nn.Module):
    """x [B, I] to [B, O] through ``nn.Linear`` layers and ReLU."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(sizes))

    def forward(self, x: Tensor) -> Tensor:
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number < len(self.layers) - 1:
                x = x.relu()
        return x


def naive_rms_norm(x: Tensor, gain: Tensor | None, eps: float = 1e-6) -> Tensor:
    y = x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps)
    return y if gain is None else y * gain


def naive_rotate(x: Tensor) -> Tensor:
    """x [B, T, size]: pair j of position t turned by the angle t 10000^(-2j/size), one number at a time."""
    size, turned = x.shape[-1], []
    for t in range(x.shape[1]):
        for j in range(size // 2):
            angle = t * 10_000.0 ** (-2 * j / size)
            a, b = x[:, t, 2 * j], x[:, t, 2 * j + 1]
            turned.append(a * math.cos(angle) - b * math.sin(angle))
            turned.append(a * math.sin(angle) + b * math.cos(angle))
    return torch.stack(turned, 1).view(x.shape)


def naive_transformer(stack: nn.Module, row: int, tokens: Tensor, *, heads: int, depth: int) -> Tensor:
    """Logits [B, T, V] of model ``row`` of a stacked transformer for tokens [B, T], without any stacking."""
    weights = {name: parameter[row] for name, parameter in stack.named_parameters()}
    x = weights["embedding.weight"][tokens]
    rope = "positions" not in weights
    if not rope:
        x = x + weights["positions"][: tokens.shape[1]]
    for number in range(depth):
        block = {
            n.removeprefix(f"blocks.{number}."): w for n, w in weights.items() if n.startswith(f"blocks.{number}.")
        }
        y = naive_rms_norm(x, block.get("attention_norm.gain"))
        queries, keys, values = (y @ block["query_key_value.weight"]).chunk(3, -1)
        heard = []
        for q, k, v in zip(queries.chunk(heads, -1), keys.chunk(heads, -1), values.chunk(heads, -1), strict=True):
            if rope:
                q, k = naive_rotate(q), naive_rotate(k)
            score = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
            future = torch.ones_like(score, dtype=torch.bool).triu(1)
            heard.append(score.masked_fill(future, -math.inf).softmax(-1) @ v)
        x = x + torch.cat(heard, -1) @ block["output.weight"]
        y = naive_rms_norm(x, block.get("feed_forward_norm.gain"))
        x = x + F.gelu(y @ block["widen.weight"]) @ block["narrow.weight"]
    x = naive_rms_norm(x, weights.get("norm.gain"))
    return x @ (weights["head.weight"] if "head.weight" in weights else weights["embedding.weight"].T)
