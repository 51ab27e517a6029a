"""Apply events to an engine's state, so that it tells the exchange's truth.

Promises: applying an event twice equals applying it once; a section that is not known stays not
known, because events are a difference and no base is there to add them to; what no event names
stays as it was. Called by `procedures.reconcile` for `--repair` of the tool's own checkpoints.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from resyncctl.core.events import Event, EventKind, after_fill
from resyncctl.core.model import Balance, Fill, Order, Position
from resyncctl.core.money import exactly
from resyncctl.core.snapshot import EngineSnapshot, Known, Unknown

T = TypeVar("T")
OrderKey = tuple[str, str, str]


def apply_events(
    engine: EngineSnapshot, events: Iterable[Event], *, as_of_ms: int | None = None
) -> EngineSnapshot:
    """Given an engine's state and events, return the state after them.

    `as_of_ms` is the time at which the state is true now; without it the old time stays.
    """
    unique = list({event.id: event for event in events}.values())
    fills, fresh = _apply_fills(engine.fills, unique)
    return replace(
        engine,
        as_of_ms=engine.as_of_ms if as_of_ms is None else as_of_ms,
        orders=_stamp(_apply_orders(engine.orders, unique, fresh), as_of_ms),
        fills=_stamp(fills, as_of_ms),
        positions=_stamp(_apply_positions(engine.positions, unique), as_of_ms),
        balances=_stamp(_apply_balances(engine.balances, unique), as_of_ms),
    )


def _stamp(section: Known[T] | Unknown, as_of_ms: int | None) -> Known[T] | Unknown:
    if as_of_ms is None or isinstance(section, Unknown):
        return section
    return replace(section, as_of_ms=as_of_ms)


def _apply_fills(
    section: Known[Fill] | Unknown, events: list[Event]
) -> tuple[Known[Fill] | Unknown, set[str]]:
    """Return the fills, and the ids of the events that added one which was not there."""
    fresh = {event.id for event in events if event.kind is EventKind.ORDER_FILLED}
    if isinstance(section, Unknown):
        return section, fresh
    replaced = {event.replaces for event in events if event.replaces is not None}
    kept = [fill for fill in section.data if fill not in replaced] if replaced else section.data
    rows = dict.fromkeys(kept) if len(kept) != len(section.data) else None
    known = rows if rows is not None else dict.fromkeys(section.data)
    added: list[Fill] = []
    for event in events:
        if event.fill is None:
            continue
        if event.fill in known:
            fresh.discard(event.id)
        else:
            known[event.fill] = None
            added.append(event.fill)
    return replace(section, data=(*kept, *added)), fresh


def _apply_orders(
    section: Known[Order] | Unknown, events: list[Event], fresh: set[str]
) -> Known[Order] | Unknown:
    if isinstance(section, Unknown):
        return section
    rows: list[Order | None] = list(section.data)
    index: dict[OrderKey, list[int]] = {}

    def note(position: int, order: Order) -> None:
        for identity in {order.venue_order_id, order.client_order_id} - {None}:
            index.setdefault((order.product, order.symbol, str(identity)), []).append(position)

    for position, order in enumerate(section.data):
        note(position, order)
    for event in events:
        if event.order is not None:
            positions = _same(event.order, rows, index)
            if not positions:
                rows.append(event.order)
                note(len(rows) - 1, event.order)
                continue
            rows[positions[0]] = event.order
            note(positions[0], event.order)
            for extra in positions[1:]:
                rows[extra] = None
        elif event.id in fresh and event.fill is not None:
            with exactly():
                _count_fill(event.fill, rows, index)
    return replace(section, data=tuple(row for row in rows if row is not None))


def _same(order: Order, rows: list[Order | None], index: dict[OrderKey, list[int]]) -> list[int]:
    """Return where the engine keeps this order; two different venue ids are two orders."""
    positions: dict[int, None] = {}
    for identity in (order.venue_order_id, order.client_order_id):
        for position in index.get((order.product, order.symbol, identity or ""), ()):
            row = rows[position]
            if row is not None and (
                row.venue_order_id == order.venue_order_id
                or row.venue_order_id is None
                or order.venue_order_id is None
            ):
                positions[position] = None
    return list(positions)


def _count_fill(fill: Fill, rows: list[Order | None], index: dict[OrderKey, list[int]]) -> None:
    """Add a fill to the filled quantity of its order, if the engine lists that order."""
    for identity in (fill.venue_order_id, fill.client_order_id):
        for position in index.get((fill.product, fill.symbol, identity or ""), ()):
            row = rows[position]
            if row is not None:
                rows[position] = after_fill(row, fill)
                return


def _apply_positions(
    section: Known[Position] | Unknown, events: list[Event]
) -> Known[Position] | Unknown:
    return _set_rows(
        section,
        [event.position for event in events if event.position is not None],
        lambda row: (row.product, row.symbol, row.leg),
        lambda row: bool(row.quantity),
    )


def _apply_balances(
    section: Known[Balance] | Unknown, events: list[Event]
) -> Known[Balance] | Unknown:
    return _set_rows(
        section,
        [event.balance for event in events if event.balance is not None],
        lambda row: (row.product, row.asset),
        lambda row: bool(row.total or row.locked or row.free),
    )


def _set_rows(
    section: Known[T] | Unknown,
    rows: list[T],
    key: Callable[[T], Any],
    exists: Callable[[T], bool],
) -> Known[T] | Unknown:
    """Replace every row of a key by the new one; leave it out where nothing is left."""
    if isinstance(section, Unknown) or not rows:
        return section
    new = {key(row): row for row in rows}
    kept = [row for row in section.data if key(row) not in new]
    return replace(section, data=(*kept, *(row for row in new.values() if exists(row))))
