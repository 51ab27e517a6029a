"""How the spot dialect writes orders, lists, trades and balances.

Promises: every number of an order is text with eight digits, every id a number, as documented in
binance-spot-api-docs rest-api.md.

Called by the spot handlers.
"""

from typing import Any

from resyncctl.simulator.ledger import Balance
from resyncctl.simulator.numbers import padded
from resyncctl.simulator.orders import Fill, Order, OrderList, OrderState


def order_row(order: Order, state: OrderState) -> dict[str, Any]:
    """Write an order as GET order, openOrders and allOrders do."""
    terms = order.terms
    row: dict[str, Any] = {
        "symbol": terms.symbol,
        "orderId": order.order_id,
        "orderListId": order.order_list,
        "clientOrderId": state.cancel_client_id or terms.client_order_id,
        "price": padded(state.price),
        "origQty": padded(state.quantity),
        "executedQty": padded(state.executed),
        "cummulativeQuoteQty": padded(state.quote),
        "status": state.status,
        "timeInForce": terms.time_in_force,
        "type": terms.kind,
        "side": terms.side,
        "stopPrice": padded(terms.stop_price),
        "icebergQty": "0.00000000",
        "time": order.created_ms,
        "updateTime": state.update_ms,
        "isWorking": state.working,
        "workingTime": order.created_ms if state.working else -1,
        "origQuoteOrderQty": padded(terms.quote_quantity),
        "selfTradePreventionMode": terms.self_trade_prevention,
    }
    if state.expiry_reason:
        row["expiryReason"] = state.expiry_reason
    return row


def placed_row(order: Order, fills: list[Fill], response: str) -> dict[str, Any]:
    """Write the answer to a new order: ACK, RESULT or FULL."""
    terms, state = order.terms, order.now
    row: dict[str, Any] = {
        "symbol": terms.symbol,
        "orderId": order.order_id,
        "orderListId": order.order_list,
        "clientOrderId": terms.client_order_id,
        "transactTime": state.update_ms,
    }
    if response == "ACK":
        return row
    row |= _execution(order, state)
    row["workingTime"] = order.created_ms if state.working else -1
    if response == "FULL":
        row["fills"] = [
            {
                "price": padded(fill.price),
                "qty": padded(fill.quantity),
                "commission": padded(fill.fee),
                "commissionAsset": fill.fee_asset,
                "tradeId": fill.trade_id,
            }
            for fill in fills
        ]
    return row


def canceled_row(order: Order, state: OrderState, client_id: str) -> dict[str, Any]:
    """Write the answer to a cancel."""
    terms = order.terms
    return {
        "symbol": terms.symbol,
        "origClientOrderId": terms.client_order_id,
        "orderId": order.order_id,
        "orderListId": order.order_list,
        "clientOrderId": client_id,
        "transactTime": state.update_ms,
        **_execution(order, state),
    }


def list_row(order_list: OrderList, *, reports: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Write an order list; with reports it is the answer to placing or cancelling."""
    done = not order_list.is_open
    row: dict[str, Any] = {
        "orderListId": order_list.list_id,
        "contingencyType": order_list.contingency,
        "listStatusType": "ALL_DONE" if done else "EXEC_STARTED",
        "listOrderStatus": "ALL_DONE" if done else "EXECUTING",
        "listClientOrderId": order_list.client_id,
        "transactionTime": order_list.created_ms,
        "symbol": order_list.symbol,
        "orders": [
            {
                "symbol": order_list.symbol,
                "orderId": order.order_id,
                "clientOrderId": order.terms.client_order_id,
            }
            for order in order_list.orders
        ],
    }
    if reports is not None:
        row["orderReports"] = reports
    return row


def trade_row(fill: Fill) -> dict[str, Any]:
    """Write a fill as myTrades does."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": fill.order_list,
        "price": padded(fill.price),
        "qty": padded(fill.quantity),
        "quoteQty": padded(fill.quote),
        "commission": padded(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.time_ms,
        "isBuyer": fill.side == "BUY",
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def balance_row(asset: str, balance: Balance) -> dict[str, str]:
    """Write a balance as account does."""
    return {"asset": asset, "free": padded(balance.free), "locked": padded(balance.locked)}


def _execution(order: Order, state: OrderState) -> dict[str, Any]:
    terms = order.terms
    row: dict[str, Any] = {
        "price": padded(state.price),
        "origQty": padded(state.quantity),
        "executedQty": padded(state.executed),
        "origQuoteOrderQty": padded(terms.quote_quantity),
        "cummulativeQuoteQty": padded(state.quote),
        "status": state.status,
        "timeInForce": terms.time_in_force,
        "type": terms.kind,
        "side": terms.side,
        "selfTradePreventionMode": terms.self_trade_prevention,
    }
    if terms.stop_price:
        row["stopPrice"] = padded(terms.stop_price)
    return row
