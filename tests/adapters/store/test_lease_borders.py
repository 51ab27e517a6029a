"""The borders of a lease: what one process may do twice, what a look notices, what an end means."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resyncctl.adapters.store.lease import TTL_MS
from resyncctl.adapters.store.lock_files import LockFile, read_lock
from resyncctl.adapters.store.null_store import NullStore
from resyncctl.core.errors import InvariantBroken, LockedError, RecordUnwritableError
from tests.adapters.store.test_lease import Host
from tests.fakes.memory_store import MemoryStore


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.close()


def test_one_process_holds_an_account_for_one_run(host: Host) -> None:
    leases = host.leases()
    first = host.acquire(leases, "run-a")
    with pytest.raises(LockedError, match="held by run-a of this process"):
        leases.acquire("main", "run-b", host.clock.now_ms())
    again = leases.acquire("main", "run-a", host.clock.now_ms())
    assert again.fencing_token == first.fencing_token


def test_a_lease_lives_from_now_and_a_renewal_from_then(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    assert lease.expires_ms == host.clock.now_ms() + TTL_MS
    host.clock.advance(1_000)
    renewed = leases.renew(lease, host.clock.now_ms())
    assert renewed.expires_ms == host.clock.now_ms() + TTL_MS
    longer = leases.renew(renewed, host.clock.now_ms(), TTL_MS)
    assert longer.expires_ms == host.clock.now_ms() + 2 * TTL_MS
    written = read_lock(host.path)
    assert written is not None
    assert written.expires_ms == longer.expires_ms


@pytest.mark.invariant("I30")
@pytest.mark.parametrize(("jump_ms", "lost"), [(TTL_MS, False), (TTL_MS + 1, True)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_look_notices_a_jump_of_the_clock(
    host: Host, jump_ms: int, lost: bool, sign: int
) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    host.clock.step_wall(sign * jump_ms)
    if lost:
        with pytest.raises(LockedError, match="the clock jumped"):
            leases.check(lease, host.clock.now_ms())
    else:
        leases.check(lease, host.clock.now_ms())


@pytest.mark.invariant("I30")
def test_a_look_notices_a_newer_signature_in_the_same_file(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    signed = read_lock(host.path)
    assert signed is not None
    newer = replace(signed, run_id="run-b", fencing_token=lease.fencing_token + 1)
    held = leases._held["main"]
    assert held.file is not None
    assert leases._sign(held.file, newer)
    with pytest.raises(LockedError, match="run-b has a newer one"):
        leases.check(lease, host.clock.now_ms())


def test_giving_back_an_older_lease_changes_nothing(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    old = replace(lease, fencing_token=lease.fencing_token - 1)
    leases.release(old)
    leases.check(lease, host.clock.now_ms())
    for act in (leases.check, leases.renew):
        with pytest.raises(LockedError, match="given back"):
            act(old, host.clock.now_ms())
    leases.release(lease)
    leases.release(lease)
    with pytest.raises(LockedError, match="given back"):
        leases.check(lease, host.clock.now_ms())


def test_the_store_is_told_when_a_lease_is_given_back(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    before = host.store.lease("main")
    leases.release(lease)
    after = host.store.lease("main")
    assert getattr(before, "holder", None) == "run-a"
    assert not getattr(after, "holder", None)


@pytest.mark.invariant("I30")
def test_an_intent_needs_the_lease_and_ends_before_it(host: Host) -> None:
    leases = host.leases()
    with pytest.raises(InvariantBroken, match="without its lease"):
        leases.vouch("main", 1, 0)
    lease = host.acquire(leases, "run-a")
    leases.vouch("main", lease.fencing_token, lease.expires_ms - 1)
    with pytest.raises(InvariantBroken, match="outlives its lease"):
        leases.vouch("main", lease.fencing_token, lease.expires_ms)
    with pytest.raises(InvariantBroken, match="without its lease"):
        leases.vouch("main", lease.fencing_token + 1, 0)


def test_who_holds_an_account_is_told_while_its_process_has_the_lock(host: Host) -> None:
    leases = host.leases()
    assert leases.held_by("main", host.clock.now_ms()) is None
    lease = host.acquire(leases, "run-a")
    told = leases.held_by("main", host.clock.now_ms())
    assert told is not None
    assert (told.run_id, told.fencing_token) == ("run-a", lease.fencing_token)
    assert told.expires_ms == lease.expires_ms
    leases.release(lease)
    assert leases.held_by("main", host.clock.now_ms()) is None


def test_the_end_of_a_lease_is_the_latest_that_is_written_anywhere(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    signed = read_lock(host.path)
    assert signed is not None
    now_ms = host.clock.now_ms()
    assert leases._end_of(replace(signed, expires_ms=5), now_ms) == lease.expires_ms
    later = replace(signed, expires_ms=lease.expires_ms + 7)
    assert leases._end_of(later, now_ms) == lease.expires_ms + 7
    assert leases._end_of(replace(signed, fencing_token=0, expires_ms=5), now_ms) == 5
    unsaid = replace(signed, fencing_token=0, expires_ms=0)
    assert leases._end_of(unsaid, now_ms) == now_ms + TTL_MS


def test_by_default_no_glass_is_broken(host: Host) -> None:
    host.path.parent.mkdir(parents=True, exist_ok=True)
    host.path.mkdir()
    with pytest.raises(Exception, match=r"main|lock|directory"):
        host.leases().acquire("main", "run-a", host.clock.now_ms())
    fallback = host.state_dir / "elsewhere"
    fallback.mkdir(mode=0o700)
    with pytest.raises(Exception, match=r"main|lock|directory"):
        host.leases(fallbacks=(fallback,)).acquire("main", "run-a", host.clock.now_ms())
    broken = host.leases(fallbacks=(fallback,), break_glass=True)
    lease = broken.acquire("main", "run-a", host.clock.now_ms())
    assert lease.fencing_token >= 1
    assert broken.trouble
    broken.release(lease)


def test_a_refused_grant_lets_go_of_the_lock(host: Host) -> None:
    store = MemoryStore()
    leases = host.leases(store=store)
    lease = host.acquire(leases, "run-a")
    token = lease.fencing_token
    leases.release(lease)
    host.path.unlink()
    store.grant_lease("main", "run-x", token_above=token, expires_ms=host.clock.now_ms() + 60_000)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(LockedError, match="run-x"):
        host.leases(store=store).acquire("main", "run-b", host.clock.now_ms())
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_a_store_and_without_a_signature_the_token_is_still_high(host: Host) -> None:
    leases = host.leases(store=NullStore("gone"))
    lease = host.acquire(leases, "run-a")
    assert lease.fencing_token == host.clock.now_ms() + 1
    leases.release(lease)
    second = host.acquire(host.leases(store=NullStore("gone")), "run-b")
    assert second.fencing_token == lease.fencing_token + 1


def test_the_first_token_is_one_and_each_next_one_more(host: Host) -> None:
    for number in (1, 2, 3):
        leases = host.leases()
        lease = host.acquire(leases, f"run-{number}")
        assert lease.fencing_token == number
        leases.release(lease)


@pytest.mark.invariant("I30")
def test_a_lock_that_cannot_say_who_holds_it_is_only_good_for_a_cancel(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: LockFile, holder: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(LockFile, "write", full)
    with pytest.raises(RecordUnwritableError, match="cannot say who holds it"):
        host.leases().acquire("main", "run-a", host.clock.now_ms())
    broken = host.leases(break_glass=True)
    lease = broken.acquire("main", "run-a", host.clock.now_ms())
    assert any("cannot say who holds it" in words for words in broken.trouble)
    broken.release(lease)
