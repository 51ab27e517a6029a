"""Pages are walked along the venue's own cursor, to the end or to an honest "not complete"."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from resyncctl.core.model import Scope
from resyncctl.core.snapshot import Known, Unknown, Window
from tests.adapters.venues.generic_kit import BODIES, NOW_MS, open_scripted
from tests.adapters.venues.generic_samples import (
    BYBIT_ORDER,
    OKX_ORDER,
    bybit,
    kraken,
    kucoin,
    okx,
)
from tests.adapters.venues.scripted import Asked, Say

HOUR_MS = 3_600_000
DAY = Window(NOW_MS - 24 * HOUR_MS, NOW_MS)


def numbered(row: Mapping[str, Any], key: str, count: int) -> list[dict[str, Any]]:
    return [{**row, key: f"{n:04d}"} for n in range(count)]


def bybit_pages(total: int, size: int = 50) -> Callable[[Asked], Say]:
    """Answer as Bybit does: at most `size` rows, and a cursor while there is more."""
    rows = numbered(BYBIT_ORDER, "orderId", total)

    def answer(asked: Asked) -> Say:
        if asked.params.get("settleCoin") == "USDC":
            return Say(bybit([]))
        start = int(asked.params.get("cursor", 0))
        size_asked = min(int(asked.params.get("limit", 20)), size)
        page = rows[start : start + size_asked]
        end = start + len(page)
        return Say(bybit(list(page), str(end) if end < total else ""))

    return answer


@pytest.mark.parametrize("total", [0, 1, 49, 50, 51, 150, 700])
async def test_bybit_orders_are_listed_to_the_last_row(total: int) -> None:
    opened = open_scripted("bybit", {"GET /v5/order/realtime": bybit_pages(total)})
    section = await opened.view.read_open_orders(Scope("linear"))
    assert isinstance(section, Known)
    assert section.complete
    assert len(section.data) == total
    coins = {one.params.get("settleCoin") for one in opened.session.asked}
    assert coins == {"USDT", "USDC"}
    await opened.view.close()


@pytest.mark.parametrize("total", [0, 99, 100, 101, 250])
async def test_okx_orders_follow_the_order_id(total: int) -> None:
    rows = numbered(OKX_ORDER, "ordId", total)

    def answer(asked: Asked) -> Say:
        after = asked.params.get("after")
        start = 0 if after is None else int(after) + 1
        return Say(okx(list(rows[start : start + 100])))

    opened = open_scripted("okx", {"GET /api/v5/trade/orders-pending": answer})
    section = await opened.view.read_open_orders(Scope("spot"))
    assert isinstance(section, Known)
    assert len(section.data) == total
    assert section.complete
    assert all("until" not in one.params for one in opened.session.asked)
    await opened.view.close()


def kraken_trades(total: int, said: int | None = None) -> Callable[[Asked], Say]:
    row: Any = BODIES["kraken"]["POST /0/private/TradesHistory"]
    sample = row["result"]["trades"]["THVRQM-33VKH-UCI7BS"]
    at = (NOW_MS - HOUR_MS) / 1000

    def answer(asked: Asked) -> Say:
        start = int(asked.params.get("ofs", 0))
        page = {f"T{n:04d}": {**sample, "time": at} for n in range(start, min(start + 50, total))}
        return Say(kraken({"trades": page, "count": total if said is None else said}))

    return answer


@pytest.mark.parametrize("total", [0, 49, 50, 51, 130])
async def test_kraken_fills_of_one_moment_are_all_found(total: int) -> None:
    opened = open_scripted("kraken", {"POST /0/private/TradesHistory": kraken_trades(total)})
    section = await opened.view.read_fills("spot", DAY, ())
    assert isinstance(section, Known), section
    assert len({fill.trade_id for fill in section.data}) == total
    assert section.complete
    await opened.view.close()


async def test_a_count_that_is_not_reached_is_no_answer() -> None:
    opened = open_scripted("kraken", {"POST /0/private/TradesHistory": kraken_trades(30, said=31)})
    section = await opened.view.read_fills("spot", DAY, ())
    assert isinstance(section, Unknown)
    assert "counts 31 rows and sent 30" in section.reason
    await opened.view.close()


async def test_a_cursor_that_leads_nowhere_is_no_answer() -> None:
    body = bybit([BYBIT_ORDER], cursor="again")
    opened = open_scripted("bybit", {"GET /v5/order/realtime": body})
    section = await opened.view.read_open_orders(Scope("linear"))
    assert isinstance(section, Unknown)
    await opened.view.close()


async def test_a_cursor_field_that_is_missing_is_no_answer() -> None:
    body: Any = bybit([BYBIT_ORDER])
    del body["result"]["nextPageCursor"]
    opened = open_scripted("bybit", {"GET /v5/order/realtime": body})
    section = await opened.view.read_open_orders(Scope("linear"))
    assert isinstance(section, Unknown)
    assert "nextPageCursor" in section.reason
    await opened.view.close()


async def test_a_second_page_that_breaks_leaves_nothing_half_read() -> None:
    first = bybit(list(numbered(BYBIT_ORDER, "orderId", 50)), cursor="next")
    routes = {"GET /v5/order/realtime": (Say(first), Say("<html>"))}
    opened = open_scripted("bybit", routes)
    section = await opened.view.read_open_orders(Scope("linear"))
    assert isinstance(section, Unknown)
    await opened.view.close()


async def test_a_page_number_that_the_venue_counts_further_is_asked_for() -> None:
    sample: Any = BODIES["kucoin"]["GET /api/v1/orders"]
    row = sample["data"]["items"][0]

    def answer(asked: Asked) -> Say:
        page = int(asked.params["currentPage"])
        body: Any = kucoin([{**row, "id": f"{page}-{n}"} for n in range(2)])
        body["data"] |= {"currentPage": page, "totalPage": 3, "totalNum": 6}
        return Say(body)

    names = "GET /api/v1/hf/orders/active/symbols"
    routes = {"GET /api/v1/orders": answer, names: BODIES["kucoin"][names]}
    opened = open_scripted("kucoin", routes)
    section = await opened.view.read_open_orders(Scope("spot"))
    assert isinstance(section, Known)
    assert len(section.data) == 6
    pages = [one.params.get("currentPage") for one in opened.session.asked]
    assert pages == ["1", "2", "3", None]
    await opened.view.close()


async def test_a_page_count_that_hides_rows_is_no_answer() -> None:
    sample: Any = BODIES["kucoin"]["GET /api/v1/orders"]
    body: Any = kucoin(sample["data"]["items"])
    body["data"]["totalNum"] = 2
    opened = open_scripted("kucoin", {"GET /api/v1/orders": body})
    assert isinstance(await opened.view.read_open_orders(Scope("spot")), Unknown)
    await opened.view.close()


@pytest.mark.parametrize(("oldest_hours_ago", "complete"), [(2, False), (30, True)])
async def test_newest_fills_are_whole_only_when_they_reach_back(
    oldest_hours_ago: int, complete: bool
) -> None:
    body: Any = BODIES["krakenfutures"]["GET /derivatives/api/v3/fills"]
    from datetime import UTC, datetime

    rows = []
    for n in range(100):
        at_ms = NOW_MS - oldest_hours_ago * HOUR_MS * (n + 1) // 100
        at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()
        rows.append({**body["fills"][0], "fill_id": str(n), "fillTime": at})
    opened = open_scripted(
        "krakenfutures", {"GET /derivatives/api/v3/fills": {**body, "fills": rows}}
    )
    section = await opened.view.read_fills("futures", DAY, ())
    assert isinstance(section, Known)
    assert section.complete is complete
    assert all(DAY.since_ms <= fill.at_ms <= DAY.until_ms for fill in section.data)
    await opened.view.close()


async def test_same_millisecond_fills_at_a_page_border_are_not_lost() -> None:
    sample: Any = BODIES["deribit"]["GET /api/v2/private/get_user_trades_by_currency_and_time"]
    row = sample["result"]["trades"][0]
    moments = [NOW_MS - HOUR_MS + n // 7 for n in range(60)]
    rows = [
        {**row, "trade_id": f"ETH-{n}", "timestamp": at, "amount": n + 1}
        for n, at in enumerate(moments)
    ]

    def answer(asked: Asked) -> Say:
        if asked.params["currency"] != "ETH":
            return Say({"jsonrpc": "2.0", "result": {"trades": [], "has_more": False}})
        since = int(asked.params["start_timestamp"])
        left = [one for one in rows if one["timestamp"] >= since]
        page = left[:20]
        return Say({"jsonrpc": "2.0", "result": {"trades": page, "has_more": len(left) > 20}})

    opened = open_scripted(
        "deribit", {"GET /api/v2/private/get_user_trades_by_currency_and_time": answer}
    )
    section = await opened.view.read_fills("derivatives", DAY, ())
    assert isinstance(section, Known), section
    assert len(section.data) == 60
    assert sum(fill.quantity for fill in section.data) == Decimal(60 * 61 // 2)
    await opened.view.close()


async def test_more_fills_in_one_millisecond_than_a_page_holds_is_not_called_whole() -> None:
    sample: Any = BODIES["deribit"]["GET /api/v2/private/get_user_trades_by_currency_and_time"]
    body = {"jsonrpc": "2.0", "result": {**sample["result"], "has_more": True}}
    opened = open_scripted(
        "deribit", {"GET /api/v2/private/get_user_trades_by_currency_and_time": body}
    )
    assert isinstance(await opened.view.read_fills("derivatives", DAY, ()), Unknown)
    await opened.view.close()


async def test_a_long_window_is_cut_where_the_venue_cuts_it_and_the_borders_overlap() -> None:
    opened = open_scripted("bybit", {"GET /v5/execution/list": bybit([])})
    window = Window(NOW_MS - 20 * 24 * HOUR_MS, NOW_MS)
    section = await opened.view.read_fills("linear", window, ())
    assert isinstance(section, Known)
    spans = [(int(a.params["startTime"]), int(a.params["endTime"])) for a in opened.session.asked]
    assert spans[0][0] == window.since_ms
    assert spans[-1][1] == window.until_ms
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert all(end - start <= 7 * 24 * HOUR_MS for start, end in spans)
    await opened.view.close()


async def test_two_rows_of_one_page_with_one_id_are_a_fault() -> None:
    rows: list[object] = [BYBIT_ORDER, {**BYBIT_ORDER, "qty": "0.2"}]
    opened = open_scripted("bybit", {"GET /v5/order/realtime": bybit(rows)})
    section = await opened.view.read_open_orders(Scope("linear"))
    assert isinstance(section, Unknown)
    assert "the same id" in section.reason
    await opened.view.close()


async def test_an_unending_listing_is_called_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resyncctl.adapters.venues.via_ccxt.generic_pages.MAX_PAGES", 3)
    opened = open_scripted("bybit", {"GET /v5/order/realtime": bybit_pages(1_000)})
    section = await opened.view.read_open_orders(Scope("linear"))
    assert isinstance(section, Known)
    assert len(section.data) == 150
    assert not section.complete
    await opened.view.close()


async def test_a_venue_that_must_be_told_symbols_is_incomplete_without_them() -> None:
    opened = open_scripted("mexc")
    told = await opened.view.read_fills("swap", Window(0, NOW_MS), ("BTC/USDT:USDT",))
    assert isinstance(told, Known)
    assert told.complete
    assert {one.params["symbol"] for one in opened.session.asked} == {"BTC_USDT"}
    untold = await opened.view.read_fills("swap", DAY, ())
    assert isinstance(untold, Known)
    assert not untold.complete
    await opened.view.close()
