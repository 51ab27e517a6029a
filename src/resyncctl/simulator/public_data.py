"""Handlers that need no account: ping, time, exchangeInfo, depth, tickers, system status.

Promises: depth and tickers come from the same books as the streams; exchangeInfo follows the
statuses that the control plane has set.

Called through `endpoints`.
"""

from collections.abc import Callable
from typing import Any

from resyncctl.simulator.calls import Call
from resyncctl.simulator.exchange_info import UnknownSymbol
from resyncctl.simulator.numbers import padded, plain
from resyncctl.simulator.venue_errors import refuse, unknown_symbol


def ping(_: Call) -> dict[str, Any]:
    """GET ping."""
    return {}


def server_time(call: Call) -> dict[str, int]:
    """GET time."""
    return {"serverTime": call.world.now_ms()}


def exchange_info(call: Call) -> bytes:
    """GET exchangeInfo, rendered once per question."""
    try:
        return call.world.documents.document(
            call.market,
            call.parameters,
            statuses=call.world.statuses[call.market],
            now_ms=call.world.now_ms(),
        )
    except UnknownSymbol:
        raise unknown_symbol() from None


def depth(call: Call) -> dict[str, Any]:
    """GET depth."""
    symbol = call.symbol(call.market)
    limit = call.limit(100, 5000)
    world = call.world
    book = world.books.book(call.market, symbol, world.clock_now_ms())
    write = padded if call.market == "spot" else plain
    document: dict[str, Any] = {
        "lastUpdateId": book.update_id,
        "bids": [[write(price), write(quantity)] for price, quantity in book.bids[:limit]],
        "asks": [[write(price), write(quantity)] for price, quantity in book.asks[:limit]],
    }
    if call.market != "spot":
        document |= {"E": world.now_ms(), "T": world.now_ms()}
    return document


def book_ticker(call: Call) -> Any:
    """GET ticker/bookTicker, of one symbol or of all."""
    symbol = call.maybe_symbol(call.market)
    if symbol:
        return _book_ticker(call, symbol)
    return [_book_ticker(call, name) for name in call.world.catalogue.rows(call.market)]


def price_ticker(call: Call) -> Any:
    """GET ticker/price, of one symbol or of all."""
    symbol = call.maybe_symbol(call.market)
    names = [symbol] if symbol else list(call.world.catalogue.rows(call.market))
    rows = [{"symbol": name, "price": plain(call.world.mid(call.market, name))} for name in names]
    return rows[0] if symbol else rows


def premium_index(call: Call) -> Any:
    """GET /fapi/v1/premiumIndex: mark price and funding."""
    symbol = call.maybe_symbol("usdm")
    names = [symbol] if symbol else list(call.world.catalogue.rows("usdm"))
    now_ms = call.world.now_ms()
    rows = [
        {
            "symbol": name,
            "markPrice": plain(call.world.mid("usdm", name)),
            "indexPrice": plain(call.world.mid("usdm", name)),
            "estimatedSettlePrice": plain(call.world.mid("usdm", name)),
            "lastFundingRate": "0.00010000",
            "interestRate": "0.00010000",
            "nextFundingTime": (now_ms // 28_800_000 + 1) * 28_800_000,
            "time": now_ms,
        }
        for name in names
    ]
    return rows[0] if symbol else rows


def system_status(call: Call) -> dict[str, Any]:
    """GET /sapi/v1/system/status."""
    down = call.world.settings.system_status
    return {"status": down, "msg": "system maintenance" if down else "normal"}


def coins(call: Call) -> list[dict[str, Any]]:
    """GET /sapi/v1/capital/config/getall: the coins of the catalogue."""
    rows = call.world.catalogue.rows("spot").values()
    names = sorted({row.base for row in rows} | {row.quote for row in rows})
    return [
        {
            "coin": name,
            "depositAllEnable": True,
            "withdrawAllEnable": False,
            "name": name,
            "free": padded(call.account.balance("spot", name).free),
            "locked": padded(call.account.balance("spot", name).locked),
            "freeze": "0",
            "withdrawing": "0",
            "ipoing": "0",
            "ipoable": "0",
            "storage": "0",
            "isLegalMoney": False,
            "trading": True,
            "networkList": [],
        }
        for name in names
    ]


def nothing(_: Call) -> list[Any]:
    """Answer an empty list: products that this venue does not have (margin pairs)."""
    return []


def start_listen_key(call: Call) -> dict[str, str]:
    """POST /fapi/v1/listenKey: the active key again while it lives."""
    return {"listenKey": call.world.start_listen_key(call.account, call.market)}


def keep_listen_key(call: Call) -> dict[str, str]:
    """PUT /fapi/v1/listenKey. Raise VenueError -1125 when there is none."""
    if not call.world.has_listen_key(call.account, call.market):
        raise refuse(-1125, "This listenKey does not exist.")
    return {"listenKey": call.world.start_listen_key(call.account, call.market)}


def end_listen_key(call: Call) -> dict[str, Any]:
    """DELETE /fapi/v1/listenKey."""
    call.world.end_listen_key(call.account, call.market)
    return {}


def _book_ticker(call: Call, symbol: str) -> dict[str, Any]:
    world = call.world
    book = world.books.book(call.market, symbol, world.clock_now_ms())
    write: Callable[[Any], str] = padded if call.market == "spot" else plain
    row: dict[str, Any] = {
        "symbol": symbol,
        "bidPrice": write(book.bids[0][0]),
        "bidQty": write(book.bids[0][1]),
        "askPrice": write(book.asks[0][0]),
        "askQty": write(book.asks[0][1]),
    }
    if call.market != "spot":
        row |= {"time": world.now_ms(), "lastUpdateId": book.update_id}
    return row
