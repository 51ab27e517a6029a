"""Reading a Binance futures account, USD-M or COIN-M: one reading, two dialects.

Promises: regular and conditional orders are two listings of all symbols, and neither is ever taken
for both; every position leg of both position modes is read; fills are asked for every symbol that
anybody knows of and for every symbol that the income history names; a conditional order that has
triggered is followed to the order that it became.

Sources: Binance USD-M and COIN-M documentation, 2026-08; since 2026-06-30 both share one
architecture ("Important CM-UM Integration Notice"). Called by `venue`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.binance import rows
from resyncctl.adapters.venues.via_ccxt.binance.desk import Desk, Unreadable, once
from resyncctl.adapters.venues.via_ccxt.binance.history import PAGE, read_all_fills
from resyncctl.adapters.venues.via_ccxt.classify import is_not_found, trouble_of
from resyncctl.adapters.venues.via_ccxt.envelopes import Row, rows_at
from resyncctl.adapters.venues.via_ccxt.pager import Keys, Reading, read_span
from resyncctl.core.model import (
    Balance,
    Fill,
    LedgerEntry,
    Order,
    OrderClass,
    OrderStatus,
    Position,
    Scope,
)
from resyncctl.core.snapshot import Known, LookUp, NotFound, OrderReference, Unknown, Window

FILLS_WINDOW_MS = 7 * 24 * 3_600_000
INCOME_WINDOW_MS = 7 * 24 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How ccxt names the endpoints of one futures market, and what the market is called.

    The rows of legs stand at `positions_at` in the answer of `positions`. `second_positions` is
    asked when there are none, where that is suspicious: in a market that lists flat contracts too.
    """

    product: str
    words: str
    listings: Mapping[OrderClass, str]
    positions: str
    mode: str
    balances: str
    income: str
    trades: str
    order: str
    algo_order: str
    positions_at: str = ""
    second_positions: str | None = None


INCOME_KEYS = Keys(
    identify=lambda row: ":".join(
        (
            read.text(row, "incomeType"),
            read.text(row, "tranId"),
            read.optional_text(row, "symbol") or "",
            read.optional_text(row, "tradeId") or "",
            read.text(row, "asset"),
        )
    ),
    at_ms=lambda row: read.at_ms(row, "time"),
)


async def read_open_orders(desk: Desk, dialect: Dialect, scope: Scope) -> Known[Order]:
    """List every resting order of one class, all symbols.

    Raises:
        Unreadable: The listing could not be read.
        Malformed: A row could not be understood.
    """
    page = await desk.rows(dialect.listings[scope.order_class])
    listed = once(page, "symbol", "algoId" if scope.order_class is OrderClass.ALGO else "orderId")
    names = {read.text(row, "symbol") for row in listed}
    await desk.markets.prepare(dialect.product, names)
    parse = rows.algo_order if scope.order_class is OrderClass.ALGO else rows.futures_order
    orders = [
        parse(row, desk.account, desk.symbol_of(dialect.product), dialect.product) for row in listed
    ]
    # A triggered order may linger in the listing; what it became is in the regular one.
    resting = [order for order in orders if not order.is_terminal]
    whole = not (resting and desk.markets.wanted_in_vain(dialect.product))
    return desk.known(resting, notes=desk.markets.notes(dialect.product, names), complete=whole)


async def read_positions(desk: Desk, dialect: Dialect) -> Known[Position]:
    """Read every leg that is not flat.

    Raises:
        Unreadable: The legs could not be read.
        Malformed: A row could not be understood.
    """
    listed = once(await _legs(desk, dialect), "symbol", "positionSide")
    names = {read.text(row, "symbol") for row in listed if read.number(row, "positionAmt")}
    await desk.markets.prepare(dialect.product, names)
    legs = [
        rows.position(row, desk.account, desk.symbol_of(dialect.product), dialect.product)
        for row in listed
    ]
    return desk.known(legs, notes=desk.markets.notes(dialect.product, names))


async def _legs(desk: Desk, dialect: Dialect) -> Sequence[Row]:
    """Return the rows of every leg, from a second listing when the first one is empty."""
    listed = rows_at(await desk.read(dialect.positions), dialect.positions_at)
    if listed or dialect.second_positions is None:
        return listed
    return await desk.rows(dialect.second_positions)


async def read_position_mode(desk: Desk, dialect: Dialect) -> str | Unknown:
    """Return `hedge` or `one_way`."""
    try:
        config = await desk.row(dialect.mode)
    except Unreadable as error:
        return Unknown(error.reason)
    dual = config.get("dualSidePosition")
    if not isinstance(dual, bool):
        return Unknown("the exchange did not say which position mode the account has")
    return "hedge" if dual else "one_way"


async def read_balances(desk: Desk, dialect: Dialect) -> Known[Balance]:
    """Read the wallet balances.

    Raises:
        Unreadable: The balances could not be read.
        Malformed: A row could not be understood.
    """
    listed = once(await desk.rows(dialect.balances), "asset")
    return desk.known([rows.futures_balance(row, desk.account, dialect.product) for row in listed])


async def read_identity(desk: Desk, dialect: Dialect) -> Known[str]:
    """Return the account's unique alias.

    Raises:
        Unreadable: The balances could not be read, or name nobody.
    """
    listed = await desk.rows(dialect.balances)
    aliases = sorted({read.text(row, "accountAlias") for row in listed})
    if len(aliases) != 1:
        raise Unreadable(f"the exchange named {len(aliases)} account aliases instead of one")
    return desk.known([f"binance {dialect.words} alias {aliases[0]}"])


async def read_fills(
    desk: Desk, dialect: Dialect, window: Window, symbols: Sequence[str]
) -> Known[Fill]:
    """Read every fill of the window, also of symbols that nobody asked for.

    Raises:
        Unreadable: A page could not be read.
        Malformed: A row could not be understood.
    """
    booked = await _income(desk, dialect, window)
    traded = {read.optional_text(row, "symbol") for row in booked.rows} - {None}
    await desk.markets.prepare(dialect.product, (name for name in traded if name))
    asked = {symbol: desk.markets.venue_id(dialect.product, symbol) for symbol in symbols}
    unnamed = sorted(symbol for symbol, name in asked.items() if name is None)
    names = sorted({name for name in (*asked.values(), *traded) if name})
    found, trouble = await read_all_fills(
        desk, dialect.trades, window, names, longest_ms=FILLS_WINDOW_MS
    )
    fills = [
        rows.fill(row, desk.account, dialect.product, desk.symbol_of(dialect.product))
        for row in found
    ]
    notes = tuple(
        f"fills of {symbol} were not read: the exchange has no such instrument"
        for symbol in unnamed
    )
    trouble += _unlisted_trades(booked.rows, found)
    if booked.trouble is not None:
        trouble += (f"symbols of the income history: {booked.trouble}",)
    whole = not trouble and not unnamed
    return desk.known(fills, notes=(*notes, *trouble), window=window, complete=whole)


def _unlisted_trades(booked: Sequence[Row], found: Sequence[Row]) -> tuple[str, ...]:
    """Say when a commission was booked for a trade that the lists of fills do not have.

    A page that was cut short looks like a short page; the income history gives it away.
    """
    listed = {(read.text(row, "symbol"), read.text(row, "id")) for row in found}
    charged = {
        (read.optional_text(row, "symbol"), read.optional_text(row, "tradeId"))
        for row in booked
        if read.text(row, "incomeType") == "COMMISSION"
    }
    missing = sorted(f"{name} {trade}" for name, trade in charged - listed if name and trade)
    if not missing:
        return ()
    return (f"{len(missing)} trades were charged and are not listed, the first {missing[0]}",)


async def read_ledger(desk: Desk, dialect: Dialect, window: Window) -> Known[LedgerEntry]:
    """Read the income history: funding, commission, realised profit, transfers.

    Raises:
        Unreadable: A page could not be read.
        Malformed: A row could not be understood.
    """
    booked = await _income(desk, dialect, window)
    names = {name for row in booked.rows if (name := read.optional_text(row, "symbol"))}
    await desk.markets.prepare(dialect.product, names)
    entries = [
        rows.income(row, desk.account, desk.symbol_of(dialect.product), dialect.product)
        for row in booked.rows
    ]
    notes = () if booked.trouble is None else (booked.trouble,)
    return desk.known(entries, notes=notes, window=window, complete=booked.trouble is None)


async def _income(desk: Desk, dialect: Dialect, window: Window) -> Reading:
    """Read the income history; fills and ledger of one collect share the reading (weight 30)."""
    key = ("income", dialect.product, window)
    return await desk.together(key, lambda: _read_income(desk, dialect, window))


async def _read_income(desk: Desk, dialect: Dialect, window: Window) -> Reading:
    async def ask(start_ms: int, end_ms: int) -> tuple[Row, ...]:
        span = {"startTime": start_ms, "endTime": end_ms, "limit": PAGE}
        return tuple(await desk.rows(dialect.income, span))

    return await read_span(
        window.since_ms,
        window.until_ms,
        ask=ask,
        follow=None,
        keys=INCOME_KEYS,
        page_size=PAGE,
        longest_ms=INCOME_WINDOW_MS,
    )


async def look_up(desk: Desk, dialect: Dialect, reference: OrderReference) -> LookUp:
    """Ask for one order in the service of its class, by its id and then by the client's id.

    Raises:
        Unreadable: There is no usable answer.
        Malformed: The row could not be understood.
    """
    await desk.markets.prepare(dialect.product)
    if reference.scope.order_class is OrderClass.ALGO:
        return await _look_up_algo(desk, dialect, reference)
    symbol = await desk.markets.find_id(dialect.product, reference.symbol)
    if symbol is None:
        raise Unreadable(f"{reference.symbol} is not in the table of {dialect.product} instruments")
    found = await _first(
        desk,
        dialect.order,
        [
            {"symbol": symbol, "orderId": reference.venue_order_id},
            {"symbol": symbol, "origClientOrderId": reference.client_order_id},
        ],
    )
    if isinstance(found, str):
        return NotFound(reference, found)
    return rows.futures_order(found, desk.account, desk.symbol_of(dialect.product), dialect.product)


async def _look_up_algo(desk: Desk, dialect: Dialect, reference: OrderReference) -> LookUp:
    found = await _first(
        desk,
        dialect.algo_order,
        [{"algoId": reference.venue_order_id}, {"clientAlgoId": reference.client_order_id}],
    )
    if isinstance(found, str):
        return NotFound(reference, found)
    order = rows.algo_order(found, desk.account, desk.symbol_of(dialect.product), dialect.product)
    if order.status is not OrderStatus.TRIGGERED:
        return order
    return await _follow_trigger(desk, dialect, order, read.optional_text(found, "actualOrderId"))


async def _follow_trigger(desk: Desk, dialect: Dialect, algo: Order, number: str | None) -> Order:
    """Return the conditional order with the fate of the order that its trigger made."""
    if number is None or number == "0":
        return algo
    child = await desk.row(dialect.order, {"symbol": algo.venue_symbol, "orderId": number})
    became = rows.futures_order(
        child, desk.account, desk.symbol_of(dialect.product), dialect.product
    )
    status = became.status if became.is_terminal else OrderStatus.TRIGGERED
    return replace(algo, status=status, filled=became.filled, average_price=became.average_price)


async def _first(desk: Desk, method: str, asked: Iterable[Mapping[str, object]]) -> Row | str:
    """Return the first row that is found, or in words why none is.

    Raises:
        Unreadable: An answer was neither a row nor "no such order".
    """
    detail = "it has no id to ask for"
    for params in asked:
        if None in params.values():
            continue
        found = await desk.attempt(method, params)
        if found.ok and isinstance(found.body, Mapping):
            return found.body
        if not is_not_found(found):
            raise Unreadable(trouble_of(found), found)
        detail = trouble_of(found)
    return detail
