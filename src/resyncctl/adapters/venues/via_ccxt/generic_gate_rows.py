"""Rows of Gate: spot, contracts and price-triggered orders.

Promise: a contract's size carries its side as a sign; an order that closes a whole position has
size 0 and must say which leg it closes. Source: Gate API v4 documentation. Called by the Gate plan.
"""

from decimal import Decimal

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row, rows_at
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
    Unit,
)
from resyncctl.core.model import Leg, OrderStatus, Side
from resyncctl.core.money import ZERO

PAGE = 100
_LEGS = {"single": Leg.BOTH, "dual_long": Leg.LONG, "dual_short": Leg.SHORT}
_TRIGGERS = {
    "open": OrderStatus.ACCEPTED,
    "cancelled": OrderStatus.CANCELED,
    "canceled": OrderStatus.CANCELED,
    "finish": OrderStatus.TRIGGERED,
    "finished": OrderStatus.TRIGGERED,
    "failed": OrderStatus.REJECTED,
    "inactive": OrderStatus.ACCEPTED,
    "invalid": OrderStatus.REJECTED,
    "expired": OrderStatus.EXPIRED,
}


def _status(row: Row, quantity: Decimal, filled: Decimal) -> OrderStatus:
    word = read.text(row, "status")
    if word == "open":
        return read.open_status(quantity, filled)
    if word in {"closed", "finished"}:
        return read.ended_status(quantity, filled)
    if word == "cancelled":
        return OrderStatus.CANCELED
    raise Malformed(f"'status' holds {word[:30]!r}, which this profile does not know")


def spot_order(row: Row) -> RawOrder:
    """Read a spot order."""
    quantity = read.positive(read.number(row, "amount"), "amount")
    filled = quantity - read.number(row, "left")
    kind, side = read.text(row, "type"), read.side(row, "side")
    return RawOrder(
        venue_order_id=read.text(row, "id"),
        client_order_id=read.optional_text(row, "text"),
        venue_symbol=read.text(row, "currency_pair"),
        side=side,
        type=kind,
        status=_status(row, quantity, filled),
        quantity=quantity,
        filled=filled,
        unit=Unit.QUOTE if kind == "market" and side is Side.BUY else Unit.BASE,
        price=read.price(row, "price"),
        average_price=read.price(row, "avg_deal_price"),
        created_at_ms=read.optional_ms(row, "create_time_ms"),
        updated_at_ms=read.optional_ms(row, "update_time_ms"),
    )


def spot_trigger(row: Row) -> RawOrder:
    """Read a price-triggered spot order that waits or has ended."""
    return RawOrder(
        venue_order_id=read.text(row, "id"),
        client_order_id=read.optional_text(row, "put.text"),
        venue_symbol=read.text(row, "market"),
        side=read.side(row, "put.side"),
        type=read.text(row, "put.type"),
        status=read.word(row, "status", _TRIGGERS),
        quantity=read.positive(read.number(row, "put.amount"), "put.amount"),
        filled=ZERO,
        price=read.price(row, "put.price"),
        trigger_price=read.price(row, "trigger.price"),
        algo=True,
        created_at_ms=read.seconds_ms(row, "ctime"),
    )


def contract_order(row: Row) -> RawOrder:
    """Read a contract order; the sign of its size is its side."""
    size, left = read.number(row, "size"), read.number(row, "left")
    quantity, filled = abs(size), abs(size) - abs(left)
    closing = read.flag(row, "is_close") and size == ZERO
    return RawOrder(
        venue_order_id=read.text(row, "id"),
        client_order_id=read.optional_text(row, "text"),
        venue_symbol=read.text(row, "contract"),
        side=Side.SELL if size < ZERO else Side.BUY,
        type="limit" if read.price(row, "price") is not None else "market",
        status=_status(row, quantity, filled),
        quantity=quantity,
        filled=filled,
        unit=Unit.CONTRACTS,
        price=read.price(row, "price"),
        average_price=read.price(row, "fill_price"),
        reduce_only=read.flag(row, "is_reduce_only") or closing,
        created_at_ms=read.seconds_ms(row, "create_time"),
        updated_at_ms=read.seconds_ms(row, "finish_time"),
        note="the quantity follows the position" if closing else None,
    )


def contract_trigger(row: Row) -> RawOrder:
    """Read a price-triggered contract order."""
    size = read.number(row, "initial.size")
    return RawOrder(
        venue_order_id=read.text(row, "id"),
        client_order_id=read.optional_text(row, "initial.text"),
        venue_symbol=read.text(row, "initial.contract"),
        side=_closing_side(row) if size == ZERO else Side.SELL if size < ZERO else Side.BUY,
        type="limit" if read.price(row, "initial.price") is not None else "market",
        status=read.word(row, "status", _TRIGGERS),
        quantity=abs(size),
        filled=ZERO,
        unit=Unit.CONTRACTS,
        price=read.price(row, "initial.price"),
        trigger_price=read.price(row, "trigger.price"),
        reduce_only=read.flag(row, "initial.is_reduce_only")
        or read.flag(row, "initial.is_close")
        or size == ZERO,
        algo=True,
        created_at_ms=read.seconds_ms(row, "create_time"),
        note="the quantity follows the position" if size == ZERO else None,
    )


def _closing_side(row: Row) -> Side:
    """Return the side of an order that closes a whole position and so has no signed size."""
    named = f"{row.get('order_type')} {read.optional_text(row, 'initial.auto_size')}"
    if "long" in named:
        return Side.SELL
    if "short" in named:
        return Side.BUY
    raise Malformed("a closing order does not say which leg it closes")


def spot_fill(row: Row) -> RawFill:
    """Read a spot trade."""
    return RawFill(
        trade_id=read.text(row, "id"),
        venue_order_id=read.text(row, "order_id"),
        client_order_id=read.optional_text(row, "text"),
        venue_symbol=read.text(row, "currency_pair"),
        side=read.side(row, "side"),
        quantity=read.positive(read.number(row, "amount"), "amount"),
        price=read.number(row, "price"),
        at_ms=read.at_ms(row, "create_time_ms"),
        fee=read.optional_number(row, "fee"),
        fee_asset=read.optional_text(row, "fee_currency"),
    )


def contract_fill(row: Row) -> RawFill:
    """Read a contract trade."""
    size = read.number(row, "size")
    at_ms = read.seconds_ms(row, "create_time")
    if at_ms is None or size == ZERO:
        raise Malformed("a fill lacks its time or size")
    return RawFill(
        trade_id=read.text(row, "trade_id"),
        venue_order_id=read.text(row, "order_id"),
        client_order_id=read.optional_text(row, "text"),
        venue_symbol=read.text(row, "contract"),
        side=Side.SELL if size < ZERO else Side.BUY,
        quantity=abs(size),
        price=read.number(row, "price"),
        at_ms=at_ms,
        unit=Unit.CONTRACTS,
        fee=read.optional_number(row, "fee"),
        fee_asset=read.SETTLE_ASSET,
    )


def position(row: Row) -> RawPosition | None:
    """Read a position; None when it is flat."""
    size = read.number(row, "size")
    if size == ZERO:
        return None
    mode = read.text(row, "mode")
    if mode not in _LEGS:
        raise Malformed(f"'mode' holds {mode[:30]!r}, which this profile does not know")
    return RawPosition(
        venue_symbol=read.text(row, "contract"),
        quantity=size,
        leg=_LEGS[mode],
        unit=Unit.CONTRACTS,
        entry_price=read.price(row, "entry_price"),
        mark_price=read.price(row, "mark_price"),
        updated_at_ms=read.seconds_ms(row, "update_time"),
    )


def spot_balance(row: Row) -> RawBalance:
    """Read a spot balance."""
    free, locked = read.number(row, "available"), read.number(row, "locked")
    return RawBalance(
        asset=read.text(row, "currency"), total=free + locked, free=free, locked=locked
    )


def contract_balance(row: Row) -> RawBalance:
    """Read the account of one settle currency."""
    return RawBalance(
        asset=read.text(row, "currency"),
        total=read.number(row, "total"),
        free=read.optional_number(row, "available"),
    )


def spot_open(body: object) -> tuple[Row, ...]:
    """Read `open_orders`: per pair a total and the page of its orders.

    Raises:
        Malformed: A pair that fits on one page does not hold as many orders as it counts.
    """
    rows: list[Row] = []
    for pair in rows_at(body, ""):
        orders, total = rows_at(pair, "orders"), read.number(pair, "total")
        if total < len(orders) or (total <= PAGE and len(orders) != total):
            raise Malformed(f"a pair counts {total} orders and holds {len(orders)}")
        rows.extend(orders)
    return tuple(rows)
