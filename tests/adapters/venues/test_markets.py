"""The table of instruments: one to one, cached, and never in the way."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from resyncctl.adapters.venues.via_ccxt.markets import (
    KEPT_MS,
    REFRESH_AFTER_MS,
    Market,
    Markets,
    build_table,
    market_from_ccxt,
)
from tests.adapters.venues.practice import SPOT, open_practice
from tests.fakes.fake_clock import FakeClock

BTC = Market(
    product="spot",
    venue_id="BTCUSDT",
    symbol="BTC/USDT",
    base="BTC",
    quote="USDT",
    settle=None,
    contract_size=None,
    tick=Decimal("0.01"),
    step=Decimal("0.00001"),
    least_notional=Decimal(5),
)
ETH = replace(BTC, venue_id="ETHUSDT", symbol="ETH/USDT", base="ETH")


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


class Source:
    """Counts how often the instruments are fetched; None means that the exchange fails."""

    def __init__(self, rows: list[Market] | None) -> None:
        self.rows = rows
        self.asked = 0

    async def fetch(self, product: str) -> list[Market] | None:
        self.asked += 1
        return self.rows


def markets(
    source: Source, clock: FakeClock, cache_dir: Path | None = None, *, may_fetch: bool = True
) -> Markets:
    return Markets(
        venue="binance",
        products=("spot",),
        clock=clock,
        fetch=source.fetch,
        cache_dir=cache_dir,
        may_fetch=may_fetch,
    )


@pytest.mark.invariant("I38")
def test_the_mapping_is_one_to_one() -> None:
    twin = replace(ETH, venue_id="ETHUSDT_OLD")
    table = build_table([BTC, ETH, twin], 0)
    assert ("spot", "BTCUSDT") in table.by_id
    assert ("spot", "ETHUSDT") not in table.by_id
    assert ("spot", "ETHUSDT_OLD") not in table.by_id
    assert ("spot", "ETH/USDT") not in table.by_symbol
    assert table.ambiguous == {("spot", "ETHUSDT"), ("spot", "ETHUSDT_OLD")}
    other = replace(BTC, product="linear", symbol="BTC/USDT:USDT")
    assert len(build_table([BTC, other], 0).by_id) == 2


async def test_a_name_that_nobody_knows_stays_raw_and_is_told() -> None:
    book = markets(Source([BTC]), FakeClock())
    assert book.symbol("spot", "BTCUSDT") == "BTCUSDT"
    await book.prepare("spot")
    assert book.symbol("spot", "BTCUSDT") == "BTC/USDT"
    assert book.symbol("spot", "DOGEUSDT") == "DOGEUSDT"
    assert book.venue_id("spot", "BTC/USDT") == "BTCUSDT"
    assert book.venue_id("spot", "DOGEUSDT") == "DOGEUSDT"
    assert book.venue_id("spot", "DOGE/USDT") is None
    assert book.notes("spot", ["BTCUSDT", "DOGEUSDT"]) == (
        "DOGEUSDT is not in the table of spot instruments",
    )


async def test_a_doubtful_name_stays_raw_and_is_told() -> None:
    book = markets(Source([BTC, ETH, replace(ETH, venue_id="ETHUSDT_OLD")]), FakeClock())
    await book.prepare("spot")
    assert book.symbol("spot", "ETHUSDT") == "ETHUSDT"
    assert book.venue_id("spot", "ETH/USDT") is None
    assert book.notes("spot", ["ETHUSDT"]) == ("ETHUSDT stands for more than one spot instrument",)


async def test_the_table_comes_from_disk_while_it_is_young(tmp_path: Path) -> None:
    clock = FakeClock()
    source = Source([BTC, ETH])
    await markets(source, clock, tmp_path).prepare("spot")
    again = markets(source, clock, tmp_path)
    await again.prepare("spot")
    assert source.asked == 1
    assert again.symbol("spot", "ETHUSDT") == "ETH/USDT"
    assert again._table is not None
    assert again._table.by_id["spot", "BTCUSDT"] == BTC
    clock.advance(KEPT_MS + 1)
    await markets(source, clock, tmp_path).prepare("spot")
    assert source.asked == 2


async def test_for_a_cancel_any_age_will_do_and_nothing_is_fetched(tmp_path: Path) -> None:
    clock = FakeClock()
    source = Source([BTC])
    await markets(source, clock, tmp_path).prepare("spot")
    clock.advance(90 * KEPT_MS)
    book = markets(source, clock, tmp_path, may_fetch=False)
    await book.prepare("spot", ["NEWUSDT"])
    assert book.symbol("spot", "BTCUSDT") == "BTC/USDT"
    assert source.asked == 1


@pytest.mark.parametrize("damage", ["cut", "format", "ccxt", "number", "future"])
async def test_a_damaged_cache_is_no_cache(tmp_path: Path, damage: str) -> None:
    clock = FakeClock()
    source = Source([BTC])
    await markets(source, clock, tmp_path).prepare("spot")
    path = only_file(tmp_path)
    document = orjson.loads(path.read_bytes())
    if damage == "number":
        document["markets"][0]["tick"] = "many"
    elif damage == "future":
        document["fetched_ms"] = clock.now_ms() + 60_000
    elif damage != "cut":
        document[damage] = "other"
    text = orjson.dumps(document)
    path.write_bytes(text[: len(text) // 2] if damage == "cut" else text)
    await markets(source, clock, tmp_path).prepare("spot")
    assert source.asked == 2


async def test_an_unknown_name_refreshes_an_old_table_once() -> None:
    clock = FakeClock()
    source = Source([BTC])
    book = markets(source, clock)
    await book.prepare("spot", ["NEWUSDT"])
    await book.prepare("spot", ["NEWUSDT"])
    assert source.asked == 1
    clock.advance(REFRESH_AFTER_MS + 1)
    source.rows = [BTC, replace(BTC, venue_id="NEWUSDT", symbol="NEW/USDT")]
    await book.prepare("spot", ["NEWUSDT"])
    assert book.symbol("spot", "NEWUSDT") == "NEW/USDT"
    assert source.asked == 2


async def test_a_failed_fetch_is_told_and_tried_again_later() -> None:
    clock = FakeClock()
    source = Source(None)
    book = markets(source, clock)
    await book.prepare("spot")
    await book.prepare("spot")
    assert source.asked == 1
    assert any("were not read" in note for note in book.notes("spot", ["BTCUSDT"]))
    clock.advance(10_000)
    source.rows = [BTC]
    await book.prepare("spot")
    assert book.notes("spot", ["BTCUSDT"]) == ()


async def test_a_cache_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    book = markets(Source([BTC]), FakeClock(), tmp_path / "file" / "cache")
    await book.prepare("spot")
    assert book.symbol("spot", "BTCUSDT") == "BTC/USDT"


async def test_through_ccxt_with_the_real_classes(tmp_path: Path) -> None:
    place = open_practice(cache_dir=tmp_path)
    place.spot_order()
    await place.view.read_open_orders(SPOT)
    path = only_file(tmp_path)
    rows = {
        (row["product"], row["venue_id"]): row for row in orjson.loads(path.read_bytes())["markets"]
    }
    spot, linear = rows["spot", "BTCUSDT"], rows["linear", "BTCUSDT"]
    assert (spot["symbol"], linear["symbol"]) == ("BTC/USDT", "BTC/USDT:USDT")
    assert linear["settle"] == "USDT"
    assert Decimal(spot["tick"]) > 0
    assert Decimal(spot["step"]) > 0
    assert Decimal(linear["contract_size"]) == 1
    assert not [row for row in place.asked() if row.path.startswith("/sapi")]
    await place.venue.close()
    second = open_practice(cache_dir=tmp_path, exchange=place.exchange, clock=place.clock)
    await second.view.read_open_orders(SPOT)
    assert [row.path for row in place.asked()].count("/api/v3/exchangeInfo") == 1
    await second.venue.close()


def test_kinds_that_are_not_read() -> None:
    row = {"id": "X", "symbol": "X", "base": "X", "quote": "Y"}
    assert market_from_ccxt({**row, "option": True}) is None
    assert market_from_ccxt(row) is None
    inverse = market_from_ccxt({**row, "inverse": True, "contractSize": "100"})
    assert inverse is not None
    assert inverse.product == "inverse"
    assert market_from_ccxt({**row, "spot": True, "precision": {"price": 0.1}}) is not None
