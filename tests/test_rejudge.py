"""A ledger that is brought home says what its records say under the committed rule, or it stays outside."""

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite import home, ledger, registry
from suite.adopt import adopt
from suite.canonical import canonical, digest, plain
from suite.errors import UserError
from suite.files import read_json, write_json
from suite.judge import judge
from suite.rejudge import follows
from suite.report import evidence_content
from suite.request import Request
from suite.run import run
from suite.store import Store
from tests.fake_parts import sealed
from tests.fuzzed import many, tried
from tests.pages import toy_edge, toy_sums, toy_walk

Book = dict[str, Any]
PAGES = {
    page.__name__.rsplit(".", 1)[1]: registry.Page(
        page.__name__.rsplit(".", 1)[1], page.__name__, (Path(page.__file__ or ""),)
    )
    for page in (toy_edge, toy_sums, toy_walk)
}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Another machine, on which three toy pages have run."""
    base = tmp_path_factory.mktemp("there")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "pages", lambda: PAGES)
        patch.setattr("suite.report.build_with_pictures", lambda file, folder: [])
        patch.setenv("SUITE_LOCKS", str(base / "locks"))
        for name, folder in (("SUITE_HOME", "work"), ("SUITE_RESULTS", "results"), ("SUITE_REPORTS", "reports")):
            patch.setenv(name, str(base / folder))
        for slug in ("toy-edge", "toy-sums", "toy-walk"):
            run(slug, Request(executor="inline", track=False))
        yield base


@pytest.fixture
def here(there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This machine, which has the pages and nothing else."""
    for name, folder in (("SUITE_HOME", "work"), ("SUITE_RESULTS", "results"), ("SUITE_REPORTS", "reports")):
        monkeypatch.setenv(name, str(tmp_path / "inside" / folder))
    return tmp_path


def book_of(there: Path, page: str) -> Book:
    return ledger.read(there / f"results/cpu/{page}.json")


def carried(here: Path, book: Book) -> str:
    path = here / "carried.json"
    path.write_text(json.dumps(sealed(book)))
    return str(path)


def written(here: Path) -> list[str]:
    return [str(path) for path in (here / "inside").rglob("*") if path.is_file()]


# --- Honest ledgers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["toy_sums", "toy_walk"])
def test_a_ledger_alone_is_judged_from_its_own_trials(there: Path, here: Path, page: str) -> None:
    book = book_of(there, page)
    lines = adopt([str(there / f"results/cpu/{page}.json")])
    tuning = sum(len(choice["tuning"]) for choice in book["arms"])
    assert f"judged again from {len(book['trials']) + tuning} trials, 0 of them with a record here" in lines[1]
    assert ledger.read(ledger.path("cpu", page)) == book


def test_records_that_come_along_are_what_is_judged(there: Path, here: Path) -> None:
    lines = adopt([str(there / "work/trials/toy-walk"), str(there / "results/cpu/toy_walk.json")])
    number = len(list((there / "work/trials/toy-walk").rglob("*.json")))
    assert f"judged again from {number} trials, {number} of them with a record here" in lines[2]


def test_records_that_are_here_already_count_too(there: Path, here: Path) -> None:
    adopt([str(there / "work/trials/toy-edge")])
    assert "20 of them with a record here" in adopt([str(there / "results/cpu/toy_edge.json")])[1]


def test_what_only_tuning_can_tell_needs_its_records(there: Path, here: Path) -> None:
    """The winner sits on the edge of its grid; that a better one would do no harm is seen in the tuning trials."""
    with pytest.raises(UserError, match=r"c1 is reproduced, and judged again it is error; 12 of .* records along"):
        adopt([str(there / "results/cpu/toy_edge.json")])
    assert written(here) == []
    adopt([str(there / "work/trials/toy-edge"), str(there / "results/cpu/toy_edge.json")])
    assert ledger.path("cpu", "toy_edge").exists()


def test_more_seeds_where_the_rule_allows_them(there: Path, here: Path) -> None:
    for name in ("work", "results"):
        shutil.copytree(there / name, here / "inside" / name)
    run("toy-sums", Request(executor="inline", track=False, seeds=12))
    book = ledger.read(ledger.path("cpu", "toy_sums"))
    assert book["provenance"]["seeds"] == {"dice": 12, "sums": 1}
    shutil.rmtree(here / "inside")
    assert "judged again from 25 trials" in adopt([carried(here, book)])[1]


def test_a_ledger_of_other_code_and_other_words_is_taken_and_said_to_be(there: Path, here: Path) -> None:
    book = book_of(there, "toy_sums")
    book["provenance"]["code"]["dice"]["parts"]["tests.pages.toy_sums:load"] = "0" * 12
    book["card"]["title"] = "Other dice"
    lines = adopt([carried(here, book)])
    assert "  stale: made by other code than stands here, dice: tests.pages.toy_sums:load" in lines
    assert any("page's words" in line for line in lines)


@pytest.mark.parametrize("file", sorted((home.ROOT / "results/cpu").glob("*.json")), ids=lambda file: file.stem)
def test_the_committed_ledgers_follow(file: Path) -> None:
    """All that a ledger alone can tell; what only tuning can tell asks for its records."""
    book = ledger.read(file)
    card = read_json(home.TASKS / f"locks/{file.stem}.json", "the lock")["card"]
    if card["rule_hash"] != book["rule_hash"]:
        pytest.skip("gathered under another rule")
    wanting = ""
    try:
        assert follows(book, card, lambda key: None).recorded == 0
    except UserError as error:
        wanting = str(error)
    assert not wanting or "bring their records along" in wanting


# --- Forged ones ----------------------------------------------------------------------------------------


def _claim(book: Book, **changes: Any) -> None:
    book["claims"][0].update(changes)


def _flip(book: Book) -> None:
    _claim(book, outcome="refuted")
    book["outcome"] = "refuted"


def _drop(book: Book, seeds: int) -> None:
    book["trials"] = [t for t in book["trials"] if t["experiment"] != "dice" or t["seed"]["number"] < seeds]
    book["provenance"]["seeds"]["dice"] = seeds


def _weaken(book: Book) -> None:
    """Other numbers, and everything concluded from them as the judge would."""
    for trial in book["trials"]:
        if trial["arm"] == "loaded":
            trial["metrics"]["eyes"] -= 5
    rows = plain(judge(book["card"], "cpu", book["trials"], book["arms"]))
    assert rows[0]["outcome"] == "refuted"
    book.update(claims=rows, outcome="refuted")


FORGED: dict[str, tuple[str, Callable[[Book], Any], str]] = {
    "verdict and headline": ("sums", _flip, "says c1 is refuted, and judged again it is reproduced"),
    "verdict beside": ("walk", lambda b: b["claims"][1].update(outcome="refuted"), "says c2 is refuted"),
    "headline": ("sums", lambda b: b.update(outcome="refuted"), "its headline is reproduced"),
    "interval": ("sums", lambda b: _claim(b, measured=[[1.5, 2.5]]), "tells 'measured' of c1"),
    "reason": ("sums", lambda b: _claim(b, reason="loaded dice are forbidden"), "tells 'reason' of c1"),
    "p": ("sums", lambda b: _claim(b, p_holm=1e-9), "tells 'p_holm' of c1"),
    "words": ("sums", lambda b: _claim(b, says="a fair die shows more"), "tells 'says' of c1"),
    "one more": ("sums", lambda b: _claim(b, remark="trust me"), "tells 'remark' of c1"),
    "claim twice": ("sums", lambda b: b["claims"].append(copy.deepcopy(b["claims"][0])), "each claim of the rule once"),
    "claim absent": ("sums", lambda b: b["claims"].pop(), "each claim of the rule once"),
    "claim about time": ("sums", lambda b: b["timing"]["claims"].append(b["claims"].pop()), "mixes claims about time"),
    "one number": ("sums", lambda b: b["trials"][0]["metrics"].update(eyes=9.0), "of c1 otherwise|judged again it is"),
    "fewer seeds": ("sums", lambda b: _drop(b, 3), "numbers of seeds that the rule does not allow"),
    "fewer seeds, unsaid": ("sums", lambda b: b["trials"].pop(0), "other trials than the rule plans"),
    "a seed twice": ("sums", lambda b: b["trials"].insert(0, b["trials"][0]), "stands there 2 times"),
    "a chosen seed": ("sums", lambda b: b["trials"][0]["seed"].update(number=99), "stands there 0 times"),
    "other sizes": ("sums", lambda b: b["provenance"]["sizes"]["dice"].update(throws=1), "other sizes"),
    "other setting": ("walk", lambda b: b["arms"][0].update(chosen={"lr": 0.01}), "chose other settings"),
    "no edge": ("edge", lambda b: b["arms"][0].update(edge=[]), "chose other settings"),
    "tuning absent": ("walk", lambda b: b["arms"][0]["tuning"].pop(), "lacks tuning of walk, steady"),
    "tuning of nobody": ("walk", lambda b: b["arms"].append(b["arms"][0]), "chose other settings"),
    "error rates": ("sums", lambda b: b["calibration"]["c1"].update(false_verdict_rate=0.5), "judge's error rates"),
    "rates of nobody": ("sums", lambda b: b["calibration"].update(c2=b["calibration"]["c1"]), "judge's error rates"),
    "published": ("sums", lambda b: b["published"].append({"what": "fame"}), "other numbers beside the source's"),
    "no provenance": ("sums", lambda b: b["provenance"].pop("seeds"), "cannot be judged again"),
    "crooked trials": ("sums", lambda b: b["trials"][0].update(metrics="none"), "judged again"),
}


@pytest.mark.parametrize("along", [False, True], ids=["alone", "with records"])
@pytest.mark.parametrize("name", FORGED)
def test_a_ledger_that_does_not_follow_is_refused(there: Path, here: Path, name: str, along: bool) -> None:
    page, forge, why = FORGED[name]
    book = book_of(there, f"toy_{page}")
    forge(book)
    files = [carried(here, book), *([str(there / f"work/trials/toy-{page}")] if along else [])]
    with pytest.raises(UserError) as caught:
        adopt(files)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("nothing was adopted")
    if not along or name not in ("one number", "crooked trials"):  # the record says so first
        assert re.search(why, str(caught.value)), str(caught.value)
    assert written(here) == [], "half-written"


def test_numbers_that_were_made_up_to_fit_their_verdict_fail_against_the_records(there: Path, here: Path) -> None:
    """Alone such a ledger is consistent and cannot be told from a measured one; its records, here or there, tell."""
    book = book_of(there, "toy_sums")
    _weaken(book)
    book["calibration"] = {}
    with pytest.raises(UserError, match=r"tells dice, loaded, seed 0 otherwise than the record [0-9a-f]{12}"):
        adopt([carried(here, book), str(there / "work/trials/toy-sums")])
    assert written(here) == []
    adopt([str(there / "work/trials/toy-sums")])
    with pytest.raises(UserError, match="otherwise than the record"):
        adopt([carried(here, book)])
    assert not ledger.path("cpu", "toy_sums").exists()


def test_tuning_that_was_made_up_fails_against_the_records(there: Path, here: Path) -> None:
    book = book_of(there, "toy_edge")
    book["arms"][0]["tuning"][0]["value"] += 1e-3
    with pytest.raises(UserError, match=r"tells loss of slope, .* otherwise than the record"):
        adopt([carried(here, book), str(there / "work/trials/toy-edge")])


def test_one_wrong_verdict_keeps_everything_else_out(there: Path, here: Path) -> None:
    bad = book_of(there, "toy_sums")
    _flip(bad)
    good = [str(there / "work/trials/toy-walk"), str(there / "results/cpu/toy_walk.json")]
    with pytest.raises(UserError, match="nothing was adopted"):
        adopt([*good, carried(here, bad)])
    assert written(here) == []


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([]) | st.just({})


def refused(path: Path) -> str | None:
    try:
        adopt([str(path)])
    except UserError as error:
        return str(error)
    return None


@given(data=st.data())
@many(100)
def test_whatever_is_changed_no_other_verdict_comes_home(data: Any, there: Path, here: Path) -> None:
    """Any one value anywhere in a ledger, sealed again: refused in one line, or adopted with the verdicts it had."""
    tried()
    honest = book_of(there, "toy_sums")
    book = copy.deepcopy(honest)
    where: Any = book
    while True:
        name = data.draw(st.sampled_from(sorted(where) if isinstance(where, dict) else range(len(where))))
        if not isinstance(where[name], dict | list) or not where[name] or data.draw(st.integers(0, 9)) == 0:
            break
        where = where[name]
    where[name] = data.draw(VALUES)
    path = here / "carried.json"
    try:
        content = json.dumps({**book, "hash": digest({k: v for k, v in book.items() if k not in ("hash", "timing")})})
    except (ValueError, UnicodeEncodeError):
        return
    path.write_text(content)
    refusal = refused(path)
    if refusal is not None:
        assert "\n" not in refusal
        assert written(here) == []
        return
    adopted = read_json(ledger.path("cpu", "toy_sums"), "the ledger")
    told = [{row["id"]: row["outcome"] for row in ledger.rows(one)} for one in (adopted, honest)]
    assert canonical(told[0]) == canonical(told[1])
    assert adopted["outcome"] == honest["outcome"]
    for printed in (evidence_content.experiments, evidence_content.provenance, evidence_content.tuning):
        printed(adopted)  # what was let in can be printed
    shutil.rmtree(here / "inside")


def test_a_record_that_is_damaged_here_is_named(there: Path, here: Path) -> None:
    adopt([str(there / "work/trials/toy-sums")])
    (path, record), *_ = Store(home.work()).each("toy-sums")
    write_json(path, {**record, "metrics": {}})
    with pytest.raises(UserError, match="does not match its checksum"):
        adopt([str(there / "results/cpu/toy_sums.json")])
