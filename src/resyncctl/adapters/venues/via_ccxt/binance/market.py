"""Reading what Binance demands of an order, and the book that it would meet.

Promises: both are fetched now, never from a table on disk; every number is exact; a row, a filter
or a level that is missing or odd makes the whole answer unknown with the reason, never a guess; a
book that is crossed, out of order or old is not a book.

Sources: binance-spot-api-docs filters.md and rest-api.md (exchangeInfo, depth); USD-M documentation
(exchangeInfo, depth, "notional must be no smaller than ... unless you choose reduce only").
Called by `abilities`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.binance.desk import Desk, Unreadable
from resyncctl.adapters.venues.via_ccxt.binance.endpoints import BOOK_LEVELS
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row, rows_at
from resyncctl.core.market import InstrumentRules, OrderBook
from resyncctl.core.money import ZERO, NotANumber, decimal_from
from resyncctl.core.snapshot import Unknown

OLDEST_BOOK_MS = 10_000
"""Futures books say when they were written. One that is older than this is not the present one."""

Levels = tuple[tuple[Decimal, Decimal], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where one product's rules and books are read, and what is special about them."""

    info_method: str
    book_method: str
    one_symbol: bool
    rules: Callable[[str, Row], InstrumentRules]


async def read_rules(
    desk: Desk, sources: Mapping[str, Source], product: str, symbol: str
) -> InstrumentRules | Unknown:
    """Return the rules of one instrument."""
    source = sources.get(product)
    if source is None:
        return Unknown(f"the rules of {product} are not read here")
    try:
        name = await _venue_id(desk, product, symbol)
        asked = {"symbol": name, "showPermissionSets": "false"} if source.one_symbol else {}
        body = await desk.together(
            ("rules", product, asked.get("symbol")), lambda: desk.row(source.info_method, asked)
        )
        found = [row for row in rows_at(body, "symbols") if row.get("symbol") == name]
        if len(found) != 1:
            return Unknown(f"the exchange lists {symbol} {len(found)} times")
        return source.rules(symbol, found[0])
    except Unreadable as error:
        return Unknown(f"the rules of {symbol} were not read: {error.reason}")
    except Malformed as error:
        return Unknown(f"the rules of {symbol} could not be understood: {error.reason}")


async def read_book(
    desk: Desk, sources: Mapping[str, Source], product: str, symbol: str
) -> OrderBook | Unknown:
    """Return the best levels of one instrument."""
    source = sources.get(product)
    if source is None:
        return Unknown(f"books of {product} are not read here")
    asked_ms = desk.clock.now_ms()
    clock = desk.connection.clock
    try:
        name = await _venue_id(desk, product, symbol)
        body = await desk.row(source.book_method, {"symbol": name, "limit": BOOK_LEVELS})
        theirs_ms = desk.clock.now_ms() + clock.offset_ms if clock.measured else None
        return book_from(product, symbol, body, asked_ms=asked_ms, theirs_ms=theirs_ms)
    except Unreadable as error:
        return Unknown(f"the book of {symbol} was not read: {error.reason}")
    except Malformed as error:
        return Unknown(f"the book of {symbol} could not be understood: {error.reason}")


def book_from(
    product: str, symbol: str, body: Row, *, asked_ms: int, theirs_ms: int | None
) -> OrderBook:
    """Read a depth answer; `theirs_ms` is the exchange's time now, None while it is not known.

    Raises:
        Malformed: A level is not one, or the book is crossed, out of order, or old.
    """
    bids, asks = _levels(body["bids"], falling=True), _levels(body["asks"], falling=False)
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise Malformed("the book is crossed")
    written_ms = body.get("E")
    if isinstance(written_ms, int) and theirs_ms is not None:
        age_ms = theirs_ms - written_ms
        if age_ms > OLDEST_BOOK_MS:
            raise Malformed(f"the book is {age_ms // 1000} s old")
    return OrderBook(product=product, symbol=symbol, bids=bids, asks=asks, as_of_ms=asked_ms)


async def _venue_id(desk: Desk, product: str, symbol: str) -> str:
    name = await desk.markets.find_id(product, symbol)
    if name is None:
        raise Unreadable(f"{symbol} is not in the table of {product} instruments")
    return name


def _levels(rows: object, *, falling: bool) -> Levels:
    """Read one side of a book, best first; every level must be worse than the one before."""
    found: list[tuple[Decimal, Decimal]] = []
    for row in rows if isinstance(rows, list) else ():
        try:
            price, quantity = decimal_from(row[0]), decimal_from(row[1])
        except NotANumber:
            raise Malformed("a level of the book is not two exact numbers") from None
        if price <= ZERO or quantity <= ZERO:
            raise Malformed("a level of the book is not above zero")
        if found and (price >= found[-1][0] if falling else price <= found[-1][0]):
            raise Malformed("the levels of the book are out of order")
        found.append((price, quantity))
    return tuple(found)


def spot_rules(symbol: str, row: Row) -> InstrumentRules:
    """Read a row of spot's exchangeInfo.

    Raises:
        Malformed: Something that an order needs is missing or odd.
    """
    filters = _filters(row)
    lot, tick = _needed(filters, "LOT_SIZE"), _needed(filters, "PRICE_FILTER")
    notionals = [filters[name] for name in ("NOTIONAL", "MIN_NOTIONAL") if name in filters]
    by_side = filters.get("PERCENT_PRICE_BY_SIDE")
    both_sides = filters.get("PERCENT_PRICE")
    band = None
    if by_side is not None:  # what reduces on spot is a sale
        band = _band(
            read.number(by_side, "askMultiplierUp"), read.number(by_side, "askMultiplierDown")
        )
    elif both_sides is not None:
        band = _band(
            read.number(both_sides, "multiplierUp"), read.number(both_sides, "multiplierDown")
        )
    trading = _is_trading(row) and row.get("isSpotTradingAllowed") is True
    return InstrumentRules(
        product="spot",
        symbol=symbol,
        venue_symbol=read.text(row, "symbol"),
        base=read.text(row, "baseAsset"),
        quote=read.text(row, "quoteAsset"),
        quantity_step=_step(lot, "stepSize"),
        quantity_min=read.positive(read.number(lot, "minQty"), "minQty"),
        quantity_max=_largest(lot, filters.get("MARKET_LOT_SIZE")),
        price_tick=_step(tick, "tickSize"),
        notional_min=max((_not_negative(one, "minNotional") for one in notionals), default=ZERO),
        trading=trading,
        status=read.text(row, "status"),
        price_band=band,
    )


def linear_rules(symbol: str, row: Row) -> InstrumentRules:
    """Read a row of USD-M's exchangeInfo.

    Raises:
        Malformed: Something that an order needs is missing or odd.
    """
    filters = _filters(row)
    lot, tick = _needed(filters, "LOT_SIZE"), _needed(filters, "PRICE_FILTER")
    notional, percent = filters.get("MIN_NOTIONAL"), filters.get("PERCENT_PRICE")
    read.text(row, "contractType")  # a row without one is not a contract
    return InstrumentRules(
        product="linear",
        symbol=symbol,
        venue_symbol=read.text(row, "symbol"),
        base=read.text(row, "baseAsset"),
        quote=read.text(row, "quoteAsset"),
        quantity_step=_step(lot, "stepSize"),
        quantity_min=read.positive(read.number(lot, "minQty"), "minQty"),
        quantity_max=_largest(lot, filters.get("MARKET_LOT_SIZE")),
        price_tick=_step(tick, "tickSize"),
        notional_min=ZERO if notional is None else _not_negative(notional, "notional"),
        notional_min_applies_to_reducing=False,
        trading=_is_trading(row),
        status=read.text(row, "status"),
        price_band=percent_band(percent),
    )


SOURCES: Mapping[str, Source] = {
    "spot": Source(
        info_method="publicGetExchangeInfo",
        book_method="publicGetDepth",
        one_symbol=True,
        rules=spot_rules,
    ),
    "linear": Source(
        info_method="fapiPublicGetExchangeInfo",
        book_method="fapiPublicGetDepth",
        one_symbol=False,
        rules=linear_rules,
    ),
}


def _filters(row: Row) -> Mapping[str, Row]:
    found: dict[str, Row] = {}
    for one in rows_at(row, "filters"):
        name = read.text(one, "filterType")
        if name in found:
            raise Malformed(f"the filter {name} is listed twice")
        found[name] = one
    return found


def _needed(filters: Mapping[str, Row], name: str) -> Row:
    if name not in filters:
        raise Malformed(f"the filter {name} is missing")
    return filters[name]


def _step(row: Row, key: str) -> Decimal:
    return read.positive(read.number(row, key), key)


def _not_negative(row: Row, key: str) -> Decimal:
    found = read.number(row, key)
    if found < ZERO:
        raise Malformed(f"{key!r} is below zero")
    return found


def _largest(lot: Row, market_lot: Row | None) -> Decimal:
    """Return the largest quantity of one order: no slice is larger than a market order may be."""
    largest = read.positive(read.number(lot, "maxQty"), "maxQty")
    market = ZERO if market_lot is None else _not_negative(market_lot, "maxQty")
    return min(largest, market) if market > ZERO else largest


def percent_band(row: Row | None) -> Decimal | None:
    """Return how far a price may be from the market on either side, None when nothing is told."""
    if row is None:
        return None
    return _band(read.number(row, "multiplierUp"), read.number(row, "multiplierDown"))


def _band(up: Decimal, down: Decimal) -> Decimal:
    """Return the narrower side of a band of prices as a ratio."""
    if not ZERO <= down < 1 < up:
        raise Malformed("the band of prices does not contain the price")
    return min(up - 1, 1 - down)


def _is_trading(row: Row) -> bool:
    """Whether the exchange takes limit orders that never rest on this instrument now."""
    if read.text(row, "status") != "TRADING":
        return False
    return _offers(row.get("orderTypes"), "LIMIT") and _offers(row.get("timeInForce"), "IOC")


def _offers(names: object, wanted: str) -> bool:
    """Whether a list of words holds one; where there is no list (spot's times), it does."""
    if names is None:
        return True
    return isinstance(names, Sequence) and not isinstance(names, str) and wanted in names
