"""The plan for OKX v5.

Promise: pending orders are paged by order id (ccxt's own paging sends a parameter that OKX does
not know and stops at 100 rows), and trigger orders are listed once per order type: OKX has no
listing over all of them. Sources: OKX v5 documentation (trade/orders-pending, orders-algo-pending,
fills-history, account/positions, account/balance, account/config).
"""

from collections.abc import Awaitable, Callable
from typing import Any

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row, needs_keys
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    DAY_MS,
    After,
    CancelOne,
    Countdown,
    Listing,
    LookUpQuery,
    Native,
    Params,
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
    value,
)
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    RawBalance,
    RawFill,
    RawOrder,
    RawPosition,
    Unit,
)
from resyncctl.core.model import Leg, Order, OrderStatus
from resyncctl.core.money import ZERO
from resyncctl.core.snapshot import OrderReference

_STATUSES = {
    "live": OrderStatus.ACCEPTED,
    "pause": OrderStatus.ACCEPTED,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "partially_effective": OrderStatus.PARTIALLY_FILLED,
    "effective": OrderStatus.TRIGGERED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "mmp_canceled": OrderStatus.CANCELED,
    "order_failed": OrderStatus.REJECTED,
    "partially_failed": OrderStatus.CANCELED,
}
_LEGS = {"net": Leg.BOTH, "long": Leg.LONG, "short": Leg.SHORT, "": Leg.BOTH}
_KINDS = {
    "spot": "SPOT",
    "margin": "MARGIN",
    "swap": "SWAP",
    "futures": "FUTURES",
    "option": "OPTION",
}
ALGO_TYPES = ("conditional", "oco", "trigger", "move_order_stop", "iceberg", "twap")
_DERIVATIVES = ("margin", "swap", "futures", "option")
_IN_BASE = frozenset({"SPOT", "MARGIN"})


def _unit(row: Row) -> Unit:
    if row.get("tgtCcy") == "quote_ccy":
        return Unit.QUOTE
    return Unit.BASE if row.get("instType") in _IN_BASE else Unit.CONTRACTS


def _leg(row: Row) -> Leg:
    found = str(row.get("posSide") or "")
    if found not in _LEGS:
        raise Malformed(f"'posSide' holds {found[:20]!r}, which this profile does not know")
    return _LEGS[found]


def _order(row: Row) -> RawOrder:
    return RawOrder(
        venue_order_id=read.text(row, "ordId"),
        client_order_id=read.optional_text(row, "clOrdId"),
        venue_symbol=read.text(row, "instId"),
        side=read.side(row, "side"),
        type=read.text(row, "ordType"),
        status=read.word(row, "state", _STATUSES),
        quantity=read.number(row, "sz"),
        filled=read.number(row, "accFillSz"),
        unit=_unit(row),
        filled_unit=Unit.BASE if _unit(row) is Unit.QUOTE else None,
        price=read.price(row, "px"),
        average_price=read.price(row, "avgPx"),
        reduce_only=read.flag(row, "reduceOnly"),
        leg=_leg(row),
        created_at_ms=read.optional_ms(row, "cTime"),
        updated_at_ms=read.optional_ms(row, "uTime"),
    )


def _algo_order(row: Row) -> RawOrder:
    """Read a trigger order. One that closes a fraction of a position carries no quantity."""
    fraction = read.optional_number(row, "closeFraction")
    quantity = read.optional_number(row, "sz") if fraction is not None else read.number(row, "sz")
    triggers = ("triggerPx", "slTriggerPx", "tpTriggerPx", "moveTriggerPx", "activePx")
    prices = ("ordPx", "slOrdPx", "tpOrdPx")
    return RawOrder(
        venue_order_id=read.text(row, "algoId"),
        client_order_id=read.optional_text(row, "algoClOrdId"),
        venue_symbol=read.text(row, "instId"),
        side=read.side(row, "side"),
        type=read.text(row, "ordType"),
        status=read.word(row, "state", _STATUSES),
        quantity=ZERO if quantity is None else quantity,
        filled=read.optional_number(row, "actualSz") or ZERO,
        unit=_unit(row),
        price=next(
            (found for key in prices if (found := read.price(row, key)) and found > ZERO), None
        ),
        trigger_price=next((found for key in triggers if (found := read.price(row, key))), None),
        reduce_only=read.flag(row, "reduceOnly") or fraction is not None,
        leg=_leg(row),
        algo=True,
        created_at_ms=read.optional_ms(row, "cTime"),
        updated_at_ms=read.optional_ms(row, "uTime"),
        note="the quantity follows the position" if quantity is None else None,
    )


def _fill(row: Row) -> RawFill:
    fee = read.optional_number(row, "fee")
    return RawFill(
        trade_id=read.text(row, "tradeId"),
        venue_order_id=read.text(row, "ordId"),
        client_order_id=read.optional_text(row, "clOrdId"),
        venue_symbol=read.text(row, "instId"),
        side=read.side(row, "side"),
        quantity=read.positive(read.number(row, "fillSz"), "fillSz"),
        price=read.number(row, "fillPx"),
        at_ms=read.at_ms(row, "ts"),
        unit=Unit.BASE if row.get("instType") in _IN_BASE else Unit.CONTRACTS,
        fee=None if fee is None else ZERO - fee,  # the venue writes a charge as a negative number
        fee_asset=read.optional_text(row, "feeCcy"),
        leg=_leg(row),
    )


def _position(row: Row) -> RawPosition | None:
    size = read.number(row, "pos")
    if size == ZERO:
        return None
    leg = _leg(row)
    unit = _unit(row)
    if row.get("instType") == "MARGIN":
        base = read.text(row, "instId").split("-")[0]
        owned = read.text(row, "posCcy")
        size, unit = (size, Unit.BASE) if owned == base else (-abs(size), Unit.QUOTE)
    elif leg is not Leg.BOTH:
        size = abs(size) if leg is Leg.LONG else -abs(size)
    return RawPosition(
        venue_symbol=read.text(row, "instId"),
        quantity=size,
        leg=leg,
        unit=unit,
        entry_price=read.price(row, "avgPx"),
        mark_price=read.price(row, "markPx"),
        updated_at_ms=read.optional_ms(row, "uTime"),
    )


def _balance(row: Row) -> RawBalance:
    return RawBalance(
        asset=read.text(row, "ccy"),
        total=read.number(row, "cashBal"),
        free=read.optional_number(row, "availBal"),
        locked=read.optional_number(row, "frozenBal"),
    )


def _pending(product: str) -> Listing[RawOrder]:
    query = Query(
        label=f"pending orders, {_KINDS[product]}",
        endpoint="privateGetTradeOrdersPending",
        params={"instType": _KINDS[product], "limit": "100"},
        rows=at("data"),
        row_id=("ordId",),
        paging=After("after", "ordId", 100),
    )
    return Listing((query,), _order)


def _algo_pending(product: str) -> Listing[RawOrder]:
    queries = tuple(
        Query(
            label=f"pending {kind} orders, {_KINDS[product]}",
            endpoint="privateGetTradeOrdersAlgoPending",
            params={"instType": _KINDS[product], "ordType": kind, "limit": "100"},
            rows=at("data"),
            row_id=("algoId",),
            paging=After("after", "algoId", 100),
        )
        for kind in ALGO_TYPES
    )
    return Listing(queries, _algo_order)


def _fills(product: str) -> Listing[RawFill]:
    query = Query(
        label=f"fills, {_KINDS[product]}",
        endpoint="privateGetTradeFillsHistory",
        params={"instType": _KINDS[product], "limit": "100"},
        rows=at("data"),
        row_id=("instId", "tradeId", "ordId"),
        paging=After("after", "billId", 100),
        span=TimeSpan(since="begin", until="end", longest_ms=90 * DAY_MS),
    )
    return Listing((query,), _fill)


def _held(product: str) -> Listing[RawPosition]:
    query = Query(
        label=f"positions, {_KINDS[product]}",
        endpoint="privateGetAccountPositions",
        params={"instType": _KINDS[product]},
        rows=at("data"),
        row_id=("posId",),
    )
    return Listing((query,), _position)


def _ids(reference: OrderReference, order_key: str, client_key: str) -> Params:
    if reference.venue_order_id:
        return {order_key: reference.venue_order_id}
    return {client_key: reference.client_order_id}


_ASK = LookUpQuery(
    label="order",
    endpoint="privateGetTradeOrder",
    params=lambda reference, symbol: {"instId": symbol, **_ids(reference, "ordId", "clOrdId")},
    rows=at("data"),
    parse=_order,
)
_ASK_ALGO = LookUpQuery(
    label="algo order",
    endpoint="privateGetTradeOrderAlgo",
    params=lambda reference, _symbol: _ids(reference, "algoId", "algoClOrdId"),
    rows=at("data"),
    parse=_algo_order,
)
_CANCEL = CancelOne(
    send=calling(
        "privatePostTradeCancelOrder",
        lambda order, _native: {"instId": raw_symbol(order), "ordId": order.venue_order_id},
    ),
    judge=names_order("data.0.ordId"),
)


def _send_algo(exchange: Any, order: Order, _native: Native) -> Awaitable[object]:
    """Cancel one algo order; the endpoint takes a list."""
    body = [{"instId": raw_symbol(order), "algoId": order.venue_order_id}]
    answer: Awaitable[object] = exchange.privatePostTradeCancelAlgos(body)
    return answer


_CANCEL_ALGO = CancelOne(send=_send_algo, judge=names_order("data.0.algoId"))


def _first(name: str, meanings: Callable[[str], str]) -> Callable[[object], str]:
    def of(body: object) -> str:
        rows = at("data")(body)
        if len(rows) != 1:
            raise Malformed("the account configuration should be one row")
        needs_keys(rows[0], ("uid", "posMode"))
        return meanings(read.text(rows[0], name))

    return of


def _counts(body: object, seconds: int) -> Unacknowledged | None:
    """Check the answer of cancel-all-after: `triggerTime` is "0" when it was stopped."""
    fires = value(body, "data.0.triggerTime")
    if fires is None or (str(fires) == "0") != (seconds == 0):
        return Unacknowledged("the answer tells another countdown")
    return None


_MODE = Question(
    endpoint="privateGetAccountConfig",
    read=_first(
        "posMode",
        lambda word: {"long_short_mode": "hedge", "net_mode": "one_way"}.get(word, ""),
    ),
)

PLAN = VenuePlan(
    venue="okx",
    orders={
        **{regular(product): _pending(product) for product in _KINDS},
        **{algo(product): _algo_pending(product) for product in _KINDS if product != "option"},
    },
    fills={product: _fills(product) for product in _KINDS},
    positions={product: _held(product) for product in _DERIVATIVES},
    balances={
        "spot": Listing(
            (
                Query(
                    label="trading account",
                    endpoint="privateGetAccountBalance",
                    rows=nested("data", "details"),
                    row_id=("ccy",),
                ),
            ),
            _balance,
        ),
    },
    look_ups={
        **{regular(product): (_ASK,) for product in _KINDS},
        **{algo(product): (_ASK_ALGO,) for product in _KINDS if product != "option"},
    },
    cancels={
        **{regular(product): _CANCEL for product in _KINDS},
        **{algo(product): _CANCEL_ALGO for product in _KINDS if product != "option"},
    },
    position_modes={"margin": "one_way", "swap": _MODE, "futures": _MODE, "option": _MODE},
    identity=Question(
        endpoint="privateGetAccountConfig", read=_first("uid", lambda word: f"uid {word}")
    ),
    countdown=Countdown(
        endpoint="privatePostTradeCancelAllAfter",
        params=lambda seconds: {"timeOut": str(seconds)},
        judge=_counts,
        covers=tuple(regular(product) for product in _KINDS),
        takes_protective=False,
    ),
    shared_wallet=True,
    request_validity_ms=30_000,
)
