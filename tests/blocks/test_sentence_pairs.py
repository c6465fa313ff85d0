"""The generator of sentence pairs: what every kind changes and keeps, its ceiling, and the networks that read pairs."""

import math

import pytest
import torch
from torch import Tensor

from suite.blocks.data.sentence_pairs import CLAUSE, LENGTH, MOST, Pairs, ceiling, sentence_pairs
from suite.blocks.models.interaction import Interaction, Representation


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def concepts(found: Pairs) -> list[tuple[list[int], list[int]]]:
    return [((a // 3).tolist(), (b // 3).tolist()) for a, b in zip(found.left, found.right, strict=True)]


def clauses(sentence: list[int]) -> list[list[int]]:
    return [sentence[:CLAUSE], sentence[CLAUSE:]]


@pytest.mark.parametrize("kind", ["replaced", "swapped", "redrawn", "graded"])
def test_sentences_hold_different_concepts(kind: str) -> None:
    found = sentence_pairs(kind, 300, stream(), positives=0.4)  # type: ignore[arg-type]
    assert found.left.shape == found.right.shape == (300, LENGTH)
    for a, b in concepts(found):
        assert len(set(a)) == len(set(b)) == LENGTH
        assert max(*a, *b) < 40
    shares = torch.bincount(found.left.flatten() % 3).float() / found.left.numel()
    assert torch.allclose(shares, torch.full((3,), 1 / 3), atol=0.05)


@pytest.mark.parametrize(("kind", "changed"), [("replaced", {1, 2}), ("redrawn", {8}), ("swapped", {0})])
def test_what_a_negative_changes(kind: str, changed: set[int]) -> None:
    found = sentence_pairs(kind, 500, stream(1), positives=0.5)  # type: ignore[arg-type]
    seen, exchanged = set(), 0
    for (a, b), same in zip(concepts(found), found.truth.tolist(), strict=True):
        if same:
            assert b in (a, a[CLAUSE:] + a[:CLAUSE])
            exchanged += b != a
            continue
        seen.add(len(set(a) - set(b)))
        if kind == "swapped":
            pieces = clauses(b) if set(b[:CLAUSE]) == set(a[:CLAUSE]) else clauses(b)[::-1]
            moved = [sum(x != y for x, y in zip(p, q, strict=True)) for p, q in zip(clauses(a), pieces, strict=True)]
            assert sorted(moved) == [0, 2]
    assert seen == changed
    assert 80 < exchanged < 170  # about half of 250


def test_graded_labels_follow_the_number_of_changes() -> None:
    found = sentence_pairs("graded", 2000, stream(2))
    for (a, b), truth in zip(concepts(found), found.truth.tolist(), strict=True):
        assert MOST - len(set(a) - set(b)) == truth
    inside = (found.truth > 1.5) & (found.truth < 3.5)
    assert float((found.label - found.truth)[inside].std()) == pytest.approx(0.6, abs=0.05)
    assert (float(found.label.min()), float(found.label.max())) == (0.0, float(MOST))


def test_wrong_labels_and_shares() -> None:
    found = sentence_pairs("replaced", 20_000, stream(3), positives=0.18, flips=0.05)
    assert float(found.truth.mean()) == pytest.approx(0.18, abs=0.01)
    assert float((found.label != found.truth).float().mean()) == pytest.approx(0.05, abs=0.005)


def test_the_ceiling_by_counting() -> None:
    """Spearman's correlation of a perfect scorer without ties, from the ranks themselves."""
    n, p, e = 4000, 0.3, 0.1
    truth = torch.arange(n) >= n - round(p * n)
    turned = torch.zeros(n, dtype=torch.bool)
    for group in (truth, ~truth):
        rows = group.nonzero().flatten()
        turned[rows[torch.randperm(len(rows), generator=stream(4))[: round(e * len(rows))]]] = True
    y = (truth ^ turned).double()
    x = torch.rand(n, generator=stream(5), dtype=torch.float64) + truth
    ranks = x.argsort().argsort().double()
    known = 100 * float(torch.corrcoef(torch.stack([ranks, y]))[0, 1])  # ranks of binary labels are linear in them
    assert ceiling(p, e) == pytest.approx(known, abs=1.0)
    assert ceiling(0.5, 0.0) == pytest.approx(50 * math.sqrt(3))


# --- The networks ---------------------------------------------------------------------------------


def tokens(*shape: int, seed: int) -> Tensor:
    return torch.randint(12, shape, generator=stream(seed))


def test_interaction_word_by_word() -> None:
    table = torch.randn(2, 12, 5, generator=stream(6))
    model = Interaction(table, [stream(7), stream(8)], length=3, heads=2, width=4, hidden=6)
    model.right.data += 0.1  # else both sides are the same matrix
    a, b = tokens(2, 4, 3, seed=9), tokens(2, 4, 3, seed=10)
    found = model(a, b)
    for r in range(2):
        for n in range(4):
            maps = torch.zeros(2, 3, 3)
            for h in range(2):
                part = slice(4 * h, 4 * h + 4)
                for i in range(3):
                    for j in range(3):
                        left = table[r, a[r, n, i]] @ model.left[r, :, part]
                        right = table[r, b[r, n, j]] @ model.right[r, :, part]
                        maps[h, i, j] = torch.tanh(left @ right / 4)
            lacking = 1 - torch.cat([maps.amax(2), maps.amax(1)], 1)
            x = torch.cat([maps.flatten(), lacking.flatten()])
            for number, layer in enumerate(model.score.layers):
                x = x @ layer.weight[r] + layer.bias[r]
                x = x.relu() if number < 2 else x
            assert float(found[r, n].detach()) == pytest.approx(float(x.detach()), abs=1e-5)


def test_a_model_does_not_depend_on_its_company() -> None:
    table = torch.randn(2, 12, 5, generator=stream(11))
    for kind in (Interaction, Representation):
        both = kind(table, [stream(12), stream(13)], length=3, hidden=6)
        alone = kind(table[1:], [stream(13)], length=3, hidden=6)
        a, b = tokens(2, 4, 3, seed=14), tokens(2, 4, 3, seed=15)
        sides = (a, b) if kind is Interaction else (a,)
        assert torch.allclose(both(*sides)[1], alone(*(side[1:] for side in sides))[0], atol=1e-6)


def test_representations_have_length_one() -> None:
    table = torch.randn(2, 12, 5, generator=stream(16))
    model = Representation(table, [stream(17), stream(18)], length=3, hidden=6, width=7)
    u, v = model(tokens(2, 4, 3, seed=19)), model(tokens(2, 4, 3, seed=20))
    assert u.shape == (2, 4, 7)
    assert torch.allclose(u.norm(dim=-1), torch.ones(2, 4))
    x = torch.cat([u, v, (u - v).abs()], -1)
    known = torch.einsum("rbi,ri->rb", x, model.head.weight[:, :, 0])
    assert torch.allclose(model.logit(u, v), known, atol=1e-5)
