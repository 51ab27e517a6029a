"""The private sessions: the spot WebSocket API with its user data stream, and USD-M listen keys.

Promises: a private event reaches every stream that the account has open and no other account's; a
session that was opened with an unknown or expired listen key is connected and silent, as on the
real venue; a subscription is refused with the same codes as a signed REST request.

Sources: binance-spot-api-docs web-socket-api.md (requests, `userDataStream.subscribe.signature`,
retirement of spot listen keys on 2026-02-20) and user-data-stream.md (wrapping in
`subscriptionId`); USD-M "User Data Streams" of developers.binance.com (`listenKeyExpired`).

Called by the hub.
"""

from collections.abc import Mapping
from typing import Any

from resyncctl.simulator.catalogue import Market
from resyncctl.simulator.events import Event
from resyncctl.simulator.streams.connection import Connection, Payload
from resyncctl.simulator.streams.sessions import parsed, publish
from resyncctl.simulator.streams.venue import Venue
from resyncctl.simulator.venue_errors import VenueError, refuse

_NEEDS_LOGON = "The session is not authenticated; session.logon takes Ed25519 keys only."


class ApiSession:
    """A conversation with the WebSocket API of one market; on spot it carries user data."""

    def __init__(self, exchange: Venue, connection: Connection, *, market: Market) -> None:
        self._exchange = exchange
        self._connection = connection
        self.market: Market = market
        self.where = f"{market}/user"
        self._subscribed: dict[int, str] = {}
        self._next_subscription = 0

    @property
    def account(self) -> str:
        """The account that subscribed last; empty before."""
        return next(reversed(self._subscribed.values()), "")

    @property
    def topics(self) -> list[str]:
        """The numbered user data subscriptions."""
        return [f"{number}:{account}" for number, account in self._subscribed.items()]

    def on_text(self, text: str) -> None:
        """Answer one request."""
        message = parsed(text)
        if message is None:
            self._answer(None, error=refuse(-1135, "Invalid JSON Request"))
            return
        identity = message.get("id")
        parameters = message.get("params", {})
        try:
            result = self._perform(
                str(message.get("method")), parameters if isinstance(parameters, dict) else {}
            )
        except VenueError as error:
            self._answer(identity, error=error)
        else:
            self._answer(identity, result=result)

    def on_tick(self) -> None:
        """Nothing here depends on the time."""

    def on_event(self, event: Event) -> None:
        """Tell a private event of a subscribed account, once for each subscription."""
        if event.audience != "user" or event.market != "spot":
            return
        for number, account in self._subscribed.items():
            if account == event.account:
                publish(
                    self._exchange,
                    self._connection,
                    {"subscriptionId": number, "event": event.payload},
                    where=f"{self.market}/user/{event.name}",
                    account=account,
                )

    def on_shutdown(self, now_ms: int) -> None:
        """Say that this server will go away."""
        self._connection.send({"event": {"e": "serverShutdown", "E": now_ms}})

    def on_listen_key_expired(self, now_ms: int) -> None:
        """End every user data subscription, as the venue does when it terminates a stream."""
        for number in list(self._subscribed):
            del self._subscribed[number]
            self._connection.send(
                {"subscriptionId": number, "event": {"e": "eventStreamTerminated", "E": now_ms}}
            )

    def _perform(self, method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if method == "ping":
            return {}
        if method == "time":
            return {"serverTime": self._exchange.now_ms()}
        if method == "userDataStream.subscribe.signature" and self.market == "spot":
            return self._subscribe(parameters)
        if method == "userDataStream.unsubscribe" and self.market == "spot":
            return self._unsubscribe(parameters)
        if method in {"session.logon", "userDataStream.subscribe"}:
            raise refuse(-1022, _NEEDS_LOGON, status=401)
        raise refuse(-1000, f"Unknown method: {method}")

    def _subscribe(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        account = self._exchange.authorise(parameters)
        number = self._next_subscription
        self._next_subscription += 1
        self._subscribed[number] = account
        return {"subscriptionId": number}

    def _unsubscribe(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        number = parameters.get("subscriptionId")
        if number is None:
            self._subscribed.clear()
        elif isinstance(number, int) and number in self._subscribed:
            del self._subscribed[number]
        else:
            raise refuse(-1145, "Invalid subscriptionId")
        return {}

    def _answer(
        self,
        identity: object,
        *,
        result: dict[str, Any] | None = None,
        error: VenueError | None = None,
    ) -> None:
        answer: Payload = {"id": identity}
        if error is None:
            answer |= {"status": 200, "result": result or {}}
        else:
            answer |= {
                "status": error.status,
                "error": {"code": error.code, "msg": error.message},
            }
        self._connection.send(answer | {"rateLimits": []})


class ListenKeySession:
    """A USD-M private stream; silent unless the key belongs to an account."""

    def __init__(self, exchange: Venue, connection: Connection, *, listen_key: str) -> None:
        self._exchange = exchange
        self._connection = connection
        self._listen_key = listen_key
        self._account = exchange.account_of_listen_key("usdm", listen_key)
        self._expired = False
        self.market: Market = "usdm"
        self.where = "usdm/user"

    @property
    def account(self) -> str:
        """The account of the key; empty for a key that the venue does not know."""
        return self._account or ""

    @property
    def topics(self) -> list[str]:
        """The one thing that this stream tells."""
        return ["user"] if self._account and not self._expired else []

    def on_text(self, text: str) -> None:
        """Answer a subscription request of a client that treats this like a market stream."""
        message = parsed(text) or {}
        self._connection.send({"result": None, "id": message.get("id")})

    def on_tick(self) -> None:
        """Notice that the key ran out."""
        if self._account and not self._expired:
            holder = self._exchange.account_of_listen_key("usdm", self._listen_key)
            if holder is None:
                self.on_listen_key_expired(self._exchange.now_ms())

    def on_event(self, event: Event) -> None:
        """Tell a private event of the account, bare."""
        told = event.audience == "user" and event.market == "usdm"
        if told and not self._expired and event.account == self._account:
            self._expired = event.name == "listenKeyExpired"
            publish(
                self._exchange,
                self._connection,
                event.payload,
                where=f"usdm/user/{event.name}",
                account=self.account,
            )

    def on_shutdown(self, now_ms: int) -> None:
        """USD-M has no such notice; the connection just closes."""

    def on_listen_key_expired(self, now_ms: int) -> None:
        """Say that the key ran out, and say nothing more."""
        if not self._expired:
            self._expired = True
            self._connection.send(
                {"e": "listenKeyExpired", "E": now_ms, "listenKey": self._listen_key}
            )
