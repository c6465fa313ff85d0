"""The words of a page: Interval, Outcome, decide, Source, Claim, Clause, Arm, Tier, Experiment, Published, Task.

Everything here is a frozen, keyword-only declaration that checks itself when it is made, so that a mistake on a page is
an error at import and not a wrong verdict an hour later.  Standard library only: reading a rule must cost nothing.
"""

import enum
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

KINDS = ("comparison", "equivalence", "identity", "numeric-table", "qualitative", "scaling", "simulation")
FAMILIES = (
    "attention and architecture",
    "positions and length",
    "optimizers and fine-tuning",
    "diffusion",
    "flows, GANs, self-consumption",
    "similarity, codes, probability, vision",
)
TIERS = ("smoke", "cpu", "gpu", "hub")


class ContractError(ValueError):
    """A page declares something that cannot be judged; the message says what, and what would be right."""


def _require(condition: object, message: str) -> None:
    if not condition:
        raise ContractError(message)


def _frozen(mapping: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return MappingProxyType(dict(mapping or {}))


# --- Intervals and the rule ---------------------------------------------------------------------


@dataclass(frozen=True)
class Interval:
    """A closed interval of the real line; either end may be infinite, neither may be NaN.

    >>> Interval(0.0, 1.0).inside(at_least(-1)), Interval(0.0, 1.0).apart(at_most(-1))
    (True, True)
    >>> Interval(2.0, 1.0)
    Traceback (most recent call last):
    suite.claims.ContractError: an interval needs low <= high, got [2.0, 1.0]
    """

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        _require(
            self.low <= self.high,  # False for NaN too
            f"an interval needs low <= high, got [{self.low}, {self.high}]",
        )

    def inside(self, other: "Interval") -> bool:
        return other.low <= self.low and self.high <= other.high

    def apart(self, other: "Interval") -> bool:
        return self.high < other.low or other.high < self.low

    def __str__(self) -> str:
        return f"[{self.low:.4g}, {self.high:.4g}]"


def at_least(bound: float) -> Interval:
    return Interval(float(bound), math.inf)


def at_most(bound: float) -> Interval:
    return Interval(-math.inf, float(bound))


def within(low: float, high: float) -> Interval:
    return Interval(float(low), float(high))


def exactly(value: float) -> Interval:
    return Interval(float(value), float(value))


class Outcome(enum.StrEnum):
    """What the evidence says about a claim.  ``error`` means that it could not be judged and is never a refutation."""

    REPRODUCED = "reproduced"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


def decide(measured: Sequence[Interval], claimed: Interval, needs: int | None = None) -> Outcome:
    """The rule: a claim over a grid holds when at least ``needs`` of its cells hold (all of them unless told).

    A cell holds when its measured interval lies inside the claimed one and fails when the two are disjoint.  The claim
    is reproduced once enough cells hold, refuted once so many fail that enough can no longer hold, else inconclusive.

    >>> decide([Interval(0.1, 0.2), Interval(-0.1, 0.3)], at_least(0))
    <Outcome.INCONCLUSIVE: 'inconclusive'>
    >>> decide([Interval(0.1, 0.2), Interval(-0.1, 0.3)], at_least(0), needs=1)
    <Outcome.REPRODUCED: 'reproduced'>
    >>> decide([Interval(0.1, 0.2), Interval(-0.3, -0.1)], at_least(0))
    <Outcome.REFUTED: 'refuted'>
    """
    if not measured:
        return Outcome.ERROR
    needs = len(measured) if needs is None else needs
    held = sum(cell.inside(claimed) for cell in measured)
    failed = sum(cell.apart(claimed) for cell in measured)
    if held >= needs:
        return Outcome.REPRODUCED
    if len(measured) - failed < needs:
        return Outcome.REFUTED
    return Outcome.INCONCLUSIVE


# --- What the source says -------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Post:
    """One post: its own title, where it stands and when it appeared (ISO date)."""

    title: str
    url: str
    date: str

    def __post_init__(self) -> None:
        _require(re.fullmatch(r"\d{4}-\d\d-\d\d", self.date), f"a post's date reads YYYY-MM-DD, got {self.date!r}")
        _require(self.url.startswith("https://"), f"a post's url starts with https://, got {self.url!r}")


@dataclass(frozen=True, kw_only=True)
class Source:
    """The posts a page tests, the first one leading, and the papers they rest on."""

    posts: tuple[Post, ...]
    papers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require(self.posts, "a source names at least one post")


@dataclass(frozen=True, kw_only=True)
class Published:
    """A number that the source prints, and the quantity of ours that stands beside it in the report (or None).

    ``where`` says which post, paper, table or equation prints it; ``note`` says what differs from ours.
    """

    what: str
    value: float | str
    where: str
    ours: Any = None
    unit: str = ""
    note: str = ""


# --- Claims ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One comparison of two intervals: what is measured (a quantity) and where it must lie.

    ``needs`` is the number of cells that must hold; None means all.
    """

    quantity: Any
    claimed: Interval
    needs: int | None = None

    def __post_init__(self) -> None:
        _require(isinstance(self.claimed, Interval), "claimed= takes at_least, at_most, within or exactly")
        _require(callable(self.quantity), "quantity= takes one of suite.quantities")
        _require(self.needs is None or self.needs >= 1, "needs= counts cells, from 1")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One falsifiable sentence of the source with the rule that decides it.

    The claim holds when its own clause (quantity, claimed, needs) and every clause of ``also`` hold.  ``untested``
    maps a tier (or "*" for every tier) to the reason why the claim is not tested there; a claim that is tested nowhere
    has no quantity.
    """

    id: str
    says: str
    kind: str
    quantity: Any = None
    claimed: Interval | None = None
    needs: int | None = None
    also: tuple[Clause, ...] = ()
    headline: bool = False
    untested: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "untested", _frozen(self.untested))
        _require(
            re.fullmatch(r"[ci]\d+[a-z]?(?:[_-]\w+)?", self.id),
            f"a claim's id reads c1, c2 or c3_fused, got {self.id!r}",
        )
        _require(self.kind in KINDS, f"claim {self.id}: kind is one of {', '.join(KINDS)}, got {self.kind!r}")
        _require(self.says.strip(), f"claim {self.id}: says= must hold a sentence")
        unknown = set(self.untested) - {*TIERS, "*"}
        _require(
            not unknown, f"claim {self.id}: untested= names tiers {', '.join(TIERS)} or '*', got {sorted(unknown)}"
        )
        _require(all(r.strip() for r in self.untested.values()), f"claim {self.id}: untested= needs a reason")
        if self.quantity is None:
            _require("*" in self.untested, f"claim {self.id}: no quantity, so untested={{'*': reason}} must say why")
            _require(not self.headline, f"claim {self.id}: the headline must be testable")
        else:
            _require(self.claimed is not None, f"claim {self.id}: a margin is compulsory (claimed=)")
            Clause(quantity=self.quantity, claimed=self.claimed, needs=self.needs)  # type: ignore[arg-type]

    @property
    def clauses(self) -> tuple[Clause, ...]:
        if self.quantity is None or self.claimed is None:
            return ()
        return (Clause(quantity=self.quantity, claimed=self.claimed, needs=self.needs), *self.also)

    def reason_untested(self, tier: str) -> str | None:
        return self.untested.get(tier) or self.untested.get("*")


# --- Experiments ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The tuned settings of an arm of another experiment: ``Winner(experiment="digits", "lion", at={"batch": 64})``."""

    experiment: str
    arm: str
    at: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", _frozen(self.at))


@dataclass(frozen=True)
class Arm:
    """One side of a comparison: settings that are fixed, and settings that are tuned over a declared grid.

    The grid is the product of the tuned values.  ``like`` takes over the winner of another experiment's arm.

    >>> Arm("lion", fixed={"rule": "lion"}, tuned={"lr": (1e-4, 1e-3), "decay": (0.1, 1.0)}).budget
    4
    """

    name: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    tuned: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    like: Winner | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "fixed", _frozen(self.fixed))
        object.__setattr__(self, "tuned", _frozen({k: tuple(v) for k, v in dict(self.tuned).items()}))
        _require(self.name.strip(), "an arm needs a name")
        both = set(self.fixed) & set(self.tuned)
        _require(not both, f"arm {self.name}: {sorted(both)} cannot be fixed and tuned at once")
        for name, values in self.tuned.items():
            _require(len(values) >= 1, f"arm {self.name}: the grid of {name} is empty")
            _require(
                list(values) == sorted(set(values)), f"arm {self.name}: the grid of {name} must rise, without repeats"
            )
        _require(not (self.like and self.tuned), f"arm {self.name}: like= and tuned= exclude each other")

    @property
    def budget(self) -> int:
        return math.prod(len(v) for v in self.tuned.values())


@dataclass(frozen=True, kw_only=True)
class Tier:
    """How much of an experiment a tier runs.

    seeds         verdict seeds, 0 .. seeds-1 (at least 8 where a comparison is to be judged, except on smoke)
    tuning_seeds  seeds that only tune and never judge (at least 4 where something is tuned, except on smoke)
    looks         planned looks, as numbers of seeds; () means one look at all of them.  (6, 10, 16) spends .005, .015,
                  .03
    at_most       the largest number of seeds that SEEDS= may ask for
    stack         the most models in one stack; None means all of a unit at once
    sizes         everything the page reads as ``tier["steps"]``

    >>> Tier(seeds=16, sizes={"steps": 600})["steps"]
    600
    """

    seeds: int
    tuning_seeds: int = 4
    looks: tuple[int, ...] = ()
    at_most: int | None = None
    stack: int | None = None
    sizes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", _frozen(self.sizes))
        _require(self.seeds >= 1, f"a tier needs at least one seed, got {self.seeds}")
        _require(self.tuning_seeds >= 1, f"a tier needs at least one tuning seed, got {self.tuning_seeds}")
        _require(self.stack is None or self.stack >= 1, f"stack= counts models, from 1, got {self.stack}")
        _require(self.at_most is None or self.at_most >= self.seeds, "at_most= may not lie below seeds=")
        if self.looks:
            _require(
                list(self.looks) == sorted(set(self.looks)) and self.looks[-1] == self.seeds,
                f"looks= rises and ends at seeds={self.seeds}, got {self.looks}",
            )

    def __getitem__(self, name: str) -> Any:
        try:
            return self.sizes[name]
        except KeyError:
            raise ContractError(f"the tier has no size {name!r}; it has {', '.join(self.sizes) or 'none'}") from None


LEAST_SEEDS = 8


def seeds_taken(declared: int, at_most: int | None, asked: int | None) -> int:
    """How many seeds an experiment uses when a run asks for a number: that number if the tier allows it, else the
    declared one.

    Allowed is what was fixed beforehand: from 8 (or the declared number, if that is smaller) up to ``at_most``.  A
    single declared seed stands for an exact measurement, which repeating would not change.

    >>> seeds_taken(16, 24, 20), seeds_taken(16, None, 20), seeds_taken(16, None, 12), seeds_taken(1, None, 12)
    (20, 16, 12, 1)
    """
    if asked is None or declared == 1:
        return declared
    return asked if min(LEAST_SEEDS, declared) <= asked <= max(at_most or declared, declared) else declared


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A fair fight or a check: arms, conditions, and a function that measures many seeds at once.

    ``measure(seeds, tier, *, setting, ...)`` returns ``{metric: one entry per seed}``; an entry is a number or a list
    of numbers. ``seeds`` may repeat a seed: one entry is one model of the stack.  A tuned setting arrives as a list
    with one value per entry (a column), a fixed setting and a condition as they stand.  ``columns`` names fixed
    settings that shall arrive as columns too: arms that differ only in these share a stack.

    conditions  {name: values}; every arm is tuned and run anew at every combination
    tune_on     the metric that selects, on tuning seeds; ``best`` says whether "min" or "max" wins
    timed       the numbers depend on the machine's speed: run alone, kept outside the compared part of the ledger
    prepare     of a timed experiment: what it needs and can be done before it has the machine to itself, such as
                compiling; called with the tier, or not at all, and perhaps by another process
    """

    name: str
    measure: Callable[..., Mapping[str, Sequence[Any]]]
    tiers: Mapping[str, Tier]
    arms: tuple[Arm, ...] = (Arm("only"),)
    conditions: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    tune_on: str | None = None
    best: str = "min"
    timed: bool = False
    prepare: Callable[[Tier], object] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tiers", _frozen(self.tiers))
        object.__setattr__(self, "conditions", _frozen({k: tuple(v) for k, v in dict(self.conditions).items()}))
        here = f"experiment {self.name!r}"
        _require(re.fullmatch(r"[a-z][a-z0-9-]*", self.name), f"{here}: a name is lower case words joined by dashes")
        _require(self.tiers, f"{here} has no tier")
        unknown = set(self.tiers) - set(TIERS)
        _require(not unknown, f"{here}: tiers are {', '.join(TIERS)}, got {sorted(unknown)}")
        names = [arm.name for arm in self.arms]
        _require(len(set(names)) == len(names), f"{here}: two arms share a name")
        budgets = {arm.name: arm.budget for arm in self.arms if arm.tuned}
        _require(len(set(budgets.values())) <= 1, f"{here}: arms must have equal tuning budgets, got {budgets}")
        _require(bool(budgets) == (self.tune_on is not None), f"{here}: tune_on= and tuned= belong together")
        _require(self.best in ("min", "max"), f"{here}: best= is 'min' or 'max', got {self.best!r}")
        for arm in self.arms:
            clash = set(self.conditions) & (set(arm.fixed) | set(arm.tuned))
            _require(not clash, f"{here}: {sorted(clash)} is a condition and a setting of arm {arm.name}")
        for name, tier in self.tiers.items():
            if name != "smoke" and budgets:
                _require(tier.tuning_seeds >= 4, f"{here}, tier {name}: tuning takes at least 4 seeds")

    def arm(self, name: str) -> Arm:
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise ContractError(
            f"experiment {self.name!r} has no arm {name!r}; it has {', '.join(a.name for a in self.arms)}"
        )


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A deliberately wrong implementation that must turn the headline, or the headline proves nothing.

    ``replaces`` names what is swapped: "term" on the page, or "suite.blocks.optim.lion:update" elsewhere; ``by`` takes
    its place. ``turns_to`` is the headline's outcome at the smoke tier with the mutant in; without it the outcome must
    be another.
    """

    says: str
    replaces: str
    by: Callable[..., Any]
    turns_to: Outcome


@dataclass(frozen=True, kw_only=True)
class Task:
    """A page as one value.  Exactly one claim is the headline; it decides the task's line in the summary.

    ``readings`` say what to make of outcomes, {tier: {claim id: text}}.  They are written after the verdict, are
    printed as such, and are no part of the rule.
    """

    title: str
    family: str
    source: Source
    claims: tuple[Claim, ...]
    experiments: tuple[Experiment, ...]
    published: tuple[Published, ...] = ()
    figures: tuple[Any, ...] = ()
    mutants: tuple[Mutant, ...] = ()
    revision: int = 1
    readings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(self.title.strip(), "a task needs a title")
        _require(self.family in FAMILIES, f"family= is one of: {'; '.join(FAMILIES)}")
        _require(self.revision >= 1, "revision= counts from 1")
        ids = [claim.id for claim in self.claims]
        _require(len(set(ids)) == len(ids), f"two claims share an id: {sorted({i for i in ids if ids.count(i) > 1})}")
        heads = [claim.id for claim in self.claims if claim.headline]
        _require(len(heads) == 1, f"exactly one claim is the headline, got {heads or 'none'}")
        names = [e.name for e in self.experiments]
        _require(names and len(set(names)) == len(names), f"experiments need different names, got {names}")
        for tier, texts in self.readings.items():
            _require(tier in self.tiers, f"readings= of tier {tier!r}, which no experiment has")
            _require(not set(texts) - set(ids), f"readings= of {sorted(set(texts) - set(ids))}, which are no claims")
        for claim in self.claims:
            for clause in claim.clauses:
                for address in clause.quantity.reads():
                    self._check(address, f"claim {claim.id}")
        for number in self.published:
            if number.ours is not None:
                for address in number.ours.reads():
                    self._check(address, f"published {number.what!r}")
        for experiment in self.experiments:
            for arm in experiment.arms:
                if arm.like:
                    self._check((arm.like.experiment, arm.like.arm), f"arm {arm.name}, like=")

    def _check(self, address: tuple[str, str | None], who: str) -> None:
        experiment, arm = address
        try:
            found = self.experiment(experiment)
            if arm is not None:
                found.arm(arm)
        except ContractError as error:
            raise ContractError(f"{who}: {error}") from None

    def experiment(self, name: str) -> Experiment:
        """The experiment of that name; the empty name means the only one."""
        if not name and len(self.experiments) == 1:
            return self.experiments[0]
        for experiment in self.experiments:
            if experiment.name == name:
                return experiment
        raise ContractError(f"no experiment {name!r}; the page has {', '.join(e.name for e in self.experiments)}")

    @property
    def headline(self) -> Claim:
        return next(claim for claim in self.claims if claim.headline)

    @property
    def tiers(self) -> tuple[str, ...]:
        return tuple(t for t in TIERS if any(t in e.tiers for e in self.experiments))
