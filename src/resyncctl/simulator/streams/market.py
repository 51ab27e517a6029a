"""The market data session of both markets: SUBSCRIBE and its kin, and the flow of messages.

Promises: an unknown stream name of the right form is accepted and silent, as on the real venue; on
USD-M a channel on the wrong path (`/market` instead of `/public`) is accepted and silent too, which
is the trap that opened when the paths were split in 2026.

Sources: binance-spot-api-docs web-socket-streams.md "Live Subscribing/Unsubscribing to streams";
USD-M path split: changelog of 2026-03-05.

Called by the hub.
"""

from resyncctl.simulator.catalogue import Market
from resyncctl.simulator.events import Event
from resyncctl.simulator.streams.channels import Channel, Payload, channel_named, payloads
from resyncctl.simulator.streams.connection import Connection
from resyncctl.simulator.streams.sessions import parsed, publish
from resyncctl.simulator.streams.venue import Venue

_STREAMS_MAX = 1024


class MarketSession:
    """One client's market data subscriptions.

    `category` is the USD-M path ("public", "market"), "" for spot, or "nowhere" for a path that the
    venue took out of service: it accepts everything and says nothing.
    """

    def __init__(
        self,
        exchange: Venue,
        connection: Connection,
        *,
        market: Market,
        category: str = "",
        combined: bool = False,
        streams: tuple[str, ...] = (),
    ) -> None:
        self._exchange = exchange
        self._connection = connection
        self.market: Market = market
        self.account = ""
        self.where = f"{market}/market"
        self._category = category
        self._combined = combined
        self._names: dict[str, Channel | None] = {}
        self._sent_ms: dict[str, int] = {}
        for name in streams:
            self._subscribe(name)

    @property
    def topics(self) -> list[str]:
        """The stream names in the order in which they were subscribed."""
        return list(self._names)

    def on_text(self, text: str) -> None:
        """Answer a subscription request."""
        message = parsed(text)
        if message is None:
            self._refuse(None, 3, "Invalid JSON")
            return
        identity = message.get("id")
        names = message.get("params", [])
        method = message.get("method")
        if method == "LIST_SUBSCRIPTIONS":
            self._connection.send({"result": self.topics, "id": identity})
        elif method not in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            self._refuse(identity, 2, f"Invalid request: unknown variant `{method}`")
        elif not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self._refuse(identity, 2, "Invalid request: params must be an array of strings")
        elif not all("@" in name for name in names):
            self._refuse(identity, 2, "Invalid request: invalid stream")
        elif method == "SUBSCRIBE" and len({*self._names, *names}) > _STREAMS_MAX:
            self._refuse(identity, 2, "Invalid request: too many streams")
        else:
            for name in names:
                if method == "SUBSCRIBE":
                    self._subscribe(name)
                else:
                    self._names.pop(name, None)
                    self._sent_ms.pop(name, None)
            self._connection.send({"result": None, "id": identity})

    def on_tick(self) -> None:
        """Send what each channel has to say by now."""
        now_ms = self._exchange.market_now_ms()
        for name, channel in self._names.items():
            if channel is None:
                continue
            until_ms = now_ms // channel.every_ms * channel.every_ms
            since_ms = self._sent_ms[name]
            if until_ms <= since_ms:
                continue
            self._sent_ms[name] = until_ms
            for payload in payloads(channel, self._exchange.books, since_ms, until_ms):
                self._publish(name, payload)

    def on_event(self, event: Event) -> None:
        """The accounts' own doings are not part of the crowd's market data."""

    def on_shutdown(self, now_ms: int) -> None:
        """Say that this server will go away."""
        notice: Payload = {"e": "serverShutdown", "E": now_ms}
        if self._combined:
            notice = {"stream": "!serverShutdown", "data": notice}
        self._connection.send(notice)

    def on_listen_key_expired(self, now_ms: int) -> None:
        """Market data needs no credential."""

    def _subscribe(self, name: str) -> None:
        channel = channel_named(self.market, name)
        if channel is not None and self._served(channel):
            now_ms = self._exchange.market_now_ms()
            self._sent_ms.setdefault(name, now_ms // channel.every_ms * channel.every_ms)
        else:
            channel = None
        self._names[name] = channel

    def _served(self, channel: Channel) -> bool:
        listed = self._exchange.catalogue.find(self.market, channel.symbol) is not None
        return listed and (not self._category or channel.category == self._category)

    def _publish(self, name: str, payload: Payload) -> None:
        message = {"stream": name, "data": payload} if self._combined else payload
        publish(self._exchange, self._connection, message, where=f"{self.market}/{name}")

    def _refuse(self, identity: object, code: int, text: str) -> None:
        self._connection.send({"error": {"code": code, "msg": text}, "id": identity})
