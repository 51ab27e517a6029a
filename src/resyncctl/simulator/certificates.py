"""A private certificate authority for the practice exchange's real host names.

Promises: every start makes a fresh authority, whose signing key never leaves the process, so that
nobody can issue with it later; the authority is trusted only by clients that are handed its file
and is never added to a system store; the server's private key is written with mode 0600.

Called by the server, and by tests that need TLS.
"""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

HOSTS = (
    "api.binance.com",
    "api1.binance.com",
    "api2.binance.com",
    "api3.binance.com",
    "api4.binance.com",
    "api-gcp.binance.com",
    "fapi.binance.com",
    "dapi.binance.com",
    "stream.binance.com",
    "data-stream.binance.vision",
    "data-api.binance.vision",
    "ws-api.binance.com",
    "ws-fapi.binance.com",
    "fstream.binance.com",
    "dstream.binance.com",
)
LOOPBACK_NAMES = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Certificates:
    """Where the certificates lie, and the server side that uses them."""

    ca_file: Path
    server_chain_file: Path
    server_key_file: Path

    def server_context(self) -> ssl.SSLContext:
        """Return the TLS settings of the server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_chain_file, self.server_key_file)
        return context


def issue(directory: Path) -> Certificates:
    """Make an authority and a server certificate for every host name, and write them there."""
    authority = trustme.CA(organization_name="resyncctl practice exchange", key_type=_KEY_TYPE)
    leaf = authority.issue_cert(*HOSTS, *LOOPBACK_NAMES, key_type=_KEY_TYPE)
    made = Certificates(
        ca_file=directory / "practice-ca.pem",
        server_chain_file=directory / "practice-server.pem",
        server_key_file=directory / "practice-server.key",
    )
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    write_private(made.server_key_file, leaf.private_key_pem.bytes())
    write_private(made.server_chain_file, chain)
    write_private(made.ca_file, authority.cert_pem.bytes())
    return made


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, replacing an older one in one step."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)


_KEY_TYPE = trustme.KeyType.ECDSA
