"""What every reading of a Binance account shares: the connection, the clock, the instruments.

Promises: a read is repeated at most once: after a broken connection, a server's error, an answer
that cannot be trusted, a short silence that the exchange asked for, or a refused timestamp, and
then after the clock was measured again; a read that fails says why in an operator's words.
Called by `spot`, `futures`, `cancels` and `venue`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from resyncctl.adapters.venues.via_ccxt.classify import (
    first_contact_error,
    is_clock_error,
    trouble_of,
    worth_a_second_read,
)
from resyncctl.adapters.venues.via_ccxt.clock import NoMoreProbes
from resyncctl.adapters.venues.via_ccxt.connect import Connection
from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, Row
from resyncctl.adapters.venues.via_ccxt.markets import Markets
from resyncctl.adapters.venues.via_ccxt.transport import Attempt, Phase, UntrustedAnswer
from resyncctl.core.snapshot import Known, Section, Unknown, Window
from resyncctl.ports.views import Clock, ClockReading

SECOND_READ_AFTER_MS = 250
SILENCE_WORTH_WAITING_MS = 15_000
"""The longest silence that the exchange may ask for and a read waits out by itself."""
Item = TypeVar("Item")


class Unreadable(Exception):  # noqa: N818  # reads as the sentence that it is
    """A read has no usable answer. The reason is for the operator's eyes."""

    def __init__(self, reason: str, attempt: Attempt | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.attempt = attempt


@dataclass(slots=True)
class Desk:
    """One account's way to Binance."""

    account: str
    venue: str
    connection: Connection
    markets: Markets
    clock: Clock
    time_method: str
    _under_way: dict[object, asyncio.Task[Any]] = field(default_factory=dict)

    async def together(self, key: object, read: Callable[[], Coroutine[Any, Any, Item]]) -> Item:
        """Let callers that ask for the same thing at the same time share one reading.

        Nothing is kept: whoever asks after the reading has ended gets a new one.
        """
        task: asyncio.Task[Item] | None = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(read())
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await task

    async def attempt(self, method: str, params: Mapping[str, object] | None = None) -> Attempt:
        """Ask once; ask a second time where that is harmless and often helps."""
        first = await self.connection.ask(method, params)
        if first.ok:
            return first
        if is_clock_error(first):
            await self.measure()
        elif worth_a_second_read(first) or isinstance(first.cause, UntrustedAnswer):
            await self.clock.sleep_ms(SECOND_READ_AFTER_MS)
        elif first.wait_ms is not None and first.wait_ms <= SILENCE_WORTH_WAITING_MS:
            await self.clock.sleep_ms(first.wait_ms)
        else:
            return first
        return await self.connection.ask(method, params)

    async def read(self, method: str, params: Mapping[str, object] | None = None) -> object:
        """Return the checked body of a read.

        Raises:
            Unreadable: There is no usable answer.
        """
        found = await self.attempt(method, params)
        if not found.ok:
            raise Unreadable(trouble_of(found), found)
        return found.body

    async def rows(self, method: str, params: Mapping[str, object] | None = None) -> list[Row]:
        """Return the rows of a listing whose shape the transport has checked.

        Raises:
            Unreadable: There is no usable answer.
        """
        body = await self.read(method, params)
        if not isinstance(body, list):
            raise Unreadable("the answer is not a list")
        return body

    async def row(self, method: str, params: Mapping[str, object] | None = None) -> Row:
        """Return the single object of an endpoint.

        Raises:
            Unreadable: There is no usable answer.
        """
        body = await self.read(method, params)
        if not isinstance(body, Mapping):
            raise Unreadable("the answer is not an object")
        return body

    async def measure(self) -> ClockReading | Attempt:
        """Measure the exchange's clock; return the reading, or the attempt that failed last."""
        failed: list[Attempt] = []

        async def ask() -> int | None:
            found = await self.connection.ask(self.time_method)
            time_ms = found.body.get("serverTime") if isinstance(found.body, Mapping) else None
            if found.ok and isinstance(time_ms, int):
                return time_ms
            failed.append(found)
            if found.ok or not worth_a_second_read(found) or found.phase is Phase.NOT_SENT:
                raise NoMoreProbes
            return None

        reading = await self.connection.clock.measure(ask)
        return reading if reading is not None else failed[-1]

    async def measure_at_first_contact(self) -> ClockReading | Unknown:
        """Measure the clock, raising what only the first request of a run may raise.

        Raises:
            VenueUnavailableError: Nothing answers at the exchange's name.
            TryAgainLaterError: The exchange asks for patience.
            CredentialsRefusedError: The exchange refused the key.
        """
        found = await self.measure()
        if isinstance(found, ClockReading):
            return found
        error = first_contact_error(self.venue, found)
        if error is not None:
            raise error
        return Unknown(trouble_of(found))

    def symbol_of(self, product: str) -> Callable[[str], str]:
        """Return the translator of a product's names."""
        return lambda venue_id: self.markets.symbol(product, venue_id)

    def known(
        self,
        items: Iterable[Item | None],
        *,
        notes: tuple[str, ...] = (),
        window: Window | None = None,
        complete: bool = True,
    ) -> Known[Item]:
        """Return a section that was read now; None stands for a row that means nothing."""
        kept = tuple(item for item in items if item is not None)
        return Known(kept, self.clock.now_ms(), window, complete, notes)


async def section(reading: Awaitable[Known[Item]]) -> Section[Item]:
    """Wait for a reading; whatever cannot be read or understood makes the section unknown."""
    try:
        return await reading
    except Unreadable as error:
        return Unknown(error.reason)
    except Malformed as error:
        return Unknown(f"a row could not be understood: {error.reason}")


def once(listed: Iterable[Row], *keys: str) -> list[Row]:
    """Return the rows of a listing without exact repetitions.

    Raises:
        Malformed: Two rows with the same keys differ.
    """
    found: dict[tuple[object, ...], Row] = {}
    for row in listed:
        key = tuple(row.get(name) for name in keys)
        if found.setdefault(key, row) != row:
            raise Malformed("the same row is listed twice with different contents")
    return list(found.values())
