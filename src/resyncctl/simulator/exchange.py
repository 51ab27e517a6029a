"""The practice exchange: one object that answers REST requests and tells streams what happened.

Promises: `handle` is the only way in for REST and never raises; everything is a pure function of
the requests, the control calls, the seed and the clock that was handed in; nothing here reads the
wall clock, opens a socket or sleeps.

Called by `in_process` and by the TLS server; `control` is called by tests and the control plane.
"""

from collections.abc import Callable
from typing import Any

from resyncctl.simulator.catalogue import Catalogue, build_catalogue
from resyncctl.simulator.events import Event, Listener
from resyncctl.simulator.wire import Reply, Request


class PracticeExchange:
    """A small exact venue with the Binance spot and Binance USD-M dialects.

    `prices` (module `prices`, class `PricePath(catalogue, seed)`) offers
    `mid(market, symbol, now_ms) -> Decimal` and `hold(market, symbol, price | None, now_ms)`;
    `books` (module `books`, class `Books(catalogue, prices, seed)`) offers
    `book(market, symbol, now_ms) -> Book(update_id, bids, asks)` with bids and asks as tuples of
    (price, quantity), best first, 50 levels; `exchange_info.ExchangeInfo(catalogue)` offers
    `document(market, parameters, statuses=, now_ms=) -> bytes` or raises `UnknownSymbol`.

    What the streams need beside `listen`:
    - `now_ms()`: the venue's clock (the clock that was handed in plus the skew);
    - `market_now_ms()`: the clock without the skew, on which prices and books hang (a clock step
      must not make update ids run backwards); `books`; `log`;
    - `account_of_listen_key(market, key) -> str | None`: the account label, None when gone;
    - `authorise(parameters) -> str`: checks apiKey, timestamp, recvWindow and signature of a
      WebSocket API request (parameters sorted by name) and returns the account label, or raises
      `VenueError(status, code, message)` from `venue_errors`;
    - `status_of(market, symbol)`; `prices`; `catalogue`;
    - `control.stream_faults.take(kind, where, account) -> StreamFault | None` consumes one firing;
      `where` is matched with the fault's glob, kinds: stall, gap, close_1012, listen_key_expired,
      silent_path, delayed, duplicated, server_shutdown.
    """

    def __init__(
        self, *, clock_ms: Callable[[], int], seed: int = 0, symbols: Catalogue | None = None
    ) -> None:
        self._clock_ms = clock_ms
        self._seed = seed
        self.catalogue = symbols if symbols is not None else build_catalogue(seed=seed)
        self._listeners: list[Listener] = []
        self.control: Any = None
        self.log: Any = None

    def now_ms(self) -> int:
        """Return the time on the venue's clock."""
        return self._clock_ms()

    def handle(self, request: Request) -> Reply:
        """Answer one REST request."""
        return Reply(404, {"Content-Type": "text/html"}, request.path.encode())

    def advance(self) -> None:
        """Let everything happen that the clock has made due."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell the listener about every later event; the returned function ends that."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def announce(self, event: Event) -> None:
        """Tell every listener."""
        for listener in tuple(self._listeners):
            listener(event)
