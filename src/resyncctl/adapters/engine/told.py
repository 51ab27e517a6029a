"""Nouns of the core as checkpoint rows: the other direction of `rows`.

A row that reads as the noun already stays as its engine wrote it. Any other row gets the noun's
values, and keeps the keys that only its engine understands. Called by `repair`.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TypeVar

from resyncctl.adapters.engine import rows
from resyncctl.core.model import Balance, Fill, Order, OrderStatus, Position
from resyncctl.core.money import ZERO, plain
from resyncctl.core.snapshot import EngineSnapshot, Known
from resyncctl.sdk.canonical import JsonObject, JsonValue
from resyncctl.sdk.checkpoint import Checkpoint

T = TypeVar("T")
Key = tuple[str | None, ...]

_STATE = {
    OrderStatus.INITIALIZED: "pending_new",
    OrderStatus.RELEASED: "pending_new",
    OrderStatus.SUBMITTED: "pending_new",
    OrderStatus.EMULATED: "open",
    OrderStatus.ACCEPTED: "open",
    OrderStatus.TRIGGERED: "open",
    OrderStatus.PARTIALLY_FILLED: "partially_filled",
    OrderStatus.PENDING_CANCEL: "pending_cancel",
    OrderStatus.PENDING_UPDATE: "unknown",
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.REJECTED: "rejected",
    OrderStatus.DENIED: "rejected",
}


def merged_sections(
    found: Checkpoint, snapshot: EngineSnapshot, frame: rows.Frame, now_ms: int
) -> JsonObject:
    """Return the sections of the next checkpoint, as far as the snapshot knows them."""
    sections: JsonObject = {}
    if isinstance(snapshot.orders, Known):
        sections["orders"] = _merge(
            found.rows("orders"),
            snapshot.orders.data,
            read=lambda row: rows.order_from(row, frame),
            keys=_order_keys,
            tell=lambda order, row: _tell_order(order, row, now_ms),
        )
    if isinstance(snapshot.fills, Known):
        sections["fills"] = _merge(
            found.rows("fills"),
            snapshot.fills.data,
            read=lambda row: rows.fill_from(row, frame)[0],
            keys=lambda fill: [(fill.product, fill.symbol, fill.trade_id, fill.side.value)],
            tell=_tell_fill,
        )
    if isinstance(snapshot.positions, Known):
        sections["positions"] = _merge(
            found.rows("positions"),
            (position for position in snapshot.positions.data if position.quantity != ZERO),
            read=lambda row: rows.position_from(row, frame),
            keys=lambda position: [(position.product, position.symbol, position.leg.value)],
            tell=_tell_position,
            keep_equal=False,
        )
    if isinstance(snapshot.balances, Known):
        as_of_ms = max(snapshot.balances.as_of_ms, snapshot.as_of_ms)
        sections["balances"] = _merge(
            found.rows("balances"),
            snapshot.balances.data,
            read=lambda row: rows.balance_from(row, frame),
            keys=lambda balance: [(balance.product, balance.asset)],
            tell=lambda balance, _row: _tell_balance(balance, min(as_of_ms, now_ms)),
        )
    return sections


def _merge(
    old: list[JsonObject] | None,
    nouns: Iterable[T],
    *,
    read: Callable[[JsonObject], T],
    keys: Callable[[T], list[Key]],
    tell: Callable[[T, JsonObject | None], JsonObject],
    keep_equal: bool = True,
) -> list[JsonValue]:
    """Give each noun its old row, where there is one, and change what differs."""
    waiting: dict[Key, list[JsonObject]] = {}
    for row in old or ():
        for key in keys(read(row)):
            waiting.setdefault(key, []).append(row)
    taken: set[int] = set()
    merged: list[JsonValue] = []
    for noun in nouns:
        candidates = [row for key in keys(noun) for row in waiting.get(key, ())]
        mine = next((row for row in candidates if id(row) not in taken), {})
        taken.add(id(mine))
        if mine and keep_equal and read(mine) == noun:
            merged.append(mine)
            continue
        values = {**mine, **tell(noun, mine or None)}
        merged.append({key: value for key, value in values.items() if value is not None})
    return merged


def _order_keys(order: Order) -> list[Key]:
    named = [("exchange", order.venue_order_id), ("client", order.client_order_id)]
    return [
        (order.product, order.symbol, kind, identity)
        for kind, identity in named
        if identity is not None
    ]


def _tell_order(order: Order, row: JsonObject | None, now_ms: int) -> JsonObject:
    told: JsonObject = {
        "client_id": order.client_order_id,
        "exchange_id": order.venue_order_id,
        "product": order.product,
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.type,
        "state": _STATE[order.status],
        "price": _text(order.price),
        "stop_price": _text(order.trigger_price),
        "amount": plain(order.quantity),
        "filled": plain(order.filled),
        "remaining": plain(max(order.remaining, ZERO)),
        "average_price": _text(order.average_price),
        "reduce_only": order.reduce_only,
        "leg": order.leg.value,
        "order_class": order.order_class.value,
        "list_id": order.list_id,
        "updated_ms": order.updated_at_ms if order.updated_at_ms is not None else now_ms,
    }
    if row is None:
        reducing = "exit" if order.reduce_only else "entry"
        told["role"] = "stop" if order.protective else reducing
        told["created_ms"] = order.created_at_ms if order.created_at_ms is not None else now_ms
    return told


def _tell_fill(fill: Fill, _row: JsonObject | None) -> JsonObject:
    told: JsonObject = {
        "trade_id": fill.trade_id,
        "order_exchange_id": fill.venue_order_id,
        "order_client_id": fill.client_order_id,
        "product": fill.product,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "price": _text(fill.price),
        "amount": plain(fill.quantity),
        "ts_ms": fill.at_ms,
        "leg": fill.leg.value,
        "inferred": fill.inferred or None,
        "fee": None,
    }
    if fill.fee is not None:
        asset = fill.fee_asset
        told["fee"] = [{"asset": asset, "amount": plain(fill.fee)}] if asset is not None else []
    return told


def _tell_position(position: Position, _row: JsonObject | None) -> JsonObject:
    """Return a position's values, its leg always with them.

    A row without a leg is understood by the rows beside it, and one of these may be gone now.
    """
    return {
        "product": position.product,
        "symbol": position.symbol,
        "leg": position.leg.value,
        "side": "long" if position.quantity > ZERO else "short",
        "amount": plain(abs(position.quantity)),
        "entry_price": _text(position.entry_price),
        "updated_ms": position.updated_at_ms,
    }


def _tell_balance(balance: Balance, as_of_ms: int) -> JsonObject:
    return {
        "product": balance.product,
        "asset": balance.asset,
        "free": _text(balance.free),
        "used": _text(balance.locked),
        "total": plain(balance.total),
        "as_of_ms": as_of_ms,
        "source": "exchange",
    }


def _text(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)
