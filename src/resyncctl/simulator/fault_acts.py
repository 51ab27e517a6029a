"""Faults that are events: what somebody else does to the account while a client is at work.

Promises: an act runs once per firing, right before or right after the request that it is tied to,
or some milliseconds later; `noted` is called when, and only when, it changed the venue's truth.

Called through `fault_kinds`.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Literal

from resyncctl.simulator import algo, matching, spot_engine
from resyncctl.simulator.attempt import Answer, Attempt
from resyncctl.simulator.orders import Order
from resyncctl.simulator.world import World

Noted = Callable[[], None]
Moment = Literal["before", "after"]

# The act, by the name of the fault: a control method and what it is given by default.
_METHODS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "engine_order_lands": ("seed_order", {}),
    "foreign_order_appears": ("seed_order", {"client_order_id": "web_foreign"}),
    "liquidation": ("liquidate", {}),
    "auto_deleveraging": ("auto_deleverage", {}),
    "funding": ("funding", {}),
    "deposit": ("deposit", {}),
    "withdrawal": ("withdraw", {}),
    "transfer": ("transfer", {}),
    "symbol_status": ("set_symbol_status", {}),
    "hedge_flip": ("flip_position_mode", {}),
    "countdown_fires": ("fire_countdown", {}),
    "order_filled": ("fill_first", {}),
    "price_moves": ("set_price", {}),
    "clock_steps": ("set_clock_skew", {}),
    "key_revoked": ("revoke_keys", {}),
    "listen_key_lapses": ("lapse_listen_key", {}),
    "maintenance": ("set_system_status", {"status": 1}),
}
# These act right after the request unless they are told otherwise: the client has looked already.
_AFTERWARDS = frozenset({"engine_order_lands", "foreign_order_appears", "algo_child_appears"})
_NEED_ACCOUNT = frozenset(
    {
        "seed_order",
        "liquidate",
        "auto_deleverage",
        "deposit",
        "withdraw",
        "transfer",
        "flip_position_mode",
        "fire_countdown",
        "fill_first",
        "revoke_keys",
        "lapse_listen_key",
    }
)
SUMMARIES: dict[str, str] = {
    "engine_order_lands": "an order of the engine lands late",
    "foreign_order_appears": "somebody places an order by hand",
    "liquidation": "the venue closes a leg by force",
    "auto_deleveraging": "the venue shrinks a winning leg",
    "funding": "funding is paid",
    "deposit": "money arrives",
    "withdrawal": "money leaves",
    "transfer": "money moves between wallets",
    "symbol_status": "a symbol's status changes",
    "hedge_flip": "the position mode changes",
    "countdown_fires": "a countdown cancels orders",
    "order_filled": "an open order is filled",
    "price_moves": "the price jumps",
    "clock_steps": "the venue's clock steps",
    "key_revoked": "the account's keys are revoked",
    "listen_key_lapses": "the listen key ends",
    "maintenance": "the venue announces maintenance",
    "algo_child_appears": "a conditional order triggers after the listing of regular orders",
}


def acts(name: str, moment: Moment) -> Callable[[Attempt, Mapping[str, Any], Noted], None]:
    """Return the stage that runs the act if the fault's moment is this one."""

    def stage(attempt: Attempt, parameters: Mapping[str, Any], noted: Noted) -> None:
        default = "after" if name in _AFTERWARDS else "before"
        if parameters.get("when", default) != moment:
            return
        run = partial(_run, name, attempt, parameters, noted)
        delay_ms = int(parameters.get("delay_ms", 0))
        if delay_ms:
            attempt.world.later(delay_ms, run)
        else:
            run()

    return stage


def acts_after(
    name: str,
) -> Callable[[Attempt, Mapping[str, Any], Answer, Noted], Answer]:
    """Return the stage after the answer was made; it leaves the answer alone."""
    stage = acts(name, "after")

    def finish(
        attempt: Attempt, parameters: Mapping[str, Any], answer: Answer, noted: Noted
    ) -> Answer:
        stage(attempt, parameters, noted)
        return answer

    return finish


def fill_before(attempt: Attempt, parameters: Mapping[str, Any], noted: Noted) -> None:
    """Fill (a part of) what the request is about to cancel."""
    for order in targets(attempt)[: int(parameters.get("count", 1))]:
        fill_part(attempt.world, order, parameters, noted)


def fill_after(
    attempt: Attempt, parameters: Mapping[str, Any], answer: Answer, noted: Noted
) -> Answer:
    """Fill (a part of) what the request has just cancelled, after the acknowledgement."""
    touched = attempt.call.touched if attempt.call is not None else []
    canceled = [order for order in touched if order.now.status == "CANCELED"]
    for order in canceled[: int(parameters.get("count", 1))]:
        run = partial(fill_part, attempt.world, order, parameters, noted)
        attempt.world.later(int(parameters.get("delay_ms", 0)), run)
    return answer


def fill_part(world: World, order: Order, parameters: Mapping[str, Any], noted: Noted) -> None:
    """Fill a fraction of an order's rest at its own price, on the quantity grid."""
    row = world.symbol(order.terms.market, order.terms.symbol)
    fraction = Decimal(str(parameters.get("fraction", "1")))
    quantity = order.now.remaining * fraction // row.step * row.step
    if quantity > 0 and _affordable(world, order, quantity):
        price = order.now.price or world.mid(order.terms.market, order.terms.symbol)
        matching.fill(world, order, quantity, price)
        noted()


def _affordable(world: World, order: Order, quantity: Decimal) -> bool:
    """A cancelled spot order no longer locks its funds: they may have gone elsewhere."""
    if order.terms.market != "spot" or order.is_open:
        return True
    asset, amount = spot_engine.needed(world, order.terms, quantity, order.now.price)
    return world.owner(order).balance("spot", asset).free >= amount


def targets(attempt: Attempt) -> list[Order]:
    """Return the open orders that a cancel names: one by number or id, or all of a symbol."""
    market, register = attempt.endpoint.market, attempt.world.register
    symbol = attempt.parameters.get("symbol", "")
    number = attempt.parameters.get("orderId", "")
    client_id = attempt.parameters.get("origClientOrderId", "")
    if number.isdecimal():
        order = register.find(market, symbol, int(number))
        return [order] if order is not None and order.is_open else []
    if client_id:
        order = register.find_client(attempt.account, market, symbol, client_id)
        return [order] if order is not None and order.is_open else []
    drawer = register.drawer(attempt.account, market)
    return [order for order in drawer.open.values() if order.terms.symbol == symbol]


def _run(name: str, attempt: Attempt, parameters: Mapping[str, Any], noted: Noted) -> None:
    before = attempt.world.changes
    if name == "algo_child_appears":
        _trigger_first(attempt, parameters)
    else:
        method, defaults = _METHODS[name]
        given = {key: value for key, value in parameters.items() if key not in ("when", "delay_ms")}
        arguments = {**defaults, **given}
        if method in _NEED_ACCOUNT:
            arguments.setdefault("account", attempt.account)
        attempt.act(method, arguments)
    if attempt.world.changes != before:
        noted()


def _trigger_first(attempt: Attempt, parameters: Mapping[str, Any]) -> None:
    symbol = str(parameters.get("symbol", ""))
    for item in list(attempt.world.register.open_algos.values()):
        if item.account == attempt.account and symbol in ("", item.terms.symbol):
            algo.trigger(attempt.world, item)
            return
