"""Read all fills of some symbols, whatever page borders fall on.

Called by `spot` and `futures`; the paging itself is in `via_ccxt.pager`.
"""

import asyncio
from collections.abc import Sequence

from resyncctl.adapters.venues.via_ccxt import generic_rows as read
from resyncctl.adapters.venues.via_ccxt.binance.desk import Desk
from resyncctl.adapters.venues.via_ccxt.pager import Keys, Reading, Row, read_span
from resyncctl.core.snapshot import Window

PAGE = 1000
AT_ONCE = 4

FILL_KEYS = Keys(
    identify=lambda row: read.text(row, "id"),
    at_ms=lambda row: read.at_ms(row, "time"),
    number=lambda row: int(read.text(row, "id")),
)


async def read_all_fills(
    desk: Desk, method: str, window: Window, names: Sequence[str], *, longest_ms: int
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Return the rows of every symbol, and in words what may be missing.

    Raises:
        Unreadable: A page could not be read.
        Malformed: A row could not be understood.
    """
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> Reading:
        async with slots:
            return await _fills_of(desk, method, window, name, longest_ms)

    readings = await asyncio.gather(*(one(name) for name in names))
    rows = tuple(row for reading in readings for row in reading.rows)
    trouble = tuple(
        f"fills of {name}: {reading.trouble}"
        for name, reading in zip(names, readings, strict=True)
        if reading.trouble is not None
    )
    return rows, trouble


async def _fills_of(desk: Desk, method: str, window: Window, name: str, longest_ms: int) -> Reading:
    async def ask(start_ms: int, end_ms: int) -> tuple[Row, ...]:
        span = {"startTime": start_ms, "endTime": end_ms}
        return tuple(await desk.rows(method, {"symbol": name, "limit": PAGE, **span}))

    async def follow(number: int) -> tuple[Row, ...]:
        # Binance refuses an id together with times.
        return tuple(await desk.rows(method, {"symbol": name, "limit": PAGE, "fromId": number}))

    return await read_span(
        window.since_ms,
        window.until_ms,
        ask=ask,
        follow=follow,
        keys=FILL_KEYS,
        page_size=PAGE,
        longest_ms=longest_ms,
    )
