"""Rules and books are exact, fresh, and unknown as soon as anything is odd."""

import copy
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

from resyncctl.adapters.venues.via_ccxt.binance.market import (
    OLDEST_BOOK_MS,
    book_from,
    linear_rules,
    spot_rules,
)
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed
from resyncctl.adapters.venues.via_ccxt.open_venue import Secrets, VenueOptions, open_venue
from resyncctl.core.market import InstrumentRules, OrderBook
from resyncctl.core.snapshot import Unknown
from tests.adapters.venues.practice import Practice, open_practice
from tests.adapters.venues.scripted import Say, ScriptedSession
from tests.fakes.fake_clock import FakeClock

SPOT_ROW: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "orderTypes": ["LIMIT", "MARKET"],
    "isSpotTradingAllowed": True,
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01000000",
            "maxPrice": "1000000.00000000",
            "tickSize": "0.01000000",
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": "0.00001000",
            "maxQty": "9000.00000000",
            "stepSize": "0.00001000",
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": "107.83150000",
            "stepSize": "0.00000000",
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
    ],
}
LINEAR_ROW: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "contractType": "PERPETUAL",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "orderTypes": ["LIMIT", "MARKET"],
    "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "261.10",
            "maxPrice": "809484",
            "tickSize": "0.10",
        },
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "100"},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": "1.0500",
            "multiplierDown": "0.9500",
            "multiplierDecimal": "4",
        },
    ],
}


def test_the_rules_of_spot() -> None:
    assert spot_rules("BTC/USDT", SPOT_ROW) == InstrumentRules(
        product="spot",
        symbol="BTC/USDT",
        venue_symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        quantity_step=Decimal("0.00001"),
        quantity_min=Decimal("0.00001"),
        quantity_max=Decimal("107.8315"),
        price_tick=Decimal("0.01"),
        notional_min=Decimal(5),
        status="TRADING",
        price_band=Decimal("0.8"),
    )


def test_the_rules_of_usd_m() -> None:
    assert linear_rules("BTC/USDT:USDT", LINEAR_ROW) == InstrumentRules(
        product="linear",
        symbol="BTC/USDT:USDT",
        venue_symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        quantity_step=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        quantity_max=Decimal(120),
        price_tick=Decimal("0.1"),
        notional_min=Decimal(100),
        notional_min_applies_to_reducing=False,
        status="TRADING",
        price_band=Decimal("0.05"),
    )


def test_an_older_notional_filter_counts_too() -> None:
    row = copy.deepcopy(SPOT_ROW)
    row["filters"].append({"filterType": "MIN_NOTIONAL", "minNotional": "10.0"})
    assert spot_rules("BTC/USDT", row).notional_min == 10


@pytest.mark.parametrize("status", ["HALT", "BREAK", "CANCEL_ONLY", "END_OF_DAY", "SETTLING"])
@pytest.mark.parametrize("rules", [spot_rules, linear_rules])
def test_only_trading_is_trading(rules: Callable[..., InstrumentRules], status: str) -> None:
    row = (SPOT_ROW if rules is spot_rules else LINEAR_ROW) | {"status": status}
    found = rules("BTC/USDT", row)
    assert (found.trading, found.status) == (False, status)


@pytest.mark.parametrize(
    ("rules", "change"),
    [
        (spot_rules, {"isSpotTradingAllowed": False}),
        (spot_rules, {"isSpotTradingAllowed": None}),
        (spot_rules, {"orderTypes": ["LIMIT_MAKER"]}),
        (spot_rules, {"orderTypes": "LIMIT"}),
        (linear_rules, {"orderTypes": ["MARKET"]}),
        (linear_rules, {"timeInForce": ["GTC"]}),
    ],
)
def test_an_instrument_that_takes_no_such_order_is_not_trading(
    rules: Callable[..., InstrumentRules], change: dict[str, Any]
) -> None:
    row = (SPOT_ROW if rules is spot_rules else LINEAR_ROW) | change
    assert not rules("BTC/USDT", row).trading


def odd_rows(right: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows in each of which one thing is missing or odd."""
    made: list[dict[str, Any]] = []
    odd: tuple[object, ...] = (None, "", "NaN", "Infinity", "abc", 0.1, [], "-1")
    for key in ("symbol", "status", "baseAsset", "quoteAsset", "filters"):
        made += [{name: value for name, value in right.items() if name != key}]
        made += [right | {key: None}, right | {key: 7.5}]
    for place, one in enumerate(right["filters"]):
        needed = {"LOT_SIZE", "PRICE_FILTER"}
        if one["filterType"] in needed:
            row = copy.deepcopy(right)
            del row["filters"][place]
            made.append(row)
        doubled = copy.deepcopy(right)
        doubled["filters"].append(one)
        made.append(doubled)
        for key in one:
            if key in {"filterType", "stepSize", "minQty"} and one["filterType"] != "LOT_SIZE":
                continue
            if key not in {"minQty", "maxQty", "stepSize", "tickSize", "minNotional", "notional",
                           "multiplierUp", "multiplierDown", "askMultiplierUp",
                           "askMultiplierDown"}:  # fmt: skip
                continue
            for wrong in odd:
                row = copy.deepcopy(right)
                row["filters"][place][key] = wrong
                made.append(row)
    return made


@pytest.mark.parametrize("rules", [spot_rules, linear_rules])
def test_a_row_that_is_odd_gives_no_rules(rules: Callable[..., InstrumentRules]) -> None:
    rows = odd_rows(SPOT_ROW if rules is spot_rules else LINEAR_ROW)
    assert len(rows) > 50
    for row in rows:
        try:
            found = rules("BTC/USDT", row)
        except Malformed:
            continue
        pytest.fail(f"rules were made of {row}: {found}")


@pytest.mark.parametrize("step", ["0", "-0.1"])
def test_a_step_of_nothing_gives_no_rules(step: str) -> None:
    row = copy.deepcopy(LINEAR_ROW)
    row["filters"][1]["stepSize"] = step
    with pytest.raises(Malformed):
        linear_rules("BTC/USDT:USDT", row)


@pytest.fixture
async def place() -> AsyncIterator[Practice]:
    made = open_practice()
    await made.view.measure_clock()
    yield made
    await made.venue.close()


@pytest.mark.parametrize(("product", "symbol"), [("spot", "BTC/USDT"), ("linear", "BTC/USDT:USDT")])
async def test_rules_and_book_are_read_from_the_exchange(
    place: Practice, product: str, symbol: str
) -> None:
    rules = await place.venue.market.read_rules(product, symbol)
    assert isinstance(rules, InstrumentRules)
    assert (rules.symbol, rules.venue_symbol, rules.trading) == (symbol, "BTCUSDT", True)
    book = await place.venue.market.read_book(product, symbol)
    assert isinstance(book, OrderBook)
    assert book.bids[0][0] < book.asks[0][0]
    assert all(price % rules.price_tick == 0 for price, _ in (*book.bids, *book.asks))
    assert book.as_of_ms == place.clock.now_ms()


@pytest.mark.parametrize(
    ("product", "market", "symbol"),
    [("spot", "spot", "BTC/USDT"), ("linear", "usdm", "BTC/USDT:USDT")],
)
async def test_the_status_is_that_of_now(
    place: Practice, product: str, market: str, symbol: str
) -> None:
    before = await place.venue.market.read_rules(product, symbol)
    place.control.set_symbol_status(market, "BTCUSDT", "BREAK" if market == "spot" else "SETTLING")
    after = await place.venue.market.read_rules(product, symbol)
    assert isinstance(before, InstrumentRules)
    assert isinstance(after, InstrumentRules)
    assert (before.trading, after.trading) == (True, False)


FAULTS = (
    "body_html", "body_empty", "body_object", "body_list", "body_null", "body_error_in_200",
    "answer_truncated", "answer_lost", "bad_gateway_502", "unknown_503",
    "waf_403", "limited_429",
)  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize(
    ("product", "market", "symbol"),
    [("spot", "spot", "BTC/USDT"), ("linear", "usdm", "BTC/USDT:USDT")],
)
async def test_what_cannot_be_read_is_unknown(
    place: Practice, kind: str, product: str, market: str, symbol: str
) -> None:
    await place.venue.market.read_rules(product, symbol)
    for endpoint in ("exchange_info", "depth"):
        place.control.inject(kind, f"{market}.{endpoint}", times=0)
    for found in (
        await place.venue.market.read_rules(product, symbol),
        await place.venue.market.read_book(product, symbol),
    ):
        assert isinstance(found, Unknown), found
        assert symbol in found.reason


async def test_a_stranger_is_unknown(place: Practice) -> None:
    market = place.venue.market
    for product, symbol in (("spot", "NO/SUCH"), ("inverse", "BTC/USD:BTC"), ("spot", "NOSUCH")):
        assert isinstance(await market.read_rules(product, symbol), Unknown)
        assert isinstance(await market.read_book(product, symbol), Unknown)


@pytest.mark.parametrize("rows", [[], [LINEAR_ROW, LINEAR_ROW], [LINEAR_ROW | {"symbol": "X"}]])
async def test_an_instrument_must_be_listed_once(rows: list[dict[str, Any]]) -> None:
    session = ScriptedSession({"GET /fapi/v1/exchangeInfo": Say({"symbols": rows})})
    options = VenueOptions(
        account="main",
        venue="binanceusdm",
        secrets=Secrets(api_key="k", secret="s"),
        clock=FakeClock(),
        session_factory=lambda: session,
    )
    async with open_venue(options) as venue:
        found = await venue.market.read_rules("linear", "BTCUSDT")
    assert isinstance(found, Unknown)
    assert "times" in found.reason


BOOK: dict[str, Any] = {
    "lastUpdateId": 1,
    "bids": [["100.1", "2"], ["100", "1"]],
    "asks": [["100.2", "2"], ["100.3", "1"]],
}


NOW_MS = 1_795_000_000_000


def book_of(**change: Any) -> OrderBook:
    return book_from("spot", "BTC/USDT", BOOK | change, asked_ms=NOW_MS - 5, theirs_ms=NOW_MS)


def test_a_book_is_exact() -> None:
    found = book_of(E=NOW_MS)
    assert found.bids == ((Decimal("100.1"), Decimal(2)), (Decimal(100), Decimal(1)))
    assert found.asks == ((Decimal("100.2"), Decimal(2)), (Decimal("100.3"), Decimal(1)))
    assert found.as_of_ms == NOW_MS - 5


def test_an_empty_side_means_that_nobody_is_there() -> None:
    assert book_of(bids=[]).bids == ()
    assert book_of(asks=[]).asks == ()


@pytest.mark.parametrize(
    "change",
    [
        {"bids": [["100.2", "1"]]},
        {"bids": [["100.3", "1"]]},
        {"bids": [["99", "1"], ["100", "1"]]},
        {"bids": [["99", "1"], ["99", "1"]]},
        {"asks": [["101", "1"], ["100.5", "1"]]},
        {"asks": [["0", "1"]]},
        {"asks": [["-1", "1"]]},
        {"asks": [["101", "0"]]},
        {"asks": [["101", "NaN"]]},
        {"asks": [["101", None]]},
        {"asks": [[101.5, "1"]]},
        {"E": NOW_MS - OLDEST_BOOK_MS - 1},
    ],
)
def test_a_book_that_is_odd_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        book_of(**change)


def test_a_book_of_now_is_not_old() -> None:
    assert len(book_of(E=NOW_MS - OLDEST_BOOK_MS).bids) == 2
