"""The weather between client and practice exchange, and the way back to a healthy one."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from resyncctl.simulator import transparent
from resyncctl.simulator.certificates import Certificates, issue
from resyncctl.simulator.control_client import ControlRefused, PracticeControl
from resyncctl.simulator.server import PracticeServer, ServerOptions
from tests.simulator.served import TOKEN, ScriptedExchange

URL = "https://api.binance.com/api/v3/time"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


class Bench:
    def __init__(self, server: PracticeServer, session: aiohttp.ClientSession, ca: str) -> None:
        self.server = server
        self.session = session
        self.control = PracticeControl(server.control_address, Path(ca), TOKEN)

    async def turn(self, weather: str, latency_ms: int = 0) -> None:
        arguments = {"weather": weather, "latency_ms": latency_ms}
        state = await asyncio.to_thread(self.control.network, "turn", **arguments)
        assert state == arguments

    async def ask(self, seconds: float = 2) -> int:
        timeout = aiohttp.ClientTimeout(seconds)
        async with self.session.get(URL, timeout=timeout) as response:
            await response.read()
            return response.status


@pytest.fixture
async def bench(certificates: Certificates) -> AsyncIterator[Bench]:
    exchange = ScriptedExchange()
    async with (
        PracticeServer(exchange, ServerOptions(certificates, TOKEN)) as server,
        transparent.session(server.address, certificates.ca_file) as session,
    ):
        yield Bench(server, session, str(certificates.ca_file))


@pytest.mark.parametrize(
    ("weather", "symptom"),
    [
        ("refuse", aiohttp.ClientConnectorError),
        ("reset", aiohttp.ClientOSError),
        ("no_tls", aiohttp.ClientConnectorSSLError),
        ("blackhole", TimeoutError),
    ],
)
async def test_each_weather_has_its_symptom_and_can_be_mended(
    bench: Bench, weather: str, symptom: type[Exception]
) -> None:
    for _ in range(2):
        assert await bench.ask() == 200
        await bench.turn(weather)
        with pytest.raises(symptom):
            await bench.ask(0.3)
        with pytest.raises(symptom):
            await bench.ask(0.3)
        await bench.turn("healthy")
        assert await bench.ask() == 200


async def test_a_blackhole_swallows_requests_on_open_connections_too(bench: Bench) -> None:
    socket = await bench.session.ws_connect("wss://stream.binance.com:9443/ws")
    await bench.turn("blackhole")
    await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    with pytest.raises(TimeoutError):
        await socket.receive(timeout=0.2)
    await bench.turn("healthy")
    message = await socket.receive(timeout=2)
    assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}


async def test_severing_resets_what_is_open_and_leaves_the_rest(bench: Bench) -> None:
    socket = await bench.session.ws_connect("wss://stream.binance.com:9443/ws")
    assert await asyncio.to_thread(bench.control.network, "sever") == 1
    message = await socket.receive(timeout=2)
    assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
    assert await bench.ask() == 200


async def test_latency_holds_answers_back(bench: Bench) -> None:
    assert await bench.ask() == 200
    await bench.turn("healthy", 150)
    started = time.monotonic()
    assert await bench.ask() == 200
    assert time.monotonic() - started >= 0.15
    await bench.turn("healthy")


async def test_nonsense_is_refused(bench: Bench) -> None:
    for arguments in ({"weather": "sunny"}, {"weather": "healthy", "latency_ms": -1}):
        with pytest.raises(ControlRefused, match="422"):
            await asyncio.to_thread(bench.control.network, "turn", **arguments)
    with pytest.raises(ControlRefused, match="404"):
        await asyncio.to_thread(bench.control.network, "close")
    assert await bench.ask() == 200


async def test_large_answers_pass_whole_through_the_relay(bench: Bench) -> None:
    body = bytes(range(256)) * 20_000
    exchange = bench.server._exchange
    assert isinstance(exchange, ScriptedExchange)
    exchange.reply = type(exchange.reply)(200, {}, body)
    headers = {"Accept-Encoding": "identity"}
    async with bench.session.get(URL, headers=headers) as response:
        assert await response.read() == body
