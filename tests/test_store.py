"""Records are whole or absent, belong to their names, and stay as they were."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.canonical import canonical, digest, plain, revive
from suite.errors import UserError
from suite.store import Store, trial_key

IDENTITY = {
    "slug": "some-task",
    "root": "some-task/r1",
    "experiment": "race",
    "arm": "a",
    "at": {},
    "setting": {"lr": 0.1},
    "fixed": {},
    "seed": {"purpose": "verdict", "number": 0},
    "sizes": {"steps": 3},
    "code": "x",
    "versions": {},
    "machine": {},
}


BOOKKEEPING = {"seconds": 0.5, "written": "2026-01-01T12:00:00+00:00", "data": {}}


def record(**changes: Any) -> dict[str, Any]:
    identity = {**IDENTITY, **changes}
    return {**identity, "key": trial_key(identity), "metrics": {"loss": 0.5}, "tier": "cpu", **BOOKKEEPING}


def test_put_and_get(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (kept,) = store.put([record()])
    assert store.get("some-task", kept["key"]) == kept
    assert store.get("some-task", "0" * 64) is None


def test_a_record_is_never_replaced(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put([record()])
    (kept,) = store.put([record() | {"metrics": {"loss": 0.7}}])
    assert kept["metrics"] == {"loss": 0.5}


def test_every_part_of_the_identity_changes_the_key() -> None:
    base = trial_key(IDENTITY)
    for name in IDENTITY:
        assert trial_key({**IDENTITY, name: "other"}) != base, name


@pytest.mark.parametrize("damage", ["cut", "flip", "foreign", "schema", "moved"])
def test_a_damaged_record_is_named(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    (kept,) = store.put([record()])
    path = store.path("some-task", kept["key"])
    if damage == "cut":
        path.write_text(path.read_text()[:50])
    elif damage == "flip":
        path.write_text(path.read_text().replace("0.5", "0.6"))
    elif damage == "foreign":
        path.write_text('{"hello": 1}')
    elif damage == "schema":
        path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    else:
        (other,) = store.put([record(arm="b")])
        path.write_bytes(store.path("some-task", other["key"]).read_bytes())
    with pytest.raises(UserError, match=str(path)):
        store.get("some-task", kept["key"])


@pytest.mark.parametrize("slug", ["../up", "/abs", "a/b", "", "A b"])
def test_names_cannot_leave_the_store(tmp_path: Path, slug: str) -> None:
    with pytest.raises(UserError, match="no place in the store"):
        Store(tmp_path).path(slug, "0" * 64)
    with pytest.raises(UserError, match="no place in the store"):
        Store(tmp_path).run_path({"slug": slug, "id": "x"})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
@settings(max_examples=200, deadline=None)
def test_canonical_text_is_a_fixed_point(value: Any) -> None:
    text = canonical(value)
    assert canonical(json.loads(text)) == text
    assert digest(value) == digest(json.loads(text))


@given(st.lists(st.floats(), max_size=6))
@settings(deadline=None)
def test_floats_survive(values: list[float]) -> None:
    back = revive(json.loads(canonical(values)))
    assert [repr(float(a)) for a in values] == [repr(float(b)) for b in back]


def test_unknown_types_are_refused() -> None:
    with pytest.raises(TypeError, match="set has no place"):
        plain({1, 2})
