"""What an account gives whose profile can neither reduce, nor read a book, nor arm a countdown.

Promises: every answer says so in words and nothing is sent; an unknown market is `Unknown`, never
an empty book. Called by `open_venue` for profiles without these abilities.
"""

from dataclasses import dataclass

from resyncctl.core.market import InstrumentRules, OrderBook
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.core.reduction import Reduction
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.powers import DeadManSwitch, SwitchAbility, VenueReduce
from resyncctl.ports.views import MarketView


@dataclass(frozen=True, slots=True)
class NoReduction:
    """Implements `VenueReduce`, `MarketView` and `DeadManSwitch` by saying no."""

    venue: str

    def why_not(self, product: str) -> str | None:
        """Return why nothing can be reduced here."""
        return (
            f"holdings of {product} cannot be reduced at {self.venue} by this version, which can"
            " prove orders of Binance only; close them at the exchange itself"
        )

    async def reduce(self, reduction: Reduction, permit: Permit) -> MutationOutcome:  # noqa: ARG002  # the port's signature
        """Refuse."""
        return _refused(self.why_not(reduction.product) or "")

    async def read_rules(self, product: str, symbol: str) -> InstrumentRules | Unknown:  # noqa: ARG002  # the port's signature
        """Say that the rules are not known."""
        return Unknown(f"the rules of {symbol} cannot be read at {self.venue} by this version")

    async def read_book(self, product: str, symbol: str) -> OrderBook | Unknown:  # noqa: ARG002  # the port's signature
        """Say that the book is not known."""
        return Unknown(f"the book of {symbol} cannot be read at {self.venue} by this version")

    def switch(self, product: str) -> SwitchAbility | None:  # noqa: ARG002  # the port's signature
        """Return that there is none."""
        return None

    async def arm(
        self,
        product: str,
        venue_symbol: str | None,  # noqa: ARG002  # the port's signature
        countdown_ms: int,  # noqa: ARG002  # the port's signature
        permit: Permit,  # noqa: ARG002  # the port's signature
    ) -> MutationOutcome:
        """Refuse."""
        return _refused(f"{self.venue} has no countdown for {product} that this version can arm")

    async def disarm(
        self,
        product: str,
        venue_symbol: str | None,  # noqa: ARG002  # the port's signature
        permit: Permit,  # noqa: ARG002  # the port's signature
    ) -> MutationOutcome:
        """Refuse."""
        return _refused(f"{self.venue} has no countdown for {product} that this version can stop")


def _refused(why: str) -> MutationOutcome:
    return MutationOutcome(kind=OutcomeKind.REJECTED, message=why, sent=False)


_reduces: type[VenueReduce] = NoReduction
_reads: type[MarketView] = NoReduction
_switches: type[DeadManSwitch] = NoReduction
