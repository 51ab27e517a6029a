"""The plan for Bybit v5 (unified trading account).

Promise: open orders are asked for in every category and settle coin, 50 to a page, along the
venue's cursor; ccxt by itself asks once for 20 rows of USDT-settled contracts. Sources: Bybit v5
documentation (order/open-order, order/execution, position, account/wallet-balance); ccxt issues
13075, 16638, 18857 and 22887.
"""

from collections.abc import Callable

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row, needs_keys
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    DAY_MS,
    CancelOne,
    CancelSymbol,
    Cursor,
    Listing,
    LookUpQuery,
    Query,
    Question,
    TimeSpan,
    Unacknowledged,
    VenuePlan,
    algo,
    at,
    calling,
    names_order,
    nested,
    raw_symbol,
    regular,
    told,
    value,
)
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
    Unit,
)
from resyncctl.core.model import Leg, OrderStatus, Scope, Side
from resyncctl.core.snapshot import OrderReference

_STATUSES = {
    "Created": OrderStatus.SUBMITTED,
    "New": OrderStatus.ACCEPTED,
    "Active": OrderStatus.ACCEPTED,
    "Untriggered": OrderStatus.ACCEPTED,
    "Triggered": OrderStatus.TRIGGERED,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELED,
    "PartiallyFilledCanceled": OrderStatus.CANCELED,
    "Deactivated": OrderStatus.CANCELED,
    "Rejected": OrderStatus.REJECTED,
}
_LEGS = {"0": Leg.BOTH, "1": Leg.LONG, "2": Leg.SHORT}
_NOT_TRADES = frozenset({"Funding", "SessionSettlePnL", "Settle"})
"""Executions that move no position. A delivery closes one, so it counts as a fill."""
_PAGE = Cursor("cursor", "result.nextPageCursor")
_WEEK = TimeSpan(since="startTime", until="endTime", longest_ms=7 * DAY_MS)
_SPOT_FILTERS = ("StopOrder", "tpslOrder", "OcoOrder", "BidirectionalTpslOrder")
_UNITS = {"spot": Unit.BASE, "linear": Unit.CONTRACTS, "inverse": Unit.CONTRACTS}


def _leg(row: Row) -> Leg:
    return _LEGS.get(str(row.get("positionIdx", 0)), Leg.BOTH)


def _order(category: str, *, is_algo: bool) -> Callable[[Row], RawOrder]:
    def parse(row: Row) -> RawOrder:
        side = read.side(row, "side")
        kind = read.text(row, "orderType").lower()
        in_quote = (
            category == "spot"
            and kind == "market"
            and side is Side.BUY
            and row.get("marketUnit") != "baseCoin"
        )
        return RawOrder(
            venue_order_id=read.text(row, "orderId"),
            client_order_id=read.optional_text(row, "orderLinkId"),
            venue_symbol=read.text(row, "symbol"),
            side=side,
            type=kind,
            status=read.word(row, "orderStatus", _STATUSES),
            quantity=read.number(row, "qty"),
            filled=read.number(row, "cumExecQty"),
            unit=Unit.QUOTE if in_quote else _UNITS.get(category, Unit.CONTRACTS),
            filled_unit=Unit.BASE if in_quote else None,
            price=read.price(row, "price"),
            trigger_price=read.price(row, "triggerPrice"),
            average_price=read.price(row, "avgPrice"),
            reduce_only=read.flag(row, "reduceOnly"),
            leg=_leg(row),
            algo=is_algo,
            created_at_ms=read.optional_ms(row, "createdTime"),
            updated_at_ms=read.optional_ms(row, "updatedTime"),
            native=(("orderFilter", _filter(row)),) if is_algo else (),
        )

    return parse


def _filter(row: Row) -> str:
    """Return the filter under which a spot trigger order must be cancelled.

    The listing knows four kinds, the cancel two (Bybit v5 order/cancel-order): the TP/SL kinds
    share one, and everything else is a stop order.
    """
    kind = str(row.get("stopOrderType"))
    return (
        "tpslOrder" if kind in {"tpslOrder", "OcoOrder", "BidirectionalTpslOrder"} else "StopOrder"
    )


def _fill(category: str) -> Callable[[Row], RawFill]:
    def parse(row: Row) -> RawFill:
        return RawFill(
            trade_id=read.text(row, "execId"),
            venue_order_id=read.text(row, "orderId"),
            client_order_id=read.optional_text(row, "orderLinkId"),
            venue_symbol=read.text(row, "symbol"),
            side=read.side(row, "side"),
            quantity=read.positive(read.number(row, "execQty"), "execQty"),
            price=read.number(row, "execPrice"),
            at_ms=read.at_ms(row, "execTime"),
            unit=_UNITS.get(category, Unit.CONTRACTS),
            fee=read.optional_number(row, "execFee"),
            fee_asset=read.optional_text(row, "feeCurrency")
            or (None if category == "spot" else read.SETTLE_ASSET),
        )

    return parse


def _position(row: Row) -> RawPosition | None:
    size = read.number(row, "size")
    if size == 0:
        return None
    leg = _leg(row)
    short = leg is Leg.SHORT or (leg is Leg.BOTH and read.side(row, "side") is Side.SELL)
    return RawPosition(
        venue_symbol=read.text(row, "symbol"),
        quantity=-abs(size) if short else abs(size),
        leg=leg,
        unit=Unit.CONTRACTS,
        entry_price=read.price(row, "avgPrice"),
        mark_price=read.price(row, "markPrice"),
        updated_at_ms=read.optional_ms(row, "updatedTime"),
    )


def _balance(row: Row) -> RawBalance:
    return RawBalance(
        asset=read.text(row, "coin"),
        total=read.number(row, "walletBalance"),
        locked=read.optional_number(row, "locked"),
    )


def _open(category: str, label: str, **more: str) -> Query:
    return Query(
        label=f"open orders, {label}",
        endpoint="privateGetV5OrderRealtime",
        params={"category": category, "limit": 50, **more},
        rows=at("result.list"),
        row_id=("orderId",),
        paging=_PAGE,
    )


def _executions(category: str) -> Listing[RawFill]:
    query = Query(
        label=f"executions, {category}",
        endpoint="privateGetV5ExecutionList",
        params={"category": category, "limit": 100},
        rows=at("result.list"),
        row_id=("execId", "orderId"),
        paging=_PAGE,
        span=_WEEK,
        keep=lambda row: read.text(row, "execType") not in _NOT_TRADES,
    )
    return Listing((query,), _fill(category))


def _held(category: str, **more: str) -> Query:
    return Query(
        label=f"positions, {category} {' '.join(more.values())}".rstrip(),
        endpoint="privateGetV5PositionList",
        params={"category": category, "limit": 200, **more},
        rows=at("result.list"),
        row_id=("symbol", "positionIdx"),
        paging=_PAGE,
    )


def _asked(category: str, order_filter: str | None, endpoint: str) -> LookUpQuery:
    def params(reference: OrderReference, venue_symbol: str) -> dict[str, object]:
        ids: dict[str, object] = (
            {"orderId": reference.venue_order_id}
            if reference.venue_order_id
            else {"orderLinkId": reference.client_order_id}
        )
        kind = {"orderFilter": order_filter} if order_filter else {}
        return {"category": category, "symbol": venue_symbol, **ids, **kind}

    return LookUpQuery(
        label=f"order, {category} {order_filter or ''}".rstrip(),
        endpoint=endpoint,
        params=params,
        rows=at("result.list"),
        parse=_order(category, is_algo=order_filter is not None),
    )


def _look_ups(category: str, filters: tuple[str | None, ...]) -> tuple[LookUpQuery, ...]:
    endpoints = ("privateGetV5OrderRealtime", "privateGetV5OrderHistory")
    return tuple(_asked(category, kind, endpoint) for kind in filters for endpoint in endpoints)


def _cancel(category: str) -> CancelOne:
    return CancelOne(
        send=calling(
            "privatePostV5OrderCancel",
            lambda order, native: {
                "category": category,
                "symbol": raw_symbol(order),
                "orderId": order.venue_order_id,
                **native,
            },
        ),
        judge=names_order("result.orderId"),
    )


def _whole(category: str) -> CancelSymbol:
    """Cancel every kind of order on one symbol; without a filter contracts include triggers."""

    def judge(body: object) -> Unacknowledged | None:
        if str(value(body, "result.success")) != "1":
            return Unacknowledged("the answer does not say that the request was taken up")
        try:
            for row in at("result.list")(body):
                needs_keys(row, ("orderId", "orderLinkId"))
        except Malformed as fault:
            return Unacknowledged(fault.reason)
        return None

    return CancelSymbol(
        endpoint="privatePostV5OrderCancelAll",
        params=lambda symbol: {"category": category, "symbol": symbol},
        judge=judge,
    )


def _mode(body: object) -> str:
    """Read the position mode off the position index of the rows (ccxt has no call for it)."""
    rows = at("result.list")(body)
    for row in rows:
        needs_keys(row, ("positionIdx", "symbol", "side", "size"))
    legs = {str(row["positionIdx"]) for row in rows}
    if legs <= {"0"} and legs:
        return "one_way"
    return "hedge" if legs and legs <= {"1", "2"} else ""


def _asked_mode(category: str, **more: str) -> Question:
    return Question(
        endpoint="privateGetV5PositionList",
        params={"category": category, "limit": 200, **more},
        read=_mode,
    )


_SCOPES: dict[str, tuple[Query, ...]] = {
    "spot": (_open("spot", "spot", orderFilter="Order"),),
    "linear": (
        _open("linear", "linear USDT", settleCoin="USDT"),
        _open("linear", "linear USDC", settleCoin="USDC"),
    ),
    "inverse": (_open("inverse", "inverse"),),
    "option": (_open("option", "option"),),
}
_SPOT_ALGO: Scope = algo("spot")

PLAN = VenuePlan(
    venue="bybit",
    orders={
        **{
            regular(product): Listing(queries, _order(product, is_algo=False))
            for product, queries in _SCOPES.items()
        },
        _SPOT_ALGO: Listing(
            tuple(_open("spot", f"spot {kind}", orderFilter=kind) for kind in _SPOT_FILTERS),
            _order("spot", is_algo=True),
        ),
    },
    fills={product: _executions(product) for product in _SCOPES},
    positions={
        "linear": Listing(
            (_held("linear", settleCoin="USDT"), _held("linear", settleCoin="USDC")), _position
        ),
        "inverse": Listing((_held("inverse"),), _position),
        "option": Listing((_held("option"),), _position),
    },
    balances={
        "spot": Listing(
            (
                Query(
                    label="wallet",
                    endpoint="privateGetV5AccountWalletBalance",
                    params={"accountType": "UNIFIED"},
                    rows=nested("result.list", "coin"),
                    row_id=("coin",),
                ),
            ),
            _balance,
        ),
    },
    look_ups={
        **{regular(product): _look_ups(product, (None,)) for product in _SCOPES},
        _SPOT_ALGO: _look_ups("spot", _SPOT_FILTERS),
    },
    cancels={
        **{regular(product): _cancel(product) for product in _SCOPES},
        _SPOT_ALGO: _cancel("spot"),
    },
    symbol_cancels={regular(product): _whole(product) for product in ("linear", "inverse")},
    position_modes={
        "linear": _asked_mode("linear", settleCoin="USDT"),
        "inverse": _asked_mode("inverse"),
        "option": "one_way",
    },
    identity=Question(endpoint="privateGetV5UserQueryApi", read=told("uid", "result.userID")),
    shared_wallet=True,
    request_validity_ms=6_000,
)
