"""The three dialects as one table: host, method, path, weight, security, handler.

Promises: a request is found by host and path; a path on the wrong host does not exist. Weights are
those of the documentation; successful spot order and cancel calls cost nothing since 2026-04-02.

Called by `pipeline`.
"""

from collections.abc import Callable

from resyncctl.simulator import (
    coinm_endpoints,
    public_data,
    spot_reading,
    spot_trading,
    usdm_algo,
    usdm_reading,
    usdm_trading,
)
from resyncctl.simulator.calls import Endpoint, Handler, Kind, Weight
from resyncctl.simulator.events import Market

SPOT_HOSTS = frozenset(
    {
        "api.binance.com",
        "api1.binance.com",
        "api2.binance.com",
        "api3.binance.com",
        "api4.binance.com",
        "api-gcp.binance.com",
    }
)
HOSTS: dict[str, Market] = {
    **dict.fromkeys(sorted(SPOT_HOSTS), "spot"),
    "fapi.binance.com": "usdm",
    "dapi.binance.com": "coinm",
}


def find(method: str, host: str, path: str) -> Endpoint | None:
    """Return the endpoint, None when the host does not serve it."""
    name = host.partition(":")[0].lower()
    market = HOSTS.get(name)
    endpoint = _TABLE.get((method, path.rstrip("/")))
    if endpoint is None or endpoint.market != market:
        return None
    return endpoint


def names() -> tuple[str, ...]:
    """Return the name of every endpoint."""
    return tuple(endpoint.name for endpoint in _TABLE.values())


def _by_symbol(with_symbol: int, without: int) -> Callable[[dict[str, str]], int]:
    return lambda parameters: with_symbol if parameters.get("symbol") else without


def _by_limit(*steps: tuple[int, int]) -> Callable[[dict[str, str]], int]:
    def cost(parameters: dict[str, str]) -> int:
        text = parameters.get("limit", "")
        limit = int(text) if text.isdecimal() else 100
        for most, weight in steps:
            if limit <= most:
                return weight
        return steps[-1][1]

    return cost


def _trades_weight(parameters: dict[str, str]) -> int:
    return 5 if parameters.get("orderId") else 20


_SPOT_DEPTH = _by_limit((100, 5), (500, 25), (1000, 50), (5000, 250))
_USDM_DEPTH = _by_limit((50, 2), (100, 5), (500, 10), (1000, 20))


def _public(name: str, market: Market, path: str, handler: Handler, weight: Weight) -> Endpoint:
    return Endpoint(name, market, "GET", path, handler, weight, security="public")


def _read(name: str, market: Market, path: str, handler: Handler, weight: Weight) -> Endpoint:
    return Endpoint(name, market, "GET", path, handler, weight)


def _act(
    name: str,
    market: Market,
    place: str,
    handler: Handler,
    weight: Weight,
    *,
    kind: Kind,
) -> Endpoint:
    method, path = place.split(" ")
    free = market == "spot" and kind in ("create", "cancel", "amend")
    return Endpoint(
        name,
        market,
        method,
        path,
        handler,
        weight,
        permission="TRADE",
        kind=kind,
        free_when_successful=free,
    )


def _listen(name: str, method: str, handler: Handler) -> Endpoint:
    path = "/fapi/v1/listenKey"
    return Endpoint(name, "usdm", method, path, handler, 1, security="key", kind="other")


_SPOT = (
    _public("spot.ping", "spot", "/api/v3/ping", public_data.ping, 1),
    _public("spot.time", "spot", "/api/v3/time", public_data.server_time, 1),
    _public("spot.exchange_info", "spot", "/api/v3/exchangeInfo", public_data.exchange_info, 20),
    _public("spot.depth", "spot", "/api/v3/depth", public_data.depth, _SPOT_DEPTH),
    _public(
        "spot.book_ticker",
        "spot",
        "/api/v3/ticker/bookTicker",
        public_data.book_ticker,
        _by_symbol(2, 4),
    ),
    _public(
        "spot.price", "spot", "/api/v3/ticker/price", public_data.price_ticker, _by_symbol(2, 4)
    ),
    _public("spot.system_status", "spot", "/sapi/v1/system/status", public_data.system_status, 1),
    _read("spot.coins", "spot", "/sapi/v1/capital/config/getall", public_data.coins, 10),
    _read("spot.margin_pairs", "spot", "/sapi/v1/margin/allPairs", public_data.nothing, 1),
    _read(
        "spot.isolated_pairs", "spot", "/sapi/v1/margin/isolated/allPairs", public_data.nothing, 10
    ),
    _read(
        "spot.api_restrictions",
        "spot",
        "/sapi/v1/account/apiRestrictions",
        spot_reading.api_restrictions,
        1,
    ),
    _read("spot.deposits", "spot", "/sapi/v1/capital/deposit/hisrec", spot_reading.deposits, 1),
    _read(
        "spot.withdrawals",
        "spot",
        "/sapi/v1/capital/withdraw/history",
        spot_reading.withdrawals,
        1,
    ),
    _read("spot.transfers", "spot", "/sapi/v1/asset/transfer", spot_reading.transfers, 1),
    _read("spot.account", "spot", "/api/v3/account", spot_reading.account, 20),
    _read(
        "spot.open_orders",
        "spot",
        "/api/v3/openOrders",
        spot_reading.open_orders,
        _by_symbol(6, 80),
    ),
    _read("spot.order", "spot", "/api/v3/order", spot_reading.order, 4),
    _read("spot.all_orders", "spot", "/api/v3/allOrders", spot_reading.all_orders, 20),
    _read("spot.my_trades", "spot", "/api/v3/myTrades", spot_reading.my_trades, _trades_weight),
    _read(
        "spot.open_order_lists", "spot", "/api/v3/openOrderList", spot_reading.open_order_lists, 6
    ),
    _read("spot.order_list", "spot", "/api/v3/orderList", spot_reading.order_list, 4),
    _read("spot.all_order_lists", "spot", "/api/v3/allOrderList", spot_reading.all_order_lists, 20),
    _read(
        "spot.rate_limit_order",
        "spot",
        "/api/v3/rateLimit/order",
        spot_reading.rate_limit_order,
        40,
    ),
    _act("spot.place", "spot", "POST /api/v3/order", spot_trading.place_order, 1, kind="create"),
    _act("spot.test", "spot", "POST /api/v3/order/test", spot_trading.test_order, 1, kind="other"),
    _act(
        "spot.place_oco",
        "spot",
        "POST /api/v3/orderList/oco",
        spot_trading.place_oco,
        1,
        kind="create",
    ),
    _act(
        "spot.place_old_oco",
        "spot",
        "POST /api/v3/order/oco",
        spot_trading.place_old_oco,
        1,
        kind="create",
    ),
    _act(
        "spot.cancel_replace",
        "spot",
        "POST /api/v3/order/cancelReplace",
        spot_trading.cancel_replace,
        1,
        kind="create",
    ),
    _act(
        "spot.cancel", "spot", "DELETE /api/v3/order", spot_trading.cancel_order, 1, kind="cancel"
    ),
    _act(
        "spot.cancel_all",
        "spot",
        "DELETE /api/v3/openOrders",
        spot_trading.cancel_open_orders,
        1,
        kind="cancel",
    ),
    _act(
        "spot.cancel_list",
        "spot",
        "DELETE /api/v3/orderList",
        spot_trading.cancel_order_list,
        1,
        kind="cancel",
    ),
)
_USDM = (
    _public("usdm.ping", "usdm", "/fapi/v1/ping", public_data.ping, 1),
    _public("usdm.time", "usdm", "/fapi/v1/time", public_data.server_time, 1),
    _public("usdm.exchange_info", "usdm", "/fapi/v1/exchangeInfo", public_data.exchange_info, 1),
    _public("usdm.depth", "usdm", "/fapi/v1/depth", public_data.depth, _USDM_DEPTH),
    _public(
        "usdm.book_ticker",
        "usdm",
        "/fapi/v1/ticker/bookTicker",
        public_data.book_ticker,
        _by_symbol(2, 5),
    ),
    _public(
        "usdm.price", "usdm", "/fapi/v1/ticker/price", public_data.price_ticker, _by_symbol(1, 2)
    ),
    _public(
        "usdm.premium_index",
        "usdm",
        "/fapi/v1/premiumIndex",
        public_data.premium_index,
        _by_symbol(1, 10),
    ),
    _read("usdm.account_v2", "usdm", "/fapi/v2/account", usdm_reading.old_account, 5),
    _read("usdm.account", "usdm", "/fapi/v3/account", usdm_reading.account, 5),
    _read("usdm.balance_v2", "usdm", "/fapi/v2/balance", usdm_reading.balances, 5),
    _read("usdm.balance", "usdm", "/fapi/v3/balance", usdm_reading.balances, 5),
    _read("usdm.positions_v2", "usdm", "/fapi/v2/positionRisk", usdm_reading.old_positions, 5),
    _read("usdm.positions", "usdm", "/fapi/v3/positionRisk", usdm_reading.positions, 5),
    _read("usdm.account_config", "usdm", "/fapi/v1/accountConfig", usdm_reading.account_config, 5),
    _read("usdm.symbol_config", "usdm", "/fapi/v1/symbolConfig", usdm_reading.symbol_config, 5),
    _read(
        "usdm.leverage_bracket",
        "usdm",
        "/fapi/v1/leverageBracket",
        usdm_reading.leverage_bracket,
        1,
    ),
    _read(
        "usdm.commission_rate",
        "usdm",
        "/fapi/v1/commissionRate",
        usdm_reading.commission_rate,
        20,
    ),
    _read("usdm.multi_assets", "usdm", "/fapi/v1/multiAssetsMargin", usdm_reading.multi_assets, 30),
    _read(
        "usdm.force_orders",
        "usdm",
        "/fapi/v1/forceOrders",
        usdm_reading.force_orders,
        _by_symbol(20, 50),
    ),
    _read("usdm.income", "usdm", "/fapi/v1/income", usdm_reading.income, 30),
    _read(
        "usdm.open_orders",
        "usdm",
        "/fapi/v1/openOrders",
        usdm_reading.open_orders,
        _by_symbol(1, 40),
    ),
    _read("usdm.open_order", "usdm", "/fapi/v1/openOrder", usdm_reading.open_order, 1),
    _read("usdm.order", "usdm", "/fapi/v1/order", usdm_reading.order, 1),
    _read("usdm.all_orders", "usdm", "/fapi/v1/allOrders", usdm_reading.all_orders, 5),
    _read("usdm.user_trades", "usdm", "/fapi/v1/userTrades", usdm_reading.user_trades, 5),
    _read(
        "usdm.rate_limit_order",
        "usdm",
        "/fapi/v1/rateLimit/order",
        spot_reading.rate_limit_order,
        1,
    ),
    _read(
        "usdm.position_mode",
        "usdm",
        "/fapi/v1/positionSide/dual",
        usdm_trading.position_mode,
        30,
    ),
    _act(
        "usdm.set_position_mode",
        "usdm",
        "POST /fapi/v1/positionSide/dual",
        usdm_trading.set_position_mode,
        1,
        kind="other",
    ),
    _act(
        "usdm.set_leverage",
        "usdm",
        "POST /fapi/v1/leverage",
        usdm_trading.set_leverage,
        1,
        kind="other",
    ),
    _act("usdm.place", "usdm", "POST /fapi/v1/order", usdm_trading.place_order, 0, kind="create"),
    _act("usdm.test", "usdm", "POST /fapi/v1/order/test", usdm_trading.test_order, 1, kind="other"),
    _act(
        "usdm.place_batch",
        "usdm",
        "POST /fapi/v1/batchOrders",
        usdm_trading.place_batch,
        5,
        kind="create",
    ),
    _act("usdm.amend", "usdm", "PUT /fapi/v1/order", usdm_trading.amend_order, 1, kind="amend"),
    _act(
        "usdm.cancel", "usdm", "DELETE /fapi/v1/order", usdm_trading.cancel_order, 1, kind="cancel"
    ),
    _act(
        "usdm.cancel_all",
        "usdm",
        "DELETE /fapi/v1/allOpenOrders",
        usdm_trading.cancel_all,
        1,
        kind="cancel",
    ),
    _act(
        "usdm.cancel_batch",
        "usdm",
        "DELETE /fapi/v1/batchOrders",
        usdm_trading.cancel_batch,
        1,
        kind="cancel",
    ),
    _act(
        "usdm.countdown",
        "usdm",
        "POST /fapi/v1/countdownCancelAll",
        usdm_trading.countdown,
        10,
        kind="other",
    ),
    _act("usdm.place_algo", "usdm", "POST /fapi/v1/algoOrder", usdm_algo.place, 0, kind="create"),
    _read("usdm.algo_order", "usdm", "/fapi/v1/algoOrder", usdm_algo.query, 1),
    _read(
        "usdm.open_algos",
        "usdm",
        "/fapi/v1/openAlgoOrders",
        usdm_algo.open_orders,
        _by_symbol(1, 40),
    ),
    _read("usdm.all_algos", "usdm", "/fapi/v1/allAlgoOrders", usdm_algo.all_orders, 5),
    _act(
        "usdm.cancel_algo", "usdm", "DELETE /fapi/v1/algoOrder", usdm_algo.cancel, 1, kind="cancel"
    ),
    _act(
        "usdm.cancel_all_algos",
        "usdm",
        "DELETE /fapi/v1/algoOpenOrders",
        usdm_algo.cancel_all,
        1,
        kind="cancel",
    ),
    _listen("usdm.listen_key", "POST", public_data.start_listen_key),
    _listen("usdm.keep_listen_key", "PUT", public_data.keep_listen_key),
    _listen("usdm.end_listen_key", "DELETE", public_data.end_listen_key),
)
_TABLE: dict[tuple[str, str], Endpoint] = {
    (endpoint.method, endpoint.path): endpoint
    for endpoint in (*_SPOT, *_USDM, *coinm_endpoints.COINM)
}
