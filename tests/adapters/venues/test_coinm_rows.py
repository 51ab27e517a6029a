"""The rows of COIN-M as its documentation shows them, not as the practice exchange writes them.

Source: response examples of developers.binance.com, COIN-M futures (Trade, Account), 2026-08.
"""

from decimal import Decimal
from typing import Any

import pytest

from resyncctl.adapters.venues.via_ccxt.binance import rows
from resyncctl.adapters.venues.via_ccxt.binance.coinm import COINM_ENDPOINTS
from resyncctl.adapters.venues.via_ccxt.binance.shapes import SHAPES, shape
from resyncctl.core.model import Leg, OrderStatus, Side

ORDER: dict[str, Any] = {
    "avgPrice": "0.0",
    "clientOrderId": "abc",
    "cumBase": "0",
    "executedQty": "0",
    "orderId": 1917641,
    "origQty": "4",
    "origType": "LIMIT",
    "price": "9300",
    "reduceOnly": False,
    "side": "SELL",
    "positionSide": "LONG",
    "status": "NEW",
    "stopPrice": "0",
    "closePosition": False,
    "symbol": "BTCUSD_200925",
    "pair": "BTCUSD",
    "time": 1579276756075,
    "timeInForce": "GTC",
    "type": "LIMIT",
    "updateTime": 1579276756075,
    "workingType": "CONTRACT_PRICE",
    "priceProtect": False,
}
ACCOUNT: dict[str, Any] = {
    "assets": [{"asset": "BTC", "walletBalance": "0.00241969", "updateTime": 1625474304765}],
    "positions": [
        {
            "symbol": "BTCUSD_201225",
            "positionAmt": "0",
            "initialMargin": "0",
            "maintMargin": "0",
            "unrealizedProfit": "0.00000000",
            "positionInitialMargin": "0",
            "openOrderInitialMargin": "0",
            "leverage": "125",
            "isolated": False,
            "positionSide": "BOTH",
            "entryPrice": "0.0",
            "breakEvenPrice": "0.0",
            "maxQty": "50",
            "updateTime": 0,
        },
        {
            "symbol": "BTCUSD_PERP",
            "positionAmt": "-3",
            "positionSide": "SHORT",
            "entryPrice": "37643.10000021",
            "maxQty": "1500",
        },
    ],
    "canDeposit": True,
    "canTrade": True,
    "canWithdraw": True,
    "feeTier": 2,
    "updateTime": 0,
}
LISTED_LEG: dict[str, Any] = {
    "symbol": "BTCUSD_PERP",
    "positionAmt": "2",
    "entryPrice": "37643.10000021",
    "markPrice": "38103.05510455",
    "unRealizedProfit": "0.00006413",
    "liquidationPrice": "25119.97445760",
    "leverage": "2",
    "maxQty": "1500",
    "marginType": "isolated",
    "isolatedMargin": "0.00274471",
    "isAutoAddMargin": "false",
    "positionSide": "BOTH",
    "notionalValue": "0.00524892",
    "isolatedWallet": "0.00268058",
}
TRADE: dict[str, Any] = {
    "symbol": "BTCUSD_200626",
    "id": 6,
    "orderId": 28,
    "pair": "BTCUSD",
    "side": "SELL",
    "price": "8800",
    "qty": "1",
    "realizedPnl": "0",
    "marginAsset": "BTC",
    "baseQty": "0.01136364",
    "commission": "0.00000454",
    "commissionAsset": "BTC",
    "time": 1590743483586,
    "positionSide": "BOTH",
    "buyer": False,
    "maker": False,
}
BALANCE: dict[str, Any] = {
    "accountAlias": "SgsR",
    "asset": "BTC",
    "balance": "0.00250000",
    "withdrawAvailable": "0.00250000",
    "crossWalletBalance": "0.00241969",
    "crossUnPnl": "0.00000000",
    "availableBalance": "0.00241969",
    "updateTime": 1592468353979,
}
INCOME: dict[str, Any] = {
    "symbol": "",
    "incomeType": "TRANSFER",
    "income": "-0.37500000",
    "asset": "BTC",
    "info": "WITHDRAW",
    "time": 1570608000000,
    "tranId": "9689322392",
    "tradeId": "",
}
BODIES: dict[str, object] = {
    "inverse.open_orders": [ORDER],
    "inverse.order": ORDER,
    "inverse.account": ACCOUNT,
    "inverse.positions": [LISTED_LEG],
    "inverse.fills": [TRADE],
    "inverse.balances": [BALANCE],
    "inverse.income": [INCOME],
    "inverse.position_mode": {"dualSidePosition": True},
    "inverse.cancel_symbol": {
        "code": 200,
        "msg": "The operation of cancel all open order is done.",
    },
    "inverse.countdown": {"symbol": "BTCUSD_200925", "countdownTime": "100000"},
}


def same(name: str) -> str:
    return name


@pytest.mark.parametrize("name", BODIES)
def test_the_documented_answer_is_accepted(name: str) -> None:
    endpoint = next(one for one in COINM_ENDPOINTS.values() if one.name == name)
    assert shape(endpoint, BODIES[name]) is None
    for wrong in (None, "", {}, "<html>", {"code": -1000, "msg": "unknown"}):
        assert shape(endpoint, wrong) is not None, wrong


def test_every_endpoint_that_may_leave_has_a_shape() -> None:
    named = {one.name for one in COINM_ENDPOINTS.values()}
    assert {name for name in SHAPES if name.startswith("inverse.")} <= named


def test_an_order_is_read_in_contracts() -> None:
    order = rows.futures_order(ORDER, "main", same, "inverse")
    assert (order.product, order.quantity, order.filled) == ("inverse", Decimal(4), Decimal(0))
    assert (order.side, order.leg, order.status) == (Side.SELL, Leg.LONG, OrderStatus.ACCEPTED)
    assert order.reduce_only  # a sale of a long leg can only close it
    assert order.average_price is None


def test_the_acknowledgement_of_an_order_needs_no_average_price() -> None:
    short = {name: value for name, value in ORDER.items() if name not in ("avgPrice", "cumBase")}
    assert rows.futures_order(short, "main", same, "inverse").average_price is None


def test_legs_of_the_account_and_of_the_listing_are_read_alike() -> None:
    flat, short = (rows.position(row, "main", same, "inverse") for row in ACCOUNT["positions"])
    assert flat is None
    assert short is not None
    assert (short.quantity, short.leg, short.updated_at_ms) == (Decimal(-3), Leg.SHORT, None)
    listed = rows.position(LISTED_LEG, "main", same, "inverse")
    assert listed is not None
    assert (listed.quantity, listed.entry_price) == (Decimal(2), Decimal("37643.10000021"))


def test_a_trade_is_read_in_contracts_and_its_fee_in_coins() -> None:
    fill = rows.fill(TRADE, "main", "inverse", same)
    assert (fill.quantity, fill.price, fill.side) == (Decimal(1), Decimal(8800), Side.SELL)
    assert (fill.fee, fill.fee_asset) == (Decimal("0.00000454"), "BTC")


def test_a_balance_is_the_wallet_in_the_coin() -> None:
    balance = rows.futures_balance(BALANCE, "main", "inverse")
    assert balance is not None
    assert (balance.product, balance.asset, balance.total) == ("inverse", "BTC", Decimal("0.0025"))


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("TRANSFER", "transfer"),
        ("FUNDING_FEE", "funding"),
        ("REALIZED_PNL", "realized_pnl"),
        ("COMMISSION", "commission"),
        ("DELIVERED_SETTELMENT", "other"),
        ("INSURANCE_CLEAR", "other"),
    ],
)
def test_income_is_booked_in_the_coin(told: str, kind: str) -> None:
    entry = rows.income(INCOME | {"incomeType": told}, "main", same, "inverse")
    assert (entry.kind, entry.asset, entry.amount) == (kind, "BTC", Decimal("-0.375"))
