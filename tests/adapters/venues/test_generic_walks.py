"""Whatever the number of rows and the size of a page, a walk finds every row, and says when not.

A tiny server for each kind of paging answers as such venues do; the walk is the real one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed
from resyncctl.adapters.venues.via_ccxt.generic_pages import Gathered, gather
from resyncctl.adapters.venues.via_ccxt.generic_plan import (
    After,
    Capped,
    Complete,
    Cursor,
    Forward,
    Offset,
    Pages,
    Paging,
    Query,
    Skip,
    TimeSpan,
    at,
)
from resyncctl.core.snapshot import Window

Body = dict[str, Any]
Server = Callable[[dict[str, Any]], Body]

ROWS = st.integers(0, 60)
SIZES = st.integers(1, 13)


def served(page: list[Body], **more: object) -> Body:
    return {"code": "0", "msg": "", "data": page, **more}


def cursor_server(rows: list[Body], size: int) -> Server:
    """Like Bybit: the last page with rows still carries a cursor."""

    def answer(params: dict[str, Any]) -> Body:
        start = int(params.get("cursor", 0))
        page = rows[start : start + size]
        return served(page, next=str(start + len(page)) if page else "")

    return answer


def after_server(rows: list[Body], size: int) -> Server:
    def answer(params: dict[str, Any]) -> Body:
        ids = [row["id"] for row in rows]
        start = ids.index(params["after"]) + 1 if "after" in params else 0
        return served(rows[start : start + size])

    return answer


def offset_server(rows: list[Body], size: int) -> Server:
    def answer(params: dict[str, Any]) -> Body:
        start = int(params["ofs"])
        return served(rows[start : start + size], count=len(rows))

    return answer


def skip_server(rows: list[Body], size: int) -> Server:
    def answer(params: dict[str, Any]) -> Body:
        start = int(params["offset"])
        return served(rows[start : start + size])

    return answer


def page_server(rows: list[Body], size: int) -> Server:
    def answer(params: dict[str, Any]) -> Body:
        start = (int(params["page"]) - 1) * size
        pages = -(-len(rows) // size)
        return served(rows[start : start + size], pages=pages, count=len(rows))

    return answer


def kinds(size: int) -> dict[str, tuple[Paging, Callable[[list[Body], int], Server]]]:
    return {
        "cursor": (Cursor("cursor", "next"), cursor_server),
        "after": (After("after", "id", size), after_server),
        "offset": (Offset("ofs", "count"), offset_server),
        "skip": (Skip("offset", size), skip_server),
        "pages": (Pages("page", size, "pages", "count"), page_server),
        "short-page": (Pages("page", size), page_server),
    }


def query(paging: Paging, span: TimeSpan | None = None) -> Query:
    return Query(
        label="rows",
        endpoint="any",
        rows=at("data"),
        row_id=("id",),
        paging=paging,
        span=span,
    )


def walk(asked: Query, server: Server, window: Window | None = None) -> Gathered:
    async def ask(_endpoint: str, params: Any) -> object:
        return server(dict(params))

    found: Awaitable[Gathered] = gather(ask, "okx", asked, window)

    async def run() -> Gathered:
        return await found

    return asyncio.run(run())


def numbered(total: int) -> list[Body]:
    return [{"id": f"r{n}", "n": n} for n in range(total)]


@pytest.mark.parametrize("kind", sorted(kinds(1)))
@given(total=ROWS, size=SIZES)
@settings(max_examples=60, deadline=None)
def test_every_row_is_found(kind: str, total: int, size: int) -> None:
    paging, serve = kinds(size)[kind]
    rows = numbered(total)
    gathered = walk(query(paging), serve(rows, size))
    assert [row["n"] for row in gathered.rows.values()] == list(range(total))
    assert not gathered.capped


@pytest.mark.parametrize("kind", ["cursor", "after", "offset", "skip", "pages"])
@given(total=st.integers(3, 60), size=st.integers(1, 5), lost=st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_a_server_that_repeats_itself_is_caught(
    kind: str, total: int, size: int, lost: int
) -> None:
    """From some page on, the server sends the first page again and again."""
    if total <= size * 2:
        return
    paging, serve = kinds(size)[kind]
    rows = numbered(total)
    honest = serve(rows, size)
    turns = 0

    def answer(params: dict[str, Any]) -> Body:
        nonlocal turns
        turns += 1
        body = honest(params)
        if turns > min(lost, total // size - 1):
            body["data"] = rows[:size]
            body["next"] = "1"
        return body

    with pytest.raises(Malformed):
        walk(query(paging), answer)


@given(
    moments=st.lists(st.integers(0, 30), max_size=60),
    size=st.integers(2, 13),
    longest=st.integers(1, 40),
)
@settings(max_examples=120, deadline=None)
def test_time_is_walked_without_losing_rows_of_one_moment(
    moments: list[int], size: int, longest: int
) -> None:
    rows = [{"id": f"r{n}", "at": moment} for n, moment in enumerate(sorted(moments))]
    crowded = max((moments.count(moment) for moment in set(moments)), default=0)

    def answer(params: dict[str, Any]) -> Body:
        inside = [row for row in rows if params["since"] <= row["at"] <= params["until"]]
        return served(inside[:size])

    span = TimeSpan(since="since", until="until", longest_ms=longest)
    asked = query(Forward("since", "at", None, size), span)
    window = Window(0, 30)
    if crowded < size:
        assert set(walk(asked, answer, window).rows) == {(row["id"],) for row in rows}
        return
    try:
        found = set(walk(asked, answer, window).rows)
    except Malformed:
        return  # more rows in one moment than a page holds: told, not lost
    assert found == {(row["id"],) for row in rows}


@given(total=ROWS, cap=SIZES)
@settings(max_examples=60, deadline=None)
def test_a_full_page_without_a_cursor_is_never_called_whole(total: int, cap: int) -> None:
    rows = numbered(total)
    gathered = walk(query(Capped(cap)), lambda _params: served(rows[:cap]))
    assert gathered.capped is (total >= cap)
    assert not walk(query(Complete()), lambda _params: served(rows)).capped
