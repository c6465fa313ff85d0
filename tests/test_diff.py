"""The gate: 0 the same, 1 a verdict flipped or an effect moved by more than its noise, 2 nothing to compare."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite import cli
from tests.fake_ledger import comparison, sealed

Book = dict[str, Any]


@pytest.fixture
def gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[Book, Book], tuple[int, str]]:
    def compare(old: Book, new: Book) -> tuple[int, str]:
        for name, book in (("old", old), ("new", new)):
            (tmp_path / f"{name}.json").write_text(json.dumps(book))
        code = cli.main(["diff", str(tmp_path / "old.json"), str(tmp_path / "new.json")])
        said = capsys.readouterr()
        return code, said.out + said.err

    return compare


def other(change: Callable[[Book], Any]) -> Book:
    book = copy.deepcopy(comparison())
    change(book)
    return sealed(book)


def moved(book: Book, by: float) -> None:
    """Shift all that the first claim measured, the verdict staying."""
    row = book["claims"][0]
    row["measured"] = [[low + by, high + by] for low, high in row["measured"]]
    row["estimate"] += by


def width(book: Book) -> float:
    low, high = book["claims"][0]["measured"][0]
    return high - low


def elsewhere(book: Book) -> None:
    book["provenance"]["machine"]["vector"] = "another"


def test_the_same_ledger(gate: Any) -> None:
    assert gate(comparison(), comparison()) == (
        0,
        "new: identical outside timing\n1 ledgers compared: same\n",
    )


def test_timing_does_not_count(gate: Any) -> None:
    book = other(lambda book: book["timing"].update(seconds=9e9))
    assert gate(comparison(), book)[0] == 0


def another_trial(book: Book) -> None:
    metrics = book["trials"][0]["metrics"]
    name = next(name for name, value in metrics.items() if isinstance(value, float))
    metrics[name] *= 1 + 1e-15


def test_within_a_machine_class_bytes_count(gate: Any) -> None:
    """The last bit of one trial: the same code with the same seeds on the same class promised the same bytes."""
    code, said = gate(comparison(), other(another_trial))
    assert (code, "the same code, seeds and machine class, and other numbers" in said) == (1, True)
    code, said = gate(comparison(), other(lambda book: book["provenance"]["git"].update(commit="f" * 40)))
    assert (code, "the same trials, bit for bit" in said) == (0, True)


def test_other_code_on_the_same_machine_class_is_compared_by_verdict(gate: Any) -> None:
    def rewritten(book: Book) -> None:
        another_trial(book)
        moved(book, width(book) / 4)
        book["provenance"]["code"] = {name: {"hash": "f" * 64, "parts": {}} for name in book["provenance"]["code"]}

    code, said = gate(comparison(), other(rewritten))
    assert (code, "other code or seeds: compared by verdict" in said) == (0, True)


def test_across_machine_classes_verdicts_count_and_bytes_do_not(gate: Any) -> None:
    def both(book: Book) -> None:
        elsewhere(book)
        another_trial(book)
        moved(book, width(book) / 4)

    code, said = gate(comparison(), other(both))
    assert code == 0
    assert "other machine class or versions: compared by verdict" in said


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_an_effect_that_moved_by_more_than_its_noise(gate: Any, where: str) -> None:
    def far(book: Book) -> None:
        moved(book, 3 * width(book))
        if where == "elsewhere":
            elsewhere(book)

    code, said = gate(comparison(), other(far))
    assert code == 1
    assert "the intervals are apart" in said
    assert said.endswith("DIFFERENT\n")


@pytest.mark.parametrize("where", ["here", "elsewhere"])
@pytest.mark.parametrize("to", ["refuted", "inconclusive", "error"])
def test_a_flipped_verdict(gate: Any, where: str, to: str) -> None:
    def flip(book: Book) -> None:
        row = next(row for row in book["claims"] if row["outcome"] == "reproduced")
        row["outcome"] = to
        if where == "elsewhere":
            elsewhere(book)

    code, said = gate(comparison(), other(flip))
    assert code == 1
    assert f"reproduced -> {to}" in said


def test_a_claim_that_is_gone_or_another_rule(gate: Any) -> None:
    code, said = gate(comparison(), other(lambda book: book["claims"].pop(0)))
    assert (code, "c1 is gone" in said) == (1, True)
    code, said = gate(comparison(), other(lambda book: book.update(rule_hash="f" * 64)))
    assert (code, "the rule differs" in said) == (1, True)


def test_what_cannot_be_compared(gate: Any, tmp_path: Path) -> None:
    assert gate(comparison(), other(lambda book: book.update(slug="another-task")))[0] == 2
    assert gate(comparison(), {**comparison(), "outcome": "edited"})[0] == 2

    def nothing(book: Book) -> None:
        for row in (*book["claims"], *book["timing"]["claims"]):
            row["outcome"] = "error" if row["outcome"] else None

    code, said = gate(comparison(), other(nothing))
    assert (code, "measured nothing" in said) == (2, True)


def test_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side in ("old", "new"):
        (tmp_path / side / "cpu").mkdir(parents=True)
        (tmp_path / side / "cpu/a.json").write_text(json.dumps(comparison()))
    assert cli.main(["diff", str(tmp_path / "old"), str(tmp_path / "new")]) == 0
    (tmp_path / "new/history").mkdir()
    shutil.copy(tmp_path / "new/cpu/a.json", tmp_path / "new/history/b.json")
    assert cli.main(["diff", str(tmp_path / "old"), str(tmp_path / "new")]) == 0
    shutil.copy(tmp_path / "new/cpu/a.json", tmp_path / "new/cpu/b.json")
    assert cli.main(["diff", str(tmp_path / "old"), str(tmp_path / "new")]) == 2
    assert "only one side has cpu/b.json" in capsys.readouterr().err
    assert cli.main(["diff", str(tmp_path / "old"), str(tmp_path / "new/cpu/a.json")]) == 2
