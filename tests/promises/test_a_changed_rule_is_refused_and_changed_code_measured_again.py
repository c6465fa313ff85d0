"""A changed rule: old results are refused.  A changed comment: trials are kept.  A changed helper: they are measured
again.  Each with its reason.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from suite import cli, home, ledger, summary
from suite.claims import TIERS
from suite.codehash import code_hash
from tests.projects import Project, make

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


# --- What stands in git ---------------------------------------------------------------------------------

BOOKS = sorted(path for tier in TIERS for path in (home.ROOT / "results" / tier).glob("*.json"))


@pytest.mark.parametrize("file", BOOKS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_committed_ledger_says_what_made_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = ledger.read(file)
    made = book["provenance"]
    assert re.fullmatch("[0-9a-f]{40}", made["git"]["commit"])
    assert {"python", "torch", "numpy"} <= made["versions"].keys()
    assert {"device", "threads"} <= made["machine"].keys()
    assert made["code"].keys() == made["seeds"].keys() == made["sizes"].keys()
    for name, code in made["code"].items():
        assert re.fullmatch("[0-9a-f]{64}", code["hash"])
        measure = next(e["measure"] for e in book["card"]["experiments"] if e["name"] == name)
        assert measure in code["parts"], "the function that measured is a piece of the code"
    assert cli.main(["show", "--why", book["slug"]]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith(f"{book['tier']}: ")]
    assert ("stale" in line) == summary.is_stale(book)


# --- From the command line ----------------------------------------------------------------------------

RUN = ("run", "toy-sums", "--executor", "inline", "--no-track")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Project:
    found = make(tmp_path_factory.mktemp("measured") / "project", "toy_sums")
    found.suite(*RUN)
    return found


def edited_page(measured: Project, old: str, new: str) -> None:
    path = measured.root / "tasks/toy_sums.py"
    text = (Path(__file__).parents[1] / "pages/toy_sums.py").read_text(encoding="utf8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf8")


def reasons(measured: Project) -> dict[str, set[str]]:
    units = json.loads(measured.suite("plan", "toy-sums", "--json").stdout)["units"]
    return {name: {u["reason"] for u in units if u["experiment"] == name} for name in ("dice", "sums")}


def test_a_changed_comment_keeps_the_trials(measured: Project) -> None:
    edited_page(measured, "def load(", "# a remark\ndef load(")
    assert reasons(measured) == {"dice": {"already measured"}, "sums": {"already measured"}}
    why = measured.suite("show", "toy-sums", "--why").stdout
    assert why == "cpu: reproduced, made by the code as it stands\n"
    before = measured.ledger("toy_sums").read_bytes()
    assert "0 trials run" in measured.suite(*RUN).stdout
    assert measured.ledger("toy_sums").read_bytes() == before


def test_a_changed_helper_is_measured_again_and_named(measured: Project) -> None:
    edited_page(measured, "return eyes + by", "return by + eyes")
    assert reasons(measured) == {"dice": {"code changed: tasks.toy_sums:load"}, "sums": {"already measured"}}
    why = measured.suite("show", "toy-sums", "--why").stdout
    assert why == "cpu: reproduced, stale, changed since:\n    dice: tasks.toy_sums:load\n"


def test_the_readme_marks_what_is_stale(measured: Project) -> None:
    code = "from suite import summary; print(summary.table())"

    def table() -> str:
        words = [sys.executable, "-c", code]
        return subprocess.run(
            words, cwd=measured.root, env=measured.environment, check=True, capture_output=True, text=True
        ).stdout

    edited_page(measured, "def load(", "# a remark\ndef load(")
    assert "| **reproduced** |" in table()
    edited_page(measured, "return eyes + by", "return by + eyes")
    assert "| **reproduced** (stale) |" in table()
    edited_page(measured, "claimed=at_least(0.0)", "claimed=at_least(-1.0)")
    assert "| **reproduced** (stale) |" in table()


def test_a_changed_rule_is_refused_until_the_revision_rises(measured: Project) -> None:
    before = measured.ledger("toy_sums").read_bytes()
    edited_page(measured, "claimed=at_least(0.0)", "claimed=at_least(-1.0)")
    assert reasons(measured)["dice"] == {"already measured"}, "a plan refuses nothing"
    why = measured.suite("show", "toy-sums", "--why").stdout
    assert why.startswith("cpu: stale, gathered under another rule (")
    done = measured.suite(*RUN, check=False)
    assert done.returncode == 2
    assert "claim c1" in done.stderr
    assert "raise revision" in done.stderr
    assert measured.ledger("toy_sums").read_bytes() == before
    path = measured.root / "tasks/toy_sums.py"
    path.write_text(path.read_text().replace("revision=1", "revision=2"))
    assert reasons(measured)["dice"] == {"the rule changed since the committed result"}
    done = measured.suite(*RUN)
    assert "revision 2" in done.stderr
    assert "17 trials run, 0 reused" in done.stdout
    (kept,) = (measured.root / "results/history").glob("*.json")
    assert kept.read_bytes() == before
