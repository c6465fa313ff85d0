"""Does it matter whether a cross-encoder for sentence pairs is trained with cross-entropy or with CoSENT?

The posts.  CoSENT asks only that scores stand in the order of the labels,

    log(1 + sum over pairs (i, k) of a batch with y_i > y_k of exp(scale (f_k - f_i))),

scale 20 for cosines of sentence embeddings (8847).  As it uses nothing but order, post 9341 puts it on the score of a
cross-encoder too (scale 1) and compares with the usual cross-entropy on four Chinese tasks and two backbones: the
averages differ by +0.33 and -0.08 points of Spearman's correlation, which the author himself does not call significant,
though CoSENT may help weaker models and harder tasks.  It also takes graded labels.  Post 8860 compares interaction
with representation: five to seven points apart on adversarial pairs (PAWS-X), about even elsewhere.

What is done here.  Made-up pairs whose ceiling is known, in three tasks (even, rare, adversarial) and two regimes: one
where both losses come close to the ceiling, so that equality is nearly forced, and one with weak initial embeddings
that leaves headroom, about the same on the even and the adversarial task.  An interaction network, the same pairs,
batches of 32, initial weights, schedule and five learning rates for either loss; checkpoint and rate chosen on
validation, all of it before any verdict seed ran.  "The same" is tested as equivalence: the interval of the difference
must lie within one point.  The hub tier repeats it on real pairs with pretrained encoders.

Not the post's scale: it fine-tunes BERT and RoBERTa base on 24 000 to 240 000 real pairs; here 31 000 weights learn a
language of 72 words from 30 000 pairs (300 000 weights, 720 words, 300 000 pairs on the gpu tier).  "Pretraining"
is synonyms that start near each other.  Only the hub tier says something about real encoders, and its small variant
trains two layers of a MiniLM for a minute.

Known to bite: the post's arms differ in batch size, 32 and 64, and CoSENT is one value per batch, so that the batch
changes its meaning: here both have 32.  One run per cell, while the same cell published twice moves by up to 1.05
points (c4).  At the ceiling any two losses tie, and CoSENT converges sooner, so that too few steps flatter it: read
the curves beside each difference.  No significant difference is not equivalence.  Spearman's correlation for binary
labels is the AUC times a constant of the task, 86.6 at p = 0.5 and 66.5 at p = 0.18, hence no averages over tasks.
Ties inflate it: raw scores are ranked in both arms.  The adversarial task is the easiest one unless its headroom is
matched.  A batch with labels of one kind gives CoSENT no gradient.
"""

import torch
from torch import Tensor

from suite.blocks.losses.cosent import cosent as honest
from suite.claims import Mutant, Outcome, Post, Source, Task, at_least, at_most, exactly, within
from suite.phrases import exact
from suite.quantities import mean, paired_gap, slope, value
from tasks.cosent_vs_cross_entropy import binary, embeddings, graded, identities, pretrained, published
from tasks.cosent_vs_cross_entropy.binary import STRONG, WEAK, WEAK_RARE
from tasks.cosent_vs_cross_entropy.figures import FIGURES
from tasks.cosent_vs_cross_entropy.measured import (
    AS_GOOD,
    NO_GPU,
    ONLY_HUB,
    claim,
    cosent_minus_ce,
    embedded,
    growth_with_noise,
)
from tasks.cosent_vs_cross_entropy.measured import graded as graded_gap
from tasks.cosent_vs_cross_entropy.readings import READINGS

SOURCE = Source(
    posts=(
        Post(
            title="CoSENT（三）：作为交互式相似度的损失函数",
            url="https://kexue.fm/archives/9341",
            date="2022-11-09",
        ),
        Post(
            title="CoSENT（一）：比Sentence-BERT更有效的句向量方案",
            url="https://kexue.fm/archives/8847",
            date="2022-01-06",
        ),
        Post(
            title="CoSENT（二）：特征式匹配与交互式匹配有多大差距？",
            url="https://kexue.fm/archives/8860",
            date="2022-01-12",
        ),
    ),
    papers=(
        "Conneau et al., Supervised Learning of Universal Sentence Representations (InferSent), arXiv:1705.02364",
        "Reimers and Gurevych, Sentence-BERT, arXiv:1908.10084",
        "Sun et al., Circle Loss, arXiv:2002.10857",
    ),
)

# --- What the posts claim -------------------------------------------------------------------------

CLAIMS = (
    claim(
        "c1",
        "for a cross-encoder on binary pairs CoSENT and cross-entropy reach the same Spearman correlation",
        "equivalence",
        (cosent_minus_ce("spearman"), AS_GOOD),
        headline=True,
        note="Test points, every task in both regimes, simultaneous 95 % intervals; all inside implies their average.  "
        "c1_saturated and c1_unsaturated take the regimes apart: refuted here and reproduced there means refuted "
        "outside saturation.",
    ),
    claim(
        "c1_saturated",
        "so they do where both come close to the ceiling",
        "equivalence",
        (cosent_minus_ce("spearman", STRONG, STRONG), AS_GOOD),
        note="Where equality is nearly forced; what is left is how fast either loss gets there.",
    ),
    claim(
        "c1_unsaturated",
        "and where weak embeddings leave headroom",
        "equivalence",
        (cosent_minus_ce("spearman", WEAK, WEAK_RARE), AS_GOOD),
    ),
    claim(
        "c1_accuracy",
        "and the same accuracy",
        "equivalence",
        (cosent_minus_ce("accuracy"), AS_GOOD),
        note="Per cent of test pairs, under the threshold that is best on validation; the ceiling is 95.",
    ),
    claim(
        "c1_chinese",
        "so they do on ATEC, BQ, LCQMC and PAWS-X with BERT and RoBERTa",
        "equivalence",
        (paired_gap("spearman", "cosent", minus="ce", experiment="chinese"), AS_GOOD),
        untested=ONLY_HUB,
        note="The post's one rate of 2e-5 for both, batches of 32, eight seeds.",
    ),
    claim(
        "c1_stsb",
        "and on STS-B with its labels cut in two",
        "equivalence",
        (paired_gap("spearman", "cosent", minus="ce", experiment="sts-b"), AS_GOOD),
        untested=ONLY_HUB,
        note="Two layers of a six-layer MiniLM, trained for a minute on two CPU cores: far from converged.",
    ),
    claim(
        "c2",
        "CoSENT gains more on the adversarial task than on the other",
        "comparison",
        (slope("spearman", "cosent", minus="ce", over="swapped", experiment="pairs", at={"noise": WEAK}), at_least(0)),
        note="Difference of the differences, swapped less replaced, where both tasks leave the same headroom; rare "
        "positives are left out, for they have another ceiling.  The post gives +0.57 and +0.13, one run each.",
    ),
    claim(
        "c3",
        "CoSENT gains more with the weaker backbone",
        "comparison",
        (growth_with_noise(), at_least(0)),
        note="Slope of the difference against the noise on the initial embeddings, 0.3 and 4.0 (rare positives: 1.5); "
        "one cell per task.",
    ),
    claim(
        "c4",
        "the published differences lie within the noise of runs",
        "numeric-table",
        (value("margin", experiment="table"), at_least(0)),
        (value("p", experiment="table"), at_least(0.05)),
        untested=NO_GPU,
        note="Mean absolute difference between two publications of the same arm, less that between the losses, in "
        "points of accuracy; p of t tests over the eight cells of either table.",
    ),
    claim(
        "c5",
        "softmax cross-entropy of two logits is binary cross-entropy of their difference",
        "identity",
        (exact("softmax_value"), at_most(1e-12)),
        (exact("softmax_gradient"), at_most(1e-12)),
        untested=NO_GPU,
    ),
    claim(
        "c6",
        "CoSENT depends on labels through their order alone, and on scores through their differences alone",
        "identity",
        (exact("relabelled"), exactly(0)),
        (exact("shifted"), at_most(1e-12)),
        untested=NO_GPU,
        note="Value and gradient in float64, under four rising relabellings and three shifts.",
    ),
    claim(
        "c7",
        "graded labels can be used as they are, at least as well as by regression",
        "comparison",
        (graded_gap(), at_least(-1)),
        note="No more than one point below mean squared error, in both regimes.",
    ),
    claim("c7_same", "to within one point they do as well", "equivalence", (graded_gap(), AS_GOOD)),
    claim("c7_better", "and better than by regression", "comparison", (graded_gap(), at_least(0))),
    claim(
        "c7_stsb",
        "and at least as well on STS-B",
        "comparison",
        (paired_gap("spearman", "cosent", minus="mse", experiment="sts-b-graded"), at_least(-1)),
        untested=ONLY_HUB,
        note="As c1_stsb, with labels from 0 to 1.",
    ),
    claim(
        "c8",
        "interaction gains more over representation on adversarial pairs than elsewhere",
        "comparison",
        (
            slope("accuracy", "interaction", minus="representation", over="swapped", experiment="encoders"),
            at_least(0),
        ),
        note="Accuracy under CoSENT of either, swapped less replaced pairs; an encoder of fixed positions stands for "
        "representation.  Rare positives, four in five right by saying no, are left out.",
    ),
    claim(
        "c8_ahead",
        "interaction is at least as accurate as representation",
        "comparison",
        (
            paired_gap("accuracy", "interaction", minus="representation", experiment="encoders"),
            at_least(0),
        ),
    ),
    claim(
        "c9",
        "for embeddings CoSENT beats Sentence-BERT's (u, v, |u - v|) in Spearman correlation",
        "comparison",
        (embedded("spearman", "cosent", "sbert", 1), at_least(0)),
        note="Hard negatives; with random ones see the figure.",
    ),
    claim(
        "c9_faster",
        "and converges faster",
        "comparison",
        (embedded("area", "cosent", "sbert", 1), at_least(0)),
        note="Mean of the validation correlation over five checkpoints.",
    ),
    claim(
        "c10",
        "cosine regression loses more against Sentence-BERT on hard negatives than on random ones",
        "comparison",
        (slope("spearman", "sbert", minus="cosine", over="hard", experiment="embeddings"), at_least(0)),
        note="y (1 - cos) + (1 - y) (1 + cos), tested on pairs of the kind that it was trained on.",
    ),
    claim(
        "c10_hard",
        "on hard negatives it is worse",
        "comparison",
        (embedded("spearman", "sbert", "cosine", 1), at_least(0)),
    ),
    claim(
        "c10_random",
        "on random negatives it is better",
        "comparison",
        (embedded("spearman", "cosine", "sbert", 0), at_least(0)),
    ),
    claim(
        "c11",
        "representations can reproduce positive semidefinite similarities of n sentences, exactly in n dimensions, and "
        "to an error e in 8 ln n / e^2",
        "simulation",
        (exact("factored"), at_most(1e-10)),
        (exact("sketched"), at_most(1)),
        untested=NO_GPU,
        note="n = 200: largest error from eigenvectors; largest error of a random projection over e = 0.5.",
    ),
    claim(
        "c11_any",
        "they can reproduce any symmetric similarities between 0 and 1",
        "identity",
        (exact("smallest"), at_least(0)),
        untested=NO_GPU,
        note="The post assumes semidefinite ones.  Smallest eigenvalue of [[1,1,0],[1,1,1],[0,1,1]]: B B^T has none "
        "below 0.",
    ),
    # --- Ours, beside the posts ---
    claim(
        "i1",
        "a perfect scorer without ties reaches the ceiling that the wrong labels leave, and no more",
        "simulation",
        (mean("above_ceiling", experiment="generator"), within(-0.5, 0.5)),
        untested=NO_GPU,
        note="Points, per task: 77.9, 77.5, 56.3.",
    ),
    claim(
        "i2",
        "counting shared words does not see a swap",
        "simulation",
        (mean("bag", experiment="generator"), within(49, 51)),
        untested=NO_GPU,
        note="100 times the AUC on adversarial pairs.",
    ),
    claim(
        "i3",
        "for binary labels Spearman's correlation is (2 AUC - 1) sqrt(3 p (1 - p)) n / sqrt(n^2 - 1)",
        "identity",
        (exact("area"), at_most(1e-12)),
        untested=NO_GPU,
    ),
)

# --- Mutants: what must not pass ------------------------------------------------------------------


def turned_labels(scores: Tensor, labels: Tensor, scale: float = 1.0) -> Tensor:
    """CoSENT with the labels of every fourth pair of a batch turned round."""
    turned = torch.arange(labels.shape[1], device=labels.device) % 4 == 0
    return honest(scores, torch.where(turned, 1 - labels, labels), scale)


TASK = Task(
    title="CoSENT against cross-entropy",
    family="similarity, codes, probability, vision",
    source=SOURCE,
    claims=CLAIMS,
    experiments=(
        binary.PAIRS,
        binary.RARELY,
        binary.ENCODERS,
        graded.EXPERIMENT,
        embeddings.EXPERIMENT,
        published.EXPERIMENT,
        identities.EXPERIMENT,
        identities.GENERATOR,
        *pretrained.EXPERIMENTS,
    ),
    published=published.PUBLISHED,
    figures=FIGURES,
    mutants=(
        Mutant(
            says="CoSENT takes every fourth label for its opposite",
            replaces="suite.blocks.losses.cosent:cosent",
            by=turned_labels,
            turns_to=Outcome.REFUTED,
        ),
    ),
    readings=READINGS,
)
