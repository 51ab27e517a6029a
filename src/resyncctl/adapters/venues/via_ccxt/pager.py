"""Read a long history page by page so that no row is lost at a border.

A page holds at most so many rows, borders fall between rows of the same millisecond, and some
venues answer with the newest page instead of the oldest. This module asks with overlap, tells rows
apart by key, looks behind the first page, and repeats the whole reading when a page was full,
until two readings agree.

Promises: a reading is complete or says why it is not; the number of requests is bounded.
Called by the venue profiles for fills and ledgers.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

Row = Mapping[str, object]
Ask = Callable[[int, int], Awaitable[tuple[Row, ...]]]
"""Given the first and the last millisecond, return one page."""
Continue = Callable[[int], Awaitable[tuple[Row, ...]]]
"""Given an id, return one page that begins with that id."""

PAGES_MOST = 500
PASSES_MOST = 4


@dataclass(frozen=True, slots=True)
class Keys:
    """Where a row keeps what pages are made of. `number` is an increasing id, if there is one."""

    identify: Callable[[Row], str]
    at_ms: Callable[[Row], int]
    number: Callable[[Row], int] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """The rows in their order of time, and why some may be missing."""

    rows: tuple[Row, ...]
    trouble: str | None = None


def windows(since_ms: int, until_ms: int, longest_ms: int) -> Iterator[tuple[int, int]]:
    """Cut a span into windows that touch: the last millisecond of one is the first of the next."""
    start_ms = since_ms
    while True:
        end_ms = min(start_ms + longest_ms, until_ms)
        yield start_ms, end_ms
        if end_ms >= until_ms:
            return
        start_ms = end_ms


async def read_span(
    since_ms: int,
    until_ms: int,
    *,
    ask: Ask,
    follow: Continue | None,
    keys: Keys,
    page_size: int,
    longest_ms: int,
) -> Reading:
    """Read the whole span. A full page makes the whole reading repeat until two passes agree."""
    before: dict[str, Row] | None = None
    for _ in range(PASSES_MOST):
        walk = _Walk(ask, follow, keys, page_size, (since_ms, until_ms))
        for start_ms, end_ms in windows(since_ms, until_ms, longest_ms):
            await walk.window(start_ms, end_ms)
        if walk.trouble is not None:
            return Reading(_ordered(walk.found, keys), walk.trouble)
        if not walk.was_full or (before is not None and before == walk.found):
            return Reading(_ordered(walk.found, keys))
        before = walk.found
    return Reading(_ordered(before or {}, keys), "two readings in a row did not agree")


def _ordered(found: Mapping[str, Row], keys: Keys) -> tuple[Row, ...]:
    number = keys.number
    if number is not None:
        return tuple(sorted(found.values(), key=lambda row: (keys.at_ms(row), number(row))))
    return tuple(sorted(found.values(), key=lambda row: (keys.at_ms(row), keys.identify(row))))


class _Walk:
    """One pass over the span. Rows outside the asked window are dropped."""

    def __init__(
        self,
        ask: Ask,
        follow: Continue | None,
        keys: Keys,
        page_size: int,
        span: tuple[int, int],
    ) -> None:
        self._ask, self._follow, self._keys, self._span = ask, follow, keys, span
        self._page_size = page_size
        self._pages = 0
        self.found: dict[str, Row] = {}
        self.was_full = False
        self.trouble: str | None = None

    async def window(self, start_ms: int, end_ms: int) -> None:
        """Read one window: the first page, what follows it, and what may stand before it."""
        if self.trouble is not None:
            return
        page = self._keep(await self._ask(start_ms, end_ms))
        if len(page) < self._page_size or self._too_many():
            return
        if start_ms == end_ms:
            await self._one_millisecond(start_ms, page)
            return
        await self._forward(page, end_ms)
        oldest_ms = min(self._keys.at_ms(row) for row in page)
        check = self._keep(await self._ask(start_ms, oldest_ms))
        if len(check) < self._page_size:
            return  # everything up to the first page's oldest row is known
        if min(self._keys.at_ms(row) for row in check) == oldest_ms:
            await self._one_millisecond(oldest_ms, check)
            if oldest_ms > start_ms:
                await self.window(start_ms, oldest_ms - 1)
            return
        middle_ms = (start_ms + end_ms) // 2  # this venue sends the newest rows first
        await self.window(start_ms, middle_ms)
        await self.window(middle_ms + 1, end_ms)

    def _keep(self, page: tuple[Row, ...]) -> tuple[Row, ...]:
        since_ms, until_ms = self._span
        self._pages += 1
        self.was_full = self.was_full or len(page) >= self._page_size
        for row in page:
            if since_ms <= self._keys.at_ms(row) <= until_ms:
                key = self._keys.identify(row)
                if self.found.setdefault(key, row) != row:
                    self.trouble = f"the exchange told row {key} in two different ways"
        return page

    def _too_many(self) -> bool:
        if self._pages >= PAGES_MOST:
            self.trouble = f"the history has more than {PAGES_MOST} pages"
        return self.trouble is not None

    async def _forward(self, page: tuple[Row, ...], end_ms: int) -> None:
        while len(page) >= self._page_size and not self._too_many():
            newest_ms = max(self._keys.at_ms(row) for row in page)
            if newest_ms > end_ms:
                return
            before = len(self.found)
            if self._follow is not None and self._keys.number is not None:
                highest = max(self._keys.number(row) for row in page)
                page = self._keep(await self._follow(highest))
                moved = any(self._keys.number(row) > highest for row in page)
            else:
                page = self._keep(await self._ask(newest_ms, end_ms))
                moved = len(self.found) > before
            if not moved:
                if len(page) >= self._page_size:
                    self.trouble = "one millisecond holds more rows than a page"
                return

    async def _one_millisecond(self, at_ms: int, page: tuple[Row, ...]) -> None:
        """Read a millisecond that holds a page or more, forward and backward by id."""
        follow, number = self._follow, self._keys.number
        if follow is None or number is None:
            self.trouble = "one millisecond holds more rows than a page"
            return
        await self._forward(page, at_ms)
        lowest, step = min(number(row) for row in page), 1
        while lowest > 0 and not self._too_many():
            begin = max(0, lowest - step)
            below = [row for row in await self._between(begin, lowest) if number(row) < lowest]
            if any(self._keys.at_ms(row) < at_ms for row in below):
                return  # the row before this millisecond is known, so is everything after it
            if not below and begin == 0:
                return  # there is no row with a smaller id at all
            lowest, step = min((number(row) for row in below), default=lowest), step * 2

    async def _between(self, first: int, stop: int) -> list[Row]:
        """Read by id from one id up to another, keeping every row of this walk's windows."""
        follow, number = self._follow, self._keys.number
        rows: list[Row] = []
        while follow is not None and number is not None and not self._too_many():
            page = self._keep(await follow(first))
            rows += page
            highest = max((number(row) for row in page), default=stop)
            if len(page) < self._page_size or highest >= stop or highest == first:
                break
            first = highest
        return rows
