"""The plan for Gate.

Promise: spot orders are listed for every pair with its own page count, contracts per settle
currency (USDT and BTC), and price-triggered orders apart. ccxt by itself asks for the first 100
and for USDT only. Sources: Gate API v4 documentation (spot/open_orders, spot/price_orders,
futures/{settle}/orders, price_orders, positions, my_trades_timerange, accounts).
"""

from collections.abc import Callable

from resyncctl.adapters.venues.via_ccxt import generic_gate_rows as rows
from resyncctl.adapters.venues.via_ccxt.envelopes import Row
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    DAY_MS,
    CancelOne,
    Listing,
    LookUpQuery,
    Pages,
    Params,
    Query,
    Question,
    Skip,
    TimeSpan,
    Unacknowledged,
    VenuePlan,
    algo,
    at,
    calling,
    one_at,
    raw_symbol,
    regular,
    told,
    value,
)
from resyncctl.adapters.venues.via_ccxt.generic_rows import (
    RawFill,
    RawOrder,
)
from resyncctl.core.model import Order
from resyncctl.core.snapshot import OrderReference

_SETTLES = ("usdt", "btc")
_MONTH = TimeSpan(since="from", until="to", longest_ms=30 * DAY_MS, divisor=1000)
_SPOT_TRADES = Query(
    label="spot trades",
    endpoint="privateSpotGetMyTrades",
    params={"limit": 1000},
    rows=at(""),
    row_id=("id", "order_id"),
    paging=Pages("page", 1000),
    span=_MONTH,
)


def _contracts(settle: str) -> Listing[RawOrder]:
    query = Query(
        label=f"open orders, {settle}",
        endpoint="privateFuturesGetSettleOrders",
        params={"settle": settle, "status": "open", "limit": 100},
        rows=at(""),
        row_id=("id",),
        paging=Skip("offset", 100),
    )
    return Listing((query,), rows.contract_order)


def _triggers(settle: str) -> Listing[RawOrder]:
    query = Query(
        label=f"price orders, {settle}",
        endpoint="privateFuturesGetSettlePriceOrders",
        params={"settle": settle, "status": "open", "limit": 100},
        rows=at(""),
        row_id=("id",),
        paging=Skip("offset", 100),
    )
    return Listing((query,), rows.contract_trigger)


def _contract_fills(settle: str) -> Listing[RawFill]:
    query = Query(
        label=f"trades, {settle}",
        endpoint="privateFuturesGetSettleMyTradesTimerange",
        params={"settle": settle, "limit": 1000},
        rows=at(""),
        row_id=("trade_id", "order_id"),
        paging=Skip("offset", 1000),
        span=_MONTH,
    )
    return Listing((query,), rows.contract_fill)


def _plain(label: str, endpoint: str, *row_id: str, **params: object) -> Query:
    return Query(label=label, endpoint=endpoint, params=params, rows=at(""), row_id=row_id)


def _asked(endpoint: str, parse: Callable[[Row], RawOrder], **more: str) -> LookUpQuery:
    def params(reference: OrderReference, symbol: str) -> Params:
        pair = {} if more else {"currency_pair": symbol}
        return {"order_id": reference.venue_order_id or reference.client_order_id, **pair, **more}

    return LookUpQuery(
        label="order", endpoint=endpoint, params=params, rows=one_at(""), parse=parse
    )


def _judge(body: object, order: Order) -> Unacknowledged | None:
    if str(value(body, "id")) != order.venue_order_id:
        return Unacknowledged("the answer does not name the order that was to be cancelled")
    status = str(value(body, "status"))
    if status in {"cancelled", "canceled", "finished"}:
        return None
    return Unacknowledged(f"the answer's order is still {status[:30]}")


def _cancel(endpoint: str, **more: str) -> CancelOne:
    needs_pair = endpoint == "privateSpotDeleteOrdersOrderId"
    return CancelOne(
        send=calling(
            endpoint,
            lambda order, _native: {
                "order_id": order.venue_order_id,
                **({"currency_pair": raw_symbol(order)} if needs_pair else {}),
                **more,
            },
        ),
        judge=_judge,
    )


def _mode(body: object) -> str:
    found = value(body, "in_dual_mode")
    return {True: "hedge", False: "one_way"}[found] if isinstance(found, bool) else ""


def _product(settle: str) -> str:
    return f"{settle}-swap"


PLAN = VenuePlan(
    venue="gate",
    orders={
        regular("spot"): Listing(
            (
                Query(
                    label="open orders, spot",
                    endpoint="privateSpotGetOpenOrders",
                    params={"limit": 100},
                    rows=rows.spot_open,
                    row_id=("id",),
                    paging=Pages("page", 100),
                ),
            ),
            rows.spot_order,
        ),
        algo("spot"): Listing(
            (
                Query(
                    label="price orders, spot",
                    endpoint="privateSpotGetPriceOrders",
                    params={"status": "open", "limit": 100},
                    rows=at(""),
                    row_id=("id",),
                    paging=Skip("offset", 100),
                ),
            ),
            rows.spot_trigger,
        ),
        **{regular(_product(settle)): _contracts(settle) for settle in _SETTLES},
        **{algo(_product(settle)): _triggers(settle) for settle in _SETTLES},
    },
    fills={
        "spot": Listing((_SPOT_TRADES,), rows.spot_fill),
        **{_product(settle): _contract_fills(settle) for settle in _SETTLES},
    },
    positions={
        _product(settle): Listing(
            (
                _plain(
                    f"positions, {settle}",
                    "privateFuturesGetSettlePositions",
                    "contract",
                    "mode",
                    settle=settle,
                ),
            ),
            rows.position,
        )
        for settle in _SETTLES
    },
    balances={
        "spot": Listing(
            (_plain("spot accounts", "privateSpotGetAccounts", "currency"),), rows.spot_balance
        ),
        **{
            _product(settle): Listing(
                (
                    Query(
                        label=f"account, {settle}",
                        endpoint="privateFuturesGetSettleAccounts",
                        params={"settle": settle},
                        rows=one_at(""),
                        row_id=("currency",),
                    ),
                ),
                rows.contract_balance,
            )
            for settle in _SETTLES
        },
    },
    look_ups={
        regular("spot"): (_asked("privateSpotGetOrdersOrderId", rows.spot_order),),
        algo("spot"): (
            _asked("privateSpotGetPriceOrdersOrderId", rows.spot_trigger, account="normal"),
        ),
        **{
            regular(_product(settle)): (
                _asked("privateFuturesGetSettleOrdersOrderId", rows.contract_order, settle=settle),
            )
            for settle in _SETTLES
        },
        **{
            algo(_product(settle)): (
                _asked(
                    "privateFuturesGetSettlePriceOrdersOrderId",
                    rows.contract_trigger,
                    settle=settle,
                ),
            )
            for settle in _SETTLES
        },
    },
    cancels={
        regular("spot"): _cancel("privateSpotDeleteOrdersOrderId"),
        algo("spot"): _cancel("privateSpotDeletePriceOrdersOrderId"),
        **{
            regular(_product(settle)): _cancel(
                "privateFuturesDeleteSettleOrdersOrderId", settle=settle
            )
            for settle in _SETTLES
        },
        **{
            algo(_product(settle)): _cancel(
                "privateFuturesDeleteSettlePriceOrdersOrderId", settle=settle
            )
            for settle in _SETTLES
        },
    },
    position_modes={
        _product(settle): Question(
            endpoint="privateFuturesGetSettleAccounts", read=_mode, params={"settle": settle}
        )
        for settle in _SETTLES
    },
    identity=Question(endpoint="privateAccountGetDetail", read=told("user id", "user_id")),
)
