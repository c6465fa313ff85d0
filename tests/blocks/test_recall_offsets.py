"""Recall and offsets: the labels against a reader that goes through the tokens one by one."""

import pytest
import torch

from suite.blocks.data.recall_offsets import NONE, Language, Questions, questions
from suite.seeds import Seed

LANGUAGE = Language(keys=12)


def drawn(numbers: list[int], batch: int = 20, length: int = 64, language: Language = LANGUAGE) -> Questions:
    streams = [Seed("recall-tests/r1", "verdict", n).stream("batch 0") for n in numbers]
    return questions(streams, language, batch, length)


def read(tokens: list[int], language: Language) -> list[tuple[int, int, bool]]:
    """(label, distance, local) of every token."""
    known: dict[int, tuple[int, int]] = {}
    found = []
    carried: list[int] = []
    for at, token in enumerate(tokens):
        label, distance, local = NONE, 0, False
        if token < language.noise:
            key, value = divmod(token, language.values)
            assert key not in known, "defined twice"
            known[key] = (value, at)
            carried.append(value)
        elif token < language.query:
            carried.append(token - language.noise)
        elif token < language.back:
            if token - language.query in known:
                label, where = known[token - language.query]
                distance = at - where
            carried.append(0)
        else:
            steps = token - language.back + 1
            if steps <= at:
                label, local = carried[at - steps], True
            carried.append(0)
        found.append((label, distance, local))
    assert set(known) == set(range(language.keys)), "every key is defined"
    return found


@pytest.mark.parametrize(("language", "length"), [(LANGUAGE, 64), (Language(keys=4), 16), (Language(keys=3), 3)])
def test_every_label(language: Language, length: int) -> None:
    asked = drawn([0, 1], length=length, language=language)
    assert asked.tokens.shape == (2, 20, length)
    assert int(asked.tokens.max()) < language.vocab
    for r in range(2):
        for b in range(20):
            expected = read(asked.tokens[r, b].tolist(), language)
            fields = (asked.labels[r, b].tolist(), asked.distance[r, b].tolist(), asked.local[r, b].tolist())
            assert list(zip(*fields, strict=True)) == expected


def test_masks() -> None:
    asked = drawn([3], length=256)
    assert not bool((asked.recall & asked.local).any())
    assert torch.equal(asked.labels >= 0, asked.recall | asked.local)
    assert torch.equal(asked.far(64), asked.distance >= 64)
    assert bool(asked.far(64).any())


def test_rows_depend_on_their_stream_alone() -> None:
    together, alone = drawn([5, 6, 7]), drawn([6])
    assert torch.equal(together.tokens[1], alone.tokens[0])
    assert torch.equal(together.labels[1], alone.labels[0])
    assert torch.equal(drawn([6]).tokens, alone.tokens)
    assert not torch.equal(together.tokens[0], together.tokens[1])


def test_shares_and_places() -> None:
    """Of the tokens that define nothing 50, 30 and 20 %; values, keys, steps and places uniform: within 4 sigma."""
    asked = drawn([0], batch=2000)
    tokens, language = asked.tokens.flatten(), LANGUAGE
    other = tokens[tokens >= language.noise]
    for low, high, share in (
        (language.noise, language.query, 0.5),
        (language.query, language.back, 0.3),
        (language.back, language.vocab, 0.2),
    ):
        found = float(((other >= low) & (other < high)).double().mean())
        assert abs(found - share) < 4 * (share * (1 - share) / len(other)) ** 0.5
        counts = torch.bincount(other[(other >= low) & (other < high)] - low, minlength=high - low).double()
        expected = float(counts.sum()) / (high - low)
        assert bool(((counts - expected).abs() < 4 * expected**0.5).all())
    defined = (asked.tokens < language.noise).double().sum((0, 1))
    expected = 2000 * 12 / 64
    assert bool(((defined - expected).abs() < 4.5 * expected**0.5).all())


def test_too_short() -> None:
    with pytest.raises(ValueError, match="12 keys cannot be defined in 11 tokens"):
        drawn([0], length=11)
