"""Two collects must agree, and against a running engine a finding must survive a second look."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from resyncctl.core.compare import Comparison, agree, settle
from resyncctl.core.discrepancy import Kind, Severity, Verdict
from resyncctl.core.model import Leg, OrderStatus, Scope
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import EngineSnapshot, Known, Unknown, VenueSnapshot
from tests.fakes.books import (
    HOUR_MS,
    NOW_MS,
    balance,
    engine,
    fill,
    kinds,
    look,
    order,
    position,
    venue,
)

JUST_NOW = NOW_MS - 500
PART = OrderStatus.PARTIALLY_FILLED


def settled(
    first: tuple[EngineSnapshot, VenueSnapshot], second: tuple[EngineSnapshot, VenueSnapshot]
) -> Comparison:
    return settle(
        look(*first),
        look(*second),
        engine=second[0],
        venue=second[1],
        policy=Policy(),
        now_ms=NOW_MS,
    )


CLEAN = (engine(), venue())


def test_what_is_gone_at_the_second_look_was_in_transit() -> None:
    comparison = settled((engine(), venue([order()])), CLEAN)
    assert comparison.findings == ()
    assert comparison.verdict is Verdict.CLEAN
    assert comparison.counts["settled"] == 1


def test_what_only_the_second_look_shows_is_settling_and_does_not_count() -> None:
    comparison = settled(CLEAN, (engine(), venue([order()])))
    (finding,) = comparison.findings
    assert (finding.kind, finding.severity) == (Kind.SETTLING, Severity.INFO)
    assert finding.detail == "ORPHAN_ORDER was not there at the first look."
    assert comparison.verdict is Verdict.CLEAN
    assert comparison.counts["settling"] == 1


def test_what_both_looks_show_counts_even_when_it_was_just_touched() -> None:
    sides = (engine(), venue([order(updated_at_ms=JUST_NOW)]))
    assert kinds(settled(sides, sides)) == [Kind.ORPHAN_ORDER]


def changed(at_ms: int) -> list[Kind]:
    first = (engine([order()]), venue([order(price=Decimal(101))]))
    later = order(price=Decimal(102), updated_at_ms=at_ms)
    return kinds(settled(first, (engine([order()]), venue([later]))))


def test_what_changed_between_the_looks_settles_only_when_it_was_just_touched() -> None:
    assert changed(JUST_NOW) == [Kind.SETTLING]
    assert changed(NOW_MS - HOUR_MS) == [Kind.ORDER_AMENDED]


@pytest.mark.parametrize(("at_ms", "kind"), [(JUST_NOW, Kind.SETTLING), (1, None)])
def test_holdings_settle_with_the_fills_of_their_instrument(at_ms: int, kind: Kind | None) -> None:
    def sides(quantity: int, total: str) -> tuple[EngineSnapshot, VenueSnapshot]:
        row = fill(at_ms=at_ms)
        whole = order(status=OrderStatus.FILLED, filled=Decimal(4))
        ours = engine([whole], [row], [position(1)], [balance("50", product="linear")])
        theirs = venue([], [row], [position(quantity)], [balance(total, product="linear")])
        return ours, theirs

    comparison = settled(sides(3, "60"), sides(4, "70"))
    expected = [kind] * 2 if kind else [Kind.BALANCE_MISMATCH, Kind.POSITION_MISMATCH]
    assert sorted(kinds(comparison)) == sorted(expected)


def test_a_position_and_a_fill_can_be_touched_themselves() -> None:
    def legs(quantity: int) -> tuple[EngineSnapshot, VenueSnapshot]:
        return engine(), venue(positions=[position(quantity, updated_at_ms=JUST_NOW)])

    assert kinds(settled(legs(3), legs(4))) == [Kind.SETTLING]

    def conflict(price: int) -> tuple[EngineSnapshot, VenueSnapshot]:
        part = order(filled=Decimal(1), status=PART)
        row = fill(price=Decimal(price), at_ms=JUST_NOW)
        return engine([part], [fill(at_ms=JUST_NOW)]), venue([part], [row])

    assert kinds(settled(conflict(101), conflict(102))) == [Kind.SETTLING]


def test_the_exchange_clock_is_taken_into_account() -> None:
    first = (engine([order()]), venue([order(price=Decimal(101))], clock_offset_ms=400))
    for at_ms, kind in ((NOW_MS - 1700, Kind.ORDER_AMENDED), (NOW_MS - 1500, Kind.SETTLING)):
        later = order(price=Decimal(102), updated_at_ms=at_ms)
        second = (engine([order()]), venue([later], clock_offset_ms=400))
        assert kinds(settled(first, second)) == [kind]


def test_evidence_of_the_second_look_always_stands() -> None:
    comparison = settled(CLEAN, (engine(), venue(moving="orders changed")))
    assert kinds(comparison) == [Kind.MOVING]
    assert comparison.verdict is Verdict.UNKNOWN
    recovered = settled((engine(), venue(moving="orders changed")), CLEAN)
    assert recovered.verdict is Verdict.CLEAN


def test_explanations_count_when_both_looks_have_them() -> None:
    part = order(filled=Decimal(1), status=PART)
    sides = (engine([order()], positions=[position(3)]), venue([part], [fill()], [position(4)]))
    assert len(settled(sides, sides).explained) == 2
    once = settled(CLEAN, sides)
    assert once.explained == ()
    assert once.counts["explained"] == 0


def products(**parts: Any) -> Any:
    return venue(**parts).products


SAME = products(orders=[order()], positions=[position(3)], balances=[balance("5")])


@pytest.mark.invariant("I4")
def test_two_equal_collects_agree_whatever_the_order_and_the_time() -> None:
    touched = products(
        orders=[order(updated_at_ms=NOW_MS), order(updated_at_ms=NOW_MS)],
        positions=[position(3, updated_at_ms=NOW_MS)],
        balances=[replace(balance("5.0"))],
    )
    assert agree(SAME, touched) is None
    assert agree(SAME, SAME[::-1]) is None


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"orders": []}, "orders of linear/regular changed: BTC/USDT:USDT 1"),
        ({"orders": [order(filled=Decimal(1))]}, "orders of linear/regular changed"),
        ({"positions": [position(4)]}, "positions of linear changed: BTC/USDT:USDT both"),
        ({"positions": [position(3, Leg.LONG)]}, "positions of linear changed"),
        ({"balances": [balance("6")]}, "balances of spot changed: USDT"),
        ({"balances": [balance("5", locked="1")]}, "balances of spot changed: USDT"),
    ],
)
def test_what_moved_is_named(parts: dict[str, Any], words: str) -> None:
    base = {"orders": [order()], "positions": [position(3)], "balances": [balance("5")]}
    assert words in (agree(SAME, products(**{**base, **parts})) or "")


def test_margin_that_follows_the_mark_price_is_quiet() -> None:
    first = products(balances=[balance("5", product="linear")])
    second = products(balances=[balance("5", product="linear", locked="2")])
    assert agree(first, second) is None


def test_many_moves_are_counted() -> None:
    crowd = products(orders=[order(str(number)) for number in range(9)])
    assert "and 6 more" in (agree(products(), crowd) or "")


def test_a_section_that_was_read_only_once_does_not_agree() -> None:
    linear, spot = SAME
    blind = replace(linear, positions=Unknown("502"))
    assert agree((linear, spot), (blind, spot)) == "positions of linear could be read only once"
    assert agree((blind, spot), (blind, spot)) is None
    assert agree((linear, spot), (spot,)) == "linear was read only once"
    fewer = replace(linear, orders=((Scope("linear"), Known((order(),), NOW_MS)),))
    assert agree((linear, spot), (fewer, spot)) == "orders of linear/algo were read only once"
    hedged = replace(linear, position_mode="hedge")
    assert agree((linear, spot), (hedged, spot)) == "the position mode of linear changed"
