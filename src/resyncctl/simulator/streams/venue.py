"""What the streams need from the exchange: its clock, its books, its events and its faults.

Promises: Protocols only. `PracticeExchange` satisfies `Venue`; tests of the streams may hand in a
smaller one.

Called by every module of `streams`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from resyncctl.simulator.books import Books
from resyncctl.simulator.catalogue import Catalogue, Market
from resyncctl.simulator.events import Listener


class StreamFault(Protocol):
    """One fault that fires now, with its parameters."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What the one who injected it asked for, such as `duration_ms`."""


class StreamFaults(Protocol):
    """The faults that wait for the streams."""

    def take(self, kind: str, where: str, account: str) -> StreamFault | None:
        """Use up one firing of a waiting fault of that kind at that place, if there is one."""


class StreamControl(Protocol):
    """The part of the control plane that the streams read."""

    @property
    def stream_faults(self) -> StreamFaults:
        """The faults that wait for the streams."""


class Venue(Protocol):
    """The exchange, as the streams see it."""

    @property
    def catalogue(self) -> Catalogue:
        """The listed symbols."""

    @property
    def books(self) -> Books:
        """The synthetic order books."""

    @property
    def control(self) -> StreamControl:
        """The control plane."""

    def now_ms(self) -> int:
        """The time on the venue's clock, skew included."""

    def market_now_ms(self) -> int:
        """The time on which prices and books hang: the skew must not turn update ids back."""

    def advance(self) -> None:
        """Let everything happen that the clock has made due."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell the listener about every later event; the returned function ends that."""

    def authorise(self, parameters: Mapping[str, Any]) -> str:
        """Return the account of a signed request, or raise `VenueError`."""

    def account_of_listen_key(self, market: Market, key: str) -> str | None:
        """Return the account of an active listen key, None for any other key."""
