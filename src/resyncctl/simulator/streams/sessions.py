"""What a session is: one client's conversation on one WebSocket, in the dialect of its path.

Promises: a session decides what is said, never how it travels; it applies the faults that concern
single messages (gap, delayed, duplicated) in one place, `publish`.

Called by the hub, which picks the session by host and path and hands it messages, ticks and events.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from resyncctl.simulator.catalogue import Market
from resyncctl.simulator.events import Event
from resyncctl.simulator.streams.connection import Connection
from resyncctl.simulator.streams.venue import Venue

Payload = dict[str, Any]
_DELAY_MS = 1_000


class Session(Protocol):
    """One conversation."""

    @property
    def where(self) -> str:
        """The place that connection faults name, such as `spot/market` or `usdm/user`."""

    @property
    def market(self) -> Market:
        """The market whose manners the connection follows."""

    @property
    def account(self) -> str:
        """The account whose private events are told here; empty for public data."""

    @property
    def topics(self) -> list[str]:
        """What the client is subscribed to now."""

    def on_text(self, text: str) -> None:
        """The client said something."""

    def on_tick(self) -> None:
        """A little venue time has passed."""

    def on_event(self, event: Event) -> None:
        """The exchange announced something."""

    def on_shutdown(self, now_ms: int) -> None:
        """The venue will soon close this connection, and says so."""

    def on_listen_key_expired(self, now_ms: int) -> None:
        """The credential of this private stream is made to run out."""


def publish(
    exchange: Venue,
    connection: Connection,
    payload: Payload,
    *,
    where: str,
    account: str = "",
) -> None:
    """Send one message, unless a fault loses, delays or doubles it."""
    faults = exchange.control.stream_faults
    if faults.take("gap", where, account) is not None:
        connection.counters.swallowed += 1
        return
    delayed = faults.take("delayed", where, account)
    if delayed is not None:
        connection.send_later(payload, milliseconds(delayed.parameters, "delay_ms", _DELAY_MS))
    else:
        connection.send(payload)
    if faults.take("duplicated", where, account) is not None:
        connection.send(payload)


def milliseconds(parameters: Mapping[str, Any], name: str, default: int) -> int:
    """Return a whole number of milliseconds from a fault's parameters."""
    return int(parameters.get(name, default))


def parsed(text: str) -> dict[str, Any] | None:
    """Return the client's message, or None when it is no JSON object."""
    try:
        message = json.loads(text)
    except json.JSONDecodeError:
        return None
    return message if isinstance(message, dict) else None
