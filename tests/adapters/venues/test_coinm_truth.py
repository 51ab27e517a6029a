"""Whatever happened on a COIN-M account, what is read is what is true, to the last digit.

Random histories on the practice exchange, with USD-M in the same account, compared with its ground
truth. Faults that pass are mixed in: then a section may be unknown or incomplete, never wrong.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from resyncctl.core.model import Order, OrderStatus
from resyncctl.core.snapshot import Known, OrderReference, Section, Window
from tests.adapters.venues.practice import INVERSE, INVERSE_ALGO, LINEAR, Practice, open_practice
from tests.adapters.venues.test_binance_truth import FAULTS

SYMBOLS = ("BTCUSD_PERP", "ETHUSD_PERP", "BTCUSD_270326")
UNIFIED = {
    "BTC/USD:BTC": "BTCUSD_PERP",
    "ETH/USD:ETH": "ETHUSD_PERP",
    "BTC/USD:BTC-270326": "BTCUSD_270326",
}
Act = Callable[[Practice, Random, str, str], object]


def size(random: Random) -> str:
    return str(random.randrange(1, 90))


def _trade(place: Practice, random: Random, symbol: str, leg: str) -> object:
    side = {"LONG": "BUY", "SHORT": "SELL"}.get(leg, random.choice(["BUY", "SELL"]))
    price = str(random.randrange(20_000, 90_000))
    wish = {"symbol": symbol, "side": side, "quantity": size(random), "position_side": leg}
    return place.control.trade("main", price, market="coinm", **wish)


def _close_some(place: Practice, random: Random, symbol: str, leg: str) -> object:
    held = place.control.truth("main")["positions"]
    rows = [row for row in held if row["symbol"] == symbol and row["position_side"] == leg]
    if not rows:
        return None
    amount = Decimal(rows[0]["amount"])
    part = str(random.randrange(1, int(abs(amount)) + 1))
    side = "SELL" if amount > 0 else "BUY"
    wish = {"symbol": symbol, "side": side, "quantity": part, "position_side": leg}
    return place.control.trade(
        "main", str(random.randrange(20_000, 90_000)), market="coinm", **wish
    )


def _end_one(place: Practice, random: Random, symbol: str, leg: str) -> object:
    resting = [row for row in place.control.open_orders("main") if row["service"] == "regular"]
    if not resting:
        return None
    end = random.choice([place.control.cancel, place.control.fill])
    return end(random.choice(resting))


ACTS: tuple[Act, ...] = (
    lambda p, r, s, leg: p.inverse_order(
        symbol=s, quantity=size(r), price="1", position_side="BOTH" if leg == "BOTH" else "LONG"
    ),
    lambda p, r, s, leg: p.inverse_algo(
        symbol=s, stop_price="0.1", position_side=leg, reduce_only=leg == "BOTH"
    ),
    _trade,
    _close_some,
    _end_one,
    lambda p, r, s, leg: p.control.funding(s, "0.0001"),
    lambda p, r, s, leg: p.control.trade(
        "main",
        "20",
        market="usdm",
        symbol="ETHUSDT",
        side="BUY",
        quantity="0.1",
        position_side="BOTH" if leg == "BOTH" else "LONG",
    ),
)


def live_a_little(place: Practice, random: Random, steps: int) -> None:
    """Do random things to the account, some of them at the same millisecond."""
    hedge = random.random() < 0.5
    place.control.set_position_mode("main", hedge)
    for _ in range(steps):
        leg = random.choice(["LONG", "SHORT"]) if hedge else "BOTH"
        random.choice(ACTS)(place, random, random.choice(SYMBOLS), leg)
        if random.random() < 0.6:
            place.clock.advance(random.randrange(1, 4_000))


async def read_all(place: Practice) -> dict[str, Section[Any]]:
    view = place.view
    window = Window(place.clock.now_ms() - 3_600_000, place.clock.now_ms())
    return {
        "orders": await view.read_open_orders(INVERSE),
        "algos": await view.read_open_orders(INVERSE_ALGO),
        "positions": await view.read_positions("inverse"),
        "balances": await view.read_balances("inverse"),
        "fills": await view.read_fills("inverse", window, ()),
        "ledger": await view.read_ledger("inverse", window),
    }


def as_truth_tells(place: Practice) -> dict[str, set[Any]]:
    truth = place.control.truth("main")

    def mine(name: str) -> list[Any]:
        return [row for row in truth[name] if row["market"] == "coinm"]

    return {
        "orders": {
            (row["symbol"], str(row["order_id"]), row["side"].lower(), Decimal(row["quantity"]))
            for row in mine("open_orders")
        },
        "algos": {
            (row["symbol"], str(row["algo_id"]), row["side"].lower(), Decimal(row["quantity"]))
            for row in mine("open_algo_orders")
        },
        "fills": {
            (
                row["symbol"],
                str(row["trade_id"]),
                Decimal(row["quantity"]),
                Decimal(row["price"]),
                (Decimal(row["fee"]), row["fee_asset"]),
            )
            for row in mine("fills")
        },
        "positions": {
            (
                row["symbol"],
                row["position_side"].lower(),
                Decimal(row["amount"]),
                Decimal(row["entry_price"]),
            )
            for row in truth["positions"]
            if row["symbol"] in SYMBOLS
        },
        "balances": {
            (asset, Decimal(row["total"])) for asset, row in truth["balances"]["coinm"].items()
        },
        "ledger": {
            (row["asset"], Decimal(row["amount"]), row["time_ms"]) for row in mine("postings")
        },
    }


def as_read(name: str, section: Known[Any]) -> set[Any]:
    rows = section.data
    if name in {"orders", "algos"}:
        return {(o.venue_symbol, o.venue_order_id, o.side.value, o.quantity) for o in rows}
    if name == "fills":
        return {
            (UNIFIED.get(f.symbol, f.symbol), f.trade_id, f.quantity, f.price, (f.fee, f.fee_asset))
            for f in rows
        }
    if name == "positions":
        return {
            (UNIFIED.get(p.symbol, p.symbol), p.leg.value, p.quantity, p.entry_price) for p in rows
        }
    if name == "balances":
        return {(row.asset, row.total) for row in rows}
    return {(row.asset, row.amount, row.at_ms) for row in rows}


@pytest.mark.parametrize("seed", range(20))
async def test_what_is_read_is_what_is_true(seed: int) -> None:
    place = open_practice(scopes=[INVERSE])
    live_a_little(place, Random(seed), 60)
    expected = as_truth_tells(place)
    for name, section in (await read_all(place)).items():
        assert isinstance(section, Known), (name, section)
        assert section.complete, (name, section.notes)
        assert as_read(name, section) == expected[name], name
    mode = await place.view.read_position_mode("inverse")
    assert mode == ("hedge" if place.control.truth("main")["hedge_mode"] else "one_way")
    assert place.control.imbalance() == {}
    await place.venue.close()


@pytest.mark.parametrize("seed", range(20))
async def test_under_passing_faults_nothing_wrong_is_called_whole(seed: int) -> None:
    random = Random(1_000 + seed)
    place = open_practice(scopes=[INVERSE])
    live_a_little(place, random, 40)
    for _ in range(6):
        place.control.inject(
            random.choice(FAULTS), "read", skip=random.randrange(8), times=random.randrange(1, 4)
        )
    sections = await read_all(place)
    expected = as_truth_tells(place)
    for name, section in sections.items():
        if isinstance(section, Known) and section.complete:
            assert as_read(name, section) == expected[name], name
    assert place.control.fault_ledger()
    await place.venue.close()


async def test_a_stop_that_triggered_is_followed_to_its_order() -> None:
    place = open_practice(scopes=[INVERSE])
    place.control.set_price("BTCUSD_PERP", "60000")
    place.control.set_position("main", "BTCUSD_PERP", "7", "60000")
    place.inverse_algo(client_order_id="my-stop", stop_price="50000")
    reference = OrderReference("inverse", "BTC/USD:BTC", None, "my-stop", INVERSE_ALGO)
    waiting = await place.view.look_up_order(reference)
    assert isinstance(waiting, Order)
    assert (waiting.status, waiting.protective) == (OrderStatus.ACCEPTED, True)
    place.control.set_price("BTCUSD_PERP", "49000")
    ended = await place.view.look_up_order(reference)
    assert isinstance(ended, Order)
    assert (ended.status, ended.filled) == (OrderStatus.FILLED, Decimal(7))
    assert ended.average_price == Decimal(49000)
    await place.venue.close()


async def test_two_futures_markets_that_are_read_at_once_do_not_share_their_bookings() -> None:
    place = open_practice(scopes=[LINEAR, INVERSE])
    for market, symbol in (("usdm", "BTCUSDT"), ("coinm", "BTCUSD_PERP")):
        place.control.set_position("main", symbol, "5", "60000")
        place.control.funding(symbol, "0.001")
        assert place.control.truth("main")["postings"][-1]["market"] == market
    window = Window(place.clock.now_ms() - 3_600_000, place.clock.now_ms())
    linear, inverse = await asyncio.gather(
        *(place.view.read_ledger(product, window) for product in ("linear", "inverse"))
    )
    assert isinstance(linear, Known)
    assert isinstance(inverse, Known)
    assert {row.asset for row in linear.data if row.kind == "funding"} == {"USDT"}
    assert {row.asset for row in inverse.data if row.kind == "funding"} == {"BTC"}
    await place.venue.close()


async def test_an_account_of_binance_sees_coin_m_only_when_it_asks() -> None:
    asked, unasked = open_practice(scopes=[INVERSE]), open_practice()
    assert asked.view.profile.scopes == (INVERSE, INVERSE_ALGO)
    assert INVERSE not in unasked.view.profile.scopes
    assert not unasked.cancel.abilities(INVERSE).by_symbol
    assert unasked.venue.reduce.why_not("inverse")
    assert asked.venue.reduce.why_not("inverse") is None
    switch = asked.venue.switch.switch("inverse")
    assert switch is not None
    assert switch.covers == (INVERSE,)
    assert unasked.venue.switch.switch("inverse") is None
    await asked.view.measure_clock()
    assert {row.host for row in asked.asked()} == {"dapi.binance.com"}
    for place in (asked, unasked):
        await place.venue.close()
