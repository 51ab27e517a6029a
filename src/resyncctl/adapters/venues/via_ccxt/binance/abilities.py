"""What a Binance account can do besides reading and cancelling: reduce, tell prices, count down.

Implements `VenueReduce`, `MarketView` and `DeadManSwitch`. Promises: nothing raises for what the
exchange does; a product outside of the account's manifest can be neither reduced nor armed.
Called by `open_venue`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from resyncctl.adapters.venues.via_ccxt.binance import market, switch
from resyncctl.adapters.venues.via_ccxt.binance.desk import Desk
from resyncctl.adapters.venues.via_ccxt.binance.market import Source
from resyncctl.adapters.venues.via_ccxt.binance.reduce import METHODS, reduce
from resyncctl.core.market import InstrumentRules, OrderBook
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.core.reduction import Reduction
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.powers import DeadManSwitch, SwitchAbility, VenueReduce
from resyncctl.ports.views import MarketView


@dataclass(slots=True)
class BinanceAbilities:
    """The abilities of one account. `products` are those of its manifest."""

    desk: Desk
    products: tuple[str, ...]
    sources: Mapping[str, Source]

    def why_not(self, product: str) -> str | None:
        """Return why holdings of this product cannot be reduced here, None when they can."""
        if product not in self.products:
            return f"{product} is not in the scopes of {self.desk.account}"
        if product not in METHODS:
            return f"holdings of {product} cannot be reduced at {self.desk.venue} by this version"
        return None

    async def reduce(self, reduction: Reduction, permit: Permit) -> MutationOutcome:
        """Send one reducing order, immediate-or-cancel. Never raises, never repeats."""
        trouble = self.why_not(reduction.product)
        if trouble is not None:
            return _not_sent(trouble)
        return await reduce(self.desk, reduction, permit)

    async def read_rules(self, product: str, symbol: str) -> InstrumentRules | Unknown:
        """Return what the exchange demands of an order on the unified symbol, fetched now."""
        return await market.read_rules(self.desk, self.sources, product, symbol)

    async def read_book(self, product: str, symbol: str) -> OrderBook | Unknown:
        """Return the best levels of the book of the unified symbol, fetched now."""
        return await market.read_book(self.desk, self.sources, product, symbol)

    def switch(self, product: str) -> SwitchAbility | None:
        """Return what the countdown of a product can do, None when there is none."""
        return switch.ability(product) if product in self.products else None

    async def arm(
        self, product: str, venue_symbol: str | None, countdown_ms: int, permit: Permit
    ) -> MutationOutcome:
        """Start or refresh the countdown of a symbol. Never raises."""
        if countdown_ms <= 0 or product not in self.products:
            return _not_sent(f"there is no countdown to start for {product}")
        return await switch.set_countdown(self.desk, product, venue_symbol, countdown_ms, permit)

    async def disarm(
        self, product: str, venue_symbol: str | None, permit: Permit
    ) -> MutationOutcome:
        """Stop the countdown of a symbol. Never raises."""
        return await switch.set_countdown(self.desk, product, venue_symbol, 0, permit)


def _not_sent(why: str) -> MutationOutcome:
    return MutationOutcome(kind=OutcomeKind.REJECTED, message=why, sent=False)


_reduces: type[VenueReduce] = BinanceAbilities
_reads: type[MarketView] = BinanceAbilities
_switches: type[DeadManSwitch] = BinanceAbilities
