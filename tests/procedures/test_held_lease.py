"""A token is given only while the lease outlives the request, and a lost lease stays lost."""

import pytest

from resyncctl.core.errors import LockedError
from resyncctl.procedures.held_lease import SKEW_UNMEASURED_MS, HeldLease
from tests.fakes.operators import MemoryLeases

LIFE_MS = 30_000


class Counting(MemoryLeases):
    """Also counts how often the lease was extended and looked at."""

    def __init__(self, **changes: object) -> None:
        super().__init__(**changes)  # type: ignore[arg-type]  # its own fields
        self.renewals: list[int] = []
        self.looks = 0

    def renew(self, lease, now_ms, needed_ms=0):  # type: ignore[no-untyped-def]  # as above
        self.renewals.append(needed_ms)
        return super().renew(lease, now_ms, needed_ms)

    def check(self, lease, now_ms):  # type: ignore[no-untyped-def]  # as above
        self.looks += 1
        super().check(lease, now_ms)


def held(leases: MemoryLeases) -> HeldLease:
    return HeldLease.acquire(leases, "main", "run-a", 0)


def test_a_young_lease_is_looked_at_and_not_renewed() -> None:
    leases = Counting()
    mine = held(leases)
    assert mine.assure(0, 5_000) == 1
    assert (leases.renewals, leases.looks) == ([], 1)


@pytest.mark.invariant("I30")
@pytest.mark.parametrize(("now_ms", "renewed"), [(23_999, False), (24_000, True), (29_999, True)])
def test_it_is_renewed_when_it_would_not_outlive_the_request(now_ms: int, renewed: bool) -> None:
    leases = Counting()
    mine = held(leases)
    assert mine.skew_ms == SKEW_UNMEASURED_MS
    mine.assure(now_ms, 5_000)
    assert leases.renewals == ([6_000] if renewed else [])
    assert mine.lease.expires_ms == (now_ms + LIFE_MS if renewed else LIFE_MS)


@pytest.mark.parametrize(("skew_ms", "kept"), [(0, 0), (250, 250), (-5, 0)])
def test_the_measured_skew_takes_the_place_of_the_assumed_one(skew_ms: int, kept: int) -> None:
    leases = Counting()
    mine = held(leases)
    mine.expect_skew(skew_ms)
    mine.assure(LIFE_MS - 1, 5_000)
    assert leases.renewals == [5_000 + kept]


@pytest.mark.invariant("I30")
@pytest.mark.parametrize(("needed_ms", "lives"), [(28_999, True), (29_000, False)])
def test_a_request_that_would_outlive_even_a_fresh_lease_is_refused(
    needed_ms: int, lives: bool
) -> None:
    mine = held(Counting())
    if lives:
        assert mine.assure(0, needed_ms) == 1
    else:
        with pytest.raises(LockedError, match="ends before a request of 30000 ms would"):
            mine.assure(0, needed_ms)


@pytest.mark.invariant("I30")
def test_what_was_lost_once_stays_lost() -> None:
    leases = Counting()
    mine = held(leases)
    assert mine.why_lost(0) is None
    leases.lost = "taken over"
    with pytest.raises(LockedError, match="taken over"):
        mine.assure(0, 5_000)
    leases.lost = None
    looks = leases.looks
    with pytest.raises(LockedError, match="taken over") as again:
        mine.assure(0, 5_000)
    assert again.value.hint == "nothing more is sent; run the command again"
    assert "taken over" in str(mine.why_lost(0))
    assert leases.looks == looks


def test_a_look_alone_notices_the_loss_and_keeps_it() -> None:
    leases = Counting()
    mine = held(leases)
    leases.lost = "the clock jumped"
    assert "the clock jumped" in str(mine.why_lost(0))
    leases.lost = None
    assert "the clock jumped" in str(mine.why_lost(0))
    with pytest.raises(LockedError, match="the clock jumped"):
        mine.assure(0, 1)


def test_a_renewal_that_fails_is_a_loss() -> None:
    leases = Counting()
    mine = held(leases)
    leases.lost_at_renewal = True
    with pytest.raises(LockedError):
        mine.assure(LIFE_MS, 5_000)
    assert mine.why_lost(0) is not None


def test_it_gives_back_and_tells_who_asked() -> None:
    leases = Counting()
    mine = held(leases)
    assert mine.asked() == leases.asked(mine.lease)
    mine.release()
    assert leases.released == 1
