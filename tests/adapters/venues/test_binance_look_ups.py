"""Asking Binance for one order: by either id, in the right service, after cancels and triggers."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from resyncctl.core.model import Order, OrderStatus, Scope
from resyncctl.core.snapshot import Known, NotFound, OrderReference, Section, Unknown, Window
from tests.adapters.venues.practice import ALGO, LINEAR, SPOT, Practice, open_practice

T = TypeVar("T")
DAY_MS = 24 * 3_600_000


@pytest.fixture
async def place() -> AsyncIterator[Practice]:
    made = open_practice()
    yield made
    await made.venue.close()


def data(section: Section[T]) -> tuple[T, ...]:
    assert isinstance(section, Known), section
    return section.data


def whole(section: Section[T]) -> tuple[T, ...]:
    assert isinstance(section, Known), section
    assert section.complete, section.notes
    return section.data


def lookback(place: Practice, span_ms: int = DAY_MS) -> Window:
    return Window(place.clock.now_ms() - span_ms, place.clock.now_ms())


def reference(order: Order, **changes: Any) -> OrderReference:
    fields: dict[str, Any] = {
        "product": order.product,
        "symbol": order.symbol,
        "venue_order_id": order.venue_order_id,
        "client_order_id": order.client_order_id,
        "scope": order.scope,
    }
    return OrderReference(**(fields | changes))


@pytest.mark.parametrize("scope", [SPOT, LINEAR, ALGO])
async def test_look_ups_find_by_either_id(place: Practice, scope: Scope) -> None:
    make = {SPOT: place.spot_order, LINEAR: place.linear_order, ALGO: place.algo_order}[scope]
    make(client_order_id="mine-1")
    (order,) = whole(await place.view.read_open_orders(scope))
    for asked in (
        reference(order),
        reference(order, client_order_id=None),
        reference(order, venue_order_id=None),
        reference(order, venue_order_id="999999"),
    ):
        found = await place.view.look_up_order(asked)
        assert isinstance(found, Order), found
        assert found.venue_order_id == order.venue_order_id
        assert found.status is OrderStatus.ACCEPTED


@pytest.mark.parametrize("scope", [SPOT, LINEAR, ALGO])
async def test_a_look_up_without_a_find_is_not_found_and_nothing_else(
    place: Practice, scope: Scope
) -> None:
    symbol = "BTC/USDT" if scope == SPOT else "BTC/USDT:USDT"
    asked = OrderReference(scope.product, symbol, "424242", "nobody", scope)
    assert isinstance(await place.view.look_up_order(asked), NotFound)
    place.control.inject("code_1007", times=0)
    assert isinstance(await place.view.look_up_order(asked), Unknown)


async def test_the_status_after_a_cancel_and_after_a_fill(place: Practice) -> None:
    place.spot_order()
    (order,) = whole(await place.view.read_open_orders(SPOT))
    await place.cancel.cancel_order(order, place.permit())
    found = await place.view.look_up_order(reference(order))
    assert isinstance(found, Order)
    assert found.status is OrderStatus.CANCELED
    made = place.linear_order()
    (linear,) = whole(await place.view.read_open_orders(LINEAR))
    place.control.fill(made, "0.004")
    partly = await place.view.look_up_order(reference(linear))
    assert isinstance(partly, Order)
    assert (partly.status, partly.filled) == (OrderStatus.PARTIALLY_FILLED, Decimal("0.004"))
    place.control.fill(made)
    filled = await place.view.look_up_order(reference(linear))
    assert isinstance(filled, Order)
    assert filled.is_terminal
    assert filled.average_price == Decimal(20_000)


async def test_a_triggered_order_has_the_fate_of_what_it_became(place: Practice) -> None:
    place.control.set_position("main", "BTCUSDT", "0.01", "20000")
    made = place.algo_order(type="STOP", price="1000000", stop_price="15000")
    (order,) = whole(await place.view.read_open_orders(ALGO))
    child = place.control.trigger(made["algo_id"])
    assert child is not None
    resting = await place.view.look_up_order(reference(order))
    assert isinstance(resting, Order)
    assert not resting.is_terminal
    place.control.cancel(child)
    ended = await place.view.look_up_order(reference(order))
    assert isinstance(ended, Order)
    assert ended.status is OrderStatus.CANCELED


async def test_a_look_up_by_unified_name_may_fetch_what_a_cancel_may_not() -> None:
    place = open_practice(may_load_markets=False)
    place.spot_order(client_order_id="mine-1")
    place.linear_order(client_order_id="mine-2")
    await place.view.read_open_orders(SPOT)
    assert not [row for row in place.asked() if "exchangeInfo" in row.path]
    for scope, symbol, name in (
        (SPOT, "BTC/USDT", "mine-1"),
        (LINEAR, "BTC/USDT:USDT", "mine-2"),
        (SPOT, "BTC/USDT", "mine-1"),
    ):
        asked = OrderReference(scope.product, symbol, None, name, scope)
        found = await place.view.look_up_order(asked)
        assert isinstance(found, Order), found
        assert found.symbol == "BTCUSDT", "names that were given out stay as they were"
    assert [row.path for row in place.asked()].count("/api/v3/exchangeInfo") == 1
    stranger = OrderReference("spot", "NO/SUCH", None, "x", SPOT)
    assert isinstance(await place.view.look_up_order(stranger), Unknown)
    await place.venue.close()
