"""The plans for KuCoin spot and KuCoin Futures (two ccxt classes, one dialect).

Promise: active and stop orders are separate listings, each paged by number up to the venue's own
page count. Orders of the high-frequency book are listed for every instrument that the venue names
as having some, and are cancelled in that book. Sources: KuCoin documentation (orders, hf/orders,
stop-order, fills, hf/fills, accounts; futures orders, stopOrders, positions, fills,
account-overview); ccxt issues 12729 and 15606.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.envelopes import Row, rows_at
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    DAY_MS,
    After,
    CancelOne,
    Listing,
    LookUpQuery,
    Native,
    Pages,
    Query,
    Question,
    RowsOf,
    SymbolSource,
    TimeSpan,
    Unacknowledged,
    VenuePlan,
    algo,
    at,
    calling,
    one_at,
    regular,
    value,
)
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
    Unit,
)
from resyncctl.core.model import Order, OrderStatus
from resyncctl.core.money import ZERO
from resyncctl.core.snapshot import OrderReference

_PAGED = Pages("currentPage", 500, "data.totalPage", "data.totalNum")
_WEEK = TimeSpan(since="startAt", until="endAt", longest_ms=7 * DAY_MS - 1)
_SETTLE_COINS = ("USDT", "XBT", "ETH", "USDC")


def _status(row: Row, *, stop: bool) -> OrderStatus:
    quantity, filled = read.number(row, "size"), _filled(row, stop=stop)
    if read.flag(row, "cancelExist"):
        return OrderStatus.CANCELED
    if stop and "isActive" not in row:
        named = read.text(row, "status")
        return OrderStatus.TRIGGERED if named == "TRIGGERED" else OrderStatus.ACCEPTED
    if read.flag(row, "active" if "active" in row else "isActive"):
        return read.open_status(quantity, filled)
    return read.ended_status(quantity, filled)


def _filled(row: Row, *, stop: bool) -> Decimal:
    """Return what was executed. A stop order that waits has no such field at all."""
    key = "dealSize" if "dealSize" in row else "filledSize"
    return ZERO if stop and key not in row else read.number(row, key)


def _order(unit: Unit, *, stop: bool) -> Callable[[Row], RawOrder]:
    def parse(row: Row) -> RawOrder:
        return RawOrder(
            venue_order_id=read.text(row, "id"),
            client_order_id=read.optional_text(row, "clientOid"),
            venue_symbol=read.text(row, "symbol"),
            side=read.side(row, "side"),
            type=read.text(row, "type"),
            status=_status(row, stop=stop),
            quantity=read.number(row, "size"),
            filled=_filled(row, stop=stop),
            unit=unit,
            price=read.price(row, "price"),
            trigger_price=read.price(row, "stopPrice"),
            reduce_only=read.flag(row, "reduceOnly"),
            algo=stop,
            created_at_ms=read.optional_ms(row, "createdAt"),
            updated_at_ms=read.optional_ms(row, "updatedAt"),
            native=(("book", "hf"), ("symbol", read.text(row, "symbol")))
            if "inOrderBook" in row
            else (),
        )

    return parse


def _fill(unit: Unit) -> Callable[[Row], RawFill]:
    def parse(row: Row) -> RawFill:
        return RawFill(
            trade_id=read.text(row, "tradeId"),
            venue_order_id=read.text(row, "orderId"),
            client_order_id=None,
            venue_symbol=read.text(row, "symbol"),
            side=read.side(row, "side"),
            quantity=read.positive(read.number(row, "size"), "size"),
            price=read.number(row, "price"),
            at_ms=read.at_ms(row, "createdAt"),
            unit=unit,
            fee=read.optional_number(row, "fee"),
            fee_asset=read.optional_text(row, "feeCurrency"),
        )

    return parse


def _position(row: Row) -> RawPosition | None:
    size = read.number(row, "currentQty")
    if size == ZERO:
        return None
    return RawPosition(
        venue_symbol=read.text(row, "symbol"),
        quantity=size,
        unit=Unit.CONTRACTS,
        entry_price=read.price(row, "avgEntryPrice"),
        mark_price=read.price(row, "markPrice"),
    )


def _spot_balance(row: Row) -> RawBalance:
    return RawBalance(
        asset=read.text(row, "currency"),
        total=read.number(row, "balance"),
        free=read.number(row, "available"),
        locked=read.number(row, "holds"),
    )


def _futures_balance(row: Row) -> RawBalance:
    return RawBalance(
        asset=read.text(row, "currency"),
        total=read.number(row, "marginBalance"),
        free=read.number(row, "availableBalance"),
    )


def _query(label: str, endpoint: str, row_id: tuple[str, ...], **params: object) -> Query:
    return Query(
        label=label,
        endpoint=endpoint,
        params={"pageSize": 500, **params},
        rows=at("data.items"),
        row_id=row_id,
        paging=_PAGED,
    )


def _fills(endpoint: str, unit: Unit, **params: object) -> Listing[RawFill]:
    query = Query(
        label="fills",
        endpoint=endpoint,
        params={"pageSize": 500, **params},
        rows=at("data.items"),
        row_id=("symbol", "tradeId", "orderId"),
        paging=_PAGED,
        span=_WEEK,
    )
    return Listing((query,), _fill(unit))


def _plain(label: str, endpoint: str, rows: RowsOf, *row_id: str, **params: object) -> Query:
    return Query(label=label, endpoint=endpoint, rows=rows, row_id=row_id, params=params)


def _held(body: object) -> tuple[Row, ...]:
    return rows_at(body, "data")


def _ask(endpoint: str, unit: Unit, *, stop: bool) -> LookUpQuery:
    def params(reference: OrderReference, _symbol: str) -> dict[str, object] | None:
        if not reference.venue_order_id:
            return None
        return {"orderId": reference.venue_order_id}

    return LookUpQuery(
        label="order",
        endpoint=endpoint,
        params=params,
        rows=one_at("data"),
        parse=_order(unit, stop=stop),
    )


def _judge(body: object, order: Order) -> Unacknowledged | None:
    if value(body, "data.cancelledOrderIds") == [order.venue_order_id]:
        return None
    return Unacknowledged("the answer does not name the order that was to be cancelled")


def _cancel(endpoint: str) -> CancelOne:
    return CancelOne(
        send=calling(endpoint, lambda order, _native: {"orderId": order.venue_order_id}),
        judge=_judge,
    )


def _send_spot(exchange: Any, order: Order, native: Native) -> Awaitable[object]:
    """Cancel in the book in which the order was listed."""
    ids = {"orderId": order.venue_order_id}
    if native.get("book") == "hf":
        symbol = {"symbol": native["symbol"]}
        answer: Awaitable[object] = exchange.privateDeleteHfOrdersOrderId({**ids, **symbol})
        return answer
    classic: Awaitable[object] = exchange.privateDeleteOrdersOrderId(ids)
    return classic


def _judge_spot(body: object, order: Order) -> Unacknowledged | None:
    if value(body, "data.orderId") == order.venue_order_id:
        return None
    return _judge(body, order)


def _mode(body: object) -> str:
    found = str(value(body, "data.positionMode"))
    return {"0": "one_way", "1": "hedge"}.get(found, "")


SPOT_PLAN = VenuePlan(
    venue="kucoin",
    orders={
        regular("spot"): Listing(
            (
                _query(
                    "active orders", "privateGetOrders", ("id",), status="active", tradeType="TRADE"
                ),
                Query(
                    label="active orders, high-frequency book",
                    endpoint="privateGetHfOrdersActive",
                    rows=at("data"),
                    row_id=("id",),
                    per_symbol="symbol",
                    symbols_from=SymbolSource(
                        label="instruments of the high-frequency book",
                        endpoint="privateGetHfOrdersActiveSymbols",
                        found_at="data.symbols",
                    ),
                ),
            ),
            _order(Unit.BASE, stop=False),
        ),
        algo("spot"): Listing(
            (_query("stop orders", "privateGetStopOrder", ("id",), tradeType="TRADE"),),
            _order(Unit.BASE, stop=True),
        ),
    },
    fills={
        "spot": Listing(
            (
                *_fills("privateGetFills", Unit.BASE, tradeType="TRADE").queries,
                Query(
                    label="fills, high-frequency book",
                    endpoint="privateGetHfFills",
                    params={"limit": 100},
                    rows=at("data.items"),
                    row_id=("symbol", "tradeId", "orderId"),
                    paging=After("lastId", "id", 100),
                    span=_WEEK,
                    per_symbol="symbol",
                ),
            ),
            _fill(Unit.BASE),
        ),
    },
    positions={},
    balances={
        "spot": Listing(
            (
                _plain(
                    "trading accounts", "privateGetAccounts", at("data"), "currency", type="trade"
                ),
            ),
            _spot_balance,
        ),
    },
    look_ups={
        regular("spot"): (_ask("privateGetOrdersOrderId", Unit.BASE, stop=False),),
        algo("spot"): (_ask("privateGetStopOrderOrderId", Unit.BASE, stop=True),),
    },
    cancels={
        regular("spot"): CancelOne(send=_send_spot, judge=_judge_spot),
        algo("spot"): _cancel("privateDeleteStopOrderOrderId"),
    },
)

FUTURES_PLAN = VenuePlan(
    venue="kucoinfutures",
    orders={
        regular("futures"): Listing(
            (_query("active orders", "futuresPrivateGetOrders", ("id",), status="active"),),
            _order(Unit.CONTRACTS, stop=False),
        ),
        algo("futures"): Listing(
            (_query("stop orders", "futuresPrivateGetStopOrders", ("id",)),),
            _order(Unit.CONTRACTS, stop=True),
        ),
    },
    fills={"futures": _fills("futuresPrivateGetFills", Unit.CONTRACTS)},
    positions={
        "futures": Listing(
            (_plain("positions", "futuresPrivateGetPositions", _held, "id"),), _position
        ),
    },
    balances={
        "futures": Listing(
            tuple(
                _plain(
                    f"account overview, {coin}",
                    "futuresPrivateGetAccountOverview",
                    one_at("data"),
                    "currency",
                    currency=coin,
                )
                for coin in _SETTLE_COINS
            ),
            _futures_balance,
        ),
    },
    look_ups={
        regular("futures"): (_ask("futuresPrivateGetOrdersOrderId", Unit.CONTRACTS, stop=False),),
        algo("futures"): (_ask("futuresPrivateGetOrdersOrderId", Unit.CONTRACTS, stop=True),),
    },
    cancels={
        regular("futures"): _cancel("futuresPrivateDeleteOrdersOrderId"),
        algo("futures"): _cancel("futuresPrivateDeleteOrdersOrderId"),
    },
    position_modes={
        "futures": Question(endpoint="futuresPrivateGetPositionGetPositionMode", read=_mode)
    },
)
