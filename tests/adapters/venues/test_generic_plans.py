"""Every request of every plan exists in ccxt, may leave, and is what the plan says it is."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from resyncctl.adapters.venues.via_ccxt.generic_plan import Question, VenuePlan
from resyncctl.adapters.venues.via_ccxt.generic_plans import PLANNED, plan_for
from resyncctl.adapters.venues.via_ccxt.permits import lend
from resyncctl.core.model import Order, OrderStatus, Scope, Side
from resyncctl.core.snapshot import OrderReference
from tests.adapters.venues.generic_kit import MARKETS, Opened, open_any, permit, set_markets
from tests.adapters.venues.scripted import Say


def plan_of(venue: str) -> VenuePlan:
    plan = plan_for(venue)
    assert plan is not None
    return plan


def reads_of(plan: VenuePlan) -> list[tuple[str, dict[str, Any]]]:
    """Return every read that the plan can make, as endpoint and parameters."""
    listings: list[Any] = [
        *plan.orders.values(),
        *plan.fills.values(),
        *plan.positions.values(),
        *plan.balances.values(),
    ]
    reads = [(query.endpoint, dict(query.params)) for one in listings for query in one.queries]
    for scope, look_ups in plan.look_ups.items():
        for look_up in look_ups:
            for venue_id, client_id in (("123", None), (None, "0xmine")):
                asked = OrderReference(scope.product, "X/Y", venue_id, client_id, scope)
                params = look_up.params(asked, "XY")
                if params is not None:
                    reads.append((look_up.endpoint, dict(params)))
    questions = [*plan.position_modes.values(), plan.identity]
    reads += [(q.endpoint, dict(q.params)) for q in questions if isinstance(q, Question)]
    return reads


def open_deaf(venue: str) -> Opened:
    """Open a venue that answers everything with an object that means nothing."""
    opened = open_any(venue, {"*": Say({"nothing": True})})
    set_markets(opened.exchange, MARKETS[venue])
    kinds = ("frontendOpenOrders", "userFillsByTime", "clearinghouseState")
    for kind in (*kinds, "spotClearinghouseState", "orderStatus"):
        opened.session.on(kind, Say({"nothing": True}))
    return opened


async def call(opened: Opened, endpoint: str, params: Any) -> None:
    method = getattr(opened.exchange, endpoint)
    with suppress(Exception):  # what ccxt makes of a meaningless answer is no matter here
        await method(params)


@pytest.mark.parametrize("venue", PLANNED)
async def test_every_read_of_the_plan_is_a_read_on_the_wire(venue: str) -> None:
    opened = open_deaf(venue)
    for endpoint, params in reads_of(plan_of(venue)):
        before = len(opened.egress.records)
        await call(opened, endpoint, params)
        (record,) = list(opened.egress.records)[before:]
        assert (record.kind, record.phase) == ("read", "answered"), (endpoint, record)
    assert opened.egress.desk.spent == frozenset()
    await opened.view.close()


def an_order(scope: Scope, symbol: str) -> Order:
    return Order(
        account="desk-a",
        product=scope.product,
        symbol=symbol,
        side=Side.BUY,
        type="limit",
        status=OrderStatus.ACCEPTED,
        client_order_id=None,
        venue_order_id="123456",
        quantity=Decimal(1),
        filled=Decimal(0),
        order_class=scope.order_class,
        venue_symbol="BTCUSDT",
    )


@pytest.mark.parametrize("venue", PLANNED)
async def test_every_cancel_of_the_plan_is_one_cancel_on_the_wire(venue: str) -> None:
    plan = plan_of(venue)
    opened = open_deaf(venue)
    number = 0
    symbol = MARKETS[venue][0].symbol
    for scope, recipe in plan.cancels.items():
        number += 1
        before = len(opened.egress.records)
        with lend(permit(number)):
            sending = recipe.send(opened.exchange, an_order(scope, symbol), {})
            with suppress(Exception):
                await sending
        (record,) = list(opened.egress.records)[before:]
        assert (record.kind, record.phase) == ("cancel", "answered"), (scope, record)
    for scope, whole in plan.symbol_cancels.items():
        number += 1
        before = len(opened.egress.records)
        with lend(permit(number)):
            await call(opened, whole.endpoint, dict(whole.params("BTCUSDT")))
        (record,) = list(opened.egress.records)[before:]
        assert (record.kind, record.phase) == ("cancel", "answered"), (scope, record)
    assert len(opened.egress.desk.spent) == number
    await opened.view.close()


@pytest.mark.parametrize("venue", PLANNED)
def test_a_plan_can_cancel_what_it_can_list(venue: str) -> None:
    plan = plan_of(venue)
    listable = set(plan.orders) - set(plan.refusals)
    assert listable == set(plan.cancels)
    assert set(plan.look_ups) <= listable
    assert set(plan.symbol_cancels) <= listable
    for listing in plan.orders.values():
        assert listing.queries or set(plan.refusals)
        labels = [query.label for query in listing.queries]
        assert len(labels) == len(set(labels))


@pytest.mark.parametrize("venue", PLANNED)
def test_the_numbers_of_a_plan_are_cautious(venue: str) -> None:
    plan = plan_of(venue)
    assert plan.staleness_horizon_ms >= 45_000
    assert plan.request_validity_ms >= 5_000
    assert 1 <= plan.parallel <= 8
    assert plan.products
