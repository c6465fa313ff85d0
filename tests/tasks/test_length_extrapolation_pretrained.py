"""The hub tier on a small Llama model that the test makes, through the code that loads the real one."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from suite.blocks.data import wikitext
from suite.blocks.positions import scaling
from suite.blocks.positions.rope import frequencies
from suite.claims import Tier
from suite.seeds import Seed
from tasks.length_extrapolation import pretrained

WORDS = [f"word{i}" for i in range(40)]
LENGTH, WIDTH = 16, 8


def seed(number: int) -> Seed:
    return Seed("length-extrapolation-tests/r1", "verdict", number)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, its tokenizer and the text, under the names that they have on the Hub."""
    place = tmp_path_factory.mktemp("hub")
    vocab = {word: i for i, word in enumerate(["[UNK]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    target = place / pretrained.MODEL[0]
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]").save_pretrained(target)
    config = LlamaConfig(
        vocab_size=len(vocab),
        hidden_size=2 * WIDTH,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=LENGTH,
    )
    model = LlamaForCausalLM(config)
    stream = seed(0).stream("weights")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=stream) * 0.3)
    model.save_pretrained(target)
    path = place / wikitext.REPOSITORY / wikitext.FILES["test"]
    path.parent.mkdir(parents=True)
    draws = seed(0).numpy("text")
    pd.DataFrame({"text": [" ".join(draws.choice(WORDS, size=20)) + "\n" for _ in range(30)]}).to_parquet(path)
    return place


def tier(folder: Path, **sizes: Any) -> Tier:
    return Tier(seeds=2, sizes={**pretrained.EXPERIMENT.tiers["hub"].sizes, "folder": str(folder), **sizes})


@pytest.mark.parametrize("arm", pretrained.EXPERIMENT.arms, ids=lambda arm: arm.name)
def test_every_arm_in_little(folder: Path, arm: Any) -> None:
    found = pretrained.measure([seed(0), seed(1)], tier(folder), **arm.fixed)
    assert found["long"].shape == found["short"].shape == (2,)
    assert torch.equal(found["rise"], found["long"] - found["short"])
    assert float(found["long"][0]) != float(found["long"][1])
    alone = pretrained.measure([seed(1)], tier(folder), **arm.fixed)
    assert float(alone["long"][0]) == pytest.approx(float(found["long"][1]))


def test_arms_differ_and_share_what_they_should(folder: Path) -> None:
    found = {arm.name: pretrained.measure([seed(0)], tier(folder), **arm.fixed) for arm in pretrained.EXPERIMENT.arms}
    assert len({round(float(columns["long"][0]), 6) for columns in found.values()}) == len(found)
    assert len({float(columns["short"][0]) for columns in found.values()}) == 1


def test_the_frequencies_are_ours(folder: Path) -> None:
    """What ``rope_parameters`` make of the checkpoint's frequencies is what our functions say."""
    theta = frequencies(WIDTH, 10_000.0)
    expected = {
        "RoPE": theta,
        "PI": scaling.pi(theta, 4),
        "NTK-old": scaling.ntk_old(theta, 4),
        "NTK-bloc97": scaling.ntk(theta, 4),
    }
    for method, known in expected.items():
        _, model, length = pretrained.load(method, 4, str(folder))
        assert length == LENGTH
        assert model.model.rotary_emb.inv_freq.double().tolist() == pytest.approx(known.tolist(), rel=1e-5)
    yarn = pretrained.load("YaRN", 4, str(folder))[1].model.rotary_emb.inv_freq
    assert float(yarn[-1]) == pytest.approx(float(theta[-1]) / 4, rel=1e-5)


def test_a_window_hides_what_is_far(folder: Path) -> None:
    """With two layers and a window of 4 the last 2 predictions of 20 do not see the first 10 tokens; sinks do."""
    _, model, _ = pretrained.load("RoPE", 4, str(folder))
    tokens = torch.randint(1, 41, (1, 21), generator=seed(0).stream("tokens"))
    other = tokens.clone()
    other[:, 0] = other[:, 0] % 40 + 1
    with torch.no_grad():
        plain = [float(pretrained.last_loss(model, each, 2, None, 0)) for each in (tokens, other)]
        window = [float(pretrained.last_loss(model, each, 2, 4, 0)) for each in (tokens, other)]
        sinks = [float(pretrained.last_loss(model, each, 2, 4, 1)) for each in (tokens, other)]
        wide = float(pretrained.last_loss(model, tokens, 2, 20, 0))
    assert plain[0] != plain[1]
    assert window[0] == window[1]
    assert sinks[0] != sinks[1]
    assert wide == pytest.approx(plain[0], abs=1e-5)


def test_the_loss_is_that_of_the_last_tokens(folder: Path) -> None:
    _, model, _ = pretrained.load("RoPE", 4, str(folder))
    tokens = torch.randint(1, 41, (1, 13), generator=seed(0).stream("tokens"))
    with torch.no_grad():
        logits = model(input_ids=tokens[:, :-1]).logits[0].double().log_softmax(-1)
        found = float(pretrained.last_loss(model, tokens, 3, None, 0))
    assert found == pytest.approx(-sum(float(logits[i, tokens[0, i + 1]]) for i in (9, 10, 11)) / 3, rel=1e-5)


def test_a_short_text_is_an_error(folder: Path) -> None:
    with pytest.raises(ValueError, match="not more than 64"):
        pretrained.measure([seed(0)], tier(folder, characters=100), method="RoPE", windowed=False, sinks=0)


def test_the_revision_is_pinned() -> None:
    assert len(pretrained.MODEL[1]) == 40
