r"""From a slice to the one order that may be sent, and its name at the exchange.

Promises: the client order id is the same for the same run, holding and round, so that a later run
can ask what became of it, and different for everything else; it fits Binance's rule
`^[\.A-Z\:/a-z0-9_-]{1,36}$` (developers.binance.com, USD-M "New Order", newClientOrderId). Pure;
called by `procedures.flatten_leg`.
"""

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from resyncctl.core.flatten_holdings import HoldingKey
from resyncctl.core.flatten_plan import Target
from resyncctl.core.flatten_slice import Slice
from resyncctl.core.model import Leg, OrderClass, Scope
from resyncctl.core.reduction import Protection, Reduction
from resyncctl.core.snapshot import OrderReference

PREFIX = "rsc-"
_DIGITS = 20


def client_order_id(run_id: str, key: HoldingKey, round_number: int) -> str:
    """Return the name of one order of one run, e.g. `rsc-1f0c...-003`."""
    text = "|".join((run_id, *key))
    return f"{PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}-{round_number:03d}"


def reduction_of(
    account: str,
    target: Target,
    piece: Slice,
    *,
    protection: Protection,
    holding: Decimal,
    read_at_ms: int,
    client_order_id: str,
) -> Reduction:
    """Return the order. Raise `RefusedError` unless its numbers prove that it reduces."""
    return Reduction(
        account=account,
        product=target.product,
        symbol=target.symbol,
        venue_symbol=target.venue_symbol,
        leg=target.leg,
        side=piece.side,
        quantity=piece.quantity,
        limit_price=piece.limit_price,
        client_order_id=client_order_id,
        protection=protection,
        holding=holding,
        read_at_ms=read_at_ms,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierReduction:
    """An order of an earlier run whose outcome that run did not write down."""

    product: str
    symbol: str
    leg: Leg
    client_order_id: str
    deadline_ms: int
    run_id: str = ""

    @property
    def key(self) -> HoldingKey:
        """The holding that the order was for."""
        return (self.product, self.symbol, self.leg.value)


def reference_for(product: str, symbol: str, client_order_id: str) -> OrderReference:
    """Return what is needed to ask for a reducing order."""
    return OrderReference(
        product=product,
        symbol=symbol,
        venue_order_id=None,
        client_order_id=client_order_id,
        scope=Scope(product, OrderClass.REGULAR),
    )
