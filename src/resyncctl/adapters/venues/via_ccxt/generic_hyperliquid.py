"""The plan for Hyperliquid (default exchange and spot; builder-deployed exchanges not covered).

Promise: reads are POST requests to `/info` and nothing else; a cancel is one signed action. ccxt
signs two extra writes (a builder fee approval and a referrer) before the first order, cancel or
market load; `traps.without_hidden_writes` makes that impossible. Sources: Hyperliquid
documentation (info endpoint, exchange endpoint); ccxt issues 26420, 29040 and 29281.
"""

from collections.abc import Awaitable
from typing import Any

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row, rows_at, value_at
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    DAY_MS,
    WALLET,
    CancelOne,
    Forward,
    Listing,
    LookUpQuery,
    Native,
    Params,
    Query,
    TimeSpan,
    Unacknowledged,
    VenuePlan,
    at,
    raw_symbol,
    regular,
    value,
)
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
)
from resyncctl.core.model import Order, OrderStatus, Side
from resyncctl.core.money import ZERO
from resyncctl.core.snapshot import OrderReference

_INFO = "publicPostInfo"


def _side(row: Row, key: str = "side") -> Side:
    word = read.text(row, key)
    if word not in {"A", "B"}:
        raise Malformed(f"{key!r} is neither A nor B")
    return Side.BUY if word == "B" else Side.SELL


def _order(row: Row) -> RawOrder:
    quantity, left = read.number(row, "origSz"), read.number(row, "sz")
    whole = read.flag(row, "isPositionTpsl") and quantity == ZERO
    return RawOrder(
        venue_order_id=read.text(row, "oid"),
        client_order_id=read.optional_text(row, "cloid"),
        venue_symbol=read.text(row, "coin"),
        side=_side(row),
        type=read.text(row, "orderType").lower(),
        status=read.open_status(quantity, quantity - left),
        quantity=quantity,
        filled=quantity - left,
        price=read.price(row, "limitPx"),
        trigger_price=read.price(row, "triggerPx") if read.flag(row, "isTrigger") else None,
        reduce_only=read.flag(row, "reduceOnly"),
        created_at_ms=read.optional_ms(row, "timestamp"),
        note="the quantity follows the position" if whole else None,
    )


def _asked(row: Row) -> RawOrder:
    """Read `orderStatus`: the order as it was placed, and a word for its fate beside it."""
    inner = value_at(row, "order")
    if not isinstance(inner, dict):
        raise Malformed("'order' is not an object")
    placed, word = _order(inner), read.text(row, "status")
    at_ms = read.optional_ms(row, "statusTimestamp")
    status = _fate(word)
    filled = placed.quantity if status is OrderStatus.FILLED else placed.filled
    if status is OrderStatus.ACCEPTED:
        status = read.open_status(placed.quantity, filled)
    return RawOrder(
        venue_order_id=placed.venue_order_id,
        client_order_id=placed.client_order_id,
        venue_symbol=placed.venue_symbol,
        side=placed.side,
        type=placed.type,
        status=status,
        quantity=placed.quantity,
        filled=filled,
        price=placed.price,
        trigger_price=placed.trigger_price,
        reduce_only=placed.reduce_only,
        created_at_ms=placed.created_at_ms,
        updated_at_ms=at_ms,
    )


def _fate(word: str) -> OrderStatus:
    """Return the status for the documented words; the many reasons end in the same two ways."""
    exact = {
        "open": OrderStatus.ACCEPTED,
        "filled": OrderStatus.FILLED,
        "triggered": OrderStatus.TRIGGERED,
        "canceled": OrderStatus.CANCELED,
        "rejected": OrderStatus.REJECTED,
        "scheduledCancel": OrderStatus.CANCELED,
    }
    if word in exact:
        return exact[word]
    if word.endswith("Canceled"):
        return OrderStatus.CANCELED
    if word.endswith("Rejected"):
        return OrderStatus.REJECTED
    raise Malformed(f"'status' holds {word[:30]!r}, which this profile does not know")


def _fill(row: Row) -> RawFill:
    return RawFill(
        trade_id=read.text(row, "tid"),
        venue_order_id=read.text(row, "oid"),
        client_order_id=read.optional_text(row, "cloid"),
        venue_symbol=read.text(row, "coin"),
        side=_side(row),
        quantity=read.positive(read.number(row, "sz"), "sz"),
        price=read.number(row, "px"),
        at_ms=read.at_ms(row, "time"),
        fee=read.optional_number(row, "fee"),
        fee_asset=read.optional_text(row, "feeToken") or "USDC",
    )


def _position(row: Row) -> RawPosition | None:
    size = read.number(row, "position.szi")
    if size == ZERO:
        return None
    return RawPosition(
        venue_symbol=read.text(row, "position.coin"),
        quantity=size,
        entry_price=read.price(row, "position.entryPx"),
    )


def _margin(body: object) -> tuple[Row, ...]:
    """Return the perpetual account's USDC as one row: its value without unrealised results."""
    worth = read.number({"body": body}, "body.marginSummary.accountValue")
    for row in rows_at(body, "assetPositions"):
        worth -= read.number(row, "position.unrealizedPnl")
    return ({"coin": "USDC", "total": worth},)


def _balance(row: Row) -> RawBalance:
    return RawBalance(
        asset=read.text(row, "coin"),
        total=read.number(row, "total"),
        locked=read.optional_number(row, "hold"),
    )


def _is_spot(row: Row) -> bool:
    coin = read.text(row, "coin")
    return "/" in coin or coin.startswith("@")


def _is_perpetual(row: Row) -> bool:
    return not _is_spot(row)


def _one(body: object) -> tuple[Row, ...]:
    """Read `orderStatus`: one row, or none when the venue says that it does not know the id."""
    status = value_at(body, "status")
    if status == "unknownOid":
        return ()
    found = value_at(body, "order")
    if status != "order" or not isinstance(found, dict):
        raise Malformed("'order' is not an object")
    return (found,)


def _ids(reference: OrderReference, _symbol: str) -> Params | None:
    found = reference.venue_order_id
    if found is not None and not found.isdigit():
        return None
    asked = int(found) if found is not None else reference.client_order_id
    return {"type": "orderStatus", "user": WALLET, "oid": asked}


async def _send(exchange: Any, order: Order, _native: Native) -> object:
    """Cancel one order: the action names the asset by its index, so the market table is needed."""
    if not exchange.markets:
        exchange.has["fetchCurrencies"] = False
        await exchange.load_markets()
    symbol = order.symbol
    if symbol not in exchange.markets:  # listed before the table was there: a coin, not a pair
        symbol = exchange.coin_to_market_id(raw_symbol(order))
    request = exchange.cancel_orders_request([order.venue_order_id], symbol, {})
    sending: Awaitable[object] = exchange.privatePostExchange(request)
    return await sending


def _judge(body: object, _order: Order) -> Unacknowledged | None:
    statuses = value(body, "response.data.statuses")
    if statuses == ["success"]:
        return None
    reason = str(value(body, "response.data.statuses.0.error"))
    if "never placed, already canceled, or filled" in reason:
        return Unacknowledged("the venue knows no such open order", definite=True, gone=True)
    return Unacknowledged("the answer does not say success for the one order")


def _open(product: str) -> Listing[RawOrder]:
    query = Query(
        label="open orders",
        endpoint=_INFO,
        params={"type": "frontendOpenOrders", "user": WALLET},
        rows=at(""),
        row_id=("oid",),
        keep=_is_spot if product == "spot" else _is_perpetual,
    )
    return Listing((query,), _order)


def _fills(product: str) -> Listing[RawFill]:
    query = Query(
        label="fills",
        endpoint=_INFO,
        params={"type": "userFillsByTime", "user": WALLET},
        rows=at(""),
        row_id=("tid", "oid", "side"),
        paging=Forward("startTime", "time", None, 2000),
        span=TimeSpan(since="startTime", until="endTime", longest_ms=365 * DAY_MS),
        keep=_is_spot if product == "spot" else _is_perpetual,
    )
    return Listing((query,), _fill)


_ASK = LookUpQuery(label="order status", endpoint=_INFO, params=_ids, rows=_one, parse=_asked)
_CANCEL = CancelOne(send=_send, judge=_judge)

PLAN = VenuePlan(
    venue="hyperliquid",
    orders={regular(product): _open(product) for product in ("perpetual", "spot")},
    fills={product: _fills(product) for product in ("perpetual", "spot")},
    positions={
        "perpetual": Listing(
            (
                Query(
                    label="positions",
                    endpoint=_INFO,
                    params={"type": "clearinghouseState", "user": WALLET},
                    rows=at("assetPositions"),
                    row_id=("position.coin",),
                ),
            ),
            _position,
        ),
    },
    balances={
        "perpetual": Listing(
            (
                Query(
                    label="margin account",
                    endpoint=_INFO,
                    params={"type": "clearinghouseState", "user": WALLET},
                    rows=_margin,
                    row_id=("coin",),
                ),
            ),
            _balance,
        ),
        "spot": Listing(
            (
                Query(
                    label="spot balances",
                    endpoint=_INFO,
                    params={"type": "spotClearinghouseState", "user": WALLET},
                    rows=at("balances"),
                    row_id=("coin",),
                ),
            ),
            _balance,
        ),
    },
    look_ups={regular(product): (_ASK,) for product in ("perpetual", "spot")},
    cancels={regular(product): _CANCEL for product in ("perpetual", "spot")},
    position_modes={"perpetual": "one_way"},
)
