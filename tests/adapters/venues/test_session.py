"""The real aiohttp session: one request is one request, and practice reaches nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from resyncctl.adapters.clock import SystemClock
from resyncctl.adapters.venues.via_ccxt.open_venue import (
    PracticePlace,
    Secrets,
    VenueOptions,
    open_venue,
)
from resyncctl.adapters.venues.via_ccxt.session import never_resend, open_session, tls_context
from resyncctl.core.errors import ConfigurationError, VenueUnavailableError
from resyncctl.core.model import OrderClass, Scope
from resyncctl.core.mutation import OutcomeKind, Permit
from resyncctl.core.snapshot import Known
from resyncctl.ports.views import ClockReading
from resyncctl.simulator.certificates import Certificates, issue
from resyncctl.simulator.exchange import PracticeExchange
from resyncctl.simulator.server import PracticeServer, ServerOptions

KEY, SECRET = "k" * 64, "s" * 64


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("practice-ca"))


@asynccontextmanager
async def rude_server(hits: list[str]) -> AsyncIterator[int]:
    """Serve each connection's first request well and drop the second after reading it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(2):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            hits.append(head.splitlines()[0])
            if number == 0:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
                await writer.drain()

    async with closing_server(serve) as port:
        yield port


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def closing_server(serve: Handler) -> AsyncIterator[int]:
    """Serve on loopback, and end every connection before this ends: none may outlive its test."""
    under_way: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        # A client that goes away in the middle of a request is an end like any other.
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        if under_way:
            await asyncio.wait(under_way, timeout=5)


async def deletes_seen(
    make: Callable[[PracticePlace], aiohttp.ClientSession], ca_file: Path
) -> int:
    hits: list[str] = []
    async with rude_server(hits) as port:
        session = make(PracticePlace("127.0.0.1", port, str(ca_file)))
        async with session.get("http://api.binance.com/api/v3/time") as response:
            await response.read()
        with pytest.raises(aiohttp.ServerDisconnectedError):
            async with session.delete("http://api.binance.com/api/v3/openOrders"):
                pass
        await session.close()
    return sum(line.startswith("DELETE") for line in hits)


@pytest.mark.invariant("I24")
async def test_a_dropped_request_is_not_sent_again(certificates: Certificates) -> None:
    assert await deletes_seen(open_session, certificates.ca_file) == 1


async def test_aiohttp_would_have_sent_it_again(certificates: Certificates) -> None:
    def talkative(place: PracticePlace) -> aiohttp.ClientSession:
        session = open_session(place)
        session._retry_connection = True
        return session

    hits: list[str] = []

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        hits.append(head.splitlines()[0])

    async with closing_server(serve) as port:
        for make in (talkative, open_session):
            session = make(PracticePlace("127.0.0.1", port, str(certificates.ca_file)))
            with pytest.raises(aiohttp.ServerDisconnectedError):
                async with session.delete("http://api.binance.com/api/v3/openOrders"):
                    pass
            await session.close()
    assert len(hits) == 2 + 1


async def test_in_practice_every_name_leads_to_the_practice_exchange(
    certificates: Certificates,
) -> None:
    hits: list[str] = []
    for host in ("api.binance.com", "example.com", "metadata.google.internal"):
        async with rude_server(hits) as port:
            session = open_session(PracticePlace("127.0.0.1", port, str(certificates.ca_file)))
            async with session.get(f"http://{host}:8123/x") as response:
                await response.read()
            await session.close()
    assert hits == ["GET /x HTTP/1.1"] * 3


def test_an_aiohttp_without_the_switch_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="repeating requests"):
        never_resend(object())  # type: ignore[arg-type]  # an aiohttp that lost the switch


def test_a_missing_or_empty_authority_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        tls_context(str(tmp_path / "missing.pem"))
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(ConfigurationError, match="does not hold a certificate"):
        tls_context(str(empty))


def test_the_tls_context_is_built_once_and_verifies(certificates: Certificates) -> None:
    context = tls_context(str(certificates.ca_file))
    assert context is tls_context(str(certificates.ca_file))
    assert context.check_hostname
    assert tls_context() is tls_context()


def options(place: PracticePlace, venue: str = "binance") -> VenueOptions:
    return VenueOptions(
        account="main",
        venue=venue,
        secrets=Secrets(api_key=KEY, secret=SECRET),
        clock=SystemClock(),
        mode="practice",
        practice=place,
        request_timeout_ms=2_000,
    )


async def test_the_whole_way_over_tls(certificates: Certificates) -> None:
    clock = SystemClock()
    exchange = PracticeExchange(clock_ms=clock.now_ms, seed=3)
    exchange.control.add_account("main", api_key=KEY, secret=SECRET)
    exchange.control.deposit("main", "USDT", "1000")
    exchange.control.deposit("main", "USDT", "1000", market="usdm")
    for market in ("spot", "usdm"):
        wish = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.001", "price": "10000"}
        exchange.control.seed_order("main", market=market, **wish)
    server = PracticeServer(exchange, ServerOptions(certificates, "token"))
    async with server:
        host, _, port = server.address.rpartition(":")
        place = PracticePlace(host, int(port), str(certificates.ca_file))
        async with open_venue(options(place)) as venue:
            assert isinstance(await venue.view.measure_clock(), ClockReading)
            for scope in (Scope("spot"), Scope("linear")):
                section = await venue.view.read_open_orders(scope)
                assert isinstance(section, Known)
                (order,) = section.data
                permit = Permit(f"tls-{scope}", clock.now_ms() + 5_000, 1)
                outcome = await venue.cancel.cancel_order(order, permit)
                assert outcome.kind is OutcomeKind.ACKNOWLEDGED
            algo = await venue.view.read_open_orders(Scope("linear", OrderClass.ALGO))
            assert isinstance(algo, Known)
        assert exchange.control.open_orders("main") == []
        assert {row.host for row in exchange.log} == {"api.binance.com", "fapi.binance.com"}


async def test_nothing_listens(certificates: Certificates, unused_tcp_port: int) -> None:
    place = PracticePlace("127.0.0.1", unused_tcp_port, str(certificates.ca_file))
    async with open_venue(options(place, "binanceusdm")) as venue:
        with pytest.raises(VenueUnavailableError) as caught:
            await venue.view.measure_clock()
    assert "fapi.binance.com" in str(caught.value)
    assert caught.value.hint


async def test_a_stranger_with_another_certificate_is_not_trusted(
    certificates: Certificates, tmp_path: Path
) -> None:
    other = issue(tmp_path)
    exchange = PracticeExchange(clock_ms=SystemClock().now_ms)
    async with PracticeServer(exchange, ServerOptions(certificates, "token")) as server:
        host, _, port = server.address.rpartition(":")
        place = PracticePlace(host, int(port), str(other.ca_file))
        async with open_venue(options(place)) as venue:
            with pytest.raises(VenueUnavailableError, match="certificate"):
                await venue.view.measure_clock()
    assert len(exchange.log) == 0


@pytest.mark.invariant("I44")
async def test_practice_mode_needs_its_place_and_no_other_mode_may_have_one() -> None:
    place = PracticePlace("127.0.0.1", 1, "ca.pem")
    secrets = Secrets(api_key=KEY, secret=SECRET)
    for mode, practice in (("practice", None), ("live", place), ("testnet", place)):
        with pytest.raises(ConfigurationError, match="practice"):
            open_venue(
                VenueOptions(
                    account="main",
                    venue="binance",
                    secrets=secrets,
                    clock=SystemClock(),
                    mode=mode,  # type: ignore[arg-type]  # one of the three literals
                    practice=practice,
                )
            )
