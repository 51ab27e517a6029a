"""The rules of a COIN-M contract are exact, and unknown as soon as anything is odd."""

import copy
from decimal import Decimal
from typing import Any

import pytest

from resyncctl.adapters.venues.via_ccxt.binance.coinm_market import inverse_rules
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed
from resyncctl.core.market import InstrumentRules, OrderBook
from tests.adapters.venues.practice import open_practice

ROW: dict[str, Any] = {
    "symbol": "BTCUSD_PERP",
    "pair": "BTCUSD",
    "contractType": "PERPETUAL",
    "contractStatus": "TRADING",
    "contractSize": 100,
    "marginAsset": "BTC",
    "baseAsset": "BTC",
    "quoteAsset": "USD",
    "orderTypes": ["LIMIT", "MARKET", "STOP"],
    "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "1000",
            "maxPrice": "4520958",
            "tickSize": "0.1",
        },
        {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "1000000", "stepSize": "1"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "1", "maxQty": "60000", "stepSize": "1"},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": "1.0500",
            "multiplierDown": "0.9500",
            "multiplierDecimal": "4",
        },
    ],
}


def test_the_rules_of_coin_m() -> None:
    rules = inverse_rules("BTC/USD:BTC", ROW)
    assert rules == InstrumentRules(
        product="inverse",
        symbol="BTC/USD:BTC",
        venue_symbol="BTCUSD_PERP",
        base="BTC",
        quote="USD",
        quantity_step=Decimal(1),
        quantity_min=Decimal(1),
        quantity_max=Decimal(60_000),
        price_tick=Decimal("0.1"),
        notional_min_applies_to_reducing=False,
        inverse=True,
        contract_value=Decimal(100),
        status="TRADING",
        price_band=Decimal("0.05"),
    )
    assert rules.notional(Decimal(7), Decimal(60_000)) == 700


@pytest.mark.parametrize("status", ["PENDING_TRADING", "PRE_DELIVERING", "DELIVERING", "CLOSE"])
def test_a_contract_that_is_not_traded_says_so(status: str) -> None:
    rules = inverse_rules("BTC/USD:BTC", ROW | {"contractStatus": status})
    assert (rules.trading, rules.status) == (False, status)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contractSize", None),
        ("contractSize", 0),
        ("contractSize", "-100"),
        ("contractSize", "many"),
        ("contractStatus", None),
        ("marginAsset", "USDT"),
        ("marginAsset", None),
        ("baseAsset", None),
        ("contractType", None),
        ("filters", []),
        ("filters", None),
    ],
)
def test_what_is_odd_is_not_understood(field: str, value: object) -> None:
    with pytest.raises(Malformed):
        inverse_rules("BTC/USD:BTC", ROW | {field: value})


def test_a_status_in_the_wrong_place_is_no_status() -> None:
    row = {name: value for name, value in ROW.items() if name != "contractStatus"}
    with pytest.raises(Malformed):
        inverse_rules("BTC/USD:BTC", row | {"status": "TRADING"})


def test_contracts_that_come_in_parts_are_not_understood() -> None:
    row = copy.deepcopy(ROW)
    row["filters"][1]["stepSize"] = "0.1"
    with pytest.raises(Malformed, match="parts"):
        inverse_rules("BTC/USD:BTC", row)


async def test_the_practice_exchange_tells_rules_and_book() -> None:
    place = open_practice(venue="binancecoinm")
    place.control.set_price("ETHUSD_PERP", "3000")
    rules = await place.venue.market.read_rules("inverse", "ETH/USD:ETH")
    book = await place.venue.market.read_book("inverse", "ETH/USD:ETH")
    assert isinstance(rules, InstrumentRules)
    assert isinstance(book, OrderBook)
    assert (rules.contract_value, rules.venue_symbol) == (Decimal(10), "ETHUSD_PERP")
    assert all(quantity % 1 == 0 for _, quantity in (*book.bids, *book.asks))
    place.control.set_symbol_status("coinm", "ETHUSD_PERP", "CLOSE")
    closed = await place.venue.market.read_rules("inverse", "ETH/USD:ETH")
    assert isinstance(closed, InstrumentRules)
    assert (closed.trading, closed.status) == (False, "CLOSE")
    await place.venue.close()
