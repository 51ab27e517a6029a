"""The demo engine's own door on loopback: ask how it is, pause it, stop it.

Promises: it listens on 127.0.0.1 only and wants the token that stands in the control file (mode
0600, removed on a clean end). Stopping here is what SIGTERM does. Called by `__main__`;
`read_control_file` and `call` are for whoever steers the engine.
"""

import contextlib
import hmac
import http.client
import json
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from resyncctl.sdk import Recoverable
from resyncctl.sdk.durable import replace_durably
from resyncctl.simulator.engine.loop import Life

_HOST = "127.0.0.1"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class EngineControl:
    """A handle on a running demo engine."""

    address: str
    token: str
    pid: int

    def call(self, verb: str, timeout_s: float = 10.0) -> dict[str, Any]:
        """Call `status`, `pause`, `resume` or `stop` and return the status after it.

        Raises:
            OSError: The engine cannot be reached.
            ValueError: It refused or did not answer with JSON.
        """
        host, _, port = self.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=timeout_s)
        try:
            method = "GET" if verb == "status" else "POST"
            headers = {"Authorization": f"Bearer {self.token}"}
            connection.request(method, f"/{verb}", headers=headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise ValueError(f"the engine answered {response.status} to {verb}")
        return dict(json.loads(body))


def read_control_file(path: Path | str) -> EngineControl:
    """Return the handle that a running engine has written.

    Raises:
        OSError: There is none.
        ValueError: It does not hold what it must.
    """
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    return EngineControl(str(document["address"]), str(document["token"]), int(document["pid"]))


@contextlib.asynccontextmanager
async def serve_control(path: Path, life: Life, state: Recoverable) -> AsyncIterator[str]:
    """Serve the door and write the control file; yield the address."""
    token = secrets.token_urlsafe(24)

    async def status(_request: web.Request) -> web.StreamResponse:
        return web.json_response(describe(life, state))

    async def pause(request: web.Request) -> web.StreamResponse:
        life.paused = True
        return await status(request)

    async def resume(request: web.Request) -> web.StreamResponse:
        life.paused = False
        return await status(request)

    async def stop(request: web.Request) -> web.StreamResponse:
        life.stop.set()
        return await status(request)

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return web.json_response({"error": "a bearer token is needed"}, status=401)
        return await handler(request)

    app = web.Application(middlewares=[admit])
    app.add_routes(
        [
            web.get("/status", status),
            web.post("/pause", pause),
            web.post("/resume", resume),
            web.post("/stop", stop),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, _HOST, 0).start()
        address = f"{_HOST}:{runner.addresses[0][1]}"
        document = {"address": address, "token": token, "pid": os.getpid()}
        replace_durably(path, json.dumps(document).encode() + b"\n")
        yield address
    finally:
        _forget(path)
        await runner.cleanup()


def _forget(path: Path) -> None:
    path.unlink(missing_ok=True)


def describe(life: Life, state: Recoverable) -> dict[str, object]:
    """Return what the engine says about itself."""
    gate = state.gate.status()
    return {
        "phase": life.phase,
        "paused": life.paused,
        "trouble": life.trouble,
        "rounds": life.rounds,
        "live_orders": life.live_orders,
        "synced_ms": life.synced_ms,
        "gate": gate.state.value,
        "gate_reason": gate.reason,
        "resumed": state.resumed,
        "fallback": state.fallback,
    }
