"""What an account of a generic venue can do besides reading and cancelling: count down.

Nothing is reduced here and no book is read: `NoReduction` says so in words. Promises: the countdown
of a venue is one for all of its symbols; a product that it does not cover has none.
Called by `open_venue`.
"""

from dataclasses import dataclass

from resyncctl.adapters.venues.via_ccxt.generic import GenericVenue
from resyncctl.adapters.venues.via_ccxt.generic_plan import VenuePlan
from resyncctl.adapters.venues.via_ccxt.no_reduction import NoReduction
from resyncctl.core.market import InstrumentRules, OrderBook
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.core.reduction import Reduction
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.powers import DeadManSwitch, SwitchAbility, VenueReduce
from resyncctl.ports.views import MarketView


@dataclass(slots=True)
class GenericAbilities:
    """The abilities of one account with a plan."""

    account: GenericVenue
    plan: VenuePlan

    @property
    def _without(self) -> NoReduction:
        return NoReduction(self.plan.venue)

    def why_not(self, product: str) -> str | None:
        """Return why nothing can be reduced here."""
        return self._without.why_not(product)

    async def reduce(self, reduction: Reduction, permit: Permit) -> MutationOutcome:
        """Refuse."""
        return await self._without.reduce(reduction, permit)

    async def read_rules(self, product: str, symbol: str) -> InstrumentRules | Unknown:
        """Say that the rules are not known."""
        return await self._without.read_rules(product, symbol)

    async def read_book(self, product: str, symbol: str) -> OrderBook | Unknown:
        """Say that the book is not known."""
        return await self._without.read_book(product, symbol)

    def switch(self, product: str) -> SwitchAbility | None:
        """Return what the countdown can do, None when it does not cover the product."""
        recipe = self.plan.countdown
        if recipe is None or product not in self.account.profile.switches:
            return None
        return SwitchAbility(
            per_symbol=False,
            countdown_min_ms=recipe.shortest_ms,
            countdown_max_ms=recipe.longest_ms,
            covers=recipe.covers,
            takes_protective=recipe.takes_protective,
            lands_within_ms=self.plan.request_validity_ms,
        )

    async def arm(
        self, product: str, venue_symbol: str | None, countdown_ms: int, permit: Permit
    ) -> MutationOutcome:
        """Start or refresh the account's countdown. Never raises."""
        if countdown_ms <= 0 or venue_symbol is not None or self.switch(product) is None:
            return _refused(f"{self.plan.venue} has no countdown to start for {product}")
        return await self.account.set_countdown(countdown_ms, permit)

    async def disarm(
        self, product: str, venue_symbol: str | None, permit: Permit
    ) -> MutationOutcome:
        """Stop the account's countdown. Never raises."""
        if venue_symbol is not None or self.switch(product) is None:
            return _refused(f"{self.plan.venue} has no countdown to stop for {product}")
        return await self.account.set_countdown(0, permit)


def _refused(why: str) -> MutationOutcome:
    return MutationOutcome(kind=OutcomeKind.REJECTED, message=why, sent=False)


_reduces: type[VenueReduce] = GenericAbilities
_reads: type[MarketView] = GenericAbilities
_switches: type[DeadManSwitch] = GenericAbilities
