"""Rows of Binance as its documentation shows them, read into the nouns of the core."""

from decimal import Decimal
from typing import Any

import pytest

from resyncctl.adapters.venues.via_ccxt.binance import rows
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed
from resyncctl.core.model import Leg, OrderClass, OrderStatus, Side


def same(name: str) -> str:
    return name


SPOT_ORDER: dict[str, Any] = {
    "symbol": "LTCBTC",
    "orderId": 1,
    "orderListId": -1,
    "clientOrderId": "myOrder1",
    "price": "0.1",
    "origQty": "1.0",
    "executedQty": "0.0",
    "cummulativeQuoteQty": "0.0",
    "status": "NEW",
    "timeInForce": "GTC",
    "type": "LIMIT",
    "side": "BUY",
    "stopPrice": "0.0",
    "icebergQty": "0.0",
    "time": 1499827319559,
    "updateTime": 1499827319559,
    "isWorking": True,
}
ALGO_ORDER: dict[str, Any] = {
    "algoId": 2148627,
    "clientAlgoId": "MRumok0dkhrP4kCm12AHaB",
    "algoType": "CONDITIONAL",
    "orderType": "TAKE_PROFIT",
    "symbol": "BNBUSDT",
    "side": "SELL",
    "positionSide": "BOTH",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "algoStatus": "NEW",
    "actualOrderId": "",
    "actualPrice": "0.00000",
    "triggerPrice": "750.000",
    "price": "750.000",
    "icebergQuantity": None,
    "closePosition": False,
    "priceProtect": False,
    "reduceOnly": False,
    "createTime": 1750514941540,
    "updateTime": 1750514941540,
    "triggerTime": 0,
    "goodTillDate": 0,
}
POSITION: dict[str, Any] = {
    "symbol": "ADAUSDT",
    "positionSide": "BOTH",
    "positionAmt": "30",
    "entryPrice": "0.385",
    "breakEvenPrice": "0.385077",
    "markPrice": "0.41047590",
    "unRealizedProfit": "0.76427700",
    "notional": "12.31427700",
    "marginAsset": "USDT",
    "updateTime": 1720736417660,
}


def test_a_spot_order() -> None:
    order = rows.spot_order(SPOT_ORDER, "main", same)
    assert (order.venue_order_id, order.client_order_id) == ("1", "myOrder1")
    assert (order.price, order.quantity, order.filled) == (
        Decimal("0.1"),
        Decimal(1),
        Decimal(0),
    )
    assert order.trigger_price is None
    assert order.list_id is None
    assert order.created_at_ms == 1499827319559
    listed = rows.spot_order({**SPOT_ORDER, "orderListId": 1929}, "main", same)
    assert listed.list_id == "1929"


@pytest.mark.parametrize(("word", "status"), rows.STATUSES.items())
def test_every_status_word(word: str, status: OrderStatus) -> None:
    assert rows.spot_order({**SPOT_ORDER, "status": word}, "main", same).status is status


def test_a_conditional_order() -> None:
    order = rows.algo_order(ALGO_ORDER, "main", same, "linear")
    assert order.order_class is OrderClass.ALGO
    assert (order.trigger_price, order.price) == (Decimal(750), Decimal(750))
    assert not order.protective
    for changes in ({"reduceOnly": True}, {"closePosition": True}, {"positionSide": "LONG"}):
        assert rows.algo_order({**ALGO_ORDER, **changes}, "main", same, "linear").protective
    assert not rows.algo_order(
        {**ALGO_ORDER, "positionSide": "SHORT"}, "main", same, "linear"
    ).protective


def test_positions_of_both_modes() -> None:
    leg = rows.position(POSITION, "main", same, "linear")
    assert leg is not None
    assert (leg.quantity, leg.leg, leg.entry_price) == (Decimal(30), Leg.BOTH, Decimal("0.385"))
    short = rows.position(
        {**POSITION, "positionSide": "SHORT", "positionAmt": "-5"}, "m", same, "linear"
    )
    assert short is not None
    assert short.quantity == -5
    unsigned = rows.position(
        {**POSITION, "positionSide": "SHORT", "positionAmt": "5"}, "m", same, "linear"
    )
    assert unsigned is not None
    assert unsigned.quantity == -5
    assert rows.position({**POSITION, "positionAmt": "0.000"}, "m", same, "linear") is None
    with pytest.raises(Malformed, match="negative"):
        rows.position(
            {**POSITION, "positionSide": "LONG", "positionAmt": "-5"}, "m", same, "linear"
        )


def test_fills() -> None:
    spot = {
        "symbol": "BNBBTC",
        "id": 28457,
        "orderId": 100234,
        "price": "4.00000100",
        "qty": "12.00000000",
        "quoteQty": "48.000012",
        "commission": "10.10000000",
        "commissionAsset": "BNB",
        "time": 1499865549590,
        "isBuyer": True,
        "isMaker": False,
    }
    bought = rows.fill(spot, "main", "spot", same)
    assert (bought.side, bought.trade_id, bought.fee) == (Side.BUY, "28457", Decimal("10.1"))
    assert rows.fill({**spot, "isBuyer": False}, "main", "spot", same).side is Side.SELL
    linear = {**spot, "side": "SELL", "positionSide": "SHORT", "commission": "-0.07819010"}
    sold = rows.fill(linear, "main", "linear", same)
    assert (sold.side, sold.leg, sold.fee) == (Side.SELL, Leg.SHORT, Decimal("-0.07819010"))


def test_income_and_its_kinds() -> None:
    row = {
        "symbol": "BTCUSDT",
        "incomeType": "COMMISSION",
        "income": "-0.01000000",
        "asset": "USDT",
        "info": "COMMISSION",
        "time": 1570636800000,
        "tranId": 9689322392,
        "tradeId": "2059192",
    }
    entry = rows.income(row, "main", same, "linear")
    assert (entry.kind, entry.amount, entry.trade_id) == (
        "commission",
        Decimal("-0.01"),
        "2059192",
    )
    moved = rows.income(
        {**row, "symbol": "", "incomeType": "TRANSFER", "tradeId": ""}, "m", same, "linear"
    )
    assert (moved.kind, moved.symbol, moved.trade_id) == ("transfer", None, None)
    assert rows.income({**row, "incomeType": "NEW_THING"}, "m", same, "linear").kind == "other"
    assert entry.entry_id != moved.entry_id, "tranId is unique per income type only"


def test_balances() -> None:
    kept = rows.spot_balance({"asset": "BTC", "free": "4.1", "locked": "0.2"}, "main")
    assert kept is not None
    assert kept.total == Decimal("4.3")
    assert rows.spot_balance({"asset": "X", "free": "0.0", "locked": "0"}, "main") is None
    assert rows.futures_balance({"asset": "X", "balance": "0.00000000"}, "main", "linear") is None
    debt = rows.futures_balance({"asset": "USDT", "balance": "-1.5"}, "main", "linear")
    assert debt is not None
    assert debt.total == Decimal("-1.5")


def test_wallet_entries() -> None:
    put = {"id": "7", "amount": "0.5", "coin": "BNB", "status": 1, "insertTime": 1599621997000}
    arrived = rows.deposit(put, "main")
    assert arrived is not None
    assert (arrived.amount, arrived.kind) == (Decimal("0.5"), "deposit")
    assert rows.deposit({**put, "status": 0}, "main") is None
    take = {
        "id": "b6ae",
        "amount": "8.91",
        "transactionFee": "0.004",
        "coin": "USDT",
        "status": 6,
        "applyTime": "2019-10-12 11:12:02",
    }
    left = rows.withdrawal(take, "main")
    assert left is not None
    assert (left.amount, left.at_ms) == (Decimal("-8.914"), 1570878722000)
    for status in (1, 3, 5):
        assert rows.withdrawal({**take, "status": status}, "main") is None
    assert rows.withdrawal({**take, "status": 2}, "main") is not None
    with pytest.raises(Malformed, match="not a time"):
        rows.withdrawal({**take, "applyTime": "yesterday"}, "main")
    move = {"asset": "USDT", "amount": "1", "status": "CONFIRMED", "tranId": 1, "timestamp": 5}
    sent, received = rows.transfer(move, "m", out=True), rows.transfer(move, "m", out=False)
    assert sent is not None
    assert received is not None
    assert (sent.amount, received.amount) == (Decimal(-1), Decimal(1))
    assert rows.transfer({**move, "status": "FAILED"}, "m", out=True) is None


@pytest.mark.parametrize(
    ("row", "change"),
    [
        (SPOT_ORDER, {"origQty": 0.1}),
        (SPOT_ORDER, {"origQty": True}),
        (SPOT_ORDER, {"price": "NaN"}),
        (SPOT_ORDER, {"executedQty": " 1"}),
        (SPOT_ORDER, {"executedQty": None}),
        (SPOT_ORDER, {"status": "DREAMING"}),
        (SPOT_ORDER, {"side": ""}),
        (SPOT_ORDER, {"time": 0}),
        (SPOT_ORDER, {"symbol": ""}),
    ],
)
def test_what_cannot_be_read_exactly_is_refused(
    row: dict[str, Any], change: dict[str, Any]
) -> None:
    with pytest.raises(Malformed):
        rows.spot_order({**row, **change}, "main", same)


def test_a_leg_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Malformed, match="positionSide"):
        rows.position({**POSITION, "positionSide": "NET"}, "main", same, "linear")
    with pytest.raises(Malformed, match="positionSide"):
        rows.algo_order({**ALGO_ORDER, "positionSide": "NET"}, "main", same, "linear")
