"""Rows of HTX spot, Coinbase Advanced and Crypto.com Exchange.

Promise and invariants as in `generic_rows`: a needed value that is missing is a fault, never zero.
Called by the plans of `generic_others`.
"""

from collections.abc import Callable, Mapping

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row, value_at
from resyncctl.adapters.venues.via_ccxt.generic_krakenfutures import iso_ms
from resyncctl.adapters.venues.via_ccxt.generic_plan import Unacknowledged, value
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
    Unit,
)
from resyncctl.core.model import Order, OrderStatus
from resyncctl.core.money import ZERO

_HTX_STATES = {
    "created": OrderStatus.SUBMITTED,
    "submitted": OrderStatus.ACCEPTED,
    "partial-filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "partial-canceled": OrderStatus.CANCELED,
    "canceled": OrderStatus.CANCELED,
    "canceling": OrderStatus.PENDING_CANCEL,
    "rejected": OrderStatus.REJECTED,
}


def htx_order(row: Row) -> RawOrder:
    """Read a spot order; a market buy counts quote units."""
    kind = read.text(row, "type")
    filled = "filled-amount" if "filled-amount" in row else "field-amount"
    return RawOrder(
        venue_order_id=read.text(row, "id"),
        client_order_id=read.optional_text(row, "client-order-id"),
        venue_symbol=read.text(row, "symbol"),
        side=read.side(row, "type"),
        type=kind.partition("-")[2],
        status=read.word(row, "state", _HTX_STATES),
        quantity=read.number(row, "amount"),
        filled=read.number(row, filled),
        unit=Unit.QUOTE if kind == "buy-market" else Unit.BASE,
        filled_unit=Unit.BASE,
        price=read.price(row, "price"),
        trigger_price=read.price(row, "stop-price"),
        created_at_ms=read.optional_ms(row, "created-at"),
    )


def htx_fill(row: Row) -> RawFill:
    """Read a match result of the spot account."""
    return RawFill(
        trade_id=read.text(row, "trade-id"),
        venue_order_id=read.text(row, "order-id"),
        client_order_id=None,
        venue_symbol=read.text(row, "symbol"),
        side=read.side(row, "type"),
        quantity=read.positive(read.number(row, "filled-amount"), "filled-amount"),
        price=read.number(row, "price"),
        at_ms=read.at_ms(row, "created-at"),
        fee=read.optional_number(row, "filled-fees"),
        fee_asset=read.optional_text(row, "fee-currency"),
    )


_COINBASE_STATES = {
    "PENDING": OrderStatus.SUBMITTED,
    "OPEN": OrderStatus.ACCEPTED,
    "FILLED": OrderStatus.FILLED,
    "CANCELLED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "FAILED": OrderStatus.REJECTED,
    "QUEUED": OrderStatus.SUBMITTED,
    "CANCEL_QUEUED": OrderStatus.PENDING_CANCEL,
}


def coinbase_order(row: Row) -> RawOrder:
    """Read an order; its numbers stand under the name of its configuration."""
    configuration = value_at(row, "order_configuration")
    if not isinstance(configuration, Mapping) or len(configuration) != 1:
        raise Malformed("'order_configuration' should hold one kind of order")
    kind, inner = next(iter(configuration.items()))
    if not isinstance(inner, Mapping):
        raise Malformed("'order_configuration' should hold an object")
    in_quote = not inner.get("base_size")
    quantity = read.number(inner, "quote_size" if in_quote else "base_size")
    filled = read.number(row, "filled_size")
    status = read.word(row, "status", _COINBASE_STATES)
    return RawOrder(
        venue_order_id=read.text(row, "order_id"),
        client_order_id=read.optional_text(row, "client_order_id"),
        venue_symbol=read.text(row, "product_id"),
        side=read.side(row, "side"),
        type=str(kind),
        status=read.open_status(quantity, filled) if status is OrderStatus.ACCEPTED else status,
        quantity=quantity,
        filled=filled,
        unit=Unit.QUOTE if in_quote else Unit.BASE,
        filled_unit=Unit.BASE,
        price=read.price(inner, "limit_price"),
        trigger_price=read.price(inner, "stop_price"),
        average_price=read.price(row, "average_filled_price"),
        created_at_ms=iso_ms(row, "created_time"),
    )


def coinbase_fill(row: Row) -> RawFill:
    """Read a fill; some sizes are given in quote units and say so."""
    size, price = read.number(row, "size"), read.number(row, "price")
    at_ms = iso_ms(row, "trade_time")
    if at_ms is None:
        raise Malformed("a row lacks the time 'trade_time'")
    return RawFill(
        trade_id=read.text(row, "trade_id"),
        venue_order_id=read.text(row, "order_id"),
        client_order_id=None,
        venue_symbol=read.text(row, "product_id"),
        side=read.side(row, "side"),
        quantity=read.positive(size, "size"),
        price=price,
        at_ms=at_ms,
        unit=Unit.QUOTE if read.flag(row, "size_in_quote") else Unit.BASE,
        fee=read.optional_number(row, "commission"),
        fee_asset=read.QUOTE_ASSET,
    )


def coinbase_balance(row: Row) -> RawBalance:
    """Read an account of one currency."""
    free, locked = read.number(row, "available_balance.value"), read.number(row, "hold.value")
    return RawBalance(
        asset=read.text(row, "currency"), total=free + locked, free=free, locked=locked
    )


def coinbase_judge(body: object, order: Order) -> Unacknowledged | None:
    """Judge the per-order answer of the batch cancel."""
    if str(value(body, "results.0.order_id")) != order.venue_order_id:
        return Unacknowledged("the answer does not name the order that was to be cancelled")
    if value(body, "results.0.success") is True:
        return None
    reason = str(value(body, "results.0.failure_reason"))
    return Unacknowledged(
        f"the venue answered {reason[:40]}", gone="UNKNOWN_CANCEL_ORDER" in reason
    )


_CRYPTOCOM_STATES = {
    "NEW": OrderStatus.SUBMITTED,
    "PENDING": OrderStatus.SUBMITTED,
    "ACTIVE": OrderStatus.ACCEPTED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
}


def _is_derivative(row: Row) -> bool:
    return "-" in read.text(row, "instrument_name")


def _is_spot(row: Row) -> bool:
    return not _is_derivative(row)


CRYPTOCOM_PRODUCTS: Mapping[str, Callable[[Row], bool]] = {
    "spot": _is_spot,
    "derivatives": _is_derivative,
}
"""Both products share every listing; an instrument such as `BTCUSD-PERP` is a derivative."""


def cryptocom_order(row: Row) -> RawOrder:
    """Read an order; an ACTIVE one that has executed is partly filled."""
    quantity, filled = read.number(row, "quantity"), read.number(row, "cumulative_quantity")
    status = read.word(row, "status", _CRYPTOCOM_STATES)
    instructions = row.get("exec_inst")
    return RawOrder(
        venue_order_id=read.text(row, "order_id"),
        client_order_id=read.optional_text(row, "client_oid"),
        venue_symbol=read.text(row, "instrument_name"),
        side=read.side(row, "side"),
        type=read.text(row, "order_type"),
        status=read.open_status(quantity, filled) if status is OrderStatus.ACCEPTED else status,
        quantity=quantity,
        filled=filled,
        price=read.price(row, "limit_price"),
        trigger_price=read.price(row, "ref_price"),
        average_price=read.price(row, "avg_price"),
        reduce_only=isinstance(instructions, list) and "REDUCE_ONLY" in instructions,
        created_at_ms=read.optional_ms(row, "create_time"),
        updated_at_ms=read.optional_ms(row, "update_time"),
    )


def cryptocom_fill(row: Row) -> RawFill:
    """Read a trade; the venue writes a charge as a negative number."""
    fee = read.optional_number(row, "fees")
    return RawFill(
        trade_id=read.text(row, "trade_id"),
        venue_order_id=read.text(row, "order_id"),
        client_order_id=read.optional_text(row, "client_oid"),
        venue_symbol=read.text(row, "instrument_name"),
        side=read.side(row, "side"),
        quantity=read.positive(read.number(row, "traded_quantity"), "traded_quantity"),
        price=read.number(row, "traded_price"),
        at_ms=read.at_ms(row, "create_time"),
        fee=None if fee is None else ZERO - fee,
        fee_asset=read.optional_text(row, "fee_instrument_name"),
    )


def cryptocom_position(row: Row) -> RawPosition | None:
    """Read a position; `cost` is the signed value at entry."""
    size, cost = read.number(row, "quantity"), read.number(row, "cost")
    if size == ZERO:
        return None
    return RawPosition(
        venue_symbol=read.text(row, "instrument_name"),
        quantity=size,
        entry_price=abs(cost / size),
        updated_at_ms=read.optional_ms(row, "update_timestamp_ms"),
    )


def cryptocom_balance(row: Row) -> RawBalance:
    """Read one asset of the wallet."""
    return RawBalance(
        asset=read.text(row, "instrument_name"),
        total=read.number(row, "quantity"),
        locked=read.optional_number(row, "reserved_qty"),
    )
