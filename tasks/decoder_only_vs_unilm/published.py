"""The source's few numbers, and those of T5 that its FAQ doubts, beside ours."""

from suite.claims import Published
from suite.phrases import exact
from suite.quantities import paired_gap
from tasks.decoder_only_vs_unilm.measured import continuation, masked

T5 = "Raffel et al., arXiv:1910.10683, table 2"
QUOTED = "quoted from memory of the paper; ours is a loss, not a score"
FINETUNED = paired_gap("test", "gpt", minus="unilm", relative=True, experiment="finetuning", at={"pretraining": 1})
PUBLISHED = (
    Published(what="head size", value=64, where="post 9547, question 1: 768 / 12", ours=exact("head_size")),
    Published(what="length over head size", value=8, where="post 9547, question 1: 512 / 64", ours=exact("bert_ratio")),
    Published(
        what="UniLM's advantage over GPT",
        value="none, worse on some tasks; 10^9 weights",
        where="post 9529",
        ours=continuation("gpt", "unilm"),
        note="ours: GPT's loss over UniLM's, less 1",
    ),
    Published(
        what="masked language model, half of the heads each way",
        value="slightly better; 10^8 weights, a curve without numbers",
        where="post 9529",
        ours=masked("full", "heads"),
        note="ours: loss of full minus loss of half and half",
        unit="nats",
    ),
    Published(
        what="SQuAD after denoising, language model against prefix LM",
        value="61.14 against 78.94",
        where=T5,
        ours=FINETUNED,
        note=f"22.5 % of the score; {QUOTED}",
    ),
    Published(
        what="SQuAD after denoising, encoder-decoder with separate against shared weights",
        value="80.88 against 80.63",
        where=T5,
        ours=continuation("unilm", "unilm-separate"),
        note=f"there doubled weights matter little; ours: loss of shared over separate, less 1; {QUOTED}",
    ),
)
