"""The price path and the synthetic books: pure, exact, and consistent between stream and REST."""

import random
from decimal import Decimal

import pytest

from resyncctl.simulator.books import BOOK_EVERY_MS, Book, BookChange, Books
from resyncctl.simulator.catalogue import Market, build_catalogue
from resyncctl.simulator.exchange import PracticeExchange
from resyncctl.simulator.prices import PricePath

NOW_MS = 1_790_000_000_000
CATALOGUE = build_catalogue()


def path(seed: int = 0) -> PricePath:
    return PricePath(CATALOGUE, seed)


def books(seed: int = 0) -> Books:
    return Books(CATALOGUE, path(seed), seed)


def test_a_price_is_a_pure_function_of_seed_symbol_and_time() -> None:
    times = [NOW_MS + 977 * step for step in range(400)]
    forwards = [path().mid("spot", "BTCUSDT", now_ms) for now_ms in times]
    other = path()
    backwards = [other.mid("spot", "BTCUSDT", now_ms) for now_ms in reversed(times)]
    assert forwards == backwards[::-1]
    assert forwards != [path(1).mid("spot", "BTCUSDT", now_ms) for now_ms in times]
    assert len(set(forwards)) > 50


def test_the_first_prices_of_seed_zero_are_pinned() -> None:
    prices = [str(path().mid("spot", "BTCUSDT", NOW_MS + step * 60_000)) for step in range(3)]
    assert prices == ["60107.58", "60108.96", "60114.78"]


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_every_price_is_on_the_tick_grid_and_stays_near_its_anchor(market: Market) -> None:
    dice = random.Random(3)
    prices = path(5)
    for row in CATALOGUE.rows(market).values():
        for _ in range(50):
            mid = prices.mid(market, row.name, NOW_MS + dice.randrange(10**10))
            assert mid % row.tick == 0
            assert abs(mid - row.anchor_price) <= row.anchor_price * Decimal("0.021")


def test_spot_and_perpetual_of_one_name_move_together() -> None:
    prices = path()
    spot = prices.mid("spot", "ETHUSDT", NOW_MS)
    assert abs(spot - prices.mid("usdm", "ETHUSDT", NOW_MS)) <= Decimal("0.02")


def test_a_hold_counts_from_its_time_until_it_is_released() -> None:
    prices = path()
    free = prices.mid("spot", "BTCUSDT", NOW_MS)
    prices.hold("spot", "BTCUSDT", Decimal("50000.004"), NOW_MS + 1000)
    prices.hold("spot", "BTCUSDT", None, NOW_MS + 2000)
    assert prices.mid("spot", "BTCUSDT", NOW_MS) == free
    assert prices.mid("spot", "BTCUSDT", NOW_MS + 1000) == Decimal("50000.00")
    assert prices.mid("spot", "BTCUSDT", NOW_MS + 1999) == Decimal("50000.00")
    assert prices.mid("spot", "BTCUSDT", NOW_MS + 2000) == path().mid(
        "spot", "BTCUSDT", NOW_MS + 2000
    )
    assert prices.mid("usdm", "BTCUSDT", NOW_MS + 1500) != Decimal(50000)


def test_a_freeze_stops_every_path_and_leaves_holds_alone() -> None:
    prices = path()
    made = Books(CATALOGUE, prices)
    then = prices.mid("spot", "ETHUSDT", NOW_MS - 500_000)
    prices.freeze(NOW_MS - 500_000, NOW_MS)
    prices.hold("spot", "BTCUSDT", Decimal(50000), NOW_MS + 10)
    for later_ms in (NOW_MS, NOW_MS + 70_000, NOW_MS + 9_000_000):
        assert prices.mid("spot", "ETHUSDT", later_ms) == then
        book = made.book("spot", "ETHUSDT", later_ms)
        assert book.bids[0][0] < then < book.asks[0][0]
    assert prices.mid("spot", "BTCUSDT", NOW_MS + 20) == Decimal(50000)
    prices.freeze(None, NOW_MS + 10_000_000)
    free = path().mid("spot", "ETHUSDT", NOW_MS + 10_000_000)
    assert prices.mid("spot", "ETHUSDT", NOW_MS + 10_000_000) == free
    assert prices.mid("spot", "ETHUSDT", NOW_MS - 1) == path().mid("spot", "ETHUSDT", NOW_MS - 1)


def test_a_price_can_be_set_while_all_others_are_held() -> None:
    clock = [NOW_MS]
    exchange = PracticeExchange(clock_ms=lambda: clock[0])
    started = exchange.world.mid("spot", "ETHUSDT")
    clock[0] += 600_000
    exchange.control.hold_all_prices()
    exchange.control.set_price("BTCUSDT", "50000")
    clock[0] += 600_000
    assert exchange.world.mid("spot", "BTCUSDT") == Decimal(50000)
    assert exchange.world.mid("spot", "ETHUSDT") == started
    exchange.control.hold_all_prices(hold=False)
    assert exchange.world.mid("spot", "BTCUSDT") == Decimal(50000)
    assert exchange.world.mid("spot", "ETHUSDT") == path().mid("spot", "ETHUSDT", clock[0])


def test_strangers_and_worthless_prices_are_refused() -> None:
    with pytest.raises(KeyError):
        path().mid("usdm", "ETHBTC", NOW_MS)
    for price in ("0", "-1", "NaN", "Infinity"):
        with pytest.raises(ValueError, match="above zero"):
            path().hold("spot", "BTCUSDT", Decimal(price), NOW_MS)


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_books_surround_the_mid_on_the_grids(market: Market) -> None:
    prices = path()
    made = Books(CATALOGUE, prices)
    for row in CATALOGUE.rows(market).values():
        book = made.book(market, row.name, NOW_MS)
        mid = prices.mid(market, row.name, NOW_MS)
        assert book.bids[0][0] < mid < book.asks[0][0]
        assert list(book.bids) == sorted(book.bids, reverse=True)
        assert list(book.asks) == sorted(book.asks)
        for price, quantity in (*book.bids, *book.asks):
            assert price % row.tick == 0
            assert quantity > 0
            assert quantity % row.step == 0


def apply(book: Book, change: BookChange) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    sides = dict(book.bids), dict(book.asks)
    for side, levels in zip(sides, (change.bids, change.asks), strict=True):
        for price, quantity in levels:
            if quantity:
                side[price] = quantity
            else:
                side.pop(price, None)
    return sides


def test_a_snapshot_from_anywhere_inside_a_change_is_brought_up_to_date_by_it() -> None:
    dice = random.Random(11)
    made = books()
    moved = 0
    for _ in range(200):
        since_ms = NOW_MS + dice.randrange(10**8)
        until_ms = since_ms + dice.randrange(100, 3000)
        snapshot = made.book("usdm", "SOLUSDT", dice.randrange(since_ms, until_ms + 1))
        change = made.change("usdm", "SOLUSDT", since_ms, until_ms)
        final = made.book("usdm", "SOLUSDT", until_ms)
        assert apply(snapshot, change) == (dict(final.bids), dict(final.asks))
        assert change.first_id - 1 <= snapshot.update_id <= change.last_id
        moved += bool(change.bids)
    assert moved > 150


def test_a_hold_between_two_books_is_part_of_the_change() -> None:
    prices = path()
    made = Books(CATALOGUE, prices)
    before = made.book("spot", "BTCUSDT", NOW_MS)
    prices.hold("spot", "BTCUSDT", Decimal(50000), NOW_MS + 30)
    change = made.change("spot", "BTCUSDT", NOW_MS, NOW_MS + 2 * BOOK_EVERY_MS)
    after = made.book("spot", "BTCUSDT", NOW_MS + 2 * BOOK_EVERY_MS)
    assert apply(before, change) == (dict(after.bids), dict(after.asks))
    assert after.bids[0][0] < 50000 < after.asks[0][0]


def test_consecutive_changes_chain_without_a_gap_and_every_symbol_counts_alone() -> None:
    made = books()
    previous = made.change("spot", "BTCUSDT", NOW_MS, NOW_MS + 1000)
    following = made.change("spot", "BTCUSDT", NOW_MS + 1000, NOW_MS + 1100)
    assert following.first_id == previous.last_id + 1
    assert following.previous_last_id == previous.last_id
    ids = {
        made.book(market, row.name, NOW_MS).update_id
        for market in ("spot", "usdm")
        for row in CATALOGUE.rows(market).values()
    }
    assert len(ids) == 24


def test_the_crowd_trades_at_the_touch() -> None:
    made = books()
    for second in range(20):
        now_ms = NOW_MS // 1000 * 1000 + second * 1000
        trade = made.trade("spot", "BTCUSDT", now_ms)
        book = made.book("spot", "BTCUSDT", now_ms)
        side = book.bids if trade.buyer_is_maker else book.asks
        assert trade.price == side[0][0]
        assert made.trade("spot", "BTCUSDT", now_ms + 999) == trade
