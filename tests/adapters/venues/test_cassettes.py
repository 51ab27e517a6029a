"""Documented answers of real venues, replayed and asserted row by row.

The payloads come from the venues' official documentation (see tests/cassettes/README.md). They
prove the parsers; behaviour over time is proved on the practice exchange.
"""

import math
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from vcr.serializers import yamlserializer

from resyncctl.adapters.venues.via_ccxt.open_venue import Venue
from resyncctl.core.model import Leg, Order, OrderClass, OrderStatus, Scope, Side
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.core.snapshot import Known, NotFound, OrderReference, Unknown, Window
from tests.adapters.venues.cassette_kit import (
    CANARY_KEY,
    CANARY_PASSWORD,
    CANARY_SECRET,
    CASSETTES,
    KEPT_HEADERS,
    open_on,
    player,
    playing,
)
from tests.fakes.fake_clock import FakeClock

D = Decimal
SPOT, LINEAR, INVERSE = Scope("spot"), Scope("linear"), Scope("inverse")
ALGO = Scope("linear", OrderClass.ALGO)
SWAP_ALGO = Scope("swap", OrderClass.ALGO)
HOUR_MS = 3_600_000

Scenario = Callable[[Venue, FakeClock], Awaitable[None]]
SCENARIOS: dict[str, tuple[str, int, Scenario]] = {}


def scenario(name: str, venue: str, now_ms: int) -> Callable[[Scenario], Scenario]:
    def keep(told: Scenario) -> Scenario:
        SCENARIOS[name] = (venue, now_ms, told)
        return told

    return keep


def rows(section: Any) -> tuple[Any, ...]:
    assert isinstance(section, Known), section
    return section.data


def permit(clock: FakeClock, number: int) -> Permit:
    return Permit(f"intent-{number}", clock.now_ms() + 5_000, 1)


def an_order(scope: Scope, order_id: str, symbol: str) -> Order:
    return Order(
        account="desk-a",
        product=scope.product,
        symbol=symbol,
        side=Side.BUY,
        type="limit",
        status=OrderStatus.ACCEPTED,
        client_order_id=None,
        venue_order_id=order_id,
        quantity=D(1),
        filled=D(0),
        order_class=scope.order_class,
        venue_symbol=symbol,
    )


def gone(outcome: MutationOutcome) -> bool:
    return outcome.kind is OutcomeKind.REJECTED and outcome.already_gone


@scenario("binance/spot", "binance", 1_499_865_600_000)
async def binance_spot(venue: Venue, clock: FakeClock) -> None:
    (order,) = rows(await venue.view.read_open_orders(SPOT))
    assert (order.venue_symbol, order.venue_order_id, order.client_order_id) == (
        "LTCBTC",
        "1",
        "myOrder1",
    )
    assert (order.side, order.price, order.quantity, order.filled, order.status) == (
        Side.BUY,
        D("0.1"),
        D("1.0"),
        D(0),
        OrderStatus.ACCEPTED,
    )
    balances = {one.asset: one for one in rows(await venue.view.read_balances("spot"))}
    assert balances["BTC"].total == D("4723846.89208129")
    assert balances["LTC"].free == D("4763368.68006011")
    window = Window(clock.now_ms() - HOUR_MS, clock.now_ms())
    (fill,) = rows(await venue.view.read_fills("spot", window, ("BNBBTC",)))
    assert (fill.trade_id, fill.venue_order_id, fill.side, fill.at_ms) == (
        "28457",
        "100234",
        Side.BUY,
        1_499_865_549_590,
    )
    assert (fill.price, fill.quantity, fill.fee, fill.fee_asset) == (
        D("4.00000100"),
        D(12),
        D("10.1"),
        "BNB",
    )
    mass = await venue.cancel.cancel_symbol(SPOT, "BTCUSDT", "BTCUSDT", permit(clock, 1))
    assert mass.kind is OutcomeKind.ACKNOWLEDGED
    late = await venue.cancel.cancel_order(an_order(SPOT, "1", "LTCBTC"), permit(clock, 2))
    assert gone(late)
    reference = OrderReference("spot", "LTCBTC", "7", None, SPOT)
    assert isinstance(await venue.view.look_up_order(reference), NotFound)


@scenario("binance/usdm", "binance", 1_750_515_000_000)
async def binance_usdm(venue: Venue, clock: FakeClock) -> None:
    (order,) = rows(await venue.view.read_open_orders(LINEAR))
    assert (order.venue_order_id, order.quantity, order.leg, order.side) == (
        "1917641",
        D("0.40"),
        Leg.SHORT,
        Side.BUY,
    )
    assert order.trigger_price == D(9300)
    (algo,) = rows(await venue.view.read_open_orders(ALGO))
    assert (algo.venue_order_id, algo.client_order_id, algo.order_class) == (
        "2148627",
        "MRumok0dkhrP4kCm12AHaB",
        OrderClass.ALGO,
    )
    assert (algo.quantity, algo.trigger_price, algo.price) == (D("0.01"), D(750), D(750))
    (position,) = rows(await venue.view.read_positions("linear"))
    assert (position.quantity, position.entry_price, position.leg) == (D(30), D("0.385"), Leg.BOTH)
    assert await venue.view.read_position_mode("linear") == "hedge"
    (balance,) = rows(await venue.view.read_balances("linear"))
    assert (balance.asset, balance.total) == ("USDT", D("122607.35137903"))
    one = await venue.cancel.cancel_order(
        an_order(LINEAR, "283194212", "BTCUSDT"), permit(clock, 1)
    )
    two = await venue.cancel.cancel_order(an_order(ALGO, "2146760", "BTCUSDT"), permit(clock, 2))
    mass = await venue.cancel.cancel_symbol(LINEAR, "BTCUSDT", "BTCUSDT", permit(clock, 3))
    algos = await venue.cancel.cancel_symbol(ALGO, "BTCUSDT", "BTCUSDT", permit(clock, 4))
    assert [outcome.kind for outcome in (one, two, mass, algos)] == [OutcomeKind.ACKNOWLEDGED] * 4


@scenario("binance/usdm_fills", "binance", 1_569_515_000_000)
async def binance_usdm_fills(venue: Venue, clock: FakeClock) -> None:
    window = Window(clock.now_ms() - HOUR_MS, clock.now_ms())
    (fill,) = rows(await venue.view.read_fills("linear", window, ("BTCUSDT",)))
    assert (fill.trade_id, fill.venue_order_id, fill.side, fill.leg) == (
        "698759",
        "25851813",
        Side.SELL,
        Leg.SHORT,
    )
    assert (fill.price, fill.quantity, fill.fee, fill.fee_asset) == (
        D("7819.01"),
        D("0.002"),
        D("0.0781901"),
        "USDT",
    )


@scenario("bybit/orders", "bybit", 1_684_765_770_483)
async def bybit_orders(venue: Venue, clock: FakeClock) -> None:
    (order,) = rows(await venue.view.read_open_orders(LINEAR))
    assert (order.symbol, order.venue_order_id, order.client_order_id) == (
        "ETH/USDT:USDT",
        "fd4300ae-7847-404e-b947-b46980a4d140",
        "test-000005",
    )
    assert (order.side, order.price, order.quantity, order.filled, order.leg) == (
        Side.BUY,
        D(1600),
        D("0.1"),
        D(0),
        Leg.LONG,
    )
    assert (order.created_at_ms, order.updated_at_ms) == (1_684_738_540_559, 1_684_738_540_561)
    single = an_order(LINEAR, "c6f055d9-7f21-4079-913d-e6523a9cfffa", "BTCPERP")
    one = await venue.cancel.cancel_order(single, permit(clock, 1))
    mass = await venue.cancel.cancel_symbol(LINEAR, "BTC/USDT:USDT", "BTCUSDT", permit(clock, 2))
    assert [one.kind, mass.kind] == [OutcomeKind.ACKNOWLEDGED] * 2
    late = await venue.cancel.cancel_order(an_order(LINEAR, "late", "BTCUSDT"), permit(clock, 3))
    assert gone(late)


@scenario("bybit/account", "bybit", 1_672_283_754_510)
async def bybit_account(venue: Venue, clock: FakeClock) -> None:
    window = Window(clock.now_ms() - HOUR_MS, clock.now_ms())
    (fill,) = rows(await venue.view.read_fills("linear", window, ()))
    assert (fill.symbol, fill.trade_id, fill.side, fill.at_ms) == (
        "ETH/USDC:USDC",
        "e0cbe81d-0f18-5866-9415-cf319b5dab3b",
        Side.BUY,
        1_672_282_722_429,
    )
    assert (fill.price, fill.quantity, fill.fee) == (D("1190.15"), D("0.1"), D("0.071409"))
    (position,) = rows(await venue.view.read_positions("inverse"))
    assert position.symbol == "BTC/USD:BTC"
    # 300 USD at the entry price is the documented position value, in bitcoin.
    assert round(-position.quantity, 8) == D("0.01092319")
    assert rows(await venue.view.read_balances("spot")) == ()
    assert rows(await venue.view.read_identity("spot")) == ("uid 1448939",)
    refused = await venue.view.read_open_orders(SPOT)
    assert isinstance(refused, Unknown)
    assert "10006" in refused.reason


@scenario("okx/orders", "okx", 1_724_733_700_000)
async def okx_orders(venue: Venue, clock: FakeClock) -> None:
    (order,) = rows(await venue.view.read_open_orders(SPOT))
    assert (order.symbol, order.venue_order_id, order.type) == (
        "BTC/USDT",
        "1752588852617379840",
        "post_only",
    )
    assert (order.side, order.price, order.quantity, order.filled) == (
        Side.BUY,
        D("13013.5"),
        D("0.001"),
        D(0),
    )
    (algo,) = rows(await venue.view.read_open_orders(SWAP_ALGO))
    assert (algo.symbol, algo.venue_order_id, algo.leg) == (
        "BTC/USDT:USDT",
        "431375349042380800",
        Leg.LONG,
    )
    assert (algo.quantity, algo.trigger_price, algo.price) == (D("0.01"), D(50000), D(50000))
    one = await venue.cancel.cancel_order(an_order(SPOT, "12312", "BTC-USDT"), permit(clock, 1))
    two = await venue.cancel.cancel_order(algo, permit(clock, 2))
    assert [one.kind, two.kind] == [OutcomeKind.ACKNOWLEDGED] * 2
    late = await venue.cancel.cancel_order(an_order(SPOT, "1", "BTC-USDT"), permit(clock, 3))
    assert gone(late)


@scenario("okx/account", "okx", 1_621_927_400_000)
async def okx_account(venue: Venue, clock: FakeClock) -> None:
    window = Window(clock.now_ms() - HOUR_MS, clock.now_ms())
    (fill,) = rows(await venue.view.read_fills("spot", window, ()))
    assert (fill.trade_id, fill.venue_order_id, fill.side, fill.at_ms) == (
        "107601752",
        "317321390244397056",
        Side.BUY,
        1_621_927_314_985,
    )
    assert (fill.price, fill.quantity, fill.fee, fill.fee_asset) == (
        D("2654.98"),
        D("0.007533"),
        D("0.000007533"),
        "ETH",
    )
    (position,) = rows(await venue.view.read_positions("swap"))
    assert (position.leg, position.quantity, position.entry_price) == (
        Leg.LONG,
        D("0.01"),
        D("2566.31"),
    )
    (balance,) = rows(await venue.view.read_balances("spot"))
    assert (balance.asset, balance.total, balance.locked) == ("BTC", D("0.049"), D(0))
    assert await venue.view.read_position_mode("swap") == "hedge"
    busy = await venue.view.read_positions("futures")
    assert isinstance(busy, Unknown)
    assert "50011" in busy.reason


@scenario("kraken/spot", "kraken", 1_688_668_000_000)
async def kraken_spot(venue: Venue, clock: FakeClock) -> None:
    limit, stop = rows(await venue.view.read_open_orders(SPOT))
    assert (limit.symbol, limit.venue_order_id, limit.client_order_id) == (
        "BTC/USD",
        "O45M52-BFD5S-YXKQOU",
        "1234",
    )
    assert (limit.price, limit.quantity, limit.created_at_ms) == (
        D(70000),
        D("0.0001"),
        1_733_815_269_370,
    )
    assert (stop.venue_order_id, stop.type, stop.side) == (
        "OXVPSU-Q726F-L3SDEP",
        "trailing-stop",
        Side.SELL,
    )
    assert (stop.quantity, stop.trigger_price, stop.price) == (D(10), D("0.23424"), D("0.46847"))
    window = Window(clock.now_ms() - HOUR_MS, clock.now_ms())
    (fill,) = rows(await venue.view.read_fills("spot", window, ()))
    assert (fill.trade_id, fill.venue_order_id, fill.at_ms) == (
        "THVRQM-33VKH-UCI7BS",
        "OQCLML-BW3P3-BUCMWZ",
        1_688_667_796_880,
    )
    assert (fill.side, fill.price, fill.quantity) == (Side.BUY, D(30010), D("0.02"))
    balances = {one.asset: one for one in rows(await venue.view.read_balances("spot"))}
    assert (balances["USD"].total, balances["USD"].locked) == (D("25435.21"), D("8249.76"))
    assert balances["BTC"].free == D("0.4012")
    (position,) = rows(await venue.view.read_positions("spot"))
    assert (position.symbol, position.quantity, position.entry_price) == (
        "ETHUSDT",
        D("0.02"),
        D("1424.9"),
    )
    one = await venue.cancel.cancel_order(limit, permit(clock, 1))
    assert one.kind is OutcomeKind.ACKNOWLEDGED
    late = await venue.cancel.cancel_order(an_order(SPOT, "OGONE", "XBTUSD"), permit(clock, 2))
    assert gone(late)
    reference = OrderReference("spot", "BTC/USD", "O45M52-BFD5S-YXKQOU", None, SPOT)
    found = await venue.view.look_up_order(reference)
    assert isinstance(found, Order)
    assert found.status is OrderStatus.ACCEPTED
    limited = await venue.view.read_open_orders(SPOT)
    assert isinstance(limited, Unknown)
    assert "EAPI:Rate limit exceeded" in limited.reason


@pytest.mark.parametrize("name", sorted(SCENARIOS))
async def test_the_documented_answers_are_read_exactly(name: str) -> None:
    venue_id, now_ms, told = SCENARIOS[name]
    clock = FakeClock(now_ms)
    with playing(name):
        venue = open_on(venue_id, clock)
        try:
            await told(venue, clock)
        finally:
            await venue.close()


async def test_a_request_that_no_cassette_holds_is_an_error_and_not_an_empty_answer() -> None:
    with player().use_cassette("kraken/spot.yaml") as cassette:
        venue = open_on("kraken", FakeClock(1_688_668_000_000))
        section = await venue.view.read_fills("spot", Window(0, 1_000), ())
        await venue.close()
    assert isinstance(section, Unknown)
    assert cassette.play_count == 0


def all_cassettes() -> list[Any]:
    found = sorted(CASSETTES.glob("*/*.yaml"))
    assert {str(path.relative_to(CASSETTES).with_suffix("")) for path in found} == set(SCENARIOS)
    return found


def entropy(word: str) -> float:
    counts = Counter(word)
    return -sum(n / len(word) * math.log2(n / len(word)) for n in counts.values())


def test_no_cassette_holds_a_secret() -> None:
    for path in all_cassettes():
        text = path.read_text(encoding="utf-8")
        for secret in (CANARY_KEY, CANARY_SECRET, CANARY_PASSWORD):
            assert secret not in text
        for interaction in yamlserializer.deserialize(text)["interactions"]:
            request = interaction["request"]
            names = {name.lower() for name in request["headers"]}
            assert names <= KEPT_HEADERS, (path, names)
            assert {name.lower() for name in interaction["response"]["headers"]} <= KEPT_HEADERS
            sent = f"{request['uri']} {request['body'] or ''}"
            assert not re.search(r"(?i)(signature|api[-_]?key|sign|passphrase|nonce)=", sent)
        for word in re.findall(r"[A-Za-z0-9+/=]{40,}", text):
            assert entropy(word) < 4.2, (path, word)


def test_the_scan_would_notice_a_signature() -> None:
    assert entropy("a3f0b1c2d4e5968778695a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d") > 3.5
    assert entropy(CANARY_SECRET) > 4.2
