"""The COIN-M dialect as a table: path, weight, security, handler; most handlers are USD-M's own.

Promises: conditional orders live in an algo service here too, since 2026-06-30, and the regular
endpoints neither list, cancel nor accept them.

Sources: COIN-M documentation of developers.binance.com, 2026-08 (weights after its "Important CM-UM
Integration Notice"); the algo endpoints that the notice does not describe answer like those of
USD-M, which ccxt has verified.
Called by `endpoints`.
"""

from resyncctl.simulator import (
    coinm_reading,
    public_data,
    usdm_algo,
    usdm_reading,
    usdm_trading,
)
from resyncctl.simulator.calls import Endpoint, Handler, Kind, Weight


def _depth_weight(parameters: dict[str, str]) -> int:
    text = parameters.get("limit", "")
    limit = int(text) if text.isdecimal() else 500
    return next((weight for most, weight in ((50, 2), (100, 5), (500, 10)) if limit <= most), 20)


def _listing_weight(parameters: dict[str, str]) -> int:
    return 1 if parameters.get("symbol") else 40


def _trades_weight(parameters: dict[str, str]) -> int:
    return 20 if parameters.get("symbol") else 40


def _public(name: str, path: str, handler: Handler, weight: Weight) -> Endpoint:
    return Endpoint(
        f"coinm.{name}", "coinm", "GET", f"/dapi/v1/{path}", handler, weight, security="public"
    )


def _read(name: str, path: str, handler: Handler, weight: Weight) -> Endpoint:
    return Endpoint(f"coinm.{name}", "coinm", "GET", f"/dapi/v1/{path}", handler, weight)


def _act(name: str, place: str, handler: Handler, weight: Weight, *, kind: Kind) -> Endpoint:
    method, path = place.split(" ")
    return Endpoint(
        f"coinm.{name}",
        "coinm",
        method,
        f"/dapi/v1/{path}",
        handler,
        weight,
        permission="TRADE",
        kind=kind,
    )


COINM = (
    _public("ping", "ping", public_data.ping, 1),
    _public("time", "time", public_data.server_time, 1),
    _public("exchange_info", "exchangeInfo", public_data.exchange_info, 1),
    _public("depth", "depth", public_data.depth, _depth_weight),
    _read("account", "account", coinm_reading.account, 5),
    _read("balance", "balance", coinm_reading.balances, 1),
    _read("positions", "positionRisk", coinm_reading.positions, 1),
    _read("position_mode", "positionSide/dual", usdm_trading.position_mode, 30),
    _read("income", "income", usdm_reading.income, 20),
    _read("open_orders", "openOrders", coinm_reading.open_orders, _listing_weight),
    _read("open_order", "openOrder", usdm_reading.open_order, 1),
    _read("order", "order", usdm_reading.order, 1),
    _read("all_orders", "allOrders", usdm_reading.all_orders, _trades_weight),
    _read("user_trades", "userTrades", coinm_reading.user_trades, _trades_weight),
    _read("force_orders", "forceOrders", usdm_reading.force_orders, 20),
    _read("commission_rate", "commissionRate", usdm_reading.commission_rate, 20),
    _act(
        "set_position_mode",
        "POST positionSide/dual",
        usdm_trading.set_position_mode,
        1,
        kind="other",
    ),
    _act("set_leverage", "POST leverage", usdm_trading.set_leverage, 1, kind="other"),
    _act("place", "POST order", usdm_trading.place_order, 0, kind="create"),
    _act("place_batch", "POST batchOrders", usdm_trading.place_batch, 5, kind="create"),
    _act("amend", "PUT order", usdm_trading.amend_order, 1, kind="amend"),
    _act("cancel", "DELETE order", usdm_trading.cancel_order, 1, kind="cancel"),
    _act("cancel_all", "DELETE allOpenOrders", usdm_trading.cancel_all, 1, kind="cancel"),
    _act("cancel_batch", "DELETE batchOrders", usdm_trading.cancel_batch, 1, kind="cancel"),
    _act("countdown", "POST countdownCancelAll", usdm_trading.countdown, 10, kind="other"),
    _act("place_algo", "POST algoOrder", usdm_algo.place, 0, kind="create"),
    _read("algo_order", "algoOrder", usdm_algo.query, 1),
    _read("open_algos", "openAlgoOrders", usdm_algo.open_orders, _listing_weight),
    _read("all_algos", "allAlgoOrders", usdm_algo.all_orders, 5),
    _act("cancel_algo", "DELETE algoOrder", usdm_algo.cancel, 1, kind="cancel"),
    _act("cancel_all_algos", "DELETE algoOpenOrders", usdm_algo.cancel_all, 1, kind="cancel"),
)
"""A listing of all symbols weighs the larger of what the documentation (40) and ccxt (5) say."""
