"""The rows that documentation mentions in passing: closing orders, fates, odd wallets."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from resyncctl.adapters.venues.via_ccxt.connect import Connection
from resyncctl.adapters.venues.via_ccxt.generic import GenericOptions, GenericVenue
from resyncctl.adapters.venues.via_ccxt.generic_plans import plan_for
from resyncctl.core.errors import InvariantBroken
from resyncctl.core.model import Leg, OrderClass, OrderStatus, Scope, Side
from resyncctl.core.mutation import OutcomeKind
from resyncctl.core.snapshot import Known, NotFound, OrderReference, Unknown, Window
from tests.adapters.venues.generic_kit import BODIES, NOW_MS, open_scripted, permit
from tests.adapters.venues.generic_samples import (
    BYBIT_ORDER,
    KRAKENFUTURES,
    OKX_ORDER,
    bybit,
    kraken,
    kucoin,
    okx,
)
from tests.adapters.venues.scripted import Say

D = Decimal
EVER = Window(1_400_000_000_000, NOW_MS)


def algo(product: str) -> Scope:
    return Scope(product, OrderClass.ALGO)


def sample(venue: str, route: str) -> Any:
    return BODIES[venue][route]


async def one(venue: str, routes: dict[str, object], scope: Scope) -> Any:
    opened = open_scripted(venue, routes)
    section = await opened.view.read_open_orders(scope)
    await opened.view.close()
    return section


async def test_an_order_that_has_ended_is_left_out_with_a_note() -> None:
    rows: list[object] = [BYBIT_ORDER, {**BYBIT_ORDER, "orderId": "x", "orderStatus": "Filled"}]
    section = await one("bybit", {"GET /v5/order/realtime": bybit(rows)}, Scope("linear"))
    assert isinstance(section, Known)
    assert len(section.data) == 1
    assert any("had ended already" in note for note in section.notes)


async def test_funding_is_not_a_fill_and_an_unknown_kind_of_execution_still_is() -> None:
    body = sample("bybit", "GET /v5/execution/list")
    trade = body["result"]["list"][0]
    rows = [
        {**trade, "execId": "f", "execType": "Funding"},
        {**trade, "execId": "a", "execType": "AdlTrade"},
        {**trade, "execId": "d", "execType": "Delivery"},
        trade,
    ]
    opened = open_scripted("bybit", {"GET /v5/execution/list": bybit(rows)})
    section = await opened.view.read_fills("linear", EVER, ())
    assert isinstance(section, Known)
    assert {fill.trade_id for fill in section.data} == {"a", "d", trade["execId"]}
    await opened.view.close()


async def test_a_short_leg_is_short_whatever_its_side_says() -> None:
    row = {"positionIdx": 2, "symbol": "BTCUSDT", "side": "", "size": "0.5", "avgPrice": "6"}
    opened = open_scripted("bybit", {"GET /v5/position/list": bybit([row])})
    section = await opened.view.read_positions("linear")
    assert isinstance(section, Known)
    assert (section.data[0].leg, section.data[0].quantity) == (Leg.SHORT, D("-0.5"))
    await opened.view.close()


@pytest.mark.parametrize(
    ("rows", "mode"),
    [
        ([], None),
        ([{"positionIdx": 0}, {"positionIdx": 1}], None),
        ([{"positionIdx": 1}, {"positionIdx": 2}], "hedge"),
        ([{"positionIdx": 0}], "one_way"),
    ],
)
async def test_a_mode_is_told_only_when_the_rows_agree(
    rows: list[dict[str, object]], mode: str | None
) -> None:
    whole = [{"symbol": "BTCUSDT", "side": "Buy", "size": "1", **row} for row in rows]
    opened = open_scripted("bybit", {"GET /v5/position/list": bybit(list(whole))})
    answer = await opened.view.read_position_mode("linear")
    assert isinstance(answer, Unknown) if mode is None else answer == mode
    await opened.view.close()


async def test_wallets_of_one_asset_are_added_up_and_never_collapsed() -> None:
    accounts: Any = dict(KRAKENFUTURES["GET /derivatives/api/v3/accounts"])  # type: ignore[call-overload]  # documented JSON
    accounts["accounts"] = {
        **accounts["accounts"],
        "cash": {"balances": {"xbt": "0.5"}, "type": "cashAccount"},
    }
    opened = open_scripted("krakenfutures", {"GET /derivatives/api/v3/accounts": accounts})
    section = await opened.view.read_balances("futures")
    assert isinstance(section, Known)
    assert {row.asset: row.total for row in section.data}["BTC"] == D("1.0")
    await opened.view.close()


async def test_a_closing_order_at_gate_says_which_leg_it_closes() -> None:
    body = sample("gate", "GET /api/v4/futures/usdt/price_orders")[0]
    closing = {**body["initial"], "size": 0, "is_close": True}
    for auto_size, side in (("close_long", Side.SELL), ("close_short", Side.BUY)):
        row = {**body, "initial": {**closing, "auto_size": auto_size}}
        section = await one(
            "gate", {"GET /api/v4/futures/usdt/price_orders": [row]}, algo("usdt-swap")
        )
        assert isinstance(section, Known)
        assert (section.data[0].side, section.data[0].protective) == (side, True)
        assert any("follows the position" in note for note in section.notes)
    silent = {**body, "initial": closing}
    route = "GET /api/v4/futures/usdt/price_orders"
    assert isinstance(await one("gate", {route: [silent]}, algo("usdt-swap")), Unknown)


@pytest.mark.parametrize(("total", "readable"), [(1, True), (2, False), (0, False)])
async def test_gate_counts_the_orders_of_each_pair(total: int, readable: bool) -> None:
    body = sample("gate", "GET /api/v4/spot/open_orders")
    routes: dict[str, object] = {"GET /api/v4/spot/open_orders": [{**body[0], "total": total}]}
    section = await one("gate", routes, Scope("spot"))
    assert isinstance(section, Known) is readable


@pytest.mark.parametrize(
    ("status", "left", "expected"),
    [
        ("closed", "0", OrderStatus.FILLED),
        ("closed", "0.00004", OrderStatus.CANCELED),
        ("cancelled", "0.0001", OrderStatus.CANCELED),
        ("dreaming", "0", None),
    ],
)
async def test_gate_names_the_fate_of_a_spot_order(
    status: str, left: str, expected: OrderStatus | None
) -> None:
    route = "GET /api/v4/spot/orders/62364648575"
    body = {**sample("gate", route), "status": status, "left": left}
    opened = open_scripted("gate", {route: body})
    reference = OrderReference("spot", "BTC/USDT", "62364648575", None, Scope("spot"))
    answer = await opened.view.look_up_order(reference)
    if expected is None:
        assert isinstance(answer, Unknown)
    else:
        assert not isinstance(answer, NotFound | Unknown)
        assert answer.status is expected
    await opened.view.close()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("open", OrderStatus.PARTIALLY_FILLED),
        ("filled", OrderStatus.FILLED),
        ("marginCanceled", OrderStatus.CANCELED),
        ("perpMarginRejected", OrderStatus.REJECTED),
        ("triggered", OrderStatus.TRIGGERED),
        ("resting", None),
    ],
)
async def test_hyperliquid_names_the_fate_of_an_order(
    word: str, expected: OrderStatus | None
) -> None:
    body = sample("hyperliquid", "orderStatus")
    told = {**body, "order": {**body["order"], "status": word}}
    opened = open_scripted("hyperliquid", {"orderStatus": told})
    reference = OrderReference("perpetual", "ETH/USDC:USDC", "8670487141", None, Scope("perpetual"))
    answer = await opened.view.look_up_order(reference)
    if expected is None:
        assert isinstance(answer, Unknown)
    else:
        assert not isinstance(answer, NotFound | Unknown)
        assert answer.status is expected
        assert answer.is_terminal is (
            expected in {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED}
        )
    opened.session.on("orderStatus", Say({"status": "unknownOid"}))
    assert isinstance(await opened.view.look_up_order(reference), NotFound)
    await opened.view.close()


async def test_spot_coins_and_perpetuals_share_a_listing_and_are_told_apart() -> None:
    (perpetual,) = sample("hyperliquid", "frontendOpenOrders")
    rows = [perpetual, {**perpetual, "coin": "@107", "oid": 5, "isTrigger": False}]
    opened = open_scripted("hyperliquid", {"frontendOpenOrders": rows})
    found = {}
    for product in ("perpetual", "spot"):
        section = await opened.view.read_open_orders(Scope(product))
        assert isinstance(section, Known)
        found[product] = [order.symbol for order in section.data]
    assert found == {"perpetual": ["ETH/USDC:USDC"], "spot": ["HYPE/USDC"]}
    await opened.view.close()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"isActive": False, "dealSize": "1"}, OrderStatus.FILLED),
        ({"isActive": False, "dealSize": "0.4"}, OrderStatus.CANCELED),
        ({"isActive": False, "cancelExist": True}, OrderStatus.CANCELED),
        ({"dealSize": "0.4"}, OrderStatus.PARTIALLY_FILLED),
    ],
)
async def test_kucoin_tells_the_fate_by_flags(
    change: dict[str, object], expected: OrderStatus
) -> None:
    route = "GET /api/v1/orders/63c97ce8d686c500015793bb"
    body = sample("kucoin", route)
    opened = open_scripted("kucoin", {route: {**body, "data": {**body["data"], **change}}})
    reference = OrderReference("spot", "X", "63c97ce8d686c500015793bb", None, Scope("spot"))
    answer = await opened.view.look_up_order(reference)
    assert not isinstance(answer, NotFound | Unknown)
    assert answer.status is expected
    await opened.view.close()


@pytest.mark.parametrize(
    ("venue", "route", "change"),
    [
        ("okx", "GET /api/v5/trade/orders-pending", {"posSide": "sideways"}),
        ("okx", "GET /api/v5/trade/orders-pending", {"state": "asleep"}),
    ],
)
async def test_a_word_that_is_not_documented_is_a_fault(
    venue: str, route: str, change: dict[str, object]
) -> None:
    section = await one(venue, {route: okx([{**OKX_ORDER, **change}])}, Scope("spot"))
    assert isinstance(section, Unknown)
    assert "does not know" in section.reason


@pytest.mark.parametrize(
    ("currency", "expected"), [("BTC", D("0.5")), ("USDT", D("-0.5") / D(20_000))]
)
async def test_a_margin_position_is_long_in_base_and_short_in_quote(
    currency: str, expected: Decimal
) -> None:
    row = {
        "instId": "BTC-USDT",
        "instType": "MARGIN",
        "pos": "0.5",
        "posCcy": currency,
        "posSide": "net",
        "posId": "1",
        "avgPx": "20000",
    }
    opened = open_scripted("okx", {"GET /api/v5/account/positions": okx([row])})
    section = await opened.view.read_positions("margin")
    assert isinstance(section, Known)
    assert section.data[0].quantity == expected
    await opened.view.close()


async def test_positions_of_one_pair_and_side_are_one_position() -> None:
    body = sample("kraken", "POST /0/private/OpenPositions")["result"][0]
    other = {**body, "leverage": "3.00000", "vol": "0.12", "vol_closed": "0", "cost": "4800"}
    opened = open_scripted("kraken", {"POST /0/private/OpenPositions": kraken([body, other])})
    section = await opened.view.read_positions("spot")
    assert isinstance(section, Known)
    (position,) = section.data
    assert position.quantity == D("-0.20")
    assert position.entry_price == (D("0.08") * 30_000 + D("0.12") * 40_000) / D("0.20")
    await opened.view.close()


@pytest.mark.parametrize("result", [{}, None, "text", [5]])
async def test_positions_that_are_not_rows_are_not_flat(result: object) -> None:
    opened = open_scripted("kraken", {"POST /0/private/OpenPositions": kraken(result)})
    section = await opened.view.read_positions("spot")
    if result == {}:  # an object keyed by id, and no id: documented for a flat account
        assert section == Known((), NOW_MS, None)
    else:
        assert isinstance(section, Unknown)
    await opened.view.close()


@pytest.mark.parametrize(
    ("route", "body", "gone"),
    [
        ("notFound", {"status": "notFound"}, True),
        ("filled", {"status": "filled"}, True),
        ("odd", {"status": "perhaps"}, False),
    ],
)
async def test_kraken_futures_says_in_a_success_that_nothing_was_cancelled(
    route: str, body: dict[str, str], gone: bool
) -> None:
    from tests.adapters.venues.test_generic_cancels import an_order

    answer = {"result": "success", "cancelStatus": body, "serverTime": "2020"}
    opened = open_scripted("krakenfutures", {"POST /derivatives/api/v3/cancelorder": answer})
    outcome = await opened.view.cancel_order(an_order(Scope("futures"), "1"), permit())
    assert outcome.kind is (OutcomeKind.REJECTED if gone else OutcomeKind.UNKNOWN), route
    assert outcome.already_gone is gone
    await opened.view.close()


@pytest.mark.parametrize(("code", "gone"), [(2040, True), (2041, False)])
async def test_mexc_says_per_order_why_it_was_not_cancelled(code: int, gone: bool) -> None:
    from tests.adapters.venues.test_generic_cancels import an_order

    row = {"orderId": "1", "errorCode": code, "errorMsg": "order not exist"}
    answer = {"success": True, "code": 0, "data": [row]}
    opened = open_scripted("mexc", {"POST /api/v1/private/order/cancel": answer})
    outcome = await opened.view.cancel_order(an_order(Scope("swap"), "1"), permit())
    assert outcome.kind is OutcomeKind.REJECTED
    assert outcome.already_gone is gone
    await opened.view.close()


async def test_a_trap_stands_above_what_a_plan_offers() -> None:
    opened = open_scripted("okx")
    plan = plan_for("okx")
    offering = plan_for("deribit")
    assert plan is not None
    assert offering is not None
    bold = replace(
        plan, symbol_cancels={Scope("swap"): next(iter(offering.symbol_cancels.values()))}
    )
    connection: Connection = opened.view._connection
    view = GenericVenue(connection, bold, opened.clock, GenericOptions(account="desk-a"))
    assert not view.abilities(Scope("swap")).by_symbol
    outcome = await view.cancel_symbol(Scope("swap"), "X", "X", permit())
    assert not outcome.sent
    assert opened.session.asked == []
    await opened.view.close()


async def test_a_plan_that_mixes_order_classes_is_a_broken_promise() -> None:
    opened = open_scripted("okx")
    plan = plan_for("okx")
    assert plan is not None
    mixed = replace(plan, orders={Scope("swap"): plan.orders[algo("swap")]})
    view = GenericVenue(
        opened.view._connection, mixed, opened.clock, GenericOptions(account="desk-a")
    )
    with pytest.raises(InvariantBroken):
        await view.read_open_orders(Scope("swap"))
    await opened.view.close()


async def test_places_that_the_plan_does_not_have_are_said_to_be_unread() -> None:
    opened = open_scripted("htx")
    view = opened.view
    for answer in (
        await view.read_open_orders(Scope("swap")),
        await view.read_fills("swap", EVER, ()),
        await view.read_positions("swap"),
        await view.read_balances("spot"),
        await view.read_ledger("spot", EVER),
        await view.read_position_mode("swap"),
    ):
        assert isinstance(answer, Unknown)
        assert len(answer.reason) > 10
    assert await view.read_position_mode("spot") is None
    assert view.weight_used() is None
    await view.close()
    await view.close()


async def test_a_contract_without_numbers_stays_unread_even_when_its_page_is_whole() -> None:
    body: Any = kucoin([{"id": "1", "symbol": "XBTUSDTM"}])
    section = await one("kucoinfutures", {"GET /api/v1/orders": body}, Scope("futures"))
    assert isinstance(section, Unknown)
