"""When a proof reads, how long it waits in between, what it tells, and when it gives up."""

from dataclasses import replace

import pytest

from resyncctl.core.model import Order, OrderStatus
from resyncctl.core.plan import Selection, order_key
from resyncctl.procedures.prove_absence import (
    ProofRequest,
    ProofResult,
    list_orders,
    settle_all,
    watch_absence,
)
from tests.core.test_plan import ALGO, LINEAR, SPOT, order
from tests.fakes.fake_clock import FakeClock
from tests.fakes.fake_venue import FakeVenue
from tests.fakes.recording_progress import RecordingProgress

SCOPES = (SPOT, LINEAR, ALGO)


class World:
    """An exchange, a clock, and what was read when."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.venue = FakeVenue(clock=self.clock, scopes=SCOPES)
        self.progress = RecordingProgress()
        self.read_at: list[int] = []
        self.interrupt_at_ms: int | None = None
        self.venue.on_list = self._listed

    def _listed(self, venue: FakeVenue) -> None:
        if self.clock.running_ms not in self.read_at:
            self.read_at.append(self.clock.running_ms)

    def interrupted(self) -> bool:
        return self.interrupt_at_ms is not None and self.clock.running_ms >= self.interrupt_at_ms

    async def watch(self, **wish: int) -> ProofResult:
        numbers = {"not_before_ms": 0, "horizon_ms": 4_000, "deadline_ms": 60_000} | wish
        request = ProofRequest(
            scopes=SCOPES,
            selection=Selection(),
            required_reads=numbers.pop("required_reads", 3),
            **numbers,
        )
        return await watch_absence(
            request,
            venue=self.venue,
            clock=self.clock,
            progress=self.progress,
            interrupted=self.interrupted,
        )


@pytest.mark.invariant("I1", "I15")
async def test_nothing_is_read_before_the_last_landing_and_the_span_is_shared_out() -> None:
    world = World()
    result = await world.watch(not_before_ms=1_300)
    assert result.proof.proved
    assert world.read_at == [1_300, 3_300, 5_300, 6_300, 7_300]
    assert result.last_read_ms == world.read_at[-1]
    assert result.unexpected == ()


@pytest.mark.parametrize(("reads", "at"), [(2, [0, 4_000, 5_000]), (5, [*range(0, 8_001, 1_000)])])
async def test_more_readings_share_the_horizon_and_follow_it_closely(
    reads: int, at: list[int]
) -> None:
    world = World()
    assert (await world.watch(required_reads=reads)).proof.proved
    assert world.read_at == at


async def test_a_short_horizon_still_leaves_time_between_readings() -> None:
    world = World()
    assert (await world.watch(horizon_ms=100)).proof.proved
    assert world.read_at == [0, 100, 1_100, 2_100]


async def test_a_reading_that_failed_is_repeated_soon() -> None:
    world = World()
    world.venue.unreadable = {LINEAR: 1}
    assert (await world.watch()).proof.proved
    assert world.read_at == [0, 1_000, 3_000, 4_000, 5_000, 6_000]
    told = [step.numbers for step in world.progress.steps if step.stage == "proof"]
    assert [row.get("unreadable") for row in told][:4] == [1, None, None, None]


async def test_a_failed_reading_is_not_repeated_later_than_a_good_one() -> None:
    world = World()
    world.venue.unreadable = {LINEAR: 1}
    assert (await world.watch(horizon_ms=1_000)).proof.proved
    assert world.read_at == [0, 500, 1_000, 2_000, 3_000]


@pytest.mark.invariant("I35")
async def test_the_operator_is_told_what_is_proved_and_what_is_left() -> None:
    world = World()
    await world.watch()
    told = [step.numbers for step in world.progress.steps if step.stage == "proof"]
    assert [row["reads"] for row in told] == ["0/3", "0/3", "1/3", "2/3", "3/3"]
    assert [row["seconds_left"] for row in told] == [4, 2, 0, 0, 0]


async def test_seconds_left_are_rounded_up_and_never_negative() -> None:
    world = World()
    await world.watch(horizon_ms=1_001)
    told = [step.numbers for step in world.progress.steps if step.stage == "proof"]
    assert [row["seconds_left"] for row in told][:4] == [2, 1, 1, 0]


@pytest.mark.invariant("I35")
@pytest.mark.parametrize(
    ("deadline_ms", "at"),
    [
        (1_999, [0]),
        (2_000, [0, 2_000]),
        (3_999, [0, 2_000]),
        (4_000, [0, 2_000, 4_000]),
        (5_999, [0, 2_000, 4_000, 5_000]),
        (6_000, [0, 2_000, 4_000, 5_000, 6_000]),
    ],
)
async def test_it_ends_when_the_next_reading_would_be_too_late(
    deadline_ms: int, at: list[int]
) -> None:
    world = World()
    result = await world.watch(deadline_ms=deadline_ms)
    assert world.read_at == at
    assert result.proof.proved is (deadline_ms == 6_000)


@pytest.mark.invariant("I35")
@pytest.mark.parametrize(
    ("interrupt_at_ms", "at"), [(0, [0]), (700, [0, 1_000]), (2_000, [0, 2_000])]
)
async def test_an_interrupt_is_heard_within_half_a_second(
    interrupt_at_ms: int, at: list[int]
) -> None:
    world = World()
    world.interrupt_at_ms = interrupt_at_ms
    result = await world.watch()
    assert not result.proof.proved
    assert world.read_at == at
    assert all(slept <= 500 for slept in world.clock.slept)


async def test_an_unexpected_order_ends_the_proof_at_once() -> None:
    world = World()
    world.venue.put(order(1))
    result = await world.watch()
    assert [found.venue_order_id for found in result.unexpected] == [order(1).venue_order_id]
    assert world.read_at == [0]


@pytest.mark.invariant("I2")
async def test_an_incomplete_listing_shows_its_orders_and_counts_as_unreadable() -> None:
    world = World()
    world.venue.put(order(1))
    world.venue.incomplete = {SPOT}
    world.venue.unreadable = {ALGO: 1}
    listing = await list_orders(world.venue, SCOPES, world.clock)
    assert [found.venue_order_id for found in listing.orders] == [order(1).venue_order_id]
    assert {scope for scope, _ in listing.unreadable} == {SPOT, ALGO}
    assert all(reason for _, reason in listing.unreadable)
    assert listing.began_ms == world.clock.monotonic_ms()


async def settled(world: World, seen: dict[str, Order], deadline_ms: int = 5_000) -> list[str]:
    found = await settle_all(
        seen,
        venue=world.venue,
        clock=world.clock,
        progress=world.progress,
        deadline_ms=deadline_ms,
        interrupted=world.interrupted,
    )
    return [key for key, _ in found.open_or_unknown]


@pytest.mark.invariant("I3")
async def test_an_order_that_ended_needs_one_question() -> None:
    world = World()
    done = replace(order(1), status=OrderStatus.CANCELED)
    world.venue.put(done)
    assert await settled(world, {order_key(done): order(1)}) == []
    assert world.clock.slept == []


@pytest.mark.invariant("I3")
async def test_an_open_order_is_asked_for_until_the_deadline() -> None:
    world = World()
    world.venue.put(order(1))
    assert await settled(world, {order_key(order(1)): order(1)}) == [order_key(order(1))]
    assert world.clock.running_ms == 5_000
    told = [step.numbers for step in world.progress.steps if step.stage == "settle"]
    assert (told[0]["settled"], told[0]["orders"]) == (0, 1)


async def test_no_orders_need_no_question() -> None:
    world = World()
    assert await settled(world, {}) == []
    assert not world.progress.steps


async def test_the_wait_for_the_last_landing_is_told() -> None:
    world = World()
    await world.watch(not_before_ms=1_300)
    told = [step.numbers for step in world.progress.steps if step.stage == "quiet"]
    assert [row["seconds_left"] for row in told] == [2, 1, 1]


@pytest.mark.invariant("I35")
async def test_an_interrupt_ends_the_wait_for_the_last_landing() -> None:
    world = World()
    world.interrupt_at_ms = 600
    await world.watch(not_before_ms=30_000)
    assert world.read_at == [1_000]


async def test_an_interrupt_ends_the_asking_for_open_orders() -> None:
    world = World()
    world.venue.put(order(1))
    world.interrupt_at_ms = 0
    assert await settled(world, {order_key(order(1)): order(1)}) == [order_key(order(1))]
    assert world.clock.slept == []


@pytest.mark.invariant("I3")
async def test_one_open_order_among_ended_ones_is_asked_for_again() -> None:
    world = World()
    done = replace(order(1), status=OrderStatus.CANCELED)
    world.venue.put(done, order(2))
    seen = {order_key(one): one for one in (order(1), order(2))}
    assert await settled(world, seen, deadline_ms=2_000) == [order_key(order(2))]
    assert world.clock.running_ms == 2_000
    told = [step.numbers for step in world.progress.steps if step.stage == "settle"]
    assert (told[-1]["settled"], told[-1]["orders"]) == (1, 2)
    assert len(told) == len(world.clock.slept) + 1, "it asked again without a pause"
    assert await settled(world, {order_key(done): order(1)}, deadline_ms=0) == []


@pytest.mark.invariant("I1")
async def test_one_listing_after_the_horizon_stands_alone_and_proves_nothing() -> None:
    world = World()
    result = await world.watch(deadline_ms=4_000)
    assert not result.proof.proved
    assert result.proof.missing == tuple(
        f"{scope}: 1 of 3 valid reads after 4000 ms" for scope in SCOPES
    )
