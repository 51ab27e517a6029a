"""The plan for Kraken spot, with margin positions.

Promise: open orders come in one reply that includes stop orders; trades are paged by offset until
the venue's own count is reached (ccxt returns the first 50). Sources: Kraken REST documentation
(OpenOrders, TradesHistory, OpenPositions, BalanceEx, QueryOrders, CancelOrder, and
CancelAllOrdersAfter: one countdown for all orders, stops too); ccxt issue 26926.
"""

from datetime import datetime
from decimal import Decimal

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row, describe, value_at
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    DAY_MS,
    CancelOne,
    Countdown,
    Listing,
    LookUpQuery,
    Offset,
    Query,
    TimeSpan,
    Unacknowledged,
    VenuePlan,
    calling,
    keyed,
    regular,
    value,
)
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    QUOTE_ASSET,
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
)
from resyncctl.core.model import Order, OrderStatus, Side
from resyncctl.core.money import ZERO

_STATUSES = {
    "pending": OrderStatus.SUBMITTED,
    "open": OrderStatus.ACCEPTED,
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
}


def _order(row: Row) -> RawOrder:
    quantity = read.positive(read.number(row, "vol"), "vol")
    filled = read.number(row, "vol_exec")
    status = read.word(row, "status", _STATUSES)
    kind = read.text(row, "descr.ordertype")
    triggered = "stop" in kind or "take-profit" in kind
    if status is OrderStatus.ACCEPTED:
        status = read.open_status(quantity, filled)
    return RawOrder(
        venue_order_id=read.text(row, "id"),
        client_order_id=read.optional_text(row, "cl_ord_id"),
        venue_symbol=read.text(row, "descr.pair"),
        side=read.side(row, "descr.type"),
        type=kind,
        status=status,
        quantity=quantity,
        filled=filled,
        price=_limit(row, kind, triggered=triggered),
        trigger_price=read.price(row, "stopprice") if triggered else None,
        average_price=read.price(row, "price"),
        reduce_only=read.flag(row, "reduce_only"),
        created_at_ms=read.seconds_ms(row, "opentm"),
        updated_at_ms=read.seconds_ms(row, "closetm"),
    )


def _limit(row: Row, kind: str, *, triggered: bool) -> Decimal | None:
    """Return the limit price. Trailing orders describe theirs as an offset, e.g. `+50.0000%`."""
    if kind.startswith("trailing"):
        return read.price(row, "limitprice")
    return read.price(row, "descr.price2" if triggered else "descr.price")


def _fill(row: Row) -> RawFill:
    at_ms = read.seconds_ms(row, "time")
    if at_ms is None:
        raise Malformed("a row lacks the time 'time'")
    return RawFill(
        trade_id=read.text(row, "id"),
        venue_order_id=read.text(row, "ordertxid"),
        client_order_id=None,
        venue_symbol=read.text(row, "pair"),
        side=read.side(row, "type"),
        quantity=read.positive(read.number(row, "vol"), "vol"),
        price=read.number(row, "price"),
        at_ms=at_ms,
        fee=read.optional_number(row, "fee"),
        fee_asset=QUOTE_ASSET,  # documented: "Total fee (quote currency)"
    )


def _position(row: Row) -> RawPosition | None:
    volume = read.number(row, "vol")
    size = volume - read.number(row, "vol_closed")
    if size == ZERO:
        return None
    short = read.side(row, "type") is Side.SELL
    return RawPosition(
        venue_symbol=read.text(row, "pair"),
        quantity=-size if short else size,
        entry_price=read.number(row, "cost") / volume,
    )


def _positions_of(body: object) -> tuple[Row, ...]:
    """Read positions: a list when consolidated by market, an object keyed by id otherwise."""
    found = value_at(body, "result")
    rows = list(found.values()) if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise Malformed(f"'result' should be a list, got {describe(rows)}")
    for row in rows:
        if not isinstance(row, dict):
            raise Malformed(f"an entry of 'result' is {describe(row)}")
    return tuple(rows)


def _balance(row: Row) -> RawBalance:
    return RawBalance(
        asset=read.text(row, "asset"),
        total=read.number(row, "balance"),
        locked=read.optional_number(row, "hold_trade"),
    )


def _judge(body: object, _order: Order) -> Unacknowledged | None:
    count = value(body, "result.count")
    if str(count) == "1":
        return None
    if str(count) == "0":
        return Unacknowledged("the venue cancelled 0 orders", definite=True, gone=True)
    return Unacknowledged("the answer does not count one cancelled order")


def _counts(body: object, seconds: int) -> Unacknowledged | None:
    """Check the answer of CancelAllOrdersAfter: `triggerTime` is "0" when it was stopped."""
    times = value(body, "result.currentTime"), value(body, "result.triggerTime")
    if seconds == 0:
        stopped = times[1] in {"0", 0}
        return None if stopped else Unacknowledged("the answer does not say that it was stopped")
    try:
        now, fires = (datetime.fromisoformat(str(one)) for one in times)
    except ValueError:
        return Unacknowledged("the answer does not tell when the countdown ends")
    if abs((fires - now).total_seconds() - seconds) > _COUNTDOWN_SLACK_S:
        return Unacknowledged("the answer tells another countdown")
    return None


_COUNTDOWN_SLACK_S = 2
_ORDERS = Query(
    label="open orders",
    endpoint="privatePostOpenOrders",
    rows=keyed("result.open", "id"),
    row_id=("id",),
)
_TRADES = Query(
    label="trades",
    endpoint="privatePostTradesHistory",
    params={"type": "all"},
    rows=keyed("result.trades", "id"),
    row_id=("id",),
    paging=Offset("ofs", "result.count"),
    span=TimeSpan(since="start", until="end", longest_ms=365 * DAY_MS, divisor=1000),
)
_HELD = Query(
    label="open positions",
    endpoint="privatePostOpenPositions",
    params={"consolidation": "market"},
    rows=_positions_of,
    row_id=("pair", "type", "leverage"),
)
_WALLET = Query(
    label="balances",
    endpoint="privatePostBalanceEx",
    rows=keyed("result", "asset"),
    row_id=("asset",),
)

PLAN = VenuePlan(
    venue="kraken",
    orders={regular("spot"): Listing((_ORDERS,), _order)},
    fills={"spot": Listing((_TRADES,), _fill)},
    positions={"spot": Listing((_HELD,), _position)},
    balances={"spot": Listing((_WALLET,), _balance)},
    look_ups={
        regular("spot"): (
            LookUpQuery(
                label="order",
                endpoint="privatePostQueryOrders",
                params=lambda reference, _symbol: (
                    {"txid": reference.venue_order_id} if reference.venue_order_id else None
                ),
                rows=keyed("result", "id"),
                parse=_order,
            ),
        ),
    },
    cancels={
        regular("spot"): CancelOne(
            send=calling(
                "privatePostCancelOrder", lambda order, _native: {"txid": order.venue_order_id}
            ),
            judge=_judge,
        ),
    },
    countdown=Countdown(
        endpoint="privatePostCancelAllOrdersAfter",
        params=lambda seconds: {"timeout": seconds},
        judge=_counts,
        covers=(regular("spot"),),
        takes_protective=True,
        shortest_ms=15_000,
        longest_ms=600_000,
    ),
    position_modes={"spot": "one_way"},
    request_validity_ms=60_000,
)
