"""The hub tier on small checkpoints and data that the test makes, through the code that loads the real ones."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from suite import fit
from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.cosent_vs_cross_entropy import pretrained
from tests.same_weights import same_weights

WORDS = [f"word{i}" for i in range(30)]
MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
SMALL = {"train": 40, "held_out": 20, "batch": 8, "length": 24, "steps": 4, "checkpoints": 2}


def seed(number: int = 0) -> Seed:
    return Seed("cosent-tests/r1", "tune", number)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints, tokenizers and pairs, under the names that they have on the Hub."""
    place = tmp_path_factory.mktemp("hub")
    vocab = {word: i for i, word in enumerate((*MARKS, *WORDS))}
    for repository, _ in pretrained.BACKBONES.values():
        tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
        ).save_pretrained(place / repository)
        config = BertConfig(
            vocab_size=len(vocab),
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=32,
        )
        with same_weights():
            BertModel(config).save_pretrained(place / repository)
    stream = seed().numpy("pairs")
    for name, corpus in pretrained.CORPORA.items():
        for split in ("train", "validation", "test"):
            rows = 50
            labels = (
                stream.integers(0, 6, rows).astype(float) if corpus.label == "score" else stream.integers(0, 2, rows)
            )
            frame = pd.DataFrame(
                {
                    "sentence1": [" ".join(stream.choice(WORDS, size=5)) for _ in range(rows)],
                    "sentence2": [" ".join(stream.choice(WORDS, size=5)) for _ in range(rows)],
                    corpus.label: labels,
                }
            )
            path = place / corpus.repository / (corpus.path.format(split=split) or f"{split}.parquet")
            path.parent.mkdir(parents=True, exist_ok=True)
            frame.to_parquet(path)
            assert name
    return place


def sized(experiment: Experiment, folder: Path, **sizes: Any) -> Tier:
    return Tier(seeds=1, sizes={**experiment.tiers["hub"].sizes, **SMALL, "folder": str(folder), **sizes})


@pytest.mark.parametrize("experiment", pretrained.EXPERIMENTS, ids=lambda e: e.name)
def test_every_experiment_in_little(folder: Path, experiment: Experiment) -> None:
    graded = experiment is pretrained.GRADED
    arms = [arm.name for arm in experiment.arms]
    for task in experiment.conditions["task"][-2:]:
        found = experiment.measure(
            [seed(0), seed(0)],
            sized(experiment, folder),
            task=task,
            backbone=experiment.conditions["backbone"][-1],
            graded=graded,
            loss=arms,
            lr=[1e-3, 1e-3],
        )
        assert set(found) == {"validation", "spearman"} | (set() if graded else {"accuracy"})
        assert all(
            len(column) == 2 and all(map(torch.isfinite, map(torch.tensor, column))) for column in found.values()
        )
        assert found["spearman"][0] != found["spearman"][1]


def test_the_first_layers_stay(folder: Path) -> None:
    tier = sized(pretrained.STS, folder, layers=1)
    data = pretrained.corpus("STS-B", tier, True)
    kept: list[pretrained.CrossEncoder] = []
    build = pretrained.CrossEncoder

    def keeping(*given: Any) -> pretrained.CrossEncoder:
        kept.append(build(*given))
        return kept[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrained, "CrossEncoder", keeping)
        first = pretrained.fine_tuned(seed(), tier, data, "MiniLM", "mse", 1e-2)
        again = pretrained.fine_tuned(seed(), tier, data, "MiniLM", "mse", 1e-2)
    assert torch.equal(first.curves["test"], again.curves["test"])
    fresh = build("MiniLM", seed(), 1, str(folder))
    moved = {
        name
        for (name, a), b in zip(kept[0].named_parameters(), fresh.parameters(), strict=True)
        if not torch.equal(a, b)
    }
    assert moved
    assert all(name.startswith(("head.", "encoder.encoder.layer.2.")) for name in moved)


def test_labels_are_cut_or_kept(folder: Path) -> None:
    tier = sized(pretrained.STS, folder)
    graded, cut = pretrained.corpus("STS-B", tier, True), pretrained.corpus("STS-B", tier, False)
    assert sorted({round(5 * y) for y in graded["train"].label.tolist()}) == [0, 1, 2, 3, 4, 5]
    for y, z in zip(graded["test"].label.tolist(), cut["test"].label.tolist(), strict=True):
        assert z == float(y >= 0.6 - 1e-6)
    assert (len(graded["train"].left), len(graded["test"].left)) == (40, 20)
    assert "STS-B, test" in fit.CONTEXT.get().data


def test_a_missing_column_is_named(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / pretrained.CORPORA["STS-B"].repository
    place.mkdir(parents=True)
    pd.DataFrame({"sentence1": ["a"], "sentence2": ["b"], "label": [1.0]}).to_parquet(place / "test.parquet")
    with pytest.raises(ValueError, match="no column score"):
        pretrained.read("STS-B", "test", 5, str(tmp_path))


def test_revisions_are_pinned() -> None:
    for _, revision in pretrained.BACKBONES.values():
        assert len(revision) == 40
    for corpus in pretrained.CORPORA.values():
        assert len(corpus.revision) == 40 or corpus.revision == "refs/convert/parquet"
