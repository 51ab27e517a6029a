"""The USD-M dialect of Binance futures: product `linear`, quantities in base units.

Source: Binance USD-M documentation, 2026-08. Called by `venue`.
"""

from resyncctl.adapters.venues.via_ccxt.binance.futures import Dialect
from resyncctl.core.model import OrderClass

USDM = Dialect(
    product="linear",
    words="usd-m",
    listings={
        OrderClass.REGULAR: "fapiPrivateGetOpenOrders",
        OrderClass.ALGO: "fapiPrivateGetOpenAlgoOrders",
    },
    positions="fapiPrivateV3GetPositionRisk",
    mode="fapiPrivateGetAccountConfig",
    balances="fapiPrivateV3GetBalance",
    income="fapiPrivateGetIncome",
    trades="fapiPrivateGetUserTrades",
    order="fapiPrivateGetOrder",
    algo_order="fapiPrivateGetAlgoOrder",
)
