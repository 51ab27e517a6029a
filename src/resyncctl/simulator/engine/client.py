"""The demo engine's own REST client: signed requests, and three kinds of answers.

An answer is a document, a definite refusal, or not known: a timeout, a broken connection, a 5xx or
a body that is no JSON says nothing about whether the order exists. The documented codes -1006 and
-1007 are not known either, whatever their HTTP status (binance-spot-api-docs rest-api.md, "HTTP
return codes" and errors.md). Called by the dialects.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

_UNKNOWN_CODES = frozenset({-1006, -1007})
_TIMEOUT_S = 10.0
Json = Any
"""What a venue answers; the dialects take it apart."""


class NotKnown(Exception):  # noqa: N818  # the name is the message
    """Nobody knows whether the request took effect."""


class Refused(Exception):  # noqa: N818  # the name is the message
    """The venue has definitely not done it."""

    def __init__(self, status: int, code: int, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(f"{code} {message}")
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


class VenueClient:
    """Signs, sends once, and classifies the answer."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        api_key: str,
        api_secret: str,
        now_ms: Callable[[], int],
        request_validity_ms: int,
    ) -> None:
        self._session = session
        self._key = api_key
        self._secret = api_secret.encode()
        self._now_ms = now_ms
        self._validity_ms = request_validity_ms
        self._offset_ms = 0

    def venue_now_ms(self) -> int:
        """Return the time on the venue's clock, as last measured."""
        return self._now_ms() + self._offset_ms

    async def measure_clock(self, host: str, path: str) -> None:
        """Measure how far the venue's clock is ahead of ours; raises as `ask` does."""
        before_ms = self._now_ms()
        answer = await self.ask("GET", host, path)
        middle_ms = (before_ms + self._now_ms()) // 2
        self._offset_ms = int(answer["serverTime"]) - middle_ms

    async def ask(self, method: str, host: str, path: str, **parameters: object) -> Json:
        """Send an unsigned request.

        Raises:
            Refused: It was definitely not executed.
            NotKnown: Anything else went wrong.
        """
        return await self._send(method, host, path, _query(parameters), {})

    async def signed(self, method: str, host: str, path: str, **parameters: object) -> Json:
        """Send a signed request; raises as `ask` does."""
        query = _query(
            {
                **parameters,
                "recvWindow": self._validity_ms,
                "timestamp": self.venue_now_ms(),
            }
        )
        signature = hmac.new(self._secret, query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": self._key}
        return await self._send(method, host, path, f"{query}&signature={signature}", headers)

    async def _send(
        self, method: str, host: str, path: str, query: str, headers: Mapping[str, str]
    ) -> Json:
        url = f"https://{host}{path}" + (f"?{query}" if query else "")
        try:
            async with self._session.request(
                method,
                # The signature covers the query as it is, so nothing may encode it again.
                URL(url, encoded=True),
                headers=dict(headers),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            ) as response:
                body = await response.read()
                return _judge(response.status, response.headers, body)
        except (TimeoutError, aiohttp.ClientError, asyncio.IncompleteReadError, OSError) as trouble:
            raise NotKnown(f"{method} {path}: {type(trouble).__name__}") from trouble


def _query(parameters: Mapping[str, object]) -> str:
    told = {key: _spoken(value) for key, value in parameters.items() if value is not None}
    return urlencode(told)


def _spoken(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _judge(status: int, headers: Mapping[str, str], body: bytes) -> Json:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if status == 200:
        if isinstance(document, dict | list):
            return document
        raise NotKnown("the answer is no JSON document")
    code = document.get("code") if isinstance(document, dict) else None
    if status >= 500 or not isinstance(code, int) or code in _UNKNOWN_CODES:
        raise NotKnown(f"HTTP {status}, code {code}")
    try:
        retry_after_s = float(headers.get("Retry-After", "0"))
    except ValueError:
        retry_after_s = 0.0
    raise Refused(status, code, str(document.get("msg", "")), retry_after_s)
