"""Experiments "table", "narrow-heads" and "wide-heads": the proved b*(L) beside both printed rows, and other heads."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise, zip_longest
from typing import Any

import numpy as np

from suite.claims import Experiment, Tier
from suite.figures import Axis, Curves, Table
from suite.seeds import Seed
from tasks.rope_base_lower_bound.sweep import Proof, Rotary, infima, lowest

LENGTHS = tuple(1024 << k for k in range(11))
POST = (4.3e3, 1.2e4, 2.7e4, 8.4e4, 2.3e5, 6.3e5, 2.1e6, 4.9e6, 2.4e7, 5.8e7, 6.5e7)
PAPER = (4.3e3, 1.6e4, 2.7e4, 8.4e4, 3.1e5, 6.4e5, 2.1e6, 7.8e6, 3.6e7, 6.4e7, 5.1e8)
RED = (0, 1, 0, 0, 1, 1, 0, 1, 1, 1, 1)  # the columns that the post prints in red: tighter than the paper's
X0 = 0.6165054856  # the first zero of Ci; b* tends to L / X0 as the head grows
LLAMA3 = 5e5


def two_digits(b: float) -> float:
    """b as the tables print it.

    >>> two_digits(58496173.8), two_digits(4293.44)
    (58000000.0, 4300.0)
    """
    return float(f"{b:.1e}")


def digit(printed: float) -> float:
    """The worth of the second digit of a printed number.

    >>> digit(4.3e3), digit(1.2e4)
    (100.0, 1000.0)
    """
    return 10.0 ** (math.floor(math.log10(printed) + 1e-9) - 1)


def power_law(lengths: Sequence[float], bases: Sequence[float]) -> tuple[float, float]:
    """(exponent, coefficient) of the least-squares line of ln b on ln L.

    >>> [round(v, 6) for v in power_law([1, 2, 4], [3, 12, 48])]
    [2.0, 3.0]
    """
    exponent, constant = np.polyfit(np.log(lengths), np.log(bases), 1)
    return float(exponent), float(np.exp(constant))


def columns(proof: Proof) -> Mapping[str, list[float]]:
    """The two ends of each length's bracket, and its relative width."""
    found = proof.brackets
    return {
        "every_length": [b.length for b in found],
        "every_low": [b.low for b in found],
        "every_high": [b.high for b in found],
        "every_width": [b.high / b.low - 1 for b in found],
        "every_share": [b.low / b.length for b in found],
    }


def measure(seeds: list[Seed], tier: Tier) -> dict[str, list[Any]]:
    """A head of 128: the columns that are printed, those beyond, and what the post concludes from them."""
    rope = Rotary(128)
    proof = infima(rope, tier["lengths"])
    printed = len([n for n in tier["lengths"] if n in LENGTHS])
    lengths, post, paper = LENGTHS[:printed], POST[:printed], PAPER[:printed]
    if tuple(tier["lengths"][:printed]) != lengths:
        raise ValueError(f"the lengths start at 1024 and double, got {tier['lengths']}")
    low, high = ([getattr(b, end) for b in proof.brackets[:printed]] for end in ("low", "high"))
    ours = [two_digits(b) for b in low]
    excess = [round((p - b) / digit(p)) for p, b in zip(paper, ours, strict=True)]
    exponent, coefficient = power_law(lengths, low)
    papers_exponent, papers_coefficient = power_law(LENGTHS, PAPER)
    found: dict[str, Any] = {
        **columns(proof),
        "holes": proof.holes,
        "steps": proof.steps,
        "scans": proof.scans,
        "length": list(lengths),
        "post": list(post),
        "paper": list(paper),
        "base": low,
        "low_off": [(b - p) / digit(p) for p, b in zip(post, low, strict=True)],
        "high_off": [(b - p) / digit(p) for p, b in zip(post, high, strict=True)],
        "paper_excess": excess,
        "paper_over": [p / b for p, b in zip(paper, low, strict=True)],
        "colour_mismatches": sum((e > 0) != bool(red) for e, red in zip(excess, RED, strict=False)),
        "start_lowest": [lowest(rope, math.log(1000 * n), n)[0] for n in lengths],
        "limit": [n / X0 for n in lengths],
        "over_limit": [b * X0 / n for n, b in zip(lengths, low, strict=True)],
        "growth": [b / a for a, b in zip(high, low[1:], strict=False)],
        "exponent": exponent,
        "coefficient": coefficient,
        "law": [coefficient * n**exponent for n in lengths],
        "papers_exponent": papers_exponent,
        "papers_coefficient": papers_coefficient,
        "papers_law": [0.0424 * n**1.628 for n in lengths],
        "llama3_over": LLAMA3 / high[LENGTHS.index(8192)],
        # what the tables would print; not a number where the tier stops short
        **{f"printed_{n}": b for n, b in zip_longest(LENGTHS, ours, fillvalue=math.nan)},
    }
    return {name: [value] * len(seeds) for name, value in found.items()}


EXPERIMENT = Experiment(
    name="table",
    measure=measure,
    tiers={
        "smoke": Tier(seeds=1, sizes={"lengths": LENGTHS[:6]}),
        "cpu": Tier(seeds=1, sizes={"lengths": (*LENGTHS, 1 << 21)}),
        "gpu": Tier(seeds=1, sizes={"lengths": (*LENGTHS, 1 << 21, 1 << 22, 1 << 23)}),
    },
)

NARROW, WIDE = (64, 96, 128), (128, 192, 256)


def heads(tier: Tier, widths: Sequence[int]) -> dict[str, Any]:
    """b*(L) for heads of several widths, and each wider head's over the next narrower one's."""
    lengths = tier["lengths"]
    proofs = [infima(Rotary(width), lengths) for width in widths]
    rows = [[b.low for b in proof.brackets] for proof in proofs]
    return {
        "length": list(lengths),
        "holes": sum(proof.holes for proof in proofs),
        "wider_over_narrower": [[b / a for a, b in zip(*pair, strict=True)] for pair in pairwise(rows)],
        "exponents": [power_law(lengths, row)[0] for row in rows],
        **{f"d{width}": row for width, row in zip(widths, rows, strict=True)},
    }


def narrow(seeds: list[Seed], tier: Tier) -> dict[str, list[Any]]:
    return {name: [value] * len(seeds) for name, value in heads(tier, NARROW).items()}


def wide(seeds: list[Seed], tier: Tier) -> dict[str, list[Any]]:
    return {name: [value] * len(seeds) for name, value in heads(tier, WIDE).items()}


HEADS = {
    "smoke": Tier(seeds=1, sizes={"lengths": LENGTHS[:3]}),
    "cpu": Tier(seeds=1, sizes={"lengths": LENGTHS}),
    "gpu": Tier(seeds=1, sizes={"lengths": LENGTHS}),
}
NARROW_HEADS = Experiment(name="narrow-heads", measure=narrow, tiers=HEADS)
WIDE_HEADS = Experiment(name="wide-heads", measure=wide, tiers=HEADS)

# --- Figures --------------------------------------------------------------------------------------

TOKENS = Axis("context", "tokens", log=True)
BASES = Axis("base", log=True)
FIGURES = (
    Curves(
        title="The smallest base for a context",
        caption="Both printed rows, the proved infimum, its limit for wide heads, and the two power laws.  The "
        "paper's row leaves the infimum behind; its law inherits that.",
        experiment="table",
        y=("paper", "post", "base", "limit", "papers_law", "law"),
        x="length",
        labels=("paper", "post", "proved", "L / x0", "paper's law", "law of ours"),
        x_axis=TOKENS,
        y_axis=BASES,
        horizontal=((1e4, "LLaMA-1, -2"), (5e5, "LLaMA-3")),
    ),
    Table(
        title="Three rows side by side",
        caption="The paper's base, the post's, the proved b*, and what these are over b* and over the limit L / x0.",
        experiment="table",
        columns=(
            ("length", "L"),
            ("paper", "paper"),
            ("post", "post"),
            ("base", "proved b*"),
            ("paper_over", "paper / b*"),
            ("over_limit", "b* x0 / L"),
        ),
        digits=10,
    ),
    Table(
        title="The proof, to lengths that nobody printed",
        caption="b*, the relative width of the bracket in which it is proved to lie, and b* per token.",
        experiment="table",
        columns=(
            ("every_length", "L"),
            ("every_low", "b*"),
            ("every_width", "width"),
            ("every_share", "b* / L"),
        ),
        digits=7,
    ),
    *(
        Curves(
            title=title,
            caption="b* against the length, all proved; d = 128 is the post's table.",
            experiment=experiment,
            y=tuple(f"d{width}" for width in widths),
            x="length",
            labels=tuple(f"d = {width}" for width in widths),
            x_axis=TOKENS,
            y_axis=BASES,
            small=True,
        )
        for title, experiment, widths in (
            ("Heads of 64 to 128", "narrow-heads", NARROW),
            ("Heads of 128 to 256", "wide-heads", WIDE),
        )
    ),
    *(
        Table(
            title=title,
            caption="b* by length and width of the head.",
            experiment=experiment,
            columns=(("length", "L"), *((f"d{width}", f"d = {width}") for width in widths)),
            digits=8,
        )
        for title, experiment, widths in (
            ("The table for heads of 64 to 128", "narrow-heads", NARROW),
            ("The table for heads of 128 to 256", "wide-heads", WIDE),
        )
    ),
)
