"""A Binance account as the procedures see it: `VenueView` and `VenueCancel`.

Promises: every read answers `Unknown` with a reason instead of raising, except the first contacts,
which raise typed errors; a scope that this profile does not know is `Unknown`, never empty.
Called by `open_venue`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from resyncctl.adapters.venues.via_ccxt.binance import cancels, futures, spot
from resyncctl.adapters.venues.via_ccxt.binance.coinm import COINM
from resyncctl.adapters.venues.via_ccxt.binance.desk import Desk, Unreadable, section
from resyncctl.adapters.venues.via_ccxt.binance.reduce import METHODS as REDUCE_METHODS
from resyncctl.adapters.venues.via_ccxt.binance.switch import METHODS as SWITCH_METHODS
from resyncctl.adapters.venues.via_ccxt.binance.usdm import USDM
from resyncctl.adapters.venues.via_ccxt.classify import first_contact_error
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed
from resyncctl.adapters.venues.via_ccxt.horizons import BINANCE_MS, BINANCE_SOURCE
from resyncctl.core.model import (
    Balance,
    Fill,
    LedgerEntry,
    Order,
    OrderClass,
    Position,
    Scope,
)
from resyncctl.core.mutation import MutationOutcome, Permit
from resyncctl.core.snapshot import Known, LookUp, OrderReference, Section, Unknown, Window
from resyncctl.ports.powers import CancelAbilities
from resyncctl.ports.views import ClockReading, VenueProfile

SPOT = Scope("spot")
LINEAR = Scope("linear")
LINEAR_ALGO = Scope("linear", OrderClass.ALGO)
INVERSE = Scope("inverse")
INVERSE_ALGO = Scope("inverse", OrderClass.ALGO)
SCOPES = {
    "binance": (SPOT, LINEAR, LINEAR_ALGO, INVERSE, INVERSE_ALGO),
    "binanceusdm": (LINEAR, LINEAR_ALGO),
    "binancecoinm": (INVERSE, INVERSE_ALGO),
}
"""Every scope that each venue has."""
UNASKED = {"binance": (SPOT, LINEAR, LINEAR_ALGO)}
"""The scopes of an account that names none, where that is not all of them: COIN-M is asked for by
name, because most keys have no right to it and one refused product makes a verdict unknown."""

FUTURES = {dialect.product: dialect for dialect in (USDM, COINM)}

PARALLEL_CANCELS = 8


@dataclass(slots=True)
class BinanceVenue:
    """One account. `scopes` is its manifest."""

    desk: Desk
    scopes: tuple[Scope, ...]
    request_validity_ms: int
    staleness_horizon_ms: int = BINANCE_MS
    horizon_source: str = BINANCE_SOURCE

    @property
    def account(self) -> str:
        """The account's name in the configuration."""
        return self.desk.account

    @property
    def profile(self) -> VenueProfile:
        """What this profile promises."""
        products = tuple(dict.fromkeys(scope.product for scope in self.scopes))
        return VenueProfile(
            venue=self.desk.venue,
            scopes=self.scopes,
            staleness_horizon_ms=self.staleness_horizon_ms,
            request_validity_ms=self.request_validity_ms,
            deep=True,
            horizon_source=self.horizon_source,
            reduces=tuple(name for name in products if name in REDUCE_METHODS),
            switches=tuple(name for name in products if name in SWITCH_METHODS),
        )

    async def measure_clock(self) -> ClockReading | Unknown:
        """Measure the exchange's clock; the first request of a run.

        Raises:
            VenueUnavailableError: Nothing answers at the exchange's name.
            TryAgainLaterError: The exchange asks for patience.
        """
        return await self.desk.measure_at_first_contact()

    async def read_identity(self, product: str) -> Section[str]:
        """Return words that prove whose account this is.

        Raises:
            CredentialsRefusedError: The exchange refused the key.
            VenueUnavailableError: Nothing answers at the exchange's name.
            TryAgainLaterError: The exchange asks for patience.
        """
        if product != "spot" and product not in FUTURES:
            return _not_a_product(product)
        try:
            if product == "spot":
                return await spot.read_identity(self.desk)
            return await futures.read_identity(self.desk, FUTURES[product])
        except Unreadable as error:
            typed = None
            if error.attempt is not None:
                typed = first_contact_error(self.desk.venue, error.attempt)
            if typed is not None:
                raise typed from None
            return Unknown(error.reason)
        except Malformed as error:
            return Unknown(f"the identity could not be understood: {error.reason}")

    async def read_open_orders(self, scope: Scope) -> Section[Order]:
        """List every order that rests in the scope, all symbols."""
        if scope == SPOT:
            return await section(spot.read_open_orders(self.desk))
        if scope.product in FUTURES:
            dialect = FUTURES[scope.product]
            return await section(futures.read_open_orders(self.desk, dialect, scope))
        return Unknown(f"Binance keeps no orders in {scope}")

    async def read_fills(
        self, product: str, window: Window, symbols: Sequence[str]
    ) -> Section[Fill]:
        """List the fills of the window."""
        if product == "spot":
            return await section(spot.read_fills(self.desk, window, symbols))
        if product in FUTURES:
            dialect = FUTURES[product]
            return await section(futures.read_fills(self.desk, dialect, window, symbols))
        return _not_a_product(product)

    async def read_positions(self, product: str) -> Section[Position]:
        """List every leg that is not flat; a spot account has none."""
        if product == "spot":
            return Known((), self.desk.clock.now_ms())
        if product in FUTURES:
            return await section(futures.read_positions(self.desk, FUTURES[product]))
        return _not_a_product(product)

    async def read_position_mode(self, product: str) -> str | Unknown | None:
        """Return `one_way` or `hedge`, None for spot."""
        if product == "spot":
            return None
        if product in FUTURES:
            return await futures.read_position_mode(self.desk, FUTURES[product])
        return _not_a_product(product)

    async def read_balances(self, product: str) -> Section[Balance]:
        """List every balance that is not zero."""
        if product == "spot":
            return await section(spot.read_balances(self.desk))
        if product in FUTURES:
            return await section(futures.read_balances(self.desk, FUTURES[product]))
        return _not_a_product(product)

    async def read_ledger(self, product: str, window: Window) -> Section[LedgerEntry]:
        """List what was booked in the window besides fills."""
        if product == "spot":
            return await section(spot.read_ledger(self.desk, window))
        if product in FUTURES:
            return await section(futures.read_ledger(self.desk, FUTURES[product], window))
        return _not_a_product(product)

    async def look_up_order(self, reference: OrderReference) -> LookUp:
        """Ask for one order, whatever its status."""
        product = reference.product
        if product != "spot" and product not in FUTURES:
            return _not_a_product(product)
        try:
            if product == "spot":
                return await spot.look_up(self.desk, reference)
            return await futures.look_up(self.desk, FUTURES[product], reference)
        except (Unreadable, Malformed) as error:
            return Unknown(error.reason)

    def weight_used(self) -> int | None:
        """Return the largest request weight that a host reported in this run."""
        egress = self.desk.connection.egress
        told = [record.weight_used for record in egress.records if record.weight_used is not None]
        return told[-1] if told else None

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        await self.desk.connection.close()

    def abilities(self, scope: Scope) -> CancelAbilities:
        """Return how this scope can be cancelled."""
        known = scope in self.scopes
        return CancelAbilities(by_symbol=known, single=known, parallel=PARALLEL_CANCELS)

    async def cancel_order(self, order: Order, permit: Permit) -> MutationOutcome:
        """Cancel one order. Never raises for what the exchange does."""
        return await cancels.cancel_order(self.desk, order, permit)

    async def cancel_symbol(
        self, scope: Scope, symbol: str, venue_symbol: str, permit: Permit
    ) -> MutationOutcome:
        """Cancel every order of the scope on one symbol, protective ones too."""
        return await cancels.cancel_symbol(self.desk, scope, venue_symbol or symbol, permit)


def _not_a_product(product: str) -> Unknown:
    return Unknown(f"this profile of Binance does not read the product {product}")
