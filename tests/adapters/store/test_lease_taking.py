"""Asking a holder to give way, replacing one that does not, and disks and stores that fail."""

import errno
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resyncctl.adapters.store.lease import TTL_MS
from resyncctl.adapters.store.lease_asks import Ask, add_ask, asks_file, read_asks
from resyncctl.adapters.store.lock_files import Holder, LockFile, lock, read_lock
from resyncctl.adapters.store.null_store import NullStore
from resyncctl.adapters.store.store_opening import open_store
from resyncctl.core.errors import LockedError, RecordUnwritableError
from resyncctl.ports.powers import Lease
from resyncctl.ports.store import LeaseRow
from tests.adapters.store.test_lease import Host
from tests.fakes.memory_store import MemoryStore


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.close()


def ended_process() -> int:
    """The id of a process that has just ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def write_ask(host: Host, **changes: object) -> None:
    ask = {
        "run_id": "run-b",
        "user": "ada",
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "at_ms": host.clock.now_ms(),
        "reason": "it hangs",
        **changes,
    }
    with asks_file(host.path).open("a") as file:
        file.write(json.dumps(ask) + "\n")


@pytest.mark.invariant("I31")
def test_a_holder_that_is_asked_with_a_reason_stops(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    now_ms = host.clock.now_ms()
    assert host.leases().ask("main", "run-b", now_ms, reason=None)
    leases.check(lease, now_ms)
    assert host.leases().ask("main", "run-c", now_ms, reason="its operator\nwent home")
    with pytest.raises(LockedError, match=r"taken over by run run-c .* went home"):
        leases.check(lease, now_ms)
    first, second = leases.asked(lease)
    assert "run-b" in first
    assert "run-c" in second


@pytest.mark.parametrize("changes", [{"reason": None}, {"run_id": "run-a"}, {"at_ms": 1}])
def test_what_is_no_request_to_this_holder_does_not_stop_it(
    host: Host, changes: dict[str, object]
) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    write_ask(host, **changes)
    leases.check(lease, host.clock.now_ms())
    write_ask(host)
    with pytest.raises(LockedError):
        leases.check(lease, host.clock.now_ms())


def test_a_request_of_a_process_that_has_died_does_not_stop_the_holder(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    write_ask(host, pid=ended_process())
    leases.check(lease, host.clock.now_ms())
    assert leases.asked(lease)


@pytest.mark.parametrize(
    "content", [b"", b"{\n", b"[]\n", b'{"run_id": 1}\n', b"\xff\xfe\n", b"null\n"]
)
def test_a_file_of_requests_that_cannot_be_read_asks_for_nothing(
    host: Host, content: bytes
) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    asks_file(host.path).write_bytes(content)
    leases.check(lease, host.clock.now_ms())
    assert leases.asked(lease) == ()
    write_ask(host)
    with pytest.raises(LockedError):
        leases.check(lease, host.clock.now_ms())


def test_whoever_gets_the_account_starts_without_requests(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    write_ask(host)
    leases.release(lease)
    other = host.leases()
    lease = host.acquire(other, "run-c")
    other.check(lease, host.clock.now_ms())
    assert read_asks(host.path) == ()


def test_a_request_that_cannot_be_written_is_said_to_be_so(host: Host) -> None:
    host.acquire(host.leases(), "run-a")
    asks_file(host.path).mkdir()
    assert not add_ask(host.path, "run-b", 0, "it hangs")
    assert read_asks(host.path) == ()


def test_a_long_reason_is_cut_and_still_heard(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    assert leases.ask("main", "run-b", host.clock.now_ms(), reason="\u00e4" * 5_000)
    (ask,) = read_asks(host.path)
    assert isinstance(ask, Ask)
    assert ask.reason == "\u00e4" * 500
    host.clock.advance(TTL_MS + 1)
    taker = host.leases()
    taken = taker.take(
        "main",
        "run-b",
        host.clock.now_ms(),
        from_token=lease.fencing_token,
        reason="\u00e4" * 5_000,
    )
    written = read_lock(host.path)
    assert written is not None
    assert written.fencing_token == taken.lease.fencing_token
    taker.release(taken.lease)


@pytest.mark.invariant("I30")
@pytest.mark.parametrize("with_store", [True, False])
def test_a_lease_that_still_runs_is_not_taken(host: Host, with_store: bool) -> None:
    host.store = MemoryStore() if with_store else NullStore("gone")
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    host.clock.advance(10_000)
    lease = leases.renew(lease, host.clock.now_ms(), 20_000)
    held = host.leases().held_by("main", host.clock.now_ms())
    assert held is not None
    assert held.expires_ms == lease.expires_ms == host.clock.now_ms() + 40_000
    host.clock.advance(40_000)
    with pytest.raises(LockedError, match="still runs"):
        take(host, lease)
    host.clock.advance(1)
    taken = take(host, lease)
    assert taken.fencing_token > lease.fencing_token
    with pytest.raises(LockedError, match=r"taken over by run run-b .* because: it hangs"):
        leases.check(lease, host.clock.now_ms())
    with pytest.raises(LockedError, match="taken over by run run-b"):
        leases.renew(lease, host.clock.now_ms())
    leases.release(lease)
    said = host.leases().held_by("main", host.clock.now_ms())
    assert said is not None
    assert said.run_id == "run-b"


def take(host: Host, lease: Lease, run_id: str = "run-b") -> Lease:
    taker = host.leases()
    taken = taker.take(
        "main",
        run_id,
        host.clock.now_ms(),
        from_token=lease.fencing_token,
        reason="it hangs",
    )
    host._made.append((taker, taken.lease))
    return taken.lease


@pytest.mark.invariant("I31")
def test_of_two_takers_the_second_finds_the_account_held(host: Host) -> None:
    lease = host.acquire(host.leases(), "run-a")
    host.clock.advance(TTL_MS + 1)
    take(host, lease)
    with pytest.raises(LockedError, match="held by run run-b"):
        take(host, lease, "run-c")
    guard = lock(host.path.with_suffix(".taking"))
    with pytest.raises(LockedError, match="another run is taking over"):
        take(host, lease, "run-c")
    guard.close()


def test_a_take_over_that_cannot_be_written_leaves_the_holder_in_place(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    host.clock.advance(TTL_MS + 1)
    scratch = host.path.with_name(f".{host.path.name}.{os.getpid()}")
    (scratch / "in the way").mkdir(parents=True)
    with pytest.raises(RecordUnwritableError):
        take(host, lease)
    held = read_lock(host.path)
    assert held is not None
    assert held.run_id == "run-a"


def test_the_holder_of_an_unsigned_lock_is_not_replaced(host: Host) -> None:
    lease = host.acquire(host.leases(), "run-a")
    host.path.write_bytes(b"garbage")
    host.clock.advance(10 * TTL_MS)
    assert host.leases().held_by("main", host.clock.now_ms()) is None
    with pytest.raises(LockedError, match="another process"):
        take(host, lease)


def no_locks(_: Path) -> LockFile:
    """What a network file system without a lock service answers."""
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_a_file_system_without_locks_stops_everything_but_a_cancel(host: Host) -> None:
    with pytest.raises(RecordUnwritableError, match="No locks available"):
        host.acquire(host.leases(take_lock=no_locks), "run-a")
    breaking = host.leases(take_lock=no_locks, break_glass=True)
    lease = host.acquire(breaking, "run-a")
    assert "No locks available" in " ".join(breaking.trouble)
    with pytest.raises(LockedError, match="run-a"):
        host.acquire(host.leases(take_lock=no_locks, break_glass=True), "run-b")
    breaking.check(lease, host.clock.now_ms())


def test_without_the_store_only_acts_that_reduce_risk_get_a_lease(host: Host) -> None:
    host.store = NullStore("the store cannot be used: disk I/O error")
    with pytest.raises(RecordUnwritableError, match="cannot be remembered") as trouble:
        host.acquire(host.leases(needs_store=True), "run-a")
    assert "resyncctl cancel-all main" in (trouble.value.hint or "")
    assert host.acquire(host.leases(break_glass=True), "run-b").holder == "run-b"


@pytest.mark.parametrize("harm", ["locked", "corrupt"])
def test_a_harmed_store_refuses_the_lease_that_needs_it(host: Host, harm: str) -> None:
    open_store(host.state_dir, 0).close()
    path = host.state_dir / "store.sqlite3"
    blocker = sqlite3.connect(path, isolation_level=None)
    if harm == "locked":
        blocker.execute("BEGIN EXCLUSIVE")
    else:
        blocker.close()
        for side in ("-wal", "-shm"):
            path.with_name(path.name + side).unlink(missing_ok=True)
        path.write_bytes(b"not a database, and quite sure of it" * 200)
    host.store = open_store(host.state_dir, 0, emergency=True)
    with pytest.raises(RecordUnwritableError):
        host.acquire(host.leases(needs_store=True), "run-a")
    lease = host.acquire(host.leases(break_glass=True), "run-b")
    assert not isinstance(host.store.lease("main"), LeaseRow)
    assert lease.fencing_token > 0
    blocker.close()
    host.store.close()


class Disk:
    """A disk that is full from some moment on."""

    def __init__(self) -> None:
        self.full = False

    def lock(self, path: Path) -> LockFile:
        return _OnDisk(lock(path), self)  # type: ignore[return-value]  # it stands in for one


class _OnDisk:
    def __init__(self, file: LockFile, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def write(self, holder: Holder) -> None:
        if self._disk.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._file.write(holder)


@pytest.mark.invariant("I30")
@pytest.mark.parametrize(
    ("with_store", "break_glass", "goes_on"),
    [(True, False, True), (False, False, False), (False, True, True)],
)
def test_a_lease_whose_end_can_be_written_nowhere_is_lost_unless_it_only_cancels(
    host: Host, with_store: bool, break_glass: bool, goes_on: bool
) -> None:
    host.store = MemoryStore() if with_store else NullStore("gone")
    disk = Disk()
    leases = host.leases(take_lock=disk.lock, break_glass=break_glass)
    lease = host.acquire(leases, "run-a")
    disk.full = True
    host.clock.advance(1_000)
    if goes_on:
        assert leases.renew(lease, host.clock.now_ms()).expires_ms > lease.expires_ms
        assert "No space left" in " ".join(leases.trouble)
    else:
        with pytest.raises(LockedError, match="written down nowhere"):
            leases.renew(lease, host.clock.now_ms())


def test_the_row_tells_who_holds_it(host: Host) -> None:
    lease = host.acquire(host.leases(), "run-a")
    host.clock.advance(TTL_MS + 1)
    taken = take(host, lease)
    row = host.store.lease("main")
    assert isinstance(row, LeaseRow)
    assert (row.holder, row.fencing_token) == ("run-b", taken.fencing_token)


class Renewing(MemoryStore):
    """The old holder wakes up and renews in the instant in which the new one is granted."""

    def __init__(self) -> None:
        super().__init__()
        self.wake: Callable[[], object] = lambda: None

    def grant_lease(self, account: str, holder: str, *, token_above: int, expires_ms: int) -> int:
        self.wake()
        return super().grant_lease(account, holder, token_above=token_above, expires_ms=expires_ms)


@pytest.mark.invariant("I30")
def test_a_lease_that_is_renewed_in_the_instant_of_the_take_over_is_told(host: Host) -> None:
    store = Renewing()
    host.store = store
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    host.clock.advance(TTL_MS + 1)
    now_ms = host.clock.now_ms()
    store.wake = lambda: leases.renew(lease, now_ms)
    taker = host.leases()
    taken = taker.take("main", "run-b", now_ms, from_token=lease.fencing_token, reason="it hangs")
    assert taken.old_end_ms == now_ms + TTL_MS
    with pytest.raises(LockedError, match="taken over by run run-b"):
        leases.check(lease, now_ms)
    taker.release(taken.lease)
