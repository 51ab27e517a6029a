"""Differences are accounted for by named facts; the rest is exact; verdicts only get worse."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Subject, Verdict
from resyncctl.core.explain import NAMES_MAX, Contribution, account_for, shorten
from resyncctl.core.verdict import blocks_resume, judge, worst

amounts = st.decimals(-1000, 1000, allow_nan=False, places=2)


def fact(name: str, amount: str | int, group: str = "missing", at_ms: int = 0) -> Contribution:
    return Contribution(name, Decimal(amount), group, at_ms)


FACTS = [fact("a", 1, at_ms=1), fact("b", 2, at_ms=2), fact("c", 4, "ledger", at_ms=3)]


def names(difference: int, tolerance: str = "0") -> tuple[tuple[str, ...], Decimal]:
    account = account_for(Decimal(difference), FACTS, Decimal(tolerance))
    return account.names, account.rest


def test_all_facts_then_groups_then_the_newest_then_one() -> None:
    assert names(7) == (("a", "b", "c"), Decimal(0))
    assert names(3) == (("a", "b"), Decimal(0))
    assert names(4) == (("c",), Decimal(0))
    assert names(6) == (("b", "c"), Decimal(0))
    assert names(2) == (("b",), Decimal(0))
    assert names(10) == (("a", "b", "c"), Decimal(3))
    assert names(8, "1") == (("a", "b", "c"), Decimal(1))


def test_without_facts_the_difference_is_the_rest() -> None:
    account = account_for(Decimal(3), [fact("nothing", 0)])
    assert (account.names, account.rest) == ((), Decimal(3))


@given(amounts, st.lists(st.tuples(amounts, st.sampled_from("xyz")), max_size=8), st.randoms())
def test_the_rest_is_exact_and_the_order_is_irrelevant(difference, entries, random) -> None:  # type: ignore[no-untyped-def]  # hypothesis types are long
    facts = [fact(str(n), amount, group, n) for n, (amount, group) in enumerate(entries)]
    account = account_for(difference, facts)
    assert account.rest == difference - sum((one.amount for one in account.facts), Decimal(0))
    mixed = facts.copy()
    random.shuffle(mixed)
    assert account_for(difference, mixed) == account


def test_long_lists_of_names_are_shortened_and_counted() -> None:
    many = [str(number) for number in range(NAMES_MAX + 5)]
    assert shorten(many)[-1] == "and 5 more"
    assert len(shorten(many)) == NAMES_MAX + 1
    assert shorten(many[:NAMES_MAX]) == tuple(many[:NAMES_MAX])


def finding(kind: Kind, severity: Severity) -> Discrepancy:
    return Discrepancy(kind=kind, severity=severity, subject=Subject(account="main"))


def test_verdicts() -> None:
    claimed = finding(Kind.CLAIMED_ORDER, Severity.INFO)
    drift = finding(Kind.ENTRY_PRICE_DRIFT, Severity.MINOR)
    orphan = finding(Kind.ORPHAN_ORDER, Severity.MAJOR)
    moving = finding(Kind.MOVING, Severity.MAJOR)
    raw = finding(Kind.UNMAPPED_INSTRUMENT, Severity.MAJOR)
    assert judge([]) is judge([claimed]) is Verdict.CLEAN
    assert judge([claimed, drift]) is judge([orphan]) is Verdict.DISCREPANT
    assert judge([orphan, moving]) is judge([raw]) is Verdict.UNKNOWN
    assert not blocks_resume([claimed, drift, moving, raw])
    assert blocks_resume([moving, orphan])


def test_the_worst_of_several_accounts() -> None:
    clean, differs, unknown = Verdict.CLEAN, Verdict.DISCREPANT, Verdict.UNKNOWN
    assert worst([clean, clean]) is clean
    assert worst([clean, differs]) is differs
    assert worst([clean, differs, unknown]) is unknown
    assert worst([]) is unknown
