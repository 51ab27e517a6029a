"""The plans for HTX spot, MEXC, Coinbase Advanced and Crypto.com Exchange.

Promise: each covers the places that are listed here and says what it leaves out (`coverage`).
MEXC lists spot orders only symbol by symbol, so its spot scope is refused rather than guessed.
Sources: HTX spot API v1, MEXC contract API v1, Coinbase Advanced Trade API v3, Crypto.com
Exchange API v1 documentation.
"""

from resyncctl.adapters.venues.via_ccxt import generic_mexc_rows as mexc
from resyncctl.adapters.venues.via_ccxt import generic_others_rows as rows
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    DAY_MS,
    HOUR_MS,
    After,
    CancelOne,
    Cursor,
    Listing,
    LookUpQuery,
    NewestFirst,
    Pages,
    Query,
    Question,
    TimeSpan,
    VenuePlan,
    algo,
    at,
    calling,
    names_order,
    nested,
    one_at,
    regular,
    told,
)

HTX = VenuePlan(
    venue="htx",
    orders={
        regular("spot"): Listing(
            (
                Query(
                    label="open orders, spot",
                    endpoint="spotPrivateGetV1OrderOpenOrders",
                    params={"size": 500, "direct": "next"},
                    rows=at("data"),
                    row_id=("id",),
                    paging=After("from", "id", 500),
                ),
            ),
            rows.htx_order,
        ),
    },
    fills={
        "spot": Listing(
            (
                Query(
                    label="match results",
                    endpoint="spotPrivateGetV1OrderMatchresults",
                    params={"size": 500, "direct": "next"},
                    rows=at("data"),
                    row_id=("trade-id", "order-id", "id"),
                    paging=After("from", "id", 500),
                    span=TimeSpan(since="start-time", until="end-time", longest_ms=48 * HOUR_MS),
                ),
            ),
            rows.htx_fill,
        ),
    },
    positions={},
    balances={},
    look_ups={
        regular("spot"): (
            LookUpQuery(
                label="order",
                endpoint="spotPrivateGetV1OrderOrdersOrderId",
                params=lambda reference, _symbol: (
                    {"order-id": reference.venue_order_id} if reference.venue_order_id else None
                ),
                rows=one_at("data"),
                parse=rows.htx_order,
            ),
        ),
    },
    cancels={
        regular("spot"): CancelOne(
            send=calling(
                "spotPrivatePostV1OrderOrdersOrderIdSubmitcancel",
                lambda order, _native: {"order-id": order.venue_order_id},
            ),
            judge=names_order("data"),
        ),
    },
    identity=Question(endpoint="spotPrivateGetV2UserUid", read=told("uid", "data")),
)

MEXC = VenuePlan(
    venue="mexc",
    orders={
        regular("spot"): Listing((), mexc.mexc_order),
        regular("swap"): Listing(
            (
                Query(
                    label="open orders, swap",
                    endpoint="contractPrivateGetOrderListOpenOrders",
                    params={"page_size": 100},
                    rows=at("data"),
                    row_id=("orderId",),
                    paging=Pages("page_num", 100),
                ),
            ),
            mexc.mexc_order,
        ),
        algo("swap"): Listing(
            (
                Query(
                    label="plan orders, swap",
                    endpoint="contractPrivateGetPlanorderListOrders",
                    params={"page_size": 100, "states": 1},
                    rows=at("data"),
                    row_id=("id",),
                    paging=Pages("page_num", 100),
                ),
            ),
            mexc.mexc_plan,
        ),
    },
    refusals={
        regular("spot"): "MEXC lists spot orders only symbol by symbol; no request asks for all",
    },
    fills={
        "swap": Listing(
            (
                Query(
                    label="deals, swap",
                    endpoint="contractPrivateGetOrderListOrderDeals",
                    params={"page_size": 100},
                    rows=at("data"),
                    row_id=("id",),
                    paging=Pages("page_num", 100),
                    span=TimeSpan(since="start_time", until="end_time", longest_ms=90 * DAY_MS),
                    per_symbol="symbol",
                ),
            ),
            mexc.mexc_fill,
        ),
    },
    positions={
        "swap": Listing(
            (
                Query(
                    label="open positions",
                    endpoint="contractPrivateGetPositionOpenPositions",
                    rows=at("data"),
                    row_id=("positionId",),
                ),
            ),
            mexc.mexc_position,
        ),
    },
    balances={
        "spot": Listing(
            (
                Query(
                    label="spot account",
                    endpoint="spotPrivateGetAccount",
                    rows=at("balances"),
                    row_id=("asset",),
                ),
            ),
            mexc.mexc_spot_balance,
        ),
        "swap": Listing(
            (
                Query(
                    label="contract assets",
                    endpoint="contractPrivateGetAccountAssets",
                    rows=at("data"),
                    row_id=("currency",),
                ),
            ),
            mexc.mexc_swap_balance,
        ),
    },
    look_ups={
        regular("swap"): (
            LookUpQuery(
                label="order",
                endpoint="contractPrivateGetOrderGetOrderId",
                params=lambda reference, _symbol: (
                    {"order_id": reference.venue_order_id} if reference.venue_order_id else None
                ),
                rows=one_at("data"),
                parse=mexc.mexc_order,
            ),
        ),
    },
    cancels={
        regular("swap"): CancelOne(send=mexc.mexc_send_cancel, judge=mexc.mexc_judge),
        algo("swap"): CancelOne(send=mexc.mexc_send_plan_cancel, judge=mexc.mexc_judge_plan),
    },
    position_modes={
        "swap": Question(
            endpoint="contractPrivateGetPositionPositionMode", read=mexc.mexc_position_mode
        )
    },
)

COINBASE = VenuePlan(
    venue="coinbase",
    orders={
        regular("spot"): Listing(
            tuple(
                Query(
                    label=f"orders, {status}",
                    endpoint="v3PrivateGetBrokerageOrdersHistoricalBatch",
                    params={"order_status": status, "limit": 250},
                    rows=at("orders"),
                    row_id=("order_id",),
                    paging=Cursor("cursor", "cursor"),
                )
                for status in ("OPEN", "PENDING")
            ),
            rows.coinbase_order,
        ),
    },
    fills={
        "spot": Listing(
            (
                Query(
                    label="fills",
                    endpoint="v3PrivateGetBrokerageOrdersHistoricalFills",
                    params={"limit": 100},
                    rows=at("fills"),
                    row_id=("entry_id",),
                    paging=Cursor("cursor", "cursor"),
                    span=TimeSpan(
                        since="start_sequence_timestamp",
                        until="end_sequence_timestamp",
                        longest_ms=365 * DAY_MS,
                        iso=True,
                    ),
                ),
            ),
            rows.coinbase_fill,
        ),
    },
    positions={},
    balances={
        "spot": Listing(
            (
                Query(
                    label="accounts",
                    endpoint="v3PrivateGetBrokerageAccounts",
                    params={"limit": 250},
                    rows=at("accounts"),
                    row_id=("uuid",),
                    paging=Cursor("cursor", "cursor"),
                ),
            ),
            rows.coinbase_balance,
        ),
    },
    look_ups={
        regular("spot"): (
            LookUpQuery(
                label="order",
                endpoint="v3PrivateGetBrokerageOrdersHistoricalOrderId",
                params=lambda reference, _symbol: (
                    {"order_id": reference.venue_order_id} if reference.venue_order_id else None
                ),
                rows=one_at("order"),
                parse=rows.coinbase_order,
            ),
        ),
    },
    cancels={
        regular("spot"): CancelOne(
            send=calling(
                "v3PrivatePostBrokerageOrdersBatchCancel",
                lambda order, _native: {"order_ids": [order.venue_order_id]},
            ),
            judge=rows.coinbase_judge,
        ),
    },
    identity=Question(
        endpoint="v3PrivateGetBrokerageKeyPermissions", read=told("portfolio", "portfolio_uuid")
    ),
)

CRYPTOCOM = VenuePlan(
    venue="cryptocom",
    orders={
        regular(product): Listing(
            (
                Query(
                    label="open orders",
                    endpoint="v1PrivatePostPrivateGetOpenOrders",
                    rows=at("result.data"),
                    row_id=("order_id",),
                    keep=keep,
                ),
            ),
            rows.cryptocom_order,
        )
        for product, keep in rows.CRYPTOCOM_PRODUCTS.items()
    },
    fills={
        product: Listing(
            (
                Query(
                    label="trades",
                    endpoint="v1PrivatePostPrivateGetTrades",
                    params={"limit": 100},
                    rows=at("result.data"),
                    row_id=("trade_id",),
                    paging=NewestFirst(100),
                    span=TimeSpan(since="start_time", until="end_time", longest_ms=7 * DAY_MS),
                    keep=keep,
                ),
            ),
            rows.cryptocom_fill,
        )
        for product, keep in rows.CRYPTOCOM_PRODUCTS.items()
    },
    positions={
        "derivatives": Listing(
            (
                Query(
                    label="positions",
                    endpoint="v1PrivatePostPrivateGetPositions",
                    rows=at("result.data"),
                    row_id=("instrument_name",),
                ),
            ),
            rows.cryptocom_position,
        ),
    },
    balances={
        "spot": Listing(
            (
                Query(
                    label="balance",
                    endpoint="v1PrivatePostPrivateUserBalance",
                    rows=nested("result.data", "position_balances"),
                    row_id=("instrument_name",),
                ),
            ),
            rows.cryptocom_balance,
        ),
    },
    look_ups={
        regular(product): (
            LookUpQuery(
                label="order",
                endpoint="v1PrivatePostPrivateGetOrderDetail",
                params=lambda reference, _symbol: (
                    {"order_id": reference.venue_order_id}
                    if reference.venue_order_id
                    else {"client_oid": reference.client_order_id}
                ),
                rows=one_at("result"),
                parse=rows.cryptocom_order,
            ),
        )
        for product in rows.CRYPTOCOM_PRODUCTS
    },
    cancels={
        regular(product): CancelOne(
            send=calling(
                "v1PrivatePostPrivateCancelOrder",
                lambda order, _native: {"order_id": order.venue_order_id},
            ),
            judge=names_order("result.order_id"),
        )
        for product in rows.CRYPTOCOM_PRODUCTS
    },
    position_modes={"derivatives": "one_way"},
    shared_wallet=True,
)
