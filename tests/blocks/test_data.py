"""Embedded data: sizes, splits, digests, and draws that depend on their stream alone."""

import sysconfig
from pathlib import Path

import pytest
import torch

from suite.blocks.data import stdlib_text as text_module
from suite.blocks.data.digits import digits
from suite.blocks.data.draws import draws, own_rows, rows, shuffles, windows
from suite.blocks.data.stdlib_text import SYMBOLS, decode, encode, stdlib_text
from suite.seeds import Seed

SEEDS = [Seed("test/r1", "verdict", number) for number in range(3)]


def streams(numbers=range(3)):
    return [SEEDS[number].stream("batches") for number in numbers]


def test_digits_are_split_without_overlap_or_loss():
    data = digits()
    parts = [data.train, data.validation, data.test]
    assert [tuple(x.shape) for x, _ in parts] == [(900, 64), (400, 64), (497, 64)]
    assert all(x.dtype == torch.float32 and y.dtype == torch.int64 for x, y in parts)
    everything = torch.cat([x for x, _ in parts])
    assert len(torch.unique(everything, dim=0)) == 1797
    assert torch.cat([y for _, y in parts]).bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    for _, y in parts:
        assert y.bincount(minlength=10).min() >= 0.07 * len(y)


def test_digits_are_normalised_on_the_training_part():
    x, _ = digits().train
    assert float(x.mean()) == pytest.approx(0, abs=1e-6)
    assert float(x.std()) == pytest.approx(1, rel=1e-5)


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    x = torch.cat([part[0] for part in (digits().train, digits().validation, digits().test)])
    y = torch.cat([part[1] for part in (digits().train, digits().validation, digits().test)])
    scale = float(x.max() - x.min()) / 16
    restored = ((x - x.min()) / scale).round().int()
    theirs = {(tuple(p.astype(int).tolist()), int(label)) for p, label in zip(pixels, labels, strict=True)}
    assert {(tuple(p.tolist()), int(label)) for p, label in zip(restored, y, strict=True)} == theirs


def test_digits_are_the_same_every_time():
    one, other = digits(), digits()
    assert one.sha256 == other.sha256 == "9ab378c4c48f3ac846b59b7d53521b40574efebe23897465ac4f2a34b52e45f1"
    assert torch.equal(one.test[0], other.test[0])


def test_text_is_the_first_bytes_of_the_library():
    text = stdlib_text(200_000, blocks=100)
    everything = b"".join(p.read_bytes() for p in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")))
    expected = "".join(c for c in everything.decode("latin1") if c == "\n" or " " <= c <= "~")[:200_000]
    pieces = {name: getattr(text, name).view(-1, 2000) for name in ("train", "validation", "test")}
    rebuilt = []
    for block in range(100):
        name = {8: "validation", 9: "test"}.get(block % 10, "train")
        taken, pieces[name] = pieces[name][0], pieces[name][1:]
        rebuilt.append(decode(taken))
    assert "".join(rebuilt) == expected
    assert text.train.dtype == torch.uint8
    assert int(text.train.max()) < len(SYMBOLS) == 96


def test_text_has_a_digest_of_the_whole():
    assert stdlib_text(50_000).sha256 == stdlib_text(50_000).sha256 != stdlib_text(50_100).sha256


def test_encoding_and_decoding_are_inverse():
    assert decode(encode(SYMBOLS.encode())) == SYMBOLS
    assert encode(SYMBOLS.encode()).tolist() == list(range(96))
    assert len(encode("\t\r\x00é".encode())) == 0


def test_more_text_than_there_is_names_the_folder(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("import b\n")
    (tmp_path / "sitecustomize.py").write_text("x = 1\n" * 1000)
    monkeypatch.setattr(text_module.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(ValueError, match="hold 9 characters, fewer than the 100 asked for"):
        stdlib_text(100)


@pytest.mark.parametrize("draw", [draws, shuffles])
def test_draws_depend_on_their_own_stream_alone(draw):
    together = draw(streams(), steps=6, size=5, number=40)
    assert together.shape == (3, 6, 5)
    assert not torch.equal(together[0], together[1])
    for numbers in ([1], [2, 0]):
        assert torch.equal(draw(streams(numbers), steps=6, size=5, number=40), together[numbers])


def test_draws_are_uniform():
    counts = draws(streams(), steps=400, size=50, number=10).flatten().bincount()
    assert ((counts - 6000).abs() < 5 * (6000 * 0.9) ** 0.5).all()


def test_shuffles_use_every_example_once_per_round():
    found = shuffles(streams(), steps=8, size=5, number=10)
    for row in found:
        for round_ in row.view(4, 10):
            assert sorted(round_.tolist()) == list(range(10))
    assert shuffles(streams(), steps=3, size=7, number=10).shape == (3, 3, 7)


def test_rows_and_windows_pick_one_by_one():
    data, own = torch.arange(40).view(10, 4), torch.arange(120).view(3, 10, 4)
    drawn = draws(streams(), steps=1, size=5, number=10)[:, 0]
    for r in range(3):
        for b in range(5):
            assert torch.equal(rows(data, drawn)[r, b], data[drawn[r, b]])
            assert torch.equal(own_rows(own, drawn)[r, b], own[r, drawn[r, b]])
    text = torch.arange(100, dtype=torch.uint8)
    found = windows(text, drawn, 7)
    assert found.dtype == torch.int64
    for r in range(3):
        for b in range(5):
            assert found[r, b].tolist() == list(range(int(drawn[r, b]), int(drawn[r, b]) + 7))
