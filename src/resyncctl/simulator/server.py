"""The practice exchange as a server: one TLS listener on loopback for every real host name.

Promises: it listens on 127.0.0.1 and nowhere else; the Host header chooses the dialect; REST goes
to `PracticeExchange.handle` and is delivered as its reply says; WebSockets go to the stream hub;
`/_control/` is the control plane. Clients come through `network`, which can be broken; the control
plane can also be reached behind it. The request is executed the moment it has arrived: no fate of
the answer, and no client that hangs up, can undo it.

Called by `serve` (the command line) and by tests that need the real wire.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol, Self

from aiohttp import web

from resyncctl.simulator.certificates import Certificates
from resyncctl.simulator.control_http import PREFIX, ControlHttp, to_request
from resyncctl.simulator.delivery import deliver
from resyncctl.simulator.exchange_info import Compressor
from resyncctl.simulator.network import LOOPBACK, Network, NetworkControl
from resyncctl.simulator.streams.connection import SPOT_LIVENESS, USDM_LIVENESS, Liveness
from resyncctl.simulator.streams.hub import StreamHub
from resyncctl.simulator.streams.venue import Venue
from resyncctl.simulator.wire import Reply, Request


class ServedVenue(Venue, Protocol):
    """The exchange, as the server sees it; `PracticeExchange` is one."""

    @property
    def log(self) -> object:
        """The request log, whose public methods the control plane offers."""

    def handle(self, request: Request) -> Reply:
        """Execute one REST request and return its answer."""


@dataclass(frozen=True)
class ServerOptions:
    """What a server needs beside its exchange."""

    certificates: Certificates
    control_token: str
    port: int = 0
    spot_liveness: Liveness = SPOT_LIVENESS
    usdm_liveness: Liveness = USDM_LIVENESS


class PracticeServer:
    """Serves one exchange: `async with PracticeServer(exchange, options) as server: ...`."""

    def __init__(self, exchange: ServedVenue, options: ServerOptions) -> None:
        self._exchange = exchange
        self._options = options
        self._compressor = Compressor()
        self.hub = StreamHub(
            exchange,
            spot_liveness=options.spot_liveness,
            usdm_liveness=options.usdm_liveness,
        )
        self._runner: web.ServerRunner | None = None
        self._network: Network | None = None
        self._timekeeper: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Where clients connect, as `127.0.0.1:port`; known once it was started."""
        return self._opened_network().address

    @property
    def control_address(self) -> str:
        """Where the control plane can be reached behind the network, whatever its weather."""
        if self._runner is None:
            raise RuntimeError("the practice server was not started")
        host, port = self._runner.addresses[0][:2]
        return f"{host}:{port}"

    @property
    def timekeeper(self) -> "asyncio.Task[None]":
        """The task that moves the exchange's time; when it ends, the server is broken."""
        if self._timekeeper is None:
            raise RuntimeError("the practice server was not started")
        return self._timekeeper

    def prepare(self, body: bytes) -> None:
        """Compress a large answer before the first client asks for it."""
        self._compressor.gzip(body)

    async def __aenter__(self) -> Self:
        """Start listening. Raise `OSError` when the port is taken."""
        # A cancelled handler is how an answer that never comes ends with its client.
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        context = self._options.certificates.server_context()
        await web.TCPSite(self._runner, LOOPBACK, 0, ssl_context=context).start()
        self._network = Network(int(self.control_address.rpartition(":")[2]))
        try:
            await self._network.open(self._options.port)
        except OSError:
            await self._runner.cleanup()
            raise
        self._timekeeper = asyncio.create_task(self.hub.run())
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Stop."""
        await self.stop()

    async def stop(self) -> None:
        """Close every WebSocket, then every connection; a second call does nothing.

        Raise what broke the timekeeper, if something did: a venue whose time stood still has
        proved nothing.
        """
        timekeeper, self._timekeeper = self._timekeeper, None
        runner, self._runner = self._runner, None
        network, self._network = self._network, None
        if timekeeper is not None:
            timekeeper.cancel()
            await asyncio.wait({timekeeper})
        if runner is not None:
            await self.hub.close()
            await runner.cleanup()
        if network is not None:
            await network.close()
        if timekeeper is not None and not timekeeper.cancelled():
            timekeeper.result()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        host = request.host.partition(":")[0].lower()
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.hub.accept(request, host)
        received = to_request(request, host, await request.read())
        if received.path.startswith(PREFIX):
            reply = await self._control_plane().handle(received)
        else:
            reply = self._exchange.handle(received)
        return await deliver(request, reply, self._compressor)

    def _control_plane(self) -> ControlHttp:
        return ControlHttp(
            control=self._exchange.control,
            log=self._exchange.log,
            network=NetworkControl(self._opened_network()),
            hub=self.hub,
            now_ms=self._exchange.now_ms,
            token=self._options.control_token,
        )

    def _opened_network(self) -> Network:
        if self._network is None:
            raise RuntimeError("the practice server was not started")
        return self._network
