"""The practice exchange: one object that answers REST requests and tells streams what happened.

Promises: `handle` is the only way in for REST and never raises; everything is a pure function of
the requests, the control calls, the seed and the clock that was handed in; nothing here reads the
wall clock, opens a socket or sleeps.

Called by `in_process` and by the TLS server; `control` is called by tests and the control plane.
"""

from collections.abc import Callable, Mapping
from decimal import localcontext
from typing import Any

from resyncctl.simulator import algo, matching, signatures
from resyncctl.simulator.agenda import Act
from resyncctl.simulator.attempt import answer_of
from resyncctl.simulator.books import Books
from resyncctl.simulator.catalogue import Catalogue, build_catalogue
from resyncctl.simulator.control import Control
from resyncctl.simulator.events import Listener, Market
from resyncctl.simulator.exchange_info import ExchangeInfo
from resyncctl.simulator.faults import FaultBoard
from resyncctl.simulator.limits import Limits
from resyncctl.simulator.numbers import VENUE_CONTEXT
from resyncctl.simulator.pipeline import Pipeline
from resyncctl.simulator.prices import PricePath
from resyncctl.simulator.replicas import Lags
from resyncctl.simulator.request_log import RequestLog
from resyncctl.simulator.seeding import market_of
from resyncctl.simulator.venue_errors import VenueError, no_such_key
from resyncctl.simulator.wire import Reply, Request
from resyncctl.simulator.world import World


class PracticeExchange:
    """A small exact venue with the Binance spot, USD-M and COIN-M dialects.

    What the streams need beside `listen`: `now_ms()` (the venue's clock: the clock that was handed
    in plus the skew), `market_now_ms()` (without the skew), `account_of_listen_key`, `authorise`,
    `status_of`, `prices`, `books`, `catalogue`, and `control.stream_faults.take(kind, where,
    account)`, which consumes one firing; `where` is matched with the fault's glob. Kinds: stall,
    gap, close_1012, listen_key_expired, silent_path, delayed, duplicated, server_shutdown.
    """

    def __init__(
        self, *, clock_ms: Callable[[], int], seed: int = 0, symbols: Catalogue | None = None
    ) -> None:
        catalogue = symbols if symbols is not None else build_catalogue(seed=seed)
        prices = PricePath(catalogue, seed)
        self.world = World(
            clock_ms=clock_ms,
            catalogue=catalogue,
            prices=prices,
            books=Books(catalogue, prices, seed),
            documents=ExchangeInfo(catalogue),
            seed=seed,
        )
        self.log = RequestLog()
        self.faults = FaultBoard()
        self._limits = Limits()
        lags = Lags()
        self._pipeline = Pipeline(self.world, self._limits, lags, self.faults, self.log, self._act)
        self.control = Control(
            self.world,
            limits=self._limits,
            lags=lags,
            board=self.faults,
            latencies=self._pipeline.latencies,
            advance=self.advance,
        )

    @property
    def catalogue(self) -> Catalogue:
        """The symbols that are listed."""
        return self.world.catalogue

    @property
    def prices(self) -> PricePath:
        """The price path."""
        return self.world.prices

    @property
    def books(self) -> Books:
        """The synthetic books."""
        return self.world.books

    def now_ms(self) -> int:
        """Return the time on the venue's clock."""
        return self.world.now_ms()

    def market_now_ms(self) -> int:
        """Return the time without the skew, on which prices and books hang."""
        return self.world.clock_now_ms()

    def status_of(self, market: Market, symbol: str) -> str:
        """Return a symbol's status. Raise VenueError -1121 when it is not listed."""
        return self.world.status_of(market, symbol)

    def handle(self, request: Request) -> Reply:
        """Answer one REST request."""
        with localcontext(VENUE_CONTEXT):
            try:
                self.advance()
                return self._pipeline.serve(request)
            except VenueError as error:
                answer = answer_of(error)
                return Reply(answer.status, {}, answer.rendered())
            except Exception as error:  # noqa: BLE001  # a venue answers 500, it does not unwind
                self.control.defects.append(f"{request.method} {request.path}: {error!r}")
                return Reply(500, {"Content-Type": "text/plain"}, b"practice exchange defect")

    def advance(self) -> None:
        """Let everything happen that the clock has made due, in the order of the times."""
        world = self.world
        with localcontext(VENUE_CONTEXT):
            if world.acting_ms is None:
                now_ms = world.clock_ms()
                try:
                    while (due := world.agenda.due(now_ms)) is not None:
                        world.acting_ms, act = due
                        self._run(act)
                finally:
                    world.acting_ms = None
                symbols = world.unswept()
                matching.sweep(world, symbols)
                algo.sweep(world, symbols)

    def _run(self, act: Act) -> None:
        """Run a booked act; one that cannot be done is a note, not the next client's problem."""
        try:
            act()
        except Exception as error:  # noqa: BLE001  # whatever it is, time must go on
            self.control.defects.append(f"booked act: {error!r}")

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell the listener about every later event; the returned function ends that."""
        self.world.listeners.append(listener)

        def stop() -> None:
            if listener in self.world.listeners:
                self.world.listeners.remove(listener)

        return stop

    def account_of_listen_key(self, market: str, key: str) -> str | None:
        """Return the label of the account whose live listen key this is, else None."""
        for account in self.world.ledger.accounts.values():
            if key and self.world.live_listen_key(account, market_of(market)) == key:
                return account.label
        return None

    def authorise(self, parameters: Mapping[str, str]) -> str:
        """Check a signed WebSocket API request and return the account's label.

        The signature covers every other parameter, sorted by name. Raise VenueError.
        """
        given = {name: str(value) for name, value in parameters.items()}
        key = self.world.ledger.keys.get(given.get("apiKey", ""))
        if key is None or key.revoked or "READ" not in key.permissions:
            raise no_such_key()
        text = "&".join(f"{name}={given[name]}" for name in sorted(given) if name != "signature")
        signatures.check_time(given, self.now_ms())
        signatures.check_signature(given, text, key)
        return key.account

    def _act(self, method: str, arguments: Mapping[str, Any]) -> Any:
        return self.control.call(method, arguments)
