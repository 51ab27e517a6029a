"""What a success of each Binance endpoint looks like.

Promises: an answer that lacks the envelope or a needed key of a row is refused as a whole, so that
a list can never become shorter by a row that nobody understood; an endpoint without a shape here
is refused too.

Source: response samples of binance-spot-api-docs rest-api.md and of the USD-M documentation.
Called by the transport for each success.
"""

from collections.abc import Callable, Mapping

from resyncctl.adapters.venues.via_ccxt.envelopes import describe
from resyncctl.adapters.venues.via_ccxt.permits import Endpoint

Check = Callable[[object], str | None]


def _rows(*keys: str) -> Check:
    """Return a check for a list of rows that all have these keys."""

    def check(body: object) -> str | None:
        if not isinstance(body, list):
            return f"expected a list, got {describe(body)}"
        for row in body:
            fault = _lacks(row, keys)
            if fault is not None:
                return f"a row of the list {fault}"
        return None

    return check


def _object(*keys: str) -> Check:
    """Return a check for an object that has these keys."""

    def check(body: object) -> str | None:
        fault = _lacks(body, keys)
        return None if fault is None else f"the answer {fault}"

    return check


def _lacks(row: object, keys: tuple[str, ...]) -> str | None:
    if not isinstance(row, Mapping):
        return f"is {describe(row)}"
    for key in keys:
        if row.get(key) is None:
            return f"lacks {key!r}"
    return None


def _holding(key: str, check: Check, *beside: str) -> Check:
    """Return a check for an object that holds, under the key, what the other check accepts."""

    def outer(body: object) -> str | None:
        fault = _object(key, *beside)(body)
        if fault is not None or not isinstance(body, Mapping):
            return fault
        inner = check(body[key])
        return None if inner is None else f"{key}: {inner}"

    return outer


def _acknowledged(body: object) -> str | None:
    """Check for `{"code": 200, "msg": ...}`; anything else may be an error in a success."""
    fault = _object("code", "msg")(body)
    if fault is not None or not isinstance(body, Mapping):
        return fault
    return None if str(body["code"]) == "200" else f"the answer holds code {body['code']}"


def _acknowledged_algo(body: object) -> str | None:
    """Check for the acknowledgement of one conditional order, which must be named."""
    return _object("algoId")(body) or _acknowledged(body)


def _book(body: object) -> str | None:
    """Check for a book: both sides are there, as lists of [price, quantity]."""
    fault = _object("lastUpdateId", "bids", "asks")(body)
    if fault is not None or not isinstance(body, Mapping):
        return fault
    for side in ("bids", "asks"):
        levels = body[side]
        if not isinstance(levels, list):
            return f"{side}: expected a list, got {describe(levels)}"
        if not all(isinstance(level, list) and len(level) >= LEVEL_PARTS for level in levels):
            return f"{side}: a level is not a price and a quantity"
    return None


def _cancelled_symbol(body: object) -> str | None:
    """Check for a list of cancelled orders and order lists, mixed."""
    if not isinstance(body, list):
        return f"expected a list, got {describe(body)}"
    if not body:
        return "the list of cancelled orders is empty"
    for row in body:
        keys = ("symbol", "orderListId") if _is_list(row) else ("symbol", "orderId", "status")
        fault = _lacks(row, keys)
        if fault is not None:
            return f"a row of the list {fault}"
    return None


def _is_list(row: object) -> bool:
    return isinstance(row, Mapping) and "contingencyType" in row


LEVEL_PARTS = 2
CREATED_KEYS = ("symbol", "orderId", "clientOrderId")
SPOT_ORDER_KEYS = (
    "symbol", "orderId", "clientOrderId", "price", "origQty", "executedQty", "status", "type",
    "side", "time", "updateTime", "orderListId",
)  # fmt: skip
LINEAR_ORDER_KEYS = (
    "symbol", "orderId", "clientOrderId", "price", "origQty", "executedQty", "status", "type",
    "side", "positionSide", "reduceOnly", "updateTime",
)  # fmt: skip
ALGO_ORDER_KEYS = (
    "algoId", "clientAlgoId", "symbol", "side", "positionSide", "orderType", "algoStatus",
    "triggerPrice", "quantity", "reduceOnly", "closePosition", "createTime", "updateTime",
)  # fmt: skip
SPOT_FILL_KEYS = (
    "symbol", "id", "orderId", "price", "qty", "commission", "commissionAsset", "time", "isBuyer",
)  # fmt: skip
LINEAR_FILL_KEYS = (
    "symbol", "id", "orderId", "price", "qty", "commission", "commissionAsset", "time", "side",
    "positionSide",
)  # fmt: skip
POSITION_KEYS = ("symbol", "positionSide", "positionAmt", "entryPrice", "updateTime")
INCOME_KEYS = ("incomeType", "income", "asset", "time", "tranId")

SHAPES: Mapping[str, Check] = {
    "spot.time": _object("serverTime"),
    "spot.instruments": _holding(
        "symbols", _rows("symbol", "baseAsset", "quoteAsset", "status", "filters")
    ),
    "spot.account": _holding("balances", _rows("asset", "free", "locked"), "canTrade"),
    "spot.open_orders": _rows(*SPOT_ORDER_KEYS),
    "spot.open_lists": _rows("orderListId", "symbol", "orders"),
    "spot.order": _object(*SPOT_ORDER_KEYS),
    "spot.fills": _rows(*SPOT_FILL_KEYS),
    "spot.deposits": _rows("id", "amount", "coin", "status", "insertTime"),
    "spot.withdrawals": _rows("id", "amount", "coin", "status", "applyTime"),
    "spot.transfers": _object("total"),
    "spot.book": _book,
    "spot.reduce": _object(*CREATED_KEYS),
    "spot.cancel_order": _object("symbol", "orderId", "status"),
    "spot.cancel_list": _object("symbol", "orderListId", "listOrderStatus"),
    "spot.cancel_symbol": _cancelled_symbol,
    "linear.time": _object("serverTime"),
    "linear.instruments": _holding(
        "symbols", _rows("symbol", "baseAsset", "quoteAsset", "status", "filters")
    ),
    "linear.balances": _rows("accountAlias", "asset", "balance"),
    "linear.account_config": _object("dualSidePosition", "canTrade"),
    "linear.positions": _rows(*POSITION_KEYS),
    "linear.open_orders": _rows(*LINEAR_ORDER_KEYS),
    "linear.open_algo_orders": _rows(*ALGO_ORDER_KEYS),
    "linear.order": _object(*LINEAR_ORDER_KEYS),
    "linear.algo_order": _object(*ALGO_ORDER_KEYS),
    "linear.fills": _rows(*LINEAR_FILL_KEYS),
    "linear.income": _rows(*INCOME_KEYS),
    "linear.book": _book,
    "linear.reduce": _object(*CREATED_KEYS),
    "linear.countdown": _object("symbol", "countdownTime"),
    "linear.cancel_order": _object("symbol", "orderId", "status"),
    "linear.cancel_symbol": _acknowledged,
    "linear.cancel_algo_order": _acknowledged_algo,
    "linear.cancel_algo_symbol": _acknowledged,
    "inverse.time": _object("serverTime"),
    "inverse.book": _book,
    "inverse.reduce": _object(*CREATED_KEYS),
    "inverse.countdown": _object("symbol", "countdownTime"),
    "inverse.instruments": _holding(
        "symbols", _rows("symbol", "baseAsset", "quoteAsset", "contractStatus", "filters")
    ),
    "inverse.balances": _rows("accountAlias", "asset", "balance"),
    "inverse.account": _holding(
        "positions", _rows("symbol", "positionSide", "positionAmt", "entryPrice")
    ),
    "inverse.position_mode": _object("dualSidePosition"),
    "inverse.positions": _rows("symbol", "positionSide", "positionAmt", "entryPrice"),
    "inverse.open_orders": _rows(*LINEAR_ORDER_KEYS),
    "inverse.open_algo_orders": _rows(*ALGO_ORDER_KEYS),
    "inverse.order": _object(*LINEAR_ORDER_KEYS),
    "inverse.algo_order": _object(*ALGO_ORDER_KEYS),
    "inverse.fills": _rows(*LINEAR_FILL_KEYS),
    "inverse.income": _rows(*INCOME_KEYS),
    "inverse.cancel_order": _object("symbol", "orderId", "status"),
    "inverse.cancel_symbol": _acknowledged,
    "inverse.cancel_algo_order": _acknowledged_algo,
    "inverse.cancel_algo_symbol": _acknowledged,
}


def expect(endpoint: Endpoint) -> Check:
    """Return the check of an endpoint; one without a shape accepts nothing."""
    return SHAPES.get(endpoint.name, _refuse)


def _refuse(body: object) -> str | None:
    return f"no shape is known for {describe(body)}"


def shape(endpoint: Endpoint, body: object) -> str | None:
    """Return what is wrong with a success body, or None."""
    return expect(endpoint)(body)
