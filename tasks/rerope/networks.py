"""The networks that all arms share, the treatments of positions by name, and how an arm is examined.

Networks, data and metrics are those of the page on length extrapolation: small decoders that learned recall and
offset labelling at length N with plain RoPE.  They are trained once for both pages.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from suite import fit
from suite.blocks.attention.blockwise import Blockwise
from suite.blocks.attention.protocol import Attention
from suite.blocks.attention.rotary import Rotary
from suite.blocks.models.pluggable import Pluggable
from suite.blocks.positions.log_scale import Scale, log_n, log_n_dagger
from suite.blocks.positions.scaling import ntk_mixed, yarn
from suite.claims import Tier
from suite.seeds import Seed
from tasks.length_extrapolation.networks import (
    AT_ONCE,
    LARGE,
    NETWORK,
    RECIPE,
    examination,
    language_of,
    networks,
    share,
    theta,
)

# When the queries' factor log_N n is there: never; at the test alone, as max(1, log_N n); in training and at the test.
SCALES = ("none", "test", "trained")
# The networks of the cpu and gpu tiers are those of the other page; the small ones get longer texts, a second layer and
# one wide head: with less the tuned methods do best at the ends of their grids.
SMALL = {"length": 24, "keys": 4, "width": 32, "depth": 2, "heads": 1, "batch": 24, "steps": 150}
SIZES = {"smoke": SMALL, "cpu": NETWORK, "gpu": LARGE}
TIMES = 8  # how many times longer tests are than training

Rows = Sequence[int]


def scale_of(name: str, length: int) -> Scale | None:
    return {"none": None, "test": log_n_dagger(length), "trained": log_n(length)}[name]


def window_of(share: float, length: int) -> int:
    """A window as a share of N."""
    return round(share * length)


def treated(method: str, knob: float, scale: str, tier: Tier, times: float = TIMES) -> list[Attention]:
    """The attention of every layer at the test, for texts ``times`` N long.

    RoPE       as it is                        NTK-mixed  knob: b, the shares of the digits
    YaRN       knob: tau, turns that stay       ReRoPE, Leaky k  knob: the window over N
    """
    found, length = theta(tier["width"], tier["heads"]), tier["length"]
    by = scale_of(scale, length)
    if method == "RoPE":
        one: Attention = Rotary(found, by)
    elif method == "NTK-mixed":
        one = Rotary(ntk_mixed(found, times, knob), by)
    elif method == "YaRN":
        one = Rotary(yarn(found, times, length, knob), by)
    else:
        k = {"ReRoPE": math.inf, "Leaky 4": 4.0, "Leaky 8": 8.0, "Leaky 16": 16.0, "Leaky 32": 32.0}[method]
        one = Blockwise(frequencies=found, window=window_of(knob, length), k=k, scale=by)
    return [one] * tier["depth"]


def stack(seeds: Sequence[Seed], tier: Tier, scale: str) -> Pluggable:
    """The networks of these seeds; those that learned with log n where the scale says so."""
    return networks(seeds, tier, scale == "trained")


def examined(
    model: Pluggable, attention: Sequence[Attention], seeds: Sequence[Seed], tier: Tier, times: float = TIMES
) -> dict[str, Tensor]:
    """On about ``tier["tokens"]`` tokens of each seed, in texts ``times`` N long, [R] (float64) each:

    recall  share of right answers to queries;  far  to those at N steps or more (NaN where there are none)
    local   to offsets;                         mean (recall + local) / 2
    loss    cross-entropy in nats, mean of that on queries and that on offsets: it still tells where all answers are
            right
    """
    length = round(times * tier["length"])
    asked = examination(seeds, language_of(model), length, max(2, tier["tokens"] // length))
    size = max(1, AT_ONCE // (len(seeds) * length))
    right, losses = [], []
    with torch.no_grad():
        for tokens, labels in zip(asked.tokens.split(size, 1), asked.labels.split(size, 1), strict=True):
            logits = model(tokens.to(fit.device()), attention).cpu()
            each = F.cross_entropy(logits.flatten(0, 2), labels.clamp_min(0).flatten(), reduction="none")
            right.append(logits.argmax(-1) == labels)
            losses.append(each.view_as(labels).double())
    correct, loss = torch.cat(right, 1), torch.cat(losses, 1)
    recall, local = share(correct, asked.recall), share(correct, asked.local)
    lost = [(loss * mask).flatten(1).sum(1) / mask.flatten(1).sum(1) for mask in (asked.recall, asked.local)]
    return {
        "recall": recall,
        "far": share(correct, asked.far(tier["length"])),
        "local": local,
        "mean": (recall + local) / 2,
        "loss": (lost[0] + lost[1]) / 2,
    }


def row_by_row(
    seeds: Sequence[Seed], settings: Sequence[Any], measure: Callable[[list[Seed], Any], dict[str, Tensor]]
) -> dict[str, list[Any]]:
    """Measure the trials of a unit, those of one setting together, and put the answers back in order."""
    found: dict[str, list[Any]] = {}
    for setting in dict.fromkeys(settings):
        rows = [row for row, other in enumerate(settings) if other == setting]
        for name, column in measure([seeds[row] for row in rows], setting).items():
            entries = found.setdefault(name, [None] * len(seeds))
            for row, entry in zip(rows, column.tolist(), strict=True):
                entries[row] = entry
    return found


__all__ = ["RECIPE", "SCALES", "SIZES", "TIMES", "examined", "row_by_row", "stack", "theta", "treated", "window_of"]
