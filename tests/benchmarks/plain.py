"""What the stack is measured against: one LightningModule, one Trainer and torch's own fused AdamW for each seed."""

import itertools
import logging
import math
import warnings
from collections.abc import Callable, Iterator

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.RMSNorm(width, eps=1e-6), nn.RMSNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.widen = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, turn: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(self.first(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(rotate(q, turn), rotate(k, turn), v, is_causal=True)
        x = x + self.output(y.transpose(1, 2).reshape(batch, length, width))
        return x + self.narrow(F.gelu(self.widen(self.second(x))))


def rotate(x: Tensor, turn: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * turn).flatten(-2)


class Transformer(nn.Module):
    """One decoder with the layers of ``suite.blocks.models.transformer``."""

    def __init__(self, vocab: int, width: int, depth: int, heads: int, context: int) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(vocab, width), nn.Linear(width, vocab, bias=False)
        self.blocks, self.norm = nn.ModuleList(Block(width, heads) for _ in range(depth)), nn.RMSNorm(width, eps=1e-6)
        size = width // heads
        angle = torch.arange(context).outer(10_000.0 ** (-torch.arange(0, size, 2) / size))
        self.register_buffer("turn", torch.polar(torch.ones_like(angle), angle), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.turn)
        return self.head(self.norm(x))


def perceptron(sizes: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, o in itertools.pairwise(sizes):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Module(LightningModule):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        return F.cross_entropy(self.model(batch[0]).flatten(0, -2), batch[1].flatten())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.01, fused=True)


class Batches(IterableDataset):
    def __init__(self, batch: Callable[[int], tuple[Tensor, Tensor]], steps: int) -> None:
        self.batch, self.steps = batch, steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return map(self.batch, range(self.steps))


def train(model: nn.Module, batch: Callable[[int], tuple[Tensor, Tensor]], steps: int) -> None:
    """One seed under a Trainer with everything switched off that can be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(Module(model), DataLoader(Batches(batch, steps), batch_size=None))


def parameters(model: nn.Module) -> int:
    return sum(math.prod(parameter.shape) for parameter in model.parameters())
