"""The exchange's clock, and the weight that reads may spend."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest

from resyncctl.adapters.venues.via_ccxt.budget import (
    MINUTE_MS,
    RESERVED_SHARE_PERCENT,
    BudgetSpent,
    WeightBudget,
)
from resyncctl.adapters.venues.via_ccxt.clock import VenueClock
from tests.fakes.fake_clock import FakeClock


def server(
    clock: FakeClock, ahead_ms: int, trips: list[tuple[int, int]]
) -> Callable[[], Awaitable[int | None]]:
    """Return a time server; each trip is (way there, way back) in ms, negative when it is lost."""

    async def ask() -> int | None:
        there_ms, back_ms = trips.pop(0)
        if there_ms < 0:
            clock.advance(back_ms)
            return None
        clock.advance(there_ms)
        theirs_ms = clock.now_ms() + ahead_ms
        clock.advance(back_ms)
        return theirs_ms

    return ask


async def test_half_the_round_trip_is_taken_off() -> None:
    clock = FakeClock()
    venue = VenueClock(clock)
    reading = await venue.measure(server(clock, 1_500, [(10, 10)]))
    assert reading is not None
    assert (reading.offset_ms, reading.uncertainty_ms) == (1_500, 10)
    assert venue.timestamp_ms() == clock.now_ms() + 1_500


async def test_the_shortest_of_several_round_trips_wins() -> None:
    clock = FakeClock()
    venue = VenueClock(clock)
    trips = [(400, 100), (40, 40), (300, 900)]
    reading = await venue.measure(server(clock, -700, trips))
    assert reading is not None
    assert (reading.offset_ms, reading.uncertainty_ms) == (-700, 40)
    assert trips == []


async def test_the_true_offset_lies_within_the_uncertainty() -> None:
    for there_ms in range(0, 400, 37):
        clock = FakeClock()
        reading = await VenueClock(clock).measure(server(clock, 250, [(there_ms, 80)] * 3))
        assert reading is not None
        assert abs(reading.offset_ms - 250) <= reading.uncertainty_ms


async def test_lost_probes_are_survived_and_no_answer_is_none() -> None:
    clock = FakeClock()
    venue = VenueClock(clock)
    assert await venue.measure(server(clock, 5, [(-1, 10), (5, 5), (5, 5)])) is not None
    before = venue.offset_ms
    assert await venue.measure(server(clock, 999, [(-1, 1)] * 3)) is None
    assert venue.offset_ms == before


def test_a_nonce_never_repeats_where_it_must_not() -> None:
    clock = FakeClock()
    plain, strict = VenueClock(clock), VenueClock(clock, strictly_increasing=True)
    assert plain.timestamp_ms() == plain.timestamp_ms()
    seen = [strict.timestamp_ms() for _ in range(50)]
    assert seen == sorted(set(seen))


CEILING = 100 - RESERVED_SHARE_PERCENT


@pytest.mark.invariant("I33")
async def test_a_wait_for_weight_is_told_second_by_second() -> None:
    clock = FakeClock()
    told: list[int] = []
    budget = WeightBudget(clock, limit=100, on_wait=told.append)
    budget.take(100)
    budget.settle(100, 100)
    await budget.admit_read(1, may_use_reserve=False)
    assert len(told) >= 15
    assert all(before - after == 1_000 for before, after in itertools.pairwise(told))


async def test_a_read_waits_for_the_next_minute_and_a_cancel_does_not() -> None:
    clock = FakeClock()
    budget = WeightBudget(clock, limit=100)
    budget.settle(0, CEILING)
    budget.take(50)
    assert clock.slept == []
    budget.settle(50, None)
    await budget.admit_read(1, may_use_reserve=False)
    assert clock.slept
    assert clock.now_ms() % MINUTE_MS == 50


@pytest.mark.invariant("I33")
async def test_the_reserve_is_at_least_thirty_percent_and_for_proofs() -> None:
    assert RESERVED_SHARE_PERCENT >= 30
    clock = FakeClock()
    budget = WeightBudget(clock, limit=100)
    budget.settle(0, CEILING)
    await budget.admit_read(RESERVED_SHARE_PERCENT, may_use_reserve=True)
    assert clock.slept == []


async def test_requests_under_way_count_until_they_are_answered() -> None:
    clock = FakeClock()
    budget = WeightBudget(clock, limit=100)
    for _ in range(6):
        await budget.admit_read(10, may_use_reserve=False)
    waiting = asyncio.ensure_future(budget.admit_read(10, may_use_reserve=False))
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.settle(10, 10)
    budget.settle(10, 10)  # the venue counted less than the table says
    await waiting
    assert sum(clock.slept) < 1_000


async def test_what_never_fits_is_told() -> None:
    clock = FakeClock()
    budget = WeightBudget(clock, limit=100)
    budget.take(1_000)
    with pytest.raises(BudgetSpent):
        await budget.admit_read(10, may_use_reserve=False)
    assert sum(clock.slept) <= 2 * MINUTE_MS


async def test_a_late_and_lower_count_does_not_win() -> None:
    budget = WeightBudget(FakeClock(), limit=100)
    budget.settle(0, 60)
    budget.settle(0, 40)
    assert budget.used == 60


async def test_a_venue_without_a_limit_never_waits() -> None:
    clock = FakeClock()
    budget = WeightBudget(clock)
    for _ in range(100):
        await budget.admit_read(1_000, may_use_reserve=False)
    assert clock.slept == []
