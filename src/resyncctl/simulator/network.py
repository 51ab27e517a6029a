"""The network in front of the practice exchange, and how it can fail.

Promises: every byte of a client passes through here, so a fault of the network strikes below TLS,
where real ones do: refused, reset, black-holed, slow, or answered by something that is no TLS
server. Control requests have a door of their own behind this network, so whoever broke it can mend
it. A healthy network changes nothing: data, ends and resets pass through as they are.

Called by the server; steered through the control plane (`/_control/network/<method>`).
"""

import asyncio
import contextlib
import socket
import struct
from typing import Literal

LOOPBACK = "127.0.0.1"
Weather = Literal["healthy", "refuse", "reset", "blackhole", "no_tls"]

_LINGER_NOTHING = struct.pack("ii", 1, 0)
_NO_TLS = b"HTTP/1.0 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


class Network:
    """A relay on loopback between clients and the server, with weather."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._port = 0
        self._listener: asyncio.Server | None = None
        self._ends: set[_End] = set()
        self.weather: Weather = "healthy"
        self.latency_ms = 0

    @property
    def address(self) -> str:
        """Where clients connect, as `127.0.0.1:port`; known once it was opened."""
        if not self._port:
            raise RuntimeError("the network was not opened")
        return f"{LOOPBACK}:{self._port}"

    async def open(self, port: int) -> None:
        """Listen on the port, 0 for any. Raise `OSError` when it is taken."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: _End(self), LOOPBACK, port, reuse_address=True
        )
        self._port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        await self._stop_listening()
        for end in list(self._ends):
            end.cut(reset=False)

    async def turn(self, weather: Weather, latency_ms: int = 0) -> None:
        """From now on the network behaves like that, for connections old and new.

        `refuse`: nobody listens. `reset`: every connection is reset. `blackhole`: bytes are taken
        and nothing comes back. `no_tls`: a new connection is answered in plain text. `latency_ms`
        holds back what the server sends in healthy weather.
        """
        if weather not in {"healthy", "refuse", "reset", "blackhole", "no_tls"}:
            raise ValueError(f"no such weather: {weather}")
        if latency_ms < 0:
            raise ValueError(f"latency_ms must not be negative: {latency_ms}")
        self.weather, self.latency_ms = weather, latency_ms
        if weather == "refuse":
            await self._stop_listening()
        elif self._listener is None:
            await self.open(self._port)
        if weather in {"refuse", "reset", "no_tls"}:
            self.sever()
        if weather != "blackhole":
            for end in [end for end in self._ends if end.torn]:
                end.cut(reset=True)

    def sever(self) -> int:
        """Reset every open connection once, as a restarted load balancer does; return how many."""
        struck = [end for end in self._ends if end.is_client]
        for end in struck:
            end.cut(reset=True)
        return len(struck)

    async def reach(self, end: "_End") -> None:
        """Connect a new client to the server, or do to it what the weather does."""
        if self.weather == "reset":
            end.cut(reset=True)
        elif self.weather == "no_tls":
            end.say(_NO_TLS)
            end.cut(reset=False)
        elif self.weather != "blackhole":
            loop = asyncio.get_running_loop()
            try:
                await loop.create_connection(lambda: _End(self, end), LOOPBACK, self._target_port)
            except OSError:
                end.cut(reset=True)

    def joined(self, end: "_End") -> None:
        """Remember an open end."""
        self._ends.add(end)

    def left(self, end: "_End") -> None:
        """Forget a closed end."""
        self._ends.discard(end)

    async def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()


class NetworkControl:
    """What the control plane may do to the network."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def turn(self, weather: Weather, latency_ms: int = 0) -> dict[str, str | int]:
        """Let the network be healthy, refuse, reset, blackhole or no_tls from now on."""
        await self._network.turn(weather, latency_ms)
        return self.state()

    def sever(self) -> int:
        """Reset every open connection once; return how many there were."""
        return self._network.sever()

    def state(self) -> dict[str, str | int]:
        """Return the weather and the latency."""
        return {"weather": self._network.weather, "latency_ms": self._network.latency_ms}


class _End(asyncio.Protocol):
    """One end of a relayed connection; `peer` is the other end once both exist."""

    def __init__(self, network: Network, peer: "_End | None" = None) -> None:
        self._network = network
        self._peer = peer
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._reaching: asyncio.Task[None] | None = None
        self.is_client = peer is None
        # Bytes or an end were swallowed: this connection can never be whole again.
        self.torn = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the two ends, or begin to look for the other one."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("the network relays streams only")
        self._transport = transport
        self._network.joined(self)
        if self._peer is None:
            self._reaching = asyncio.create_task(self._network.reach(self))
        else:
            self._peer.meet(self)

    def data_received(self, data: bytes) -> None:
        """Pass it on, unless the weather takes it."""
        network = self._network
        if network.weather == "blackhole":
            self.torn = True
            return
        if self._peer is None:
            self._early.append(data)
        elif network.latency_ms and not self.is_client:
            delay = network.latency_ms / 1000
            asyncio.get_running_loop().call_later(delay, self._peer.say, data)
        else:
            self._peer.say(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other end in the same way: a reset stays a reset."""
        self._network.left(self)
        self._transport = None
        if self._peer is None:
            return
        if self._network.weather == "blackhole":
            self._peer.torn = True
        else:
            delay = self._network.latency_ms / 1000 if not self.is_client else 0
            asyncio.get_running_loop().call_later(
                delay, self._peer.cut, isinstance(exc, ConnectionResetError)
            )

    def pause_writing(self) -> None:
        """The reader of this end is slow: read no more from the other one."""
        if self._peer is not None:
            self._peer.hold(pause=True)

    def resume_writing(self) -> None:
        """The reader of this end has caught up."""
        if self._peer is not None:
            self._peer.hold(pause=False)

    def meet(self, peer: "_End") -> None:
        """The other end exists now: give it what came early."""
        self._peer = peer
        for data in self._early:
            peer.say(data)
        self._early.clear()
        if self._transport is None:
            peer.cut(reset=False)

    def say(self, data: bytes) -> None:
        """Send bytes out of this end, if it is still open."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def hold(self, *, pause: bool) -> None:
        """Stop or go on reading from this end."""
        if self._transport is None:
            return
        with contextlib.suppress(RuntimeError):
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def cut(self, reset: bool) -> None:  # also called by the event loop
        """End this connection, with a reset if so wished."""
        if self._transport is None:
            return
        if not reset:
            self._transport.close()
            return
        wire = self._transport.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING)
        self._transport.abort()
