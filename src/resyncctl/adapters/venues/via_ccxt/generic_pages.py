"""Walking a listing to its end, along the venue's own cursors.

Promise: the rows that come back are every row that the venue lists, or the walk says that it is
not so. Pages may overlap; a row is told from another by its ids. A page that claims more and
brings nothing new, a count that is not reached, a cursor field that is missing: each raises
`Malformed`, never a shorter list. A page that is full where nothing can be asked further makes
the result capped.

Called by `generic_reading`. It sends through the function that it is handed and knows no ccxt.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from resyncctl.adapters.venues.via_ccxt.envelopes import (
    Malformed,
    Row,
    envelope_fault,
    value_at,
)
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    After,
    Capped,
    Complete,
    Cursor,
    Forward,
    NewestFirst,
    Offset,
    Pages,
    Params,
    Query,
    Skip,
    TimeSpan,
)
from resyncctl.core.snapshot import Window

MAX_PAGES = 400
"""A listing longer than this many pages is called incomplete rather than walked for ever."""

Ask = Callable[[str, Params], Awaitable[object]]


@dataclass(slots=True)
class Gathered:
    """The rows of one listing so far. `capped` says that the end could not be seen."""

    rows: dict[tuple[str, ...], Row] = field(default_factory=dict)
    capped: bool = False
    newest_first: bool = False

    def add(self, query: Query, rows: Sequence[Row]) -> int:
        """Take the rows of a page in; return how many were new.

        Raises:
            Malformed: Two different rows of one page carry the same id, so one would be lost.
        """
        before = len(self.rows)
        page: dict[tuple[str, ...], Row] = {}
        for row in rows:
            identity = tuple(_identity(row, key) for key in query.row_id)
            if page.setdefault(identity, row) != row:
                raise Malformed("two different rows of one page carry the same id")
        self.rows.update(page)
        return len(self.rows) - before

    def take(self, part: "Gathered") -> None:
        """Take in what another walk of the same listing brought."""
        self.rows.update(part.rows)
        self.capped = self.capped or part.capped
        self.newest_first = self.newest_first or part.newest_first


async def gather(ask: Ask, venue: str, query: Query, window: Window | None) -> Gathered:
    """Walk one listing, in every span of time that the venue allows to be asked at once.

    Raises:
        Malformed: A page is not what the venue documents, or does not lead on.
    """
    gathered = Gathered()
    for span in _spans(query.span, window):
        part = Gathered()  # the borders of spans overlap, so each span is counted on its own
        try:
            await _walk(ask, venue, query, span, part)
        except Malformed as fault:
            raise Malformed(f"{query.label}: {fault.reason}") from None
        gathered.take(part)
    return gathered


async def _walk(ask: Ask, venue: str, query: Query, span: Params, gathered: Gathered) -> None:
    step: Params | None = _first(query)
    seen = Progress()
    for _ in range(MAX_PAGES):
        if step is None:
            return
        body = await ask(query.endpoint, {**query.params, **span, **step})
        fault = envelope_fault(venue, body)
        if fault is not None:
            raise Malformed(fault)
        rows = query.rows(body)
        fresh = gathered.add(query, rows)
        seen = Progress(seen.pages + 1, seen.rows + len(rows), fresh, seen.distinct + fresh)
        gathered.capped = gathered.capped or _is_full(query, Capped, rows)
        gathered.newest_first = gathered.newest_first or _is_full(query, NewestFirst, rows)
        step = _next(query, Page(body, rows, seen), step)
    gathered.capped = gathered.capped or step is not None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a walk has come: pages and rows read, rows new on this page, distinct rows."""

    pages: int = 0
    rows: int = 0
    fresh: int = 0
    distinct: int = 0


def _first(query: Query) -> Params:
    match query.paging:
        case Pages(send=send):
            return {send: 1}
        case Offset(send=send) | Skip(send=send):
            return {send: 0}
        case _:
            return {}


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the walk: its body, its rows, and how far the walk has come with it."""

    body: object
    rows: Sequence[Row]
    seen: Progress


def _is_full(query: Query, kind: type[Capped] | type[NewestFirst], rows: Sequence[Row]) -> bool:
    paging = query.paging
    return isinstance(paging, kind) and len(rows) >= paging.cap


def _next(query: Query, page: Page, step: Params) -> Params | None:
    """Return the parameters of the next page, or None at the end."""
    match query.paging:
        case Complete() | Capped() | NewestFirst():
            return None
        case Cursor(send=send, found_at=found_at):
            return _along_cursor(send, value_at(page.body, found_at), page, step)
        case After(send=send, row_key=row_key, size=size):
            return _if_full(page, size, lambda: {send: _identity(page.rows[-1], row_key)})
        case Offset(send=send, total_at=total_at):
            return _up_to_count(send, value_at(page.body, total_at), page)
        case Forward() as forward:
            return _forward(forward, page)
        case Skip(send=send, size=size):
            return _if_full(page, size, lambda: {send: page.seen.rows})
        case Pages() as pages:
            return _numbered(pages, page)


def _if_full(page: Page, size: int, following: Callable[[], Params]) -> Params | None:
    if len(page.rows) < size:
        return None
    _must_advance(page.seen)
    return following()


def _along_cursor(send: str, cursor: object, page: Page, step: Params) -> Params | None:
    if cursor is None or cursor == "":
        return None
    if not page.rows and cursor == step.get(send):
        return None  # some venues repeat the last cursor on an empty page behind the end
    if not page.rows or cursor == step.get(send):
        raise Malformed("the cursor does not lead to another page")
    _must_advance(page.seen)
    return {send: cursor}


def _up_to_count(send: str, total: object, page: Page) -> Params | None:
    count, rows, seen = _count(total), page.rows, page.seen
    if seen.distinct >= count:
        return None
    if not rows:
        raise Malformed(f"the venue counts {count} rows and sent {seen.distinct}")
    _must_advance(seen)
    return {send: seen.rows}


def _forward(forward: Forward, page: Page) -> Params | None:
    rows, seen = page.rows, page.seen
    if forward.more_at is not None:
        more = value_at(page.body, forward.more_at)
        if not isinstance(more, bool):
            raise Malformed(f"{forward.more_at!r} is not true or false")
    else:
        more = len(rows) >= forward.size
    if not more:
        return None
    if not rows:
        raise Malformed("the venue says that there is more and sends nothing")
    _must_advance(seen)
    return {forward.send: max(_count(value_at(row, forward.row_time)) for row in rows)}


def _numbered(pages: Pages, page: Page) -> Params | None:
    seen, following = page.seen, {pages.send: page.seen.pages + 1}
    if pages.total_at is None:
        return _if_full(page, pages.size, lambda: following)
    if seen.pages < _count(value_at(page.body, pages.total_at)):
        _must_advance(seen)
        return following
    count = seen.distinct
    if pages.count_at is not None:
        count = _count(value_at(page.body, pages.count_at))
    if seen.distinct < count:
        raise Malformed(f"the venue counts {count} rows and sent {seen.distinct}")
    return None


def _must_advance(seen: Progress) -> None:
    if seen.fresh == 0:
        raise Malformed("a page claims that there is more and brings nothing new")


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isdigit():
        return int(value)
    raise Malformed("a count is not a whole number")


def _identity(row: Row, key: str) -> str:
    try:
        found = value_at(row, key)
    except Malformed:
        raise Malformed(f"a row lacks {key!r}") from None
    if not isinstance(found, str | int) or isinstance(found, bool):
        raise Malformed(f"{key!r} of a row is not an id")
    return str(found)


def _spans(span: TimeSpan | None, window: Window | None) -> Iterator[Params]:
    """Cut the window into the longest spans that the venue accepts; the borders overlap."""
    if span is None or window is None:
        yield {}
        return
    start = window.since_ms
    while True:
        stop = min(start + span.longest_ms, window.until_ms)
        yield {span.since: _time(span, start, -1), span.until: _time(span, stop, 1)}
        if stop >= window.until_ms:
            return
        start = stop


def _time(span: TimeSpan, at_ms: int, widen: int) -> object:
    """Write a time in the venue's unit, rounded outwards so that no row falls between units."""
    if span.iso:
        moment = datetime.fromtimestamp((at_ms + widen) / 1000, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if span.divisor == 1:
        return at_ms
    return at_ms // span.divisor + widen
