"""Market data channels: their names, their pace, and the messages that they carry.

Promises: a message is a pure function of the channel, the books and the two times between which it
tells what happened, so every subscriber of a channel sees the same sequence numbers, and they are
those of the REST snapshot.

Shapes: binance-spot-api-docs web-socket-streams.md; USD-M "Websocket Market Streams" of
developers.binance.com. `BTCUSDT@depth@100ms` and its kin; spot `depth` moves once a second and
USD-M `depth` every 250 ms unless told otherwise.

Called by the market sessions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from resyncctl.simulator.books import Books, Level
from resyncctl.simulator.catalogue import Market

Payload = dict[str, Any]
Category = Literal["public", "market"]

_USDM_PUBLIC_KINDS = frozenset({"depth", "bookTicker", "trade"})
_PACES: Mapping[tuple[Market, str], Mapping[str, int]] = {
    ("spot", "depth"): {"": 1000, "1000ms": 1000, "100ms": 100},
    ("usdm", "depth"): {"": 250, "250ms": 250, "100ms": 100, "500ms": 500},
    ("spot", "trade"): {"": 1000},
    ("usdm", "trade"): {"": 1000},
    ("spot", "aggTrade"): {"": 1000},
    ("usdm", "aggTrade"): {"": 1000},
    ("spot", "bookTicker"): {"": 100},
    ("usdm", "bookTicker"): {"": 100},
    ("usdm", "markPrice"): {"": 3000, "1s": 1000},
}


@dataclass(frozen=True)
class Channel:
    """One thing that a client can subscribe to."""

    market: Market
    symbol: str
    kind: str
    every_ms: int
    name: str

    @property
    def category(self) -> Category:
        """The USD-M path on which this channel is served; spot has one path for all."""
        return "public" if self.kind in _USDM_PUBLIC_KINDS else "market"


def channel_named(market: Market, name: str) -> Channel | None:
    """Given a name such as `btcusdt@depth@100ms`, return the channel, or None for no channel."""
    symbol, at, rest = name.partition("@")
    kind, _, pace = rest.partition("@")
    paces = _PACES.get((market, kind))
    if not at or not symbol or symbol != symbol.lower() or paces is None or pace not in paces:
        return None
    return Channel(market, symbol.upper(), kind, paces[pace], name)


def payloads(channel: Channel, books: Books, since_ms: int, until_ms: int) -> list[Payload]:
    """Return what the channel says about the time after `since_ms` up to `until_ms`."""
    return _RENDERERS[channel.kind](channel, books, since_ms, until_ms)


def _depth(channel: Channel, books: Books, since_ms: int, until_ms: int) -> list[Payload]:
    change = books.change(channel.market, channel.symbol, since_ms, until_ms)
    if change.last_id < change.first_id:
        return []
    payload: Payload = {"e": "depthUpdate", "E": until_ms}
    if channel.market == "usdm":
        payload["T"] = until_ms
    payload |= {"s": channel.symbol, "U": change.first_id, "u": change.last_id}
    if channel.market == "usdm":
        payload["pu"] = change.previous_last_id
    payload |= {
        "b": _levels(channel.market, change.bids),
        "a": _levels(channel.market, change.asks),
    }
    return [payload]


def _trade(channel: Channel, books: Books, since_ms: int, until_ms: int) -> list[Payload]:
    trade = books.trade(channel.market, channel.symbol, until_ms)
    second_ms = until_ms // 1000 * 1000
    if second_ms <= since_ms:
        return []
    payload: Payload = {
        "e": "trade",
        "E": until_ms,
        "s": channel.symbol,
        "t": trade.trade_id,
        "p": _amount(channel.market, trade.price),
        "q": _amount(channel.market, trade.quantity),
        "T": second_ms,
        "m": trade.buyer_is_maker,
    }
    return [payload | ({"M": True} if channel.market == "spot" else {"X": "MARKET"})]


def _aggregate_trade(channel: Channel, books: Books, since_ms: int, until_ms: int) -> list[Payload]:
    return [
        {
            "e": "aggTrade",
            "E": trade["E"],
            "s": trade["s"],
            "a": trade["t"],
            "p": trade["p"],
            "q": trade["q"],
            "f": trade["t"],
            "l": trade["t"],
            "T": trade["T"],
            "m": trade["m"],
        }
        for trade in _trade(channel, books, since_ms, until_ms)
    ]


def _book_ticker(channel: Channel, books: Books, since_ms: int, until_ms: int) -> list[Payload]:
    before = books.book(channel.market, channel.symbol, since_ms)
    after = books.book(channel.market, channel.symbol, until_ms)
    if (before.bids[:1], before.asks[:1]) == (after.bids[:1], after.asks[:1]):
        return []
    bid, ask = after.bids[0], after.asks[0]
    payload: Payload = {
        "u": after.update_id,
        "s": channel.symbol,
        "b": _amount(channel.market, bid[0]),
        "B": _amount(channel.market, bid[1]),
        "a": _amount(channel.market, ask[0]),
        "A": _amount(channel.market, ask[1]),
    }
    if channel.market == "usdm":
        payload = {"e": "bookTicker", "E": until_ms, "T": until_ms} | payload
    return [payload]


def _mark_price(
    channel: Channel,
    books: Books,
    since_ms: int,  # noqa: ARG001  # the mark price is told whether it moved or not
    until_ms: int,
) -> list[Payload]:
    book = books.book(channel.market, channel.symbol, until_ms)
    price = _amount(channel.market, (book.bids[0][0] + book.asks[0][0]) / 2)
    eight_hours_ms = 8 * 3_600_000
    return [
        {
            "e": "markPriceUpdate",
            "E": until_ms,
            "s": channel.symbol,
            "p": price,
            "ap": price,
            "i": price,
            "P": price,
            "r": "0.00010000",
            "T": (until_ms // eight_hours_ms + 1) * eight_hours_ms,
        }
    ]


_RENDERERS: Mapping[str, Callable[[Channel, Books, int, int], list[Payload]]] = {
    "depth": _depth,
    "trade": _trade,
    "aggTrade": _aggregate_trade,
    "bookTicker": _book_ticker,
    "markPrice": _mark_price,
}


def _levels(market: Market, levels: tuple[Level, ...]) -> list[list[str]]:
    return [[_amount(market, price), _amount(market, quantity)] for price, quantity in levels]


def _amount(market: Market, number: Decimal) -> str:
    """Spot writes eight digits after the point; USD-M writes what the tick or step has."""
    return f"{number:.8f}" if market == "spot" else f"{number:f}"
