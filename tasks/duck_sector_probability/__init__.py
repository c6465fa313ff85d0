"""Ducks in a round pond: how likely is it that some sector of angle theta holds all n of them?

The post.  Only the directions of the n points matter, and all of them fit into a sector of angle theta exactly when
the longest of the n arcs between neighbouring directions is at least 2 pi - theta.  Cut open at one of the points,
the circle becomes a stick of length 1 with n - 1 uniform cuts, and the question: is the longest of its n pieces
longer than x = 1 - theta / 2 pi?  The pieces have the constant density (n-1)! on their simplex, k given pieces exceed
c_1, ..., c_k with probability (1 - c_1 - ... - c_k)^(n-1), and inclusion-exclusion gives

    P(n, theta) = sum over k >= 1 with k x < 1 of (-1)^(k-1) C(n, k) (1 - k x)^(n-1).

Up to theta = pi one term is left, n (theta / 2 pi)^(n-1): four ducks share half a pond with probability 1/2.  Above
it terms enter one by one, and once all n are there the sum is 1, for every x.

What is done here.  The formula is held against two exact methods that know nothing of it (integration piece by piece,
counting of lattice points) and against ducks that are really dropped into a disc.  The density, the survival
function, the identity, the mean and the number of terms are settled in rational arithmetic; three independent
simulators compare the three formulations; Wendel's theorem is counted and simulated in up to five dimensions.  Two
claims of our own, i1 and i2, concern what the post leaves out: the sum in floating point, and a form of it that is
accurate for every n (stable.py).

Not the post's scale: there is nothing to scale down, the post is a derivation.  "For every n" is tested exactly up to
n = 16 at 24 angles (n = 30 for the identities, 8 for the density, 6 for the survival function) and by simulation for
n = 2 to 10.  The gpu tier drops 4 10^8 ponds per cell; it stays on the processor, because drawing the points takes
longest.  There is no hub tier: no data are needed.

Known to bite: without the condition k x < 1 the sum is 1 at every angle, so a test near 2 pi alone passes; the arc
across the seam of the angles is easily forgotten; n points make n arcs, but n - 1 cuts; in float64 the sum begins to
lose all its digits at about 50 ducks; uniform angles would test the circle and not the disc, so the points are drawn
in the plane.
"""

from fractions import Fraction
from math import comb

import numpy as np

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
from suite.figures import Axis, Counts, Curves, StackedBars, Table
from suite.quantities import across, mean, proportion, proportion_gap, value
from tasks.duck_sector_probability import exact, floats, formulations, half_balls, pieces, ponds

SOURCE = Source(
    posts=(
        Post(title="圆内随机n点在同一个圆心角为θ的扇形的概率", url="https://kexue.fm/archives/9324", date="2022-10-25"),
    ),
    papers=(
        "J. G. Wendel, A Problem in Geometric Probability, Mathematica Scandinavica 11 (1962)",
        "W. L. Stevens, Solution to a geometrical problem in probability, Annals of Eugenics 9 (1939)",
    ),
)

# --- What the post claims -------------------------------------------------------------------------
# Exact checks count mismatches.  Margins of simulated probabilities are about twice the half-width of the exact
# interval at a million trials a cell: a true formula is confirmed, one that is off by a per cent is refuted.
NO_MISMATCH = exactly(0)

CLAIMS = (
    Claim(
        id="c1",
        says="P(n, theta) is the sum of (-1)^(k-1) C(n, k) (1 - k x)^(n-1) over k with k x < 1; x = 1 - theta/2 pi",
        kind="identity",
        headline=True,
        quantity=value("formula_mismatches", experiment="exact"),
        claimed=NO_MISMATCH,
        also=(
            Clause(
                quantity=proportion_gap("shared", out_of="dropped", minus="formula", experiment="ponds"),
                claimed=within(-0.005, 0.005),
            ),
            Clause(
                quantity=proportion_gap("rare_shared", out_of="dropped", minus="rare_formula", experiment="ponds"),
                claimed=within(-0.0005, 0.0005),
            ),
        ),
        note="Exact: against integration and against counting, at every n and angle of the grid.  Simulated: ducks "
        "dropped into a disc; cells within 0.002 of 0 or 1 are judged once more with a tenth of the margin.",
    ),
    Claim(
        id="c2",
        says="up to theta = pi the sum is n (theta / 2 pi)^(n-1); four ducks share half a pond with probability 1/2",
        kind="identity",
        quantity=value("collapse_mismatches", experiment="exact"),
        claimed=NO_MISMATCH,
        also=(
            Clause(quantity=value("four_in_half", experiment="exact"), claimed=exactly(0.5)),
            Clause(
                quantity=proportion("four_in_half", out_of="dropped", experiment="ponds"),
                claimed=within(0.495, 0.505),
            ),
        ),
    ),
    Claim(
        id="c3",
        says="the n pieces have the density (n-1)!, any k of them (n-1)!/(n-k-1)! (1 - x_1 - ... - x_k)^(n-k-1)",
        kind="identity",
        quantity=value("density_mismatches", experiment="exact"),
        claimed=NO_MISMATCH,
        also=(
            Clause(
                quantity=proportion_gap("in_triangle", out_of="sticks", minus="triangle_share", experiment="pieces"),
                claimed=within(-0.003, 0.003),
            ),
            Clause(quantity=mean("moment_error", experiment="pieces"), claimed=within(-0.03, 0.03)),
        ),
        note="Exact: the marginals, coefficient by coefficient.  Simulated: 16 equal triangles of the simplex of three "
        "pieces hold equal shares, and twelve mixed moments for n = 3, 5, 8 are those of a constant density to 3 %.",
    ),
    Claim(
        id="c4",
        says="P(x_1 > c_1, ..., x_k > c_k) = (1 - c_1 - ... - c_k)^(n-1)",
        kind="identity",
        quantity=value("survival_mismatches", experiment="exact"),
        claimed=NO_MISMATCH,
        also=(
            Clause(
                quantity=proportion_gap("survived", out_of="sticks", minus="survival_formula", experiment="pieces"),
                claimed=within(-0.005, 0.005),
            ),
        ),
        note="Exact: as polynomials in the floors c_1, ..., c_k.  Simulated: twenty sets of floors.",
    ),
    Claim(
        id="c5",
        says="the sum of all n terms, none left out, is 1 for every x, real or complex",
        kind="identity",
        quantity=value("constant_mismatches", experiment="exact"),
        claimed=NO_MISMATCH,
        note="For n up to 30: at x = -2, 1/7, 5/3, 10^6 and 1/3 - 5/2 i, and coefficient by coefficient (the n-th "
        "difference of a polynomial of degree n - 1 is 0), which settles every x.",
    ),
    Claim(
        id="c6",
        says="the sector of the disc, the longest arc of the circle, the longest piece of the stick: one question",
        kind="simulation",
        quantity=value("disagreements", experiment="formulations"),
        claimed=NO_MISMATCH,
        also=(
            Clause(
                quantity=across(
                    proportion("only_disc_circle", out_of="either_disc_circle", experiment="formulations"),
                    proportion("only_disc_stick", out_of="either_disc_stick", experiment="formulations"),
                    proportion("only_circle_stick", out_of="either_circle_stick", experiment="formulations"),
                ),
                claimed=within(0.48, 0.52),
            ),
        ),
        note="On the same ducks the three answers always agree.  From independent streams: of the trials on which two "
        "simulators differ, each wins half; shares from 0.48 to 0.52 are odds ratios from 0.92 to 1.08.",
    ),
    Claim(
        id="c7",
        says="the longest piece has the mean H_n / n",
        kind="identity",
        quantity=value("mean_mismatches", experiment="exact"),
        claimed=NO_MISMATCH,
        also=(Clause(quantity=mean("longest_error", experiment="pieces"), claimed=within(-0.003, 0.003)),),
        note="The post points to the mean without giving it.  Relative errors of the simulated means for n = 2 to 10.",
    ),
    Claim(
        id="c8",
        says="min(n, ceil(1/x) - 1) terms are not 0: one up to pi, then ever more; P = 1 just from 2 pi (1 - 1/n) on",
        kind="qualitative",
        quantity=across(
            value("term_mismatches", experiment="exact"), value("certainty_mismatches", experiment="exact")
        ),
        claimed=NO_MISMATCH,
        note="For n = 2 to 30 at 119 angles, and on both sides of the angle of certainty.",
    ),
    Claim(
        id="c9",
        says="n points of a d-ball share a half-ball with probability 2^(1-n) sum_{k<d} C(n-1, k), for d = 2 as in c2",
        kind="identity",
        quantity=across(
            value("wendel_mismatches", experiment="exact"),
            value("pattern_mismatches", experiment="half-balls"),
        ),
        claimed=NO_MISMATCH,
        also=(
            Clause(
                quantity=proportion_gap("shared", out_of="balls", minus="formula", experiment="half-balls"),
                claimed=within(-0.01, 0.01),
            ),
        ),
        note="Cited by the post from Wendel 1962.  Exact: d = 2, and the number of reflections of random whole points "
        "(d = 2 to 5, n = d to 8) that bring them all to one side, the heart of his proof.",
    ),
    Claim(
        id="i1",
        says="summed in float64, the formula for 200 ducks is off by more than 1 at some angle below certainty",
        kind="qualitative",
        quantity=value("direct_worst", experiment="floats"),
        claimed=at_least(1),
        note="Ours, not the post's: why the sum cannot be used as it stands.",
    ),
    Claim(
        id="i2",
        says="a recursion without subtractions gives P and 1 - P to a relative error of 1e-12 up to 2000 ducks",
        kind="identity",
        quantity=value("stable_relative_error", experiment="floats"),
        claimed=at_most(1e-12),
        note="Ours, not the post's: against exact rationals at six angles for each n.",
    ),
)

PUBLISHED = (
    Published(
        what="four ducks share half a pond, P(4, pi)",
        value=0.5,
        where="the post's opening puzzle and its formula for theta <= pi",
        ours=proportion("four_in_half", out_of="dropped", experiment="ponds"),
        note="ours is simulated; exact arithmetic gives 1/2",
    ),
    Published(
        what="density of the pieces of a stick cut twice, p_3",
        value=2.0,
        where="the post's induction, p_3 = 2 and p_n = (n - 1) p_(n-1)",
        ours=mean("density_of_three", experiment="pieces"),
        note="ours is simulated: the share of sticks with three pieces below 1/2, over that region's area 1/8",
    ),
)

# --- Figures --------------------------------------------------------------------------------------

CIRCLE = Axis("sector angle", "turns")
ENTERS = ((1 / 2, "2nd term"), (2 / 3, "3rd"), (3 / 4, "4th"))  # the k-th term is not 0 beyond 1 - 1/k

FIGURES = (
    Curves(
        title="Probability that one sector holds all ducks",
        caption="Lines: the formula for n = 2 to 10.  Dots: ducks dropped into a disc, all seeds together, with exact "
        "99.9 % intervals (mostly smaller than the dots).  Upright lines: where a further term of the sum sets in.",
        experiment="ponds",
        y="curve",
        x=tuple(float(turn) for turn in ponds.CURVE),
        labels=tuple(f"n = {n}" for n in ponds.DUCKS),
        x_axis=CIRCLE,
        y_axis=Axis("probability", low=0.0, high=1.02),
        counts=Counts(count="shared", out_of="ponds", x="turn", level=0.999),
        vertical=ENTERS,
    ),
    Curves(
        title="What float64 leaves of the sum",
        caption="log10 of the absolute error against exact rationals.  Above 0 the sum is no probability any more.  "
        "The stable form is drawn at its worst n.  P = 1 where 1/x passes n.  -18 stands for no error at all.",
        experiment="floats",
        y=("direct_error", "stable_error"),
        x="over",
        labels=(*(f"n = {n}" for n in floats.DUCKS), "stable form"),
        x_axis=Axis("1/x, one over the share of the circle left out", log=True),
        y_axis=Axis("log10 of the error"),
        horizontal=((0, "error 1"),),
    ),
    StackedBars(
        title="The terms of inclusion-exclusion for eight ducks",
        caption="Odd k add, even k take away; what remains is the probability; it reaches 1 at 7/8 of a turn.",
        experiment="exact",
        parts="eight_terms",
        x="eight_turn",
        labels=tuple(f"k = {k}" for k in range(1, 8)),
        x_axis=CIRCLE,
        y_axis=Axis("contribution"),
        total="P(8, theta)",
        vertical=ENTERS,
    ),
    Table(
        title="Small cases three ways",
        caption="One probability by inclusion-exclusion, by integration piece by piece, by counting lattice points.",
        experiment="exact",
        columns=(("reference_sum", "sum"), ("reference_integral", "integral"), ("reference_count", "lattice")),
        rows=tuple(f"{n} ducks, {turn} of a turn" for n, turn in exact.REFERENCE),
        digits=12,
    ),
    Table(
        title="Half-balls",
        caption="Shares of simulated sets of points that some half-ball holds, and Wendel's formula.",
        experiment="half-balls",
        columns=(("dimension", "dimension"), ("points", "points"), ("share", "simulated"), ("formula", "formula")),
        rows_label="cell",
    ),
)

# --- Mutants: what must not pass ------------------------------------------------------------------


def untruncated(n: int, x: Fraction) -> int:
    """All n terms at every angle."""
    return n


def one_power_more(n: int, k: int, x: Fraction) -> Fraction:
    """The exponent of n cuts, where n points make n - 1."""
    return (-1) ** (k - 1) * comb(n, k) * (1 - k * x) ** n


def seam_forgotten(turn: np.ndarray) -> np.ndarray:
    """The longest arc, that across -1/2 = 1/2 left out."""
    return np.diff(np.sort(turn, axis=0), axis=0).max(axis=0)


MUTANTS = (
    Mutant(
        says="the condition k x < 1 is dropped, and the sum is 1 at every angle",
        replaces="tasks.duck_sector_probability.formula:num_terms",
        by=untruncated,
        turns_to=Outcome.REFUTED,
    ),
    Mutant(
        says="the exponent is n instead of n - 1",
        replaces="tasks.duck_sector_probability.formula:term",
        by=one_power_more,
        turns_to=Outcome.REFUTED,
    ),
    Mutant(
        says="the arc across the seam of the angles is forgotten",
        replaces="tasks.duck_sector_probability.ponds:longest_arc",
        by=seam_forgotten,
        turns_to=Outcome.REFUTED,
    ),
)

TASK = Task(
    title="probability that n random points of a disc share one sector of angle theta",
    family="similarity, codes, probability, vision",
    source=SOURCE,
    claims=CLAIMS,
    revision=2,
    experiments=tuple(part.EXPERIMENT for part in (exact, ponds, formulations, pieces, half_balls, floats)),
    published=PUBLISHED,
    figures=FIGURES,
    mutants=MUTANTS,
)
