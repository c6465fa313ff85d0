"""What a user asks for, and what that means here: experiments, code, device, versions."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from suite import home
from suite.codehash import code_hash
from suite.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asks for.

    seeds     verdict seeds, None for the declared number
    only      claim ids; just the experiments they read are run
    sizes     overrides of the tier's sizes, for exploring; such a run never touches ``results/``
    track     whether MLflow is told
    """

    tier: str = "cpu"
    seeds: int | None = None
    only: tuple[str, ...] = ()
    executor: str = "local"
    sizes: Mapping[str, Any] = field(default_factory=dict)
    track: bool = True

    @property
    def partial(self) -> bool:
        return bool(self.only or self.sizes)


def world(tier: str) -> dict[str, Any]:
    """The versions and the machine class that every trial's key holds."""
    return {"versions": home.versions(), "machine": home.machine(device_of(tier))}


def device_of(tier: str) -> str:
    """The gpu and hub tiers use a GPU where there is one; smoke and cpu never do, so that their numbers are
    comparable.
    """
    if tier in ("gpu", "hub") and home.accelerator():
        return "cuda"
    if tier == "gpu" and os.environ.get("SUITE_DEVICE") != "cpu":
        raise UserError("the gpu tier needs an NVIDIA GPU and found none; use TIER=cpu, or SUITE_DEVICE=cpu to try it")
    return "cpu"


def code_of(card: Mapping[str, Any], tier: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """({experiment: hash}, {experiment: {piece: short hash}}) of the experiments of a tier."""
    hashes, parts = {}, {}
    for experiment in card["experiments"]:
        if tier in experiment["tiers"]:
            hashes[experiment["name"]], pieces = code_hash(experiment["measure"])
            parts[experiment["name"]] = {name: text[:12] for name, text in sorted(pieces.items())}
    return hashes, parts


def selected(card: Mapping[str, Any], only: Sequence[str]) -> tuple[dict[str, Any], frozenset[str] | None]:
    """The card with just the claims asked for, and the experiments these read (with what they depend on)."""
    if not only:
        return dict(card), None
    from suite.quantities import from_json

    known = [claim["id"] for claim in card["claims"]]
    for name in only:
        if name not in known:
            raise UserError(f"{card['slug']} has no claim {name!r}; it has {', '.join(known)}")
    claims = [claim for claim in card["claims"] if claim["id"] in only]
    names = {e["name"] for e in card["experiments"]}
    reads = {
        address[0]
        for claim in claims
        for clause in claim["clauses"]
        for address in from_json(clause["quantity"]).reads()
    }
    wanted = {name or next(iter(names)) for name in reads}
    if not wanted:
        raise UserError(
            f"none of {', '.join(only)} is tested by an experiment; suite show {card['slug']} gives the reasons"
        )
    for experiment in card["experiments"]:
        if experiment["name"] in wanted:
            wanted |= {arm["like"]["experiment"] for arm in experiment["arms"] if arm["like"]}
    return {**card, "claims": claims}, frozenset(wanted)


def title(card: Mapping[str, Any], tier: str) -> str:
    """The line that heads a plan and a run."""
    return f"{card['slug']} · tier {tier} · revision {card['revision']} · rule {card['rule_hash'][:12]}"
