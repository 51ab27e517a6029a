"""The WebSocket dialects, frame by frame, over real TLS against a scripted exchange."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from resyncctl.simulator import transparent
from resyncctl.simulator.certificates import Certificates, issue
from resyncctl.simulator.events import Event
from resyncctl.simulator.server import PracticeServer, ServerOptions
from resyncctl.simulator.streams.connection import Liveness
from tests.simulator.served import TOKEN, ScriptedExchange, ScriptedFault

SPOT = "wss://stream.binance.com:9443"
USDM = "wss://fstream.binance.com"
API = "wss://ws-api.binance.com:443/ws-api/v3"
PATIENT = Liveness(60_000, 600_000, 86_400_000, 1_000)
START_MS = 1_790_000_000_000

Frame = dict[str, Any]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


class World:
    """A scripted exchange behind a real server, and a client session that reaches it."""

    def __init__(
        self, exchange: ScriptedExchange, server: PracticeServer, session: aiohttp.ClientSession
    ) -> None:
        self.exchange = exchange
        self.server = server
        self.session = session

    def break_stream(self, kind: str, where: str, **parameters: Any) -> None:
        self.exchange.control.stream_faults.waiting.append(ScriptedFault(kind, where, parameters))

    async def open(self, url: str) -> aiohttp.ClientWebSocketResponse:
        return await self.session.ws_connect(url)

    def tell(self, name: str, *, market: str = "spot", account: str = "main") -> None:
        self.exchange.announce(
            Event(
                "spot" if market == "spot" else "usdm",
                "user",
                account,
                "BTCUSDT",
                name,
                {"e": name, "E": self.exchange.time_ms},
                self.exchange.time_ms,
            )
        )


@asynccontextmanager
async def running(certificates: Certificates, liveness: Liveness = PATIENT) -> AsyncIterator[World]:
    exchange = ScriptedExchange()
    options = ServerOptions(certificates, TOKEN, spot_liveness=liveness, usdm_liveness=liveness)
    async with (
        PracticeServer(exchange, options) as server,
        transparent.session(server.address, certificates.ca_file) as session,
    ):
        yield World(exchange, server, session)


@pytest.fixture
async def world(certificates: Certificates) -> AsyncIterator[World]:
    async with running(certificates) as made:
        yield made


async def frame(socket: aiohttp.ClientWebSocketResponse) -> Frame:
    parsed: Frame = json.loads(await socket.receive_str(timeout=2))
    return parsed


async def silent(socket: aiohttp.ClientWebSocketResponse, seconds: float = 0.25) -> bool:
    try:
        await socket.receive(timeout=seconds)
    except TimeoutError:
        return True
    return False


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not condition():  # noqa: ASYNC110  # the server offers a picture, not an event
            await asyncio.sleep(0.01)


async def subscribe(socket: aiohttp.ClientWebSocketResponse, *names: str) -> None:
    await socket.send_json({"method": "SUBSCRIBE", "params": list(names), "id": 1})
    assert await frame(socket) == {"result": None, "id": 1}


async def test_spot_depth_events_chain_and_bring_the_snapshot_up_to_date(world: World) -> None:
    socket = await world.open(f"{SPOT}/ws/0")
    await subscribe(socket, "btcusdt@depth@100ms")
    snapshot = world.exchange.books.book("spot", "BTCUSDT", START_MS)
    book = dict(snapshot.bids)
    last_id = snapshot.update_id
    for step in range(1, 21):
        world.exchange.time_ms = START_MS + step * 100
        event = await frame(socket)
        assert (event["e"], event["s"], event["U"]) == ("depthUpdate", "BTCUSDT", last_id + 1)
        last_id = event["u"]
        assert "pu" not in event
        for price, quantity in event["b"]:
            book[Decimal(price)] = Decimal(quantity)
    final = world.exchange.books.book("spot", "BTCUSDT", world.exchange.time_ms)
    assert {price: quantity for price, quantity in book.items() if quantity} == dict(final.bids)
    assert last_id == final.update_id


async def test_usdm_depth_carries_the_previous_last_id_and_follows_its_own_pace(
    world: World,
) -> None:
    socket = await world.open(f"{USDM}/public/ws/0")
    await subscribe(socket, "ethusdt@depth")
    previous = world.exchange.books.book("usdm", "ETHUSDT", START_MS).update_id
    world.exchange.time_ms += 200
    assert await silent(socket, 0.15)
    for step in (250, 500, 1000):
        world.exchange.time_ms = START_MS + step
        event = await frame(socket)
        assert (event["pu"], event["T"]) == (previous, START_MS + step)
        previous = event["u"]


async def test_a_combined_stream_wraps_what_it_sends(world: World) -> None:
    socket = await world.open(f"{SPOT}/stream?streams=btcusdt@trade/ethusdt@bookTicker")
    await until(lambda: bool(world.server.hub.describe()))
    world.exchange.time_ms += 5_000
    received: dict[str, Frame] = {}
    while len(received) < 2:
        message = await frame(socket)
        received[message["stream"]] = message["data"]
    assert received["btcusdt@trade"]["e"] == "trade"
    assert set(received["ethusdt@bookTicker"]) == {"u", "s", "b", "B", "a", "A"}


async def test_subscriptions_are_listed_ended_and_refused_when_malformed(world: World) -> None:
    socket = await world.open(f"{SPOT}/ws")
    await subscribe(socket, "btcusdt@depth", "nosuch@depth", "btcusdt@kline_1m")
    await socket.send_json({"method": "UNSUBSCRIBE", "params": ["nosuch@depth"], "id": 2})
    assert await frame(socket) == {"result": None, "id": 2}
    await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 3})
    assert await frame(socket) == {"result": ["btcusdt@depth", "btcusdt@kline_1m"], "id": 3}
    bad: list[tuple[Any, int]] = [
        ({"method": "SUBSCRIBE", "params": ["nonsense"], "id": 4}, 2),
        ({"method": "SUBSCRIBE", "params": "btcusdt@depth", "id": 5}, 2),
        ({"method": "PLACE", "params": [], "id": 6}, 2),
        (["no", "object"], 3),
    ]
    for message, code in bad:
        await socket.send_json(message)
        assert (await frame(socket))["error"]["code"] == code
    await socket.send_str("{")
    assert (await frame(socket))["error"]["code"] == 3
    await socket.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@depth"], "id": 7})
    await frame(socket)
    world.exchange.time_ms += 10_000
    assert await silent(socket)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/market/ws/0", "btcusdt@depth@100ms"),
        ("/public/ws/0", "btcusdt@markPrice@1s"),
        ("/ws/0", "btcusdt@depth@100ms"),
        ("/stream?streams=btcusdt@depth", "btcusdt@trade"),
        ("/private/ws?listenKey=unknown", "btcusdt@depth@100ms"),
    ],
)
async def test_a_wrong_usdm_path_is_connected_but_silent(
    world: World, path: str, name: str
) -> None:
    socket = await world.open(f"{USDM}{path}")
    await subscribe(socket, name)
    world.exchange.time_ms += 10_000
    world.tell("ORDER_TRADE_UPDATE", market="usdm")
    assert await silent(socket)


@pytest.mark.parametrize("url", [f"{SPOT}/nowhere", "wss://api.binance.com/ws", f"{API}x"])
async def test_a_path_without_a_dialect_is_refused(world: World, url: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
        await world.open(url)


async def test_spot_user_data_is_wrapped_and_reaches_only_its_account(world: World) -> None:
    socket = await world.open(API)
    await socket.send_json(
        {
            "id": "a",
            "method": "userDataStream.subscribe.signature",
            "params": {"signature": "good"},
        }
    )
    assert await frame(socket) == {
        "id": "a",
        "status": 200,
        "result": {"subscriptionId": 0},
        "rateLimits": [],
    }
    world.tell("executionReport", account="other")
    world.tell("ORDER_TRADE_UPDATE", market="usdm")
    world.tell("executionReport")
    assert await frame(socket) == {
        "subscriptionId": 0,
        "event": {"e": "executionReport", "E": START_MS},
    }
    await socket.send_json({"id": "b", "method": "userDataStream.unsubscribe"})
    assert (await frame(socket))["status"] == 200
    world.tell("executionReport")
    assert await silent(socket)


async def test_the_websocket_api_refuses_what_it_must(world: World) -> None:
    socket = await world.open(API)
    refused: list[tuple[str, Frame, int]] = [
        ("userDataStream.subscribe.signature", {"signature": "bad"}, -1022),
        ("userDataStream.subscribe.signature", {}, -1022),
        ("userDataStream.subscribe", {}, -1022),
        ("userDataStream.start", {"apiKey": "x"}, -1000),
        ("userDataStream.unsubscribe", {"subscriptionId": 9}, -1145),
    ]
    for method, parameters, code in refused:
        await socket.send_json({"id": 1, "method": method, "params": parameters})
        answer = await frame(socket)
        assert answer["error"]["code"] == code, method
        assert answer["status"] != 200
    world.tell("executionReport")
    assert await silent(socket, 0.1)
    await socket.send_json({"id": 2, "method": "time"})
    assert (await frame(socket))["result"] == {"serverTime": START_MS}


async def test_a_listen_key_stream_is_bare_and_ends_with_its_key(world: World) -> None:
    socket = await world.open(f"{USDM}/private/ws?listenKey=good-key")
    await until(lambda: bool(world.server.hub.describe()))
    world.tell("ACCOUNT_UPDATE", market="usdm", account="other")
    world.tell("executionReport")
    world.tell("ACCOUNT_UPDATE", market="usdm")
    assert await frame(socket) == {"e": "ACCOUNT_UPDATE", "E": START_MS}
    del world.exchange.listen_keys["good-key"]
    assert await frame(socket) == {
        "e": "listenKeyExpired",
        "E": START_MS,
        "listenKey": "good-key",
    }
    world.tell("ACCOUNT_UPDATE", market="usdm")
    assert await silent(socket)


async def test_a_gap_loses_one_event_and_the_next_one_shows_it(world: World) -> None:
    socket = await world.open(f"{SPOT}/ws")
    await subscribe(socket, "btcusdt@depth@100ms")
    world.exchange.time_ms += 100
    first = await frame(socket)
    world.break_stream("gap", "spot/btcusdt@depth@100ms")
    world.exchange.time_ms += 100
    await until(lambda: not world.exchange.control.stream_faults.waiting)
    world.exchange.time_ms += 100
    assert (await frame(socket))["U"] > first["u"] + 1


async def test_private_events_are_lost_doubled_and_late_on_demand(world: World) -> None:
    socket = await world.open(f"{USDM}/private/ws/good-key")
    await until(lambda: bool(world.server.hub.describe()))
    world.break_stream("gap", "usdm/user/LOST")
    world.break_stream("duplicated", "usdm/user/DOUBLED")
    world.break_stream("delayed", "usdm/user/LATE", delay_ms=150)
    for name in ("LOST", "LATE", "DOUBLED", "PLAIN"):
        world.tell(name, market="usdm")
    names = [(await frame(socket))["e"] for _ in range(4)]
    assert names == ["DOUBLED", "DOUBLED", "PLAIN", "LATE"]


async def test_a_stalled_stream_swallows_everything_and_still_answers_pings(world: World) -> None:
    socket = await world.open(f"{SPOT}/ws")
    await subscribe(socket, "btcusdt@depth@100ms")
    world.break_stream("stall", "spot/market", duration_ms=400)
    await until(lambda: world.server.hub.describe()[0].stalled)
    world.exchange.time_ms += 100
    await until(lambda: world.server.hub.describe()[0].swallowed == 1)
    await socket.ping(b"alive")
    assert await silent(socket, 0.1)
    await until(lambda: not world.server.hub.describe()[0].stalled)
    world.exchange.time_ms += 100
    before = world.exchange.books.book("spot", "BTCUSDT", START_MS).update_id
    assert (await frame(socket))["U"] > before + 1


async def test_a_connection_that_begins_silent_stays_silent(world: World) -> None:
    world.break_stream("silent_path", "spot/market")
    socket = await world.open(f"{SPOT}/ws/btcusdt@trade")
    await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    world.exchange.time_ms += 10_000
    assert await silent(socket)


async def test_service_restart_shutdown_notice_and_expiry_on_demand(world: World) -> None:
    market = await world.open(f"{SPOT}/ws")
    await until(lambda: len(world.server.hub.describe()) == 1)
    private = await world.open(f"{USDM}/private/ws/good-key")
    await until(lambda: len(world.server.hub.describe()) == 2)
    world.break_stream("server_shutdown", "spot/market")
    assert await frame(market) == {"e": "serverShutdown", "E": START_MS}
    world.break_stream("listen_key_expired", "usdm/user")
    assert (await frame(private))["e"] == "listenKeyExpired"
    world.break_stream("close_1012", "spot/market")
    closing = await market.receive(timeout=2)
    assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1012)
    await until(lambda: len(world.server.hub.describe()) == 1)


async def test_a_client_that_ignores_a_close_holds_up_nobody(world: World) -> None:
    market = await world.open(f"{SPOT}/ws")
    await subscribe(market, "btcusdt@depth@100ms")
    deaf = await world.open(API)
    await until(lambda: len(world.server.hub.describe()) == 2)
    world.break_stream("close_1012", "spot/user")
    await until(lambda: not world.exchange.control.stream_faults.waiting)
    started = time.monotonic()
    world.exchange.time_ms += 100
    await frame(market)
    assert time.monotonic() - started < 1
    assert not deaf.closed


async def test_a_client_that_talks_too_fast_is_disconnected(certificates: Certificates) -> None:
    async with running(certificates, Liveness(60_000, 600_000, 86_400_000, 5)) as world:
        socket = await world.open(f"{SPOT}/ws")
        for number in range(6):
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
        while True:
            message = await socket.receive(timeout=2)
            if message.type is aiohttp.WSMsgType.CLOSE:
                break
        assert message.data == 1008


async def test_the_server_pings_and_drops_a_client_without_pongs(
    certificates: Certificates,
) -> None:
    async with running(certificates, Liveness(100, 300, 86_400_000, 100)) as world:
        polite = await world.open(f"{SPOT}/ws")
        rude = await world.session.ws_connect(f"{SPOT}/ws", autoping=False)
        listening = asyncio.ensure_future(polite.receive())
        while True:
            message = await rude.receive(timeout=2)
            if message.type is aiohttp.WSMsgType.CLOSE:
                break
            assert message.type is aiohttp.WSMsgType.PING
        assert message.data == 1008
        await until(lambda: world.server.hub.describe()[0].pings >= 4)
        assert not listening.done()
        listening.cancel()


async def test_a_connection_ends_at_its_age(certificates: Certificates) -> None:
    async with running(certificates, Liveness(60_000, 600_000, 200, 100)) as world:
        socket = await world.open(f"{SPOT}/ws")
        message = await socket.receive(timeout=2)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)


async def test_stopping_the_server_closes_every_stream_as_a_restart(
    certificates: Certificates,
) -> None:
    async with running(certificates) as world:
        socket = await world.open(f"{SPOT}/ws")
        await until(lambda: bool(world.server.hub.describe()))
        receiving = asyncio.ensure_future(socket.receive(timeout=5))
        await asyncio.sleep(0)
        await world.server.stop()
        message = await receiving
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1012)
