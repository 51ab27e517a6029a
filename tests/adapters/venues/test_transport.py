"""What may leave, what may come in, and how the truth about a request is kept."""

import asyncio
from collections.abc import Callable

import aiohttp
import pytest
import yarl

from resyncctl.adapters.venues.via_ccxt.clock import VenueClock
from resyncctl.adapters.venues.via_ccxt.connect import (
    Connection,
    ConnectionPlan,
    Secrets,
    connect,
)
from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.permits import Endpoint, EndpointKind
from resyncctl.adapters.venues.via_ccxt.transport import Phase
from resyncctl.core.mutation import Permit
from tests.adapters.venues.scripted import Answer, Say, ScriptedSession
from tests.fakes.fake_clock import FakeClock

KINDS = {
    "GET": EndpointKind.READ,
    "DELETE": EndpointKind.CANCEL,
    "POST": EndpointKind.CREATE,
    "PUT": EndpointKind.AMEND,
}
LIST = "privateGetOpenOrders"
CANCEL = "privateDeleteOrder"
PATH = "/api/v3/openOrders"


def classify(method: str, host: str, path: str, query: str, body: bytes) -> Endpoint:
    return Endpoint(path, KINDS.get(method, EndpointKind.UNLISTED), 10)


def connection(session: ScriptedSession, clock: FakeClock | None = None) -> Connection:
    held = clock or FakeClock()
    return connect(
        ConnectionPlan(
            venue="binance",
            secrets=Secrets(api_key="key-canary-1", secret="secret-canary-1"),
            egress=Egress(held),
            clock=VenueClock(held),
            classify=classify,
            session_factory=lambda: session,
        )
    )


def permit(clock: FakeClock, name: str = "intent-1") -> Permit:
    return Permit(name, clock.now_ms() + 5_000, 1)


BODIES = ["", "   ", "{}", "null", "7", '"ok"', "true", "<html>maintenance</html>", '[{"symbol":']


@pytest.mark.parametrize("body", BODIES)
async def test_a_success_without_content_never_reaches_a_parser(body: str) -> None:
    session = ScriptedSession({f"GET {PATH}": Say(body)})
    client = connection(session)
    attempt = await client.ask(LIST)
    assert attempt.status == 200
    assert not attempt.ok
    assert attempt.trouble is not None
    client.exchange.markets, client.exchange.markets_by_id = {}, {}
    with pytest.raises(Exception, match="the exchange"):
        await client.exchange.fetch_open_orders()
    await client.close()


async def test_a_whole_answer_passes_with_exact_numbers() -> None:
    session = ScriptedSession({f"GET {PATH}": Say('[{"price": 0.123456789012345678901}]')})
    client = connection(session)
    attempt = await client.ask(LIST)
    assert attempt.ok
    assert str(attempt.body) == "[{'price': Decimal('0.123456789012345678901')}]"
    await client.close()


@pytest.mark.invariant("I10", "I13")
async def test_an_order_can_not_be_created_or_amended() -> None:
    session = ScriptedSession({"*": Say({"orderId": 1})})
    clock = FakeClock()
    client = connection(session, clock)
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    for method in ("privatePostOrder", "fapiPrivatePostOrder", "fapiPrivatePutOrder"):
        attempt = await client.ask(method, order, permit=permit(clock, method))
        assert attempt.phase is Phase.REFUSED
    assert session.asked == []
    await client.close()


@pytest.mark.invariant("I24")
async def test_one_permit_pays_for_one_request() -> None:
    session = ScriptedSession({"*": Say({"orderId": 1})})
    clock = FakeClock()
    client = connection(session, clock)
    paid = permit(clock)
    assert (await client.ask(CANCEL, {"symbol": "A"}, permit=paid)).ok
    again = await client.ask(CANCEL, {"symbol": "A"}, permit=paid)
    assert again.phase is Phase.REFUSED
    assert (await client.ask(CANCEL, {"symbol": "A"})).phase is Phase.REFUSED
    late = Permit("late", clock.now_ms(), 1)
    assert (await client.ask(CANCEL, {"symbol": "A"}, permit=late)).phase is Phase.REFUSED
    assert len(session.asked) == 1
    assert client.egress.desk.spent == {"intent-1"}
    await client.close()


async def test_a_permit_is_not_seen_by_a_call_beside_it() -> None:
    session = ScriptedSession({"*": Say({"orderId": 1})})
    clock = FakeClock()
    client = connection(session, clock)
    first, second = await asyncio.gather(
        client.ask(CANCEL, {"symbol": "A"}, permit=permit(clock)),
        client.ask(CANCEL, {"symbol": "B"}),
    )
    assert first.ok
    assert second.phase is Phase.REFUSED
    await client.close()


async def test_a_read_needs_no_permit_and_spends_none() -> None:
    session = ScriptedSession({"*": Say([])})
    clock = FakeClock()
    client = connection(session, clock)
    assert (await client.ask(LIST, permit=permit(clock))).ok
    assert client.egress.desk.spent == frozenset()
    await client.close()


KEY = aiohttp.client_reqrep.ConnectionKey("api.binance.com", 443, True, True, None, None, None)
NOT_SENT = [
    aiohttp.ClientConnectorError(KEY, OSError(111, "refused")),
    aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "no such name")),
    aiohttp.ConnectionTimeoutError("connect"),
]
SENT = [
    aiohttp.ServerDisconnectedError(),
    aiohttp.ClientOSError(104, "reset"),
    aiohttp.SocketTimeoutError("read"),
    aiohttp.ClientPayloadError("cut"),
    TimeoutError(),
]


@pytest.mark.parametrize(
    ("error", "phase"),
    [(error, Phase.NOT_SENT) for error in NOT_SENT] + [(error, Phase.SENT) for error in SENT],
)
async def test_the_phase_says_whether_a_byte_left(error: Exception, phase: Phase) -> None:
    session = ScriptedSession({"*": error})
    clock = FakeClock()
    client = connection(session, clock)
    attempt = await client.ask(CANCEL, {"symbol": "A"}, permit=permit(clock))
    assert attempt.phase is phase
    assert not attempt.ok
    assert client.egress.budget("api.binance.com").under_way == 0
    await client.close()


@pytest.mark.invariant("I24")
async def test_a_redirect_is_not_followed_and_not_a_success() -> None:
    session = ScriptedSession({"*": Say("", status=302, headers={"Location": "https://x/"})})
    client = connection(session)
    attempt = await client.ask(LIST)
    assert attempt.status == 302
    assert not attempt.ok
    assert len(session.asked) == 1
    await client.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_a_bare_address_is_not_an_exchange(host: str) -> None:
    session = ScriptedSession({"*": Say([])})
    client = connection(session)
    with pytest.raises(Exception, match="bare network address"):
        async with client.session.get(yarl.URL(f"https://{host}/api/v3/time")):
            pass
    assert session.asked == []
    await client.close()


BANS = [
    (429, {"Retry-After": "7"}, 7_000),
    (418, {"Retry-After": "33"}, 33_000),
    (418, {}, 120_000),
    (403, {}, 120_000),
]


@pytest.mark.invariant("I34")
@pytest.mark.parametrize(("status", "headers", "pause_ms"), BANS)
async def test_after_a_ban_nothing_leaves_before_its_end(
    status: int, headers: dict[str, str], pause_ms: int
) -> None:
    session = ScriptedSession({"*": [Say("<html>", status=status, headers=headers), Say([])]})
    clock = FakeClock()
    client = connection(session, clock)
    banned = await client.ask(LIST)
    assert banned.wait_ms == pause_ms
    clock.advance(pause_ms - 1)
    kept = await client.ask(CANCEL, {"symbol": "A"}, permit=permit(clock))
    assert kept.phase is Phase.REFUSED
    assert kept.wait_ms == 1
    assert (await client.ask(LIST)).phase is Phase.REFUSED
    assert client.egress.desk.spent == frozenset()
    assert len(session.asked) == 1
    clock.advance(1)
    assert (await client.ask(LIST)).ok
    await client.close()


@pytest.mark.invariant("I34")
async def test_the_end_of_a_ban_is_read_from_its_text() -> None:
    clock = FakeClock()
    text = f"Way too much request weight used; IP banned until {clock.now_ms() + 90_000}."
    session = ScriptedSession({"*": Say({"code": -1003, "msg": text}, status=418)})
    client = connection(session, clock)
    assert (await client.ask(LIST)).wait_ms == 90_000
    await client.close()


async def test_a_permission_error_is_not_a_ban() -> None:
    session = ScriptedSession({"*": [Say({"code": -2015, "msg": "no"}, status=403), Say([])]})
    client = connection(session)
    assert not (await client.ask(LIST)).ok
    assert (await client.ask(LIST)).ok
    await client.close()


def heavy(used: int) -> Callable[[object], Say]:
    return lambda asked: Say([], headers={"X-MBX-USED-WEIGHT-1M": str(used)})


async def test_reads_leave_a_reserve_that_cancels_may_use() -> None:
    answers: list[Answer] = [heavy(3_899), Say({"orderId": 1}), Say([])]
    session = ScriptedSession({"*": answers})
    clock = FakeClock()
    client = connection(session, clock)
    await client.ask(LIST)
    began_ms = clock.monotonic_ms()
    assert (await client.ask(CANCEL, {"symbol": "A"}, permit=permit(clock))).ok
    assert clock.monotonic_ms() == began_ms
    assert (await client.ask(LIST)).ok
    assert clock.slept, "a read beyond the share waits for the next minute"
    assert clock.now_ms() // 60_000 > (clock.now_ms() - clock.slept[0]) // 60_000
    await client.close()


async def test_records_hold_no_query_body_or_header() -> None:
    session = ScriptedSession({"*": Say([], headers={"X-MBX-USED-WEIGHT-1M": "12"})})
    client = connection(session)
    await client.ask(LIST, {"symbol": "BTCUSDT"})
    (record,) = client.egress.records
    assert (record.method, record.path, record.status) == ("GET", PATH, 200)
    assert record.weight_used == 12
    text = repr(record) + repr(client.egress)
    for secret in ("signature", "canary", "BTCUSDT", "timestamp"):
        assert secret not in text
    await client.close()


async def test_credentials_do_not_show_themselves() -> None:
    session = ScriptedSession({"*": Say({"code": -1022, "msg": "bad"}, status=400)})
    client = connection(session)
    attempt = await client.ask(LIST)
    assert "canary" not in repr(Secrets(api_key="key-canary-1", secret="secret-canary-1"))
    assert "signature=" not in repr(attempt)
    assert "canary" not in repr(attempt)
    await client.close()
