"""Experiment "inference": the published table.  One network per seed, plain or trained with log n; arms differ in the
attention that is handed to it at test time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from suite.blocks.attention.rotary import Rotary, Scale
from suite.blocks.data.distinct import distinct
from suite.blocks.positions import log_scale, scaling
from suite.claims import Arm, Experiment, Tier, Winner
from suite.seeds import Seed
from tasks.length_extrapolation.networks import LARGE, NETWORK, TINY, accuracies, networks, theta

METHODS = ("RoPE", "PI", "NTK-old", "NTK-bloc97", "NTK-fixed", "NTK-mixed", "YaRN", "window")


def rescaled(method: str, shape: float, frequencies: Tensor, factor: float, length: int) -> Tensor:
    """The frequencies that a method tests with; ``shape`` is the b of NTK-mixed or the tau of YaRN."""
    if method in ("RoPE", "window"):
        return frequencies
    if method == "PI":
        return scaling.pi(frequencies, factor)
    if method == "NTK-old":
        return scaling.ntk_old(frequencies, factor)
    if method == "NTK-bloc97":
        return scaling.ntk(frequencies, factor)
    if method == "NTK-fixed":
        return scaling.ntk_fixed(frequencies, factor)
    if method == "NTK-mixed":
        return scaling.ntk_mixed(frequencies, factor, shape)
    if method == "YaRN":
        return scaling.yarn(frequencies, factor, length, shape)
    raise ValueError(f"no method {method!r}; there are {', '.join(METHODS)}")


def query_scale(scale: str, log_n: bool, length: int, factor: float) -> Scale | None:
    """What queries are multiplied by: as in training ("own"), the dagger's, or YaRN's constant."""
    if scale == "dagger":
        return log_scale.log_n_dagger(length)
    if scale == "yarn":
        return log_scale.yarn_scale(factor)
    return log_scale.log_n(length) if log_n else None


def measure(
    seeds: Sequence[Seed],
    tier: Tier,
    *,
    log_n: bool,
    method: Sequence[str],
    scale: Sequence[str],
    shape: Sequence[float],
) -> Mapping[str, Any]:
    """Accuracies at ``factor`` times the training length; of the same arm at that length ("tax"), and of the network
    as it was trained ("short").
    """
    different, rows = distinct(seeds)
    model, length, factor, depth = networks(different, tier, log_n), tier["length"], tier["factor"], tier["depth"]
    frequencies, sequences = theta(tier["width"], tier["heads"]), tier["sequences"]
    many = sequences * factor  # as many tokens at the training length
    trained_as = [Rotary(frequencies, query_scale("own", log_n, length, factor))] * depth
    short = accuracies(model, trained_as, different, length, many, far=length)
    found: dict[tuple[str, str, float], Mapping[str, Tensor]] = {}
    for how in dict.fromkeys(zip(method, scale, shape, strict=True)):
        attention = Rotary(
            rescaled(how[0], how[2], frequencies, factor, length),
            query_scale(how[1], log_n, length, factor),
            window=length if how[0] == "window" else None,
        )
        there = accuracies(model, [attention] * depth, different, factor * length, sequences, far=length)
        here = accuracies(model, [attention] * depth, different, length, many, far=length)
        found[how] = {
            **there,
            "tax": here["mean"],
            "short": short["mean"],
            "short_recall": short["recall"],
            "short_local": short["local"],
            "local_change": there["local"] - short["local"],
        }
    entries = [
        {name: column[row] for name, column in found[how].items()}
        for how, row in zip(zip(method, scale, shape, strict=True), rows, strict=True)
    ]
    return {name: torch.stack([entry[name] for entry in entries]) for name in entries[0]}


def arm(name: str, method: str, *, scale: str = "own", log_n: bool = False, shape: float = 0.0) -> Arm:
    return Arm(name, fixed={"log_n": log_n, "method": method, "scale": scale, "shape": shape})


def like_yarn(name: str, *, scale: str = "own", log_n: bool = False) -> Arm:
    """With the tau that suits the plain networks: a frequency is a frequency, whatever multiplies the queries."""
    fixed = {"log_n": log_n, "method": "YaRN", "scale": scale}
    return Arm(name, fixed=fixed, like=Winner(experiment="inference", arm="YaRN"))


TAUS = (1.5, 2.0, 4.0, 8.0, 16.0, 32.0)
SHARES = (0.25, 0.5, 0.625, 0.75, 0.9)  # b of NTK-mixed; 0.625 is the post's, and its arm is named without b
POSTS_B = 0.625
DAGGER, LOG = ", log n†", ", log n"
THETA_ONLY = ("PI", "NTK-old", "NTK-bloc97", "NTK-fixed", "NTK-mixed")


def mixed(b: float) -> str:
    """The name of NTK-mixed's arm with this b."""
    return "NTK-mixed" if b == POSTS_B else f"NTK-mixed, b {b:g}"


ARMS = (
    arm("RoPE", "RoPE"),
    *(arm(method, method) for method in ("PI", "NTK-old", "NTK-bloc97", "NTK-fixed")),
    *(arm(mixed(b), "NTK-mixed", shape=b) for b in SHARES),
    arm("window", "window"),
    Arm("YaRN", fixed={"log_n": False, "method": "YaRN", "scale": "own"}, tuned={"shape": TAUS}),
    *(arm(method + DAGGER, method, scale="dagger") for method in ("RoPE", "PI", "NTK-fixed")),
    arm("NTK-mixed" + DAGGER, "NTK-mixed", scale="dagger", shape=POSTS_B),
    like_yarn("YaRN" + DAGGER, scale="dagger"),
    like_yarn("YaRN, its own factor", scale="yarn"),
    *(arm(method + LOG, method, log_n=True) for method in ("RoPE", "PI", "NTK-old", "NTK-fixed", "window")),
    arm("NTK-mixed" + LOG, "NTK-mixed", log_n=True, shape=POSTS_B),
    like_yarn("YaRN" + LOG, log_n=True),
)

EXPERIMENT = Experiment(
    name="inference",
    measure=measure,
    arms=ARMS,
    columns=("method", "scale", "shape"),
    tune_on="mean",
    best="max",
    tiers={
        "smoke": Tier(seeds=8, tuning_seeds=2, sizes={**TINY, "factor": 8, "sequences": 16}),
        "cpu": Tier(seeds=8, tuning_seeds=4, at_most=32, sizes={**NETWORK, "factor": 8, "sequences": 16}),
        "gpu": Tier(seeds=8, tuning_seeds=4, at_most=32, sizes={**LARGE, "factor": 8, "sequences": 16}),
    },
)
