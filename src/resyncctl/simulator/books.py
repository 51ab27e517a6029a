"""Synthetic order books around the mid price, with sequence numbers that a client can check.

Promises: a book, its update id and every change between two books are pure functions of the price
path and the time, so the REST snapshot and the stream can never disagree. Each market and symbol
has its own counter (one shared counter would look like gaps). A change names every level that any
book between its two ends held, so a snapshot taken anywhere in between can be brought up to date
with it.

The accounts' own orders are not part of these books: matching crosses them against the mid.

Called by the REST dialects (`/depth`, `bookTicker`) and by the market data streams.
"""

from collections import OrderedDict
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from resyncctl.simulator.catalogue import Catalogue, Market, SymbolRow
from resyncctl.simulator.prices import PricePath, noise

BOOK_EVERY_MS = 100
LEVELS = 50
_CACHED_BOOKS = 4_096
_QUANTITY_LASTS = 16

Level = tuple[Decimal, Decimal]


@dataclass(frozen=True)
class Book:
    """One side-by-side picture of a symbol's book; best levels first."""

    update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True)
class BookChange:
    """What a client must apply to go from one book to a later one; quantity zero removes a level.

    `first_id` and `last_id` are the exchange's `U` and `u`; `previous_last_id` is USD-M's `pu`.
    """

    first_id: int
    last_id: int
    previous_last_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True)
class PublicTrade:
    """One trade of the crowd, to feed the trade stream."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool


class Books:
    """The synthetic books of every symbol of one catalogue."""

    def __init__(self, catalogue: Catalogue, prices: PricePath, seed: int = 0) -> None:
        self._catalogue = catalogue
        self._prices = prices
        self._seed = seed
        self._made: OrderedDict[tuple[Market, str, int], Book] = OrderedDict()

    def book(self, market: Market, symbol: str, now_ms: int) -> Book:
        """Return the book at that time. Raise `KeyError` for a symbol that is not listed."""
        return self._book_at(market, symbol, now_ms // BOOK_EVERY_MS)

    def change(self, market: Market, symbol: str, since_ms: int, until_ms: int) -> BookChange:
        """Return what changed from the book at `since_ms` to the book at `until_ms`."""
        first, last = since_ms // BOOK_EVERY_MS, until_ms // BOOK_EVERY_MS
        books = [self._book_at(market, symbol, place) for place in range(first, last + 1)]
        return BookChange(
            first_id=books[0].update_id + 1,
            last_id=books[-1].update_id,
            previous_last_id=books[0].update_id,
            bids=_side_change([book.bids for book in books], best_first=-1),
            asks=_side_change([book.asks for book in books], best_first=1),
        )

    def trade(self, market: Market, symbol: str, now_ms: int) -> PublicTrade:
        """Return the crowd's trade of the current second."""
        second = now_ms // 1_000
        row = self._catalogue.rows(market)[symbol]
        dice = noise(self._seed, f"{market}/{symbol}/trade", 0, second)
        book = self.book(market, symbol, second * 1_000)
        sold = bool(dice & 1)
        return PublicTrade(
            trade_id=second,
            price=book.bids[0][0] if sold else book.asks[0][0],
            quantity=_unit(row) * (dice % 50 + 1),
            buyer_is_maker=sold,
        )

    def _book_at(self, market: Market, symbol: str, place: int) -> Book:
        key = (market, symbol, place)
        known = self._made.get(key)
        if known is None:
            known = self._make(self._catalogue.rows(market)[symbol], place)
            self._made[key] = known
            while len(self._made) > _CACHED_BOOKS:
                self._made.popitem(last=False)
        return known

    def _make(self, row: SymbolRow, place: int) -> Book:
        mid = self._prices.mid(row.market, row.name, place * BOOK_EVERY_MS)
        mid_ticks = int(mid / row.tick)
        # The grid of levels hangs on the anchor, not on the mid: a level keeps its price while the
        # mid passes over it, as in a real book.
        gap = max(int(row.anchor_price / row.tick) // 20_000, 1)
        best_bid = -(-mid_ticks // gap) - 1
        best_ask = mid_ticks // gap + 1
        bid_places = [best_bid - depth for depth in range(LEVELS) if best_bid - depth > 0]
        ask_places = [best_ask + depth for depth in range(LEVELS)]
        return Book(
            update_id=self._update_id(row, place),
            bids=tuple(self._level(row, "bid", gap, where, place) for where in bid_places),
            asks=tuple(self._level(row, "ask", gap, where, place) for where in ask_places),
        )

    def _level(self, row: SymbolRow, side: str, gap: int, where: int, place: int) -> Level:
        name = f"{row.market}/{row.name}/{side}"
        # A sixteenth of the levels changes its quantity in each step.
        dice = noise(self._seed, name, where, (place + where) // _QUANTITY_LASTS)
        return where * gap * row.tick, _unit(row) * (dice % 900 + 100)

    def _update_id(self, row: SymbolRow, place: int) -> int:
        start = noise(self._seed, f"{row.market}/{row.name}/updates", 0, 0)
        pace = start % 4 + 1
        return start % 1_000_000 + place * pace


def _unit(row: SymbolRow) -> Decimal:
    """Return a quantity worth about a twentieth of the smallest order, in whole steps."""
    wanted = row.min_notional / row.anchor_price / 20
    return (
        max((wanted / row.step).to_integral_value(rounding=ROUND_HALF_EVEN), Decimal(1)) * row.step
    )


def _side_change(sides: list[tuple[Level, ...]], *, best_first: int) -> tuple[Level, ...]:
    """Return every level that is not the same in all the books, at its last quantity."""
    books = [dict(side) for side in sides]
    nothing = Decimal(0)
    touched = {
        price: books[-1].get(price, nothing)
        for price in {price for book in books for price in book}
        if len({book.get(price, nothing) for book in books}) > 1
    }
    return tuple(sorted(touched.items(), key=lambda level: best_first * level[0]))
