"""Did the account stand still between two collects? Called by `procedures.gather`.

Orders, positions and balances are read twice around the trade history. Only what trading changes
is compared: times of update, mark prices and the margin that follows them move on a quiet account.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from resyncctl.core.compare.effects import LOCKING_PRODUCTS
from resyncctl.core.model import Balance, Order, Position
from resyncctl.core.money import plain
from resyncctl.core.snapshot import ProductReading, Section, Unknown

T = TypeVar("T")
NAMES_SHOWN = 3


def agree(first: Sequence[ProductReading], second: Sequence[ProductReading]) -> str | None:
    """Given two collects, return None when they are equal, else words for what moved.

    A section that could be read only once does not agree. One that could be read in neither
    collect is not judged here: it is a finding of its own.
    """
    before = {reading.product: reading for reading in first}
    after = {reading.product: reading for reading in second}
    moved: list[str] = []
    for product in sorted(before.keys() | after.keys()):
        if product not in before or product not in after:
            moved.append(f"{product} was read only once")
        else:
            moved += _product_moves(before[product], after[product])
    return "; ".join(moved) or None


def _product_moves(first: ProductReading, second: ProductReading) -> list[str]:
    moves = []
    before, after = dict(first.orders), dict(second.orders)
    for scope in sorted(before.keys() | after.keys(), key=str):
        name = f"orders of {scope}"
        if scope not in before or scope not in after:
            moves.append(f"{name} were read only once")
        else:
            moves.append(_section_moves(name, before[scope], after[scope], _order_state))
    product = first.product
    moves.append(
        _section_moves(
            f"positions of {product}", first.positions, second.positions, _position_state
        )
    )
    moves.append(
        _section_moves(f"balances of {product}", first.balances, second.balances, _balance_state)
    )
    if first.position_mode != second.position_mode:
        moves.append(f"the position mode of {product} changed")
    return [move for move in moves if move]


def _section_moves(
    name: str, first: Section[T], second: Section[T], state: Callable[[T], tuple[str, Hashable]]
) -> str:
    if isinstance(first, Unknown) or isinstance(second, Unknown):
        if isinstance(first, Unknown) and isinstance(second, Unknown):
            return ""
        return f"{name} could be read only once"
    before, after = set(map(state, first.data)), set(map(state, second.data))
    if before == after:
        return ""
    changed = Counter(identity for identity, _state in before ^ after)
    shown = ", ".join(sorted(changed)[:NAMES_SHOWN])
    more = f" and {len(changed) - NAMES_SHOWN} more" if len(changed) > NAMES_SHOWN else ""
    return f"{name} changed: {shown}{more}"


def _order_state(order: Order) -> tuple[str, Hashable]:
    identity = f"{order.symbol} {order.venue_order_id or order.client_order_id}"
    return identity, (
        order.status,
        order.side,
        order.quantity,
        order.filled,
        order.price,
        order.trigger_price,
        order.reduce_only,
        order.client_order_id,
    )


def _position_state(position: Position) -> tuple[str, Hashable]:
    return f"{position.symbol} {position.leg.value}", (position.quantity, position.entry_price)


def _balance_state(balance: Balance) -> tuple[str, Hashable]:
    locked = balance.locked if balance.product in LOCKING_PRODUCTS else None
    return balance.asset, (plain(balance.total), locked)
