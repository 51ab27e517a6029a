"""Histories longer than a page: nothing is lost at a border, or the reader is told."""

from dataclasses import dataclass, field
from random import Random

import pytest

from resyncctl.adapters.venues.via_ccxt.pager import Keys, Reading, Row, read_span, windows

PAGE = 5
KEYS = Keys(
    identify=lambda row: str(row["id"]),
    at_ms=lambda row: int(str(row["time"])),
    number=lambda row: int(str(row["id"])),
)
WITHOUT_NUMBER = Keys(KEYS.identify, KEYS.at_ms)


def trade(number: int, time_ms: int) -> Row:
    return {"id": number, "time": time_ms}


@dataclass
class History:
    """A venue's history. `newest_first` sends the newest page when there is more than one."""

    rows: list[Row]
    newest_first: bool = False
    longest_ms: int = 1_000
    asked: list[str] = field(default_factory=list)
    grows: list[Row] = field(default_factory=list)

    async def ask(self, start_ms: int, end_ms: int) -> tuple[Row, ...]:
        self.asked.append(f"{start_ms}-{end_ms}")
        assert end_ms - start_ms <= self.longest_ms, "the venue refuses longer windows"
        inside = [row for row in self.rows if start_ms <= KEYS.at_ms(row) <= end_ms]
        if self.grows:
            self.rows.append(self.grows.pop(0))
        return tuple(inside[-PAGE:] if self.newest_first else inside[:PAGE])

    async def follow(self, number: int) -> tuple[Row, ...]:
        self.asked.append(f"from {number}")
        later = [row for row in self.rows if int(str(row["id"])) >= number]
        return tuple(later[:PAGE])

    async def read(self, since_ms: int, until_ms: int, *, by_id: bool = True) -> Reading:
        return await read_span(
            since_ms,
            until_ms,
            ask=self.ask,
            follow=self.follow if by_id else None,
            keys=KEYS if by_id else WITHOUT_NUMBER,
            page_size=PAGE,
            longest_ms=self.longest_ms,
        )


def numbers(reading: Reading) -> list[int]:
    return [int(str(row["id"])) for row in reading.rows]


CASES = {
    "nothing": [],
    "one": [trade(1, 500)],
    "both ends": [trade(1, 0), trade(2, 900)],
    "a page less one": [trade(n, n * 10) for n in range(PAGE - 1)],
    "exactly a page": [trade(n, n * 10) for n in range(PAGE)],
    "a page and one": [trade(n, n * 10) for n in range(PAGE + 1)],
    "four pages": [trade(n, n * 10) for n in range(4 * PAGE)],
    "four pages and one": [trade(n, n * 10) for n in range(4 * PAGE + 1)],
    "same millisecond at a border": [trade(n, 100 if 3 <= n <= 7 else n * 20) for n in range(12)],
    "a page in one millisecond": [trade(n, 100) for n in range(PAGE)],
    "burst at the end": [trade(n, 900 if n > 3 else n) for n in range(PAGE + 3)],
    "burst at the start": [trade(n, 0 if n < 7 else 10 * n) for n in range(12)],
}


@pytest.mark.invariant("I38")
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("name", CASES)
async def test_every_row_is_read_once(name: str, newest_first: bool) -> None:
    rows = CASES[name]
    reading = await History(list(rows), newest_first).read(0, 900)
    assert reading.trouble is None
    assert numbers(reading) == [int(str(row["id"])) for row in rows]


async def test_a_millisecond_longer_than_a_page_is_read_by_id() -> None:
    rows = [trade(n, 100) for n in range(3 * PAGE)]
    assert numbers(await History(rows).read(0, 900)) == list(range(3 * PAGE))


async def test_without_ids_a_millisecond_longer_than_a_page_is_told() -> None:
    rows = [trade(n, 100) for n in range(3 * PAGE)]
    reading = await History(rows).read(0, 900, by_id=False)
    assert reading.trouble == "one millisecond holds more rows than a page"


@pytest.mark.parametrize("seed", range(25))
async def test_any_history_is_whole_in_windows(seed: int) -> None:
    random = Random(seed)
    times = sorted(random.choice([random.randrange(5_000), 1_000, 2_000]) for _ in range(80))
    rows = [trade(number, time_ms) for number, time_ms in enumerate(times)]
    inside = [n for n, time_ms in enumerate(times) if 500 <= time_ms <= 4_000]
    reading = await History(rows, newest_first=bool(seed % 2)).read(500, 4_000)
    assert (numbers(reading), reading.trouble) == (inside, None)


async def test_a_full_page_makes_the_reading_repeat() -> None:
    history = History([trade(n, n) for n in range(PAGE)])
    await history.read(0, 900)
    once = len(history.asked) // 2
    assert history.asked[:once] == history.asked[once:]
    short = History([trade(1, 1)])
    await short.read(0, 900)
    assert short.asked == ["0-900"]


@pytest.mark.invariant("I38")
async def test_readings_that_never_agree_are_told() -> None:
    more = [trade(100 + n, 200 + n) for n in range(40)]
    history = History([trade(n, n) for n in range(PAGE)], grows=more)
    assert (await history.read(0, 900)).trouble == "two readings in a row did not agree"


async def test_one_id_in_two_ways_is_told() -> None:
    rows = [trade(1, 10), {"id": 1, "time": 10, "price": "2"}]
    trouble = (await History(rows).read(0, 900)).trouble
    assert trouble is not None
    assert "two different ways" in trouble


async def test_the_number_of_pages_is_bounded() -> None:
    rows = [trade(n, n // 4) for n in range(3_600)]
    trouble = (await History(rows).read(0, 900)).trouble
    assert trouble is not None
    assert "pages" in trouble


def test_windows_touch_and_end_where_they_should() -> None:
    assert list(windows(0, 25, 10)) == [(0, 10), (10, 20), (20, 25)]
    assert list(windows(0, 10, 10)) == [(0, 10)]
    assert list(windows(5, 5, 10)) == [(5, 5)]
