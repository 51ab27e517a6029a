"""Reductions that are right, for tests that break them."""

from dataclasses import replace
from decimal import Decimal

from resyncctl.core.model import Leg, Side
from resyncctl.core.reduction import Protection, Reduction
from tests.fakes.fake_clock import START_MS

LONG_POSITION = Reduction(
    account="main",
    product="linear",
    symbol="BTC/USDT:USDT",
    venue_symbol="BTCUSDT",
    leg=Leg.BOTH,
    side=Side.SELL,
    quantity=Decimal("0.5"),
    limit_price=Decimal(59000),
    client_order_id="rsc-1a",
    protection=Protection.REDUCE_ONLY,
    holding=Decimal(2),
    read_at_ms=START_MS,
)
SHORT_POSITION = replace(
    LONG_POSITION, side=Side.BUY, holding=Decimal(-2), limit_price=Decimal(61000)
)
LONG_LEG = replace(LONG_POSITION, leg=Leg.LONG, protection=Protection.HEDGE_LEG)
SHORT_LEG = replace(SHORT_POSITION, leg=Leg.SHORT, protection=Protection.HEDGE_LEG)
SPOT_HOLDING = replace(
    LONG_POSITION, product="spot", symbol="BTC/USDT", protection=Protection.FREE_BALANCE
)
CONTRACTS = replace(
    LONG_POSITION,
    product="inverse",
    symbol="BTC/USD:BTC",
    venue_symbol="BTCUSD_PERP",
    quantity=Decimal(3),
    holding=Decimal(20),
)
SHORT_CONTRACTS = replace(
    CONTRACTS,
    side=Side.BUY,
    holding=Decimal(-20),
    limit_price=Decimal(61000),
    leg=Leg.SHORT,
    protection=Protection.HEDGE_LEG,
)
EVERY = {
    "long": LONG_POSITION,
    "short": SHORT_POSITION,
    "long leg": LONG_LEG,
    "short leg": SHORT_LEG,
    "spot": SPOT_HOLDING,
    "contracts": CONTRACTS,
    "short contracts": SHORT_CONTRACTS,
}
