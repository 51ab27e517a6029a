"""Rare moments of a lease: garbage in the lock file, a holder that has not signed, a killed one."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resyncctl.adapters.store.lease import TTL_MS
from resyncctl.adapters.store.lease_asks import add_ask, read_asks
from resyncctl.adapters.store.lock_files import holder_now, lock, replace_lock
from resyncctl.adapters.store.null_store import NullStore
from resyncctl.core.errors import LockedError
from tests.adapters.store.test_lease import Host
from tests.adapters.store.test_lease_lock_files import HOLDER, LENGTH
from tests.adapters.store.test_lease_taking import Renewing, ended_process


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.close()


@pytest.mark.invariant("I30")
def test_a_taken_lease_runs_from_the_moment_of_the_taking_and_starts_without_requests(
    host: Host,
) -> None:
    lease = host.acquire(host.leases(), "run-a")
    host.clock.advance(TTL_MS + 1)
    now_ms = host.clock.now_ms()
    taker = host.leases()
    assert taker.ask("main", "run-c", now_ms, reason="it hangs")
    taken = taker.take("main", "run-b", now_ms, from_token=lease.fencing_token, reason="it hangs")
    assert taken.lease.expires_ms == now_ms + TTL_MS
    assert read_asks(host.path) == ()
    taker.check(taken.lease, now_ms)
    taker.release(taken.lease)


def test_what_the_old_holder_wrote_last_counts_even_when_it_becomes_unreadable(host: Host) -> None:
    store = Renewing()
    host.store = store
    lease = host.acquire(host.leases(), "run-a")
    host.clock.advance(TTL_MS + 1)
    now_ms = host.clock.now_ms()
    store.wake = lambda: host.path.write_bytes(b"garbage")
    taker = host.leases()
    taken = taker.take("main", "run-b", now_ms, from_token=lease.fencing_token, reason="it hangs")
    assert taken.old_end_ms == lease.expires_ms
    taker.release(taken.lease)


def test_garbage_in_a_locked_file_takes_nothing_from_its_holder(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    host.path.write_bytes(b"garbage")
    leases.check(lease, host.clock.now_ms())
    assert leases.renew(lease, host.clock.now_ms()).fencing_token == lease.fencing_token


@pytest.mark.invariant("I31")
def test_a_killed_holder_is_followed_at_once_though_its_lease_still_runs(host: Host) -> None:
    killed = host.leases()
    lease = killed.acquire("main", "run-a", host.clock.now_ms())
    held = killed._held["main"]
    assert held.file is not None
    held.file.close()  # what the kernel does when a process ends
    following = host.acquire(host.leases(), "run-b")
    assert following.fencing_token == lease.fencing_token + 1


def test_without_the_store_the_signed_token_is_only_followed_by_the_next(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    leases.release(lease)
    host.store = NullStore("gone")
    assert host.acquire(host.leases(), "run-b").fencing_token == lease.fencing_token + 1


@pytest.mark.invariant("I31")
def test_a_holder_that_has_not_signed_is_not_named_after_the_last_one(host: Host) -> None:
    host.path.parent.mkdir(mode=0o700)
    file = lock(host.path)
    with pytest.raises(LockedError) as unnamed:
        host.acquire(host.leases(), "run-b")
    file.write(replace(holder_now("main", "run-dead", 0, 3), pid=ended_process()))
    with pytest.raises(LockedError) as dead:
        host.acquire(host.leases(), "run-b")
    assert "run-dead" not in dead.value.message
    assert dead.value.message == unnamed.value.message
    file.write(holder_now("main", "run-alive", 0, 3))
    with pytest.raises(LockedError, match="run-alive"):
        host.acquire(host.leases(), "run-b")
    file.close()


def test_words_in_any_language_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "main.lock"
    file = lock(path)
    file.write(replace(HOLDER, user="Zoë", reason="hängt, 止まった"))
    assert file.read() == replace(HOLDER, user="Zoë", reason="hängt, 止まった")
    assert add_ask(path, "run-b", 5, "hängt, 止まった")
    assert read_asks(path)[0].reason == "hängt, 止まった"
    file.close()


def test_content_that_is_too_long_does_not_make_the_file_longer(tmp_path: Path) -> None:
    file = lock(tmp_path / "main.lock")
    file.write(replace(HOLDER, user="u" * 2 * LENGTH))
    data = (tmp_path / "main.lock").read_bytes()
    assert len(data) == LENGTH
    assert data.endswith(b"uu\n")
    assert file.read() is None
    file.close()


def test_what_a_broken_off_replacement_left_is_not_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "main.lock"
    (tmp_path / f".main.lock.{os.getpid()}").write_text("left behind")
    file = replace_lock(path, HOLDER)
    assert file.read() == HOLDER
    assert [found.name for found in tmp_path.iterdir()] == ["main.lock"]
    file.close()


def test_a_request_that_the_disk_does_not_take_is_said_not_to_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, data: bytes) -> int:
        raise OSError("no space left")

    monkeypatch.setattr(os, "write", full)
    assert not add_ask(tmp_path / "main.lock", "run-b", 5, "it hangs")
    monkeypatch.setattr(os, "write", lambda handle, data: len(data) - 1)
    assert not add_ask(tmp_path / "main.lock", "run-b", 5, "it hangs")
