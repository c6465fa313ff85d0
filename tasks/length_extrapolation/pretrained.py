"""Experiment "pretrained" (hub): a pretrained Llama model beyond its training length, without tuning (c8, c1, c4).

The loss is taken on the same last N / 2 tokens of a stretch of text, once with N tokens of context and once with 4 N.
Masks are handed to the model as they are; PI, YaRN and the scaled base go through its own ``rope_parameters``.
Checkpoint and WikiText-103 (Merity et al., arXiv:1609.07843; CC BY-SA) come at fixed revisions, or from a folder that
holds them under the same names.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from suite import fit
from suite.blocks.attention.rotary import visible
from suite.blocks.data import wikitext
from suite.blocks.data.hub import source
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed

MODEL = ("HuggingFaceTB/SmolLM-135M", "1d461723eec654e65efdc40cf49301c89c0c92f4")  # Llama, N = 2048, base 10^4
SINKS = 4


def words(characters: int, folder: str) -> str:
    """The first characters of WikiText-103's test part, raw."""
    text = wikitext.beginning("test", characters, folder and str(Path(folder) / wikitext.REPOSITORY))
    fit.uses("wikitext-103, test", sha256(text.encode()).hexdigest())
    return text


def positions(method: str, base: float, width: int, factor: int, length: int) -> dict[str, Any]:
    """``rope_parameters`` of a method; ``base``, N = ``length`` and heads of ``width`` numbers are the checkpoint's.

    >>> positions("NTK-bloc97", 100.0, 4, 4, 8)
    {'rope_type': 'default', 'rope_theta': 1600.0}
    """
    if method == "PI":
        return {"rope_type": "linear", "rope_theta": base, "factor": float(factor)}
    if method == "YaRN":
        return {
            "rope_type": "yarn",
            "rope_theta": base,
            "factor": float(factor),
            "original_max_position_embeddings": length,
        }
    exponent = {"NTK-old": 1.0, "NTK-bloc97": width / (width - 2)}.get(method)
    return {"rope_type": "default", "rope_theta": base if exponent is None else base * factor**exponent}


def load(method: str, factor: int, folder: str) -> tuple[Any, Any, int]:
    """Tokenizer, model in evaluation mode with the method's frequencies, and the length N that it was trained at."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    place, revision = source(*MODEL, folder)
    config = AutoConfig.from_pretrained(place, revision=revision)
    length, base = config.max_position_embeddings, config.rope_parameters["rope_theta"]
    width = config.hidden_size // config.num_attention_heads
    config.rope_parameters = positions(method, base, width, factor, length)
    config.max_position_embeddings = factor * length
    model = AutoModelForCausalLM.from_pretrained(
        place, revision=revision, config=config, attn_implementation="sdpa", dtype=torch.float32
    )
    tokenizer = AutoTokenizer.from_pretrained(place, revision=revision)
    return tokenizer, model.eval().to(fit.device()), length


def last_loss(model: Any, tokens: Tensor, number: int, window: int | None, sinks: int) -> Tensor:
    """Mean loss, in nats, of the last ``number`` of ``tokens`` [1, T + 1]; with a window the model sees that mask."""
    length = tokens.shape[-1] - 1
    inputs: dict[str, Any] = {"input_ids": tokens[:, :-1], "use_cache": False, "logits_to_keep": number}
    if window is not None:
        seen = visible(length, window=window, sinks=sinks).to(tokens.device)
        inputs["attention_mask"] = torch.zeros(1, 1, length, length, device=tokens.device).masked_fill_(
            ~seen, torch.finfo(torch.float32).min
        )
    return F.cross_entropy(model(**inputs).logits[0].double(), tokens[0, -number:])


def measure(seeds: Sequence[Seed], tier: Tier, *, method: str, windowed: bool, sinks: int) -> Mapping[str, Any]:
    """One stretch of text per seed: the loss at ``factor`` N ("long"), at N ("short"), and the difference."""
    factor, folder = tier["factor"], tier["folder"]
    tokenizer, model, length = load(method, factor, folder)
    read = tokenizer(words(tier["characters"], folder), add_special_tokens=False, verbose=False)["input_ids"]
    if len(read) <= factor * length:
        raise ValueError(f"the text has {len(read)} tokens, not more than {factor * length}")
    plain = model if method == "RoPE" else load("RoPE", factor, folder)[1]
    long, short = [], []
    with torch.no_grad():
        for seed in seeds:
            start = int(seed.numpy("stretch").integers(len(read) - factor * length))
            tokens = torch.tensor([read[start : start + factor * length + 1]], device=fit.device())
            long.append(last_loss(model, tokens, length // 2, length if windowed else None, sinks))
            short.append(last_loss(plain, tokens[:, -length - 1 :], length // 2, None, 0))
    found = torch.stack(long), torch.stack(short)
    return {"long": found[0], "short": found[1], "rise": found[0] - found[1]}


def arm(name: str, method: str = "RoPE", windowed: bool = False, sinks: int = 0) -> Arm:
    return Arm(name, fixed={"method": method, "windowed": windowed, "sinks": sinks})


EXPERIMENT = Experiment(
    name="pretrained",
    measure=measure,
    arms=(
        arm("RoPE"),
        *(arm(method, method) for method in ("PI", "NTK-old", "NTK-bloc97", "YaRN")),
        arm("window", windowed=True),
        arm("window and first 4", windowed=True, sinks=SINKS),
    ),
    tiers={"hub": Tier(seeds=8, at_most=32, sizes={"folder": "", "characters": 1_500_000, "factor": 4})},
)
