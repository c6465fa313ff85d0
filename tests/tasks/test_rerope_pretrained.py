"""The hub tier on small checkpoints and books that the test makes, through the code that loads the real ones."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config
from transformers import Qwen2ForCausalLM as Qwen2

from suite.blocks.attention.blockwise import Blockwise
from suite.blocks.attention.rotary import Rotary
from suite.blocks.attention.two_step import TwoStep
from suite.claims import Tier
from suite.seeds import Seed
from tasks.rerope import pretrained
from tests.same_weights import same_weights

WORDS = [f"word{i}" for i in range(40)]
SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 32,
    "rope_parameters": {"rope_type": "default", "rope_theta": 100.0},
}
TRAINED = 8
LLAMA = "TinyLlama 1.1B"
QWEN = pretrained.Checkpoint("some/qwen", "0" * 40, TRAINED)


def seed(number: int) -> Seed:
    return Seed("rerope-tests/r1", "verdict", number)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints, a tokenizer and the books, under the names that they have on the Hub."""
    place = tmp_path_factory.mktemp("hub")
    # Words end in spaces of their own: Llama's and Qwen's tokenizers are pairs of bytes whatever the file says.
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.train_from_iterator(
        WORDS, trainers.BpeTrainer(vocab_size=60, special_tokens=["<unk>"], show_progress=False)
    )
    for repository in (*(c.repository for c in pretrained.CHECKPOINTS.values()), QWEN.repository):
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>").save_pretrained(place / repository)
        with same_weights():
            if repository == QWEN.repository:
                Qwen2(Qwen2Config(vocab_size=64, use_sliding_window=False, **SHAPE)).save_pretrained(place / repository)
            else:
                LlamaForCausalLM(LlamaConfig(vocab_size=64, **SHAPE)).save_pretrained(place / repository)
    path = place / pretrained.BOOKS / pretrained.BOOKS_FILE
    path.parent.mkdir(parents=True)
    stream = seed(0).numpy("text")
    pd.DataFrame({"text": ["too short", *(" ".join(stream.choice(WORDS, size=100)) for _ in range(3))]}).to_parquet(
        path
    )
    return place


def tier(folder: Path) -> Tier:
    return Tier(seeds=2, sizes={"folder": str(folder), "characters": 500, "trained": TRAINED})


def tokens(length: int) -> Tensor:
    return torch.randint(60, (1, length), generator=seed(0).stream("tokens"))


@pytest.mark.parametrize("name", [LLAMA, "qwen"])
@pytest.mark.parametrize("form", [Rotary, Blockwise, TwoStep])
def test_within_the_window_the_logits_are_those_of_the_stock_model(folder: Path, name: str, form: Any) -> None:
    checkpoint = QWEN if name == "qwen" else pretrained.CHECKPOINTS[name]
    stock = AutoModelForCausalLM.from_pretrained(folder / checkpoint.repository).eval()
    with pretrained.plugged(Rotary(torch.zeros(4))), torch.no_grad():
        _, model, theta = pretrained.load(checkpoint, str(folder))
        attention = Rotary(theta) if form is Rotary else form(frequencies=theta, window=20)
        ids = tokens(20)
        with pretrained.plugged(attention):
            ours = model(input_ids=ids, use_cache=False).logits
        assert torch.allclose(ours, stock(input_ids=ids).logits, atol=1e-5)
        with pretrained.plugged(Blockwise(frequencies=theta, window=4)):
            beyond = model(input_ids=ids, use_cache=False).logits
        assert torch.allclose(beyond[:, :4], ours[:, :4], atol=1e-5)
        assert not torch.allclose(beyond[:, 10:], ours[:, 10:], atol=1e-4)


def test_the_loss_is_that_on_the_last_tokens(folder: Path) -> None:
    stock = LlamaForCausalLM.from_pretrained(folder / pretrained.CHECKPOINTS[LLAMA].repository).eval()
    ids = tokens(24)[0]
    with torch.no_grad():
        logits = stock(input_ids=ids.unsqueeze(0)).logits[0].log_softmax(-1)
    slow = -sum(float(logits[place - 1, ids[place]]) for place in range(17, 24)) / 7
    assert pretrained.last_loss(stock, ids, 8) == pytest.approx(slow, rel=1e-5)


@pytest.mark.parametrize("method", pretrained.METHODS)
def test_every_method_in_little(folder: Path, method: str) -> None:
    found = pretrained.measure([seed(0), seed(2)], tier(folder), model=LLAMA, method=method)
    assert [len(row) for row in found["loss"]] == [3, 3]
    assert found["loss"][0] != found["loss"][1]
    for row, loss in enumerate(found["loss"]):
        assert found["at_n"][row] == loss[0]
        assert found["doubled"][row] == loss[1] - loss[0]
        assert found["again"][row] == loss[2] - loss[1]


def test_at_n_ntk_is_rope(folder: Path) -> None:
    rope, ntk = (
        pretrained.measure([seed(0)], tier(folder), model=LLAMA, method=name)["at_n"] for name in ("RoPE", "NTK")
    )
    assert rope == ntk


def test_the_last_tokens_are_the_same_for_every_context(folder: Path) -> None:
    """A window of N hides what more context adds, from one layer: the losses then agree, hence the same tokens."""
    with pretrained.plugged(Rotary(torch.zeros(4))):
        _, model, theta = pretrained.load(pretrained.CHECKPOINTS[LLAMA], str(folder))
    model.model.layers = model.model.layers[:1]
    model.config.num_hidden_layers = 1
    ids = tokens(32)[0]
    with pretrained.plugged(Rotary(theta, window=4)):
        # The last token of eight has the same four in sight whatever came before.
        one, two = (model(input_ids=ids[None, -n:], use_cache=False).logits[0, -1] for n in (16, 32))
    assert torch.allclose(one, two, atol=1e-5)


def test_books_that_are_too_short_are_skipped_or_an_error(folder: Path) -> None:
    found = pretrained.books(3, 400, str(folder))
    assert [len(text) for text in found] == [400] * 3
    with pytest.raises(ValueError, match="3 books of 400 characters, fewer than the 4"):
        pretrained.books(4, 400, str(folder))


def test_what_the_attention_is_not_meant_for_is_an_error(folder: Path) -> None:
    with pretrained.plugged(Rotary(torch.zeros(4))):
        _, model, theta = pretrained.load(pretrained.CHECKPOINTS[LLAMA], str(folder))
    with pretrained.plugged(Rotary(theta)):
        first = model(input_ids=tokens(6), use_cache=True)
        with pytest.raises(ValueError, match="whole texts"):
            model(input_ids=tokens(1), past_key_values=first.past_key_values)


def test_models_that_scale_their_positions_are_refused(folder: Path, tmp_path: Path) -> None:
    config = LlamaConfig(
        vocab_size=64, **{**SHAPE, "rope_parameters": {"rope_type": "linear", "rope_theta": 100.0, "factor": 2.0}}
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "scaled/llama")
    PreTrainedTokenizerFast.from_pretrained(folder / QWEN.repository).save_pretrained(tmp_path / "scaled/llama")
    with pretrained.plugged(Rotary(torch.zeros(4))), pytest.raises(ValueError, match="scales its positions already"):
        pretrained.load(pretrained.Checkpoint("scaled/llama", "0" * 40, 8), str(tmp_path))


def test_pairs_of_halves_become_neighbours() -> None:
    """Llama turns (x_i, x_(i + d/2)); reordered, the blocks' rotation gives the same scores."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    theta = 100.0 ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
    q, k, v = torch.randn(3, 1, 2, 6, 8, generator=seed(0).stream("heads"))
    angle = (torch.arange(6).unsqueeze(1) * theta).repeat(1, 2).float().unsqueeze(0)
    turned_q, turned_k = apply_rotary_pos_emb(q, k, angle.cos(), angle.sin())
    slow = torch.nn.functional.scaled_dot_product_attention(turned_q, turned_k, v, is_causal=True)
    found = Rotary(theta)(pretrained.neighbours(q), pretrained.neighbours(k), v)
    assert torch.allclose(found, slow, atol=1e-5)


def test_revisions_are_pinned() -> None:
    assert len(pretrained.BOOKS_REVISION) == 40
    for checkpoint in pretrained.CHECKPOINTS.values():
        assert len(checkpoint.revision) == 40
