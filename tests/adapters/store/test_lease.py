"""The lease: one holder per account, a token that only grows, and a loss that is noticed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resyncctl.adapters.store.lease import TTL_MS, Leases
from resyncctl.adapters.store.lease_words import read_holder
from resyncctl.adapters.store.lock_files import lock, read_lock
from resyncctl.adapters.store.null_store import NullStore
from resyncctl.adapters.store.places import lock_file
from resyncctl.core.errors import LockedError, RecordUnwritableError
from resyncctl.ports.powers import Lease
from resyncctl.ports.store import LeaseRow, Store
from tests.fakes.fake_clock import FakeClock
from tests.fakes.memory_store import MemoryStore


class Host:
    """One state directory, its store and a clock; several `Leases` act as several processes."""

    def __init__(self, folder: Path) -> None:
        self.state_dir = folder / "state"
        self.state_dir.mkdir(mode=0o700)
        self.store: Store = MemoryStore()
        self.clock = FakeClock()
        self.path = lock_file(self.state_dir, "main")
        self._made: list[tuple[Leases, Lease]] = []

    def leases(self, **changes: object) -> Leases:
        options: dict[str, object] = {"store": self.store, "clock": self.clock, **changes}
        return Leases(self.state_dir, **options)  # type: ignore[arg-type]  # the options of Leases

    def acquire(self, leases: Leases, holder: str) -> Lease:
        lease = leases.acquire("main", holder, self.clock.now_ms())
        self._made.append((leases, lease))
        return lease

    def close(self) -> None:
        for leases, lease in self._made:
            leases.release(lease)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.close()


@pytest.mark.invariant("I31")
def test_the_second_run_is_told_who_holds_the_account(host: Host) -> None:
    host.acquire(host.leases(), "run-a")
    host.clock.advance(42_000)
    with pytest.raises(LockedError) as trouble:
        host.acquire(host.leases(), "run-b")
    for word in ("main", "run-a", f"process {os.getpid()}", "for 42 s"):
        assert word in trouble.value.message
    said = read_holder(host.state_dir, "main", host.clock.now_ms())
    assert said is not None
    assert "run-a" in said


def test_a_given_back_account_can_be_taken_with_a_higher_token(host: Host) -> None:
    first = host.leases()
    one = host.acquire(first, "run-a")
    first.release(one)
    first.release(one)
    assert read_holder(host.state_dir, "main") is None
    two = host.acquire(host.leases(), "run-b")
    assert two.fencing_token > one.fencing_token
    row = host.store.lease("main")
    assert isinstance(row, LeaseRow)
    assert (row.holder, row.fencing_token) == ("run-b", two.fencing_token)


def test_the_same_run_keeps_what_it_has(host: Host) -> None:
    leases = host.leases()
    one = host.acquire(leases, "run-a")
    host.clock.advance(1000)
    two = host.acquire(leases, "run-a")
    assert two.fencing_token == one.fencing_token
    assert two.expires_ms == one.expires_ms + 1000
    with pytest.raises(LockedError):
        host.acquire(leases, "run-b")


def test_accounts_do_not_disturb_each_other(host: Host) -> None:
    leases = host.leases()
    one = leases.acquire("a", "run-a", host.clock.now_ms())
    two = leases.acquire("b", "run-a", host.clock.now_ms())
    leases.release(one)
    assert leases.renew(two, host.clock.now_ms()).account == "b"
    leases.release(two)


def test_an_expired_lease_that_nobody_took_can_be_renewed(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    host.clock.advance(10 * TTL_MS)
    assert leases.renew(lease, host.clock.now_ms()).expires_ms == host.clock.now_ms() + TTL_MS


@pytest.mark.invariant("I30")
@pytest.mark.parametrize("jump_ms", [TTL_MS + 1, -TTL_MS - 1, 3_600_000])
def test_a_jump_of_the_clock_ends_the_lease(host: Host, jump_ms: int) -> None:
    """A suspended laptop wakes up: its wall clock has moved, its monotonic clock has not."""
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    host.clock.step_wall(jump_ms)
    with pytest.raises(LockedError, match="clock jumped"):
        leases.renew(lease, host.clock.now_ms())


@pytest.mark.parametrize("jump_ms", [TTL_MS, -TTL_MS, 200])
def test_a_small_correction_of_the_clock_does_not(host: Host, jump_ms: int) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    host.clock.step_wall(jump_ms)
    leases.renew(lease, host.clock.now_ms())


def test_a_lock_file_that_was_removed_or_replaced_ends_the_lease(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    host.path.unlink()
    with pytest.raises(LockedError, match="replaced or removed"):
        leases.renew(lease, host.clock.now_ms())
    other = host.leases()
    with pytest.raises(LockedError, match=r"run-a, whose lease runs for another 15 s"):
        host.acquire(other, "run-b")
    host.clock.advance(TTL_MS)
    newer = host.acquire(other, "run-b")
    assert newer.fencing_token > lease.fencing_token
    with pytest.raises(LockedError, match="replaced or removed"):
        leases.renew(lease, host.clock.now_ms())
    leases.release(lease)
    row = host.store.lease("main")
    assert isinstance(row, LeaseRow)
    assert row.holder == "run-b"


@pytest.mark.invariant("I30")
def test_a_store_that_names_somebody_else_ends_the_lease(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    host.store.grant_lease("main", "run-b", token_above=0, expires_ms=0)
    with pytest.raises(LockedError, match="another holder"):
        leases.renew(lease, host.clock.now_ms())


def test_a_lease_that_was_given_back_cannot_be_renewed(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    leases.release(lease)
    with pytest.raises(LockedError, match="given back"):
        leases.renew(lease, host.clock.now_ms())


def test_it_works_without_a_store_and_the_token_still_grows(host: Host) -> None:
    tokens = []
    for number in range(3):
        host.store = NullStore("deleted") if number != 1 else MemoryStore()
        leases = host.leases()
        lease = host.acquire(leases, f"run-{number}")
        host.clock.advance(1000)
        tokens.append(leases.renew(lease, host.clock.now_ms()).fencing_token)
        leases.release(lease)
    assert tokens == sorted(set(tokens))


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 1024, b'{"fencing_token": "x"}', b"[]"])
@pytest.mark.parametrize("with_store", [True, False])
def test_the_token_grows_when_the_lock_file_is_garbage(
    host: Host, content: bytes, with_store: bool
) -> None:
    host.store = MemoryStore() if with_store else NullStore("locked")
    leases = host.leases()
    before = host.acquire(leases, "run-a")
    leases.release(before)
    host.path.write_bytes(content)
    host.clock.advance(5)
    after = host.acquire(host.leases(), "run-b")
    assert after.fencing_token > before.fencing_token
    written = read_lock(host.path)
    assert written is not None
    assert written.fencing_token == after.fencing_token


def test_the_token_grows_when_the_store_missed_some_and_the_file_is_lost(host: Host) -> None:
    remembering = host.store
    tokens = []
    for number, store in enumerate((remembering, NullStore("locked"), remembering)):
        if number == 2:
            host.path.write_bytes(b"garbage")
        host.store = store
        leases = host.leases()
        lease = host.acquire(leases, f"run-{number}")
        leases.release(lease)
        tokens.append(lease.fencing_token)
        host.clock.advance(5)
    assert tokens == sorted(set(tokens))


def test_a_disk_that_takes_no_lock_file_stops_everything_but_a_cancel(
    host: Host, tmp_path: Path
) -> None:
    (host.state_dir / "locks").write_text("in the way")
    with pytest.raises(RecordUnwritableError):
        host.acquire(host.leases(), "run-a")
    fallback = tmp_path / "shm" / "digest"
    (tmp_path / "shm").mkdir(mode=0o700)
    breaking = host.leases(break_glass=True, fallbacks=(fallback,))
    lease = host.acquire(breaking, "run-a")
    assert breaking.trouble
    assert breaking.renew(lease, host.clock.now_ms()).fencing_token == lease.fencing_token
    with pytest.raises(LockedError, match="run-a"):
        host.acquire(host.leases(break_glass=True, fallbacks=(fallback,)), "run-b")
    host.store = NullStore("gone too")
    with pytest.raises(LockedError, match="run-a"):
        host.acquire(host.leases(break_glass=True, fallbacks=(fallback,)), "run-b")


def test_without_any_place_for_a_lock_a_cancel_goes_on(host: Host) -> None:
    (host.state_dir / "locks").write_text("in the way")
    host.store = NullStore("gone too")
    leases = host.leases(break_glass=True)
    lease = host.acquire(leases, "run-a")
    assert lease.fencing_token > host.clock.now_ms()
    assert "no lock could be taken" in leases.trouble[-1]
    leases.renew(lease, host.clock.now_ms())


def test_without_its_lock_file_the_row_of_another_run_is_respected(host: Host) -> None:
    (host.state_dir / "locks").write_text("in the way")
    now_ms = host.clock.now_ms()
    host.store.grant_lease("main", "run-a", token_above=0, expires_ms=now_ms + 10_000)
    with pytest.raises(LockedError, match=r"run-a, whose lease runs for another 10 s"):
        host.acquire(host.leases(break_glass=True), "run-b")
    host.clock.advance(10_000)
    assert host.acquire(host.leases(break_glass=True), "run-b").holder == "run-b"


def test_a_fallback_that_others_can_write_to_is_not_used(host: Host, tmp_path: Path) -> None:
    (host.state_dir / "locks").write_text("in the way")
    planted = tmp_path / "planted"
    (tmp_path / "elsewhere").mkdir()
    planted.symlink_to(tmp_path / "elsewhere")
    leases = host.leases(break_glass=True, fallbacks=(planted / "digest",))
    host.acquire(leases, "run-a")
    assert "no lock could be taken" in leases.trouble[-1]
    assert list((tmp_path / "elsewhere").iterdir()) == []


HOLD = """
import sys, time
from pathlib import Path
from resyncctl.adapters.clock import SystemClock
from resyncctl.adapters.store.lease import Leases
from resyncctl.adapters.store.store_opening import open_store
from resyncctl.core.errors import LockedError
state, name, hold_s = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
clock = SystemClock()
leases = Leases(state, store=open_store(state, clock.now_ms()), clock=clock)
sys.stdin.readline()
try:
    lease = leases.acquire("main", name, clock.now_ms())
except LockedError as error:
    print("locked", error.message, flush=True)
    raise SystemExit(25)
print("held", lease.fencing_token, flush=True)
time.sleep(hold_s)
leases.release(lease)
"""


def child(state_dir: Path, name: str, hold_s: float) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state_dir), name, str(hold_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.invariant("I31")
@pytest.mark.process
def test_of_many_racing_processes_exactly_one_gets_the_account(tmp_path: Path) -> None:
    racers = [child(tmp_path, f"run-{number}", 30) for number in range(4)]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    words = []
    for racer in racers:
        assert racer.stdout is not None
        words.append(racer.stdout.readline().split())
    winners = [racer for racer, said in zip(racers, words, strict=True) if said[0] == "held"]
    assert len(winners) == 1
    named = {" ".join(said) for said in words if said[0] == "locked"}
    assert all(f"process {winners[0].pid}" in said for said in named)
    winners[0].kill()
    for racer in racers:
        racer.communicate(timeout=30)


@pytest.mark.process
def test_kill_gives_the_account_back_at_once(tmp_path: Path) -> None:
    tokens = []
    for number in range(5):
        holder = child(tmp_path, f"run-{number}", 60)
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write("go\n")
        holder.stdin.flush()
        said = holder.stdout.readline().split()
        assert said[0] == "held", said
        tokens.append(int(said[1]))
        holder.send_signal(signal.SIGKILL)
        holder.communicate(timeout=30)
    assert tokens == sorted(set(tokens))
    assert read_holder(tmp_path, "main") is None


def test_the_check_for_a_holder_disturbs_nobody(host: Host) -> None:
    """Looking takes a shared lock for an instant; taking must work all the same right after."""
    began = time.monotonic()
    for _ in range(50):
        read_holder(host.state_dir, "main")
        leases = host.leases()
        leases.release(leases.acquire("main", "run-a", host.clock.now_ms()))
    assert time.monotonic() - began < 10
    lock(host.path).close()
