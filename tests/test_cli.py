"""The light verbs stay light, their JSON keeps its shape, and help is worth reading."""

import json

import pytest

from suite import cli, registry


def test_list_has_the_promised_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["slug"] for row in rows] == [page.slug for page in registry.pages().values()]
    for row in rows:
        assert row.keys() == {"slug", "title", "family", "posts", "claims", "headline", "tiers", "verdicts"}
        assert row["verdicts"].keys() <= {"smoke", "cpu", "gpu", "hub"}


def test_show_has_the_promised_fields(capsys: pytest.CaptureFixture[str]) -> None:
    for page in registry.pages().values():
        assert cli.main(["show", page.slug, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert {"source", "claims", "arms", "tiers", "revision", "rule_hash"} <= found.keys()
        for claim in found["claims"]:
            assert {"id", "says", "kind", "claimed", "headline", "tested"} <= claim.keys()
            assert set(claim["tested"]) == set(found["tiers"])
            assert all(value is True or value.strip() for value in claim["tested"].values())


def test_plan_has_the_promised_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "lion-vs-adamw", "--tier", "smoke", "--json"]) == 0
    units = json.loads(capsys.readouterr().out)["units"]
    assert units
    for unit in units:
        assert {"arm", "settings", "seeds", "cached", "reason", "seconds_expected"} <= unit.keys()


@pytest.mark.parametrize("verb", sorted(cli._VERBS))
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, "--help"])
    assert ended.value.code == 0
    assert len(capsys.readouterr().out.split()) > 12
