"""Open a venue that has no deep profile: connect, defuse its traps, choose its plan.

Promise: nothing is requested by opening. A venue with a plan becomes a `GenericVenue`, any other a
`UnplannedVenue` that can read and never cancels. Called by `open_venue`.
"""

from dataclasses import dataclass
from pathlib import Path

from resyncctl.adapters.venues.via_ccxt.clock import VenueClock
from resyncctl.adapters.venues.via_ccxt.connect import (
    ConnectionPlan,
    Secrets,
    SessionFactory,
    connect,
)
from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.generic import GenericOptions, GenericVenue
from resyncctl.adapters.venues.via_ccxt.generic_abilities import GenericAbilities
from resyncctl.adapters.venues.via_ccxt.generic_cache import MarketCache
from resyncctl.adapters.venues.via_ccxt.generic_endpoints import classifier_for
from resyncctl.adapters.venues.via_ccxt.generic_plans import plan_for
from resyncctl.adapters.venues.via_ccxt.generic_unplanned import UnplannedVenue
from resyncctl.adapters.venues.via_ccxt.session import PracticePlace
from resyncctl.adapters.venues.via_ccxt.traps import (
    goes_single_file,
    options_for,
    without_hidden_writes,
)
from resyncctl.core.model import Scope
from resyncctl.ports.views import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericConnection:
    """What opening a generic venue needs. `scopes` empty means every scope of its plan.

    `may_load_markets` False keeps the market table off the way to a cancel. A
    `staleness_horizon_ms` of the configuration can lengthen the plan's own, never shorten it.
    """

    venue: str
    account: str
    secrets: Secrets
    egress: Egress
    clock: Clock
    scopes: tuple[Scope, ...] = ()
    practice: PracticePlace | None = None
    testnet: bool = False
    session_factory: SessionFactory | None = None
    may_use_reserve: bool = False
    may_load_markets: bool = True
    staleness_horizon_ms: int | None = None
    cache_dir: Path | None = None
    timeout_ms: int = 10_000


def open_generic(asked: GenericConnection) -> GenericVenue | UnplannedVenue:
    """Open the venue. Needs a running event loop; sends nothing.

    Raises:
        ConfigurationError: ccxt does not know the venue, or the plan does not know a scope.
    """
    venue = asked.venue
    clock = VenueClock(asked.clock, strictly_increasing=goes_single_file(venue))
    connection = connect(
        ConnectionPlan(
            venue=venue,
            secrets=asked.secrets,
            egress=asked.egress,
            clock=clock,
            classify=classifier_for(venue),
            options=options_for(venue),
            practice=asked.practice,
            testnet=asked.testnet,
            session_factory=asked.session_factory,
            may_use_reserve=asked.may_use_reserve,
            timeout_ms=asked.timeout_ms,
            adapt=without_hidden_writes,
        )
    )
    options = GenericOptions(
        account=asked.account,
        scopes=asked.scopes,
        cancel_timeout_ms=asked.timeout_ms,
        may_load_markets=asked.may_load_markets,
        staleness_horizon_ms=asked.staleness_horizon_ms or 0,
        cache=_cache(asked),
    )
    plan = plan_for(venue)
    if plan is None:
        return UnplannedVenue(connection, venue, asked.clock, options)
    return GenericVenue(connection, plan, asked.clock, options)


def abilities_of(account: GenericVenue | UnplannedVenue) -> GenericAbilities | None:
    """Return what the account can do besides, None where nothing is known of its venue."""
    plan = plan_for(account.profile.venue)
    if plan is None or not isinstance(account, GenericVenue):
        return None
    return GenericAbilities(account, plan)


def _cache(asked: GenericConnection) -> MarketCache | None:
    """Return where the venue's market table is kept, if the configuration names a place."""
    if asked.cache_dir is None:
        return None
    world = "practice" if asked.practice else "testnet" if asked.testnet else "live"
    return MarketCache(venue=asked.venue, world=world, directory=asked.cache_dir, clock=asked.clock)
