"""The documented rows of fourteen venues, read into the core's nouns, number by number."""

from decimal import Decimal
from typing import Any

import pytest

from resyncctl.core.model import Balance, Fill, Leg, Order, OrderStatus, Position, Scope, Side
from resyncctl.core.snapshot import Known, Unknown, Window
from tests.adapters.venues.generic_kit import (
    NOW_MS,
    open_scripted,
)
from tests.adapters.venues.generic_samples import BYBIT_ORDER, OKX_ALGO, bybit, okx
from tests.adapters.venues.scripted import Say

EVER = Window(1_400_000_000_000, NOW_MS)
D = Decimal


def known(section: Any) -> tuple[Any, ...]:
    assert isinstance(section, Known), section
    assert section.complete, section.notes
    return section.data


async def orders(venue: str, scope: Scope) -> tuple[Order, ...]:
    opened = open_scripted(venue)
    section = await opened.view.read_open_orders(scope)
    await opened.view.close()
    return known(section)


ORDER_CASES = [
    ("bybit", "linear", "regular", "ETH/USDT:USDT", "0.10", "0.00", "1600.00", Leg.LONG),
    ("okx", "spot", "regular", "BTC/USDT", "0.001", "0", "13013.5", Leg.BOTH),
    ("okx", "swap", "algo", "BTC/USDT:USDT", "0.02", "0", None, Leg.BOTH),
    ("kraken", "spot", "regular", "BTC/USD", "0.0001", "0", "70000.0", Leg.BOTH),
    ("kucoin", "spot", "regular", "USDC/USDT", "1", "0", "1.05", Leg.BOTH),
    ("kucoin", "spot", "algo", "USDC/USDT", "1", "0", None, Leg.BOTH),
    ("kucoinfutures", "futures", "regular", "BTC/USDT:USDT", "0.003", "0.001", "27992", Leg.BOTH),
    ("gate", "spot", "regular", "BTC/USDT", "0.0001", "0.00006", "30000", Leg.BOTH),
    ("gate", "usdt-swap", "regular", "BTC/USDT:USDT", "0.0005", "0.0002", "10000", Leg.BOTH),
    ("gate", "usdt-swap", "algo", "BTC/USDT:USDT", "0.0001", "0", "1.02", Leg.BOTH),
    ("bitget", "spot", "regular", "BTC/USDT", "0.0002", "0", "25000", Leg.BOTH),
    ("bitget", "usdt-futures", "regular", "BTC/USDT:USDT", "0.002", "0", "25000", Leg.LONG),
    ("bitget", "usdt-futures", "algo", "BTC/USDT:USDT", "0.001", "0", "27000", Leg.LONG),
    ("deribit", "derivatives", "regular", "BTC/USD:BTC", "0.0008", "0.0002", "50000", Leg.BOTH),
    ("hyperliquid", "perpetual", "regular", "ETH/USDC:USDC", "20", "5", "0.5", Leg.BOTH),
    ("htx", "spot", "regular", "BTC/USDT", "572.33", "72.33", "0.55555", Leg.BOTH),
    ("mexc", "swap", "regular", "BTC/USDT:USDT", "0.0015", "0.0005", "2.2", Leg.LONG),
    ("mexc", "swap", "algo", "BTC/USDT:USDT", "0.0013", "0", "2.9", Leg.LONG),
    ("coinbase", "spot", "regular", "BTC/USDT", "0.2", "0.05", "0.006", Leg.BOTH),
    ("cryptocom", "spot", "regular", "BTC/USD", "0.0002", "0.0001", "20000", Leg.BOTH),
    ("cryptocom", "derivatives", "regular", "BTC/USD:USD", "0.0002", "0.0001", "20000", Leg.BOTH),
]


@pytest.mark.parametrize("case", ORDER_CASES)
async def test_a_documented_order_is_read_exactly(case: tuple[Any, ...]) -> None:
    venue, product, kind, symbol, quantity, filled, price, leg = case
    scope = next(s for s in open_scopes(venue) if str(s) == f"{product}/{kind}")
    (order,) = await orders(venue, scope)
    assert order.scope == scope
    assert (order.symbol, order.quantity, order.filled, order.leg) == (
        symbol,
        D(quantity),
        D(filled),
        leg,
    )
    assert order.price == (None if price is None else D(price))
    partly = D(0) < D(filled)
    assert order.status is (OrderStatus.PARTIALLY_FILLED if partly else OrderStatus.ACCEPTED)
    assert order.venue_order_id
    assert order.venue_symbol


def open_scopes(venue: str) -> tuple[Scope, ...]:
    from resyncctl.adapters.venues.via_ccxt.generic_plans import plan_for

    plan = plan_for(venue)
    assert plan is not None
    return tuple(plan.orders)


async def test_inverse_fills_and_positions_become_base_units_by_their_price() -> None:
    opened = open_scripted("krakenfutures")
    (fill,) = known(await opened.view.read_fills("futures", EVER, ()))
    assert fill.quantity == pytest.approx(D(2000) / D(4255), rel=D("1e-25"))
    assert (fill.side, fill.at_ms, fill.client_order_id) == (
        Side.BUY,
        1_456_393_621_000,
        "d427f920-ec55-4c18-ba95-5fe241513b30",
    )
    (position,) = known(await opened.view.read_positions("futures"))
    assert position.quantity < 0
    assert position.entry_price == D("9392.749993345933")
    await opened.view.close()


async def test_inverse_contracts_become_base_units_by_their_price() -> None:
    (order,) = await orders("krakenfutures", Scope("futures"))
    assert order.quantity == pytest.approx(D(304) / D(10640), rel=D("1e-25"))
    assert order.reduce_only
    assert order.side is Side.SELL


POSITION_CASES = [
    ("bybit", "linear", "BTC/USDT:USDT", Leg.BOTH, "-0.299", "30004.5006897"),
    ("okx", "swap", "BTC/USDT:USDT", Leg.SHORT, "-0.03", "2566.31"),
    ("kraken", "spot", "BTC/USD", Leg.BOTH, "-0.08", "30000"),
    ("kucoinfutures", "futures", "BTC/USDT:USDT", Leg.BOTH, "-0.002", "4189.35"),
    ("gate", "usdt-swap", "BTC/USDT:USDT", Leg.SHORT, "-0.0001", "46030.3"),
    ("bitget", "usdt-futures", "BTC/USDT:USDT", Leg.SHORT, "-0.002", "37355.5"),
    ("deribit", "derivatives", "BTC/USD:BTC", Leg.BOTH, "-0.002", "20000"),
    ("hyperliquid", "perpetual", "ETH/USDC:USDC", Leg.BOTH, "-0.2259", "2213.9"),
    ("mexc", "swap", "BTC/USDT:USDT", Leg.SHORT, "-0.0004", "1217.3"),
    ("cryptocom", "derivatives", "BTC/USD:USD", Leg.BOTH, "-0.0001", "30239.2"),
]


@pytest.mark.parametrize("case", POSITION_CASES)
async def test_a_documented_position_keeps_leg_sign_and_size(case: tuple[Any, ...]) -> None:
    venue, product, symbol, leg, quantity, entry = case
    opened = open_scripted(venue)
    (position,) = known(await opened.view.read_positions(product))
    assert isinstance(position, Position)
    assert (position.symbol, position.leg, position.quantity, position.entry_price) == (
        symbol,
        leg,
        D(quantity),
        D(entry),
    )
    await opened.view.close()


FILL_CASES = [
    ("bybit", "linear", "ETH/USDC:USDC", Side.BUY, "0.1", "1190.15", "0.071409", "USDC"),
    ("okx", "spot", "BTC/USDT", Side.BUY, "0.00192834", "51858", "0.00000192834", "BTC"),
    ("kraken", "spot", "BTC/USD", Side.BUY, "0.02", "30010", "0", "USD"),
    ("kucoin", "spot", "USDC/USDT", Side.BUY, "0.8424304", "0.083", "0.01", "USDT"),
    (
        "kucoinfutures",
        "futures",
        "BTC/USDT:USDT",
        Side.SELL,
        "0.01",
        "8302",
        "0.0000012022",
        "USDT",
    ),
    ("gate", "spot", "BTC/USDT", Side.SELL, "10.97", "0.137384", "0.00301420496", "USDT"),
    ("gate", "usdt-swap", "BTC/USDT:USDT", Side.SELL, "0.01", "100.123", "0.01", "USDT"),
    ("bitget", "spot", "BTC/USDT", Side.SELL, "0.0002", "28467.68", "0.005693536", "USDT"),
    (
        "bitget",
        "usdt-futures",
        "BTC/USDT:USDT",
        Side.SELL,
        "0.001",
        "37271.4",
        "0.02236284",
        "USDT",
    ),
    ("deribit", "derivatives", "ETH/USD:ETH-190222-120-C", Side.BUY, "11", "0.04", "0.0011", "ETH"),
    (
        "hyperliquid",
        "perpetual",
        "ETH/USDC:USDC",
        Side.SELL,
        "0.0841",
        "2381.1",
        "0.050062",
        "USDC",
    ),
    ("htx", "spot", "BTC/USDT", Side.BUY, "30.5", "0.0000001401", "0.1", "BTC"),
    ("mexc", "swap", "BTC/USDT:USDT", Side.BUY, "0.0001", "2.45455", "0.00147273", "USDT"),
    ("coinbase", "spot", "BTC/USDT", Side.BUY, "0.005", "20000", "0.0000280983986004", "USDT"),
    ("cryptocom", "spot", "BTC/USD", Side.BUY, "0.00021", "26347.16", "0.0000000525", "BTC"),
]


@pytest.mark.parametrize("case", FILL_CASES)
async def test_a_documented_fill_is_read_exactly(case: tuple[Any, ...]) -> None:
    venue, product, symbol, side, quantity, price, fee, asset = case
    opened = open_scripted(venue)
    (fill,) = known(await opened.view.read_fills(product, EVER, ("BTC/USDT:USDT",)))
    assert isinstance(fill, Fill)
    assert (fill.symbol, fill.side, fill.quantity, fill.price, fill.fee, fill.fee_asset) == (
        symbol,
        side,
        D(quantity),
        D(price),
        D(fee),
        asset,
    )
    assert fill.at_ms > 1_400_000_000_000
    await opened.view.close()


BALANCE_CASES = [
    ("bybit", "spot", {"USDC": ("201.34882644", "199.84882644", "1.5")}),
    ("okx", "spot", {"USDT": ("4850.435693622894", "4834.317093622894", "16.1186")}),
    (
        "kraken",
        "spot",
        {"USD": ("25435.21", "17185.45", "8249.76"), "BTC": ("1.2435", "0.4012", "0.8423")},
    ),
    (
        "krakenfutures",
        "futures",
        {
            "XRP": ("2.20188538338", None, None),
            "BTC": ("0.5", None, None),
            "USDT": ("1", None, None),
        },
    ),
    ("kucoin", "spot", {"BTC": ("0.5", "0.4", "0.1")}),
    ("kucoinfutures", "futures", {"BTC": ("0.00005", "0.00004", "0.00001")}),
    ("gate", "spot", {"DBC": ("2.0", "1.5", "0.5")}),
    ("bitget", "spot", {"USDT": ("4.5", "3", "1.5")}),
    ("bitget", "usdt-futures", {"USDT": ("100", None, None)}),
    ("deribit", "derivatives", {"BTC": ("0.00062359", None, None)}),
    ("hyperliquid", "perpetual", {"USDC": ("100", None, None)}),
    ("hyperliquid", "spot", {"USDC": ("1481.844", "1481.344", "0.5")}),
    ("mexc", "spot", {"USDT": ("0.75", "0.5", "0.25")}),
    ("mexc", "swap", {"USDT": ("5", "4", "1")}),
    ("coinbase", "spot", {"BTC": ("2", "1.5", "0.5")}),
    ("cryptocom", "spot", {"BTC": ("0.0002119875", "0.0001119875", "0.0001")}),
]


@pytest.mark.parametrize(("venue", "product", "expected"), BALANCE_CASES)
async def test_documented_balances_add_up(
    venue: str, product: str, expected: dict[str, tuple[str, str | None, str | None]]
) -> None:
    opened = open_scripted(venue)
    found: tuple[Balance, ...] = known(await opened.view.read_balances(product))
    told = {one.asset: (one.total, one.free, one.locked) for one in found}
    assert told == {
        asset: (D(total), free and D(free), locked and D(locked))
        for asset, (total, free, locked) in expected.items()
    }
    await opened.view.close()


async def test_a_hedge_account_keeps_both_legs_and_never_nets_them() -> None:
    rows = [
        {"positionIdx": 1, "symbol": "BTCUSDT", "side": "Buy", "size": "0.5", "avgPrice": "60000"},
        {"positionIdx": 2, "symbol": "BTCUSDT", "side": "Sell", "size": "0.5", "avgPrice": "61000"},
    ]
    routes = {"GET /v5/position/list": bybit(list(rows))}
    opened = open_scripted("bybit", routes)
    legs = {p.leg: p.quantity for p in known(await opened.view.read_positions("linear"))}
    assert legs == {Leg.LONG: D("0.5"), Leg.SHORT: D("-0.5")}
    assert await opened.view.read_position_mode("linear") == "hedge"
    await opened.view.close()


async def test_a_market_buy_in_quote_units_without_a_price_is_not_guessed() -> None:
    row = {**BYBIT_ORDER, "orderType": "Market", "price": "0", "marketUnit": "quoteCoin"}
    opened = open_scripted("bybit", {"GET /v5/order/realtime": bybit([row])})
    section = await opened.view.read_open_orders(Scope("spot"))
    assert isinstance(section, Unknown)
    assert "no price to convert by" in section.reason
    await opened.view.close()


async def test_an_order_that_closes_a_whole_position_is_listed_with_a_note() -> None:
    row = {**OKX_ALGO, "sz": "", "closeFraction": "1"}
    opened = open_scripted("okx", {"GET /api/v5/trade/orders-algo-pending": okx([row])})
    section = await opened.view.read_open_orders(open_scopes("okx")[7])
    assert isinstance(section, Known)
    (order,) = section.data
    assert order.quantity == 0
    assert order.protective
    assert any("follows the position" in note for note in section.notes)
    await opened.view.close()


@pytest.mark.parametrize(
    ("field", "value"),
    [("orderStatus", "Sleeping"), ("qty", "NaN"), ("side", "Both"), ("orderId", ""), ("qty", True)],
)
async def test_a_row_that_cannot_be_read_makes_the_section_unknown(
    field: str, value: object
) -> None:
    rows: list[object] = [BYBIT_ORDER, {**BYBIT_ORDER, "orderId": "other", field: value}]
    opened = open_scripted("bybit", {"GET /v5/order/realtime": bybit(rows)})
    section = await opened.view.read_open_orders(Scope("linear"))
    assert isinstance(section, Unknown), section
    await opened.view.close()


async def test_fractions_keep_every_digit_that_the_venue_wrote() -> None:
    body = (
        '{"jsonrpc": "2.0", "result": {"currency": "BTC", "id": 1,'
        ' "balance": 123456789012345.123456789}}'
    )
    opened = open_scripted("deribit", {"GET /api/v2/private/get_account_summary": Say(body)})
    (balance,) = known(await opened.view.read_balances("derivatives"))
    assert balance.total == D("123456789012345.123456789")
    await opened.view.close()


async def test_an_instrument_of_unknown_size_is_not_guessed() -> None:
    opened = open_scripted("okx", markets=False)
    opened.session.on("*", Say({"code": "50001", "msg": "Service unavailable"}, status=503))
    section = await opened.view.read_open_orders(Scope("swap"))
    assert isinstance(section, Known)  # the documented row is spot and needs no size
    assert any("symbols are the venue's own" in note for note in section.notes)
    algo = await opened.view.read_open_orders(open_scopes("okx")[7])
    assert isinstance(algo, Unknown)
    assert "contract size" in algo.reason
    await opened.view.close()
