"""Futures handlers that change orders, on USD-M and COIN-M alike.

Promises: as for spot: a refusal changes nothing. The answer to cancel-all is an acknowledgement
without a list, as on the real venue; batch answers carry one element per order, result or error.

Source: USD-M "Trade" documentation, 2026-08.
Called through `endpoints`.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, get_args

import orjson

from resyncctl.simulator import usdm_orders
from resyncctl.simulator.calls import Call, pretend, reachable
from resyncctl.simulator.ledger import PositionSide
from resyncctl.simulator.numbers import ZERO
from resyncctl.simulator.orders import Order, OrderState, OrderTerms
from resyncctl.simulator.usdm_rows import acknowledged_row
from resyncctl.simulator.venue_errors import VenueError, refuse, unknown_order_cancel

KINDS = ("LIMIT", "MARKET", *sorted(usdm_orders.CONDITIONAL))
_TIMES = ("GTC", "IOC", "FOK", "GTX", "GTD")
_MAX_PLACED, _MAX_CANCELED = 5, 10


def place_order(call: Call) -> dict[str, Any]:
    """POST /fapi/v1/order."""
    terms = read_terms(call)
    order, _ = usdm_orders.place(call.world, call.account, terms)
    call.placed += 1
    call.touched.append(order)
    return _acknowledged(call, order, order.now)


def test_order(call: Call) -> dict[str, Any]:
    """POST /fapi/v1/order/test checks the parameters and places nothing."""
    read_terms(call)
    return {}


def read_terms(call: Call) -> OrderTerms:
    """Return what a new regular order asks for. Raise VenueError."""
    symbol = call.symbol(call.market)
    call.required("side")
    side = call.choice("side", ("BUY", "SELL"), "", -1117)
    kind = call.required("type")
    if kind not in KINDS:
        raise refuse(-1116, "Invalid orderType.")
    if kind in ("LIMIT", "MARKET"):
        call.required("quantity")
    price, time_in_force, good_till_ms = ZERO, "GTC", 0
    if kind == "LIMIT":
        call.required("price")
        price = call.decimal("price")
        call.required("timeInForce")
        time_in_force = call.choice("timeInForce", _TIMES, "GTC", -1115)
        good_till_ms = call.whole("goodTillDate") if time_in_force == "GTD" else 0
        if price <= 0:
            raise refuse(-4001, "Price less than 0.")
    return OrderTerms(
        market=call.market,
        symbol=symbol,
        side=side,
        kind=kind,
        quantity=call.decimal("quantity"),
        client_order_id=call.new_client_id("newClientOrderId", "sim"),
        price=price,
        time_in_force=time_in_force,
        reduce_only=call.flag("reduceOnly"),
        position_side=position_side(call),
        working_type=call.text("workingType", "CONTRACT_PRICE"),
        good_till_ms=good_till_ms,
        self_trade_prevention=call.text("selfTradePreventionMode", "EXPIRE_MAKER"),
    )


def position_side(call: Call) -> PositionSide:
    """Return the position side. Raise VenueError -1117."""
    value = call.text("positionSide", "BOTH")
    for side in get_args(PositionSide):
        if side == value:
            return value  # type: ignore[return-value]  # one of the literal's own values
    raise refuse(-1117, "Invalid positionSide.")


def amend_order(call: Call) -> dict[str, Any]:
    """PUT /fapi/v1/order."""
    order = find_order(call, call.symbol(call.market))
    if order is None:
        raise refuse(-2013, "Order does not exist.")
    for name in ("side", "quantity", "price"):
        call.required(name)
    state = usdm_orders.amend(call.world, order, call.decimal("quantity"), call.decimal("price"))
    call.touched.append(order)
    return _acknowledged(call, order, state)


def cancel_order(call: Call) -> dict[str, Any]:
    """DELETE /fapi/v1/order."""
    return _cancel(call, find_order(call, call.symbol(call.market)))


def cancel_all(call: Call) -> dict[str, Any]:
    """DELETE /fapi/v1/allOpenOrders: regular orders of one symbol; acknowledged, not listed."""
    symbol = call.symbol(call.market)
    drawer = call.world.register.drawer(call.account.label, call.market)
    doomed = [order for order in drawer.open.values() if order.terms.symbol == symbol]
    for order in reachable(call, doomed):
        _cancel(call, order)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def cancel_batch(call: Call) -> list[dict[str, Any]]:
    """DELETE /fapi/v1/batchOrders: one element per order, its row or its error."""
    symbol = call.symbol(call.market)
    # The venue reads these two names in either spelling; ccxt sends them in lower case.
    numbers = _listed(call, "orderIdList") or _listed(call, "orderidlist")
    names = _listed(call, "origClientOrderIdList") or _listed(call, "origclientorderidlist")
    if not numbers and not names:
        call.required("orderIdList")
    if len(numbers) + len(names) > _MAX_CANCELED:
        raise refuse(-4082, "Invalid number of batch place orders.")
    register, label = call.world.register, call.account.label
    if not all(str(number).isdecimal() for number in numbers):
        raise refuse(-1130, "Data sent for parameter 'orderIdList' is not valid.")
    found: list[Order | None] = [_own(call, symbol, int(str(number))) for number in numbers]
    found += [register.find_client(label, call.market, symbol, str(name)) for name in names]
    return _elements(call, [partial(_cancel, call, order) for order in found])


def place_batch(call: Call) -> list[dict[str, Any]]:
    """POST /fapi/v1/batchOrders: at most five orders, one element each."""
    rows = _listed(call, "batchOrders")
    if not rows or len(rows) > _MAX_PLACED:
        raise refuse(-4082, "Invalid number of batch place orders.")
    elements: list[Callable[[], dict[str, Any]]] = []
    for row in rows:
        if not isinstance(row, dict):
            raise refuse(-1130, "Data sent for parameter 'batchOrders' is not valid.")
        parameters = {str(name): _spoken(value) for name, value in row.items()}
        elements.append(partial(_place_element, call, parameters))
    return _elements(call, elements)


def countdown(call: Call) -> dict[str, Any]:
    """POST /fapi/v1/countdownCancelAll."""
    symbol = call.symbol(call.market)
    call.required("countdownTime")
    countdown_ms = call.whole("countdownTime")
    usdm_orders.set_countdown(call.world, call.account, symbol, countdown_ms)
    return {"symbol": symbol, "countdownTime": str(countdown_ms)}


def position_mode(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/positionSide/dual."""
    return {"dualSidePosition": call.account.hedge_mode}


def set_position_mode(call: Call) -> dict[str, Any]:
    """POST /fapi/v1/positionSide/dual."""
    call.required("dualSidePosition")
    usdm_orders.set_hedge_mode(call.world, call.account, hedge=call.flag("dualSidePosition"))
    return {"code": 200, "msg": "success"}


def set_leverage(call: Call) -> dict[str, Any]:
    """POST /fapi/v1/leverage."""
    symbol = call.symbol(call.market)
    leverage = call.whole("leverage")
    if not 1 <= leverage <= 125:
        raise refuse(-4028, "Leverage is not valid")
    call.account.leverage[symbol] = leverage
    call.world.changed()
    return {"leverage": leverage, "maxNotionalValue": "1000000", "symbol": symbol}


def find_order(call: Call, symbol: str) -> Order | None:
    """Return the account's order named by orderId or origClientOrderId. Raise -1102."""
    number, client_id = call.whole("orderId"), call.text("origClientOrderId")
    if not number and not client_id:
        raise refuse(
            -1102,
            "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
        )
    if number:
        return _own(call, symbol, number)
    return call.world.register.find_client(call.account.label, call.market, symbol, client_id)


def _own(call: Call, symbol: str, number: int) -> Order | None:
    order = call.world.register.find(call.market, symbol, number)
    return order if order is not None and order.account == call.account.label else None


def _cancel(call: Call, order: Order | None) -> dict[str, Any]:
    if order is None or not order.is_open:
        raise unknown_order_cancel()
    call.touched.append(order)
    if pretend(call):
        return _acknowledged(call, order, replace(order.now, status="CANCELED"))
    return _acknowledged(call, order, usdm_orders.cancel(call.world, order))


def _acknowledged(call: Call, order: Order, state: OrderState) -> dict[str, Any]:
    written = acknowledged_row(order, state)
    row = call.world.symbol(call.market, order.terms.symbol)
    return {**written, "pair": row.pair} if row.inverse else written


def _place_element(call: Call, parameters: dict[str, str]) -> dict[str, Any]:
    one = replace(call, parameters=parameters, placed=0, touched=[])
    row = place_order(one)
    call.placed += one.placed
    call.touched.extend(one.touched)
    return row


def _elements(call: Call, acts: list[Callable[[], dict[str, Any]]]) -> list[dict[str, Any]]:
    rows = []
    for position, act in enumerate(acts):
        try:
            if position >= len(acts) - call.quirks.refuse_elements:
                raise refuse(-1001, "Internal error; unable to process your request.")
            rows.append(act())
        except VenueError as error:
            rows.append({"code": error.code, "msg": error.message})
    return rows


def _listed(call: Call, name: str) -> list[Any]:
    text = call.text(name)
    if not text:
        return []
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, list):
        raise refuse(-1130, f"Data sent for parameter '{name}' is not valid.")
    return value


def _spoken(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(Decimal(str(value))) if isinstance(value, float) else str(value)
