"""Reading a Binance spot account.

Promises: open orders are those of all symbols, and a leg of an order list that the listing lacks is
asked for by itself; fills are read in windows of a day per symbol, whole; deposits, withdrawals and
transfers to the futures wallet are the ledger, and what else may be booked is said in a note.

Source: binance-spot-api-docs rest-api.md; wallet endpoints (sapi) documentation.
Called by `venue`.
"""

import asyncio
from collections.abc import Mapping, Sequence

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.binance import rows
from resyncctl.adapters.venues.via_ccxt.binance.desk import Desk, Unreadable, once
from resyncctl.adapters.venues.via_ccxt.binance.history import read_all_fills
from resyncctl.adapters.venues.via_ccxt.classify import is_not_found, trouble_of
from resyncctl.adapters.venues.via_ccxt.envelopes import Row, rows_at
from resyncctl.adapters.venues.via_ccxt.pager import windows
from resyncctl.core.model import Balance, Fill, LedgerEntry, Order
from resyncctl.core.snapshot import Known, LookUp, NotFound, OrderReference, Window

PRODUCT = "spot"
DAY_MS = 24 * 3_600_000
LEDGER_WINDOW_MS = 90 * DAY_MS
LEDGER_PAGE = 1000
TRANSFER_PAGE = 100
TRANSFER_PAGES_MOST = 50
NO_LISTING_NOTE = (
    "Binance lists spot fills per symbol only: asked for the symbols of the engine, of open orders"
    " and of the configuration"
)
LEDGER_NOTE = (
    "the spot ledger holds deposits, withdrawals and transfers to and from USD-M futures;"
    " dust conversion, earn, convert and other wallets are not listed by these endpoints"
)


async def read_open_orders(desk: Desk) -> Known[Order]:
    """List every resting order of all symbols, and the legs of order lists.

    Raises:
        Unreadable: A listing or a leg could not be read.
        Malformed: A row could not be understood.
    """
    page, lists = await asyncio.gather(
        desk.rows("privateGetOpenOrders"), desk.rows("privateGetOpenOrderList")
    )
    listed = once(page, "symbol", "orderId")
    names = {read.text(row, "symbol") for row in listed}
    await desk.markets.prepare(PRODUCT, names)
    translate = desk.symbol_of(PRODUCT)
    orders = [rows.spot_order(row, desk.account, translate) for row in listed]
    present = {(order.venue_symbol, order.venue_order_id) for order in orders}
    missing = [leg for leg in _legs(lists) if leg not in present]
    legs = await asyncio.gather(*(_leg(desk, symbol, number) for symbol, number in missing))
    late = [order for order in legs if not order.is_terminal]
    notes = desk.markets.notes(PRODUCT, names)
    if late:
        notes += (f"{len(late)} legs of order lists were not in the listing of open orders",)
    whole = not (orders and desk.markets.wanted_in_vain(PRODUCT))
    return desk.known([*orders, *late], notes=notes, complete=whole)


def _legs(lists: Sequence[Row]) -> list[tuple[str, str]]:
    return [
        (read.text(leg, "symbol"), read.text(leg, "orderId"))
        for one in lists
        for leg in rows_at(one, "orders")
    ]


async def _leg(desk: Desk, symbol: str, number: str) -> Order:
    row = await desk.row("privateGetOrder", {"symbol": symbol, "orderId": number})
    return rows.spot_order(row, desk.account, desk.symbol_of(PRODUCT))


async def read_balances(desk: Desk) -> Known[Balance]:
    """Read the account's balances, free and locked.

    Raises:
        Unreadable: The account could not be read.
        Malformed: A row could not be understood.
    """
    account = await desk.row("privateGetAccount")
    listed = once(rows_at(account, "balances"), "asset")
    return desk.known([rows.spot_balance(row, desk.account) for row in listed])


async def read_identity(desk: Desk) -> Known[str]:
    """Return the account's uid and what the account may do.

    Raises:
        Unreadable: The account could not be read.
        Malformed: The answer names nobody.
    """
    account = await desk.row("privateGetAccount", {"omitZeroBalances": "true"})
    return desk.known([f"binance spot uid {read.text(account, 'uid')}"])


async def read_fills(desk: Desk, window: Window, symbols: Sequence[str]) -> Known[Fill]:
    """Read every fill of the symbols in the window.

    Raises:
        Unreadable: A page could not be read.
        Malformed: A row could not be understood.
    """
    await desk.markets.prepare(PRODUCT)
    names, notes = _names(desk, symbols)
    found, trouble = await read_all_fills(
        desk, "privateGetMyTrades", window, names, longest_ms=DAY_MS
    )
    translate = desk.symbol_of(PRODUCT)
    fills = [rows.fill(row, desk.account, PRODUCT, translate) for row in found]
    notes = (NO_LISTING_NOTE, *notes, *trouble)
    return desk.known(
        fills, notes=notes, window=window, complete=not trouble and len(names) == len(symbols)
    )


def _names(desk: Desk, symbols: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the venue's names, and a note for each symbol that has none."""
    names, notes = [], []
    for symbol in symbols:
        name = desk.markets.venue_id(PRODUCT, symbol)
        if name is None:
            notes.append(f"fills of {symbol} were not read: the exchange has no such instrument")
        else:
            names.append(name)
    return tuple(names), tuple(notes)


async def read_ledger(desk: Desk, window: Window) -> Known[LedgerEntry]:
    """Read deposits, withdrawals and transfers of the window.

    Raises:
        Unreadable: One of the lists could not be read.
        Malformed: A row could not be understood.
    """
    entries: list[LedgerEntry | None] = []
    for start_ms, end_ms in windows(window.since_ms, window.until_ms, LEDGER_WINDOW_MS):
        span = {"startTime": start_ms, "endTime": end_ms, "limit": LEDGER_PAGE}
        deposits, withdrawals, sent, received = await asyncio.gather(
            _whole_page(desk, "sapiGetCapitalDepositHisrec", span),
            _whole_page(desk, "sapiGetCapitalWithdrawHistory", span),
            _transfers(desk, "MAIN_UMFUTURE", start_ms, end_ms),
            _transfers(desk, "UMFUTURE_MAIN", start_ms, end_ms),
        )
        entries += [rows.deposit(row, desk.account) for row in deposits]
        entries += [rows.withdrawal(row, desk.account) for row in withdrawals]
        entries += [rows.transfer(row, desk.account, out=True) for row in sent]
        entries += [rows.transfer(row, desk.account, out=False) for row in received]
    unique = {entry.entry_id: entry for entry in entries if entry is not None}
    ordered = sorted(unique.values(), key=lambda entry: (entry.at_ms, entry.entry_id))
    return desk.known(ordered, notes=(LEDGER_NOTE,), window=window)


async def _whole_page(desk: Desk, method: str, span: Mapping[str, object]) -> list[Row]:
    page = await desk.rows(method, span)
    if len(page) >= LEDGER_PAGE:
        raise Unreadable("the list of deposits or withdrawals is longer than one page")
    return page


async def _transfers(desk: Desk, kind: str, start_ms: int, end_ms: int) -> list[Row]:
    """Read every page of the transfers of one direction."""
    found: dict[str, Row] = {}
    for current in range(1, TRANSFER_PAGES_MOST + 1):
        body = await desk.row(
            "sapiGetAssetTransfer",
            {
                "type": kind,
                "startTime": start_ms,
                "endTime": end_ms,
                "current": current,
                "size": TRANSFER_PAGE,
            },
        )
        # Binance leaves `rows` out when there is none.
        page = rows_at(body, "rows") if read.number(body, "total") else ()
        found |= {read.text(row, "tranId"): row for row in page}
        if len(page) < TRANSFER_PAGE:
            break
    else:
        raise Unreadable("the list of transfers is longer than can be read")
    if len(found) < int(read.number(body, "total")):
        raise Unreadable("the list of transfers was cut short")
    return list(found.values())


async def look_up(desk: Desk, reference: OrderReference) -> LookUp:
    """Ask for one order by its id, then by the client's id.

    Raises:
        Unreadable: There is no usable answer.
        Malformed: The row could not be understood.
    """
    await desk.markets.prepare(PRODUCT)
    symbol = await desk.markets.find_id(PRODUCT, reference.symbol)
    if symbol is None:
        raise Unreadable(f"{reference.symbol} is not in the table of spot instruments")
    asked = [
        {"symbol": symbol, key: value}
        for key, value in (
            ("orderId", reference.venue_order_id),
            ("origClientOrderId", reference.client_order_id),
        )
        if value
    ]
    detail = "it has no id to ask for"
    for params in asked:
        found = await desk.attempt("privateGetOrder", params)
        if found.ok and isinstance(found.body, Mapping):
            return rows.spot_order(found.body, desk.account, desk.symbol_of(PRODUCT))
        if not is_not_found(found):
            raise Unreadable(trouble_of(found), found)
        detail = trouble_of(found)
    return NotFound(reference, detail)
