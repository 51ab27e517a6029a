"""The aiohttp session that carries signed requests, with every convenience that could hurt off.

Promises: no request is ever repeated by the library (aiohttp re-sends GET, PUT and DELETE after a
dropped connection unless told otherwise); certificates are verified; no cookies, no proxy from the
environment; in practice mode every host name leads to the practice exchange and only its own
certificate authority is trusted, so that nothing real can be reached.
Called by `connect`. A test hands in its own session instead.
"""

import socket
import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from resyncctl.core.errors import ConfigurationError

CONNECTIONS = 64
DNS_CACHE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class PracticePlace:
    """Where the practice exchange listens, and the only certificate authority to trust there."""

    host: str
    port: int
    ca_file: str


class _PracticeResolver(AbstractResolver):
    """Leads every host name to one address. aiohttp honours the port of the answer too."""

    def __init__(self, place: PracticePlace) -> None:
        self._place = place

    async def resolve(
        self,
        host: str,
        port: int = 0,  # noqa: ARG002  # the practice exchange has one port for everything
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=self._place.host,
                port=self._place.port,
                family=family or socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        return None


@cache
def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return the verifying TLS context, built once for each authority file.

    Raises:
        ConfigurationError: The authority file is missing or holds no certificate.
    """
    if ca_file is None:
        import certifi

        return ssl.create_default_context(cafile=certifi.where())
    if not Path(ca_file).is_file():
        raise ConfigurationError(
            f"the practice exchange's certificate file {ca_file} does not exist",
            hint="start the practice exchange: resyncctl sim serve",
        )
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise ConfigurationError(
            f"{ca_file} does not hold a certificate", hint="name the file that sim serve wrote"
        ) from None


def open_session(practice: PracticePlace | None = None) -> aiohttp.ClientSession:
    """Return a new session. It needs a running event loop and must be closed."""
    context = tls_context(practice.ca_file if practice else None)
    connector = aiohttp.TCPConnector(
        ssl=context,
        resolver=_PracticeResolver(practice) if practice else None,
        limit=CONNECTIONS,
        ttl_dns_cache=DNS_CACHE_SECONDS,
        family=socket.AF_INET if practice else socket.AF_UNSPEC,
    )
    session = aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    )
    return never_resend(session)


def never_resend(session: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """Switch off aiohttp's silent second try of GET, PUT and DELETE, and return the session.

    Raises:
        ConfigurationError: This aiohttp has no such switch any more, so one permit could become
            two requests.
    """
    if not hasattr(session, "_retry_connection"):
        raise ConfigurationError(
            "this version of aiohttp cannot be kept from repeating requests",
            hint="install the version of aiohttp that resyncctl pins",
        )
    session._retry_connection = False  # noqa: SLF001  # the only switch there is; aiohttp's own test client uses it
    return session
