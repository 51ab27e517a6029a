"""USD-M handlers of the algo service: conditional orders live here since 2025-12-09.

Promises: regular listings and cancels never see these orders, and these never see regular ones.

Source: USD-M "New Algo Order" and following pages, 2026-08.
Called through `endpoints`.
"""

from decimal import Decimal
from typing import Any

from resyncctl.simulator import algo, contracts, replicas
from resyncctl.simulator.calls import Call, pretend
from resyncctl.simulator.numbers import ZERO
from resyncctl.simulator.orders import AlgoOrder, AlgoState, OrderTerms
from resyncctl.simulator.usdm_orders import CONDITIONAL
from resyncctl.simulator.usdm_rows import algo_row
from resyncctl.simulator.usdm_trading import position_side
from resyncctl.simulator.venue_errors import refuse, unknown_order_cancel, unknown_order_query

_TRAILING = "TRAILING_STOP_MARKET"


def place(call: Call) -> dict[str, Any]:
    """POST /fapi/v1/algoOrder."""
    symbol = call.symbol(call.market)
    call.required("algoType")
    call.choice("algoType", ("CONDITIONAL",), "", -1130)
    call.required("side")
    side = call.choice("side", ("BUY", "SELL"), "", -1117)
    kind = call.required("type")
    if kind not in CONDITIONAL:
        raise refuse(-1116, "Invalid orderType.")
    closes = call.flag("closePosition")
    quantity = call.decimal("quantity")
    if closes and (quantity or call.flag("reduceOnly")):
        raise refuse(-4136, "Target strategy invalid for closePosition.")
    if not closes:
        call.required("quantity")
    if kind != _TRAILING:
        call.required("triggerPrice")
    if kind in ("STOP", "TAKE_PROFIT"):
        call.required("price")
    terms = OrderTerms(
        market=call.market,
        symbol=symbol,
        side=side,
        kind=kind,
        quantity=quantity,
        client_order_id=call.new_client_id("clientAlgoId", "sima"),
        price=call.decimal("price"),
        stop_price=call.decimal("triggerPrice"),
        time_in_force=call.choice("timeInForce", ("GTC", "IOC", "FOK", "GTX"), "GTC", -1115),
        reduce_only=call.flag("reduceOnly"),
        close_position=closes,
        position_side=position_side(call),
        working_type=call.text("workingType", "CONTRACT_PRICE"),
        price_protect=call.flag("priceProtect"),
    )
    made = algo.place(
        call.world,
        call.account,
        terms,
        activate_price=call.decimal("activatePrice") or call.decimal("activationPrice"),
        callback_rate=call.decimal("callbackRate"),
    )
    call.placed += 1
    return _row(call, made, made.states.now)


def query(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/algoOrder."""
    found = _find(call)
    if found is None:
        raise unknown_order_query()
    return _row(call, found, found.states.now)


def open_orders(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/openAlgoOrders."""
    symbol = call.maybe_symbol(call.market)
    rows = replicas.open_algos(call.world, call.account.label, call.market, symbol, call.view)
    return [_row(call, item, state) for item, state in rows]


def all_orders(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/allAlgoOrders."""
    symbol = call.symbol(call.market)
    start_ms, end_ms = call.whole("startTime"), call.whole("endTime")
    rows = [
        _row(call, item, item.states.now)
        for item in call.world.register.algos.values()
        if item.account == call.account.label
        and (item.terms.market, item.terms.symbol) == (call.market, symbol)
        and item.algo_id >= call.whole("algoId")
        and item.created_ms >= start_ms
        and (not end_ms or item.created_ms <= end_ms)
    ]
    return rows[-call.limit(500, 1000) :]


def cancel(call: Call) -> dict[str, Any]:
    """DELETE /fapi/v1/algoOrder."""
    found = _find(call)
    if found is None or not found.is_open:
        raise unknown_order_cancel()
    _cancel(call, found)
    return {
        "algoId": found.algo_id,
        "clientAlgoId": found.terms.client_order_id,
        "code": "200",
        "msg": "success",
    }


def cancel_all(call: Call) -> dict[str, Any]:
    """DELETE /fapi/v1/algoOpenOrders: the conditional orders of one symbol."""
    symbol = call.symbol(call.market)
    doomed = [
        item
        for item in call.world.register.open_algos.values()
        if item.account == call.account.label
        and (item.terms.market, item.terms.symbol) == (call.market, symbol)
    ]
    only = call.quirks.cancel_only
    for item in doomed if only < 0 else doomed[:only]:
        _cancel(call, item)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def _cancel(call: Call, item: AlgoOrder) -> None:
    if not pretend(call):
        algo.cancel(call.world, item)


def _find(call: Call) -> AlgoOrder | None:
    number, client_id = call.whole("algoId"), call.text("clientAlgoId")
    if not number and not client_id:
        raise refuse(
            -1102, "Param 'algoId' or 'clientAlgoId' must be sent, but both were empty/null!"
        )
    return algo.find(call.world, call.account, call.market, number, client_id)


def _row(call: Call, item: AlgoOrder, state: AlgoState) -> dict[str, Any]:
    return algo_row(item, state, triggered_price=_triggered_price(call, item, state))


def _triggered_price(call: Call, item: AlgoOrder, state: AlgoState) -> Decimal:
    if not state.order_id:
        return ZERO
    child = call.world.register.find(call.market, item.terms.symbol, state.order_id)
    row = call.world.symbol(call.market, item.terms.symbol)
    return contracts.average(row, child.now.quote, child.now.executed) if child else ZERO
