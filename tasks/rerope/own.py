"""Networks with a training of their own: with ReRoPE throughout (c13), with inverse Leaky ReRoPE (c8, c9), and HWFA,
windowed layers under full ones, with ReRoPE in the full layers at the test (HWFA2; c11, c12).

Same data, same steps, same weights at the start as the networks of the other experiments; HWFA gets twice the steps,
since its layer without positions learns late.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from suite.blocks.attention.blockwise import Blockwise
from suite.blocks.attention.protocol import Attention
from suite.blocks.attention.rotary import NoPositions, Rotary
from suite.blocks.attention.two_step import TwoStep
from suite.blocks.models.pluggable import Pluggable
from suite.blocks.positions.log_scale import log_n
from suite.claims import Arm, Experiment, Tier
from suite.seeds import Seed
from suite.trained import trained
from tasks.length_extrapolation.networks import learn, restored
from tasks.rerope.networks import RECIPE, SIZES, TIMES, examined, row_by_row, stack, theta, treated, window_of

COLLECTION = "rerope-own/r1"
QUARTER, HALF = 1 / 4, 1 / 2
INVERSE_STEPS = (TIMES, 2 * TIMES, 4 * TIMES)  # 1 / k of the inverse: half, once and twice what the post says
INVERSE_SHARES = (1 / 8, 1 / 4, 1 / 2)


# --- How a network is trained, and how it is tested afterwards ---------------------------------------


def full_layers(depth: int, full: int) -> list[int]:
    """Where HWFA2 has its full layers, counted from 0: floor(depth j / (f + 1)), j = 1 .. f.

    >>> full_layers(24, 1), full_layers(24, 2), full_layers(4, 2)
    ([12], [8, 16], [1, 2])
    """
    return [depth * j // (full + 1) for j in range(1, full + 1)]


def layers(
    kind: str, *, test: bool, length: int, width: int, depth: int, heads: int, share: float, full: int, by: float
) -> list[Attention]:
    """One attention per layer.  ``share``: a window over N; ``full``: number of full layers; ``by``: 1 / k.

    rerope    ReRoPE in training and at the test, no log n
    inverse   Leaky ReRoPE with steps ``by`` beyond the window in training, plain RoPE at the test; log n
    hwfa      windows, and a last layer without positions that sees everything, with log n; as trained at the test
    hwfa2     windows, and full layers with RoPE and log n; at the test the full layers get ReRoPE with w = N / 2
    """
    found, scale = theta(width, heads), log_n(length)
    window = window_of(share, length)
    # Two whole matrices are the faster form at the length of training.
    form = Blockwise if test else TwoStep
    half = Blockwise(frequencies=found, window=window_of(HALF, length), scale=scale)
    if kind == "rerope":
        return [form(frequencies=found, window=window)] * depth
    if kind == "inverse":
        bent = TwoStep(frequencies=found, window=window, k=1 / by, scale=scale)
        return [Rotary(found, scale) if test else bent] * depth
    narrow: Attention = Rotary(found, window=window)
    if kind == "hwfa":
        return [*[narrow] * (depth - 1), NoPositions(scale)]
    wide: Attention = half if test else Rotary(found, scale)
    return [wide if layer in full_layers(depth, full) else narrow for layer in range(depth)]


def train(
    seeds: Sequence[Seed],
    *,
    kind: str,
    share: float,
    full: int,
    by: float,
    length: int,
    keys: int,
    width: int,
    depth: int,
    heads: int,
    batch: int,
    steps: int,
) -> Pluggable:
    attention = layers(
        kind, test=False, length=length, width=width, depth=depth, heads=heads, share=share, full=full, by=by
    )
    return learn(
        seeds,
        attention,
        length=length,
        keys=keys,
        width=width,
        depth=depth,
        heads=heads,
        batch=batch,
        steps=2 * steps if kind == "hwfa" else steps,
    )


def own(
    seeds: Sequence[Seed], tier: Tier, kind: str, share: float = QUARTER, full: int = 0, by: float = 1.0
) -> tuple[Pluggable, list[Attention]]:
    """Trained networks and the attention that they are tested with."""
    recipe = {name: tier[name] for name in RECIPE} | {"kind": kind, "share": share, "full": full, "by": by}
    model = restored(trained(COLLECTION, train, seeds, recipe), seeds, tier)
    shape = {name: tier[name] for name in ("length", "width", "depth", "heads")}
    return model, layers(kind, test=True, **shape, share=share, full=full, by=by)


def at_both(
    model: Pluggable, test: Sequence[Attention], seeds: Sequence[Seed], tier: Tier, short: Sequence[Attention]
) -> dict[str, Tensor]:
    """Accuracies at 8 N, and the mean at N with the attention of training (``short``)."""
    return {**examined(model, test, seeds, tier), "at_n": examined(model, short, seeds, tier, 1)["mean"]}


# --- Trained with what it is tested with (c13) --------------------------------------------------------


def throughout(seeds: Sequence[Seed], tier: Tier, *, train_with: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """ReRoPE with w = N / 4 at the test; networks that learned with RoPE, or with that very ReRoPE."""

    def one(some: list[Seed], kind: str) -> dict[str, Tensor]:
        if kind == "rope":
            model, test = stack(some, tier, "none"), treated("ReRoPE", QUARTER, "none", tier)
            return at_both(model, test, some, tier, treated("RoPE", 0.0, "none", tier))
        model, test = own(some, tier, "rerope")
        return at_both(model, test, some, tier, test)

    return row_by_row(seeds, train_with, one)


THROUGHOUT = Experiment(
    name="throughout",
    measure=throughout,
    arms=(
        Arm("ReRoPE at the test", fixed={"train_with": "rope"}),
        Arm("ReRoPE throughout", fixed={"train_with": "rerope"}),
    ),
    columns=("train_with",),
    tiers={
        "cpu": Tier(seeds=8, stack=4, at_most=16, sizes={**SIZES["cpu"], "tokens": 4096}),
        "gpu": Tier(seeds=8, at_most=16, sizes={**SIZES["gpu"], "tokens": 32_768}),
    },
)

# --- The inverse: dear in training, free at the test (c8, c9) -----------------------------------------

ORDERED = ("RoPE", "inverse", "ReRoPE")


def inverse(seeds: Sequence[Seed], tier: Tier, *, method: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """All with log n in training."""

    def one(some: list[Seed], name: str) -> dict[str, Tensor]:
        if name in ("RoPE", "ReRoPE"):
            plain = treated("RoPE", 0.0, "trained", tier)
            return at_both(stack(some, tier, "trained"), treated(name, HALF, "trained", tier), some, tier, plain)
        if name == "HWFA":
            model, test = own(some, tier, "hwfa", HALF)
        else:
            model, test = own(some, tier, "inverse", QUARTER, by=2.0 * TIMES)
        return at_both(model, test, some, tier, test)

    return row_by_row(seeds, method, one)


def inverse_grid(seeds: Sequence[Seed], tier: Tier) -> Mapping[str, Sequence[Any]]:
    """Accuracy at 8 N of inverses, [1 / k][w], and how far every other stands above the post's choice."""
    rows = []
    for by in INVERSE_STEPS:
        cells = [own(seeds, tier, "inverse", share, by=float(by)) for share in INVERSE_SHARES]
        rows.append(torch.stack([examined(model, test, seeds, tier)["mean"] for model, test in cells], 1))
    mean = torch.stack(rows, 1)
    chosen = mean[:, INVERSE_STEPS.index(2 * TIMES), INVERSE_SHARES.index(QUARTER)]
    others = torch.cat([mean.flatten(1)[:, :4], mean.flatten(1)[:, 5:]], 1)
    return {"mean": mean.tolist(), "above": (others - chosen.unsqueeze(1)).tolist()}


TIERS = {
    "cpu": Tier(seeds=8, stack=4, at_most=16, sizes={**SIZES["cpu"], "tokens": 4096}),
    "gpu": Tier(seeds=8, at_most=16, sizes={**SIZES["gpu"], "tokens": 32_768}),
}
GPU = {"gpu": TIERS["gpu"]}
INVERSE = Experiment(
    name="inverse",
    measure=inverse,
    arms=tuple(Arm(name, fixed={"method": name}) for name in ORDERED),
    columns=("method",),
    tiers=TIERS,
)
INVERSE_HWFA = Experiment(
    name="inverse-and-hwfa",
    measure=inverse,
    arms=tuple(Arm(name, fixed={"method": name}) for name in ("inverse", "HWFA")),
    columns=("method",),
    tiers=GPU,
)
# Nine trainings per seed: of small networks, on the gpu tier too.
INVERSE_GRID = Experiment(
    name="inverse-grid",
    measure=inverse_grid,
    tiers={"gpu": Tier(seeds=8, at_most=16, sizes={**SIZES["cpu"], "tokens": 8192})},
)

# --- HWFA with ReRoPE at the test (c11, c12) ----------------------------------------------------------

# (window over N, full layers): those of the published table at w = 64 and 256 of N = 512.
HYBRIDS = {"w N/8, 1 full": (1 / 8, 1), "w N/8, 2 full": (1 / 8, 2), "w N/2, 1 full": (1 / 2, 1)}


def hybrid(seeds: Sequence[Seed], tier: Tier, *, method: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """Accuracies at 8 N and at N, and the same less those of ReRoPE on a network of the same depth."""
    shape = {key: tier[key] for key in ("length", "width", "depth", "heads")}

    def accuracies(some: list[Seed], name: str) -> dict[str, Tensor]:
        if name not in HYBRIDS:
            plain, long = (treated(method, HALF, "trained", tier) for method in ("RoPE", "ReRoPE"))
            return at_both(stack(some, tier, "trained"), long, some, tier, plain)
        share, full = HYBRIDS[name]
        model, test = own(some, tier, "hwfa2", share, full)
        return at_both(model, test, some, tier, layers("hwfa2", test=False, **shape, share=share, full=full, by=1.0))

    def one(some: list[Seed], name: str) -> dict[str, Tensor]:
        found, base = accuracies(some, name), accuracies(some, "ReRoPE")
        return {**found, "above": found["mean"] - base["mean"], "above_at_n": found["at_n"] - base["at_n"]}

    return row_by_row(seeds, method, one)


HYBRID = Experiment(
    name="hybrid",
    measure=hybrid,
    arms=tuple(Arm(name, fixed={"method": name}) for name in ("ReRoPE", *HYBRIDS)),
    columns=("method",),
    tiers=GPU,
)
