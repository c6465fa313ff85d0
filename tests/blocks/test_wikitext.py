"""WikiText from a copy on disk: the same as reading its rows one after the other."""

from pathlib import Path

import pytest

from suite.blocks.data.stdlib_text import decode
from suite.blocks.data.wikitext import REVISION, beginning, wikitext
from tests.wikitext_copy import copy_of_wikitext


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    copy_of_wikitext(tmp_path / "wikitext")
    return str(tmp_path / "wikitext")


def test_the_revision_is_pinned() -> None:
    assert len(REVISION) == 40


def test_symbols_of_every_part(folder: str) -> None:
    found = wikitext(2_000, folder)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [1600, 200, 200]
    assert decode(found.train)[:50] == " = The train part = \nLions don't hunt alone  cafs "
    assert decode(found.test).startswith(" = The test part = \n")
    assert found.sha256 == wikitext(2_000, folder).sha256
    with pytest.raises(ValueError, match="fewer than the"):
        wikitext(2_000_000, folder)


def test_the_text_as_it_stands(folder: str) -> None:
    whole = " = The test part = \nLions don't hunt alone — cafés close .\n" * 60
    assert beginning("test", 100, folder) == whole[:100]
    assert beginning("test", 1_000_000, folder) == whole
