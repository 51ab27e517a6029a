"""The market table: kept on disk, asked for at most once, and never on the way to a cancel."""

import json
from pathlib import Path
from typing import Any

import pytest

from resyncctl.adapters.venues.via_ccxt.generic_cache import KEPT_MS, MarketCache
from resyncctl.adapters.venues.via_ccxt.generic_instruments import InstrumentTable
from resyncctl.core.model import Scope
from resyncctl.core.snapshot import Known
from tests.adapters.venues.generic_kit import (
    BODIES,
    MARKETS,
    NOW_MS,
    M,
    Opened,
    open_scripted,
    set_markets,
)
from tests.adapters.venues.scripted import Say
from tests.fakes.fake_clock import FakeClock

PAIRS = "GET /0/public/AssetPairs"
PAIR = {
    "altname": "XBTUSD",
    "wsname": "XBT/USD",
    "aclass_base": "currency",
    "base": "XXBT",
    "aclass_quote": "currency",
    "quote": "ZUSD",
    "lot": "unit",
    "cost_decimals": 5,
    "pair_decimals": 1,
    "lot_decimals": 8,
    "lot_multiplier": 1,
    "leverage_buy": [],
    "leverage_sell": [],
    "fees": [[0, 0.26]],
    "fees_maker": [[0, 0.16]],
    "fee_volume_currency": "ZUSD",
    "ordermin": "0.0001",
    "costmin": "0.5",
    "tick_size": "0.1",
    "status": "online",
}
SPOT = Scope("spot")


def cache_in(directory: Path, clock: FakeClock) -> MarketCache:
    return MarketCache(venue="kraken", world="live", directory=directory, clock=clock)


def open_kraken(directory: Path, *, may_load: bool = True) -> Opened:
    opened = open_scripted("kraken", markets=False)
    opened.session.on(PAIRS, Say({"error": [], "result": {"XXBTZUSD": PAIR}}))
    opened.view._reader.instruments = InstrumentTable(
        opened.exchange, cache_in(directory, opened.clock)
    )
    opened.view._reader.may_load = may_load
    return opened


async def listed(opened: Opened) -> list[str]:
    section = await opened.view.read_open_orders(SPOT)
    await opened.view.read_balances("spot")
    await opened.view.close()
    assert isinstance(section, Known), section
    return [order.symbol for order in section.data]


async def test_the_table_is_asked_for_once_and_kept(tmp_path: Path) -> None:
    first = open_kraken(tmp_path)
    assert await listed(first) == ["BTC/USD"]
    assert len(first.session.requests(PAIRS)) == 1
    second = open_kraken(tmp_path)
    assert await listed(second) == ["BTC/USD"]
    assert second.session.requests(PAIRS) == []


async def test_on_the_way_to_a_cancel_an_old_table_is_better_than_none(tmp_path: Path) -> None:
    await listed(open_kraken(tmp_path))
    old = open_kraken(tmp_path, may_load=False)
    old.clock.advance(30 * KEPT_MS)
    assert await listed(old) == ["BTC/USD"]
    assert old.session.requests(PAIRS) == []
    none = open_kraken(tmp_path / "elsewhere", may_load=False)
    assert await listed(none) == ["XBTUSD"]
    assert none.session.requests(PAIRS) == []


async def test_an_old_table_is_asked_for_again(tmp_path: Path) -> None:
    await listed(open_kraken(tmp_path))
    later = open_kraken(tmp_path)
    later.clock.advance(KEPT_MS + 1)
    assert await listed(later) == ["BTC/USD"]
    assert len(later.session.requests(PAIRS)) == 1


async def test_a_name_that_the_kept_table_lacks_is_worth_a_new_one(tmp_path: Path) -> None:
    await listed(open_kraken(tmp_path))
    path = cache_in(tmp_path, FakeClock()).path
    document = json.loads(path.read_text())
    document["markets"][0] |= {"id": "OTHER", "altname": "OTHER", "symbol": "OTHER/USD"}
    path.write_text(json.dumps(document))
    opened = open_kraken(tmp_path)
    assert await listed(opened) == ["BTC/USD"]
    assert len(opened.session.requests(PAIRS)) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "{",
        lambda text: "[]",
        lambda text: text.replace('"ccxt":"', '"ccxt":"0.'),
        lambda text: text.replace('"venue":"kraken"', '"venue":"okx"'),
        lambda text: text.replace('"format":1', '"format":9'),
        lambda text: text.replace('"id":"XXBTZUSD"', '"id":7'),
        lambda text: json.dumps({**json.loads(text), "markets": []}),
        lambda text: json.dumps({**json.loads(text), "markets": [5]}),
        lambda text: json.dumps({**json.loads(text), "fetched_ms": NOW_MS + 10}),
    ],
)
async def test_a_table_that_cannot_be_trusted_is_none(tmp_path: Path, spoil: Any) -> None:
    await listed(open_kraken(tmp_path))
    path = cache_in(tmp_path, FakeClock()).path
    path.write_text(spoil(path.read_text()))
    opened = open_kraken(tmp_path)
    assert await listed(opened) == ["BTC/USD"]
    assert len(opened.session.requests(PAIRS)) == 1


async def test_a_cache_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    assert await listed(open_kraken(blocked)) == ["BTC/USD"]
    assert blocked.read_text() == "not a directory"


async def test_a_table_that_cannot_be_read_leaves_raw_names_and_says_so(tmp_path: Path) -> None:
    opened = open_kraken(tmp_path)
    opened.session.on(PAIRS, Say("<html>", status=503))
    section = await opened.view.read_open_orders(SPOT)
    assert isinstance(section, Known)
    assert section.data[0].symbol == "XBTUSD"
    assert any("symbols are the venue's own" in note for note in section.notes)
    await opened.view.read_balances("spot")
    assert len(opened.session.requests(PAIRS)) == 1
    assert not cache_in(tmp_path, opened.clock).path.exists()
    await opened.view.close()


async def test_a_name_with_two_meanings_is_not_mapped() -> None:
    opened = open_scripted("gate")
    table = opened.view._reader.instruments
    assert table.find("BTC_USDT", "spot").symbol == "BTC/USDT"
    assert table.find("BTC_USDT", "usdt-swap").symbol == "BTC/USDT:USDT"
    set_markets(opened.exchange, [*MARKETS["gate"], M("BTC_USDT", "BTC/USDC:USDC", "1")])
    twice = table.find("BTC_USDT", "usdt-swap")
    assert (twice.symbol, twice.mapped) == ("BTC_USDT", False)
    assert table.venue_symbol("BTC/USDT") == "BTC_USDT"
    assert table.venue_symbol("NOPE/USDT") == "NOPE/USDT"
    await opened.view.close()


def test_every_planned_venue_maps_the_instruments_of_its_documented_rows() -> None:
    assert set(MARKETS) == set(BODIES)
