"""The page decoder-only-vs-unilm: tasks by hand, training against a plain loop, the hub and gpu tiers in little."""

import importlib
import inspect
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from suite.blocks.attention import masks
from suite.blocks.data.stdlib_text import decode
from suite.claims import Experiment, Tier
from suite.seeds import Seed
from tasks.decoder_only_vs_unilm import (
    TASK,
    finetuning,
    generation,
    identities,
    linear,
    masked,
    recipe,
    text,
    understanding,
)
from tests.wikitext_copy import copy_of_wikitext


def seeds(*numbers: int) -> list[Seed]:
    return [Seed("decoder-only-tests/r1", "verdict", number) for number in numbers]


def sized(experiment: Experiment, tier: str, sizes: dict[str, Any]) -> Tier:
    """A tier of the page with some of its sizes made small."""
    given = experiment.tiers[tier]
    return replace(given, sizes={**given.sizes, **{k: v for k, v in sizes.items() if k in given.sizes}})


def smoke(experiment: Experiment, sizes: dict[str, Any]) -> Tier:
    return sized(experiment, "smoke", sizes)


# --- The page as a whole --------------------------------------------------------------------------


def test_every_claim_of_the_posts_is_there() -> None:
    assert {claim.id.split("_")[0] for claim in TASK.claims} == {*(f"c{number}" for number in range(1, 18)), "i1"}


def test_arms_have_equal_grids() -> None:
    for experiment in TASK.experiments:
        ordered = [arm for arm in experiment.arms if not arm.name.endswith("-unordered")]
        assert len({arm.tuned.get("lr") for arm in ordered}) == 1
        assert len({arm.budget for arm in experiment.arms}) == 1


def test_the_mutant_can_stand_in_and_leaks() -> None:
    (mutant,) = TASK.mutants
    module, _, name = mutant.replaces.partition(":")
    original = getattr(importlib.import_module(module), name)
    assert list(inspect.signature(mutant.by).parameters) == list(inspect.signature(original).parameters)
    assert bool(mutant.by("unilm", 2, 2)[2, 3])
    assert not bool(original("unilm", 2, 2)[2, 3])
    assert torch.equal(mutant.by("gpt", 2, 2), original("gpt", 2, 2))


# --- Tasks and data -------------------------------------------------------------------------------


def test_tasks_by_hand() -> None:
    tier = smoke(generation.TASKS, {"inputs": 6})
    tokens, targets = generation.drawer("sort", tier)(seeds(0)[0], "batch 0", 3, "train")
    assert tokens.shape == (3, 12)
    assert targets.shape == (3, 6)
    for row, answer in zip(tokens, targets, strict=True):
        x = row[:6].tolist()
        assert row[6] == text.MARK
        assert answer.tolist() == sorted(x)
        assert row[7:].tolist() == sorted(x)[:-1]
    tokens, targets = generation.drawer("count-larger", tier)(seeds(0)[0], "batch 0", 3, "train")
    for row, answer in zip(tokens, targets, strict=True):
        x = row[:6].tolist()
        assert answer.tolist() == [sum(later > x[i] for later in x[i + 1 :]) for i in range(6)]
    tokens, targets = generation.drawer("denoise", tier)(seeds(0)[0], "batch 0", 50, "train")
    hidden = tokens[:, :6] == text.MARK
    assert torch.equal(tokens[:, :6][~hidden], targets[~hidden])
    assert 0.25 < float(hidden.float().mean()) < 0.42  # 0.3, and one at least


def test_continuations_are_stretches_of_the_text() -> None:
    tier = smoke(generation.CONTINUATION, {"inputs": 10, "outputs": 5})
    corpus = decode(text.text(tier).test)
    tokens, targets = generation.drawer("continue", tier)(seeds(0)[0], "test", 4, "test")
    for row, answer in zip(tokens, targets, strict=True):
        assert decode(row[:10]) + decode(answer) in corpus
        assert row.tolist()[10:] == [text.MARK, *answer.tolist()[:-1]]


def test_what_is_supervised() -> None:
    tier = smoke(generation.CONTINUATION, {"inputs": 4, "outputs": 3})
    draw = generation.drawer("continue", tier)
    whole = generation.with_input(draw, 4)
    (tokens, targets), (same, more) = (f(seeds(0)[0], "batch 0", 2, "train") for f in (draw, whole))
    assert torch.equal(tokens, same)
    assert more[:, :3].tolist() == tokens[:, 1:4].tolist()
    assert more[:, 3].tolist() == [-1, -1]
    assert torch.equal(more[:, 4:], targets)
    assert torch.equal(whole(seeds(0)[0], "test", 2, "test")[1], draw(seeds(0)[0], "test", 2, "test")[1])


def test_masked_examples() -> None:
    tier = smoke(masked.EXPERIMENT, {"length": 20})
    tokens, targets = masked.drawer(tier)(seeds(0)[0], "batch 0", 40, "train")
    hidden = tokens == text.MARK
    assert torch.equal(hidden, targets >= 0)
    assert hidden.any(-1).all()
    assert 0.1 < float(hidden.float().mean()) < 0.22
    assert not torch.equal(tokens, masked.drawer(tier)(seeds(0)[0], "batch 1", 40, "train")[0])


def test_masks_of_the_kinds() -> None:
    (first, second) = masked.seen("layers", seeds(0), 2, 4, 5)
    assert torch.equal(first, masks.causal(5))
    assert torch.equal(second, masks.causal(5).mT)
    for layer in masked.seen("permuted", seeds(0, 1), 2, 4, 5):
        assert layer.shape == (2, 4, 5, 5)
        assert (layer.sum((-2, -1)) == 15).all()
    alone = masked.seen("permuted", seeds(1), 2, 4, 5)[0]
    assert torch.equal(alone[0], masked.seen("permuted", seeds(0, 1), 2, 4, 5)[0][1])
    assert generation.seen("unilm", 2, 2).int().tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1]]


def test_labels_and_frequencies_by_hand() -> None:
    x = torch.randint(4, (5, 7), generator=seeds(0)[0].stream("x"))
    for row, labels in zip(x.tolist(), understanding.again(x).tolist(), strict=True):
        assert labels == [int(row[i] in row[i + 1 :]) for i in range(7)]
    counts = [4] + [2] + [1] * (text.V - 2)  # each plus one
    expected = -(math.log(4 / sum(counts)) + math.log(1 / sum(counts))) / 2
    assert text.unigram(torch.tensor([0, 0, 0, 1]), torch.tensor([[0, 5], [-1, -1]])) == pytest.approx(expected)


def test_lines_drawn_on() -> None:
    steps = torch.arange(1.0, 9.0)
    curve = torch.stack([3 - 0.5 * torch.log10(steps), torch.full((8,), 2.0)])
    expected = [3 - 0.5 * math.log10(80), 2.0]
    assert masked.extrapolated(curve).tolist() == pytest.approx(expected, abs=1e-5)


# --- Training -------------------------------------------------------------------------------------


def plain_loop(seed: Seed, tier: Tier, mask: str, lr: float) -> float:
    """The training without the suite's loop: one model, torch's Adam, the loss written out."""
    n, m = tier["inputs"], tier["outputs"]
    model = generation.network([seed], tier, mask, n, m)
    draw = generation.drawer("continue", tier)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.98))
    steps, rise = tier["steps"], round(0.1 * tier["steps"])

    def losses(tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        logits = model(tokens.unsqueeze(0))[0, :, n:]  # the mark stands at n
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    for step in range(steps):
        wave = 0.02 + 0.98 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise))) / 2
        optimizer.param_groups[0]["lr"] = lr * ((step + 1) / rise if step < rise else wave)
        optimizer.zero_grad()
        losses(*draw(seed, f"batch {step}", tier["batch"], "train")).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        return float(losses(*draw(seed, "test", tier["held_out"], "test")))


@pytest.mark.parametrize("mask", ["gpt", "unilm"])
def test_continuation_equals_a_plain_loop(mask: str) -> None:
    tier = smoke(generation.CONTINUATION, {"steps": 20, "inputs": 8, "outputs": 6})
    rates = [0.003, 0.02]
    found = generation.measure(seeds(3, 5), tier, mask=mask, lr=rates)
    for row, seed in enumerate(seeds(3, 5)):
        assert float(found["test"][row]) == pytest.approx(plain_loop(seed, tier, mask, rates[row]), rel=1e-4)


def test_one_layer_cannot_tell_the_masks_apart() -> None:
    tier = smoke(identities.EXPERIMENT, {"inputs": 8, "outputs": 6, "batch": 4, "held_out": 16})
    found = identities.measure(seeds(0), tier)
    assert found["effect_at_one_layer"] == [0.0]
    assert found["effect_at_two_layers"][0] > 1e-7
    assert found["weights_apart"] == found["starts_apart"] == found["batches_apart"] == [0.0]
    assert found["reordering_full"][0] < 1e-5 < 1e-2 < found["reordering_causal"][0]
    assert found["least_ratio"][0] >= 4


@pytest.mark.parametrize("tier", ["smoke", "cpu", "gpu", "hub"])
def test_the_wide_decoder_has_the_separate_ones_weights(tier: str) -> None:
    found = identities.wide_over_separate(seeds(0)[0], generation.CONTINUATION.tiers[tier])
    assert found == pytest.approx(1, abs=0.002)


def test_a_seed_is_pretrained_once_for_all_rates() -> None:
    tier = smoke(finetuning.EXPERIMENT, {"inputs": 8, "outputs": 8, "pretraining": 3, "steps": 3, "batch": 4})
    stack = seeds(0, 1, 0)
    model = finetuning.pretrained(stack, tier, "unilm")
    fresh = generation.network(stack, tier, "unilm", 8, 8)
    for (name, weight), start in zip(model.named_parameters(), fresh.parameters(), strict=True):
        assert torch.equal(weight[0], weight[2]), name
        assert not torch.equal(weight[0], start[0]), name
    found = finetuning.measure(stack, tier, mask="unilm", pretraining=1, lr=[0.01, 0.01, 0.02])
    alone = finetuning.measure(seeds(1), tier, mask="unilm", pretraining=1, lr=[0.01])
    assert float(found["test"][1]) == pytest.approx(float(alone["test"][0]), rel=1e-5)
    assert float(found["test"][0]) != float(found["test"][2])


def test_tuning_runs_are_shorter() -> None:
    tier = smoke(generation.CONTINUATION, {})
    tuning = [Seed("decoder-only-tests/r1", "tune", 0)]
    assert recipe.steps_of(tuning, tier) == tier["tuning_steps"] < tier["steps"] == recipe.steps_of(seeds(0), tier)


def test_masked_models_leave_a_curve() -> None:
    tier = smoke(masked.EXPERIMENT, {"length": 12, "steps": 19, "batch": 4})
    found = masked.measure(seeds(0, 1), tier, kind="soft", lr=[0.01, 0.01])
    assert found["curve"].shape == (2, masked.POINTS)
    assert found["later"].shape == found["test"].shape == (2,)
    tuning = [Seed("decoder-only-tests/r1", "tune", 0)]
    assert set(masked.measure(tuning, tier, kind="soft", lr=[0.01])) == {"validation"}


# --- The large tiers in little --------------------------------------------------------------------

TINY = {
    "characters": 20_000,
    "width": 16,
    "wide": (24, 64),
    "heads": 4,
    "depth": 2,
    "inputs": 8,
    "outputs": 8,
    "length": 12,
    "batch": 4,
    "held_out": 8,
    "steps": 8,
    "tuning_steps": 2,
    "pretraining": 2,
}


@pytest.mark.parametrize("experiment", TASK.experiments, ids=lambda e: e.name)
def test_the_gpu_tier_in_little(experiment: Experiment) -> None:
    assert experiment.tiers["gpu"]["precision"] == "bf16"
    at = {name: values[0] for name, values in experiment.conditions.items()}
    at |= {"pretraining": 1} if "pretraining" in at else {}
    small = sized(experiment, "gpu", TINY)
    for arm in experiment.arms:
        lr = {"lr": [0.01, 0.01]} if arm.tuned else {}
        found = experiment.measure(seeds(0, 1), small, **dict(arm.fixed), **at, **lr)
        assert all(len(column) == 2 for column in found.values())
        assert all(math.isfinite(float(x)) for x in found.get("test", [0.0]))


@pytest.fixture
def wikitext(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    copy_of_wikitext(tmp_path / "wikitext")
    return tmp_path / "wikitext"


@pytest.mark.parametrize("experiment", [generation.CONTINUATION, masked.EXPERIMENT], ids=lambda e: e.name)
def test_the_hub_tier_in_little(wikitext: Path, experiment: Experiment) -> None:
    small = sized(experiment, "hub", {**TINY, "characters": 3_000, "folder": str(wikitext)})
    arm = experiment.arms[1]
    found = experiment.measure(seeds(0, 1), small, **dict(arm.fixed), lr=[0.01, 0.01])
    assert all(math.isfinite(float(x)) for x in found["test"])
    assert linear.ORDER.tiers.keys() == {"smoke", "cpu", "gpu"}
