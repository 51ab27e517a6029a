"""Run the practice exchange as a process: state directory, accounts, ready document, clean end.

Promises: the ready document appears only when the server listens, and is gone when it ends cleanly,
so whoever waits for it never meets a dead server's address after a clean end; one state directory
serves one process; every file in it is private to its owner; keys are written to files and never
printed. The wall clock is read here and nowhere deeper.

Called by `resyncctl sim serve` and by `python -m resyncctl.simulator`.
"""

import asyncio
import fcntl
import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from resyncctl.simulator.catalogue import build_catalogue
from resyncctl.simulator.certificates import issue, write_private
from resyncctl.simulator.exchange import PracticeExchange
from resyncctl.simulator.server import PracticeServer, ServerOptions

READY_SCHEMA = "resyncctl.practice-ready/1"
_FUNDS = (
    ("spot", "USDT", "100000"),
    ("spot", "BTC", "2"),
    ("spot", "ETH", "20"),
    ("spot", "BNB", "10"),
    ("usdm", "USDT", "100000"),
    ("coinm", "BTC", "1"),
)


class StateDirectoryInUse(RuntimeError):  # noqa: N818  # the name is the message
    """Another practice exchange runs on the same state directory."""


@dataclass(frozen=True)
class ServeOptions:
    """What one may choose; the defaults give a small world with one funded account."""

    state_dir: Path
    port: int = 0
    seed: int = 0
    symbols: int | None = None
    accounts: tuple[str, ...] = ("demo",)
    ready_file: Path | None = None


@dataclass(frozen=True)
class ReadyAccount:
    """One account of the practice exchange, and where its credentials lie."""

    name: str
    api_key_file: str
    api_secret_file: str


@dataclass(frozen=True)
class Ready:
    """What a client must know to use the server; written as JSON when it listens."""

    schema: str
    address: str
    control_address: str
    ca_file: str
    control_token_file: str
    pid: int
    seed: int
    symbols: int
    accounts: tuple[ReadyAccount, ...]


async def serve(
    options: ServeOptions, stop: asyncio.Event, on_ready: Callable[[Ready], None]
) -> None:
    """Serve until `stop` is set.

    Raise `StateDirectoryInUse`, `OSError` when the port is taken or the directory cannot be
    written, and whatever breaks the exchange's timekeeping.
    """
    options.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(options.state_dir):
        ready_files = [options.state_dir / "ready.json"]
        if options.ready_file is not None:
            ready_files.append(options.ready_file)
        for path in ready_files:
            path.unlink(missing_ok=True)
        exchange = PracticeExchange(
            clock_ms=wall_clock_ms,
            seed=options.seed,
            symbols=build_catalogue(options.symbols, options.seed),
        )
        accounts = tuple(_open_account(exchange, options, name) for name in options.accounts)
        token_file = options.state_dir / "control-token"
        token = secrets.token_urlsafe(32)
        write_private(token_file, token.encode())
        certificates = issue(options.state_dir)
        server_options = ServerOptions(certificates, token, options.port)
        async with PracticeServer(exchange, server_options) as server:
            _prepare_exchange_info(exchange, server)
            ready = Ready(
                schema=READY_SCHEMA,
                address=server.address,
                control_address=server.control_address,
                ca_file=str(certificates.ca_file.absolute()),
                control_token_file=str(token_file.absolute()),
                pid=os.getpid(),
                seed=options.seed,
                symbols=len(exchange.catalogue.rows("spot")),
                accounts=accounts,
            )
            document = json.dumps(asdict(ready), indent=2).encode() + b"\n"
            for path in ready_files:
                write_private(path, document)
            try:
                on_ready(ready)
                await _first_of(stop, server.timekeeper)
            finally:
                for path in ready_files:
                    path.unlink(missing_ok=True)


async def serve_until_signal(options: ServeOptions, on_ready: Callable[[Ready], None]) -> None:
    """Serve until SIGTERM or SIGINT; raises as `serve` does."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await serve(options, stop, on_ready)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def wall_clock_ms() -> int:
    """Return the time of the machine's clock."""
    return time.time_ns() // 1_000_000


async def _first_of(stop: asyncio.Event, timekeeper: "asyncio.Task[None]") -> None:
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({stopping, timekeeper}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory; the kernel lets go of it when the process dies, however it dies."""
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateDirectoryInUse(
                f"another practice exchange already runs on {directory}"
            ) from None
        yield


def _prepare_exchange_info(exchange: PracticeExchange, server: PracticeServer) -> None:
    """Render and compress the heavy documents now: the venue does not make its clients wait."""
    documents, now_ms = exchange.world.documents, exchange.now_ms()
    for market, statuses in exchange.world.statuses.items():
        server.prepare(documents.document(market, {}, statuses=statuses, now_ms=now_ms))


def _open_account(exchange: PracticeExchange, options: ServeOptions, name: str) -> ReadyAccount:
    """Open and fund one account; its credentials go to files, never to a screen."""
    if not name or not name.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"an account name is made of letters, digits, - and _: {name!r}")
    keys = exchange.control.add_account(name)
    for market, asset, amount in _FUNDS:
        exchange.control.deposit(name, asset, amount, market)
    key_file = options.state_dir / f"account-{name}.key"
    secret_file = options.state_dir / f"account-{name}.secret"
    write_private(key_file, str(keys["api_key"]).encode())
    write_private(secret_file, str(keys["secret"]).encode())
    return ReadyAccount(name, str(key_file.absolute()), str(secret_file.absolute()))
