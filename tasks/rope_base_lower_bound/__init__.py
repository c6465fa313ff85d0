"""How small may the base of rotary positions be for a context of L tokens?

The post.  Rotary positions turn pair i of a query by the angle m theta_i at distance m, theta_i = b^(-2i/d).  If a key
is a noisy copy of the query, it should on average score above an unrelated key, at every distance.  For independent
components of variance s^2 it does so by 2 s^2 f_b(m),

    f_b(m) = sum over i < d/2 of cos(m theta_i),

so that a context of L tokens wants f_b(m) >= 0 for m = 0, ..., L - 1.  The smallest such base b*(L) is what the post
is after.  Whether a base will do is not monotone in b, hence bisection is no option; the post refines a grid and
prints b* for d = 128 and L from 1k to 1M, below the row of the paper that it follows in seven of eleven columns.  For
d -> infinity the sum becomes an integral and the bound L / x0, about 1.6 L.  With half of the dimensions turned every
base will do; interpolation of positions is the same statement read the other way; LLaMA-3's base is called too large
by nearly an order of magnitude.

What is done here.  A grid bounds b* from above only.  Here b* is proved (sweep.py): every base below it breaks a named
distance, by steps whose length a bound of the second derivative allows, with the rounding of float64 included and
without a gap; all eleven columns take seconds on one core.  The same proof, turned round in feasible stretches, gives
the whole set of feasible bases; then come heads of 64 to 256 numbers, heads of which a part turns, and the post's own
search as an independent check.

Not the post's scale: the table is at full scale and beyond it.  c12 is the paper's, which tuned Llama2-7B at 32k; here
a small model is trained from nothing at 2048 tokens, on the gpu tier.  There is no hub tier: nothing else needs data
or weights.

Known to bite: m runs to L - 1, i starts at 0, 1k is 1024; in float32 a phase of 10^6 is known to 0.06 only; 5.8496e7
prints as 5.8e7; the bound is not necessary for a working model: b = 10^4 breaks it beyond 1707 tokens, and LLaMA-1 and
LLaMA-2 work at 2048 and 4096; trained queries and keys are not independent components.
"""

import torch
from torch import Tensor

from suite.claims import (
    Claim,
    Clause,
    Mutant,
    Outcome,
    Post,
    Published,
    Source,
    Task,
    at_least,
    at_most,
    exactly,
    within,
)
from suite.quantities import across, mean, paired_gap, value
from tasks.rope_base_lower_bound import asymptotics, gap, grid, interpolation, islands, partial, retrieval, sweep, table

SOURCE = Source(
    posts=(
        Post(
            title="Transformer升级之路：18、RoPE的底数选择原则",
            url="https://kexue.fm/archives/10122",
            date="2024-05-29",
        ),
    ),
    papers=(
        "X. Men, M. Xu, B. Wang and others, Base of RoPE Bounds Context Length, arXiv:2405.14591 (2024)",
        "S. Chen and others, Extending Context Window of Large Language Models via Position Interpolation, "
        "arXiv:2306.15595",
    ),
)

# --- What the post and the paper claim ------------------------------------------------------------

NEEDS_GPU = "models with heads of 128 and contexts of 2048 are trained at the gpu tier only"
PROOFS = ("table", "narrow-heads", "wide-heads", "partial", "asymptotics")
PRINTED_TO = within(-0.5, 0.5)  # in units of the second digit

CLAIMS = (
    Claim(
        id="c1",
        says="for d = 128 the post's row is the smallest feasible base b*(L) to the two digits that it prints",
        kind="numeric-table",
        headline=True,
        quantity=value("low_off", experiment="table"),
        claimed=PRINTED_TO,
        also=(
            Clause(quantity=value("high_off", experiment="table"), claimed=PRINTED_TO),
            Clause(quantity=value("holes", experiment="table"), claimed=exactly(0)),
        ),
        note="Both ends of the proved bracket of b*, less the printed number, in units of its second digit.  The smoke "
        "tier takes the columns 1k to 32k, the others all eleven.",
    ),
    Claim(
        id="c2",
        says="the paper's row is never below b*, and loose just where the post prints red: 2k, 16k, 32k, 128k to 1M",
        kind="numeric-table",
        quantity=value("paper_excess", experiment="table"),
        claimed=at_least(0),
        also=(Clause(quantity=value("colour_mismatches", experiment="table"), claimed=exactly(0)),),
        note="The paper's number less b* rounded to two digits, in units of the second digit.",
    ),
    Claim(
        id="c3",
        says="feasibility is not monotone in b: infeasible bases lie above feasible ones, and bisection misses b*",
        kind="numeric-table",
        quantity=value("feasible_margin", experiment="islands"),
        claimed=at_least(1e-6),
        also=(
            Clause(quantity=value("infeasible_margin", experiment="islands"), claimed=at_most(-1e-6)),
            Clause(quantity=value("bisected_over", experiment="islands"), claimed=at_least(1 + 1e-6)),
        ),
        note="The least f in the middle of the first island, and in the middle of the gap after it; what 45 "
        "halvings of [1, 1000 L] return, over b*, for L = 1k, 2k and 4k.",
    ),
    Claim(
        id="c4",
        says="b = 1000 L, where the search starts, is feasible for every length of the table",
        kind="numeric-table",
        quantity=value("start_lowest", experiment="table"),
        claimed=at_least(0),
    ),
    Claim(
        id="c5",
        says="the expected score of a noisy copy exceeds that of an unrelated key by 2 s^2 f_b(m)",
        kind="simulation",
        quantity=mean("error", experiment="expected-gap"),
        claimed=within(-0.5, 0.5),
        note="Measured gap over 2 s^2, less f_b(m), which runs from 62 down to 0.5 over the five distances; two "
        "laws, two means.",
    ),
    Claim(
        id="c6",
        says="f_b(m) 2/d is (Ci(m) - Ci(m/b)) / ln b up to O(1/d), and b*(L; d) falls to L/x0 as d grows, Ci(x0) = 0",
        kind="scaling",
        quantity=value("orders", experiment="asymptotics"),
        claimed=within(0.9, 1.1),
        also=(
            Clause(quantity=value("step_down", experiment="asymptotics"), claimed=at_most(1)),
            Clause(quantity=value("excess_step_down", experiment="asymptotics"), claimed=at_most(1)),
            Clause(quantity=value("ci_at_x0", experiment="asymptotics"), claimed=at_most(1e-9)),
        ),
        note="Observed order at m = 1, 3, 10 from d = 128 to 2048.  At m = 1000 and 5000 there is no such order: "
        "the sum resolves the integrand only while 2 m ln b / d < pi, that is m < 22 at d = 128, so that at single "
        "distances the integral says little about the heads in use.",
    ),
    Claim(
        id="c7",
        says="at d = 128 b*(L) lies above the limit L/x0 and grows with L",
        kind="comparison",
        quantity=value("over_limit", experiment="table"),
        claimed=at_least(1 + 1e-9),
        also=(Clause(quantity=value("growth", experiment="table"), claimed=at_least(1 + 1e-9)),),
    ),
    Claim(
        id="c8",
        says="with half of the dimensions turned, f >= 0 for every base and every distance",
        kind="identity",
        quantity=value("half_lowest", experiment="partial"),
        claimed=at_least(-1e-12),
        note="Least f over 200 x 200 bases and distances, for heads of 64, 128 and 256.  One turning pair more, and f "
        "falls to -2.",
    ),
    Claim(
        id="c9",
        says="positions divided by k stretch the range in which f >= 0 k-fold",
        kind="identity",
        quantity=value("lead", experiment="interpolation"),
        claimed=within(0, 1),
        note="The first negative whole distance less k t0, where t0 is the first zero of f at real distances: it is "
        "the next whole number, for k = 2, 4, 8 and three bases.",
    ),
    Claim(
        id="c10",
        says="LLaMA-3's base of 5e5 is about six times b*(8192)",
        kind="numeric-table",
        quantity=value("llama3_over", experiment="table"),
        claimed=within(5.5, 6.5),
        also=(Clause(quantity=value("supported_5e5", experiment="interpolation"), claimed=at_least(8192)),),
        note="The post says nearly an order of magnitude.  The base serves 18438 tokens.",
    ),
    Claim(
        id="c11",
        says="b*(L) is the power law 0.0424 L^1.628",
        kind="scaling",
        quantity=value("exponent", experiment="table"),
        claimed=within(1.623, 1.633),
        untested={"smoke": "the fit takes all eleven columns"},
        note="The paper's law, held against the proved row.",
    ),
    Claim(
        id="c11_fit",
        says="the paper's own row has the exponent 1.628 and the coefficient 0.0424",
        kind="scaling",
        quantity=value("papers_exponent", experiment="table"),
        claimed=within(1.623, 1.633),
        also=(Clause(quantity=value("papers_coefficient", experiment="table"), claimed=within(0.0422, 0.0426)),),
    ),
    Claim(
        id="c12",
        says="a base below the bound gives good perplexity and no retrieval at that length",
        kind="comparison",
        quantity=paired_gap("far_recall", "above the bound", minus="below the bound", experiment="retrieval"),
        claimed=at_least(0.1),
        also=(
            Clause(
                quantity=paired_gap(
                    "far_text_loss", "below the bound", minus="above the bound", experiment="retrieval", relative=True
                ),
                claimed=within(-0.02, 0.02),
            ),
        ),
        untested={"smoke": NEEDS_GPU, "cpu": NEEDS_GPU},
        note="Bases 500 and 12 000 at 2048 tokens, b* = 11 587: at least ten points more recall over three quarters "
        "of the context, at a loss on the text that is the same to 2 %.",
    ),
    Claim(
        id="i1",
        says="every base from 1 to b* is proved infeasible without a gap, and b* is known to a relative 1e-11",
        kind="identity",
        quantity=across(*(value("holes", experiment=name) for name in PROOFS)),
        claimed=exactly(0),
        also=(Clause(quantity=value("every_width", experiment="table"), claimed=at_most(1e-11)),),
        note="Ours, not the post's.",
    ),
    Claim(
        id="i2",
        says="the post's grid search ends within 2e-5 above b*, in float64 as in float32",
        kind="numeric-table",
        quantity=value("over", "float64", experiment="grid"),
        claimed=within(0, 2e-5),
        also=(Clause(quantity=value("over", "float32", experiment="grid"), claimed=within(-1e-6, 2e-5)),),
        note="Ours: a grid can step over an island, and float32 can move one; do they?",
    ),
    Claim(
        id="i3",
        says="for 8192 tokens every base from some b < 5e5 up to 1000 L is feasible, so LLaMA-3's lies above the "
        "last gap",
        kind="numeric-table",
        quantity=value("safe_8192", experiment="islands"),
        claimed=at_most(5e5),
        also=(Clause(quantity=value("reaches_top", experiment="islands"), claimed=at_least(1 - 1e-9)),),
        note="Ours: b* opens a narrow island; a base that may be off a little wants the last one.",
    ),
    Claim(
        id="i4",
        says="at every length a wider head does with a smaller base, from d = 64 to 256",
        kind="comparison",
        quantity=across(*(value("wider_over_narrower", experiment=e) for e in ("narrow-heads", "wide-heads"))),
        claimed=at_most(1),
        note="Ours: b* of each of 96, 128, 192 and 256 over that of the next narrower head, all lengths.",
    ),
    Claim(
        id="i5",
        says="with three quarters of the dimensions turned, a base of 10 is enough for every length",
        kind="numeric-table",
        quantity=value("r96", experiment="partial"),
        claimed=at_most(10),
        note="Ours: half is what is needed for every base, three quarters are enough for every base in use.",
    ),
)

# --- The numbers that were printed ----------------------------------------------------------------


def printed(row: tuple[float, ...], whose: str, where: str, note: str) -> tuple[Published, ...]:
    return tuple(
        Published(
            what=f"{whose}: base for {length // 1024}k tokens",
            value=number,
            where=where,
            ours=value(f"printed_{length}", experiment="table"),
            note=note if red else "",
        )
        for length, number, red in zip(table.LENGTHS, row, table.RED, strict=True)
    )


PUBLISHED = (
    *printed(table.POST, "post", "the post's table", ""),
    *printed(table.PAPER, "paper", "the paper's row, as the post quotes it", "the post prints a smaller one, in red"),
    *(
        Published(
            what=f"{what} of the power law",
            value=number,
            where="the paper's figure 1",
            ours=value(what, experiment="table"),
            note="ours is that of the proved row",
        )
        for what, number in (("exponent", 1.628), ("coefficient", 0.0424))
    ),
    Published(
        what="first zero of Ci", value=0.6165, where="the post", ours=value("printed_x0", experiment="asymptotics")
    ),
    Published(
        what="LLaMA-3's base over b*(8192)",
        value="nearly an order of magnitude",
        where="the post",
        ours=value("llama3_over", experiment="table"),
    ),
)

# --- Figures: each stands with its experiment -----------------------------------------------------

FIGURES = (
    *table.FIGURES[:3],  # d = 128; other heads come after the islands
    *islands.FIGURES,
    *grid.FIGURES,
    *table.FIGURES[3:],
    *asymptotics.FIGURES,
    *partial.FIGURES,
    *interpolation.FIGURES,
    *gap.FIGURES,
)

# --- Mutants: what must not pass ------------------------------------------------------------------


def from_one(rotated: int) -> Tensor:
    """Pairs counted from 1, so that the fastest one is missing."""
    return torch.arange(2, rotated + 2, 2, dtype=torch.float64) / rotated


def by_bisection(rope: sweep.Rotary, lengths: tuple[int, ...]) -> sweep.Proof:
    """Feasibility taken for monotone."""
    found = [islands.bisected(rope, length) for length in lengths]
    brackets = tuple(sweep.Bracket(length=n, low=b, high=b) for n, b in zip(lengths, found, strict=True))
    return sweep.Proof(brackets=brackets, steps=0, scans=0, holes=0)


MUTANTS = (
    Mutant(
        says="pairs are counted from 1 instead of 0",
        replaces="tasks.rope_base_lower_bound.sweep:exponents",
        by=from_one,
        turns_to=Outcome.REFUTED,
    ),
    Mutant(
        says="feasibility is taken for monotone, and b* is found by bisection",
        replaces="tasks.rope_base_lower_bound.sweep:infima",
        by=by_bisection,
        turns_to=Outcome.REFUTED,
    ),
)

TASK = Task(
    title="the smallest RoPE base for a context length",
    family="positions and length",
    source=SOURCE,
    claims=CLAIMS,
    experiments=(
        table.WIDE_HEADS,  # the longest first
        table.NARROW_HEADS,
        *(part.EXPERIMENT for part in (table, islands, grid, gap, asymptotics, partial, interpolation, retrieval)),
    ),
    published=PUBLISHED,
    figures=FIGURES,
    mutants=MUTANTS,
)
