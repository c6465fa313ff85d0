"""Train short, test long: what do window, log n, PI, NTK-RoPE, YaRN and HWFA do beyond the training length?

The posts.  Beyond the training length N two things go wrong: positions that were never trained, and attention that is
spread over more tokens than ever.  RoPE as it is bears 10 to 20 % more.  A window of N tokens at test time removes both
causes (9431, which calls it a strong baseline), but takes long range away (9444, 9948).  Scaling the frequencies
theta_m = beta^(-(m - 1)), m = 1 .. d/2, is a matter of radix (9675, 9706): PI divides all of them by k, NTK-RoPE takes
beta lambda for beta with lambda = k^(2/d), its "fixed" form divides by lambda once more, the "mixed" one gives digit m
the factor exp(a (m^b - (m - 1)^b)); YaRN keeps the fast pairs and interpolates the slow ones.  Queries times log_N n
keep attention sharp, trained so ("log n") or not ("log n†": max(1, log_N n) at the test).  HWFA is trained with windows
in all layers but the last, which sees everything and knows no positions.

What is done here.  A task that keeps the two causes apart: recall asks for content at any distance, offsets ask for
what stood one to three steps back.  Small decoders learn it completely at N; every arm at test time runs the same
trained weights on the same sequences at 8 N.  HWFA and biases are trained from the same weights and batches as their
baselines, with the same rate and number of steps.  "Accuracy" is the mean of recall and offsets unless said otherwise.

Not the post's scale: 80,000 weights at N = 64 in place of 100 million at 512, labels in place of a Chinese text, and
MHA with pre-norm in place of GAU with post-norm.  The gpu tier adds N = 256, four layers, all ablations and a character
model; the hub tier a pretrained Llama model.  In a text most tokens lean on their neighbours, so that accuracy there is
mostly what offsets are here: claims whose two halves differ are judged for each.

Known to bite: local accuracy alone lets a window win, hence recall at N steps or more beside it; k must be the ratio of
lengths, and costs something at N; exponents 2/d and 2/(d - 2) differ; n counts from 1 and the logarithm's base is N.
tau of YaRN is tuned on networks of its own and kept under log n; every b of NTK-mixed is tried on the verdict seeds, so
that it has no less of a chance.  A toy forms no attention sinks: c8 is left to pretrained models.
"""

from suite.claims import Claim, Clause, Mutant, Outcome, Post, Source, Task, at_least, at_most, exactly, within
from suite.phrases import exact
from suite.quantities import across, mean, paired_gap, value
from tasks.length_extrapolation import biases, formal, hwfa, identities, inference, language, lengths, pretrained
from tasks.length_extrapolation.figures import FIGURES
from tasks.length_extrapolation.hwfa import HWFA
from tasks.length_extrapolation.inference import DAGGER, LOG
from tasks.length_extrapolation.lengths import FACTORS
from tasks.length_extrapolation.measured import (
    DAGGER_GAINS,
    DEEPER,
    ENCODERS,
    LANGUAGE,
    LOG_OVER_DAGGER,
    MIXED_GAINS,
    NO_HUB,
    PRETRAINED,
    YARN_LEAD,
    gap,
    of,
    rule,
)
from tasks.length_extrapolation.measured import language as characters
from tasks.length_extrapolation.mutants import ntk_backwards
from tasks.length_extrapolation.published import PUBLISHED
from tasks.length_extrapolation.readings import READINGS

SOURCE = Source(
    posts=(
        Post(
            title="Transformer升级之路：7、长度外推性与局部注意力",
            url="https://kexue.fm/archives/9431",
            date="2023-01-12",
        ),
        Post(
            title="Transformer升级之路：9、一种全局长度外推的新思路",
            url="https://kexue.fm/archives/9603",
            date="2023-05-12",
        ),
        Post(
            title="Bias项的神奇作用：RoPE + Bias = 更好的长度外推性",
            url="https://kexue.fm/archives/9577",
            date="2023-04-03",
        ),
        Post(
            title="Transformer升级之路：10、RoPE是一种β进制编码",
            url="https://kexue.fm/archives/9675",
            date="2023-07-06",
        ),
        Post(
            title="Transformer升级之路：11、将β进制位置进行到底",
            url="https://kexue.fm/archives/9706",
            date="2023-07-31",
        ),
        Post(
            title="Transformer升级之路：16、“复盘”长度外推技术", url="https://kexue.fm/archives/9948", date="2024-01-26"
        ),
    ),
    papers=(
        "Press and others, Train Short, Test Long (ALiBi), arXiv:2108.12409",
        "Chi and others, Sandwich, arXiv:2212.10356",
        "Sun and others, XPOS, arXiv:2212.10554",
        "Chen and others, Position Interpolation, arXiv:2306.15595",
        "Peng and others, YaRN, arXiv:2309.00071",
        "Xiao and others, StreamingLLM, arXiv:2309.17453",
        "Delétang and others, Neural Networks and the Chomsky Hierarchy, arXiv:2207.02098",
        "Ruoss and others, Randomized Positional Encodings, ACL 2023",
    ),
)

# --- What the posts claim -------------------------------------------------------------------------

TABLE_NOTE = "Same weights in both arms; accuracy at 8 N."

CLAIMS = (
    Claim(
        id="c1",
        says="at 8 N, without tuning, NTK-fixed is above RoPE as it is by more than 5 points, and log n† raises it",
        kind="comparison",
        headline=True,
        quantity=gap("mean", "NTK-fixed", "RoPE"),
        claimed=at_least(0.05),
        also=(Clause(quantity=gap("mean", "NTK-fixed" + DAGGER, "NTK-fixed"), claimed=at_least(0)),),
        untested=NO_HUB,
        note=TABLE_NOTE,
    ),
    rule(
        "c1_language",
        "a character model at 8 N: NTK-fixed above RoPE, log n† above that, on repeating and on plain text",
        "comparison",
        (across(*(characters(text, "NTK-fixed", "RoPE") for text in ("repeating", "plain"))), at_least(0)),
        (across(*(characters(t, "NTK-fixed" + DAGGER, "NTK-fixed") for t in ("repeating", "plain"))), at_least(0)),
        untested=LANGUAGE,
    ),
    rule(
        "c1_pretrained",
        "a pretrained Llama model at 4 N: NTK-RoPE has a lower loss than RoPE as it is",
        "comparison",
        (paired_gap("long", "NTK-bloc97", minus="RoPE", experiment="pretrained"), at_most(0)),
        untested=PRETRAINED,
    ),
    rule(
        "c2",
        "NTK-fixed is no worse than NTK-old, plain and with log n",
        "comparison",
        (across(gap("mean", "NTK-fixed", "NTK-old"), gap("mean", "NTK-fixed" + LOG, "NTK-old" + LOG)), at_least(-0.01)),
        note="No worse: by at most one point.",
    ),
    rule(
        "c3",
        "NTK-mixed is above NTK-fixed for some b below 1",
        "comparison",
        (MIXED_GAINS, at_least(0)),
        needs=1,
        note="b = 0.25, 0.5, 0.625 (the post's), 0.75, 0.9, all on the verdict seeds; b = 1 is NTK-fixed itself.  "
        "Half of this accuracy is offsets, which pay for what recall gains: compare c3_recall.",
    ),
    rule(
        "c3_recall",
        "NTK-mixed with the post's b = 0.625 recalls more than NTK-fixed, plain and with log n",
        "comparison",
        (
            across(gap("recall", "NTK-mixed", "NTK-fixed"), gap("recall", "NTK-mixed" + LOG, "NTK-fixed" + LOG)),
            at_least(0),
        ),
    ),
    rule(
        "c4",
        "PI without tuning answers fewer offsets than RoPE as it is",
        "comparison",
        (gap("local", "PI", "RoPE"), at_most(0)),
        note="The post's accuracy is that of a text, where neighbours decide most tokens.",
    ),
    rule(
        "c4_recall",
        "PI without tuning recalls less than RoPE as it is",
        "comparison",
        (gap("recall", "PI", "RoPE"), at_most(0)),
        note="Recall needs content and hardly any position, so that squeezed positions may do it no harm.",
    ),
    rule(
        "c4_mean",
        "PI without tuning is below RoPE as it is on the mean of both",
        "comparison",
        (gap("mean", "PI", "RoPE"), at_most(0)),
        note="Recall and offsets count alike here; a text weighs them otherwise.",
    ),
    rule(
        "c4_language",
        "a character model at 8 N: PI without tuning is below RoPE as it is, on repeating and on plain text",
        "comparison",
        (across(*(characters(text, "PI", "RoPE") for text in ("repeating", "plain"))), at_most(0)),
        untested=LANGUAGE,
    ),
    rule(
        "c5",
        "log n† at the test raises RoPE, NTK-fixed and NTK-mixed",
        "comparison",
        (DAGGER_GAINS, at_least(0)),
        note=TABLE_NOTE,
    ),
    rule(
        "c6",
        "log n in training is at least as good at 8 N as log n†, and costs less than half a point at N",
        "comparison",
        (LOG_OVER_DAGGER, at_least(0)),
        (gap("short", "RoPE" + LOG, "RoPE"), within(-0.005, 0.005)),
        note="RoPE, NTK-fixed and NTK-mixed; two trainings from the same weights and batches.",
    ),
    rule(
        "c7",
        "a window of N at the test keeps offsets at what they were at N, and loses recall beyond N",
        "comparison",
        (value("local_change", "window", experiment="inference"), at_least(-0.02)),
        (of("far", "window"), at_most(0.225)),
        untested=NO_HUB,
        note="Kept: within two points in every seed.  Lost: at most a tenth above guessing one of eight values, 0.125.",
    ),
    rule(
        "c8",
        "a window alone ruins a pretrained model at 4 N, by more than 1 nat; keeping the first 4 tokens repairs it",
        "comparison",
        (paired_gap("long", "window", minus="window and first 4", experiment="pretrained"), at_least(1)),
        (mean("rise", "window and first 4", experiment="pretrained"), at_most(0.1)),
        untested=PRETRAINED,
        note="Loss on the same N / 2 tokens with N and with 4 N before them.",
    ),
    rule(
        "c9",
        "HWFA loses at most 2 points at N, and gains more than 10 at 8 N over RoPE",
        "comparison",
        (paired_gap("mean", HWFA, minus="RoPE", experiment="hwfa"), at_least(0.1)),
        (paired_gap("short", HWFA, minus="RoPE", experiment="hwfa"), at_least(-0.02)),
        note="Both trained for the same number of steps; on the cpu tier L = 2 and w = N / 2.",
    ),
    rule(
        "c9_far",
        "HWFA gains more than 10 points at 8 N over RoPE",
        "comparison",
        (paired_gap("mean", HWFA, minus="RoPE", experiment="hwfa"), at_least(0.1)),
        note="The half of c9 that is about length.",
    ),
    rule(
        "c10",
        "each of six changes lowers HWFA at 8 N: RoPE in the full layer, no log n, windows everywhere, two full "
        "layers, too wide windows, no RoPE in the windows",
        "comparison",
        (
            across(*(paired_gap("mean", kind, minus=HWFA, experiment="hwfa-ablations") for kind in hwfa.ABLATIONS)),
            at_most(0),
        ),
        untested=DEEPER,
        note="L = 4 and w = 16, so that (w - 1)(L - 1) + 1 = 46 < N = 64; too wide: w = N.",
    ),
    rule(
        "c10_rope",
        "RoPE in HWFA's full layer lowers it at 8 N",
        "comparison",
        (paired_gap("mean", "RoPE in the full layer", minus=HWFA, experiment="hwfa"), at_most(0)),
        note="One of the six, with L = 2.",
    ),
    rule(
        "c11",
        "HWFA answers even pairs at 8 N without error",
        "comparison",
        (value("long", HWFA, experiment="even-pairs"), at_least(0.99)),
        note="Every prefix of a string is asked; without error: at least 99 % of the last N, in every seed.",
    ),
    rule(
        "c12",
        "RoPE as it is holds to 1.1 or 1.2 N (here: its accuracy falls by two points between 1.05 N and 1.5 N)",
        "qualitative",
        (mean("tolerated", "RoPE", experiment="lengths"), within(1.05, 1.5)),
        note="In multiples of N, read off between lengths; the post speaks of language models.",
    ),
    rule(
        "c13",
        "NTK-RoPE made for k times the length is usable to about half of that",
        "scaling",
        (across(*(mean("usable", f"NTK k={k}", experiment="lengths") for k in FACTORS)), within(0.3, 0.7)),
        note="Length over k N at which the accuracy is five points below that at N; k fixed while the length grows.",
    ),
    rule(
        "c14",
        "YaRN is the best of the methods that change nothing but the frequencies",
        "comparison",
        (YARN_LEAD, at_least(0)),
        note="Against RoPE, PI, three forms of NTK-RoPE and five b of NTK-mixed; tau tuned on other networks.",
    ),
    Claim(
        id="c14_rerope",
        says="and slightly below ReRoPE",
        kind="comparison",
        untested={"*": "judged on the page about ReRoPE, claim c1b, on the same networks"},
    ),
    rule(
        "c15",
        "biases on queries and keys raise RoPE at 2 N, 4 N and 8 N",
        "comparison",
        (paired_gap("mean", "biases", minus="none", experiment="biases"), at_least(0)),
        note="The author himself notes that the effect is hard to reproduce.",
    ),
    rule(
        "c16",
        "random positions in training raise accuracy at 4 N on even pairs and on reversal; ALiBi is no better",
        "comparison",
        (paired_gap("long", "RoPE, random", minus="RoPE", experiment="random-positions"), at_least(0)),
        (paired_gap("long", "ALiBi, random", minus="RoPE, random", experiment="random-positions"), at_most(0)),
        untested=ENCODERS,
        note="Encoders, N = 40, positions drawn from 500.",
    ),
    rule(
        "i1",
        "k^(2/(d-2)), NTK-fixed and NTK-mixed at every b make the lowest frequency PI's; k^(2/d) is base times k",
        "identity",
        (exact("lowest_off"), at_most(1e-15)),
        (exact("base_old_off"), at_most(1e-15)),
        (exact("base_off"), at_most(1e-15)),
        untested=NO_HUB,
    ),
    rule(
        "i2",
        "mixed radix: b = 1 is NTK-fixed, b = 0 is PI, lambda_1 >= lambda_2 >= ... >= 1, and their product is k",
        "identity",
        (across(*(exact(f"{name}_off") for name in ("is_fixed", "is_pi", "rebuilt", "product"))), at_most(1e-14)),
        (exact("least_fall"), at_least(-1e-14)),
        (exact("least_share"), at_least(1 - 1e-14)),
        untested=NO_HUB,
    ),
    rule(
        "i3",
        "XPOS scores depend on m - n alone; Sandwich is a concatenation, and RoPE with biases [root, 0, ...]",
        "identity",
        (across(*(exact(f"{name}_off") for name in ("xpos", "xpos_diagonal", "joined", "bias"))), at_most(1e-12)),
        untested=NO_HUB,
    ),
    rule(
        "i4",
        "a bias on the keys cancels in the softmax without RoPE, and does not with it",
        "identity",
        (exact("bias_without_rope"), at_most(1e-12)),
        (exact("bias_with_rope"), at_least(1e-3)),
        untested=NO_HUB,
    ),
    rule(
        "i5",
        "YaRN's factor grows by 0.2 per unit of ln s, log n by 0.131 (N = 2048) or 0.120 (4096)",
        "numeric-table",
        (exact("yarn_coefficient"), exactly(0.2)),
        (exact("log_n_off"), exactly(0)),
        untested=NO_HUB,
        note="(1 + 0.1 ln s)^2 at s = 1, and 1 / ln N, held against the printed digits.",
    ),
)

TASK = Task(
    title="Train short, test long",
    family="positions and length",
    source=SOURCE,
    claims=CLAIMS,
    experiments=(
        inference.EXPERIMENT,
        lengths.EXPERIMENT,
        hwfa.EXPERIMENT,
        biases.EXPERIMENT,
        formal.EVEN_PAIRS,
        identities.EXPERIMENT,
        hwfa.ABLATED,
        hwfa.FAMILIES,
        formal.RANDOM,
        language.EXPERIMENT,
        pretrained.EXPERIMENT,
    ),
    published=PUBLISHED,
    figures=FIGURES,
    mutants=(
        Mutant(
            says="NTK-fixed makes every pair turn faster in place of slower",
            replaces="suite.blocks.positions.scaling:ntk_fixed",
            by=ntk_backwards,
            turns_to=Outcome.REFUTED,
        ),
    ),
    readings=READINGS,
)
