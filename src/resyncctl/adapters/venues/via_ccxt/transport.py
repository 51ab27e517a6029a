"""The one choke point under ccxt: every request of the exchange client passes here.

A `GuardedSession` stands where ccxt expects an aiohttp session. It decides whether a request may
leave (see `permits` and `egress`), sends it exactly once without following redirects, reads the
whole answer, and refuses a success whose body the endpoint would never send.

Promises: one permit pays for one wire request; no order leaves that its permit does not prove to
reduce, and what was proved is what is sent; an HTML page, an empty,
`null`, scalar, truncated or wrongly shaped body with status 200 never reaches a parser; what
happened is known as a phase and a status, whatever exception ccxt makes of it.
Called by ccxt, inside `connect.Connection.ask`.
"""

import asyncio
import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import TracebackType
from typing import Any, Never

import aiohttp
import yarl

from resyncctl.adapters.venues.via_ccxt.egress import BreakerShut, BudgetSpent, Egress, WireRecord
from resyncctl.adapters.venues.via_ccxt.permits import (
    Classifier,
    Endpoint,
    EndpointKind,
    RefusedByTransport,
    Wire,
)

WEIGHT_HEADERS = ("x-mbx-used-weight-1m",)
DEFAULT_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 4.0
_OK_FROM, _OK_BELOW, _ERRORS_FROM = 200, 300, 400
_ADDRESS = re.compile(r"^(\d{1,3}(\.\d{1,3}){3}|\[?[0-9a-fA-F:]*:[0-9a-fA-F:]*\]?)$")
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, socket.gaierror)

Shape = Callable[[Endpoint, object], str | None]
"""Given an endpoint and a decoded success body, return what is wrong with it, or None."""


class Phase(StrEnum):
    """How far a request got."""

    REFUSED = "refused"
    NOT_SENT = "not_sent"
    SENT = "sent"
    ANSWERED = "answered"


class UntrustedAnswer(Exception):  # noqa: N818  # reads as the sentence that it is
    """A success that the endpoint would never send. The reason is for the operator's eyes."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Attempt:
    """One request, as far as it got.

    `body` is the decoded answer with exact numbers (`Decimal`, never float); it is there for
    errors too, when they are JSON. `trouble` says in words why the answer cannot be used, None
    for a success that passed every check. `wait_ms` is the venue's own wish for silence.
    """

    endpoint: Endpoint
    method: str
    host: str
    path: str
    phase: Phase = Phase.REFUSED
    status: int | None = None
    text: str = ""
    body: object = None
    decoded: bool = False
    trouble: str | None = None
    wait_ms: int | None = None
    weight_used: int | None = None
    cause: BaseException | None = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether this is a success whose body passed every check."""
        return self.phase is Phase.ANSWERED and self.trouble is None


_watching: ContextVar[list[Attempt] | None] = ContextVar("watched_attempts", default=None)


@contextmanager
def watching() -> Iterator[list[Attempt]]:
    """Collect the attempts that the calls inside this block make, also in tasks they start."""
    attempts: list[Attempt] = []
    token = _watching.set(attempts)
    try:
        yield attempts
    finally:
        _watching.reset(token)


def decode_exactly(text: str) -> object:
    """Decode JSON with every fraction as `Decimal`.

    Raises:
        ValueError: The text is not JSON, or holds NaN or an infinity.
    """
    return json.loads(text, parse_float=Decimal, parse_constant=_no_constant)


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not a number")


def guard_success(text: str) -> object:
    """Return the decoded body of a success.

    Raises:
        UntrustedAnswer: The body is empty, not JSON, null, a bare scalar or an empty object.
    """
    bare = text.strip()
    if not bare:
        raise UntrustedAnswer("the exchange answered with an empty body")
    if bare.startswith("<"):
        raise UntrustedAnswer("the exchange answered with an HTML page")
    try:
        body = decode_exactly(bare)
    except ValueError:
        raise UntrustedAnswer("the exchange's answer is not JSON or is cut off") from None
    if not isinstance(body, Mapping | list):
        raise UntrustedAnswer(f"the exchange answered with a bare {_kind_of(body)}")
    if isinstance(body, Mapping) and not body:
        raise UntrustedAnswer("the exchange answered with an empty object")
    return body


def _kind_of(body: object) -> str:
    return "null" if body is None else type(body).__name__


class _Answer:
    """What ccxt sees of a response: already read to its end."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str], text: str) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.content = text
        self._text = text

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:  # noqa: ARG002  # aiohttp's signature
        return self._text


class _Pending:
    """The context manager that aiohttp's request methods return."""

    def __init__(self, session: "GuardedSession", method: str, url: yarl.URL, rest: Any) -> None:
        self._session, self._method, self._url, self._rest = session, method, url, rest

    async def __aenter__(self) -> _Answer:
        return await self._session.perform(self._method, self._url, **self._rest)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class GuardedSession:
    """Stands where ccxt expects an `aiohttp.ClientSession`.

    `inner` is the real session or the practice exchange's in-process one. `shape` checks success
    bodies per endpoint. `may_use_reserve` lets the reads of a cancel run use the whole budget.
    """

    def __init__(
        self,
        inner: Any,
        *,
        classify: Classifier,
        shape: Shape,
        egress: Egress,
        may_use_reserve: bool = False,
        account: str = "",
    ) -> None:
        self._inner = inner
        self._account = account
        self._classify = classify
        self._shape = shape
        self._egress = egress
        self._may_use_reserve = may_use_reserve
        self.headers: dict[str, str] = {}

    @property
    def closed(self) -> bool:
        """Whether the session under this one is closed."""
        return bool(self._inner.closed)

    async def close(self) -> None:
        """Close the session under this one."""
        if not self.closed:
            await self._inner.close()

    def get(self, url: yarl.URL, **rest: Any) -> _Pending:
        """Send a GET."""
        return _Pending(self, "GET", url, rest)

    def post(self, url: yarl.URL, **rest: Any) -> _Pending:
        """Send a POST."""
        return _Pending(self, "POST", url, rest)

    def put(self, url: yarl.URL, **rest: Any) -> _Pending:
        """Send a PUT."""
        return _Pending(self, "PUT", url, rest)

    def delete(self, url: yarl.URL, **rest: Any) -> _Pending:
        """Send a DELETE."""
        return _Pending(self, "DELETE", url, rest)

    def patch(self, url: yarl.URL, **rest: Any) -> _Pending:
        """Send a PATCH."""
        return _Pending(self, "PATCH", url, rest)

    async def perform(self, method: str, url: yarl.URL, **rest: Any) -> _Answer:
        """Decide, send once, read to the end, judge, record.

        Raises:
            RefusedByTransport: The request may not leave.
            BreakerShut: The host asked for silence.
            BudgetSpent: There is no weight left for a read.
            UntrustedAnswer: A success that the endpoint would never send.
        """
        wire = self._wire(method, url, rest.get("data"))
        endpoint = self._classify(method, wire.host, wire.path, wire.query, wire.body or b"")
        attempt = Attempt(endpoint, method, wire.host, wire.path)
        watched = _watching.get()
        if watched is not None:
            watched.append(attempt)
        try:
            await self._admit(attempt, wire)
            return await self._send(attempt, url, rest)
        except BaseException as error:
            attempt.cause = error
            attempt.trouble = attempt.trouble or words_for(error)
            raise
        finally:
            self._record(attempt)

    def _wire(self, method: str, url: yarl.URL, data: object) -> Wire:
        body = b"" if data is None else data if isinstance(data, bytes) else None
        host = url.host or ""
        return Wire(self._account, method, host, url.raw_path, url.raw_query_string, body)

    async def _admit(self, attempt: Attempt, wire: Wire) -> None:
        if _ADDRESS.match(attempt.host):
            raise RefusedByTransport("a bare network address is not an exchange's host name")
        try:
            await self._egress.admit(wire, attempt.endpoint, may_use_reserve=self._may_use_reserve)
        except (BreakerShut, BudgetSpent) as error:
            attempt.wait_ms = error.wait_ms
            raise

    async def _send(self, attempt: Attempt, url: yarl.URL, rest: Mapping[str, Any]) -> _Answer:
        weight = attempt.endpoint.weight
        budget = self._egress.budget(attempt.host)
        attempt.phase = Phase.SENT  # from here on, only a refused connection proves otherwise
        try:
            async with self._inner.request(
                attempt.method,
                url,
                data=rest.get("data"),
                headers=rest.get("headers"),
                timeout=_bounded(rest.get("timeout")),
                allow_redirects=False,
            ) as response:
                attempt.status = int(response.status)
                headers = {str(key): str(value) for key, value in response.headers.items()}
                lower = {key.lower(): value for key, value in headers.items()}
                attempt.weight_used = _weight_in(lower)
                text = await response.text(errors="replace")
                answer = _Answer(attempt.status, str(response.reason or ""), headers, text)
        except _NOT_SENT:
            attempt.phase = Phase.NOT_SENT
            raise
        finally:
            budget.settle(weight, attempt.weight_used)
        attempt.phase = Phase.ANSWERED
        self._judge(attempt, lower, text)
        return answer

    def _judge(self, attempt: Attempt, headers: Mapping[str, str], text: str) -> None:
        attempt.text = text
        status = attempt.status or 0
        if _OK_FROM <= status < _OK_BELOW:
            attempt.body = guard_success(text)
            attempt.decoded = True
            reason = self._shape(attempt.endpoint, attempt.body)
            if reason is not None:
                raise UntrustedAnswer(reason)
            return
        try:
            attempt.body = decode_exactly(text)
            attempt.decoded = True
        except ValueError:
            attempt.decoded = False
        is_json = isinstance(attempt.body, Mapping)
        attempt.wait_ms = self._egress.heard(
            attempt.host, status, headers, text, json_error=is_json
        )
        if status < _ERRORS_FROM:
            raise UntrustedAnswer(f"the exchange answered with status {status} (a redirect)")
        attempt.trouble = f"the exchange answered with status {status}"

    def _record(self, attempt: Attempt) -> None:
        self._egress.record(
            WireRecord(
                at_ms=self._egress.clock.now_ms(),
                method=attempt.method,
                host=attempt.host,
                path=attempt.path,
                endpoint=attempt.endpoint.name,
                kind=attempt.endpoint.kind,
                phase=attempt.phase.value,
                status=attempt.status,
                weight_used=attempt.weight_used,
            )
        )


def _bounded(timeout: object) -> aiohttp.ClientTimeout:
    """Return the caller's time limit, with less patience for a connection that does not open."""
    total = timeout.total if isinstance(timeout, aiohttp.ClientTimeout) else None
    total = total or DEFAULT_TIMEOUT_S
    return aiohttp.ClientTimeout(
        total=total, sock_connect=min(total, CONNECT_TIMEOUT_S), sock_read=total
    )


def _weight_in(headers: Mapping[str, str]) -> int | None:
    for name in WEIGHT_HEADERS:
        value = headers.get(name, "")
        if value.isdecimal():
            return int(value)
    return None


def words_for(error: BaseException) -> str:
    """Say in an operator's words why there is no usable answer. Never repeats a URL or a body."""
    if isinstance(error, UntrustedAnswer | RefusedByTransport):
        return error.reason
    if isinstance(error, BreakerShut | BudgetSpent):
        return str(error)
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return "the exchange's name could not be resolved"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "the exchange's certificate was not accepted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "the connection was refused"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer was cut off"
    if isinstance(error, TimeoutError):
        return "no answer within the time limit"
    if isinstance(error, aiohttp.ClientError):
        return "the connection broke before an answer came"
    if isinstance(error, asyncio.CancelledError):
        return "the request was abandoned"
    return f"the answer could not be used ({type(error).__name__})"


def may_pass_any_shape(endpoint: Endpoint, body: object) -> str | None:  # noqa: ARG001  # a Shape
    """Accept every body that passed the guard. For venues whose profile checks each answer."""
    return None


__all__ = [
    "Attempt",
    "EndpointKind",
    "GuardedSession",
    "Phase",
    "UntrustedAnswer",
    "decode_exactly",
    "guard_success",
    "watching",
    "words_for",
]
