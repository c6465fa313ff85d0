"""What a claim measures: declarations that turn trials into intervals.

A quantity is a frozen value on a page (``paired_gap("loss", "adamw", minus="lion")``).  Called with results and a
level it gives one cell per combination of the experiment's conditions (``at=`` restricts them) and, where a metric is
a list, per entry.  The cells of a quantity are simultaneous: with k of them each interval stands at alpha / k, so
that all hold together with probability 1 - alpha.

    value           the number itself, [min, max] over the seeds           identities, counts, printed tables
    mean            mean over seeds                                        t interval
    paired_gap      mean of arm - minus, seed by seed                      t interval, sign-flip check
    ratio           geometric mean of arm / over, seed by seed             t interval of the logarithm
    slope           least-squares slope against a condition                t interval of the slopes of the seeds
    optimum         best value of a tuned setting                          t interval over tuning seeds
    proportion      probability from counts pooled over seeds              exact (Clopper-Pearson), 1e-6 family-wise
    proportion_gap  the same, less a formula's value                       exact, 1e-6 family-wise
    paired_shares   share of seeds, or the difference of two shares        exact and conservative
    prediction      what one new seed would give                           t prediction interval
    across          the cells of several quantities together
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from suite.claims import ContractError
from suite.quantities.base import ALPHA, Cell, Evidence, Measurement, Quantity, Readable, levels, measure
from suite.quantities.counted import PairedSharesOf, Proportion, ProportionGap
from suite.quantities.intervals import Unmeasurable, holm
from suite.quantities.seedwise import Mean, PairedGap, Prediction, Ratio, Slope, Value
from suite.quantities.tuned import Optimum

__all__ = [
    "ALPHA", "Cell", "Evidence", "Measurement", "Quantity", "Readable", "Unmeasurable", "across", "from_json", "holm",
    "levels", "mean", "measure", "optimum", "paired_gap", "paired_shares", "prediction", "proportion",
    "proportion_gap", "ratio", "slope", "value",
]  # fmt: skip


@dataclass(frozen=True)
class Across(Quantity):
    """The cells of several quantities, one after the other; the level is shared by all of them.

    >>> str(across(mean("a"), mean("b")))
    'mean a; mean b'
    """

    name: ClassVar[str] = "across"
    members: tuple[Quantity, ...]

    def __post_init__(self) -> None:
        if len(self.members) < 2 or not all(isinstance(m, Quantity) for m in self.members):
            raise ContractError("across takes two or more quantities")

    def reads(self) -> list[tuple[str, str | None]]:
        return list(dict.fromkeys(address for member in self.members for address in member.reads()))

    def parts(self) -> list[Quantity]:
        return [part for member in self.members for part in member.parts()]

    def evidence(self, results: Readable) -> list[Evidence]:
        found: list[Evidence] = []
        for member, name in zip(self.members, self.names(), strict=True):
            for item in member.evidence(results):
                known = not item.label or item.label in name.split(", ")
                found.append(dataclasses.replace(item, label=name if known else f"{name}: {item.label}"))
        return found

    def names(self) -> list[str]:
        """What sets each member apart from the others, in a few words; all its words where that is not enough.

        >>> across(mean("a", "x"), mean("a", "y")).names(), across(mean("a"), prediction("b")).names()[0]
        (['x', 'y'], 'mean a')
        """
        found = [member.to_json() for member in self.members]
        differing = self._differing(found)
        short = [", ".join(filter(None, (_words(one.get(key)) for key in differing))) for one in found]
        return short if all(short) and len(set(short)) == len(short) else list(map(str, self.members))

    @staticmethod
    def _differing(found: Sequence[Mapping[str, Any]]) -> list[str]:
        """The fields in which quantities of one kind differ; none for quantities of several kinds."""
        if len({one["quantity"] for one in found}) > 1:
            return []
        keys = dict.fromkeys(key for one in found for key in one)
        return [key for key in keys if any(one.get(key) != found[0].get(key) for one in found)]

    def to_json(self) -> dict[str, Any]:
        return {"quantity": self.name, "members": [member.to_json() for member in self.members]}

    def __str__(self) -> str:
        differing = self._differing([member.to_json() for member in self.members])
        if differing and set(differing) <= {"experiment", "at"}:  # the same words at several places
            nowhere: dict[str, Any] = {key: "" if key == "experiment" else {} for key in differing}
            what = dataclasses.replace(self.members[0], **nowhere)
            return f"{what} in {'; '.join(self.names())}"
        return "; ".join(map(str, self.members))


def _words(field: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in field.items()) if isinstance(field, Mapping) else str(field or "")


def across(*members: Quantity) -> Across:
    """The cells of several quantities as those of one."""
    return Across(members)


# --- The names that pages use -------------------------------------------------------------------------

value, mean, prediction, paired_gap, ratio, slope = Value, Mean, Prediction, PairedGap, Ratio, Slope
optimum, proportion, proportion_gap, paired_shares = Optimum, Proportion, ProportionGap, PairedSharesOf

KINDS: Mapping[str, type[Quantity]] = {
    kind.name: kind
    for kind in (Value, Mean, Prediction, PairedGap, Ratio, Slope, Optimum, Proportion, ProportionGap, PairedSharesOf)
}


def from_json(found: Mapping[str, Any]) -> Quantity:
    """The quantity that ``to_json`` wrote.

    >>> from_json(ratio("seconds", "lion", over="adamw").to_json()) == ratio("seconds", "lion", over="adamw")
    True
    """
    name, fields = found.get("quantity"), {k: v for k, v in found.items() if k != "quantity"}
    if name == Across.name:
        return across(*(from_json(member) for member in fields["members"]))
    if name not in KINDS:
        raise ContractError(f"no quantity {name!r}; there are {', '.join([*KINDS, Across.name])}")
    kind = KINDS[name]
    known = {entry.name: entry for entry in dataclasses.fields(kind)}
    unknown = set(fields) - set(known)
    lacking = {n for n, e in known.items() if e.default is dataclasses.MISSING} - set(fields)
    if unknown or lacking:
        raise ContractError(
            f"{name}: " + (f"no field {sorted(unknown)[0]!r}" if unknown else f"{sorted(lacking)[0]} is lacking")
        )
    return kind(**fields)
