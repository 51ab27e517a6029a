"""Account for a difference with named facts before anybody is alarmed by it.

A position is its anchor plus its fills; a balance is its anchor plus fills, minus fees, plus what
the ledger booked. When two sides differ, the facts that only one side has are the first suspects.
This module answers which of them account for the difference, and what rest nobody accounts for.

Promises: the answer depends on the facts and not on their order; the rest is exact; a rest is
never made smaller by picking facts that do not add up. Called by the comparers of positions,
balances and filled quantities.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from resyncctl.core.money import ZERO

NAMES_MAX = 50
"""How many facts a finding names one by one; the others are counted in one last entry."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """One fact that moves a quantity, such as a fill that only one side has.

    `group` says what sort of fact it is; facts of one group are usually unseen together.
    """

    name: str
    amount: Decimal
    group: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Account:
    """Which facts account for a difference, and the rest that they do not account for."""

    facts: tuple[Contribution, ...]
    rest: Decimal

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the facts for a finding, at most `NAMES_MAX` one by one."""
        return shorten(sorted({fact.name for fact in self.facts}))


def shorten(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, or the first `NAMES_MAX` and how many more there are."""
    if len(names) <= NAMES_MAX:
        return tuple(names)
    return (*names[:NAMES_MAX], f"and {len(names) - NAMES_MAX} more")


def account_for(
    difference: Decimal, facts: Iterable[Contribution], tolerance: Decimal = ZERO
) -> Account:
    """Given a difference and the facts that could cause it, say which facts account for it.

    Tried in turn: all facts; every combination of whole groups, larger ones first; the newest
    facts (one side stopped listening at some moment); a single fact. The first that leaves no
    rest wins. When none does, all facts stand and the rest is what they leave.
    """
    ordered = sorted(
        (fact for fact in facts if fact.amount), key=lambda fact: (fact.at_ms, fact.name)
    )
    if not ordered:
        return Account((), difference)
    total = sum((fact.amount for fact in ordered), ZERO)
    everything = Account(tuple(ordered), difference - total)
    if abs(everything.rest) <= tolerance:
        return everything
    return (
        _whole_groups(difference, ordered, tolerance)
        or newest_that_match(difference, ordered)
        or _single(difference, ordered)
        or everything
    )


def newest_that_match(difference: Decimal, ordered: Sequence[Contribution]) -> Account | None:
    """Return the shortest run of newest facts whose sum is exactly the difference, or None."""
    running = ZERO
    for taken, fact in enumerate(reversed(ordered), start=1):
        running += fact.amount
        if running == difference:
            return Account(tuple(ordered[-taken:]), ZERO)
    return None


def _whole_groups(
    difference: Decimal, ordered: Sequence[Contribution], tolerance: Decimal
) -> Account | None:
    sums: dict[str, Decimal] = {}
    for fact in ordered:
        sums[fact.group] = sums.get(fact.group, ZERO) + fact.amount
    for size in range(len(sums) - 1, 0, -1):
        for groups in combinations(sorted(sums), size):
            rest = difference - sum((sums[group] for group in groups), ZERO)
            if abs(rest) <= tolerance:
                return Account(tuple(fact for fact in ordered if fact.group in groups), rest)
    return None


def _single(difference: Decimal, ordered: Sequence[Contribution]) -> Account | None:
    for fact in ordered:
        if fact.amount == difference:
            return Account((fact,), ZERO)
    return None
