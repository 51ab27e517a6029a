"""Rows of Bitget (API v2): spot, futures and plan orders.

Promise: an order that closes a hedge leg trades against that leg, whatever side the row shows,
and a plan order without a size follows its position. Source: Bitget API v2 documentation. Called
by the Bitget plan.
"""

from collections.abc import Callable

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row, rows_at, value_at
from resyncctl.adapters.venues.via_ccxt.generic_plan import RowsOf
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
    Unit,
)
from resyncctl.core.model import Leg, OrderStatus, Side
from resyncctl.core.money import ZERO

_STATUSES = {
    "live": OrderStatus.ACCEPTED,
    "init": OrderStatus.SUBMITTED,
    "new": OrderStatus.ACCEPTED,
    "not_trigger": OrderStatus.ACCEPTED,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "full_fill": OrderStatus.FILLED,
    "cancelled": OrderStatus.CANCELED,
    "canceled": OrderStatus.CANCELED,
    "executed": OrderStatus.TRIGGERED,
    "executing": OrderStatus.TRIGGERED,
    "fail_execute": OrderStatus.REJECTED,
    "fail_trigger": OrderStatus.REJECTED,
}
_LEGS = {"long": Leg.LONG, "short": Leg.SHORT, "net": Leg.BOTH}


def spot_order(row: Row) -> RawOrder:
    """Read a spot order."""
    side, kind = read.side(row, "side"), read.text(row, "orderType")
    return RawOrder(
        venue_order_id=read.text(row, "orderId"),
        client_order_id=read.optional_text(row, "clientOid"),
        venue_symbol=read.text(row, "symbol"),
        side=side,
        type=kind,
        status=read.word(row, "status", _STATUSES),
        quantity=read.number(row, "size"),
        filled=read.number(row, "baseVolume"),
        unit=Unit.QUOTE if kind == "market" and side is Side.BUY else Unit.BASE,
        # The listing gives the limit price as `priceAvg`, the single order as `price`.
        price=read.price(row, "price" if "price" in row else "priceAvg"),
        created_at_ms=read.optional_ms(row, "cTime"),
        updated_at_ms=read.optional_ms(row, "uTime"),
    )


def spot_plan(row: Row) -> RawOrder:
    """Read a spot plan order that waits for its trigger."""
    in_quote = read.text(row, "planType").lower() == "total"
    return RawOrder(
        venue_order_id=read.text(row, "orderId"),
        client_order_id=read.optional_text(row, "clientOid"),
        venue_symbol=read.text(row, "symbol"),
        side=read.side(row, "side"),
        type=read.text(row, "orderType"),
        status=read.word(row, "status", _STATUSES),
        quantity=read.positive(read.number(row, "size"), "size"),
        filled=ZERO,
        unit=Unit.QUOTE if in_quote else Unit.BASE,
        filled_unit=Unit.BASE,
        price=read.price(row, "executePrice"),
        trigger_price=read.price(row, "triggerPrice"),
        algo=True,
        created_at_ms=read.optional_ms(row, "cTime"),
        updated_at_ms=read.optional_ms(row, "uTime"),
    )


def _leg(row: Row, key: str) -> Leg:
    """Return the leg. One-way accounts write `net`, or no leg that would mean anything."""
    if row.get("posMode") == "one_way_mode":
        return Leg.BOTH
    word = read.text(row, key)
    if word not in _LEGS:
        raise Malformed(f"{key!r} holds {word[:20]!r}, which this profile does not know")
    return _LEGS[word]


def _side(row: Row) -> Side:
    """Return the side that trades: closing a hedge leg is written with the side of the leg."""
    side = read.side(row, "side")
    if row.get("posMode") == "hedge_mode" and row.get("tradeSide") == "close":
        return Side.SELL if side is Side.BUY else Side.BUY
    return side


def futures_order(row: Row) -> RawOrder:
    """Read a futures order."""
    return RawOrder(
        venue_order_id=read.text(row, "orderId"),
        client_order_id=read.optional_text(row, "clientOid"),
        venue_symbol=read.text(row, "symbol"),
        side=_side(row),
        type=read.text(row, "orderType"),
        status=read.word(row, "status" if "status" in row else "state", _STATUSES),
        quantity=read.number(row, "size"),
        filled=read.number(row, "baseVolume"),
        price=read.price(row, "price"),
        average_price=read.price(row, "priceAvg"),
        reduce_only=read.flag(row, "reduceOnly") or row.get("tradeSide") == "close",
        leg=_leg(row, "posSide"),
        created_at_ms=read.optional_ms(row, "cTime"),
        updated_at_ms=read.optional_ms(row, "uTime"),
    )


def futures_plan(product_type: str) -> Callable[[Row], RawOrder]:
    """Return a reader of plan orders of one product type."""

    def parse(row: Row) -> RawOrder:
        size = read.optional_number(row, "size")
        whole = size is None or size <= ZERO
        triggers = ("triggerPrice", "stopLossTriggerPrice", "stopSurplusTriggerPrice")
        found = (read.price(row, key) for key in triggers)
        return RawOrder(
            venue_order_id=read.text(row, "orderId"),
            client_order_id=read.optional_text(row, "clientOid"),
            venue_symbol=read.text(row, "symbol"),
            side=_side(row),
            type=read.text(row, "orderType"),
            status=read.word(row, "planStatus", _STATUSES),
            quantity=ZERO if whole or size is None else size,
            filled=ZERO,
            price=read.price(row, "price"),
            trigger_price=next((price for price in found if price is not None), None),
            reduce_only=row.get("tradeSide") == "close" or whole,
            leg=_leg(row, "posSide"),
            algo=True,
            created_at_ms=read.optional_ms(row, "cTime"),
            updated_at_ms=read.optional_ms(row, "uTime"),
            native=(("planType", read.text(row, "planType")), ("productType", product_type)),
            note="the quantity follows the position" if whole else None,
        )

    return parse


def spot_fill(row: Row) -> RawFill:
    """Read a spot trade."""
    fee = read.optional_number(row, "feeDetail.totalFee")
    return RawFill(
        trade_id=read.text(row, "tradeId"),
        venue_order_id=read.text(row, "orderId"),
        client_order_id=None,
        venue_symbol=read.text(row, "symbol"),
        side=read.side(row, "side"),
        quantity=read.positive(read.number(row, "size"), "size"),
        price=read.number(row, "priceAvg"),
        at_ms=read.at_ms(row, "cTime"),
        fee=None if fee is None else ZERO - fee,  # the venue writes a charge as a negative number
        fee_asset=read.optional_text(row, "feeDetail.feeCoin"),
    )


def futures_fill(row: Row) -> RawFill:
    """Read a futures trade."""
    fee = read.optional_number(row, "feeDetail.0.totalFee")
    return RawFill(
        trade_id=read.text(row, "tradeId"),
        venue_order_id=read.text(row, "orderId"),
        client_order_id=None,
        venue_symbol=read.text(row, "symbol"),
        side=_side(row),
        quantity=read.positive(read.number(row, "baseVolume"), "baseVolume"),
        price=read.number(row, "price"),
        at_ms=read.at_ms(row, "cTime"),
        fee=None if fee is None else ZERO - fee,
        fee_asset=read.optional_text(row, "feeDetail.0.feeCoin"),
    )


def position(row: Row) -> RawPosition | None:
    """Read a position; None when it is flat."""
    size = read.number(row, "total")
    if size == ZERO:
        return None
    held = read.text(row, "holdSide")
    if held not in {"long", "short"}:
        raise Malformed("'holdSide' is neither long nor short")
    hedged = read.text(row, "posMode") == "hedge_mode"
    return RawPosition(
        venue_symbol=read.text(row, "symbol"),
        quantity=abs(size) if held == "long" else -abs(size),
        leg=_LEGS[held] if hedged else Leg.BOTH,
        entry_price=read.price(row, "openPriceAvg"),
        mark_price=read.price(row, "markPrice"),
    )


def spot_balance(row: Row) -> RawBalance:
    """Read a spot balance."""
    free = read.number(row, "available")
    locked = read.number(row, "frozen") + read.number(row, "locked")
    return RawBalance(asset=read.text(row, "coin"), total=free + locked, free=free, locked=locked)


def futures_balance(row: Row) -> RawBalance:
    """Read a futures account; its total leaves the unrealised result out."""
    equity, unrealized = read.number(row, "accountEquity"), read.number(row, "unrealizedPL")
    return RawBalance(asset=read.text(row, "marginCoin"), total=equity - unrealized)


def or_null(path: str) -> RowsOf:
    """Return a reader of a list that the venue writes as `null` when it is empty (documented)."""

    def rows(body: object) -> tuple[Row, ...]:
        return () if value_at(body, path) is None else rows_at(body, path)

    return rows
