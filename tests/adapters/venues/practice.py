"""A Binance account on the in-process practice exchange, opened through the product's own door."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.open_venue import Secrets, Venue, VenueOptions, open_venue
from resyncctl.core.model import OrderClass, Scope
from resyncctl.core.mutation import Permit
from resyncctl.core.reduction import Reduction
from resyncctl.ports.powers import VenueCancel
from resyncctl.ports.views import VenueView
from resyncctl.simulator.exchange import PracticeExchange
from resyncctl.simulator.in_process import InProcessSession
from tests.fakes.fake_clock import FakeClock

SPOT = Scope("spot")
LINEAR = Scope("linear")
ALGO = Scope("linear", OrderClass.ALGO)
INVERSE = Scope("inverse")
INVERSE_ALGO = Scope("inverse", OrderClass.ALGO)
KEY = "canaryKey".ljust(64, "K")
SECRET = "canarySecret".ljust(64, "S")
_numbers: Iterator[int] = itertools.count(1)


@dataclass
class Practice:
    """The exchange, the account, and the way to both."""

    exchange: PracticeExchange
    clock: FakeClock
    venue: Venue
    egress: Egress
    permits: list[Permit] = field(default_factory=list)

    @property
    def view(self) -> VenueView:
        return self.venue.view

    @property
    def cancel(self) -> VenueCancel:
        return self.venue.cancel

    @property
    def control(self) -> Any:
        return self.exchange.control

    def permit(self, reduces: Reduction | None = None) -> Permit:
        """Return a permit that no other test used, valid for five seconds."""
        made = Permit(f"intent-{next(_numbers)}", self.clock.now_ms() + 5_000, 1, reduces)
        self.permits.append(made)
        return made

    def spot_order(self, **wish: Any) -> Any:
        base = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "price": "20000"}
        return self.control.seed_order("main", market="spot", **(base | wish))

    def linear_order(self, **wish: Any) -> Any:
        base = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "price": "20000"}
        return self.control.seed_order("main", market="usdm", **(base | wish))

    def algo_order(self, **wish: Any) -> Any:
        base = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "type": "STOP_MARKET"}
        return self.control.seed_order(
            "main", market="usdm", **(base | {"stop_price": "15000", "reduce_only": True} | wish)
        )

    def inverse_order(self, **wish: Any) -> Any:
        base = {"symbol": "BTCUSD_PERP", "side": "BUY", "quantity": "7", "price": "20000"}
        return self.control.seed_order("main", market="coinm", **(base | wish))

    def inverse_algo(self, **wish: Any) -> Any:
        base = {"symbol": "BTCUSD_PERP", "side": "SELL", "quantity": "7", "type": "STOP_MARKET"}
        return self.control.seed_order(
            "main", market="coinm", **(base | {"stop_price": "15000", "reduce_only": True} | wish)
        )

    def asked(self, kind: str = "") -> list[Any]:
        """Return the rows of the request log, of one kind when it is named."""
        return [row for row in self.exchange.log if kind in ("", row.kind)]


def open_practice(
    *,
    venue: str = "binance",
    scopes: Sequence[Scope] = (),
    exchange: PracticeExchange | None = None,
    clock: FakeClock | None = None,
    secret: str = SECRET,
    cache_dir: Path | None = None,
    may_load_markets: bool = True,
) -> Practice:
    """Open the account `main`, which owns dollars in both wallets and a few coins."""
    held = clock or FakeClock()
    place = exchange or PracticeExchange(clock_ms=held.now_ms, seed=7)
    if "main" not in place.control.accounts():
        place.control.hold_all_prices()
        place.control.add_account("main", api_key=KEY, secret=SECRET)
        place.control.deposit("main", "USDT", "1000000")
        place.control.deposit("main", "BTC", "10")
        place.control.deposit("main", "USDT", "1000000", market="usdm")
        if venue == "binancecoinm" or any(scope.product == "inverse" for scope in scopes):
            place.control.deposit("main", "BTC", "100", market="coinm")
            place.control.deposit("main", "ETH", "1000", market="coinm")
    egress = Egress(held)
    opened = open_venue(
        VenueOptions(
            account="main",
            venue=venue,
            secrets=Secrets(api_key=KEY, secret=secret),
            clock=held,
            scopes=scopes,
            mode="practice",
            session_factory=lambda: InProcessSession(place),
            egress=egress,
            cache_dir=cache_dir,
            may_load_markets=may_load_markets,
        )
    )
    return Practice(place, held, opened, egress)
