"""The demo engine's life: connect, keep the book, quote while the gate permits it, end cleanly.

Promises: no order leaves unless the gate says RUNNING and the intent is on disk; trouble with the
exchange ends nothing, the next round tries again, later and later; the checkpoint is written at
least every ten seconds whatever the exchange does; a stop ends with a last look at the exchange and
a checkpoint that says so. Called by `__main__`.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from resyncctl.sdk import GateClosed, Recoverable, RecoveryError
from resyncctl.sdk.errors import WriterLost
from resyncctl.sdk.writer import wall_clock_ms
from resyncctl.simulator.engine.bookkeeping import DAY_MS, Bookkeeper
from resyncctl.simulator.engine.client import NotKnown, Refused, VenueClient
from resyncctl.simulator.engine.config import EngineConfig
from resyncctl.simulator.engine.dialect import GARBAGE, Dialect
from resyncctl.simulator.engine.quoting import Quoter
from resyncctl.simulator.engine.spot import Spot
from resyncctl.simulator.engine.usdm import Usdm
from resyncctl.simulator.transparent import session

_BACKOFF_MAX_S = 5.0
_CLOCK_CODES = frozenset({-1021})
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True)
class Life:
    """What can be seen and steered from outside while the engine runs."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    paused: bool = False
    phase: str = "starting"
    trouble: str = ""
    rounds: int = 0
    synced_ms: int = 0
    live_orders: int = 0


async def run(
    config: EngineConfig,
    life: Life,
    *,
    beside: Callable[[Recoverable], AbstractAsyncContextManager[object]],
    now_ms: Callable[[], int] = wall_clock_ms,
) -> None:
    """Run until `life.stop` is set; `beside` is open for as long as the engine lives.

    Raises:
        RecoveryError: The checkpoint cannot be believed, or it was lost to another writer.
        OSError: A key cannot be read.
    """
    key, secret = _credentials(config)
    async with session(config.address, config.ca_file) as connection:
        client = VenueClient(
            connection,
            api_key=key,
            api_secret=secret,
            now_ms=now_ms,
            request_validity_ms=config.request_validity_ms,
        )
        with _state(config, now_ms) as state:
            async with beside(state):
                await _Engine(config, life, state, client, now_ms).live()


def _credentials(config: EngineConfig) -> tuple[str, str]:
    paths = (Path(config.api_key_file), Path(config.api_secret_file))
    key, secret = (path.read_text(encoding="utf-8").strip() for path in paths)
    return key, secret


def _state(config: EngineConfig, now_ms: Callable[[], int]) -> Recoverable:
    products = tuple(dict.fromkeys(_product(pair.symbol) for pair in config.pairs))
    return Recoverable(
        config.checkpoint,
        config.gate_file,
        account=config.account,
        exchange="binance",
        market_type="swap" if "linear" in products else "spot",
        products=products,
        engine=config.name,
        version="1",
        now_ms=now_ms,
    )


def _product(symbol: str) -> str:
    return "linear" if ":" in symbol else "spot"


class _Engine:
    """One life of the engine; private to this module."""

    def __init__(
        self,
        config: EngineConfig,
        life: Life,
        state: Recoverable,
        client: VenueClient,
        now_ms: Callable[[], int],
    ) -> None:
        self._config = config
        self._life = life
        self._state = state
        self._now_ms = now_ms
        dialects: tuple[Dialect, ...] = (Spot(client), Usdm(client))
        self._books = [
            Bookkeeper(dialect, state, symbols, 2 * config.request_validity_ms)
            for dialect in dialects
            if (symbols := self._symbols(dialect.product))
        ]
        self._quoters: list[Quoter] = []
        self._failures = 0
        self._numbers = itertools.count()

    async def live(self) -> None:
        """Go round until the stop is asked for, then end."""
        while not self._life.stop.is_set():
            await self._round_or_trouble(self._round)
            await self._pause()
        self._life.phase = "stopping"
        await self._round_or_trouble(self._end)

    async def _round_or_trouble(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
            self._state.heartbeat()
            self._failures = 0
            self._life.trouble = ""
        except WriterLost:
            raise
        except GateClosed as closed:
            self._life.phase = "gate closed"
            self._life.trouble = closed.message
        except (Refused, NotKnown, RecoveryError, *GARBAGE) as trouble:
            self._failures += 1
            self._life.phase = "trouble"
            self._life.trouble = f"{type(trouble).__name__}: {trouble}"
            if isinstance(trouble, Refused):
                await self._heed(trouble)
            with contextlib.suppress(RecoveryError):
                self._state.heartbeat()

    async def _round(self) -> None:
        self._life.rounds += 1
        if not self._quoters:
            await self._connect()
        await self._keep_books()
        if self._life.paused:
            self._life.phase = "paused"
            return
        gate = self._state.gate.status()
        if not gate.permits_orders:
            self._life.phase = "gate closed"
            return
        self._life.phase = "quoting"
        for quoter in self._quoters:
            if quoter.dialect.product == "linear":
                await quoter.protect()
            await quoter.quote()
        for book in self._books:
            if book.due:
                await book.sync(self._now_ms())

    async def _connect(self) -> None:
        """Measure the clock, learn the grids, and read the account for the first time."""
        for book in self._books:
            await book.dialect.measure_clock()
        began_ms = self._now_ms()
        for book in self._books:
            await book.sync(began_ms)
        if not self._state.resumed:
            self._state.history_read(began_ms - DAY_MS + 1)
        self._state.declare_complete()
        self._life.synced_ms = began_ms
        self._quoters = [
            Quoter(
                pair=pair,
                filters=await book.dialect.filters(pair.symbol),
                dialect=book.dialect,
                state=self._state,
                book=book,
                new_id=self._new_id,
                now_ms=self._now_ms,
                request_validity_ms=self._config.request_validity_ms,
            )
            for book in self._books
            for pair in self._config.pairs
            if _product(pair.symbol) == book.dialect.product
        ]

    async def _keep_books(self) -> None:
        now_ms = self._now_ms()
        overdue = now_ms - self._life.synced_ms >= self._config.sync_every_ms
        for book in self._books:
            if book.due or overdue or await book.look():
                await book.sync(now_ms)
        if overdue:
            self._life.synced_ms = now_ms
        self._life.live_orders = sum(len(book.live()) for book in self._books)

    async def _end(self) -> None:
        if self._config.cancel_on_stop:
            for quoter in self._quoters:
                for row in quoter.book.live(quoter.pair.symbol):
                    if row["role"] == "quote":
                        await quoter.cancel(row)
        for book in self._books:
            await book.sync(self._now_ms())
        self._life.phase = "stopped"

    async def _heed(self, refused: Refused) -> None:
        """Wait as long as the exchange asks for, and measure the clock when that was wrong."""
        if refused.retry_after_s:
            await self._wait(refused.retry_after_s)
        if refused.code in _CLOCK_CODES:
            with contextlib.suppress(Refused, NotKnown, *GARBAGE):
                for book in self._books:
                    await book.dialect.measure_clock()

    async def _pause(self) -> None:
        interval_s = self._config.interval_ms / 1000
        await self._wait(min(interval_s * 2**self._failures, max(_BACKOFF_MAX_S, interval_s)))

    async def _wait(self, seconds: float) -> None:
        """Wait, or return at once when the stop is asked for; keep the checkpoint's promise."""
        deadline = time.monotonic() + seconds
        while not self._life.stop.is_set() and (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._life.stop.wait(), min(left, 5.0))
            with contextlib.suppress(RecoveryError):
                self._state.heartbeat()

    def _symbols(self, product: str) -> tuple[str, ...]:
        return tuple(pair.symbol for pair in self._config.pairs if _product(pair.symbol) == product)

    def _new_id(self, kind: str) -> str:
        """Return a client order id that no earlier life of this engine has used."""
        return f"{self._config.client_id_prefix}{kind}{_short(self._now_ms())}{next(self._numbers)}"


def _short(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, len(_DIGITS))
        digits = _DIGITS[rest] + digits
    return digits
