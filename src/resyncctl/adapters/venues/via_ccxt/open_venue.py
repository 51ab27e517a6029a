"""Open one account of an exchange: the only door from the wiring to ccxt.

Promises: opening sends nothing; a venue id, a scope or a practice address that cannot work is a
`ConfigurationError` before any connection; what is opened is closed by leaving the context.
Called by `cli.wiring` and by tests.
"""

from types import TracebackType
from typing import Self

from resyncctl.adapters.venues.via_ccxt.connect import Secrets
from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.loader import check_venue
from resyncctl.adapters.venues.via_ccxt.no_reduction import NoReduction
from resyncctl.adapters.venues.via_ccxt.options import Abilities, Account, VenueOptions
from resyncctl.adapters.venues.via_ccxt.session import PracticePlace
from resyncctl.core.errors import ConfigurationError
from resyncctl.ports.powers import DeadManSwitch, VenueCancel, VenueReduce
from resyncctl.ports.views import MarketView, VenueView

__all__ = ["PracticePlace", "Secrets", "Venue", "VenueOptions", "open_venue"]

DEEP = frozenset({"binance", "binanceusdm", "binancecoinm"})


class Venue:
    """One opened account: what may be read, and each power by its name."""

    def __init__(self, account: Account, abilities: Abilities | None = None) -> None:
        self._account = account
        self._abilities: Abilities = abilities or NoReduction(account.profile.venue)

    @property
    def view(self) -> VenueView:
        """The ability to read."""
        return self._account

    @property
    def cancel(self) -> VenueCancel:
        """The power to cancel."""
        return self._account

    @property
    def market(self) -> MarketView:
        """Reading instruments and books."""
        return self._abilities

    @property
    def reduce(self) -> VenueReduce:
        """The power to reduce."""
        return self._abilities

    @property
    def switch(self) -> DeadManSwitch:
        """The power over the exchange's countdown."""
        return self._abilities

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        await self._account.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


_shared: dict[tuple[str, int], Egress] = {}


def open_venue(options: VenueOptions) -> Venue:
    """Open the account. Needs a running event loop; sends nothing.

    Raises:
        ConfigurationError: The venue, a scope, or the practice exchange's place cannot be used.
    """
    check_venue(options.venue)
    half_practice = (options.mode == "practice") != (options.practice is not None)
    if half_practice and options.session_factory is None:
        raise ConfigurationError(
            f"account {options.account}: practice mode needs the practice exchange's address,"
            " and no other mode may have one",
            hint="set mode and practice together",
        )
    egress = options.egress or _egress_for(options)
    egress.on_wait = options.on_wait or egress.on_wait
    if options.venue in DEEP:
        from resyncctl.adapters.venues.via_ccxt.binance.open import abilities_of, open_binance

        account = open_binance(options, egress)
        return Venue(account, abilities_of(account))
    return _open_generic(options, egress)


def _open_generic(options: VenueOptions, egress: Egress) -> Venue:
    from resyncctl.adapters.venues.via_ccxt.generic_open import (
        GenericConnection,
        abilities_of,
        open_generic,
    )

    account = open_generic(
        GenericConnection(
            venue=options.venue,
            account=options.account,
            secrets=options.secrets,
            egress=egress,
            clock=options.clock,
            scopes=tuple(options.scopes),
            practice=options.practice,
            testnet=options.mode == "testnet",
            session_factory=options.session_factory,
            cache_dir=options.cache_dir,
            may_load_markets=options.may_load_markets,
            may_use_reserve=options.may_use_reserve,
            staleness_horizon_ms=options.staleness_horizon_ms,
            timeout_ms=options.request_timeout_ms,
        )
    )
    return Venue(account, abilities_of(account))


def _egress_for(options: VenueOptions) -> Egress:
    """Return the way out that everything in this process shares; a test session has its own."""
    if options.session_factory is not None:
        return Egress(options.clock)
    place = options.practice
    where = f"{place.host}:{place.port}" if place else options.mode
    return _shared.setdefault((where, id(options.clock)), Egress(options.clock))
