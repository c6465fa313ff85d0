"""Whatever stands in an option, on a page, in a record, a ledger or an archive: it works, or one clear line says what
is wrong.  Nothing of it is executed, and nothing is written outside the project.
"""

import copy
import io
import json
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite import cli, declare, diff, home, ledger, registry
from suite.adopt import adopt
from suite.canonical import canonical
from suite.claims import Arm, Claim, ContractError, Experiment, Post, Source, Task, Tier, at_least, exactly, within
from suite.errors import UserError
from suite.files import read_json
from suite.plan import Plan
from suite.quantities import mean, paired_gap
from suite.store import Store, checksum
from tests.fake_ledger import exact, sealed
from tests.fuzzed import many, tried
from tests.test_store import record


def one_line(error: BaseException, *names: str) -> str:
    """The message of an error, which is one line and says one of the ``names``."""
    text = str(error)
    assert text
    assert "\n" not in text.strip()
    assert not names or any(name in text for name in names), text
    return text


BOOK = exact()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
DEEP = "[" * 100_000


# --- Options ------------------------------------------------------------------------------------------


@given(
    seeds=st.none()
    | st.text(max_size=30)
    | st.integers().map(str)
    | st.sampled_from(["²", "9" * 5000, "１６", "0x10"]),
    only=st.none() | st.text(max_size=30) | st.sampled_from(["c1", "c1,c1", ",,", "c1,c9", "*"]),
    sizes=st.lists(st.text(max_size=30) | st.sampled_from(["steps=1e999", f"steps={DEEP}", "steps=NaN", "=", "a=b=c"])),
    tier=st.sampled_from(["smoke", "cpu", "warp", ""]),
)
@many(150)
def test_overrides(seeds: str | None, only: str | None, sizes: list[str], tier: str) -> None:
    tried()
    words = ["plan", "lion-vs-adamw", f"--tier={tier}"]
    words += [f"--seeds={seeds}"] if seeds is not None else []
    words += [f"--only={only}"] if only is not None else []
    options = cli.parser().parse_args([*words, *(f"--set={size}" for size in sizes)])
    card = _card()
    try:
        asked = cli.request(options)
        from suite.request import selected

        chosen, names = selected(card, asked.only)
        code = {e["name"]: "x" for e in card["experiments"]}
        plan = Plan(chosen, asked.tier, code, {"versions": {}, "machine": {}}, asked.seeds, names, asked.sizes)
        assert plan.units(plan.wanted())
    except UserError as error:
        one_line(error)


def _card() -> dict[str, Any]:
    return registry.card(registry.find("lion-vs-adamw"))


# --- Pages --------------------------------------------------------------------------------------------

NAMES = st.text(max_size=12) | st.sampled_from(["race", "../up", "a/b", "🦆", "\u202e", "c1", "x" * 10_000])


@given(data=st.data())
@many(150)
def test_declarations(data: Any) -> None:
    """A page's values are taken as they stand, or refused when the page is loaded; what is taken has a card."""
    tried()
    draw = data.draw
    try:
        tier = Tier(seeds=draw(st.integers(-1, 20)), tuning_seeds=draw(st.integers(-1, 5)), sizes={draw(NAMES): 1})
        arms = tuple(Arm(draw(NAMES), tuned=draw(st.sampled_from([{}, {"lr": (0.1, 0.2, 0.3)}]))) for _ in range(2))
        experiment = Experiment(
            name=draw(NAMES), measure=test_declarations, arms=arms, tune_on="loss", tiers={"cpu": tier, "smoke": tier}
        )
        low, high = draw(st.floats()), draw(st.floats())
        kinds = [at_least(0), at_least(low), within(low, high), exactly(high)]
        claim = Claim(
            id=draw(NAMES),
            says=draw(st.text(max_size=30)),
            kind=draw(st.sampled_from(["comparison", "identity", ""])),
            quantity=draw(st.sampled_from([paired_gap("loss", arms[0].name, minus=arms[1].name), mean("loss")])),
            claimed=draw(st.sampled_from(kinds)),
            headline=draw(st.booleans()),
        )
        task = Task(
            title=draw(NAMES),
            family="flows, GANs, self-consumption",
            source=Source(posts=(Post(title=draw(NAMES), url="https://example.org", date="2020-01-01"),)),
            claims=(claim,),
            experiments=(experiment,),
            revision=draw(st.integers(-1, 3)),
        )
    except (ContractError, TypeError, ValueError) as error:
        one_line(error)
        return
    card = declare.card(task, "tasks.some_page", "doc")
    assert json.loads(canonical(card)) == card
    assert declare.rule_hash(card) == card["rule_hash"]


# --- Records ------------------------------------------------------------------------------------------


def spoilt(data: Any, content: bytes) -> bytes:
    """A file as bad disks and bad merges leave it."""
    harm = data.draw(st.sampled_from(["cut", "flip", "double", "reorder", "insert", "empty", "deep", "latin"]))
    at = data.draw(st.integers(0, max(0, len(content) - 1)))
    if harm == "cut":
        return content[:at]
    if harm == "flip":
        return content[:at] + bytes([content[at] ^ (1 << data.draw(st.integers(0, 7)))]) + content[at + 1 :]
    if harm == "double":
        return content + content
    if harm == "reorder":
        return content[at:] + content[:at]
    if harm == "insert":
        return content[:at] + data.draw(st.binary(min_size=1, max_size=8)) + content[at:]
    return {"empty": b"", "deep": DEEP.encode(), "latin": b"\xff\xfe"}[harm]


@given(data=st.data())
@many(200)
def test_records_that_a_disk_spoilt(data: Any, tmp_path: Path) -> None:
    """What is read is what was written, or it is refused; a second run is never fed half a record."""
    tried()
    store = Store(tmp_path)
    (kept,) = store.put([record()])
    path = store.path("some-task", kept["key"])
    whole = path.read_bytes()
    try:
        path.write_bytes(spoilt(data, whole))
        try:
            assert store.get("some-task", kept["key"]) == kept
        except UserError as error:
            one_line(error, str(path))
        assert len(list(store.each("some-task"))) == 1
    finally:
        path.write_bytes(whole)


@given(st.sampled_from(sorted(record())), VALUES)
@many(200)
def test_records_that_somebody_forged(name: str, value: Any) -> None:
    """A record whose checksum fits and whose content does not is refused when it is adopted and when it is read."""
    tried()
    forged = {**record(), name: value, "schema": 1}
    try:
        forged["checksum"] = checksum(forged)
    except (UnicodeEncodeError, TypeError):
        forged["checksum"] = "0" * 64
    problem = Store.problem(forged)
    assert problem is None or one_line(ValueError(problem))
    if problem is None:
        assert forged["key"] == record()["key"], "only what does not enter the key may differ"


# --- Ledgers ------------------------------------------------------------------------------------------


@given(data=st.data())
@many(60)
def test_ledgers_that_a_disk_spoilt(data: Any, tmp_path: Path) -> None:
    tried()
    file, book = tmp_path / "some.json", BOOK
    file.write_bytes(spoilt(data, json.dumps(book, indent=1, sort_keys=True).encode()))
    try:
        assert {**ledger.read(file), "timing": 0} == {**book, "timing": 0}
    except UserError as error:
        one_line(error, str(file))


@given(data=st.data(), value=VALUES)
@many(60)
def test_ledgers_that_somebody_forged(data: Any, value: Any, tmp_path: Path) -> None:
    """The hash fits, the content does not: reading, comparing and listing end in one line."""
    tried()
    book = copy.deepcopy(BOOK)
    places: list[tuple[Any, Any]] = [(book, name) for name in book]
    inner = (book["claims"][0], book["card"], book["provenance"], book["timing"])
    places += [(item, name) for item in inner for name in item]
    where, name = data.draw(st.sampled_from(places))
    where[name] = value
    file, whole = tmp_path / "forged.json", tmp_path / "whole.json"
    whole.write_text(json.dumps(BOOK))
    try:
        content = sealed(book) if name != "hash" else book
        file.write_text(json.dumps(content))
    except (TypeError, UnicodeEncodeError):
        return
    try:
        found = ledger.read(file)
        ledger.rows(found), ledger.trials(found), ledger.stale(found, {})
        diff.compare(str(whole), str(file))
    except UserError as error:
        one_line(error)


@pytest.mark.parametrize("harm", ["newer", "older", "edited", "text"])
def test_ledgers_of_another_version(harm: str, tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    changes = {"newer": {"schema": 99}, "older": {"schema": "1"}, "edited": {"outcome": "refuted"}}
    book = {**exact(), **changes.get(harm, {})}
    file.write_text(json.dumps("a text" if harm == "text" else book))
    with pytest.raises(UserError) as caught:
        ledger.read(file)
    assert {"newer": "update the suite", "edited": "edited by hand"}.get(harm, "is not a ledger") in str(caught.value)


def test_a_damaged_ledger_hides_no_other_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUITE_RESULTS", str(tmp_path))
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/lion_vs_adamw.json").write_text('{"half')
    assert cli.main(["list", "--json"]) == 0
    said = capsys.readouterr()
    assert {row["slug"] for row in json.loads(said.out)} == {page.slug for page in registry.pages().values()}
    assert said.err.startswith("suite: the ledger ")
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("text", [DEEP, '{"a": ' * 100_000, "[" * 5000 + "]" * 5000, '{"half', "\ufeff{}", ""])
def test_a_damaged_file_is_one_line_wherever_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Lists within lists without end are damage like any other: they exhaust the parser, not the user."""
    for name, folder in (("SUITE_HOME", "work"), ("SUITE_RESULTS", "results"), ("SUITE_LOCKS", "locks")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    store, key = Store(home.work()), "a" * 64
    page = registry.find("lion-vs-adamw")
    book = ledger.path("cpu", page.name)
    files = (book, page.lock, store.path(page.slug, key), home.work() / f"runs/{page.slug}/x.json")
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf8")
    for read in (lambda: read_json(book, "the file"), lambda: ledger.read(book), lambda: store.get(page.slug, key)):
        with pytest.raises(UserError) as caught:
            read()
        one_line(caught.value, "is damaged", "is not")
    assert not [record for _, record in store.each() if isinstance(record, dict)]
    list(store.invocations())
    for words in (["show", "--why", page.slug], ["plan", page.slug], ["diff", str(book), str(book)]):
        assert cli.main(words) in (0, 2)
        said = capsys.readouterr().err
        assert len(said.splitlines()) <= 1
        assert "Traceback" not in said


# --- What comes from another machine ------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store and empty results, with a neighbour that nothing may touch."""
    for name, folder in (("SUITE_HOME", "work"), ("SUITE_RESULTS", "results"), ("SUITE_REPORTS", "reports")):
        monkeypatch.setenv(name, str(tmp_path / "inside" / folder))
    (tmp_path / "inside").mkdir()
    (tmp_path / "neighbour").write_text("untouched")
    return tmp_path


def written(world: Path) -> list[str]:
    return sorted(str(path.relative_to(world / "inside")) for path in (world / "inside").rglob("*") if path.is_file())


def signed(**changes: Any) -> dict[str, Any]:
    found = {**record(), "schema": 1, **changes}
    return {**found, "checksum": checksum(found)}


def run_record(**changes: Any) -> dict[str, Any]:
    return {"id": "x1", "slug": "some-task", "tier": "cpu", "started": "2026", "trials": [], **changes}


REFUSED: dict[str, Any] = {
    "slug climbs": lambda: signed(slug="../../neighbour"),
    "slug is absolute": lambda: signed(slug="/tmp/x"),
    "slug is no text": lambda: signed(slug=["a"]),
    "key climbs": lambda: signed(key="../" * 8 + "neighbour"),
    "key is another's": lambda: signed(key="0" * 64),
    "metrics are no numbers": lambda: signed(metrics={"loss": "__import__('os').system('x')"}),
    "metrics are deep": lambda: signed(metrics={"loss": {"a": 1}}),
    "checksum is wrong": lambda: {**signed(), "checksum": "0" * 64},
    "run climbs": lambda: run_record(id="../../../neighbour"),
    "run's slug climbs": lambda: run_record(slug="../x"),
    "run lists no keys": lambda: run_record(trials=[{"a": 1}]),
    "ledger's slug climbs": lambda: sealed({**exact(), "slug": "../../neighbour"}),
    "ledger's tier climbs": lambda: sealed({**exact(), "tier": "../../neighbour"}),
    "ledger of no task here": lambda: sealed({**exact(), "slug": "no-such-task"}),
    "ledger of another rule": lambda: sealed({**exact(), "slug": "lion-vs-adamw"}),
    "a list": lambda: [1, 2, 3],
    "a number": lambda: 7,
    "something else": lambda: {"schema": 1, "hello": "world"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_forged_files_are_refused_and_nothing_is_written(world: Path, name: str) -> None:
    file = world / "forged.json"
    file.write_text(json.dumps(REFUSED[name]()))
    with pytest.raises(UserError) as caught:
        adopt([str(file)])
    one_line(caught.value)
    assert written(world) == []
    assert (world / "neighbour").read_text() == "untouched"


def test_one_bad_file_keeps_all_others_out(world: Path) -> None:
    (world / "good.json").write_text(json.dumps(signed()))
    (world / "bad.json").write_text(json.dumps(signed(slug="../x")))
    with pytest.raises(UserError, match="nothing was adopted"):
        adopt([str(world / "good.json"), str(world / "bad.json")])
    assert written(world) == []


def test_a_ledger_that_tells_another_rule_than_it_names_is_refused(world: Path) -> None:
    """The hash of the rule is that of the page, the claim that a reader would see is not."""
    book = read_json(home.ROOT / "results/cpu/duck_sector_probability.json", "the ledger")
    book["card"]["claims"][0]["says"] = "ducks can fly"
    (world / "forged.json").write_text(json.dumps(sealed(book)))
    with pytest.raises(UserError, match="tells another rule"):
        adopt([str(world / "forged.json")])
    assert written(world) == []


class _Boom:
    def __reduce__(self) -> Any:
        return os.system, ("touch neighbour-was-here",)


def archive(world: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    path = world / "node.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            info.size = len(content) if info.isfile() else 0
            tar.addfile(info, io.BytesIO(content) if info.isfile() else None)
    return path


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info, b""


def test_members_of_an_archive_write_nowhere_but_in_the_store(world: Path) -> None:
    content = json.dumps(signed()).encode()
    key = record()["key"]
    members = [
        (tarfile.TarInfo("../../neighbour.json"), content),
        (tarfile.TarInfo("/tmp/neighbour.json"), content),
        (tarfile.TarInfo("a.pkl"), pickle.dumps(_Boom())),
        (tarfile.TarInfo("fit-1.pt"), pickle.dumps(_Boom())),
        link("sly.json", str(world / "neighbour")),
        link("hard.json", "../neighbour", tarfile.LNKTYPE),
        link("pipe.json", "", tarfile.FIFOTYPE),
        link("device.json", "", tarfile.CHRTYPE),
    ]
    lines = adopt([str(archive(world, *members))])
    assert lines[0].startswith("1 trial records adopted")
    assert written(world) == [f"work/trials/some-task/{key[:2]}/{key}.json"]
    assert not list(Path.cwd().glob("neighbour-was-here"))


@pytest.mark.parametrize("harm", ["cut", "flip", "not gzip", "huge", "pickle", "nothing"])
def test_broken_archives(world: Path, harm: str) -> None:
    path = archive(world, (tarfile.TarInfo("a.json"), json.dumps(signed()).encode() * 50))
    content = path.read_bytes()
    if harm == "huge":
        info = tarfile.TarInfo("a.json")
        info.size = 2**40
        path.write_bytes(info.tobuf())
    else:
        harms = {"cut": content[: len(content) // 2], "not gzip": b"\x1f\x8b" + b"x" * 50, "nothing": b""}
        harms |= {"flip": content[:40] + bytes(b ^ 255 for b in content[40:60]) + content[60:]}
        path.write_bytes(harms.get(harm, pickle.dumps(_Boom())))
    with pytest.raises(UserError) as caught:
        adopt([str(path)])
    one_line(caught.value)
    assert written(world) == []


def test_a_record_of_a_run_names_no_files_of_this_machine(world: Path) -> None:
    """``suite sync`` uploads what a run's record names; one from elsewhere must not choose."""
    told = run_record(artifacts=["/etc/passwd", "../../neighbour"], status="finished")
    (world / "run.json").write_text(json.dumps(told))
    adopt([str(world / "run.json")])
    (kept,) = Store(home.work()).invocations()
    assert "artifacts" not in kept


def test_no_file_and_no_right_to_read_it(world: Path) -> None:
    with pytest.raises(UserError, match="no file"):
        adopt([str(world / "nowhere.json")])
    pipe = world / "pipe.json"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match="neither a file nor a folder"):
        adopt([str(pipe)])
    folder = world / "folder"
    folder.mkdir()
    os.mkfifo(folder / "pipe.json")
    with pytest.raises(UserError, match="nothing to adopt"):
        adopt([str(folder)])


def test_nothing_in_the_project_unpickles() -> None:
    """Checkpoints load with weights only; no other module reads pickles, shelves or marshalled code."""
    for path in (home.ROOT / "suite").rglob("*.py"):
        text = path.read_text(encoding="utf8")
        for word in ("import pickle", "import shelve", "import marshal", "joblib", "dill", "allow_pickle=True"):
            assert word not in text, f"{path} uses {word}"
        for line in text.splitlines():
            assert "torch.load(" not in line or "weights_only=True" in line, f"{path}: {line.strip()}"


def test_a_checkpoint_that_would_execute_something_is_as_good_as_none(tmp_path: Path) -> None:
    import torch

    from suite import fit
    from suite.fit import CONTEXT, Context

    class State:
        def __init__(self) -> None:
            self.x = torch.zeros(2)

        def state_dict(self) -> dict[str, torch.Tensor]:
            return {"x": self.x}

        def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
            self.x = state["x"]

    (tmp_path / "fit-1.pt").write_bytes(pickle.dumps(_Boom()))
    token = CONTEXT.set(Context(checkpoint_dir=tmp_path))
    try:
        found = fit.drive(lambda step: None, State(), steps=2)
    finally:
        CONTEXT.reset(token)
    assert found.trainer_steps == 2
    assert not list(Path.cwd().glob("neighbour-was-here"))


# --- Words that end in a PDF --------------------------------------------------------------------------

TEXTS = ['#panic("x") $a$ @b <c> *d* _e_ `f` \\ //', "🦆", "שלום עליכם", "x" * 10_000, "#" * 10_000]


def test_claim_texts_through_a_real_report(tmp_path: Path) -> None:
    from suite import report

    for text in TEXTS:
        tried()
        book = exact()
        for row, claim in zip(book["claims"], book["card"]["claims"], strict=False):
            row["says"] = claim["says"] = text
        file = tmp_path / "book.json"
        file.write_text(json.dumps(sealed(book)))
        try:
            (pdf,) = report.build([file], tmp_path)
            assert pdf.read_bytes().startswith(b"%PDF")
        except UserError as error:
            one_line(error, "DUCK", "HEBREW")
