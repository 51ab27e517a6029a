"""Getting an account: at once, by waiting, by asking its holder, by replacing a silent one."""

from dataclasses import dataclass, field

import pytest

from resyncctl.core.errors import LockedError, RecordUnwritableError
from resyncctl.ports.powers import Lease, TakenLease
from resyncctl.procedures.held_lease import HeldLease
from resyncctl.procedures.take_over import STUBBORN_MS, Waiting, Wish, take_account
from tests.fakes.fake_clock import START_MS, FakeClock
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.operators import MemoryLeases
from tests.fakes.recording_progress import RecordingProgress

VALIDITY_MS = 5_000
SKEW_MS = 1_000


@dataclass
class Desk:
    leases: MemoryLeases = field(default_factory=MemoryLeases)
    clock: FakeClock = field(default_factory=FakeClock)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    progress: RecordingProgress = field(default_factory=RecordingProgress)
    interrupted: bool = False

    async def take(self, wait_ms: int = 0, take_over: str | None = None) -> HeldLease:
        wish = Wish(
            account="main",
            request_validity_ms=VALIDITY_MS,
            wait_ms=wait_ms,
            take_over=take_over,
            skew_ms=SKEW_MS,
        )
        tools = Waiting(
            leases=self.leases,
            journal=self.journal,
            clock=self.clock,
            progress=self.progress,
            interrupted=lambda: self.interrupted,
        )
        return await take_account(wish, tools)


class Freed(FakeClock):
    """A clock under which the other run ends by itself after some time."""

    leases: MemoryLeases
    at_ms: int

    async def sleep_ms(self, duration_ms: int) -> None:
        await super().sleep_ms(duration_ms)
        if self.monotonic_ms() >= self.at_ms:
            self.leases.held_by_run = None


async def test_a_free_account_is_taken_at_once() -> None:
    desk = Desk()
    assert (await desk.take()).lease.fencing_token == 1
    assert not desk.leases.asks
    assert not desk.clock.slept


@pytest.mark.invariant("I31")
async def test_without_a_timeout_the_second_run_is_refused_and_seen() -> None:
    desk = Desk(MemoryLeases(held_by_run="run-1"))
    with pytest.raises(LockedError, match="run-1"):
        await desk.take()
    assert desk.leases.asks == [(desk.journal.run_id, None)]
    assert not desk.clock.slept


async def test_waiting_ends_when_the_account_is_free() -> None:
    clock = Freed()
    desk = Desk(MemoryLeases(held_by_run="run-1"), clock)
    clock.leases, clock.at_ms = desk.leases, 700
    await desk.take(wait_ms=10_000)
    assert desk.clock.monotonic_ms() == 800
    assert not desk.journal.records


async def test_waiting_ends_in_time() -> None:
    desk = Desk(MemoryLeases(held_by_run="run-1"))
    with pytest.raises(LockedError, match="run-1"):
        await desk.take(wait_ms=1_100)
    assert desk.clock.monotonic_ms() == 1_100


@pytest.mark.invariant("I31")
async def test_a_holder_that_is_asked_gives_way() -> None:
    desk = Desk(MemoryLeases(held_by_run="run-1", ends_ms=START_MS + 60_000))
    await desk.take(take_over="its operator went home")
    assert desk.leases.asks[-1] == (desk.journal.run_id, "its operator went home")
    assert not desk.leases.taken
    asked, taken = desk.journal.records
    assert (asked.event, taken.event) == ("take_over_asked", "taken_over")
    for kept in (asked, taken):
        assert kept.details["from_run"] == "run-1"
        assert kept.details["reason"] == "its operator went home"
    assert taken.details["forced"] is False


@pytest.mark.invariant("I30")
async def test_a_silent_holder_is_replaced_only_after_its_last_request() -> None:
    ends_ms = START_MS + 12_000
    desk = Desk(MemoryLeases(held_by_run="run-1", ends_ms=ends_ms, yields=False))
    lease = await desk.take(take_over="it hangs")
    assert desk.leases.taken == [(desk.journal.run_id, "it hangs")]
    assert desk.clock.now_ms() > ends_ms + VALIDITY_MS + SKEW_MS
    assert desk.journal.records[-1].details["forced"] is True
    assert desk.journal.records[-1].details["token"] == lease.lease.fencing_token


class Renewing(MemoryLeases):
    """The holder renews in the instant in which it is replaced."""

    def take(
        self, account: str, holder: str, now_ms: int, *, from_token: int, reason: str
    ) -> TakenLease:
        taken = super().take(account, holder, now_ms, from_token=from_token, reason=reason)
        return TakenLease(taken.lease, now_ms + 9_000)


@pytest.mark.invariant("I30")
async def test_a_lease_that_was_renewed_meanwhile_is_waited_out_again() -> None:
    desk = Desk(Renewing(held_by_run="run-1", ends_ms=START_MS, yields=False))
    await desk.take(take_over="it hangs")
    taken_ms = START_MS + VALIDITY_MS + SKEW_MS
    assert desk.clock.now_ms() > taken_ms + 9_000 + VALIDITY_MS + SKEW_MS


class Stubborn(MemoryLeases):
    """A holder of another version: it reads no requests, and renews for ever."""

    def acquire(self, account: str, holder: str, now_ms: int) -> Lease:
        self.ends_ms = now_ms + 15_000
        return super().acquire(account, holder, now_ms)


@pytest.mark.invariant("I31")
async def test_a_holder_that_renews_is_never_replaced() -> None:
    desk = Desk(Stubborn(held_by_run="run-1", yields=False))
    with pytest.raises(LockedError, match="run-1"):
        await desk.take(take_over="I want it")
    assert not desk.leases.taken
    assert desk.clock.monotonic_ms() >= STUBBORN_MS


class ThirdRun(FakeClock):
    leases: MemoryLeases

    async def sleep_ms(self, duration_ms: int) -> None:
        await super().sleep_ms(duration_ms)
        self.leases.held_by_run = "run-3"


async def test_a_third_run_that_was_faster_is_left_alone() -> None:
    clock = ThirdRun()
    desk = Desk(MemoryLeases(held_by_run="run-1", ends_ms=START_MS, yields=False), clock)
    clock.leases = desk.leases
    with pytest.raises(LockedError, match="run-3"):
        await desk.take(take_over="it hangs")
    assert not desk.leases.taken


@pytest.mark.parametrize("take_over", [None, "it hangs"])
async def test_an_interrupted_wait_ends_without_the_account(take_over: str | None) -> None:
    leases = MemoryLeases(held_by_run="run-1", ends_ms=START_MS + 9_000, yields=False)
    desk = Desk(leases, interrupted=True)
    with pytest.raises(LockedError):
        await desk.take(wait_ms=60_000, take_over=take_over)
    assert not desk.leases.taken


@pytest.mark.parametrize("yields", [True, False])
async def test_a_take_over_that_cannot_be_recorded_is_given_back(yields: bool) -> None:
    leases = MemoryLeases(held_by_run="run-1", ends_ms=START_MS, yields=yields)
    desk = Desk(leases, journal=MemoryJournal(breaks_at=2))
    with pytest.raises(RecordUnwritableError):
        await desk.take(take_over="it hangs")
    assert desk.leases.released == 1


def held(leases: MemoryLeases) -> HeldLease:
    return HeldLease.acquire(leases, "main", "run-1", START_MS)


@pytest.mark.invariant("I30")
@pytest.mark.parametrize(("after_ms", "needed_ms", "renewed"), [(0, 5_000, 0), (8_500, 5_000, 1)])
def test_a_lease_that_is_too_short_for_the_request_is_renewed(
    after_ms: int, needed_ms: int, renewed: int
) -> None:
    lease = held(MemoryLeases(lifetime_ms=15_000))
    lease.expect_skew(1_500)
    lease.assure(START_MS + after_ms, needed_ms)
    assert lease.lease.expires_ms == START_MS + 15_000 + renewed * after_ms
    assert START_MS + after_ms + needed_ms + 1_500 < lease.lease.expires_ms


@pytest.mark.invariant("I30")
@pytest.mark.parametrize(("skew_ms", "fits"), [(9_999, True), (10_000, False)])
def test_a_request_that_would_outlive_every_lease_gets_no_token(skew_ms: int, fits: bool) -> None:
    lease = held(MemoryLeases(lifetime_ms=15_000))
    lease.expect_skew(skew_ms)
    if fits:
        assert lease.assure(START_MS, 5_000) == 1
    else:
        with pytest.raises(LockedError, match="ends before"):
            lease.assure(START_MS, 5_000)


def test_a_lost_lease_stays_lost() -> None:
    leases = MemoryLeases()
    lease = held(leases)
    leases.lost = "taken over by run-2"
    assert "run-2" in (lease.why_lost(START_MS) or "")
    leases.lost = None
    assert "run-2" in (lease.why_lost(START_MS) or "")
    with pytest.raises(LockedError, match="run-2"):
        lease.assure(START_MS, 100)
