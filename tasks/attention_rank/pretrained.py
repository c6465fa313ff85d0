"""Experiment "pretrained": the heads of pretrained models, each with a triangle and with no mask on the same logits.

Hub tier only: checkpoints and WikiText-103 (Merity et al., arXiv:1609.07843; CC BY-SA) at fixed revisions, or from a
folder that holds them under the same names.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from suite import fit
from suite.blocks.data import wikitext
from suite.blocks.data.hub import source
from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.attention_rank import matrices
from tasks.attention_rank.spectra import MASKS

RECORDING = "attention_rank_recording"


@dataclass(frozen=True)
class Checkpoint:
    """A model on the Hub; ``part`` says whose self-attention is looked at where it has an encoder and a decoder."""

    repository: str
    revision: str
    part: str = "all"


T5 = ("google-t5/t5-base", "a9723ea7f1b39c1eae772870f3b547bf6ef7e6c1")
CHECKPOINTS = {
    "BERT base": Checkpoint("google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594"),
    "RoBERTa base": Checkpoint("FacebookAI/roberta-base", "e2da8e2f811d1448a5b465c236feacd80ffbac7b"),
    "GPT-2 small": Checkpoint("openai-community/gpt2", "607a30d783dfa663caf39e06633721c8d4cfcd7e"),
    "Qwen2.5 0.5B": Checkpoint("Qwen/Qwen2.5-0.5B", "060db6499f32faf8b98477b0a26969ef7d8b9987"),
    "T5 base, encoder": Checkpoint(*T5, part="encoder"),
    "T5 base, decoder": Checkpoint(*T5, part="decoder"),
}


def words(characters: int, folder: str) -> str:
    """The first characters of WikiText-103's test part, raw."""
    text = wikitext.beginning("test", characters, folder and str(Path(folder) / wikitext.REPOSITORY))
    if len(text) < characters:
        raise ValueError(f"WikiText-103: {len(text)} characters, fewer than the {characters} asked for")
    fit.uses("wikitext-103, test", sha256(text.encode()).hexdigest())
    return text


def window(tokens: Sequence[int], tokenizer: Any, length: int, seed: Seed) -> Tensor:
    """[1, length] tokens at a random place, between the start and end marks that an encoder was trained with."""
    ends = [[tokenizer.cls_token_id], [tokenizer.sep_token_id]] if tokenizer.cls_token_id is not None else [[], []]
    inside = length - len(ends[0]) - len(ends[1])
    if len(tokens) < inside:
        raise ValueError(f"the text has {len(tokens)} tokens, fewer than a window of {inside}")
    start = int(seed.numpy("window").integers(len(tokens) - inside + 1))
    return torch.tensor([ends[0] + list(tokens[start : start + inside]) + ends[1]], device=fit.device())


Look = Callable[[Any, Tensor], None]


@contextmanager
def looking(look: Look) -> Iterator[None]:
    """While it lasts, models loaded with RECORDING hand the logits [B, H, n, n] of every self-attention to ``look``.

    The masks of a full window without padding are known: none, or the triangle of a causal module.
    """
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    def attend(
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        scaling: float | None = None,
        position_bias: Tensor | None = None,
        # What else the models pass on, without effect here: no dropout, no cache, no padding, no window.
        dropout: object = None,
        sliding_window: object = None,
        use_cache: object = None,
        cache_position: object = None,
        position_ids: object = None,
        encoder_hidden_states: object = None,
        output_attentions: object = None,
    ) -> tuple[Tensor, None]:
        groups = query.shape[1] // key.shape[1]  # several heads may share their keys and values
        key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
        logits = query.double() @ key.double().mT * (query.shape[-1] ** -0.5 if scaling is None else scaling)
        if position_bias is not None:
            logits = logits + position_bias.double()
        own = query.shape[-2] == key.shape[-2] and not getattr(module, "crosses", False)
        if own:
            look(module, logits)
        weights = matrices.attention(logits, "lower" if own and module.is_causal else "none")
        return (weights.to(value.dtype) @ value).transpose(1, 2).contiguous(), None

    AttentionInterface.register(RECORDING, attend)
    AttentionMaskInterface.register(RECORDING, eager_mask)
    yield


def load(checkpoint: Checkpoint, folder: str) -> tuple[Any, Any]:
    """Tokenizer and model in evaluation mode, float32, cross-attention marked as such."""
    from transformers import AutoModel, AutoTokenizer

    place, revision = source(checkpoint.repository, checkpoint.revision, folder)
    tokenizer = AutoTokenizer.from_pretrained(place, revision=revision)
    model = AutoModel.from_pretrained(place, revision=revision, attn_implementation=RECORDING, dtype=torch.float32)
    for name, module in model.named_modules():
        if name.endswith("EncDecAttention"):
            module.crosses = True
    return tokenizer, model.eval().to(fit.device())


def measure(seeds: Sequence[Seed], tier: Tier, *, model: str, mask: str) -> Mapping[str, Any]:
    """Geometric mean of the effective rank over layers and heads; the spread of the logits; one window per seed."""
    checkpoint = CHECKPOINTS[model]
    found: list[tuple[Tensor, Tensor]] = []

    def look(module: Any, logits: Tensor) -> None:
        if checkpoint.part in ("all", "decoder" if module.is_causal else "encoder"):
            s = torch.linalg.svdvals(matrices.attention(logits[0], mask))
            spread = (logits[0] - logits[0].mean(-1, keepdim=True)).square().mean((-2, -1)).sqrt()
            found.append((matrices.effective_rank(s), spread))

    with looking(look), torch.no_grad():
        tokenizer, network = load(checkpoint, tier["folder"])
        tokens = tokenizer(words(tier["characters"], tier["folder"]), add_special_tokens=False, verbose=False)[
            "input_ids"
        ]
        ranks, spreads = [], []
        for seed in seeds:
            found.clear()
            ids = window(tokens, tokenizer, tier["tokens"], seed)
            if checkpoint.part == "decoder":
                network(input_ids=ids, decoder_input_ids=ids)
            elif checkpoint.part == "encoder":
                network.encoder(input_ids=ids)
            else:
                network(input_ids=ids)
            if not found:
                raise ValueError(
                    f"{model}: no self-attention was seen; this version of transformers builds it otherwise"
                )
            ranks.append(matrices.geometric_mean(torch.cat([rank for rank, _ in found])))
            spreads.append(matrices.geometric_mean(torch.cat([spread for _, spread in found])))
    return {"effective_rank": torch.stack(ranks), "logit_sd": torch.stack(spreads)}


EXPERIMENT = Experiment(
    name="pretrained",
    measure=measure,
    arms=MASKS,
    conditions={"model": tuple(CHECKPOINTS)},
    tiers={"hub": Tier(seeds=16, at_most=64, stack=8, sizes={"folder": "", "characters": 400_000, "tokens": 512})},
)
