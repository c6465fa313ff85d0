"""The hub tier on small checkpoints that the test makes, through the code that loads the real ones."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2Model,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2Model,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5Model,
)

from suite.blocks.data import wikitext
from suite.claims import Tier
from suite.seeds import Seed
from tasks.attention_rank import matrices, pretrained
from tests.same_weights import same_weights

WORDS = [f"word{i}" for i in range(40)]
MARKS = ("[UNK]", "[CLS]", "[SEP]", "[PAD]")
VOCAB = len(WORDS) + len(MARKS)
SIZES = {"characters": 3_000, "tokens": 12}


def seed(number: int) -> Seed:
    return Seed("attention-rank-tests/r1", "verdict", number)


def built(name: str) -> Any:
    narrow = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    if name == "BERT base":
        return BertModel(BertConfig(vocab_size=VOCAB, max_position_embeddings=16, **narrow))
    if name == "RoBERTa base":
        return RobertaModel(RobertaConfig(vocab_size=VOCAB, max_position_embeddings=18, pad_token_id=1, **narrow))
    if name == "GPT-2 small":
        return GPT2Model(GPT2Config(vocab_size=VOCAB, n_positions=16, n_embd=16, n_layer=2, n_head=2))
    if name == "Qwen2.5 0.5B":
        return Qwen2Model(Qwen2Config(vocab_size=VOCAB, num_key_value_heads=1, **narrow))
    return T5Model(T5Config(vocab_size=VOCAB, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints, tokenizers and the text, under the names that they have on the Hub."""
    place = tmp_path_factory.mktemp("hub")
    vocab = {word: i for i, word in enumerate((*MARKS, *WORDS))}
    for name, checkpoint in pretrained.CHECKPOINTS.items():
        target = place / checkpoint.repository
        if target.exists():
            continue
        if name.startswith("Qwen"):  # transformers takes its tokens to be pairs of bytes, whatever the file says
            tokenizer = Tokenizer(models.BPE())
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
            trainer = trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=[*MARKS], show_progress=False)
            tokenizer.train_from_iterator(WORDS, trainer)
        else:
            tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
            tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        marks = {"cls_token": "[CLS]", "sep_token": "[SEP]"} if "BERT" in name else {}
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", **marks
        ).save_pretrained(target)
        with same_weights():
            built(name).save_pretrained(target)
    path = place / wikitext.REPOSITORY / wikitext.FILES["test"]
    path.parent.mkdir(parents=True)
    stream = seed(0).numpy("text")
    pd.DataFrame({"text": [" ".join(stream.choice(WORDS, size=20)) + "\n" for _ in range(60)]}).to_parquet(path)
    return place


def tier(folder: Path, **sizes: Any) -> Tier:
    return Tier(seeds=2, sizes={**pretrained.EXPERIMENT.tiers["hub"].sizes, **SIZES, "folder": str(folder), **sizes})


@pytest.mark.parametrize("model", pretrained.CHECKPOINTS)
def test_every_checkpoint_in_little(folder: Path, model: str) -> None:
    found = {
        mask: pretrained.measure([seed(0), seed(1)], tier(folder), model=model, mask=mask) for mask in ("lower", "none")
    }
    for columns in found.values():
        assert columns["effective_rank"].shape == columns["logit_sd"].shape == (2,)
        assert 1 <= float(columns["effective_rank"].min()) <= float(columns["effective_rank"].max()) <= 12
    assert torch.equal(found["lower"]["logit_sd"], found["none"]["logit_sd"])  # the same logits under both masks
    assert float(found["lower"]["effective_rank"][0]) != float(found["lower"]["effective_rank"][1])


@pytest.mark.parametrize("model", ["BERT base", "GPT-2 small", "Qwen2.5 0.5B", "T5 base, encoder", "T5 base, decoder"])
def test_the_logits_are_those_of_the_model(folder: Path, model: str) -> None:
    """Softmax of what is looked at, under the model's own mask, is the attention that the model itself returns."""
    from transformers import AutoModel

    checkpoint, looked = pretrained.CHECKPOINTS[model], []
    ids = torch.tensor([[5, 9, 7, 7, 30, 12]])
    inputs = {"input_ids": ids, "decoder_input_ids": ids} if checkpoint.part != "all" else {"input_ids": ids}
    with pretrained.looking(lambda module, logits: looked.append((module.is_causal, logits))), torch.no_grad():
        _, mine = pretrained.load(checkpoint, str(folder))
        output = mine(**inputs).last_hidden_state
    eager = AutoModel.from_pretrained(folder / checkpoint.repository, attn_implementation="eager").eval()
    with torch.no_grad():
        theirs = eager(**inputs, output_attentions=True)
    assert torch.allclose(output, theirs.last_hidden_state, atol=1e-5)
    if checkpoint.part == "all":
        known = theirs.attentions
    else:
        known = (*theirs.encoder_attentions, *theirs.decoder_attentions)
    assert len(looked) == len(known)
    for (causal, logits), attention in zip(looked, known, strict=True):
        found = matrices.attention(logits, "lower" if causal else "none")
        assert torch.allclose(found.float(), attention, atol=1e-6)


def test_a_window_stands_between_its_marks(folder: Path) -> None:
    with pretrained.looking(lambda module, logits: None):
        tokenizer, _ = pretrained.load(pretrained.CHECKPOINTS["BERT base"], str(folder))
        plain, _ = pretrained.load(pretrained.CHECKPOINTS["GPT-2 small"], str(folder))
    [found] = pretrained.window(range(10, 30), tokenizer, 8, seed(0)).tolist()
    assert (found[0], found[-1]) == (MARKS.index("[CLS]"), MARKS.index("[SEP]"))
    assert found[1:-1] == list(range(found[1], found[1] + 6))
    [found] = pretrained.window(range(10, 30), plain, 20, seed(0)).tolist()
    assert found == list(range(10, 30))
    with pytest.raises(ValueError, match="fewer than a window of 6"):
        pretrained.window(range(5), tokenizer, 8, seed(0))


def test_a_short_text_is_an_error(folder: Path) -> None:
    assert len(pretrained.words(500, str(folder))) == 500
    with pytest.raises(ValueError, match="fewer than the 1000000 asked for"):
        pretrained.words(1_000_000, str(folder))


def test_revisions_are_pinned() -> None:
    for checkpoint in pretrained.CHECKPOINTS.values():
        assert len(checkpoint.revision) == 40
