"""Transparent mode: how an unmodified client reaches the practice exchange under real host names.

A client keeps its real addresses (`https://api.binance.com/...`); only the name lookup and the
trusted authority change. So error tables that ccxt keys on the host stay right, and a host that
the practice exchange does not serve fails its TLS handshake: nothing real can be reached.

    connector = aiohttp.TCPConnector(
        resolver=resolver("127.0.0.1:18443"), ssl=ssl_context(ca_file), use_dns_cache=False
    )
    async with aiohttp.ClientSession(connector=connector) as session:
        exchange = ccxt.binance({"session": session, ...})

Promises: every name, whatever it is, resolves to the one given loopback address; an address off
this machine is refused.

Called by the demo engine, drills and tests. The tool's own adapter has its own version of this,
because the tool and its practice partner must not share a misunderstanding.
"""

import ipaddress
import socket
import ssl
from pathlib import Path

from aiohttp import ClientSession, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult


class _OneAddress(AbstractResolver):
    """Answers every question with one address and port."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def resolve(
        self,
        host: str,
        port: int = 0,  # noqa: ARG002  # the real port is replaced, as the real host is
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002  # loopback is IPv4 here
    ) -> list[ResolveResult]:
        """Return the practice exchange's address, whatever the name."""
        return [
            ResolveResult(
                hostname=host,
                host=self._host,
                port=self._port,
                family=socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Nothing is held open."""


def resolver(address: str) -> AbstractResolver:
    """Given `host:port` on loopback, return a resolver that sends every name there.

    Raise `ValueError` for an address that is not a loopback address with a port.
    """
    host, _, port = address.rpartition(":")
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"the practice exchange listens on loopback only, not on {host}")
    return _OneAddress(host, int(port))


def ssl_context(ca_file: Path | str) -> ssl.SSLContext:
    """Return TLS settings that trust the practice authority and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(ca_file))
    return context


def session(address: str, ca_file: Path | str) -> ClientSession:
    """Return a client session that can reach the practice exchange and nothing else.

    Proxies of the environment are ignored (aiohttp's default), because a proxy would resolve the
    real names. Must be called inside a running event loop.
    """
    connector = TCPConnector(
        resolver=resolver(address), ssl=ssl_context(ca_file), use_dns_cache=False
    )
    return ClientSession(connector=connector)
