"""The wire of the practice server: TLS under real names, every fate of an answer, the control."""

import asyncio
import gzip
import itertools
import json
import ssl
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from resyncctl.simulator import transparent
from resyncctl.simulator.certificates import HOSTS, Certificates, issue
from resyncctl.simulator.server import PracticeServer, ServerOptions
from resyncctl.simulator.wire import Delivery, Fate, Reply
from tests.simulator.served import TOKEN, ScriptedExchange

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def served(
    certificates: Certificates,
) -> AsyncIterator[tuple[ScriptedExchange, PracticeServer]]:
    exchange = ScriptedExchange()
    async with PracticeServer(exchange, ServerOptions(certificates, TOKEN)) as server:
        yield exchange, server


@pytest.fixture
async def client(
    served: tuple[ScriptedExchange, PracticeServer], certificates: Certificates
) -> AsyncIterator[aiohttp.ClientSession]:
    async with transparent.session(served[1].address, certificates.ca_file) as session:
        yield session


async def test_every_real_host_name_reaches_the_exchange_over_verified_tls(
    served: tuple[ScriptedExchange, PracticeServer], client: aiohttp.ClientSession
) -> None:
    for host in HOSTS:
        async with client.get(f"https://{host}/api/v3/time") as response:
            assert await response.json() == {"ok": True}
    assert [request.host for request in served[0].log.requests] == list(HOSTS)


async def test_a_request_arrives_byte_for_byte(
    served: tuple[ScriptedExchange, PracticeServer], client: aiohttp.ClientSession
) -> None:
    from yarl import URL

    url = URL(
        "https://api.binance.com/api/v3/order?symbol=BTC%2FUSDT&a=%C3%A9&signature=x", encoded=True
    )
    async with client.post(url, data=b"side=BUY&b=%2B", headers={"X-MBX-APIKEY": "key"}):
        pass
    request = served[0].log.requests[-1]
    assert (request.method, request.path) == ("POST", "/api/v3/order")
    assert request.query == "symbol=BTC%2FUSDT&a=%C3%A9&signature=x"
    assert request.body == b"side=BUY&b=%2B"
    assert request.headers["x-mbx-apikey"] == "key"
    assert request.client == "127.0.0.1"


async def test_a_name_outside_the_certificate_fails_its_handshake(
    client: aiohttp.ClientSession,
) -> None:
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await client.get("https://www.okx.com/api/v5/public/time")


async def test_nothing_but_loopback_listens_and_nothing_else_can_be_given(
    served: tuple[ScriptedExchange, PracticeServer],
) -> None:
    for door in (served[1].address, served[1].control_address):
        host, port = door.split(":")
        assert host == "127.0.0.1"
        assert listening_addresses(int(port)) == {"0100007F"}
    for address in ("10.0.0.1:443", "0.0.0.0:443", "8.8.8.8:443"):
        with pytest.raises(ValueError, match="loopback only"):
            transparent.resolver(address)


def listening_addresses(port: int) -> set[str]:
    """Return the local addresses, as the kernel writes them, that listen on the port."""
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, hexadecimal_port = local.partition(":")
            if state == "0A" and int(hexadecimal_port, 16) == port:
                listening.add(address)
    return listening


async def test_large_answers_are_compressed_when_asked(
    served: tuple[ScriptedExchange, PracticeServer], client: aiohttp.ClientSession
) -> None:
    body = json.dumps(["word"] * 5000).encode()
    # The exchange states the length of what it said, as venues do; compression changes it.
    served[0].reply = Reply(200, {**JSON, "Content-Length": str(len(body))}, body)
    raw = aiohttp.ClientSession(
        connector=client.connector,
        connector_owner=False,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(5),
    )
    url = "https://api.binance.com/api/v3/exchangeInfo"
    async with raw, raw.get(url, headers={"Accept-Encoding": "gzip"}) as response:
        packed = await response.read()
        assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == body
    assert len(packed) < len(body) / 20
    async with client.get(url, headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers
        assert await response.read() == body


@pytest.mark.parametrize(
    ("fate", "symptom"),
    [
        ("drop", aiohttp.ServerDisconnectedError),
        ("reset", aiohttp.ClientOSError),
        ("truncate", aiohttp.ClientPayloadError),
        ("never", TimeoutError),
    ],
)
async def test_each_fate_gives_its_true_symptom_and_the_request_was_executed(
    served: tuple[ScriptedExchange, PracticeServer],
    client: aiohttp.ClientSession,
    fate: Fate,
    symptom: type[Exception],
) -> None:
    exchange = served[0]
    url = "https://api.binance.com/api/v3/order"
    async with client.get(url) as response:
        await response.read()
    exchange.reply = Reply(200, JSON, b'{"orderId":1,"status":"NEW"}', Delivery(fate=fate))
    with pytest.raises(symptom):
        async with client.post(url, timeout=aiohttp.ClientTimeout(0.3)) as response:
            await response.json()
    assert [request.method for request in exchange.log.requests] == ["GET", "POST"]
    exchange.reply = Reply(200, JSON, b"{}")
    async with client.get(url) as response:
        assert await response.json() == {}


async def test_a_reset_is_a_reset_on_the_wire(
    served: tuple[ScriptedExchange, PracticeServer], client: aiohttp.ClientSession
) -> None:
    served[0].reply = Reply(200, JSON, b"{}", Delivery(fate="reset"))
    with pytest.raises(aiohttp.ClientOSError) as caught:
        await client.post("https://fapi.binance.com/fapi/v1/order")
    assert isinstance(caught.value, ConnectionResetError | aiohttp.ClientOSError)
    assert caught.value.errno == 104


async def test_a_truncated_answer_promises_its_full_length(
    served: tuple[ScriptedExchange, PracticeServer], client: aiohttp.ClientSession
) -> None:
    body = b"x" * 1000
    served[0].reply = Reply(200, JSON, body, Delivery(fate="truncate"))
    async with client.get("https://api.binance.com/api/v3/openOrders") as response:
        assert response.headers["Content-Length"] == "1000"
        assert await response.content.readexactly(500) == body[:500]
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.readany()


async def test_a_late_answer_is_late_and_executed_at_once(
    served: tuple[ScriptedExchange, PracticeServer], client: aiohttp.ClientSession
) -> None:
    served[0].reply = Reply(200, JSON, b"{}", Delivery(delay_ms=300))
    started = time.monotonic()
    task = asyncio.ensure_future(client.get("https://api.binance.com/api/v3/order"))
    while not served[0].log.requests:  # noqa: ASYNC110  # the exchange has no event to wait for
        await asyncio.sleep(0.01)
    executed = time.monotonic() - started
    (await task).release()
    assert executed < 0.25
    assert time.monotonic() - started >= 0.3


def test_the_keys_are_private_and_the_authority_key_is_nowhere(tmp_path: Path) -> None:
    made = issue(tmp_path / "state")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    keys = [path for path in (tmp_path / "state").iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    assert keys == [made.server_key_file]
    default = ssl.create_default_context()
    assert made.ca_file.read_text() not in "".join(
        ssl.DER_cert_to_PEM_cert(der) for der in default.get_ca_certs(binary_form=True)
    )


async def test_each_start_has_its_own_authority(
    served: tuple[ScriptedExchange, PracticeServer], tmp_path: Path
) -> None:
    other = issue(tmp_path)
    async with transparent.session(served[1].address, other.ca_file) as stranger:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await stranger.get("https://api.binance.com/api/v3/time")


def control_url(server: PracticeServer, path: str) -> str:
    return f"https://127.0.0.1:{server.address.rpartition(':')[2]}/_control/{path}"


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"]
)
async def test_the_control_plane_refuses_everything_without_its_token(
    served: tuple[ScriptedExchange, PracticeServer],
    client: aiohttp.ClientSession,
    authorization: str | None,
) -> None:
    exchange, server = served
    headers = {} if authorization is None else {"Authorization": authorization}
    paths = ("health", "methods", "streams", "call/deposit", "log/count")
    for method, path in itertools.product(("GET", "POST"), paths):
        async with client.request(
            method, control_url(server, path), headers=headers, json={"account": "main"}
        ) as response:
            assert response.status == 401
    assert exchange.control.calls == []


async def test_the_control_plane_does_not_exist_under_an_exchange_name(
    served: tuple[ScriptedExchange, PracticeServer], client: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with client.post(
        "https://api.binance.com/_control/call/deposit", headers=headers, json={"account": "main"}
    ) as response:
        assert response.status == 404
    assert served[0].control.calls == []


async def test_the_control_plane_calls_public_methods_and_reports_refusals(
    served: tuple[ScriptedExchange, PracticeServer], client: aiohttp.ClientSession
) -> None:
    exchange, server = served

    async def call(path: str, body: object = None, raw: bytes | None = None) -> tuple[int, object]:
        data = raw if raw is not None else json.dumps(body or {}).encode()
        async with client.post(
            control_url(server, path), data=data, headers={"Authorization": f"Bearer {TOKEN}"}
        ) as response:
            answer = await response.json()
            return response.status, answer.get("result", answer.get("error"))

    deposited = {"account": "main", "amount": "2.5"}
    assert await call("call/deposit", deposited) == (200, deposited)
    assert exchange.control.calls == [deposited]
    assert await call("log/count") == (200, 0)
    assert (await call("call/deposit", {"account": "nobody"}))[0] == 422
    assert (await call("call/deposit", {"amount": "1"}))[0] == 400
    assert (await call("call/deposit", {"account": "x", "surplus": 1}))[0] == 400
    assert (await call("call/deposit", raw=b"{"))[0] == 400
    assert (await call("call/deposit", raw=b"[]"))[0] == 400
    for name in ("_hidden", "__init__", "stream_faults", "nothing", ""):
        assert (await call(f"call/{name}"))[0] == 404
    assert (await call("log/add", {"row": {}}))[0] == 404
    assert exchange.control.calls == [deposited]


async def test_a_server_whose_time_stands_still_says_why(certificates: Certificates) -> None:
    exchange = ScriptedExchange()
    server = PracticeServer(exchange, ServerOptions(certificates, TOKEN))
    await server.__aenter__()
    exchange.breaks = ArithmeticError("the clock fell off the wall")
    await asyncio.wait({server.timekeeper}, timeout=2)
    with pytest.raises(ArithmeticError, match="fell off the wall"):
        await server.stop()
