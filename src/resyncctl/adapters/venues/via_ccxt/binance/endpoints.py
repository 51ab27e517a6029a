"""Every endpoint of Binance that this program may use, and what kind of request it is.

Promises: a request that does not stand here is UNLISTED and cannot leave; orders are amended by no
endpoint of this table, and created only where a proof stands beside the endpoint, which compares
the request with the reduction of its permit. Weights are those of the documentation.

Sources: binance-spot-api-docs rest-api.md (2026-07); Binance USD-M connector 2026-08.
Called by the transport for each request.
"""

from collections.abc import Mapping

from resyncctl.adapters.venues.via_ccxt.binance.coinm import COINM_ENDPOINTS, COINM_HOSTS
from resyncctl.adapters.venues.via_ccxt.binance.reduce_proof import prove_for
from resyncctl.adapters.venues.via_ccxt.permits import Endpoint, EndpointKind

SPOT_HOSTS = frozenset({"api.binance.com", "demo-api.binance.com", "testnet.binance.vision"})
USDM_HOSTS = frozenset({"fapi.binance.com", "demo-fapi.binance.com", "testnet.binancefuture.com"})
READ, CANCEL = EndpointKind.READ, EndpointKind.CANCEL
REDUCE, SWITCH = EndpointKind.REDUCE, EndpointKind.SWITCH
BOOK_LEVELS = 100
BOOK_WEIGHTS = (5, 5)
"""What `limit=100` costs on spot and on USD-M; the reading of books asks for no other limit."""
_CREATE, _AMEND = EndpointKind.CREATE, EndpointKind.AMEND

SPOT_ENDPOINTS: Mapping[str, Endpoint] = {
    "GET /api/v3/time": Endpoint("spot.time", READ, 1),
    "GET /api/v3/exchangeInfo": Endpoint("spot.instruments", READ, 20),
    "GET /api/v3/depth": Endpoint("spot.book", READ, BOOK_WEIGHTS[0]),
    "GET /api/v3/account": Endpoint("spot.account", READ, 20),
    "GET /api/v3/openOrders": Endpoint("spot.open_orders", READ, 80),
    "GET /api/v3/openOrderList": Endpoint("spot.open_lists", READ, 6),
    "GET /api/v3/order": Endpoint("spot.order", READ, 4),
    "GET /api/v3/myTrades": Endpoint("spot.fills", READ, 20),
    "GET /sapi/v1/capital/deposit/hisrec": Endpoint("spot.deposits", READ, 0),
    "GET /sapi/v1/capital/withdraw/history": Endpoint("spot.withdrawals", READ, 0),
    "GET /sapi/v1/asset/transfer": Endpoint("spot.transfers", READ, 0),
    "DELETE /api/v3/order": Endpoint("spot.cancel_order", CANCEL, 1),
    "DELETE /api/v3/orderList": Endpoint("spot.cancel_list", CANCEL, 1),
    "DELETE /api/v3/openOrders": Endpoint("spot.cancel_symbol", CANCEL, 1),
    "POST /api/v3/order": Endpoint("spot.reduce", REDUCE, 1, prove_for("spot")),
    "POST /api/v3/order/cancelReplace": Endpoint("spot.cancel_replace", _CREATE, 1),
    "PUT /api/v3/order/amend/keepPriority": Endpoint("spot.amend_order", _AMEND, 4),
}
USDM_ENDPOINTS: Mapping[str, Endpoint] = {
    "GET /fapi/v1/time": Endpoint("linear.time", READ, 1),
    "GET /fapi/v1/exchangeInfo": Endpoint("linear.instruments", READ, 1),
    "GET /fapi/v1/depth": Endpoint("linear.book", READ, BOOK_WEIGHTS[1]),
    "GET /fapi/v3/balance": Endpoint("linear.balances", READ, 5),
    "GET /fapi/v1/accountConfig": Endpoint("linear.account_config", READ, 5),
    "GET /fapi/v3/positionRisk": Endpoint("linear.positions", READ, 5),
    "GET /fapi/v1/openOrders": Endpoint("linear.open_orders", READ, 40),
    "GET /fapi/v1/openAlgoOrders": Endpoint("linear.open_algo_orders", READ, 40),
    "GET /fapi/v1/order": Endpoint("linear.order", READ, 1),
    "GET /fapi/v1/algoOrder": Endpoint("linear.algo_order", READ, 1),
    "GET /fapi/v1/userTrades": Endpoint("linear.fills", READ, 5),
    "GET /fapi/v1/income": Endpoint("linear.income", READ, 30),
    "DELETE /fapi/v1/order": Endpoint("linear.cancel_order", CANCEL, 1),
    "DELETE /fapi/v1/allOpenOrders": Endpoint("linear.cancel_symbol", CANCEL, 1),
    "DELETE /fapi/v1/algoOrder": Endpoint("linear.cancel_algo_order", CANCEL, 1),
    "DELETE /fapi/v1/algoOpenOrders": Endpoint("linear.cancel_algo_symbol", CANCEL, 1),
    "POST /fapi/v1/order": Endpoint("linear.reduce", REDUCE, 0, prove_for("linear")),
    "POST /fapi/v1/countdownCancelAll": Endpoint("linear.countdown", SWITCH, 10),
    "POST /fapi/v1/batchOrders": Endpoint("linear.create_orders", _CREATE, 5),
    "POST /fapi/v1/algoOrder": Endpoint("linear.create_algo_order", _CREATE, 1),
    "PUT /fapi/v1/order": Endpoint("linear.amend_order", _AMEND, 1),
    "PUT /fapi/v1/batchOrders": Endpoint("linear.amend_orders", _AMEND, 5),
}


def classify(method: str, host: str, path: str, query: str, body: bytes) -> Endpoint:  # noqa: ARG001  # a Classifier
    """Return the endpoint of a request; one that no table lists is UNLISTED."""
    if host in SPOT_HOSTS:
        table = SPOT_ENDPOINTS
    elif host in USDM_HOSTS:
        table = USDM_ENDPOINTS
    elif host in COINM_HOSTS:
        table = COINM_ENDPOINTS
    else:
        table = {}
    found = table.get(f"{method} {path}")
    if found is None:
        return Endpoint(f"{method} {host}{path}", EndpointKind.UNLISTED, 1)
    return found
