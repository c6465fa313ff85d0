"""What several pages say alike: a claim made of tests, an exact number, why a tier has nothing to add."""

from collections.abc import Mapping
from types import MappingProxyType

from suite.claims import Claim, Clause, Interval
from suite.quantities import Quantity, value

NO_HUB = {"hub": "needs nothing from the Hub: see the cpu tier"}

Test = tuple[Quantity, Interval]


def claim(
    id: str,
    says: str,
    kind: str,
    *tests: Test,
    needs: int | None = None,
    untested: Mapping[str, str] = MappingProxyType({}),
    headline: bool = False,
    note: str = "",
) -> Claim:
    """A claim that holds when all its tests do; ``needs`` counts cells of the first.

    >>> from suite.claims import at_most, exactly
    >>> tests = (exact("error"), exactly(0)), (exact("most"), at_most(1))
    >>> [str(clause.claimed) for clause in claim("c1", "there is none", "identity", *tests).clauses]
    ['[0, 0]', '[-inf, 1]']
    """
    (quantity, claimed), *rest = tests
    return Claim(
        id=id,
        says=says,
        kind=kind,
        quantity=quantity,
        claimed=claimed,
        needs=needs,
        also=tuple(Clause(quantity=q, claimed=c) for q, c in rest),
        untested=untested,
        headline=headline,
        note=note,
    )


def exact(metric: str) -> Quantity:
    """A number of the experiment "identities" as it stands, seeds from least to largest.

    >>> exact("error").reads()
    [('identities', None)]
    """
    return value(metric, experiment="identities")
