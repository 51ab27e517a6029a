"""The session under ccxt: real exceptions, real URLs, and a client that gives up undoes nothing."""

import asyncio
import time

import aiohttp
import pytest

from resyncctl.simulator.in_process import InProcessSession
from tests.simulator.practice import SPOT, Bench

_TIME = f"{SPOT}/api/v3/time"


async def _text(session: InProcessSession, **options: object) -> str:
    async with session.get(_TIME, **options) as response:
        return await response.text()


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("answer_lost", aiohttp.ServerDisconnectedError),
        ("answer_reset", aiohttp.ClientOSError),
        ("answer_truncated", aiohttp.ClientPayloadError),
        ("answer_never", TimeoutError),
    ],
)
async def test_losses_raise_what_aiohttp_raises(fault: str, raised: type[Exception]) -> None:
    async with Bench() as bench:
        session = InProcessSession(bench.exchange)
        bench.control.inject(fault)
        with pytest.raises(raised) as caught:
            await _text(session, timeout=aiohttp.ClientTimeout(total=0.02))
        assert type(caught.value) is raised
        assert "serverTime" in await _text(session)


async def test_a_read_timeout_alone_is_a_socket_timeout() -> None:
    async with Bench() as bench:
        bench.control.inject("answer_never")
        session = InProcessSession(bench.exchange)
        with pytest.raises(aiohttp.SocketTimeoutError):
            await _text(session, timeout=aiohttp.ClientTimeout(total=None, sock_read=0.02))


async def test_latency_is_waited_for_and_can_be_too_long() -> None:
    async with Bench() as bench:
        bench.control.set_latency(30, "spot.time")
        session = InProcessSession(bench.exchange)
        began = asyncio.get_running_loop().time()
        await _text(session)
        assert asyncio.get_running_loop().time() - began >= 0.029
        with pytest.raises(TimeoutError):
            await _text(session, timeout=aiohttp.ClientTimeout(total=0.01))
        bench.control.set_latency(0, "spot.time")
        began = asyncio.get_running_loop().time()
        await _text(session)
        assert asyncio.get_running_loop().time() - began < 0.02


async def test_cancelling_the_client_does_not_undo_the_order() -> None:
    async with Bench() as bench:
        bench.control.set_latency(1_000, "create")
        client = await bench.spot()
        order = client.create_order("BTC/USDT", "limit", "buy", 0.01, 50000)
        task = asyncio.create_task(order)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(bench.control.open_orders("main")) == 1


async def test_the_hidden_second_try_of_a_kept_connection_can_be_imitated() -> None:
    async with Bench() as bench:
        session = InProcessSession(bench.exchange, hidden_resend=True)
        bench.control.inject("answer_lost", times=1)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await _text(session)
        bench.control.inject("answer_lost", times=1)
        assert "serverTime" in await _text(session)
        assert len(bench.log.select(endpoint="spot.time")) == 3


async def test_a_closed_session_refuses_and_a_response_can_be_awaited() -> None:
    async with Bench() as bench:
        async with InProcessSession(bench.exchange) as session:
            response = await session.request("get", _TIME)
            assert (response.status, response.reason, response.ok) == (200, "OK", True)
            assert (await response.json())["serverTime"] == bench.now_ms
            assert response.headers["content-type"].startswith("application/json")
        assert session.closed
        with pytest.raises(RuntimeError, match="closed"):
            await _text(session)


async def test_a_call_costs_less_than_half_a_millisecond() -> None:
    async with Bench() as bench:
        for step in range(200):
            bench.spot_order(price=str(40000 + step))
            bench.usdm_order(price=str(40000 + step))
        session = InProcessSession(bench.exchange)
        took = []
        for _ in range(5):
            began = time.process_time()
            for _ in range(100):
                await _text(session)
            took.append((time.process_time() - began) / 100)
        assert min(took) < 0.0005
