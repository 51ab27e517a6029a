"""Stories about orders: who is missing, who is a stranger, what hangs in the air."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from resyncctl.core.compare import missing_references
from resyncctl.core.discrepancy import Kind, Severity, Verdict
from resyncctl.core.model import Leg, Order, OrderClass, OrderStatus, Scope, Side
from resyncctl.core.snapshot import Claim, Known, LookUp, NotFound, Unknown
from tests.fakes.books import (
    HOUR_MS,
    NOW_MS,
    engine,
    fill,
    kinds,
    look,
    only,
    order,
    reference,
    venue,
)

STOP = order("9", order_class=OrderClass.ALGO, protective=True, reduce_only=True, price=None)


@pytest.mark.parametrize(
    "answer", [None, Unknown("timeout"), NotFound(reference(order()), "-2013")]
)
def test_absence_and_not_found_prove_nothing(answer: Unknown | NotFound | None) -> None:
    ups = [] if answer is None else [(order(), answer)]
    finding = only(look(engine([order()]), venue(look_ups=ups)))
    assert finding.kind is Kind.MISSING_ORDER
    assert finding.severity is Severity.CRITICAL
    assert finding.venue == {"resolution": "UNRESOLVED"}


def test_an_order_of_an_unreadable_scope_is_not_called_missing() -> None:
    theirs = venue()
    linear = replace(theirs.products[0], orders=((Scope("linear"), Unknown("HTTP 502")),))
    theirs = replace(theirs, products=(linear,))
    comparison = look(engine([order()]), theirs)
    assert kinds(comparison) == [Kind.SECTION_UNREADABLE]
    assert comparison.verdict is Verdict.UNKNOWN
    assert not comparison.blocks_resume
    found = replace(theirs, look_ups=((reference(order()), NotFound(reference(order()), "")),))
    assert Kind.MISSING_ORDER in kinds(look(engine([order()]), found))


def test_a_lost_protective_stop_is_critical() -> None:
    gone = replace(STOP, status=OrderStatus.CANCELED)
    finding = only(look(engine([STOP]), venue(look_ups=[(STOP, gone)])))
    assert finding.kind is Kind.MISSING_ORDER
    assert finding.severity is Severity.CRITICAL
    assert "not protected" in finding.detail


def test_an_orphan_stop_is_not_to_be_cancelled_blindly() -> None:
    finding = only(look(engine(), venue([STOP])))
    assert finding.kind is Kind.ORPHAN_ORDER
    assert "Keep it" in finding.remedy


def test_an_orphan_says_whose_it_may_be() -> None:
    ours = only(look(engine(), venue([order()])))
    foreign = only(look(engine(), venue([order(client_order_id="web_1")])))
    untold = only(look(engine(), venue([order()]), client_id_prefixes=()))
    nameless = only(look(engine(), venue([order(client_order_id=None)])))
    assert "our prefix" in ours.detail
    assert ours.detail != foreign.detail == nameless.detail
    assert "No client id prefix" in untold.detail


def test_claims_end_and_policy_claims_count() -> None:
    stranger = order(client_order_id="grid-1")
    for claims in ((Claim("grid", venue_order_id="1", until_ms=NOW_MS - 1),), ()):
        assert kinds(look(engine(claims=claims), venue([stranger]))) == [Kind.ORPHAN_ORDER]
    for rule in ({"external_order_claims": (stranger.symbol,)}, {"claimed_prefixes": ("grid-",)}):
        comparison = look(engine(), venue([stranger]), **rule)
        assert only(comparison).kind is Kind.CLAIMED_ORDER
        assert comparison.verdict is Verdict.CLEAN


def test_client_ids_match_only_while_a_venue_id_is_not_known() -> None:
    sent = order(venue_order_id=None, status=OrderStatus.SUBMITTED)
    assert kinds(look(engine([sent]), venue([order()]))) == [Kind.STATUS_MISMATCH]
    reused = order("2", client_order_id="mm1-1")
    assert sorted(kinds(look(engine([order()]), venue([reused])))) == [
        Kind.MISSING_ORDER,
        Kind.ORPHAN_ORDER,
    ]


def test_one_engine_order_of_two_with_its_client_id_is_the_older() -> None:
    sent = order(venue_order_id=None)
    twice = [order("1", created_at_ms=NOW_MS - HOUR_MS), order("2", client_order_id="mm1-1")]
    finding = only(look(engine([sent]), venue(twice)))
    assert finding.kind is Kind.DUPLICATE_CLIENT_ID
    assert finding.venue == {"orders": 2, "venue_order_ids": "1, 2"}
    both = [*twice]
    assert look(engine(both), venue(both)).findings == ()


def test_two_engine_rows_of_one_order_are_a_duplicate() -> None:
    rows = [order(), order(venue_order_id=None, filled=Decimal(1))]
    finding = only(look(engine(rows), venue([order()])))
    assert finding.kind is Kind.DUPLICATE_CLIENT_ID
    assert finding.engine == {"orders": 2, "venue_order_ids": "1, not known"}
    assert "one order" in finding.detail


def test_the_same_id_in_two_books_is_matched_by_book() -> None:
    algo = replace(STOP, venue_order_id="1", client_order_id="mm1-stop")
    assert look(engine([order(), algo]), venue([algo, order()])).findings == ()


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ("ACCEPTED", "PARTIALLY_FILLED", []),
        ("ACCEPTED", "TRIGGERED", [Kind.STATUS_MISMATCH]),
        ("CANCELED", "ACCEPTED", [Kind.STATUS_MISMATCH]),
        ("EMULATED", "ACCEPTED", [Kind.STATUS_MISMATCH]),
        ("SUBMITTED", "ACCEPTED", [Kind.STATUS_MISMATCH]),
        ("PENDING_UPDATE", "ACCEPTED", [Kind.IN_FLIGHT_UNRESOLVED]),
        ("PENDING_CANCEL", "PENDING_CANCEL", []),
    ],
)
def test_statuses_of_a_resting_order(ours: str, theirs: str, found: list[Kind]) -> None:
    mine, other = order(status=OrderStatus[ours]), order(status=OrderStatus[theirs])
    comparison = look(engine([mine]), venue([other]))
    assert kinds(comparison) == found
    triggered = theirs == "TRIGGERED"
    assert (comparison.verdict is Verdict.CLEAN) == (not found or triggered)


@pytest.mark.parametrize("status", ["SUBMITTED", "PENDING_CANCEL"])
@pytest.mark.parametrize("listed", [True, False])
def test_what_was_sent_a_moment_ago_is_settling_and_not_clean(status: str, *, listed: bool) -> None:
    young = order(status=OrderStatus[status], updated_at_ms=NOW_MS - 1000)
    comparison = look(engine([young]), venue([order()] if listed else []))
    assert kinds(comparison) == [Kind.SETTLING]
    assert comparison.verdict is Verdict.DISCREPANT


@pytest.mark.parametrize("touched", [None, NOW_MS - 60_000, NOW_MS + HOUR_MS])
def test_an_old_order_in_flight_is_never_assumed_dead(touched: int | None) -> None:
    sent = order(status=OrderStatus.SUBMITTED, updated_at_ms=touched, created_at_ms=touched)
    comparison = look(engine([sent]), venue())
    assert kinds(comparison) == [Kind.IN_FLIGHT_UNRESOLVED]


def test_terminal_orders_and_locally_held_ones_may_be_absent() -> None:
    rows = [
        order("1", status=OrderStatus.CANCELED),
        order("2", status=OrderStatus.EMULATED),
        order("3", status=OrderStatus.DENIED),
    ]
    assert look(engine(rows), venue()).findings == ()


def test_two_endings_are_compared_when_the_look_up_knows() -> None:
    cancelled = order(status=OrderStatus.CANCELED)
    expired = order(status=OrderStatus.EXPIRED)
    theirs = venue(look_ups=[(cancelled, expired)])
    assert only(look(engine([cancelled]), theirs)).kind is Kind.STATUS_MISMATCH
    assert look(engine([expired]), theirs).findings == ()


def test_a_look_up_that_finds_an_open_order_says_that_the_listing_moved() -> None:
    comparison = look(engine([order()]), venue(look_ups=[(order(), order())]))
    assert kinds(comparison) == [Kind.MOVING]
    assert comparison.verdict is Verdict.UNKNOWN


def test_the_answer_about_another_order_is_not_taken() -> None:
    other = order("2", status=OrderStatus.CANCELED)
    finding = only(look(engine([order()]), venue(look_ups=[(order(), other)])))
    assert finding.venue == {"resolution": "UNRESOLVED"}
    sent = order(venue_order_id=None, status=OrderStatus.SUBMITTED)
    rejected = order("7", client_order_id="mm1-1", status=OrderStatus.REJECTED)
    finding = only(look(engine([sent]), venue(look_ups=[(sent, rejected)])))
    assert finding.venue is not None
    assert finding.venue["resolution"] == "REJECTED"


def test_the_best_of_several_answers_counts() -> None:
    gone = order(status=OrderStatus.CANCELED)
    answers: list[tuple[Order, LookUp]] = [
        (order(), Unknown("timeout")),
        (order(), NotFound(reference(order()), "-2013")),
        (order(), gone),
    ]
    for several in (answers, answers[::-1]):
        finding = only(look(engine([order()]), venue(look_ups=several)))
        assert finding.venue is not None
        assert finding.venue["resolution"] == "CANCELED"


@pytest.mark.parametrize(
    ("ours", "theirs", "fields"),
    [
        ({"price": Decimal(100)}, {"price": Decimal("100.0")}, set()),
        ({"price": Decimal(100)}, {"price": Decimal(101)}, {"price"}),
        ({"price": Decimal(100)}, {"price": None}, set()),
        ({"price": Decimal(100)}, {"price": Decimal(0)}, set()),
        ({"quantity": Decimal(4)}, {"quantity": Decimal(5)}, {"quantity"}),
        ({"quantity": Decimal(4)}, {"quantity": Decimal(0)}, set()),
        ({"trigger_price": Decimal(9)}, {"trigger_price": Decimal(8)}, {"trigger_price"}),
        ({"reduce_only": True}, {"reduce_only": False}, {"reduce_only"}),
        ({"reduce_only": True}, {"reduce_only": False, "leg": Leg.LONG}, set()),
        ({"leg": Leg.SHORT}, {"leg": Leg.LONG}, {"leg"}),
        ({"side": Side.BUY}, {"side": Side.SELL}, {"side"}),
        ({"type": "limit"}, {"type": "LIMIT_MAKER"}, set()),
    ],
)
def test_terms_are_compared_where_both_sides_tell_them(
    ours: dict[str, Any], theirs: dict[str, Any], fields: set[str]
) -> None:
    comparison = look(engine([order(**ours)]), venue([order(**theirs)]))
    if not fields:
        assert comparison.findings == ()
        return
    finding = only(comparison)
    assert finding.kind is Kind.ORDER_AMENDED
    assert finding.engine is not None
    assert finding.engine.keys() == fields
    assert (finding.severity is Severity.CRITICAL) == ("side" in fields)


def test_a_contradictory_listing_is_moving_and_the_later_state_counts() -> None:
    later = order(filled=Decimal(1), status=OrderStatus.PARTIALLY_FILLED)
    theirs = venue([order(), later], [fill()])
    assert kinds(look(engine([later], [fill()]), theirs)) == [Kind.MOVING]


def test_stale_orders_are_listed_unless_they_protect_or_their_age_is_not_told() -> None:
    old = order(created_at_ms=NOW_MS - 30 * HOUR_MS)
    untold = order("2", created_at_ms=None)
    stop = replace(STOP, created_at_ms=NOW_MS - 90 * HOUR_MS)
    rows = [old, untold, stop]
    comparison = look(engine(rows), venue(rows))
    assert only(comparison).subject.venue_order_id == "1"
    assert comparison.counts["stale_orders"] == 1


def test_the_exchange_clock_shifts_ages() -> None:
    row = order(created_at_ms=NOW_MS - 24 * HOUR_MS - 300)
    for offset, found in ((0, 1), (-400, 0)):
        comparison = look(engine([row]), venue([row], clock_offset_ms=offset))
        assert comparison.counts["stale_orders"] == found, offset


def test_a_storm_needs_more_than_the_limit_within_the_window() -> None:
    def crowd(count: int, apart_ms: int) -> list[Kind]:
        rows = [
            order(str(number), created_at_ms=NOW_MS - HOUR_MS + number * apart_ms)
            for number in range(count)
        ]
        return kinds(look(engine(), venue(rows)))

    assert Kind.UNKNOWN_ORDER_STORM not in crowd(10, 1)
    assert Kind.UNKNOWN_ORDER_STORM in crowd(11, 6000)
    assert Kind.UNKNOWN_ORDER_STORM not in crowd(11, 6001)
    timeless = [order(str(number), created_at_ms=None) for number in range(11)]
    assert Kind.UNKNOWN_ORDER_STORM in kinds(look(engine(), venue(timeless)))
    mixed = timeless[:6] + [order(f"x{number}") for number in range(5)]
    assert Kind.UNKNOWN_ORDER_STORM in kinds(look(engine(), venue(mixed)))


def test_orders_to_look_up_are_the_living_and_the_late_filled() -> None:
    late = order("5", status=OrderStatus.CANCELED)
    rows = [
        order("1"),
        order("2"),
        order("3", status=OrderStatus.FILLED),
        order("4", status=OrderStatus.EMULATED),
        late,
        order("6", venue_order_id=None, status=OrderStatus.SUBMITTED),
        order("7", product="margin"),
        order("8", status=OrderStatus.FILLED, filled=Decimal(1)),
    ]
    theirs = venue([order("1")], [fill("t5", of="5"), fill("t8", of="8")])
    wanted = missing_references(engine(rows), theirs.products)
    assert [one.client_order_id for one in wanted] == ["mm1-6", "mm1-2", "mm1-5"]
    assert missing_references(engine(orders=()), theirs.products) == ()
    assert missing_references(engine(rows[:3]), theirs.products)[0] == reference(order("2"))
    unknown = replace(engine(), orders=Unknown("no"))
    assert missing_references(unknown, theirs.products) == ()


def test_orders_in_a_scope_that_was_not_read_are_said() -> None:
    theirs = venue()
    linear = replace(theirs.products[0], orders=((Scope("linear"), Known((), NOW_MS)),))
    comparison = look(engine([STOP]), replace(theirs, products=(linear,)))
    assert kinds(comparison) == [Kind.SCOPE_NOT_COVERED]
    assert comparison.verdict is Verdict.UNKNOWN
