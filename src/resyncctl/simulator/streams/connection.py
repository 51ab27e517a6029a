"""One WebSocket connection of the practice exchange: its outgoing queue and its liveness.

Promises: messages leave in the order in which they were put, unless a fault says otherwise; a
stalled connection swallows its messages and still answers pings, because that is the stall that
clients fail to notice; a connection whose client does not answer pings, talks too fast or has
reached its age is closed, with the documented close code.

Liveness rules: spot pings every 20 s and waits 60 s for a pong, takes 5 messages a second; USD-M
pings every 3 minutes and waits 10, takes 10 a second; both end a connection after 24 hours
(binance-spot-api-docs web-socket-streams.md; USD-M "Connect" of developers.binance.com).

Called by the hub; sessions send through it.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

Payload = dict[str, Any]
# Stands in the queue for a ping frame, so that a client that does not read holds up nobody else.
_PING = ""


@dataclass(frozen=True)
class Liveness:
    """How a market treats its connections, measured on the server's monotonic clock."""

    ping_every_ms: int
    pong_within_ms: int
    age_max_ms: int
    messages_per_second_max: int


SPOT_LIVENESS = Liveness(20_000, 60_000, 86_400_000, 5)
USDM_LIVENESS = Liveness(180_000, 600_000, 86_400_000, 10)


@dataclass
class Counters:
    """What happened on a connection, for the control plane and for tests."""

    sent: int = 0
    swallowed: int = 0
    received: int = 0
    pings: int = 0


@dataclass
class Connection:
    """One accepted WebSocket. `monotonic_ms` is the server's own clock, never the venue's."""

    number: int
    socket: web.WebSocketResponse
    liveness: Liveness
    monotonic_ms: Callable[[], int]
    opened_ms: int = field(init=False)
    counters: Counters = field(default_factory=Counters)
    _queue: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    _received_ms: "deque[int]" = field(default_factory=deque)
    _stalled_until_ms: int = 0
    _closing: "asyncio.Task[None] | None" = None
    _pinged_ms: int = field(init=False)
    _ponged_ms: int = field(init=False)

    def __post_init__(self) -> None:
        """Start the clocks of the connection."""
        self.opened_ms = self._pinged_ms = self._ponged_ms = self.monotonic_ms()

    def send(self, payload: Payload) -> None:
        """Queue one message; a stalled connection swallows it."""
        if self.stalled:
            self.counters.swallowed += 1
            return
        self._queue.put_nowait(json.dumps(payload, separators=(",", ":")))

    def send_later(self, payload: Payload, delay_ms: int) -> None:
        """Queue one message after a while; later messages overtake it."""
        asyncio.get_running_loop().call_later(delay_ms / 1000, self.send, payload)

    def stall(self, duration_ms: int | None) -> None:
        """Swallow every message for that long, or until the connection ends."""
        forever_ms = self.liveness.age_max_ms * 2
        self._stalled_until_ms = self.monotonic_ms() + (
            forever_ms if duration_ms is None else duration_ms
        )

    @property
    def stalled(self) -> bool:
        """Whether messages are being swallowed now."""
        return self.monotonic_ms() < self._stalled_until_ms

    def close(self, code: int, reason: str = "") -> None:
        """Begin to close the connection with that code; a client that dawdles delays nobody else.

        Does nothing when the connection is being closed already.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))

    async def closed(self) -> None:
        """Wait until a closing that was begun is done."""
        if self._closing is not None:
            await asyncio.wait({self._closing})

    async def run(self, on_text: Callable[[str], None]) -> None:
        """Pass every message of the client to `on_text`, and send the queue, until it ends."""
        sender = asyncio.create_task(self._send_queue())
        try:
            async for message in self.socket:
                self.counters.received += 1
                if message.type is WSMsgType.PING:
                    await self.socket.pong(message.data)
                elif message.type is WSMsgType.PONG:
                    self._ponged_ms = self.monotonic_ms()
                if self._too_fast():
                    self.close(WSCloseCode.POLICY_VIOLATION, "Too many requests")
                elif message.type is WSMsgType.TEXT:
                    on_text(message.data)
        finally:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender
            await self.closed()

    def keep_alive(self) -> None:
        """Ping when it is time; close a connection that is silent or too old."""
        now_ms = self.monotonic_ms()
        if now_ms - self.opened_ms >= self.liveness.age_max_ms:
            self.close(WSCloseCode.GOING_AWAY, "24 hours are over")
        elif now_ms - self._ponged_ms >= self.liveness.pong_within_ms:
            self.close(WSCloseCode.POLICY_VIOLATION, "Pong timeout")
        elif now_ms - self._pinged_ms >= self.liveness.ping_every_ms:
            self._pinged_ms = now_ms
            self.counters.pings += 1
            self._queue.put_nowait(_PING)

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.socket.close(code=code, message=reason.encode())

    def _too_fast(self) -> bool:
        now_ms = self.monotonic_ms()
        self._received_ms.append(now_ms)
        while self._received_ms[0] <= now_ms - 1000:
            self._received_ms.popleft()
        return len(self._received_ms) > self.liveness.messages_per_second_max

    async def _send_queue(self) -> None:
        while True:
            text = await self._queue.get()
            try:
                if text == _PING:
                    await self.socket.ping(str(self.monotonic_ms()).encode())
                    continue
                await self.socket.send_str(text)
            except ConnectionError:
                return
            self.counters.sent += 1
