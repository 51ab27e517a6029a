"""The plan for Bitget (classic account, API v2).

Promise: each product type (USDT, USDC and coin-margined futures) is asked for on its own, plan
orders once per plan kind, and pages follow the order id; ccxt by itself asks for USDT-FUTURES and
`normal_plan` only. Sources: Bitget API v2 documentation (spot/trade/unfilled-orders,
current-plan-order, mix/order/orders-pending, orders-plan-pending, fills, all-position, accounts).
"""

from resyncctl.adapters.venues.via_ccxt import generic_bitget_rows as rows
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    DAY_MS,
    After,
    CancelOne,
    Listing,
    LookUpQuery,
    Params,
    Query,
    Question,
    RowsOf,
    TimeSpan,
    Unacknowledged,
    VenuePlan,
    algo,
    at,
    calling,
    names_order,
    one_at,
    raw_symbol,
    regular,
    told,
    value,
)
from resyncctl.core.model import Order
from resyncctl.core.snapshot import OrderReference

_TYPES = {
    "usdt-futures": "USDT-FUTURES",
    "usdc-futures": "USDC-FUTURES",
    "coin-futures": "COIN-FUTURES",
}
_PLANS = ("normal_plan", "track_plan", "profit_loss")
_PAGE = After("idLessThan", "orderId", 100)
_WEEK = TimeSpan(since="startTime", until="endTime", longest_ms=7 * DAY_MS)


def _listing(
    label: str, endpoint: str, where: RowsOf, *, span: TimeSpan | None = None, **params: object
) -> Query:
    paging = _PAGE if span is None else After("idLessThan", "tradeId", 100)
    return Query(
        label=label,
        endpoint=endpoint,
        params={"limit": "100", **params},
        rows=where,
        row_id=("orderId",) if span is None else ("symbol", "tradeId", "orderId"),
        paging=paging,
        span=span,
    )


def _plain(label: str, endpoint: str, *row_id: str, **params: object) -> Query:
    return Query(label=label, endpoint=endpoint, params=params, rows=at("data"), row_id=row_id)


def _ids(reference: OrderReference, symbol: str) -> Params:
    named = (
        {"orderId": reference.venue_order_id}
        if reference.venue_order_id
        else {"clientOid": reference.client_order_id}
    )
    return {"symbol": symbol, **named}


def _ask_futures(product_type: str) -> LookUpQuery:
    return LookUpQuery(
        label="order",
        endpoint="privateMixGetV2MixOrderDetail",
        params=lambda reference, symbol: {"productType": product_type, **_ids(reference, symbol)},
        rows=one_at("data"),
        parse=rows.futures_order,
    )


def _cancel_futures(product_type: str) -> CancelOne:
    return CancelOne(
        send=calling(
            "privateMixPostV2MixOrderCancelOrder",
            lambda order, _native: {
                "symbol": raw_symbol(order),
                "productType": product_type,
                "orderId": order.venue_order_id,
            },
        ),
        judge=names_order("data.orderId"),
    )


def _judge_plan(body: object, order: Order) -> Unacknowledged | None:
    done = value(body, "data.successList.0.orderId")
    if str(done) == order.venue_order_id and value(body, "data.failureList") == []:
        return None
    return Unacknowledged("the answer does not list the order among the successes")


def _cancel_plan(product_type: str) -> CancelOne:
    return CancelOne(
        send=calling(
            "privateMixPostV2MixOrderCancelPlanOrder",
            lambda order, native: {
                "symbol": raw_symbol(order),
                "productType": product_type,
                "planType": native.get("planType", "normal_plan"),
                "orderIdList": [{"orderId": order.venue_order_id}],
            },
        ),
        judge=_judge_plan,
    )


def _judge_spot_plan(body: object, _order: Order) -> Unacknowledged | None:
    if value(body, "data.result") == "success":
        return None
    return Unacknowledged("the answer does not say success")


PLAN = VenuePlan(
    venue="bitget",
    orders={
        regular("spot"): Listing(
            (_listing("open orders, spot", "privateSpotGetV2SpotTradeUnfilledOrders", at("data")),),
            rows.spot_order,
        ),
        algo("spot"): Listing(
            (
                _listing(
                    "plan orders, spot",
                    "privateSpotGetV2SpotTradeCurrentPlanOrder",
                    rows.or_null("data.orderList"),
                ),
            ),
            rows.spot_plan,
        ),
        **{
            regular(product): Listing(
                (
                    _listing(
                        f"open orders, {kind}",
                        "privateMixGetV2MixOrderOrdersPending",
                        rows.or_null("data.entrustedList"),
                        productType=kind,
                    ),
                ),
                rows.futures_order,
            )
            for product, kind in _TYPES.items()
        },
        **{
            algo(product): Listing(
                tuple(
                    _listing(
                        f"{plan} orders, {kind}",
                        "privateMixGetV2MixOrderOrdersPlanPending",
                        rows.or_null("data.entrustedList"),
                        productType=kind,
                        planType=plan,
                    )
                    for plan in _PLANS
                ),
                rows.futures_plan(kind),
            )
            for product, kind in _TYPES.items()
        },
    },
    fills={
        "spot": Listing(
            (_listing("fills, spot", "privateSpotGetV2SpotTradeFills", at("data"), span=_WEEK),),
            rows.spot_fill,
        ),
        **{
            product: Listing(
                (
                    _listing(
                        f"fills, {kind}",
                        "privateMixGetV2MixOrderFills",
                        rows.or_null("data.fillList"),
                        span=_WEEK,
                        productType=kind,
                    ),
                ),
                rows.futures_fill,
            )
            for product, kind in _TYPES.items()
        },
    },
    positions={
        product: Listing(
            (
                _plain(
                    f"positions, {kind}",
                    "privateMixGetV2MixPositionAllPosition",
                    "symbol",
                    "holdSide",
                    "marginCoin",
                    productType=kind,
                ),
            ),
            rows.position,
        )
        for product, kind in _TYPES.items()
    },
    balances={
        "spot": Listing(
            (_plain("spot assets", "privateSpotGetV2SpotAccountAssets", "coin"),), rows.spot_balance
        ),
        **{
            product: Listing(
                (
                    _plain(
                        f"accounts, {kind}",
                        "privateMixGetV2MixAccountAccounts",
                        "marginCoin",
                        productType=kind,
                    ),
                ),
                rows.futures_balance,
            )
            for product, kind in _TYPES.items()
        },
    },
    look_ups={
        regular("spot"): (
            LookUpQuery(
                label="order",
                endpoint="privateSpotGetV2SpotTradeOrderInfo",
                params=lambda reference, symbol: {
                    key: text for key, text in _ids(reference, symbol).items() if key != "symbol"
                },
                rows=at("data"),
                parse=rows.spot_order,
            ),
        ),
        **{regular(product): (_ask_futures(kind),) for product, kind in _TYPES.items()},
    },
    cancels={
        regular("spot"): CancelOne(
            send=calling(
                "privateSpotPostV2SpotTradeCancelOrder",
                lambda order, _native: {
                    "symbol": raw_symbol(order),
                    "orderId": order.venue_order_id,
                },
            ),
            judge=names_order("data.orderId"),
        ),
        algo("spot"): CancelOne(
            send=calling(
                "privateSpotPostV2SpotTradeCancelPlanOrder",
                lambda order, _native: {"orderId": order.venue_order_id},
            ),
            judge=_judge_spot_plan,
        ),
        **{regular(product): _cancel_futures(kind) for product, kind in _TYPES.items()},
        **{algo(product): _cancel_plan(kind) for product, kind in _TYPES.items()},
    },
    identity=Question(
        endpoint="privateSpotGetV2SpotAccountInfo", read=told("user id", "data.userId")
    ),
)
