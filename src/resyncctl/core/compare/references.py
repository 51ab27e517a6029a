"""Name the engine's orders that must be looked up one by one before anything is compared.

Absence from a listing proves nothing, so every engine order that may still be alive and that no
listing shows is asked for directly. An order that the engine takes for finished is asked for too
when the trade history shows more of it than the engine counted (a late fill after a cancel).
Called by `procedures.gather`.
"""

from collections.abc import Sequence
from decimal import Decimal

from resyncctl.core.compare.align import align
from resyncctl.core.compare.fills import fills_by_order
from resyncctl.core.compare.orders import HELD_LOCALLY
from resyncctl.core.compare.prepare import data_of
from resyncctl.core.model import Fill, Order, OrderStatus
from resyncctl.core.money import ZERO
from resyncctl.core.snapshot import EngineSnapshot, OrderReference, ProductReading

NEVER_SENT = HELD_LOCALLY | {OrderStatus.DENIED}


def missing_references(
    engine: EngineSnapshot, venue_products: Sequence[ProductReading]
) -> tuple[OrderReference, ...]:
    """Given the engine's state and the readings, return the orders to look up, sorted."""
    products = {reading.product for reading in venue_products}
    listed = [
        order
        for reading in venue_products
        for _scope, section in reading.orders
        for order in data_of(section)
    ]
    candidates = [order for order in data_of(engine.orders) if order.product in products]
    fills = [row for reading in venue_products for row in data_of(reading.fills)]
    lonely = [order for order, _answer in align(candidates, listed).engine_only]
    finished = [order for order in lonely if order.is_terminal]
    late = _filled_further(finished, fills) if finished else []
    alive = [order for order in lonely if not order.is_terminal]
    wanted = [order for order in (*alive, *late) if order.status not in NEVER_SENT]
    return tuple(sorted({reference_to(order) for order in wanted}, key=_sort_key))


def reference_to(order: Order) -> OrderReference:
    """Return what is needed to ask the exchange about an order."""
    return OrderReference(
        order.product, order.symbol, order.venue_order_id, order.client_order_id, order.scope
    )


def _filled_further(orders: Sequence[Order], fills: Sequence[Fill]) -> list[Order]:
    """Return the orders whose trade rows add up to more than the engine counted."""
    wanted = {
        (order.product, order.symbol, identity)
        for order in orders
        for identity in (order.venue_order_id, order.client_order_id)
        if identity is not None
    }
    rows = fills_by_order(
        row
        for row in dict.fromkeys(fills)
        if (row.product, row.symbol, row.venue_order_id) in wanted
        or (row.product, row.symbol, row.client_order_id) in wanted
    )
    return [order for order in orders if _executed(order, rows) > order.filled]


def _executed(order: Order, rows: dict[tuple[str, str, str], list[Fill]]) -> Decimal:
    return max(
        sum(
            (row.quantity for row in rows.get((order.product, order.symbol, identity or ""), ())),
            ZERO,
        )
        for identity in (order.venue_order_id, order.client_order_id)
    )


def _sort_key(reference: OrderReference) -> tuple[str, ...]:
    return (
        reference.product,
        reference.symbol,
        reference.venue_order_id or "",
        reference.client_order_id or "",
    )
