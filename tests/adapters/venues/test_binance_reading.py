"""What the deep profile reads of a Binance account, on the in-process practice exchange."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import TypeVar

import pytest

from resyncctl.core.errors import (
    ConfigurationError,
    CredentialsRefusedError,
    TryAgainLaterError,
)
from resyncctl.core.model import Leg, Scope, Side
from resyncctl.core.snapshot import Known, Section, Unknown, Window
from resyncctl.ports.views import ClockReading
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


async def test_every_scope_lists_its_own_orders_of_all_symbols(place: Practice) -> None:
    spot = [place.spot_order(), place.spot_order(symbol="ETHUSDT", price="1000")]
    regular = [place.linear_order(), place.linear_order(symbol="ETHUSDT", price="1000")]
    algo = [place.algo_order(), place.algo_order(symbol="ETHUSDT", stop_price="900")]
    for scope, made in ((SPOT, spot), (LINEAR, regular), (ALGO, algo)):
        orders = whole(await place.view.read_open_orders(scope))
        key = "algo_id" if scope == ALGO else "order_id"
        assert {order.venue_order_id for order in orders} == {str(one[key]) for one in made}
        assert {order.scope for order in orders} == {scope}
    (order, _) = whole(await place.view.read_open_orders(SPOT))
    assert (order.symbol, order.venue_symbol) == ("BTC/USDT", "BTCUSDT")
    assert (order.side, order.quantity, order.price) == (
        Side.BUY,
        Decimal("0.01"),
        Decimal(20_000),
    )
    (linear, _) = whole(await place.view.read_open_orders(LINEAR))
    assert linear.symbol == "BTC/USDT:USDT"


async def test_a_scope_that_binance_does_not_have_is_unknown(place: Practice) -> None:
    for scope in (Scope("option"), Scope("spot", ALGO.order_class)):
        assert isinstance(await place.view.read_open_orders(scope), Unknown)
    assert isinstance(await place.view.read_balances("margin"), Unknown)
    assert isinstance(await place.view.read_positions("option"), Unknown)
    assert isinstance(await place.view.read_fills("option", lookback(place), ()), Unknown)
    assert isinstance(await place.view.read_ledger("option", lookback(place)), Unknown)
    assert isinstance(await place.view.read_position_mode("option"), Unknown)
    assert isinstance(await place.view.read_identity("option"), Unknown)


async def test_a_scope_that_the_venue_lacks_cannot_be_configured() -> None:
    with pytest.raises(ConfigurationError, match="has no scope"):
        open_practice(scopes=[Scope("option")])
    with pytest.raises(ConfigurationError, match="has no scope"):
        open_practice(venue="binancecoinm", scopes=[LINEAR])
    with pytest.raises(ConfigurationError, match="has no scope"):
        open_practice(venue="binanceusdm", scopes=[SPOT])


async def test_naming_one_class_of_a_product_means_all_of_them() -> None:
    place = open_practice(scopes=[LINEAR])
    assert place.view.profile.scopes == (LINEAR, ALGO)
    await place.venue.close()
    usdm = open_practice(venue="binanceusdm")
    assert usdm.view.profile.scopes == (LINEAR, ALGO)
    assert isinstance(await usdm.view.measure_clock(), ClockReading)
    assert {row.host for row in usdm.asked()} == {"fapi.binance.com"}
    await usdm.venue.close()


async def test_order_lists_are_part_of_the_listing(place: Practice) -> None:
    place.control.seed_oco(
        "main",
        symbol="BTCUSDT",
        side="SELL",
        quantity="1",
        price="9000000",
        stop_price="1000",
        stop_limit_price="900",
    )
    orders = whole(await place.view.read_open_orders(SPOT))
    assert len(orders) == 2
    assert len({order.list_id for order in orders}) == 1
    assert None not in {order.list_id for order in orders}


async def test_a_leg_that_the_listing_lacks_is_asked_for(place: Practice) -> None:
    place.control.seed_oco(
        "main",
        symbol="BTCUSDT",
        side="SELL",
        quantity="1",
        price="9000000",
        stop_price="1000",
        stop_limit_price="900",
    )
    place.control.inject("page_hole", "spot.open_orders", times=1)
    section = await place.view.read_open_orders(SPOT)
    assert len(whole(section)) == 2
    assert isinstance(section, Known)
    assert any("legs of order lists" in note for note in section.notes)


async def test_protective_orders_are_those_that_can_only_close(place: Practice) -> None:
    place.algo_order(client_order_id="reduces")
    place.algo_order(client_order_id="closes", close_position=True, reduce_only=False)
    place.algo_order(client_order_id="opens", reduce_only=False)
    place.algo_order(client_order_id="profit", type="TAKE_PROFIT_MARKET", stop_price="90000000")
    listed = {o.client_order_id: o for o in whole(await place.view.read_open_orders(ALGO))}
    assert {name for name, order in listed.items() if order.protective} == {
        "reduces",
        "closes",
        "profit",
    }
    place.linear_order(client_order_id="limit", side="SELL", price="90000000", reduce_only=True)
    regular = whole(await place.view.read_open_orders(LINEAR))
    assert not any(order.protective for order in regular)


async def test_in_hedge_mode_the_closing_side_of_a_leg_is_protective(place: Practice) -> None:
    place.control.set_position_mode("main", True)
    for name, side, leg in (("a", "SELL", "LONG"), ("b", "BUY", "LONG"), ("c", "BUY", "SHORT")):
        stop = "9000000" if side == "BUY" else "15000"
        place.algo_order(
            client_order_id=name,
            side=side,
            position_side=leg,
            reduce_only=False,
            stop_price=stop,
        )
    listed = {o.client_order_id: o for o in whole(await place.view.read_open_orders(ALGO))}
    assert {name for name, order in listed.items() if order.protective} == {"a", "c"}
    assert listed["a"].leg is Leg.LONG
    assert listed["c"].leg is Leg.SHORT


async def test_positions_in_one_way_mode(place: Practice) -> None:
    place.control.set_position("main", "BTCUSDT", "-0.125", "61234.5")
    place.control.set_position("main", "ETHUSDT", "3", "2000")
    legs = {leg.symbol: leg for leg in whole(await place.view.read_positions("linear"))}
    assert legs["BTC/USDT:USDT"].quantity == Decimal("-0.125")
    assert legs["BTC/USDT:USDT"].entry_price == Decimal("61234.5")
    assert legs["BTC/USDT:USDT"].leg is Leg.BOTH
    assert legs["ETH/USDT:USDT"].quantity == 3
    assert await place.view.read_position_mode("linear") == "one_way"
    assert await place.view.read_position_mode("spot") is None


async def test_positions_in_hedge_mode(place: Practice) -> None:
    place.control.set_position_mode("main", True)
    place.control.set_position("main", "BTCUSDT", "0.5", "60000", "LONG")
    place.control.set_position("main", "BTCUSDT", "-0.25", "62000", "SHORT")
    legs = {leg.leg: leg.quantity for leg in whole(await place.view.read_positions("linear"))}
    assert legs == {Leg.LONG: Decimal("0.5"), Leg.SHORT: Decimal("-0.25")}
    assert await place.view.read_position_mode("linear") == "hedge"


async def test_balances_are_exact(place: Practice) -> None:
    place.control.deposit("main", "BNB", "0.12345678")
    place.spot_order(quantity="0.01", price="20000")
    spot = {row.asset: row for row in whole(await place.view.read_balances("spot"))}
    assert spot["BNB"].total == Decimal("0.12345678")
    assert spot["USDT"].locked == Decimal(200)
    assert spot["USDT"].free == Decimal(999_800)
    assert spot["USDT"].total == Decimal(1_000_000)
    (dollars,) = whole(await place.view.read_balances("linear"))
    assert dollars.total == Decimal(1_000_000)
    assert dollars.free is None, "what is available moves with prices and is not a part of total"


async def test_identity_names_the_account(place: Practice) -> None:
    assert data(await place.view.read_identity("spot")) == ("binance spot uid 10000001",)
    assert data(await place.view.read_identity("linear")) == ("binance usd-m alias sim1",)


async def test_fills_of_both_products(place: Practice) -> None:
    place.control.trade("main", "20000", market="spot", symbol="BTCUSDT", side="BUY", quantity="2")
    place.control.trade("main", "21000", market="usdm", symbol="BTCUSDT", side="SELL", quantity="1")
    window = lookback(place)
    (bought,) = whole(await place.view.read_fills("spot", window, ("BTC/USDT",)))
    assert (bought.side, bought.quantity, bought.price) == (Side.BUY, Decimal(2), Decimal(20_000))
    assert bought.symbol == "BTC/USDT"
    assert bought.fee is not None
    # Nobody names the symbol: the income history does.
    (sold,) = whole(await place.view.read_fills("linear", window, ()))
    assert (sold.side, sold.quantity, sold.symbol) == (Side.SELL, Decimal(1), "BTC/USDT:USDT")
    assert sold.leg is Leg.BOTH


async def test_many_fills_in_one_millisecond_are_all_read(place: Practice) -> None:
    for _ in range(1_030):
        place.control.trade(
            "main", "20000", market="usdm", symbol="BTCUSDT", side="BUY", quantity="0.001"
        )
        place.control.trade(
            "main", "20000", market="spot", symbol="BTCUSDT", side="BUY", quantity="0.001"
        )
    window = lookback(place)
    for product, symbol in (("linear", "BTC/USDT:USDT"), ("spot", "BTC/USDT")):
        fills = data(await place.view.read_fills(product, window, (symbol,)))
        assert len({fill.trade_id for fill in fills}) == 1_030


async def test_a_page_of_fills_that_was_cut_short_is_noticed(place: Practice) -> None:
    for _ in range(5):
        place.control.trade(
            "main", "20000", market="usdm", symbol="BTCUSDT", side="BUY", quantity="0.001"
        )
    place.control.inject("page_truncated", "usdm.user_trades", times=0)
    section = await place.view.read_fills("linear", lookback(place), ())
    assert isinstance(section, Known)
    assert not section.complete
    assert any("not listed" in note for note in section.notes)


async def test_spans_longer_than_a_window_are_cut(place: Practice) -> None:
    for _ in range(4):
        place.control.trade(
            "main", "20000", market="spot", symbol="BTCUSDT", side="BUY", quantity="0.01"
        )
        place.control.trade(
            "main", "20000", market="usdm", symbol="BTCUSDT", side="BUY", quantity="0.01"
        )
        place.clock.advance(3 * DAY_MS)
    window = lookback(place, 13 * DAY_MS)
    for product, symbol in (("spot", "BTC/USDT"), ("linear", "BTC/USDT:USDT")):
        assert len(whole(await place.view.read_fills(product, window, (symbol,)))) == 4


async def test_a_symbol_without_a_name_makes_fills_incomplete(place: Practice) -> None:
    section = await place.view.read_fills("spot", lookback(place), ("BTC/USDT", "GONE/USDT"))
    assert isinstance(section, Known)
    assert not section.complete
    assert any("GONE/USDT" in note for note in section.notes)


async def test_the_ledger_of_futures(place: Practice) -> None:
    place.control.trade("main", "20000", market="usdm", symbol="BTCUSDT", side="BUY", quantity="1")
    place.control.funding("BTCUSDT", "0.0001")
    entries = whole(await place.view.read_ledger("linear", lookback(place)))
    kinds = {entry.kind: entry for entry in entries}
    assert {"funding", "commission", "transfer"} <= set(kinds)
    assert kinds["commission"].trade_id is not None
    assert kinds["funding"].symbol == "BTC/USDT:USDT"
    (total,) = whole(await place.view.read_balances("linear"))
    assert sum((entry.amount for entry in entries), Decimal(0)) == total.total


async def test_the_ledger_of_spot(place: Practice) -> None:
    place.control.withdraw("main", "USDT", "10.5")
    place.control.transfer("main", "USDT", "25", source="spot")
    place.control.transfer("main", "USDT", "5", source="usdm")
    entries = whole(await place.view.read_ledger("spot", lookback(place)))
    dollars = [(row.kind, row.amount) for row in entries if row.asset == "USDT"]
    assert sorted(dollars) == sorted(
        [
            ("deposit", Decimal(1_000_000)),
            ("withdrawal", Decimal("-10.5")),
            ("transfer", Decimal(-25)),
            ("transfer", Decimal(5)),
        ]
    )
    balances = {row.asset: row.total for row in whole(await place.view.read_balances("spot"))}
    assert sum((amount for _, amount in dollars), Decimal(0)) == balances["USDT"]


async def test_a_refused_wallet_endpoint_makes_the_ledger_unknown(place: Practice) -> None:
    place.control.inject("key_refused", "spot.transfers", times=0)
    assert isinstance(await place.view.read_ledger("spot", lookback(place)), Unknown)


async def test_a_refused_key_at_first_contact(place: Practice) -> None:
    wrong = open_practice(exchange=place.exchange, clock=place.clock, secret="z" * 64)
    for product in ("spot", "linear"):
        with pytest.raises(CredentialsRefusedError) as caught:
            await wrong.view.read_identity(product)
        assert "canary" not in str(caught.value)
        assert "zzz" not in str(caught.value)
    assert isinstance(await wrong.view.read_open_orders(SPOT), Unknown)
    await wrong.venue.close()


async def test_a_short_silence_is_waited_out_by_a_read(place: Practice) -> None:
    place.control.inject("limited_429", "spot.open_orders", parameters={"retry_after_s": 9})
    began_ms = place.clock.monotonic_ms()
    assert isinstance(await place.view.read_open_orders(SPOT), Known)
    assert place.clock.monotonic_ms() - began_ms >= 9_000


async def test_a_rate_limit_at_first_contact(place: Practice) -> None:
    place.control.inject("limited_429", "spot.time", parameters={"retry_after_s": 90})
    with pytest.raises(TryAgainLaterError) as caught:
        await place.view.measure_clock()
    assert caught.value.hint == "try again in 90 s"
    section = await place.view.read_open_orders(SPOT)
    assert isinstance(section, Unknown)
    assert "asked for silence" in section.reason
    assert len(place.asked()) == 1


async def test_signatures_use_the_venues_clock(place: Practice) -> None:
    place.control.set_clock_skew(90_000)
    assert isinstance(await place.view.measure_clock(), ClockReading)
    assert isinstance(await place.view.read_open_orders(SPOT), Known)
    place.control.set_clock_skew(-40_000)
    # The clock has jumped: the refused timestamp makes the client measure again, once.
    assert isinstance(await place.view.read_open_orders(LINEAR), Known)


async def test_the_table_of_instruments_is_read_once(place: Practice) -> None:
    place.spot_order()
    for _ in range(3):
        await place.view.read_open_orders(SPOT)
        await place.view.read_open_orders(LINEAR)
    paths = [row.path for row in place.asked()]
    assert paths.count("/api/v3/exchangeInfo") == 1
    assert paths.count("/fapi/v1/exchangeInfo") == 1


async def test_a_listing_that_could_not_be_translated_is_not_whole(place: Practice) -> None:
    place.control.inject("body_html", "spot.exchange_info", times=0)
    assert whole(await place.view.read_open_orders(SPOT)) == ()
    place.spot_order()
    section = await place.view.read_open_orders(SPOT)
    assert isinstance(section, Known)
    assert (len(section.data), section.complete) == (1, False)
    assert any("were not read" in note for note in section.notes)
    place.linear_order()
    assert len(whole(await place.view.read_open_orders(LINEAR))) == 1


async def test_on_the_way_to_a_cancel_no_instruments_are_asked_for() -> None:
    place = open_practice(may_load_markets=False)
    place.spot_order()
    section = await place.view.read_open_orders(SPOT)
    (order,) = whole(section)
    assert order.symbol == "BTCUSDT"
    assert isinstance(section, Known)
    assert any("BTCUSDT is not in the table" in note for note in section.notes)
    outcome = await place.cancel.cancel_symbol(SPOT, order.symbol, "BTCUSDT", place.permit())
    assert outcome.kind.value == "ACKNOWLEDGED"
    assert not [row for row in place.asked() if "exchangeInfo" in row.path]
    await place.venue.close()


async def test_fills_and_ledger_of_one_collect_share_the_income_history(place: Practice) -> None:
    window = lookback(place)
    for times in (1, 2):
        await asyncio.gather(
            place.view.read_fills("linear", window, ()), place.view.read_ledger("linear", window)
        )
        assert [row.endpoint for row in place.asked()].count("usdm.income") == times
    place.control.inject("body_html", "usdm.income", times=0)
    sections = await asyncio.gather(
        place.view.read_fills("linear", window, ()), place.view.read_ledger("linear", window)
    )
    assert all(isinstance(section, Unknown) for section in sections)


async def test_an_exchange_that_is_not_there_is_asked_once(place: Practice) -> None:
    for kind, probes in (("limited_429", 1), ("answer_lost", 3), ("body_html", 1)):
        fresh = open_practice(exchange=place.exchange, clock=place.clock)
        place.control.clear_faults()
        place.control.inject(kind, "spot.time", times=0)
        before = len(place.asked())
        with contextlib.suppress(TryAgainLaterError):
            assert isinstance(await fresh.view.measure_clock(), Unknown)
        assert len(place.asked()) - before == probes
        await fresh.venue.close()


async def test_weight_is_what_the_venue_reports(place: Practice) -> None:
    assert place.view.weight_used() is None
    await place.view.read_open_orders(LINEAR)
    used = place.view.weight_used()
    assert used is not None
    assert used >= 40
