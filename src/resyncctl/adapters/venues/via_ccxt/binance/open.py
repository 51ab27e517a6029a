"""Build a Binance account from the options: manifest, connection, clock, instruments."""

from resyncctl.adapters.venues.via_ccxt.binance.abilities import BinanceAbilities
from resyncctl.adapters.venues.via_ccxt.binance.coinm_market import INVERSE_SOURCE
from resyncctl.adapters.venues.via_ccxt.binance.desk import SECOND_READ_AFTER_MS, Desk
from resyncctl.adapters.venues.via_ccxt.binance.endpoints import classify
from resyncctl.adapters.venues.via_ccxt.binance.market import SOURCES
from resyncctl.adapters.venues.via_ccxt.binance.shapes import shape
from resyncctl.adapters.venues.via_ccxt.binance.venue import (
    SCOPES,
    UNASKED,
    BinanceVenue,
)
from resyncctl.adapters.venues.via_ccxt.classify import worth_a_second_read
from resyncctl.adapters.venues.via_ccxt.clock import VenueClock
from resyncctl.adapters.venues.via_ccxt.connect import Connection, ConnectionPlan, connect
from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.horizons import (
    BINANCE_MS,
    BINANCE_SOURCE,
    SET_BY_HAND,
)
from resyncctl.adapters.venues.via_ccxt.markets import Market, Markets, market_from_ccxt
from resyncctl.adapters.venues.via_ccxt.options import VenueOptions
from resyncctl.adapters.venues.via_ccxt.transport import Attempt, watching
from resyncctl.core.errors import ConfigurationError
from resyncctl.core.model import Scope

_TIMES = {
    "spot": "publicGetTime",
    "linear": "fapiPublicGetTime",
    "inverse": "dapiPublicGetTime",
}


def open_binance(options: VenueOptions, egress: Egress) -> BinanceVenue:
    """Return the account, connected to nothing yet.

    Raises:
        ConfigurationError: A scope is not one that Binance has.
    """
    scopes = _manifest(options)
    products = tuple(dict.fromkeys(scope.product for scope in scopes))
    connection = connect(
        ConnectionPlan(
            venue=options.venue,
            secrets=options.secrets,
            egress=egress,
            clock=VenueClock(options.clock),
            classify=classify,
            shape=shape,
            options={
                "recvWindow": options.request_validity_ms,
                "fetchCurrencies": False,
                "fetchMargins": False,
                "adjustForTimeDifference": False,
            },
            practice=options.practice,
            testnet=options.mode == "testnet",
            session_factory=options.session_factory,
            may_use_reserve=options.may_use_reserve,
            timeout_ms=options.request_timeout_ms,
            account=options.account,
        )
    )
    desk = Desk(
        account=options.account,
        venue=options.venue,
        connection=connection,
        markets=_markets(options, connection, products),
        clock=options.clock,
        time_method=_TIMES[products[0]],
    )
    return BinanceVenue(
        desk=desk,
        scopes=scopes,
        request_validity_ms=options.request_validity_ms,
        staleness_horizon_ms=options.staleness_horizon_ms or BINANCE_MS,
        horizon_source=SET_BY_HAND if options.staleness_horizon_ms else BINANCE_SOURCE,
    )


def abilities_of(account: BinanceVenue) -> BinanceAbilities:
    """Return what the account can do besides reading and cancelling."""
    products = tuple(dict.fromkeys(scope.product for scope in account.scopes))
    return BinanceAbilities(account.desk, products, {**SOURCES, "inverse": INVERSE_SOURCE})


def _manifest(options: VenueOptions) -> tuple[Scope, ...]:
    """Return every scope of the products that were asked for.

    Asking for a product means all of its order classes: regular and conditional orders of futures
    rest in two places, and nobody may forget one of them.
    """
    every = SCOPES[options.venue]
    for scope in options.scopes:
        if scope not in every:
            raise ConfigurationError(
                f"account {options.account}: {options.venue} has no scope {scope}",
                hint=f"it has {', '.join(str(known) for known in every)}",
            )
    wanted = {scope.product for scope in options.scopes or UNASKED.get(options.venue, every)}
    return tuple(scope for scope in every if scope.product in wanted)


def _markets(options: VenueOptions, connection: Connection, products: tuple[str, ...]) -> Markets:
    async def fetch(product: str) -> list[Market] | None:
        found, attempts = await _ask_for_markets(connection, product)
        if found is None and attempts and worth_a_second_read(attempts[-1]):
            await options.clock.sleep_ms(SECOND_READ_AFTER_MS)
            found, _ = await _ask_for_markets(connection, product)
        return found

    return Markets(
        venue=options.venue,
        products=products,
        clock=options.clock,
        fetch=fetch,
        cache_dir=options.cache_dir,
        may_fetch=options.may_load_markets,
        world=options.mode,
    )


async def _ask_for_markets(
    connection: Connection, product: str
) -> tuple[list[Market] | None, list[Attempt]]:
    """Let ccxt read and parse one product's instruments; None when that did not work."""
    exchange = connection.exchange
    exchange.options["fetchMarkets"] = {"types": [product]}
    # Permission sets are most of spot's 17 MB; USD-M refuses parameters it does not know.
    params = {"showPermissionSets": "false"} if product == "spot" else {}
    with watching() as attempts:
        try:
            rows = await exchange.fetch_markets(params)
        except Exception:  # noqa: BLE001  # ccxt's parsers raise anything; the attempt tells why
            return None, attempts
    if not attempts or not all(attempt.ok for attempt in attempts):
        return None, attempts
    return [market for row in rows if (market := market_from_ccxt(row)) is not None], attempts
