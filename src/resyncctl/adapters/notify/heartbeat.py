"""Tell a health-check service that a cron run has started and how it ended.

The protocol is the one of Healthchecks (https://healthchecks.io/docs/http_api/): POST to
`URL/start`, then to `URL/<exit status>`, with `rid` as the run's UUID, so that the service can
measure the run, and a short body. Promises: a ping takes at most its timeout, follows no redirect,
carries no secret, and never raises: a ping that fails gives a warning and changes no result. The
address itself is a kind of secret, so warnings name only its host. Called by the command line
around every run of `reconcile`.
"""

import uuid
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit, urlunsplit

TIMEOUT_MS = 10_000
BODY_MAX = 10_000
"""Healthchecks keeps up to 100 kB of a body; an alert needs far less."""

_NAMESPACE = uuid.UUID("6f0c8d0e-6c43-4b0f-9a53-0e2f8f3b7c11")
_OK_MIN, _OK_END = 200, 300


class Heartbeat:
    """The pings of one run."""

    def __init__(
        self,
        url: str,
        run_id: str,
        *,
        redact: Callable[[str], str],
        timeout_ms: int = TIMEOUT_MS,
    ) -> None:
        self._url = url
        self._run_id = run_id
        self._redact = redact
        self._timeout_ms = timeout_ms

    async def start(self) -> str | None:
        """Tell that the run has started; return a warning, or None."""
        return await self._ping("start", f"run {self._run_id} started")

    async def finish(self, exit_code: int, body: str = "") -> str | None:
        """Tell how the run ended (0 is success, anything else is a failure); return a warning."""
        return await self._ping(str(int(exit_code) & 0xFF), body)

    async def _ping(self, what: str, body: str) -> str | None:
        # aiohttp takes 0.3 s to load; a command without a heartbeat does not pay for it.
        import aiohttp

        try:
            address = ping_address(self._url, what, self._run_id)
            timeout = aiohttp.ClientTimeout(total=self._timeout_ms / 1000)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(
                    address,
                    data=self._redact(body)[:BODY_MAX].encode("utf-8", "replace"),
                    allow_redirects=False,
                    headers={"User-Agent": "resyncctl"},
                ) as answer,
            ):
                if _OK_MIN <= answer.status < _OK_END:
                    return None
                why = f"it answered {answer.status}"
        except TimeoutError:
            why = f"no answer within {self._timeout_ms / 1000:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as trouble:
            # The message of the library may quote the whole address.
            why = type(trouble).__name__
        return f"the heartbeat at {_host(self._url)} was not told: {why}"


def ping_address(url: str, what: str, run_id: str) -> str:
    """Return the address of one ping; a query that the address has already is kept.

    Raises:
        ValueError: It is not an address of the web.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not an address of the web")
    query = urlencode({"rid": str(run_uuid(run_id))})
    joined = f"{parts.query}&{query}" if parts.query else query
    return urlunsplit((parts.scheme, parts.netloc, f"{parts.path.rstrip('/')}/{what}", joined, ""))


def run_uuid(run_id: str) -> uuid.UUID:
    """Return the run's UUID: the service takes nothing else for `rid`."""
    return uuid.uuid5(_NAMESPACE, run_id)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "(no host)"
    except ValueError:
        return "(no host)"
