"""Spot handlers that change orders: place, cancel, cancel all, order lists.

Promises: a handler either raises the documented refusal and changes nothing, or returns the
documented body; what a fault makes the engine do (pretend, reach only some) goes through `calls`.

Source: binance-spot-api-docs rest-api.md, "Trading endpoints", 2026-07.
Called through `endpoints`.
"""

from decimal import Decimal
from typing import Any

from resyncctl.simulator import spot_engine, spot_orders
from resyncctl.simulator.calls import Call, pretend, reachable
from resyncctl.simulator.numbers import ZERO
from resyncctl.simulator.orders import Order, OrderList, OrderTerms
from resyncctl.simulator.spot_rows import canceled_row, list_row, placed_row
from resyncctl.simulator.venue_errors import VenueError, refuse, unknown_order_cancel

_KINDS = (
    "LIMIT",
    "MARKET",
    "LIMIT_MAKER",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
_PRICED = frozenset({"LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})
_TIMED = frozenset({"LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})
_STOPPED = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
_RESPONSES = ("ACK", "RESULT", "FULL")
_RESTRICTIONS = ("", "ONLY_NEW", "ONLY_PARTIALLY_FILLED")


def place_order(call: Call) -> dict[str, Any]:
    """POST /api/v3/order."""
    symbol = call.symbol("spot")
    side = _side(call)
    kind = call.required("type")
    if kind not in _KINDS:
        raise refuse(-1116, "Invalid orderType.")
    if "reduceOnly" in call.parameters:
        raise refuse(-1104, "Not all sent parameters were read; read '8' parameter(s).")
    price = _needed_decimal(call, "price") if kind in _PRICED else ZERO
    stop_price = _needed_decimal(call, "stopPrice") if kind in _STOPPED else ZERO
    time_in_force = "GTC"
    if kind in _TIMED:
        call.required("timeInForce")
        time_in_force = call.choice("timeInForce", ("GTC", "IOC", "FOK"), "GTC", -1115)
    quantity, quote_quantity = call.decimal("quantity"), call.decimal("quoteOrderQty")
    if quote_quantity and kind == "MARKET" and not quantity:
        row = call.world.symbol("spot", symbol)
        quantity = quote_quantity / call.world.mid("spot", symbol) // row.step * row.step
    elif not quantity:
        call.required("quantity")
        raise refuse(-1013, "Invalid quantity.")
    terms = OrderTerms(
        market="spot",
        symbol=symbol,
        side=side,
        kind=kind,
        quantity=quantity,
        client_order_id=call.new_client_id("newClientOrderId", "sim"),
        price=price,
        stop_price=stop_price,
        time_in_force=time_in_force,
        quote_quantity=quote_quantity,
        self_trade_prevention=call.text("selfTradePreventionMode", "EXPIRE_MAKER"),
    )
    default = "FULL" if kind in ("MARKET", "LIMIT") else "ACK"
    response = call.choice("newOrderRespType", _RESPONSES, default, -1117)
    order, fills = spot_orders.place(call.world, call.account, terms)
    call.placed += 1
    call.touched.append(order)
    return placed_row(order, fills, response)


def test_order(call: Call) -> dict[str, Any]:
    """POST /api/v3/order/test checks the parameters and places nothing."""
    call.symbol("spot")
    _side(call)
    call.required("type")
    return {}


def cancel_order(call: Call) -> dict[str, Any]:
    """DELETE /api/v3/order."""
    symbol = call.symbol("spot")
    restrictions = call.choice("cancelRestrictions", _RESTRICTIONS, "", -1145)
    spot_orders.check_cancellable(call.world, symbol)
    order = find_order(call, symbol)
    if order is None or not order.is_open:
        raise unknown_order_cancel()
    spot_orders.check_restrictions(order, restrictions)
    call.touched.append(order)
    client_id = call.new_client_id("newClientOrderId", "simc")
    order_list = call.world.register.lists.get(order.order_list)
    if order_list is not None:
        return _cancel_list(call, order_list, client_id)
    return _cancel(call, order, client_id)


def cancel_open_orders(call: Call) -> list[dict[str, Any]]:
    """DELETE /api/v3/openOrders: every order and order list of one symbol."""
    symbol = call.symbol("spot")
    spot_orders.check_cancellable(call.world, symbol)
    drawer = call.world.register.drawer(call.account.label, "spot")
    doomed = [order for order in drawer.open.values() if order.terms.symbol == symbol]
    if not doomed:
        raise unknown_order_cancel()
    rows: list[dict[str, Any]] = []
    done: set[int] = set()
    for order in reachable(call, doomed):
        call.touched.append(order)
        client_id = call.new_client_id("newClientOrderId", "simc")
        order_list = call.world.register.lists.get(order.order_list)
        if order_list is None:
            rows.append(_cancel(call, order, client_id))
        elif order_list.list_id not in done:
            done.add(order_list.list_id)
            rows.append(_cancel_list(call, order_list, client_id))
    return rows


def cancel_replace(call: Call) -> dict[str, Any]:
    """POST /api/v3/order/cancelReplace, mode STOP_ON_FAILURE: cancel, and only then place.

    Raise VenueError 400 -2022 when the cancel fails, 409 -2021 when only the new order does.
    """
    if call.required("cancelReplaceMode") != "STOP_ON_FAILURE":
        raise refuse(-1145, "Invalid cancelReplaceMode.")
    symbol = call.symbol("spot")
    order = _order_named(call, symbol, "cancelOrderId", "cancelOrigClientOrderId")
    if order is None or not order.is_open:
        unknown = unknown_order_cancel()
        raise VenueError(
            400,
            -2022,
            "Order cancel-replace failed.",
            data={
                "cancelResult": "FAILURE",
                "newOrderResult": "NOT_ATTEMPTED",
                "cancelResponse": {"code": unknown.code, "msg": unknown.message},
                "newOrderResponse": None,
            },
        )
    canceled = _cancel(call, order, call.new_client_id("cancelNewClientOrderId", "simc"))
    call.touched.append(order)
    try:
        placed = place_order(call)
    except VenueError as error:
        raise VenueError(
            409,
            -2021,
            "Order cancel-replace partially failed.",
            executed=True,
            data={
                "cancelResult": "SUCCESS",
                "newOrderResult": "FAILURE",
                "cancelResponse": canceled,
                "newOrderResponse": {"code": error.code, "msg": error.message},
            },
        ) from None
    return {
        "cancelResult": "SUCCESS",
        "newOrderResult": "SUCCESS",
        "cancelResponse": canceled,
        "newOrderResponse": placed,
    }


def place_oco(call: Call) -> dict[str, Any]:
    """POST /api/v3/orderList/oco: one leg above the price, one below, of the same quantity."""
    symbol, side = call.symbol("spot"), _side(call)
    legs = [_leg(call, symbol, side, where) for where in ("above", "below")]
    return _place_list(call, legs)


def place_old_oco(call: Call) -> dict[str, Any]:
    """POST /api/v3/order/oco, the deprecated form: a limit leg and a stop leg."""
    symbol, side = call.symbol("spot"), _side(call)
    quantity = _needed_decimal(call, "quantity")
    stop_limit = call.decimal("stopLimitPrice")
    limit = OrderTerms(
        market="spot",
        symbol=symbol,
        side=side,
        kind="LIMIT_MAKER",
        quantity=quantity,
        client_order_id=call.new_client_id("limitClientOrderId", "sim"),
        price=_needed_decimal(call, "price"),
    )
    stop = OrderTerms(
        market="spot",
        symbol=symbol,
        side=side,
        kind="STOP_LOSS_LIMIT" if stop_limit else "STOP_LOSS",
        quantity=quantity,
        client_order_id=call.new_client_id("stopClientOrderId", "sim"),
        price=stop_limit,
        stop_price=_needed_decimal(call, "stopPrice"),
    )
    return _place_list(call, [limit, stop] if side == "SELL" else [stop, limit])


def cancel_order_list(call: Call) -> dict[str, Any]:
    """DELETE /api/v3/orderList."""
    symbol = call.symbol("spot")
    spot_orders.check_cancellable(call.world, symbol)
    order_list = find_list(call)
    if order_list is None or order_list.symbol != symbol or not order_list.is_open:
        raise unknown_order_cancel()
    call.touched.extend(order_list.orders)
    return _cancel_list(call, order_list, call.new_client_id("newClientOrderId", "simc"))


def find_order(call: Call, symbol: str) -> Order | None:
    """Return the account's order named by orderId or origClientOrderId. Raise -1102."""
    return _order_named(call, symbol, "orderId", "origClientOrderId")


def find_list(call: Call) -> OrderList | None:
    """Return the account's list named by orderListId or listClientOrderId. Raise -1102."""
    number = call.whole("orderListId")
    client_id = call.text("listClientOrderId") or call.text("origClientOrderId")
    if not number and not client_id:
        call.required("orderListId")
    lists = call.world.register.lists
    if number:
        found = lists.get(number)
        return found if found is not None and found.account == call.account.label else None
    for order_list in reversed(lists.values()):
        if order_list.account == call.account.label and order_list.client_id == client_id:
            return order_list
    return None


def _order_named(call: Call, symbol: str, number_name: str, client_name: str) -> Order | None:
    number, client_id = call.whole(number_name), call.text(client_name)
    if not number and not client_id:
        raise refuse(
            -1102,
            f"Param '{client_name}' or '{number_name}' must be sent, but both were empty/null!",
        )
    register = call.world.register
    if number:
        order = register.find("spot", symbol, number)
        return order if order is not None and order.account == call.account.label else None
    return register.find_client(call.account.label, "spot", symbol, client_id)


def _cancel(call: Call, order: Order, client_id: str) -> dict[str, Any]:
    if pretend(call):
        row = canceled_row(order, order.now, client_id)
        return row | {"status": "CANCELED"}
    state = spot_orders.cancel(call.world, order, client_id)
    return canceled_row(order, state, client_id)


def _cancel_list(call: Call, order_list: OrderList, client_id: str) -> dict[str, Any]:
    if pretend(call):
        reports = [
            canceled_row(order, order.now, client_id) | {"status": "CANCELED"}
            for order in order_list.orders
        ]
        row = list_row(order_list, reports=reports)
        return row | {"listStatusType": "ALL_DONE", "listOrderStatus": "ALL_DONE"}
    spot_engine.close_list(call.world, order_list, "CANCELED", client_id)
    reports = [canceled_row(order, order.now, client_id) for order in order_list.orders]
    return list_row(order_list, reports=reports)


def _place_list(call: Call, legs: list[OrderTerms]) -> dict[str, Any]:
    client_id = call.new_client_id("listClientOrderId", "siml")
    order_list = spot_orders.place_list(call.world, call.account, client_id, legs)
    call.placed += len(order_list.orders)
    call.touched.extend(order_list.orders)
    reports = [placed_row(order, [], "RESULT") for order in order_list.orders]
    return list_row(order_list, reports=reports)


def _leg(call: Call, symbol: str, side: str, where: str) -> OrderTerms:
    kind = call.required(f"{where}Type")
    if kind not in ("LIMIT_MAKER", *_STOPPED):
        raise refuse(-1116, "Invalid orderType.")
    priced = kind in _PRICED
    stopped = kind in _STOPPED
    return OrderTerms(
        market="spot",
        symbol=symbol,
        side=side,
        kind=kind,
        quantity=_needed_decimal(call, "quantity"),
        client_order_id=call.new_client_id(f"{where}ClientOrderId", "sim"),
        price=_needed_decimal(call, f"{where}Price") if priced else ZERO,
        stop_price=_needed_decimal(call, f"{where}StopPrice") if stopped else ZERO,
    )


def _side(call: Call) -> str:
    call.required("side")
    return call.choice("side", ("BUY", "SELL"), "", -1117)


def _needed_decimal(call: Call, name: str) -> Decimal:
    call.required(name)
    value = call.decimal(name)
    if value == 0:
        raise refuse(-1013, f"Invalid {name}.")
    return value
