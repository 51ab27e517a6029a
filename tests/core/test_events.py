"""Missing facts become events, in order and idempotent; applying them is the repair."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from resyncctl.core.discrepancy import Kind
from resyncctl.core.events import Event, EventKind, adopt, after_fill, emit
from resyncctl.core.model import Leg, OrderStatus, Side
from resyncctl.core.repair import apply_events
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

PART = OrderStatus.PARTIALLY_FILLED


def events_of(ours: EngineSnapshot, theirs: VenueSnapshot) -> tuple[Event, ...]:
    return emit(ours, theirs, look(ours, theirs))


def story(ours: EngineSnapshot, theirs: VenueSnapshot) -> list[str]:
    return [event.kind.value for event in events_of(ours, theirs)]


def data(section: Any) -> tuple[Any, ...]:
    assert isinstance(section, Known)
    return section.data


def test_a_fill_tells_its_story_in_order() -> None:
    ours = engine([order()], [], [position(3)], [balance("100")])
    theirs = venue(
        [order(filled=Decimal(2), status=PART)],
        [fill("t2", at_ms=NOW_MS - 10), fill("t1", at_ms=NOW_MS - 20)],
        [position(5)],
        [balance("120")],
    )
    events = events_of(ours, theirs)
    assert [event.kind for event in events] == [
        EventKind.ORDER_FILLED,
        EventKind.ORDER_FILLED,
        EventKind.POSITION_CHANGED,
        EventKind.BALANCE_CHANGED,
    ]
    assert [event.fill.trade_id for event in events if event.fill] == ["t1", "t2"]
    healed = apply_events(ours, events, as_of_ms=NOW_MS)
    assert data(healed.orders)[0].filled == 2
    assert healed.as_of_ms == NOW_MS
    assert data(healed.positions)[0].quantity == 5
    assert look(healed, theirs).findings == ()


def test_an_order_that_ended_tells_how() -> None:
    for status, kind in (
        (OrderStatus.CANCELED, "OrderCanceled"),
        (OrderStatus.EXPIRED, "OrderExpired"),
        (OrderStatus.REJECTED, "OrderRejected"),
        (OrderStatus.FILLED, "OrderUpdated"),
    ):
        ended = order(status=status)
        assert story(engine([order()]), venue(look_ups=[(order(), ended)])) == [kind]


def test_an_unknown_order_is_accepted_then_filled_then_as_it_stands() -> None:
    theirs = venue([order(filled=Decimal(1), status=PART)], [fill()], [])
    events = events_of(engine(), theirs)
    assert [event.kind.value for event in events] == [
        "OrderAccepted",
        "OrderFilled",
        "OrderUpdated",
    ]
    assert events[0].order is not None
    assert events[0].order.filled == 0
    healed = apply_events(engine(), events)
    assert data(healed.orders)[0].filled == 1
    twice = apply_events(healed, events)
    assert twice == healed


def test_what_is_unresolved_has_no_event() -> None:
    sent = order("2", status=OrderStatus.SUBMITTED, updated_at_ms=1)
    young = order("3", status=OrderStatus.SUBMITTED, updated_at_ms=NOW_MS)
    old = order("4", created_at_ms=NOW_MS - 40 * HOUR_MS)
    ours = engine([order(), sent, young, old])
    assert events_of(ours, venue([old], moving="orders changed")) == ()


def test_a_settled_finding_has_no_event() -> None:
    ours, theirs = engine(), venue([order()], [fill()])
    comparison = look(ours, theirs)
    quiet = replace(comparison, findings=(), explained=())
    assert emit(ours, theirs, quiet) == ()
    settling = replace(
        comparison,
        findings=tuple(replace(one, kind=Kind.SETTLING) for one in comparison.findings),
    )
    assert emit(ours, theirs, settling) == ()


def test_corrections_name_what_they_replace() -> None:
    part = order(filled=Decimal(1), status=PART)
    wrong, right = fill(price=Decimal(99)), fill()
    (conflict,) = events_of(engine([part], [wrong]), venue([part], [right]))
    assert (conflict.kind, conflict.replaces, conflict.fill) == (
        EventKind.FILL_CORRECTED,
        wrong,
        right,
    )
    (phantom,) = events_of(engine([order()], [wrong]), venue([order()]))
    assert (phantom.kind, phantom.fill) == (EventKind.FILL_RETRACTED, None)
    assert phantom.inferred
    ours = engine([part], [right] * 3)
    copies = events_of(ours, venue([part], [right]))
    assert [event.kind for event in copies] == [EventKind.FILL_CORRECTED]
    assert data(apply_events(ours, copies).fills) == (right,)


def test_inferred_events_are_marked() -> None:
    (event,) = events_of(
        engine([order()]), venue([order(filled=Decimal(1), status=PART, updated_at_ms=NOW_MS - 5)])
    )[:1]
    assert event.inferred
    assert event.to_json()["origin"] == "reconciliation"
    row = event.to_json()["fill"]
    assert isinstance(row, dict)
    assert row["price"] is None


def test_ids_depend_on_content_and_not_on_the_run() -> None:
    theirs = venue([order()])
    first, second = events_of(engine(), theirs), events_of(engine(), theirs)
    assert [event.id for event in first] == [event.id for event in second]
    assert len({event.id for event in (*first, *events_of(engine(), venue([order("2")])))}) == 2
    loose = replace(first[0], findings=())
    assert loose.id == first[0].id


def test_events_are_plain_json() -> None:
    theirs = venue([order()], [fill("x", of="77")], [position(3)], [balance("7")])
    for event in events_of(engine(), theirs):
        document = json.loads(json.dumps(event.to_json()))
        assert document["id"] == event.id
        assert document["type"] == event.kind.value
        assert document["findings"] or event.position or event.balance
        assert "." not in json.dumps(document.get("order", {}).get("quantity", "4"))


def test_flat_and_empty_holdings_are_zero_events() -> None:
    ours = engine(
        positions=[position(3, Leg.LONG), position(-2, Leg.SHORT)],
        balances=[balance("7")],
    )
    events = events_of(ours, venue())
    assert sum(event.kind is EventKind.POSITION_CHANGED for event in events) == 2
    healed = apply_events(ours, events)
    assert data(healed.positions) == ()
    assert data(healed.balances) == ()


def test_a_net_position_becomes_hedge_legs() -> None:
    theirs = venue(positions=[position(3, Leg.LONG), position(-2, Leg.SHORT)])
    ours = engine(positions=[position(1)])
    events = events_of(ours, theirs)
    assert [event.position.leg for event in events if event.position] == [
        Leg.BOTH,
        Leg.LONG,
        Leg.SHORT,
    ] or len(events) == 3
    assert look(apply_events(ours, events), theirs).findings == ()


def test_unknown_sections_stay_unknown() -> None:
    ours = engine([order()])
    theirs = venue([order(filled=Decimal(1), status=PART)], [fill()], [position(4)], [balance("7")])
    events = events_of(engine([order()], [], [position(3)]), theirs)
    for name in ("orders", "fills", "positions", "balances"):
        blind = replace(ours, **{name: Unknown("not kept")})  # type: ignore[arg-type]  # sections by name
        assert getattr(apply_events(blind, events, as_of_ms=NOW_MS), name) == Unknown("not kept")


def test_a_late_fill_of_a_finished_order_is_counted() -> None:
    cancelled = order(status=OrderStatus.CANCELED)
    ours, theirs = engine([cancelled]), venue([], [fill()])
    healed = apply_events(ours, events_of(ours, theirs))
    (row,) = data(healed.orders)
    assert (row.filled, row.status) == (Decimal(1), OrderStatus.CANCELED)
    assert apply_events(healed, events_of(ours, theirs)) == healed
    stranger = apply_events(engine(), events_of(engine(), theirs))
    assert data(stranger.orders) == ()
    assert len(data(stranger.fills)) == 1


def test_two_engine_rows_of_one_order_become_one() -> None:
    rows = [order(), order(venue_order_id=None, filled=Decimal(1))]
    ours, theirs = engine(rows), venue([order(filled=Decimal(1), status=PART)])
    healed = apply_events(ours, events_of(ours, theirs))
    assert len(data(healed.orders)) == 1
    other = order("2", client_order_id="mm1-1")
    both = engine([order(), other])
    update = Event(
        kind=EventKind.ORDER_UPDATED, account="main", at_ms=1, order=order(price=Decimal(9))
    )
    assert len(data(apply_events(both, [update]).orders)) == 2


def test_the_engine_keeps_what_only_it_can_tell() -> None:
    ours = order(
        protective=True, leg=Leg.SHORT, list_id="oco", trigger_price=Decimal(5), side=Side.SELL
    )
    theirs = order(
        client_order_id=None, quantity=Decimal(0), price=Decimal(0), side=Side.SELL,
        created_at_ms=None,
    )  # fmt: skip
    kept = adopt(ours, theirs)
    assert kept == replace(ours, updated_at_ms=theirs.updated_at_ms)


def test_after_fill_follows_the_legal_transitions() -> None:
    assert after_fill(order(), fill()).status is PART
    assert after_fill(order(), fill(quantity=Decimal(4))).status is OrderStatus.FILLED
    sent = order(status=OrderStatus.SUBMITTED)
    assert after_fill(sent, fill()).status is PART
    rejected = order(status=OrderStatus.CANCELED)
    assert after_fill(rejected, fill(quantity=Decimal(4))).status is OrderStatus.CANCELED
    whole_position = order(quantity=Decimal(0))
    assert after_fill(whole_position, fill()).status is PART


@pytest.mark.invariant("I28")
def test_repair_of_a_status_mismatch_with_fills_is_idempotent() -> None:
    cancelled = order(status=OrderStatus.CANCELED)
    ours = engine([cancelled])
    theirs = venue([order(filled=Decimal(1), status=PART)], [fill()])
    events = events_of(ours, theirs)
    healed = apply_events(ours, events)
    assert kinds(look(healed, theirs)) == []
    assert set(data(apply_events(healed, events).orders)) == set(data(healed.orders))
