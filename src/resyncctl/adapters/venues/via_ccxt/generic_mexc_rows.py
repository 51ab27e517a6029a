"""Rows and answers of MEXC contracts.

Promise: a side is a number that tells buy or sell, the leg, and whether it closes; a number that
is not documented is a fault. Called by the MEXC plan of `generic_others`.
"""

from collections.abc import Awaitable
from typing import Any

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row
from resyncctl.adapters.venues.via_ccxt.generic_plan import Native, Unacknowledged, value
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
    Unit,
)
from resyncctl.core.model import Leg, Order, OrderStatus, Side
from resyncctl.core.money import ZERO

_MEXC_STATES = {
    "1": OrderStatus.SUBMITTED,
    "2": OrderStatus.ACCEPTED,
    "3": OrderStatus.FILLED,
    "4": OrderStatus.CANCELED,
    "5": OrderStatus.REJECTED,
}
_MEXC_SIDES = {
    "1": (Side.BUY, Leg.LONG, False),
    "2": (Side.BUY, Leg.SHORT, True),
    "3": (Side.SELL, Leg.SHORT, False),
    "4": (Side.SELL, Leg.LONG, True),
}


def _mexc_side(row: Row) -> tuple[Side, Leg, bool]:
    """Return side, leg and whether it closes: 1 open long, 2 close short, 3 open short, 4 close."""
    found = read.text(row, "side")
    if found not in _MEXC_SIDES:
        raise Malformed(f"'side' holds {found[:10]!r}, which this profile does not know")
    side, leg, closes = _MEXC_SIDES[found]
    one_way = str(row.get("positionMode")) == "2"
    return side, Leg.BOTH if one_way else leg, closes


def mexc_order(row: Row) -> RawOrder:
    """Read a contract order."""
    side, leg, closes = _mexc_side(row)
    quantity, filled = read.number(row, "vol"), read.number(row, "dealVol")
    status = read.word(row, "state", _MEXC_STATES)
    return RawOrder(
        venue_order_id=read.text(row, "orderId"),
        client_order_id=read.optional_text(row, "externalOid"),
        venue_symbol=read.text(row, "symbol"),
        side=side,
        type="market" if read.text(row, "orderType") in {"5", "6"} else "limit",
        status=read.open_status(quantity, filled) if status is OrderStatus.ACCEPTED else status,
        quantity=quantity,
        filled=filled,
        unit=Unit.CONTRACTS,
        price=read.price(row, "price"),
        average_price=read.price(row, "dealAvgPrice"),
        reduce_only=closes,
        leg=leg,
        created_at_ms=read.optional_ms(row, "createTime"),
        updated_at_ms=read.optional_ms(row, "updateTime"),
    )


def mexc_plan(row: Row) -> RawOrder:
    """Read a trigger order of the contract account."""
    side, leg, closes = _mexc_side(row)
    if read.text(row, "state") != "1":
        raise Malformed("'state' of a waiting plan order should be 1")
    return RawOrder(
        venue_order_id=read.text(row, "id"),
        client_order_id=None,
        venue_symbol=read.text(row, "symbol"),
        side=side,
        type="market" if read.text(row, "orderType") in {"5", "6"} else "limit",
        status=OrderStatus.ACCEPTED,
        quantity=read.number(row, "vol"),
        filled=ZERO,
        unit=Unit.CONTRACTS,
        price=read.price(row, "price"),
        trigger_price=read.price(row, "triggerPrice"),
        reduce_only=closes,
        leg=leg,
        algo=True,
        created_at_ms=read.optional_ms(row, "createTime"),
        updated_at_ms=read.optional_ms(row, "updateTime"),
    )


def mexc_fill(row: Row) -> RawFill:
    """Read a deal of the contract account."""
    side, leg, _closes = _mexc_side(row)
    return RawFill(
        trade_id=read.text(row, "id"),
        venue_order_id=read.text(row, "orderId"),
        client_order_id=None,
        venue_symbol=read.text(row, "symbol"),
        side=side,
        quantity=read.positive(read.number(row, "vol"), "vol"),
        price=read.number(row, "price"),
        at_ms=read.at_ms(row, "timestamp"),
        unit=Unit.CONTRACTS,
        fee=read.optional_number(row, "fee"),
        fee_asset=read.optional_text(row, "feeCurrency"),
        leg=leg,
    )


def mexc_position(row: Row) -> RawPosition | None:
    """Read a contract position: type 1 is long, 2 is short."""
    size = read.number(row, "holdVol")
    if size == ZERO:
        return None
    kind = read.text(row, "positionType")
    if kind not in {"1", "2"}:
        raise Malformed("'positionType' is neither 1 nor 2")
    return RawPosition(
        venue_symbol=read.text(row, "symbol"),
        quantity=size if kind == "1" else -size,
        leg=Leg.LONG if kind == "1" else Leg.SHORT,
        unit=Unit.CONTRACTS,
        entry_price=read.price(row, "holdAvgPrice"),
        updated_at_ms=read.optional_ms(row, "updateTime"),
    )


def mexc_spot_balance(row: Row) -> RawBalance:
    """Read a spot balance."""
    free, locked = read.number(row, "free"), read.number(row, "locked")
    return RawBalance(asset=read.text(row, "asset"), total=free + locked, free=free, locked=locked)


def mexc_swap_balance(row: Row) -> RawBalance:
    """Read a contract wallet."""
    return RawBalance(
        asset=read.text(row, "currency"),
        total=read.number(row, "cashBalance"),
        free=read.optional_number(row, "availableBalance"),
    )


def mexc_send_cancel(exchange: Any, order: Order, _native: Native) -> Awaitable[object]:
    """Cancel one contract order; the endpoint takes a list of ids."""
    answer: Awaitable[object] = exchange.contractPrivatePostOrderCancel([order.venue_order_id])
    return answer


def mexc_send_plan_cancel(exchange: Any, order: Order, _native: Native) -> Awaitable[object]:
    """Cancel one plan order; the endpoint takes a list of objects."""
    body = [{"symbol": order.venue_symbol or order.symbol, "orderId": order.venue_order_id}]
    answer: Awaitable[object] = exchange.contractPrivatePostPlanorderCancel(body)
    return answer


def mexc_judge(body: object, order: Order) -> Unacknowledged | None:
    """Judge the per-order answer: 0 is done, 2040 means that there is no such order."""
    if str(value(body, "data.0.orderId")) != order.venue_order_id:
        return Unacknowledged("the answer does not name the order that was to be cancelled")
    code = str(value(body, "data.0.errorCode"))
    if code == "0":
        return None
    return Unacknowledged(f"the venue refused with code {code[:10]}", True, code == "2040")


def mexc_judge_plan(body: object, _order: Order) -> Unacknowledged | None:
    """Judge the answer to a plan cancel, which carries a success label only."""
    if value(body, "success") is True:
        return None
    return Unacknowledged("the answer does not say success")


def mexc_position_mode(body: object) -> str:
    """Return the position mode: 1 is hedge, 2 is one-way."""
    return {"1": "hedge", "2": "one_way"}.get(str(value(body, "data")), "")
