"""Experiment "pretrained": "the longer the context, the lower the loss", on pretrained Llama models and books.

Hub tier only.  The checkpoint's own rotation is replaced by the identity, so that the attention function that
``transformers`` calls gets queries and keys as they come from their projections, and any treatment of positions can be
plugged in.  Judged is the loss on the last N tokens of a book, always the same ones, with contexts of N, 2 N and 4 N.
"""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from suite import fit
from suite.blocks.attention.blockwise import Blockwise
from suite.blocks.attention.protocol import Attention
from suite.blocks.attention.rotary import Rotary
from suite.blocks.data.hub import source
from suite.blocks.positions.log_scale import log_n_dagger
from suite.blocks.positions.scaling import ntk
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed

BOOKS = "emozilla/pg19-test"
BOOKS_REVISION = "c5e39bf32e33f9111323aa68d7d9000d22722035"
BOOKS_FILE = "data/test-00000-of-00001-29a571947c0b5ccc.parquet"
PLUGGED = "rerope_plugged"
CONTEXTS = (1, 2, 4)  # times N
TILE = 256


@dataclass(frozen=True)
class Checkpoint:
    """A model on the Hub, the length N that it was trained at."""

    repository: str
    revision: str
    trained: int


CHECKPOINTS = {
    "TinyLlama 1.1B": Checkpoint(
        "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "fe8a4ea1ffedaf415f4da2f062534de366a451e6", 2048
    ),
    "Llama-2 7B": Checkpoint("NousResearch/Llama-2-7b-hf", "dacdfcde31297e34b19ee0e7532f29586d2c17bc", 4096),
}


# --- Models --------------------------------------------------------------------------------------


class NoRotation(nn.Module):
    """Stands in for a model's rotary embedding: cosines 1, sines 0."""

    def forward(self, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        one = x.new_ones(*position_ids.shape, 1)
        return one, torch.zeros_like(one)


def neighbours(x: Tensor) -> Tensor:
    """Pairs (i, i + d/2), as Llama's weights have them, to neighbouring pairs, as the blocks want them.

    >>> neighbours(torch.arange(6.0))
    tensor([0., 3., 1., 4., 2., 5.])
    """
    return x.unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2)


Method = Callable[[Tensor, int, int], Attention]


def rope(theta: Tensor, trained: int, length: int) -> Attention:
    return Rotary(theta)


def ntk_aware(theta: Tensor, trained: int, length: int) -> Attention:
    """The base grows with the length of the text: exact at N."""
    return Rotary(ntk(theta, max(1.0, length / trained)))


def rerope(theta: Tensor, trained: int, length: int) -> Attention:
    """The author's patch: a window of a quarter of N, queries times max(1, log_N n)."""
    return Blockwise(frequencies=theta, window=trained // 4, scale=log_n_dagger(trained), tile=TILE)


def leaky(theta: Tensor, trained: int, length: int) -> Attention:
    """The same with k = 16 beyond the window."""
    return Blockwise(frequencies=theta, window=trained // 4, k=16.0, scale=log_n_dagger(trained), tile=TILE)


METHODS: dict[str, Method] = {"RoPE": rope, "NTK": ntk_aware, "Leaky ReRoPE": leaky, "ReRoPE": rerope}


@contextmanager
def plugged(attention: Attention) -> Generator[None]:
    """While it lasts, models loaded with PLUGGED attend by ``attention``."""
    from transformers import AttentionInterface

    def attend(
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        scaling: float | None = None,
        # What else the models pass on, without effect here: no dropout, no cache, no padding, no sliding window.
        dropout: float = 0.0,
        sliding_window: object = None,
        position_ids: object = None,
        use_cache: object = None,
        cache_position: object = None,
        output_attentions: object = None,
    ) -> tuple[Tensor, None]:
        width = query.shape[-1]
        if mask is not None or sliding_window is not None or query.shape[-2] != key.shape[-2]:
            raise ValueError("whole texts without padding, cache or sliding window are what the attention is meant for")
        if scaling is not None and not math.isclose(scaling, width**-0.5):
            raise ValueError(f"scores are divided by the root of {width}, the model wants a factor {scaling}")
        groups = query.shape[1] // key.shape[1]  # several heads may share their keys and values
        key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
        found = attention(neighbours(query), neighbours(key), value)
        return found.transpose(1, 2).contiguous(), None

    AttentionInterface.register(PLUGGED, attend)
    yield


def load(checkpoint: Checkpoint, folder: str) -> tuple[Any, Any, Tensor]:
    """Tokenizer, model without rotation, and the frequencies that it was trained with, [P] (float64)."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place, revision = source(checkpoint.repository, checkpoint.revision, folder)
    kind = torch.bfloat16 if fit.device().type == "cuda" else torch.float32
    tokenizer = AutoTokenizer.from_pretrained(place, revision=revision)
    model = AutoModelForCausalLM.from_pretrained(place, revision=revision, attn_implementation=PLUGGED, dtype=kind)
    rotary = model.model.rotary_emb
    if rotary.rope_type != "default" or rotary.attention_scaling != 1:
        raise ValueError(f"{checkpoint.repository} scales its positions already ({rotary.rope_type})")
    width = 2 * len(rotary.inv_freq)
    base = float(model.config.rope_parameters["rope_theta"])
    theta = base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    if not torch.allclose(theta.float(), rotary.inv_freq.float().cpu(), rtol=1e-5):
        raise ValueError(f"{checkpoint.repository}: frequencies are not those of base {base:g}")
    model.model.rotary_emb = NoRotation()
    return tokenizer, model.eval().to(fit.device()), theta


# --- Texts ---------------------------------------------------------------------------------------


def books(number: int, characters: int, folder: str) -> list[str]:
    """The first ``number`` books of PG-19's test part that are long enough, from their second tenth on."""
    from datasets import load_dataset

    place, revision = source(BOOKS, BOOKS_REVISION, folder)
    rows: Any = load_dataset(place, data_files={"test": BOOKS_FILE}, split="test", revision=revision)
    found: list[str] = []
    for row in rows:
        text = row["text"]
        if len(text) - len(text) // 10 >= characters:
            found.append(text[len(text) // 10 :][:characters])
            if len(found) == number:
                break
    else:
        raise ValueError(f"{place}: {len(found)} books of {characters} characters, fewer than the {number} asked for")
    fit.uses("PG-19, test", sha256("".join(found).encode()).hexdigest())
    return found


def last_loss(model: Any, tokens: Tensor, last: int) -> float:
    """Mean loss in nats on the last ``last`` - 1 tokens of [T], the first of them as context alone."""
    with torch.no_grad():
        logits = model(input_ids=tokens.unsqueeze(0), use_cache=False, logits_to_keep=last).logits[0, :-1]
        return float(F.cross_entropy(logits.float(), tokens[1 - last :]))


def measure(seeds: Sequence[Seed], tier: Tier, *, model: str, method: str) -> Mapping[str, Any]:
    """One book per seed: the loss with each context, and what the second and the last doubling change."""
    checkpoint, folder = CHECKPOINTS[model], tier["folder"]
    trained = tier["trained"] or checkpoint.trained
    longest = CONTEXTS[-1] * trained
    texts = books(max(seed.number for seed in seeds) + 1, tier["characters"], folder)
    with plugged(Rotary(torch.zeros(1))):
        tokenizer, network, theta = load(checkpoint, folder)
    rows = []
    for seed in seeds:
        ids = tokenizer(texts[seed.number], add_special_tokens=False, verbose=False)["input_ids"]
        if len(ids) < longest:
            raise ValueError(f"book {seed.number}: {len(ids)} tokens in {tier['characters']} characters, not {longest}")
        tokens = torch.tensor(ids[:longest], device=fit.device())
        row = []
        for times in CONTEXTS:
            length = times * trained
            with plugged(METHODS[method](theta, trained, length)):
                row.append(last_loss(network, tokens[-length:], trained))
        rows.append(row)
    return {
        "loss": rows,
        "at_n": [row[0] for row in rows],
        "doubled": [row[1] - row[0] for row in rows],
        "again": [row[2] - row[1] for row in rows],
    }


EXPERIMENT = Experiment(
    name="pretrained",
    measure=measure,
    arms=tuple(Arm(name, fixed={"method": name}) for name in METHODS),
    conditions={"model": tuple(CHECKPOINTS)},
    tiers={"hub": Tier(seeds=30, at_most=60, stack=30, sizes={"folder": "", "characters": 120_000, "trained": 0})},
)
