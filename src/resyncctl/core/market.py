"""What has to be known about an instrument before anything is reduced: its rules and its book."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentRules:
    """What the exchange demands of an order on one instrument.

    Quantities are in base units; for an inverse instrument they are in contracts, each worth
    `contract_value` of the quote asset, because no other unit is exact there. `quantity_max` is the
    largest quantity of one order. `notional_min_applies_to_reducing` says whether a reducing order
    may be smaller than `notional_min`. `trading` is False when the exchange takes no orders now,
    and `status` is its own word for that. `price_band` bounds limit prices around the market, as a
    ratio, where the exchange tells one.
    """

    product: str
    symbol: str
    venue_symbol: str
    base: str
    quote: str
    quantity_step: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    price_tick: Decimal
    notional_min: Decimal = Decimal(0)
    notional_min_applies_to_reducing: bool = True
    inverse: bool = False
    contract_value: Decimal = Decimal(1)
    trading: bool = True
    status: str = ""
    price_band: Decimal | None = None

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return what a quantity is worth in the quote asset."""
        return quantity * self.contract_value if self.inverse else quantity * price


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBook:
    """The best levels, the best first: (price, quantity). An empty side means that nobody bids."""

    product: str
    symbol: str
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    as_of_ms: int
