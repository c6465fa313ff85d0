"""The networks that every arm is run on, and how they are examined: recall and offset labelling, short in training.

Small decoders learn ``suite.blocks.data.recall_offsets`` at length N with plain rotary positions, with or without
log n.  They are kept by ``suite.trained``, so that inference-time arms, on this page and on others, share them; what an
arm changes is the attention that is handed to the network.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from suite import fit
from suite.blocks.attention.protocol import Attention
from suite.blocks.attention.rotary import Rotary, Scale
from suite.blocks.data.recall_offsets import Language, Questions, questions
from suite.blocks.models.pluggable import Pluggable, pluggable
from suite.blocks.optim import adamw
from suite.blocks.positions.log_scale import log_n as log_scale
from suite.blocks.positions.rope import frequencies
from suite.claims import Tier
from suite.seeds import Seed
from suite.stack import Group
from suite.trained import trained

COLLECTION = "recall-and-offsets/r1"
BASE = 10_000.0
RATE, DECAY, CLIP, WARMUP, WIDENING = 3e-3, 0.01, 1.0, 50, 2
RECIPE = ("length", "keys", "width", "depth", "heads", "batch", "steps")
# The networks of the tiers; a page that wants to share them takes these sizes as they are.  Where the post has N = 512
# and tests at 4096, the cpu tier has 64 and 512: there everything is learnt completely at N.
NETWORK = {"length": 64, "keys": 12, "width": 64, "depth": 2, "heads": 2, "batch": 32, "steps": 350}
TINY = {"length": 16, "keys": 4, "width": 32, "depth": 1, "heads": 2, "batch": 32, "steps": 160}
LARGE = {"length": 256, "keys": 24, "width": 256, "depth": 4, "heads": 4, "batch": 32, "steps": 2000}
AT_ONCE = 1 << 14  # tokens in one pass of an examination: more would leave the cache


def theta(width: int, heads: int) -> Tensor:
    """The frequencies of training, [P] (float64)."""
    return frequencies(width // heads, BASE)


def network(seeds: Sequence[Seed], *, keys: int, width: int, depth: int, heads: int, biases: bool = False) -> Pluggable:
    """Untrained; every seed draws its weights from its stream "weights"."""
    language = Language(keys=keys)
    streams = [seed.stream("weights") for seed in seeds]
    return pluggable(
        language.vocab, width, depth, heads, streams, outputs=language.values, widening=WIDENING, biases=biases
    )


def linear(steps: int, warmup: int = WARMUP, step: int = 0) -> float:
    """A linear rise over ``warmup`` steps, then a linear fall to 0; at most a third of the steps rise.

    >>> [round(linear(8, 2, step), 2) for step in range(8)]
    [0.5, 1.0, 1.0, 0.83, 0.67, 0.5, 0.33, 0.17]
    """
    rise = min(warmup, max(1, steps // 3))
    return (step + 1) / rise if step < rise else (steps - step) / (steps - rise)


def loss(model: nn.Module, attention: Sequence[Attention], tokens: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy [R] over the labelled tokens."""
    logits = model(tokens, attention)
    # On rows of eight numbers torch's kernel for an inner axis is faster, all tokens included, than the other on few.
    each = F.cross_entropy(logits.flatten(1, 2).transpose(1, 2), labels.flatten(1), ignore_index=-1, reduction="none")
    return each.sum(1) / (labels.flatten(1) >= 0).sum(1)


def learn(
    seeds: Sequence[Seed],
    attention: Sequence[Attention],
    *,
    length: int,
    keys: int,
    width: int,
    depth: int,
    heads: int,
    batch: int,
    steps: int,
    biases: bool = False,
    rate: float = RATE,
) -> Pluggable:
    """A stack trained with this attention at this length.

    AdamW, betas 0.9 and 0.99; weights and batches depend on the seed alone, whatever the attention.
    """
    model = network(seeds, keys=keys, width=width, depth=depth, heads=heads, biases=biases)
    language = Language(keys=keys)

    def drawn(step: int) -> tuple[Tensor, Tensor]:
        found = questions([seed.stream(f"batch {step}") for seed in seeds], language, batch, length)
        return found.tokens, found.labels

    fit.fit(
        model,
        loss=lambda net, tokens, labels: loss(net, attention, tokens, labels),
        batch=drawn,
        steps=steps,
        optimizer=Group(adamw.Rule(betas=(0.9, 0.99)), lr=rate, decay=DECAY),
        schedule=lambda step: linear(steps, WARMUP, step),
        clip=CLIP,
    )
    return model


def train(
    seeds: Sequence[Seed],
    *,
    length: int,
    keys: int,
    width: int,
    depth: int,
    heads: int,
    batch: int,
    steps: int,
    log_n: bool,
) -> Pluggable:
    """Rotary positions in every layer, queries times log_N n if ``log_n``."""
    scale: Scale | None = log_scale(length) if log_n else None
    attention = [Rotary(theta(width, heads), scale)] * depth
    return learn(
        seeds, attention, length=length, keys=keys, width=width, depth=depth, heads=heads, batch=batch, steps=steps
    )


def networks(seeds: Sequence[Seed], tier: Tier, log_n: bool) -> Pluggable:
    """The trained networks of these seeds as one stack, in evaluation; trained now where none are kept.

    ``tier`` gives the sizes that RECIPE names.
    """
    state = trained(COLLECTION, train, seeds, {name: tier[name] for name in RECIPE} | {"log_n": log_n})
    return restored(state, seeds, tier)


def restored(state: dict[str, Tensor], seeds: Sequence[Seed], tier: Tier, *, biases: bool = False) -> Pluggable:
    """A stack with the weights of ``state``, in evaluation, on the device in use."""
    shape = {name: tier[name] for name in ("keys", "width", "depth", "heads")}
    model = network(seeds, **shape, biases=biases)
    model.load_state_dict(state)
    return model.eval().requires_grad_(False).to(fit.device())


def language_of(model: Pluggable) -> Language:
    """The language whose vocabulary the network has."""
    sample = Language(keys=1)
    extra = sample.values + sample.offsets
    return Language(keys=(model.embedding.weight.shape[1] - extra) // (sample.values + 1))


def examination(seeds: Sequence[Seed], language: Language, length: int, sequences: int) -> Questions:
    """Fresh test sequences [R, sequences, length]: a function of the seed and the length, whatever the arm."""
    return questions([seed.stream(f"test {length}") for seed in seeds], language, sequences, length)


def right(model: Pluggable, attention: Sequence[Attention], asked: Questions) -> Tensor:
    """[R, B, T] on the CPU: whether the network's most likely value is the label."""
    models, number, length = asked.tokens.shape
    size = max(1, AT_ONCE // (models * length))
    found = []
    with torch.no_grad():
        for start in range(0, number, size):
            tokens = asked.tokens[:, start : start + size].to(fit.device())
            found.append(model(tokens, attention).argmax(-1).cpu())
    return torch.cat(found, dim=1) == asked.labels


def share(correct: Tensor, mask: Tensor) -> Tensor:
    """[R]: the share of right answers where ``mask``, both [R, B, T]; NaN where nothing was asked."""
    return (correct & mask).flatten(1).sum(1, dtype=torch.float64) / mask.flatten(1).sum(1)


def accuracies(
    model: Pluggable, attention: Sequence[Attention], seeds: Sequence[Seed], length: int, sequences: int, *, far: int
) -> dict[str, Tensor]:
    """Shares of right answers, [R] (float64) each, on ``sequences`` test sequences of every seed.

    recall  queries, at any distance;   far  queries at ``far`` steps or more (NaN where there are none)
    local   offsets;                    mean (recall + local) / 2
    """
    asked = examination(seeds, language_of(model), length, sequences)
    correct = right(model, attention, asked)
    recall, local = share(correct, asked.recall), share(correct, asked.local)
    return {"recall": recall, "far": share(correct, asked.far(far)), "local": local, "mean": (recall + local) / 2}
