"""Cancelling at Binance: one permit, one request, one classified outcome.

Promises: nothing here needs the table of instruments; nothing here repeats a request; an
acknowledgement is only an acknowledgement, and never evidence that an order is gone.

Which request takes what with it (rest-api.md; USD-M and COIN-M documentation): spot
`DELETE openOrders` takes every order of a symbol, order lists too; on both futures markets `DELETE
allOpenOrders` takes the regular orders of a symbol and `DELETE algoOpenOrders` the conditional
ones; cancelling one leg of an order list cancels the whole list.
Called by `venue`.
"""

from collections.abc import Mapping

from resyncctl.adapters.venues.via_ccxt.binance.desk import Desk
from resyncctl.adapters.venues.via_ccxt.classify import is_clock_error, outcome_of
from resyncctl.core.model import Order, OrderClass, Scope
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit

LONGEST_VALIDITY_MS = 60_000
"""Binance refuses a longer recvWindow (rest-api.md, Timing security)."""

_BY_SYMBOL = {
    Scope("spot"): "privateDeleteOpenOrders",
    Scope("linear"): "fapiPrivateDeleteAllOpenOrders",
    Scope("linear", OrderClass.ALGO): "fapiPrivateDeleteAlgoOpenOrders",
    Scope("inverse"): "dapiPrivateDeleteAllOpenOrders",
    Scope("inverse", OrderClass.ALGO): "dapiPrivateDeleteAlgoOpenOrders",
}
_FUTURES = {"linear": "fapiPrivateDelete", "inverse": "dapiPrivateDelete"}


async def cancel_symbol(
    desk: Desk, scope: Scope, venue_symbol: str, permit: Permit
) -> MutationOutcome:
    """Cancel everything of one class on one symbol."""
    method = _BY_SYMBOL.get(scope)
    if method is None:
        return _not_sent(f"orders of {scope} cannot be cancelled here")
    return await _send(desk, method, {"symbol": venue_symbol}, permit)


async def cancel_order(desk: Desk, order: Order, permit: Permit) -> MutationOutcome:
    """Cancel one order by the exchange's id, or by the client's when there is no other."""
    request = _request_for(order)
    if request is None:
        return _not_sent("the order has no id, or no symbol, to cancel it by")
    method, params = request
    return await _send(desk, method, params, permit)


def _request_for(order: Order) -> tuple[str, Mapping[str, object]] | None:
    symbol = order.venue_symbol
    futures = _FUTURES.get(order.product)
    if futures is not None and order.order_class is OrderClass.ALGO:
        ids = _ids(order, "algoId", "clientAlgoId")
        return None if ids is None else (f"{futures}AlgoOrder", ids)
    ids = _ids(order, "orderId", "origClientOrderId")
    if ids is None or symbol is None:
        return None
    if futures is not None:
        return f"{futures}Order", {"symbol": symbol, **ids}
    if order.scope != Scope("spot"):
        return None
    if order.list_id is not None:
        params = {"symbol": symbol, "orderListId": order.list_id}
        return "privateDeleteOrderList", params
    return "privateDeleteOrder", {"symbol": symbol, **ids}


def _ids(order: Order, venue_key: str, client_key: str) -> dict[str, object] | None:
    if order.venue_order_id is not None:
        return {venue_key: order.venue_order_id}
    if order.client_order_id is not None:
        return {client_key: order.client_order_id}
    return None


async def _send(
    desk: Desk, method: str, params: Mapping[str, object], permit: Permit
) -> MutationOutcome:
    # The exchange itself refuses the request once the permit is past its deadline, so what is
    # still under way then is dead. Without this the request would live on from its signature.
    left_ms = max(1, permit.deadline_ms - desk.clock.now_ms())
    signed = {**params, "recvWindow": min(left_ms, LONGEST_VALIDITY_MS)}
    attempt = await desk.connection.ask(method, signed, permit=permit)
    if is_clock_error(attempt):
        await desk.measure()  # so that the next wave is signed with the right time
    return outcome_of(attempt)


def _not_sent(why: str) -> MutationOutcome:
    return MutationOutcome(kind=OutcomeKind.REJECTED, message=why, sent=False)
