"""Spot handlers that read: account, orders, lists, trades, keys, transfers.

Promises: listings answer through the call's view; windows, page sizes and paging by id are those of
the venue: myTrades and allOrders need a symbol and a window of at most 24 hours.

Source: binance-spot-api-docs rest-api.md, "Account endpoints", 2026-07; sapi wallet documentation.
Called through `endpoints`.
"""

from datetime import UTC, datetime
from typing import Any

from resyncctl.simulator import replicas
from resyncctl.simulator.calls import Call
from resyncctl.simulator.ledger import Posting
from resyncctl.simulator.limits import ORDER_LIMITS
from resyncctl.simulator.numbers import plain
from resyncctl.simulator.orders import Fill, Order, OrderState
from resyncctl.simulator.spot_rows import balance_row, list_row, order_row, trade_row
from resyncctl.simulator.spot_trading import find_list, find_order
from resyncctl.simulator.venue_errors import refuse, unknown_order_query

DAY_MS = 86_400_000
ARCHIVE_MS = 90 * DAY_MS


def account(call: Call) -> dict[str, Any]:
    """GET /api/v3/account."""
    user = call.account
    balances = replicas.balances(user, "spot", call.view)
    only_held = call.flag("omitZeroBalances")
    rates = user.fees["spot"]
    return {
        "makerCommission": int(rates.maker * 10_000),
        "takerCommission": int(rates.taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": f"{rates.maker:.8f}",
            "taker": f"{rates.taker:.8f}",
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": not user.closed_to_trading,
        "canWithdraw": False,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": call.world.now_ms(),
        "accountType": "SPOT",
        "balances": [
            balance_row(asset, balance)
            for asset, balance in sorted(balances.items())
            if balance.total or not only_held
        ],
        "permissions": ["SPOT"],
        "uid": 10_000_000 + user.number,
    }


def open_orders(call: Call) -> list[dict[str, Any]]:
    """GET /api/v3/openOrders."""
    symbol = call.maybe_symbol("spot")
    rows = replicas.open_orders(call.world, call.account.label, "spot", symbol, call.view)
    return [order_row(order, state) for order, state in rows]


def order(call: Call) -> dict[str, Any]:
    """GET /api/v3/order."""
    found = find_order(call, call.symbol("spot"))
    state = replicas.order_state(found, call.view) if found is not None else None
    if found is None or state is None:
        raise unknown_order_query()
    if _archived(call, found, state):
        raise refuse(-2026, "Order was canceled or expired with no executed qty over 90 days ago.")
    return order_row(found, state)


def all_orders(call: Call) -> list[dict[str, Any]]:
    """GET /api/v3/allOrders: from an order id upwards, in a window, or the latest."""
    symbol = call.symbol("spot")
    limit = call.limit(500, 1000)
    start_ms, end_ms = window(call, DAY_MS)
    found = call.world.register.drawer(call.account.label, "spot").every.get(symbol, [])
    first = call.whole("orderId")
    rows = [
        (item, state)
        for item in found
        if (state := replicas.order_state(item, call.view)) is not None
        and item.order_id >= first
        and (not start_ms or item.created_ms >= start_ms)
        and (not end_ms or item.created_ms <= end_ms)
    ]
    page = rows[:limit] if first or start_ms else rows[-limit:]
    return [order_row(item, state) for item, state in page]


def my_trades(call: Call) -> list[dict[str, Any]]:
    """GET /api/v3/myTrades: from a trade id upwards, of one order, in a window, or the latest."""
    symbol = call.symbol("spot")
    limit = call.limit(500, 1000)
    start_ms, end_ms = window(call, DAY_MS)
    found = replicas.fills(call.world, call.account.label, "spot", symbol, call.view)
    return [trade_row(fill) for fill in page_of_fills(call, found, start_ms, end_ms, limit)]


def open_order_lists(call: Call) -> list[dict[str, Any]]:
    """GET /api/v3/openOrderList."""
    return [
        list_row(entry, reports=None)
        for entry in call.world.register.lists.values()
        if entry.account == call.account.label and entry.is_open
    ]


def order_list(call: Call) -> dict[str, Any]:
    """GET /api/v3/orderList."""
    found = find_list(call)
    if found is None:
        raise refuse(-2013, "Order list does not exist.")
    return list_row(found, reports=None)


def all_order_lists(call: Call) -> list[dict[str, Any]]:
    """GET /api/v3/allOrderList."""
    limit = call.limit(500, 1000)
    rows = [
        list_row(entry, reports=None)
        for entry in call.world.register.lists.values()
        if entry.account == call.account.label and entry.list_id >= call.whole("fromId")
    ]
    return rows[-limit:]


def rate_limit_order(call: Call) -> list[dict[str, Any]]:
    """GET /api/v3/rateLimit/order and GET /fapi/v1/rateLimit/order; counts are in the headers."""
    return [
        {
            "rateLimitType": "ORDERS",
            "interval": limit.interval,
            "intervalNum": limit.number,
            "limit": limit.most,
        }
        for limit in ORDER_LIMITS[call.market]
    ]


def api_restrictions(call: Call) -> dict[str, Any]:
    """GET /sapi/v1/account/apiRestrictions."""
    key = call.world.ledger.keys[call.api_key]
    trades = "TRADE" in key.permissions
    return {
        "ipRestrict": True,
        "createTime": call.account.created_ms,
        "enableReading": "READ" in key.permissions,
        "enableSpotAndMarginTrading": trades,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": trades,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enablePortfolioMarginTrading": False,
    }


def deposits(call: Call) -> list[dict[str, Any]]:
    """GET /sapi/v1/capital/deposit/hisrec."""
    return [
        {
            "id": str(posting.number),
            "amount": plain(posting.amount),
            "coin": posting.asset,
            "network": posting.asset,
            "status": 1,
            "address": "",
            "txId": posting.reference,
            "insertTime": posting.time_ms,
            "completeTime": posting.time_ms,
            "transferType": 0,
        }
        for posting in _outside(call)
        if posting.amount > 0
    ]


def withdrawals(call: Call) -> list[dict[str, Any]]:
    """GET /sapi/v1/capital/withdraw/history."""
    return [
        {
            "id": str(posting.number),
            "amount": plain(-posting.amount),
            "transactionFee": "0",
            "coin": posting.asset,
            "network": posting.asset,
            "status": 6,
            "address": "",
            "txId": posting.reference,
            "applyTime": _text_time(posting.time_ms),
            "completeTime": _text_time(posting.time_ms),
            "transferType": 0,
        }
        for posting in _outside(call)
        if posting.amount < 0
    ]


def transfers(call: Call) -> dict[str, Any]:
    """GET /sapi/v1/asset/transfer: moves between the two wallets, newest first."""
    kind = call.required("type")
    signs = {"MAIN_UMFUTURE": -1, "UMFUTURE_MAIN": 1}
    if kind not in signs:
        raise refuse(-1130, "Data sent for parameter 'type' is not valid.")
    start_ms, end_ms = call.whole("startTime"), call.whole("endTime")
    rows = [
        {
            "asset": posting.asset,
            "amount": plain(abs(posting.amount)),
            "type": kind,
            "status": "CONFIRMED",
            "tranId": int(posting.reference),
            "timestamp": posting.time_ms,
        }
        for posting in call.world.ledger.rows(call.account.label, "spot")
        if posting.kind == "TRANSFER"
        and posting.amount * signs[kind] > 0
        and posting.time_ms >= start_ms
        and (not end_ms or posting.time_ms <= end_ms)
    ]
    size = min(call.whole("size", 10), 100)
    first = (max(call.whole("current", 1), 1) - 1) * size
    rows.reverse()
    return {"total": len(rows), "rows": rows[first : first + size]}


def window(call: Call, longest_ms: int) -> tuple[int, int]:
    """Return startTime and endTime, zero when absent. Raise VenueError -1127 when too far apart."""
    start_ms, end_ms = call.whole("startTime"), call.whole("endTime")
    if start_ms and end_ms and end_ms - start_ms > longest_ms:
        raise refuse(
            -1127, f"More than {longest_ms // 3_600_000} hours between startTime and endTime."
        )
    if start_ms and not end_ms:
        end_ms = start_ms + longest_ms
    elif end_ms and not start_ms:
        start_ms = max(end_ms - longest_ms, 1)
    return start_ms, end_ms


def page_of_fills(
    call: Call, found: list[Fill], start_ms: int, end_ms: int, limit: int
) -> list[Fill]:
    """Return one page: oldest first from a start (time or id), else the latest."""
    first, number = call.whole("fromId", -1), call.whole("orderId")
    rows = [
        fill
        for fill in found
        if (first < 0 or fill.trade_id >= first)
        and (not number or fill.order_id == number)
        and (not start_ms or fill.time_ms >= start_ms)
        and (not end_ms or fill.time_ms <= end_ms)
    ]
    return rows[:limit] if first >= 0 or start_ms else rows[-limit:]


def _archived(call: Call, found: Order, state: OrderState) -> bool:
    return (
        state.status in ("CANCELED", "EXPIRED")
        and state.executed == 0
        and call.world.now_ms() - found.created_ms > ARCHIVE_MS
    )


def _outside(call: Call) -> list[Posting]:
    coin = call.text("coin")
    start_ms, end_ms = call.whole("startTime"), call.whole("endTime")
    return [
        posting
        for posting in call.world.ledger.rows(call.account.label, "spot")
        if posting.counterparty == "outside"
        and (not coin or posting.asset == coin)
        and posting.time_ms >= start_ms
        and (not end_ms or posting.time_ms <= end_ms)
    ]


def _text_time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
