"""Is bidirectional attention of low rank, and causal attention of full rank?

The posts.  An attention matrix is the softmax of a product of an n x d and a d x n matrix, n much larger than the head
size d (512 against 768 / 12 = 64 in BERT base), and this low-rank factor costs expressive power.  A causal matrix is
triangular with a positive diagonal: its determinant is the product of that diagonal, never 0, so that it always has
full rank and is "theoretically more expressive", which a bidirectional one need not be.  Linear attention shows it
best: rank at most d without a mask, full rank with one.  For the same reason half of the heads may look forwards and
half backwards.  A reader objects that trained heads concentrate their spectra too; the author agrees to read "rank" as
the entropy of the singular values.

What is done here.  Exact rank is decided exactly: in big decimals, modulo a prime, and by a proof (certificates.py)
that settles all algebraic logit scales at once, up to BERT's own size.  Both masks are then laid on the same random
logits, over logit scale, length and head size, and their effective and numerical ranks compared; then through the
depth of a network of attention alone, and inside trained models.  Claims i1 to i6 are our own.

Not the post's scale: it speaks of language models without measuring a matrix.  Random logits are taken at BERT's n and
d and at smaller ones; the models trained here have two layers of width 32 (four of width 256 on the gpu tier); the hub
tier takes real heads.  Nothing here says that rank makes a better model: that is the page decoder-only-vs-unilm.

Known to bite: full rank is generic, so that a look at the causal matrix alone "confirms" the post; the bidirectional
one must be looked at too.  Three notions disagree: exact, numerical (it is the causal matrix that float64 calls
deficient) and effective rank.  The logit scale decides the sign of the comparison, so that any single scale gives an
easy answer.  Different trained models differ in more than the mask, hence both masks on the same logits.  A double
cannot hold the determinants.  The rank of A bounds nothing by itself: A V has rank at most d whatever A is.
"""

import torch
from torch import Tensor

from suite.claims import Claim, Mutant, Outcome, Post, Published, Source, Task, at_least, at_most, exactly, within
from suite.quantities import across, mean, paired_shares, ratio, value
from tasks.attention_rank import depth, exact, floats, matrices, order, pretrained, raising, spectra, trained
from tasks.attention_rank.figures import FIGURES
from tasks.attention_rank.measured import (
    ONLY_HUB,
    SPREAD,
    START,
    TRAINED,
    causal_minus_bidirectional,
    causal_over_bidirectional,
    every_model,
    exactly_known,
    in_floats,
    judged,
)
from tasks.attention_rank.readings import READINGS

SOURCE = Source(
    posts=(
        Post(title="为什么现在的LLM都是Decoder-only的架构？", url="https://kexue.fm/archives/9529", date="2023-03-17"),
        Post(
            title="《为什么现在的LLM都是Decoder-only的架构？》FAQ",
            url="https://kexue.fm/archives/9547",
            date="2023-03-20",
        ),
    ),
    papers=(
        "Dong, Cordonnier and Loukas, Attention is Not All You Need, arXiv:2103.03404",
        "Wu et al., On the Role of Attention Masks and LayerNorm in Transformers, arXiv:2405.18781",
        "Roy and Vetterli, The effective rank: a measure of effective dimensionality, EUSIPCO 2007",
    ),
)

# --- What the posts claim -------------------------------------------------------------------------

NONE = exactly(0)

CLAIMS = (
    judged(
        "c1",
        "the determinant of a causal matrix is the product of its diagonal and positive: it always has full rank",
        "identity",
        (exactly_known("lower_error"), at_most(1e-12)),
        (exactly_known("not_positive"), NONE),
        (in_floats("deficit"), NONE),
        note="Logarithms of determinants by elimination in 120 or more decimals, n = 24; those that are not positive; "
        "n less the exact rank of float64 matrices at n = 128 and 512, logit sd 4.",
    ),
    judged(
        "c1_float",
        "float64's log-determinant of a causal matrix agrees with that to 1e-10 up to logit sd 0.1, not beyond",
        "identity",
        (in_floats("uniform_error", 512), at_most(-10)),
        (in_floats("spread_error", 512), at_least(-10)),
        note="log10 of the error of numpy's slogdet at n = 512, d = 64; sd 0.02 and 0.1, then 0.3 to 8.",
    ),
    judged(
        "c2",
        "softmax raises the rank: that of a product of rank d has a rank above d",
        "identity",
        (value("excess", experiment="raising"), at_least(1)),
        note="Singular values above 1e-10 of the largest, less d, in every draw; cells [d, sd] of d = 2, 4, 16 and "
        "sd = 0.3, 1, 2.",
    ),
    judged(
        "c3",
        "a bidirectional softmax matrix lacks rank in exact arithmetic, as n above d would have it",
        "identity",
        (exactly_known("deficit"), at_least(1)),
        (exactly_known("vanishing"), at_least(1)),
        note="n less the exact rank at (n, d) = (24, 1), (24, 2), (24, 4), (128, 16), (512, 64), proved for every "
        "algebraic logit scale; determinants that vanish at n = 24, d = 1, 2, 4.",
    ),
    judged(
        "c3_one",
        "with d = 1 the matrix is never singular: its determinant has the sign of the orders of queries and keys",
        "identity",
        (exactly_known("wrong_signs"), NONE),
        note="exp(q k) is strictly totally positive.",
    ),
    judged(
        "c3_repeats",
        "a bidirectional matrix need not have full rank: where tokens repeat and no position is encoded it has not, "
        "while the causal one has",
        "identity",
        (exactly_known("deficit_of_repeats"), at_least(1)),
        (exactly_known("causal_deficit_of_repeats"), NONE),
        note="24 tokens of an alphabet of 12; the exact rank is the number of different tokens.",
    ),
    Claim(
        id="c4",
        says="of the same logits the causal mask makes the matrix of higher effective rank",
        kind="qualitative",
        headline=True,
        quantity=causal_over_bidirectional(),
        claimed=at_least(1),
        note="At every logit sd from 0.02 to 8, n = 128 and 512, d = 16 and 64.  c4_start and c4_trained take the two "
        "ends apart; the map says where the order turns.",
    ),
    judged(
        "c4_start",
        "so it is for the near-uniform attention of a fresh network, logit sd 0.02 and 0.1",
        "qualitative",
        (causal_over_bidirectional(START), at_least(1)),
    ),
    judged(
        "c4_trained",
        "so it is at the logit scales of trained models, sd 0.5 to 4",
        "qualitative",
        (causal_over_bidirectional(TRAINED), at_least(1)),
    ),
    judged(
        "c5",
        "the causal matrix is the better conditioned one in floating point, and its numerical rank the higher one",
        "qualitative",
        (causal_minus_bidirectional("smallest", "spectra", SPREAD), at_least(0)),
        (causal_minus_bidirectional("rank32", "spectra", SPREAD), at_least(0)),
        (
            paired_shares("full64", "causal", minus="bidirectional", experiment="spectra", at={"sd": SPREAD}),
            at_least(0),
        ),
        note="At logit sd 1 to 8: log10 of s_n / s_1, not below 1e-12; singular values above s_1 n eps, eps of "
        "float32; share of seeds that float64 calls full.",
    ),
    judged(
        "c5_start",
        "so it is for near-uniform attention, logit sd 0.02 and 0.1",
        "qualitative",
        (causal_minus_bidirectional("smallest", "spectra", START), at_least(0)),
    ),
    judged(
        "c6",
        "inside trained models causal heads have the higher effective rank",
        "comparison",
        (
            across(
                ratio("effective_rank", "gpt", over="unilm", experiment="trained"),
                ratio("effective_rank", "half", over="full", experiment="trained"),
            ),
            at_least(1),
        ),
        note="GPT over UniLM on the input part; masked language models with half the heads forwards and half backwards "
        "over one whose heads look both ways.  Each model with its own mask and weights.",
    ),
    judged(
        "c6_same_logits",
        "and so it is when a triangle and no mask are laid on the same trained logits",
        "comparison",
        (every_model("mask_effect"), at_least(0)),
        note="log of the effective rank with a triangle over that without a mask.",
    ),
    Claim(
        id="c6_pretrained",
        says="and so it is in pretrained models",
        kind="comparison",
        quantity=ratio("effective_rank", "causal", over="bidirectional", experiment="pretrained"),
        claimed=at_least(1),
        untested=ONLY_HUB,
        note="BERT, RoBERTa, GPT-2, Qwen2.5, and T5's encoder and decoder on 512 tokens of WikiText-103; both masks on "
        "the same logits, whichever the model was trained with.",
    ),
    judged(
        "c7",
        "linear attention has rank d at most without a mask, and full rank with one",
        "identity",
        (value("excess", "linear", experiment="linear"), NONE),
        (value("exact_excess", "linear", experiment="linear"), NONE),
        (exactly_known("linear_error"), at_most(1e-10)),
        note="Rank less d, numerically and exactly, n = 128 and 512; |log det - sum of log a_ii| of the causal matrix, "
        "by elimination in 60 decimals, n = 24.",
    ),
    judged(
        "c7_float",
        "and so it is in float64, whose log-determinant agrees to 1e-10",
        "identity",
        (value("determinant_error", "linear", experiment="linear"), at_most(1e-10)),
        note="numpy's slogdet, n = 128 and 512; see c1_float and i1.",
    ),
    judged(
        "c8",
        "without a mask softmax attention has a higher rank than linear attention of the same queries and keys",
        "comparison",
        (ratio("effective_rank", "softmax", over="linear", experiment="linear"), at_least(1)),
        (value("excess", "softmax", experiment="linear"), at_least(1)),
        note="Effective rank, and the number of singular values above 1e-10 of the largest less d.",
    ),
    judged(
        "c9",
        "n is much larger than the head size: 512 against 768 / 12 = 64, and more so today",
        "identity",
        (exactly_known("head_size"), exactly(64)),
        (exactly_known("ratios"), at_least(8)),
    ),
    judged(
        "c10",
        "attention alone loses rank with depth, and the causal mask slows that down",
        "scaling",
        (causal_minus_bidirectional("at_8", "depth"), at_least(3)),
        (causal_minus_bidirectional("floats_at_8", "depth"), at_least(3)),
        note="log10 of the residual after eight layers, causal less bidirectional, in decades; once more as float64 "
        "shows it, not below 1e-15.",
    ),
    judged(
        "c10_doubly",
        "without a mask the loss is doubly exponential: the logarithm of the residual triples with every layer",
        "scaling",
        (mean("factor", "bidirectional", experiment="depth"), within(2.9, 3.1)),
        note="From the eighth to the ninth layer.  The paper bounds the residual by its cube.",
    ),
    judged(
        "c11",
        "half of the heads forwards, half backwards: every head keeps full rank, and A_up(B) = J A_low(J B J) J",
        "identity",
        (exactly_known("upper_error"), at_most(1e-12)),
        (exactly_known("flip_error"), at_most(1e-15)),
    ),
    # --- Ours, beside the posts ---
    judged(
        "i1",
        "the failure of c1_float is one of pivoting: of the transposed matrix float64 gives 1e-10 at every scale",
        "identity",
        (in_floats("transposed"), at_most(-10)),
        note="LU of an upper triangle never swaps rows.  log10 of the error.",
    ),
    judged(
        "i2",
        "at logit sd 4 float64 counts fewer dimensions of a causal matrix than it has",
        "qualitative",
        (in_floats("lost"), at_least(1)),
        note="Exact rank less matrix_rank.",
    ),
    judged(
        "i3",
        "the logit scale at which the order of c4 turns falls like the inverse root of the head size",
        "scaling",
        (mean("exponent_in_d", experiment="map"), within(-0.65, -0.35)),
        note="Exponent between d = 16, 32 and 64, at n = 64, 128, 256; the turn lies where sd root d is about 3.",
    ),
    judged(
        "i4",
        "and hardly depends on the length, so that it is not n / d that decides",
        "scaling",
        (mean("exponent_in_n", experiment="map"), within(-0.25, 0.25)),
        note="Exponent between n = 64 and 256, at d = 16, 32, 64; a function of n / d would have 0.5, half of which is "
        "the margin.",
    ),
    judged(
        "i5",
        "with the causal mask every layer ends up halving the residual, as the uniform triangle does",
        "scaling",
        (mean("step", "causal", experiment="depth"), within(-0.331, -0.271)),
        note="Decades per layer over the last eight, 0.301 to 10 %: the second eigenvalue of C_ij = 1/i is 1/2.",
    ),
    judged(
        "i6",
        "random logits of the same head size and spread would turn the order of c6_same_logits round",
        "comparison",
        (every_model("random_effect"), at_most(0)),
        note="What training makes of the logits counts, not their scale alone.",
    ),
)

PUBLISHED = (
    Published(
        what="head size of BERT base", value=64, where="FAQ, question 1: 768 / 12", ours=exactly_known("head_size")
    ),
    Published(what="length beside it", value=512, where="FAQ, question 1", note="n / d = 8, the least of our table"),
)

# --- Mutants: what must not pass ------------------------------------------------------------------

_logits = matrices.logits


def never_trained(q: Tensor, k: Tensor, sd: float) -> Tensor:
    """Logits that stay at the scale of a fresh network."""
    return _logits(q, k, 0.02)


def always_hidden(n: int, mask: str) -> Tensor:
    """The triangle, whatever mask is asked for."""
    return torch.ones(n, n, dtype=torch.bool).triu(1)


MUTANTS = (
    Mutant(
        says="the logit scale is forgotten: every matrix is that of a fresh network",
        replaces="tasks.attention_rank.matrices:logits",
        by=never_trained,
        turns_to=Outcome.REPRODUCED,
    ),
    Mutant(
        says="both arms get the triangle, and nothing is compared",
        replaces="tasks.attention_rank.matrices:hidden",
        by=always_hidden,
        turns_to=Outcome.ERROR,
    ),
)

TASK = Task(
    title="is bidirectional attention low-rank, and causal attention full-rank?",
    family="attention and architecture",
    source=SOURCE,
    claims=CLAIMS,
    experiments=(
        exact.EXPERIMENT,
        floats.EXPERIMENT,
        raising.RAISING,
        raising.LINEAR,
        spectra.EXPERIMENT,
        spectra.PROFILES,
        order.MAP,
        order.LONG_MAP,
        depth.EXPERIMENT,
        trained.EXPERIMENT,
        pretrained.EXPERIMENT,
    ),
    published=PUBLISHED,
    figures=FIGURES,
    mutants=MUTANTS,
    readings=READINGS,
)
