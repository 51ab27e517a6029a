"""The COIN-M dialect of Binance futures: product `inverse`, quantities in contracts.

Promises: quantities of orders, fills and legs are contracts, whole numbers each worth a fixed sum
of dollars, and are never turned into coins: only contracts are exact, and only contracts can be
ordered. Balances, fees, funding and profit are in the coin that the contract settles in.

Legs are read from the account, which lists those of all symbols in the market. The listing of
positions leaves out every symbol whose status is not TRADING ("Position Information"), so a
contract that is halted or being delivered would look flat there.

Conditional orders rest in an algo service of their own since 2026-06-30, as on USD-M.

Sources: Binance COIN-M documentation, 2026-08, and its "Important CM-UM Integration Notice"
(section C.5 names the algo endpoints; ccxt 4.5.90 has verified those that it does not describe).
Called by `venue`.
"""

from collections.abc import Mapping

from resyncctl.adapters.venues.via_ccxt.binance.futures import Dialect
from resyncctl.adapters.venues.via_ccxt.binance.reduce_proof import prove_for
from resyncctl.adapters.venues.via_ccxt.permits import Endpoint, EndpointKind
from resyncctl.core.model import OrderClass

COINM_HOSTS = frozenset({"dapi.binance.com", "demo-dapi.binance.com"})
"""The old futures testnet served both markets under one name and is closed; ccxt asks the demo."""

COINM = Dialect(
    product="inverse",
    words="coin-m",
    listings={
        OrderClass.REGULAR: "dapiPrivateGetOpenOrders",
        OrderClass.ALGO: "dapiPrivateGetOpenAlgoOrders",
    },
    positions="dapiPrivateGetAccount",
    positions_at="positions",
    second_positions="dapiPrivateGetPositionRisk",
    mode="dapiPrivateGetPositionSideDual",
    balances="dapiPrivateGetBalance",
    income="dapiPrivateGetIncome",
    trades="dapiPrivateGetUserTrades",
    order="dapiPrivateGetOrder",
    algo_order="dapiPrivateGetAlgoOrder",
)

_READ, _CANCEL = EndpointKind.READ, EndpointKind.CANCEL
_CREATE, _AMEND = EndpointKind.CREATE, EndpointKind.AMEND

COINM_ENDPOINTS: Mapping[str, Endpoint] = {
    "GET /dapi/v1/time": Endpoint("inverse.time", _READ, 1),
    "GET /dapi/v1/exchangeInfo": Endpoint("inverse.instruments", _READ, 1),
    "GET /dapi/v1/depth": Endpoint("inverse.book", _READ, 5),
    "GET /dapi/v1/balance": Endpoint("inverse.balances", _READ, 1),
    "GET /dapi/v1/account": Endpoint("inverse.account", _READ, 5),
    "GET /dapi/v1/positionRisk": Endpoint("inverse.positions", _READ, 1),
    "GET /dapi/v1/positionSide/dual": Endpoint("inverse.position_mode", _READ, 30),
    "GET /dapi/v1/openOrders": Endpoint("inverse.open_orders", _READ, 40),
    "GET /dapi/v1/openAlgoOrders": Endpoint("inverse.open_algo_orders", _READ, 40),
    "GET /dapi/v1/order": Endpoint("inverse.order", _READ, 1),
    "GET /dapi/v1/algoOrder": Endpoint("inverse.algo_order", _READ, 1),
    "GET /dapi/v1/userTrades": Endpoint("inverse.fills", _READ, 20),
    "GET /dapi/v1/income": Endpoint("inverse.income", _READ, 20),
    "DELETE /dapi/v1/order": Endpoint("inverse.cancel_order", _CANCEL, 1),
    "DELETE /dapi/v1/allOpenOrders": Endpoint("inverse.cancel_symbol", _CANCEL, 1),
    "DELETE /dapi/v1/algoOrder": Endpoint("inverse.cancel_algo_order", _CANCEL, 1),
    "DELETE /dapi/v1/algoOpenOrders": Endpoint("inverse.cancel_algo_symbol", _CANCEL, 1),
    "POST /dapi/v1/order": Endpoint("inverse.reduce", EndpointKind.REDUCE, 4, prove_for("inverse")),
    "POST /dapi/v1/countdownCancelAll": Endpoint("inverse.countdown", EndpointKind.SWITCH, 10),
    "POST /dapi/v1/batchOrders": Endpoint("inverse.create_orders", _CREATE, 5),
    "POST /dapi/v1/algoOrder": Endpoint("inverse.create_algo_order", _CREATE, 1),
    "PUT /dapi/v1/order": Endpoint("inverse.amend_order", _AMEND, 1),
    "PUT /dapi/v1/batchOrders": Endpoint("inverse.amend_orders", _AMEND, 5),
}
"""Where the documentation and ccxt weigh a request differently, the larger weight stands here."""
