"""The only order that this program ever sends: one that is proved to reduce.

A `Reduction` cannot be built unless its own numbers prove that it makes a holding smaller: it sells
what is held or buys back what is short, and never more of it. The transport compares what is about
to leave with the reduction that the permit carries, and refuses everything else.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from resyncctl.core.errors import RefusedError
from resyncctl.core.model import Leg, Side


class Protection(StrEnum):
    """What makes it impossible for the order to increase or flip the holding.

    REDUCE_ONLY: the exchange clips the order to the position. HEDGE_LEG: the order names the leg,
    and an order on the closing side of a leg cannot open the other one. FREE_BALANCE: spot; the
    quantity is capped by a balance that was read as free just before.
    """

    REDUCE_ONLY = "reduce_only"
    HEDGE_LEG = "hedge_leg"
    FREE_BALANCE = "free_balance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """One order that reduces one holding.

    `holding` is what was read at `read_at_ms`: the signed quantity of the position leg (short legs
    are negative), or the free balance of a spot asset (positive). `limit_price` bounds the price;
    the order is always immediate-or-cancel and never rests.

    Raises:
        RefusedError: The numbers do not prove that the holding gets smaller.
    """

    account: str
    product: str
    symbol: str
    venue_symbol: str
    leg: Leg
    side: Side
    quantity: Decimal
    limit_price: Decimal
    client_order_id: str
    protection: Protection
    holding: Decimal
    read_at_ms: int

    def __post_init__(self) -> None:
        """Refuse what is not proved to reduce."""
        trouble = self._trouble()
        if trouble is not None:
            raise RefusedError(f"{self.symbol}: this order is not proved to reduce: {trouble}")

    def _trouble(self) -> str | None:
        numbers = (self.quantity, self.limit_price, self.holding)
        if not all(number.is_finite() for number in numbers):
            return "a number is not finite"
        if self.quantity <= 0 or self.limit_price <= 0:
            return "its quantity and its price must be above zero"
        if self.side is not (Side.SELL if self.holding > 0 else Side.BUY):
            return "it is on the side that would increase the holding"
        if self.quantity > abs(self.holding):
            return "it is larger than the holding"
        match self.protection:
            case Protection.REDUCE_ONLY if self.leg is not Leg.BOTH:
                return "a hedge leg is closed by naming the leg"
            case Protection.HEDGE_LEG if self.leg is not _leg_of(self.holding):
                return "its leg does not match the holding"
            case Protection.FREE_BALANCE if self.holding < 0 or self.product != "spot":
                return "a free balance is only spot, and never below zero"
            case _:
                return None


def _leg_of(holding: Decimal) -> Leg:
    return Leg.LONG if holding > 0 else Leg.SHORT
