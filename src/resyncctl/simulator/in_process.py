"""The practice exchange under an unmodified ccxt object, without a socket.

Promises: `InProcessSession` is put at `exchange.session` and behaves like `aiohttp.ClientSession`
for what ccxt's asynchronous classes use; real URLs stay, so the host-keyed error tables of ccxt
stay right; what the venue executes is executed when the request is sent, and a client that gives
up does not undo it; losses raise the very exceptions that aiohttp raises. Waiting uses the running
loop's clock, so it is instant under a virtual one.

Called by tests, drills and benchmarks that need many fast runs.
"""

import asyncio
import errno
import json
from collections.abc import Awaitable, Callable, Generator, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from resyncctl.simulator.exchange import PracticeExchange
from resyncctl.simulator.wire import Reply, Request

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})


class InProcessResponse:
    """What a request answered; reading a truncated body raises `ClientPayloadError`."""

    def __init__(self, method: str, url: URL, reply: Reply) -> None:
        self.method = method
        self.url = url
        self.status = reply.status
        self.headers: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict(reply.headers))
        self.reason = _reason(reply.status)
        self._body = reply.body
        self._truncated = reply.delivery.fate == "truncate"

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    @property
    def content(self) -> Self:
        """The stream of the body: it can be read, as a whole."""
        return self

    async def read(self) -> bytes:
        """Return the body."""
        if self._truncated:
            raise aiohttp.ClientPayloadError(
                "Response payload is not completed: <ContentLengthError: 400, message='Not enough "
                "data to satisfy content length header.'>"
            )
        return self._body

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """Return the body as text."""
        return (await self.read()).decode(encoding or "utf-8", errors)

    async def json(
        self,
        *,
        encoding: str | None = None,
        loads: Callable[[str], Any] = json.loads,
        content_type: str | None = "application/json",
    ) -> Any:
        """Return the body as JSON, None when it is empty."""
        stripped = (await self.text(encoding)).strip()
        actual = self.headers.get("Content-Type", "")
        if content_type is not None and not actual.startswith(content_type):
            raise aiohttp.ClientPayloadError(f"unexpected mimetype: {actual}")
        return loads(stripped) if stripped else None

    def raise_for_status(self) -> None:
        """Raise `ClientError` for a status of 400 and above."""
        if not self.ok:
            raise aiohttp.ClientError(f"{self.status} {self.reason} {self.url}")

    def release(self) -> None:
        """Give the connection back: there is none."""

    def close(self) -> None:
        """Close the connection: there is none."""


class _Sending:
    """What `session.get(...)` returns: awaitable, and an asynchronous context manager."""

    def __init__(self, send: Callable[[], Awaitable[InProcessResponse]]) -> None:
        self._send = send

    def __await__(self) -> Generator[Any, None, InProcessResponse]:
        return self._send().__await__()

    async def __aenter__(self) -> InProcessResponse:
        return await self._send()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None


class InProcessSession:
    """An `aiohttp.ClientSession` whose other end is a practice exchange in this process.

    `client` is the address that the venue sees (rate limits count by it). `hidden_resend` imitates
    aiohttp's second try of idempotent requests on a kept connection that breaks.
    """

    def __init__(
        self,
        exchange: PracticeExchange,
        *,
        client: str = "10.0.0.1",
        hidden_resend: bool = False,
    ) -> None:
        self._exchange = exchange
        self._client = client
        self._hidden_resend = hidden_resend
        self._used = False
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.closed = False

    def request(self, method: str, url: str | URL, **options: Any) -> _Sending:
        """Send a request; `headers`, `data` and `timeout` are understood."""
        return _Sending(lambda: self._send(method.upper(), url, options))

    def get(self, url: str | URL, **options: Any) -> _Sending:
        """Send a GET."""
        return self.request("GET", url, **options)

    def post(self, url: str | URL, **options: Any) -> _Sending:
        """Send a POST."""
        return self.request("POST", url, **options)

    def put(self, url: str | URL, **options: Any) -> _Sending:
        """Send a PUT."""
        return self.request("PUT", url, **options)

    def delete(self, url: str | URL, **options: Any) -> _Sending:
        """Send a DELETE."""
        return self.request("DELETE", url, **options)

    async def close(self) -> None:
        """Refuse every later request."""
        self.closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _send(
        self, method: str, url: str | URL, options: Mapping[str, Any]
    ) -> InProcessResponse:
        if self.closed:
            raise RuntimeError("Session is closed")
        target = url if isinstance(url, URL) else URL(url, encoded=True)
        request = self._request(method, target, options)
        total_s, read_s = _timeouts(options.get("timeout"))
        reused, self._used = self._used, True
        reply = self._exchange.handle(request)
        if (
            self._hidden_resend
            and reused
            and method in _IDEMPOTENT
            and reply.delivery.fate in ("drop", "reset")
        ):
            reply = self._exchange.handle(request)
        await _wait(reply, total_s, read_s)
        if reply.delivery.fate == "drop":
            raise aiohttp.ServerDisconnectedError
        if reply.delivery.fate == "reset":
            raise aiohttp.ClientOSError(errno.ECONNRESET, "Connection reset by peer")
        return InProcessResponse(method, target, reply)

    def _request(self, method: str, url: URL, options: Mapping[str, Any]) -> Request:
        headers = {name.lower(): str(value) for name, value in self.headers.items()}
        headers |= {
            str(name).lower(): str(value) for name, value in (options.get("headers") or {}).items()
        }
        data = options.get("data")
        body = data.encode() if isinstance(data, str) else bytes(data or b"")
        return Request(
            method=method,
            host=url.host or "",
            path=url.raw_path,
            query=url.raw_query_string,
            headers=headers,
            body=body,
            client=self._client,
        )


async def _wait(reply: Reply, total_s: float | None, read_s: float | None) -> None:
    """Wait as long as the reply takes; give up as aiohttp does when that is too long."""
    waits = [limit for limit in (total_s, read_s) if limit]
    patience_s = min(waits) if waits else None
    never = reply.delivery.fate == "never"
    delay_s = reply.delivery.delay_ms / 1000
    if not never and (patience_s is None or delay_s < patience_s):
        if delay_s:
            await asyncio.sleep(delay_s)
        return
    if patience_s is None:
        await asyncio.Event().wait()
        return
    await asyncio.sleep(patience_s)
    if total_s is not None and total_s <= patience_s:
        raise TimeoutError
    raise aiohttp.SocketTimeoutError("Timeout on reading data from socket")


def _timeouts(timeout: object) -> tuple[float | None, float | None]:
    if isinstance(timeout, aiohttp.ClientTimeout):
        return timeout.total, timeout.sock_read
    return (float(timeout), None) if isinstance(timeout, int | float) else (None, None)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
