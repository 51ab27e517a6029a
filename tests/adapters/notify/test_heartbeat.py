"""The heartbeat: told at start and end, never in the way, never telling a secret."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from resyncctl.adapters.notify.heartbeat import BODY_MAX, Heartbeat, ping_address, run_uuid
from resyncctl.adapters.store.redaction import make_redactor

RUN = "20261121T103000Z-reconcile-2abc"
TOKEN = "0b1c2d3e-canary"


@dataclass
class Service:
    """A health-check service on this machine that writes down what it is told."""

    status: int = 200
    delay_s: float = 0.0
    told: list[tuple[str, str, str]] = field(default_factory=list)
    address: str = ""

    async def ping(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.told.append((request.method, request.path_qs, body))
        await asyncio.sleep(self.delay_s)
        return web.Response(status=self.status, headers={"Location": "/elsewhere"}, text="OK")


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    application = web.Application()
    application.router.add_route("*", "/{anything:.*}", made.ping)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.address = f"http://{host}:{port}/ping/{TOKEN}"
    yield made
    await runner.cleanup()


def heartbeat(service: Service, **changes: object) -> Heartbeat:
    options: dict[str, object] = {"redact": lambda text: text, "timeout_ms": 2_000, **changes}
    return Heartbeat(service.address, RUN, **options)  # type: ignore[arg-type]  # its own options


async def test_a_run_is_told_from_start_to_end(service: Service) -> None:
    beat = heartbeat(service)
    assert await beat.start() is None
    assert await beat.finish(11, "2 findings") is None
    rid = f"rid={run_uuid(RUN)}"
    assert service.told == [
        ("POST", f"/ping/{TOKEN}/start?{rid}", f"run {RUN} started"),
        ("POST", f"/ping/{TOKEN}/11?{rid}", "2 findings"),
    ]
    assert str(uuid.UUID(str(run_uuid(RUN)))) == str(run_uuid(RUN))


@pytest.mark.parametrize("status", [301, 404, 500, 503])
async def test_a_refusal_is_a_warning_that_names_only_the_host(
    service: Service, status: int
) -> None:
    service.status = status
    warning = await heartbeat(service).finish(0)
    assert warning is not None
    assert str(status) in warning
    assert "127.0.0.1" in warning
    assert TOKEN not in warning
    assert len(service.told) == 1, "no redirect is followed and nothing is sent again"


async def test_a_slow_service_is_not_waited_for(service: Service) -> None:
    service.delay_s = 5
    began = time.monotonic()
    warning = await heartbeat(service, timeout_ms=150).start()
    assert time.monotonic() - began < 2
    assert warning is not None
    assert "0.15 s" in warning


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/canary-token",
        "http://no-such-host.invalid/canary-token",
        "ftp://example.com/canary-token",
        "http:///canary-token",
        "http://[broken/canary-token",
        "canary-token",
        "",
    ],
)
async def test_a_bad_address_is_a_warning(address: str) -> None:
    beat = Heartbeat(address, RUN, redact=lambda text: text, timeout_ms=2_000)
    warning = await beat.start()
    assert warning is not None
    assert "canary" not in warning


async def test_the_body_is_short_and_carries_no_secret(service: Service) -> None:
    beat = heartbeat(service, redact=make_redactor(["CANARY-SECRET"]))
    await beat.finish(1, "key CANARY-SECRET " + "x" * 200_000)
    (_, _, body) = service.told[0]
    assert "CANARY" not in body
    assert len(body) == BODY_MAX


def test_a_query_is_kept() -> None:
    address = ping_address("https://hc.example/ping/uuid/?tag=a", "0", RUN)
    assert address == f"https://hc.example/ping/uuid/0?tag=a&rid={run_uuid(RUN)}"
