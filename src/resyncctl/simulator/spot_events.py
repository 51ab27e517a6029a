"""Private events of the spot dialect, ready to send.

Field lists: Binance spot "User Data Stream" documentation; every number is text.
Called by the spot engine whenever an order, a list or a balance changes.
"""

from collections.abc import Iterable
from typing import Any

from resyncctl.simulator.ledger import Account
from resyncctl.simulator.numbers import ZERO, padded
from resyncctl.simulator.orders import Fill, Order, OrderList
from resyncctl.simulator.world import World


def tell_order(
    world: World, order: Order, execution: str, fill: Fill | None = None, reject: str = "NONE"
) -> None:
    """Announce an executionReport: NEW, CANCELED, REPLACED, REJECTED, TRADE or EXPIRED."""
    if world.heard:
        payload = _execution_report(world, order, execution, fill, reject)
        world.announce("spot", order.account, order.terms.symbol, payload)


def tell_balances(world: World, account: Account, assets: Iterable[str]) -> None:
    """Announce the balances that an order event changed."""
    if not world.heard:
        return
    now_ms = world.now_ms()
    rows = []
    for asset in sorted(set(assets)):
        balance = account.balance("spot", asset)
        rows.append({"a": asset, "f": padded(balance.free), "l": padded(balance.locked)})
    payload = {"e": "outboundAccountPosition", "E": now_ms, "u": now_ms, "B": rows}
    world.announce("spot", account.label, "", payload)


def tell_transfer(world: World, account: Account, asset: str, amount: Any) -> None:
    """Announce a balance that changed without a trade."""
    if world.heard:
        now_ms = world.now_ms()
        payload = {"e": "balanceUpdate", "E": now_ms, "a": asset, "d": padded(amount), "T": now_ms}
        world.announce("spot", account.label, "", payload)


def tell_list(world: World, order_list: OrderList) -> None:
    """Announce the state of an order list."""
    if not world.heard:
        return
    now_ms = world.now_ms()
    done = not order_list.is_open
    payload: dict[str, Any] = {
        "e": "listStatus",
        "E": now_ms,
        "s": order_list.symbol,
        "g": order_list.list_id,
        "c": order_list.contingency,
        "l": "ALL_DONE" if done else "EXEC_STARTED",
        "L": "ALL_DONE" if done else "EXECUTING",
        "r": "NONE",
        "C": order_list.client_id,
        "T": now_ms,
        "O": [
            {"s": order_list.symbol, "i": order.order_id, "c": order.terms.client_order_id}
            for order in order_list.orders
        ],
    }
    world.announce("spot", order_list.account, order_list.symbol, payload)


def _execution_report(
    world: World, order: Order, execution: str, fill: Fill | None, reject: str
) -> dict[str, Any]:
    terms, state = order.terms, order.now
    payload: dict[str, Any] = {
        "e": "executionReport",
        "E": world.now_ms(),
        "s": terms.symbol,
        "c": state.cancel_client_id or terms.client_order_id,
        "S": terms.side,
        "o": terms.kind,
        "f": terms.time_in_force,
        "q": padded(state.quantity),
        "p": padded(state.price),
        "P": padded(terms.stop_price),
        "F": padded(ZERO),
        "g": order.order_list,
        "C": terms.client_order_id if state.cancel_client_id else "",
        "x": execution,
        "X": state.status,
        "r": reject,
        "i": order.order_id,
        "l": padded(fill.quantity if fill else ZERO),
        "z": padded(state.executed),
        "L": padded(fill.price if fill else ZERO),
        "n": padded(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": state.update_ms,
        "t": fill.trade_id if fill else -1,
        "v": 0,
        "I": world.next_number("execution", 1),
        "w": state.working and order.is_open,
        "m": fill.maker if fill else False,
        "M": False,
        "O": order.created_ms,
        "Z": padded(state.quote),
        "Y": padded(fill.quote if fill else ZERO),
        "Q": padded(terms.quote_quantity),
        "W": order.created_ms,
        "V": terms.self_trade_prevention,
    }
    if state.expiry_reason:
        payload["eR"] = state.expiry_reason
    return payload
