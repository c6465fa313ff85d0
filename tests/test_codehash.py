"""Which edits invalidate trials: a comment, a docstring or a claim's words do not, a changed helper does."""

from pathlib import Path

import pytest

from suite.codehash import code_hash

PAGE = '''"""Words."""
from suite.tool import helper, RATE
from suite.claims import Claim

CLAIMS = ("c1 says this",)
SIZE = 3
UNUSED = 4


def term(x):
    """Doc."""
    return helper(x) * SIZE  # a comment


def measure(seeds, tier):
    return {"a": [term(RATE) for _ in seeds]}


def other(seeds, tier):
    return {"b": [1 for _ in seeds]}


TASK = (measure, other, CLAIMS)
'''
TOOL = "import suite.deep\n\nRATE = 2\n\n\ndef helper(x):\n    return suite.deep.twice(x)\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "suite").mkdir()
    (tmp_path / "tasks/page.py").write_text(PAGE)
    (tmp_path / "suite/tool.py").write_text(TOOL)
    (tmp_path / "suite/deep.py").write_text("def twice(x):\n    return 2 * x\n")
    (tmp_path / "suite/claims.py").write_text("class Claim: ...\n")
    return tmp_path


def edited(project: Path, file: str, old: str, new: str) -> tuple[str, set[str]]:
    before, parts = code_hash("tasks.page:measure", project)
    path = project / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    after, now = code_hash("tasks.page:measure", project)
    return ("same" if before == after else "changed"), {
        k for k in parts.keys() | now.keys() if parts.get(k) != now.get(k)
    }


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("tasks/page.py", "# a comment", "# another"),
        ("tasks/page.py", '"""Doc."""', '"""Other words."""'),
        ("tasks/page.py", '"""Words."""', '"""Other."""'),
        ("tasks/page.py", "c1 says this", "c1 says that"),
        ("tasks/page.py", "UNUSED = 4", "UNUSED = 5"),
        ("tasks/page.py", '{"b": [1 ', '{"b": [2 '),
        ("tasks/page.py", "return helper(x) * SIZE", "return helper(x)  *  SIZE\n"),
        ("suite/claims.py", "class Claim: ...", "class Claim: x = 1"),
    ],
)
def test_kept(project: Path, file: str, old: str, new: str) -> None:
    assert edited(project, file, old, new) == ("same", set())


@pytest.mark.parametrize(
    ("file", "old", "new", "piece"),
    [
        ("tasks/page.py", "SIZE = 3", "SIZE = 4", "tasks.page:SIZE"),
        ("tasks/page.py", "* SIZE", "+ SIZE", "tasks.page:term"),
        ("tasks/page.py", '"a": [', '"a2": [', "tasks.page:measure"),
        ("suite/tool.py", "RATE = 2", "RATE = 3", "suite.tool"),
        ("suite/deep.py", "2 * x", "3 * x", "suite.deep"),
    ],
)
def test_missed(project: Path, file: str, old: str, new: str, piece: str) -> None:
    verdict, pieces = edited(project, file, old, new)
    assert verdict == "changed"
    assert pieces == {piece}


def test_a_name_bound_twice_counts_both_times(project: Path) -> None:
    edited(project, "tasks/page.py", "SIZE = 3", "SIZE = 3\nSIZE = SIZE + 1")
    assert edited(project, "tasks/page.py", "SIZE = 3\n", "SIZE = 5\n")[0] == "changed"


def test_a_page_in_a_folder_follows_its_other_files(project: Path) -> None:
    folder = project / "tasks/book"
    folder.mkdir()
    (folder / "__init__.py").write_text("from tasks.book.part import measure\nTASK = measure\n")
    (folder / "part.py").write_text(
        "from tasks.book.sums import total, spare\n\ndef measure(seeds, tier):\n    return total(seeds)\n"
    )
    (folder / "sums.py").write_text("def total(x):\n    return 1\n\ndef spare(x):\n    return 2\n")
    first, _ = code_hash("tasks.book.part:measure", project)
    (folder / "sums.py").write_text("def total(x):\n    return 1\n\ndef spare(x):\n    return 3\n")
    assert code_hash("tasks.book.part:measure", project)[0] == first, "spare is not reached"
    (folder / "sums.py").write_text("def total(x):\n    return 7\n\ndef spare(x):\n    return 3\n")
    assert code_hash("tasks.book.part:measure", project)[0] != first


def test_files_that_import_each_other_come_to_an_end(project: Path) -> None:
    folder = project / "tasks/ring"
    folder.mkdir()
    (folder / "__init__.py").write_text("from tasks.ring import left\n\nTASK = left.measure\n")
    (folder / "left.py").write_text(
        "from tasks.ring import right\n\ndef measure(seeds, tier):\n    return right.turn()\n"
    )
    (folder / "right.py").write_text("from tasks.ring import left\n\ndef turn():\n    return left\n")
    total, parts = code_hash("tasks.ring.left:measure", project)
    assert any("right" in name for name in parts)
    assert total == code_hash("tasks.ring.left:measure", project)[0]
