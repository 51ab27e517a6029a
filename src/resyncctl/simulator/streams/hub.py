"""All WebSocket connections of the practice exchange: who talks to whom, and when they end.

Promises: the host and the path choose the dialect, as on the real venue; a path that the venue took
out of service connects and stays silent; one failing connection never disturbs another; what the
exchange announces is queued for its readers before the REST answer that caused it leaves.

Called by the server.
"""

import asyncio
import time
from dataclasses import dataclass

from aiohttp import web

from resyncctl.simulator.events import Event
from resyncctl.simulator.streams.connection import (
    SPOT_LIVENESS,
    USDM_LIVENESS,
    Connection,
    Liveness,
)
from resyncctl.simulator.streams.market import MarketSession
from resyncctl.simulator.streams.private import ApiSession, ListenKeySession
from resyncctl.simulator.streams.sessions import Session
from resyncctl.simulator.streams.venue import Venue

TICK_MS = 50
_SERVICE_RESTART = 1012
_CLOSE_HANDSHAKE_SECONDS = 2.0
_SPOT_STREAM_HOSTS = frozenset({"stream.binance.com", "data-stream.binance.vision"})
_USDM_STREAM_HOST = "fstream.binance.com"


@dataclass(frozen=True)
class Described:
    """One open connection as the control plane shows it."""

    number: int
    host: str
    path: str
    where: str
    account: str
    topics: list[str]
    sent: int
    swallowed: int
    received: int
    pings: int
    stalled: bool


@dataclass(frozen=True)
class _Open:
    host: str
    path: str
    connection: Connection
    session: Session


class StreamHub:
    """Accepts WebSockets and keeps them going."""

    def __init__(
        self,
        exchange: Venue,
        *,
        spot_liveness: Liveness = SPOT_LIVENESS,
        usdm_liveness: Liveness = USDM_LIVENESS,
    ) -> None:
        self._exchange = exchange
        self._spot_liveness = spot_liveness
        self._usdm_liveness = usdm_liveness
        self._open: dict[int, _Open] = {}
        self._accepted = 0
        self._stop_listening = exchange.listen(self._on_event)

    async def accept(self, request: web.BaseRequest, host: str) -> web.StreamResponse:
        """Serve one WebSocket until it ends."""
        liveness = self._spot_liveness if "fstream" not in host else self._usdm_liveness
        socket = web.WebSocketResponse(
            timeout=_CLOSE_HANDSHAKE_SECONDS, autoping=False, max_msg_size=1 << 20
        )
        self._accepted += 1
        number = self._accepted
        connection = Connection(number, socket, liveness, _monotonic_ms)
        session = _session_for(self._exchange, connection, request, host)
        if session is None:
            return web.Response(status=404, text="<html><body>404 Not Found</body></html>")
        await socket.prepare(request)
        self._open[number] = _Open(host, request.path, connection, session)
        try:
            if self._take("silent_path", session):
                connection.stall(None)
            await connection.run(session.on_text)
        finally:
            del self._open[number]
        return socket

    async def run(self) -> None:
        """Keep time for every connection until cancelled."""
        while True:
            self._exchange.advance()
            for opened in list(self._open.values()):
                opened.session.on_tick()
                self._apply_faults(opened, self._exchange.now_ms())
                opened.connection.keep_alive()
            await asyncio.sleep(TICK_MS / 1000)

    async def close(self) -> None:
        """Stop listening and close every connection, as a venue that restarts does."""
        self._stop_listening()
        closing = [opened.connection for opened in self._open.values()]
        for connection in closing:
            connection.close(_SERVICE_RESTART, "Service Restart")
        for connection in closing:
            await connection.closed()

    def describe(self) -> list[Described]:
        """Return every open connection."""
        return [
            Described(
                number=number,
                host=opened.host,
                path=opened.path,
                where=opened.session.where,
                account=opened.session.account,
                topics=opened.session.topics,
                sent=opened.connection.counters.sent,
                swallowed=opened.connection.counters.swallowed,
                received=opened.connection.counters.received,
                pings=opened.connection.counters.pings,
                stalled=opened.connection.stalled,
            )
            for number, opened in self._open.items()
        ]

    def _on_event(self, event: Event) -> None:
        for opened in list(self._open.values()):
            opened.session.on_event(event)

    def _apply_faults(self, opened: _Open, now_ms: int) -> None:
        session, connection = opened.session, opened.connection
        stall = self._exchange.control.stream_faults.take("stall", session.where, session.account)
        if stall is not None:
            duration = stall.parameters.get("duration_ms")
            connection.stall(None if duration is None else int(duration))
        if self._take("listen_key_expired", session):
            session.on_listen_key_expired(now_ms)
        if self._take("server_shutdown", session):
            session.on_shutdown(now_ms)
        if self._take("close_1012", session):
            connection.close(_SERVICE_RESTART, "Service Restart")

    def _take(self, kind: str, session: Session) -> bool:
        faults = self._exchange.control.stream_faults
        return faults.take(kind, session.where, session.account) is not None


def _session_for(
    exchange: Venue, connection: Connection, request: web.BaseRequest, host: str
) -> Session | None:
    parts = request.path.strip("/").split("/")
    if host in _SPOT_STREAM_HOSTS:
        return _market_session(exchange, connection, request, parts, market="spot")
    if host == _USDM_STREAM_HOST:
        return _usdm_session(exchange, connection, request, parts)
    if host == "ws-api.binance.com" and parts[:2] == ["ws-api", "v3"]:
        return ApiSession(exchange, connection, market="spot")
    if host == "ws-fapi.binance.com" and parts[:2] == ["ws-fapi", "v1"]:
        return ApiSession(exchange, connection, market="usdm")
    return None


def _usdm_session(
    exchange: Venue, connection: Connection, request: web.BaseRequest, parts: list[str]
) -> Session | None:
    if parts[0] == "private" and parts[1:2] == ["ws"]:
        key = request.query.get("listenKey") or (parts[2] if len(parts) > 2 else "")
        return ListenKeySession(exchange, connection, listen_key=key)
    if parts[0] in {"public", "market"}:
        return _market_session(
            exchange, connection, request, parts[1:], market="usdm", category=parts[0]
        )
    # The paths without a category were taken out of service on 2026-04-23: connected, but silent.
    return _market_session(exchange, connection, request, parts, market="usdm", category="nowhere")


def _market_session(
    exchange: Venue,
    connection: Connection,
    request: web.BaseRequest,
    parts: list[str],
    *,
    market: str,
    category: str = "",
) -> Session | None:
    if parts[:1] == ["ws"]:
        names = [name for name in parts[1:] if "@" in name]
        combined = False
    elif parts[:1] == ["stream"]:
        names = [name for name in request.query.get("streams", "").split("/") if "@" in name]
        combined = True
    else:
        return None
    return MarketSession(
        exchange,
        connection,
        market="spot" if market == "spot" else "usdm",
        category=category,
        combined=combined,
        streams=tuple(names),
    )


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
