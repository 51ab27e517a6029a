"""The gate file: only a whole, own, believable RUNNING permits orders."""

import contextlib
import errno
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resyncctl.sdk.canonical import JsonValue, sealed_bytes
from resyncctl.sdk.errors import GateClosed, GateMoved, Unwritable
from resyncctl.sdk.gate import Gate, GateState, GateStatus, read_gate, write_gate

NOW_MS = 1_790_000_000_000


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "main.gate.json"


def move(place: Path, state: str, *, now_ms: int = NOW_MS, account: str = "main") -> GateStatus:
    return write_gate(
        place,
        account=account,
        state=state,
        reason="because",
        by="tester",
        run_id="r1",
        now_ms=now_ms,
    )


def put(place: Path, **changes: JsonValue) -> None:
    document: dict[str, JsonValue] = {
        "schema": "resync.gate/1",
        "account": "main",
        "state": "RUNNING",
        "sequence": 1,
        "reason": "all proved",
        "since_ms": NOW_MS,
        "by": "tester",
        "run_id": "r1",
        "evidence_sha256": None,
    }
    document.update(changes)
    place.write_bytes(sealed_bytes(document)[0])


def test_a_running_gate_permits_orders_and_reads_back_what_was_written(place: Path) -> None:
    written = move(place, "RUNNING")
    assert read_gate(place, "main") == written
    assert written.permits_orders
    assert written.sequence == 1
    assert Gate(place, "main").permits_orders()
    assert os.stat(place).st_mode & 0o777 == 0o644


@pytest.mark.parametrize("state", ["UNSAFE", "SAFE"])
def test_the_other_states_do_not_permit_orders(place: Path, state: str) -> None:
    move(place, state)
    status = read_gate(place, "main")
    assert status.trusted
    assert not status.permits_orders
    with pytest.raises(GateClosed, match="because"):
        Gate(place, "main").require()


@pytest.mark.invariant("I11")
def test_a_missing_file_is_unsafe_and_says_so(place: Path) -> None:
    status = read_gate(place, "main")
    assert (status.state, status.trusted, status.sequence) == (GateState.UNSAFE, False, 0)
    assert "no gate file" in status.reason


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"account": "other"}, "gate of 'other'"),
        ({"schema": "resync.gate/2"}, "unknown schema"),
        ({"schema": None}, "unknown schema"),
        ({"state": "OPEN"}, "unknown state"),
        ({"state": True}, "unknown state"),
        ({"sequence": -1}, "sequence"),
        ({"sequence": "1"}, "sequence"),
        ({"sequence": True}, "sequence"),
        ({"since_ms": None}, "since_ms"),
        ({"reason": None}, "reason"),
    ],
)
def test_a_file_that_says_something_else_is_unsafe(
    place: Path, changes: dict[str, JsonValue], words: str
) -> None:
    put(place, **changes)
    status = read_gate(place, "main")
    assert not status.permits_orders
    assert not status.trusted
    assert words in status.reason


def test_the_file_of_the_parametrised_test_permits_orders_unchanged(place: Path) -> None:
    put(place)
    assert read_gate(place, "main").permits_orders


def test_a_symbolic_link_is_not_followed(place: Path) -> None:
    elsewhere = place.with_name("elsewhere")
    move(elsewhere, "RUNNING")
    place.symlink_to(elsewhere)
    assert "symbolic link" in read_gate(place, "main").reason
    assert not Gate(place, "main").permits_orders()


def test_a_folder_a_pipe_and_a_huge_file_are_unsafe(place: Path) -> None:
    place.mkdir()
    assert not Gate(place, "main").permits_orders()
    place.rmdir()
    os.mkfifo(place)
    assert "not a regular file" in read_gate(place, "main").reason
    place.unlink()
    put(place, reason="x" * 70_000)
    assert "the limit is" in read_gate(place, "main").reason


def test_a_file_that_everybody_may_write_is_unsafe(place: Path) -> None:
    move(place, "RUNNING")
    place.chmod(0o646)
    assert "writable by everybody" in read_gate(place, "main").reason


def test_an_impossible_path_is_unsafe_and_does_not_raise() -> None:
    assert not Gate("bad\0name", "main").permits_orders()
    assert not read_gate("bad\0name", "main").permits_orders


@pytest.mark.invariant("I11")
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(0, 1_000), flip=st.integers(1, 255), how=st.booleans())
def test_no_torn_or_flipped_byte_keeps_the_gate_open(
    tmp_path: Path, cut: int, flip: int, how: bool
) -> None:
    place = tmp_path / "gate.json"
    put(place)
    data = place.read_bytes().rstrip()
    at = cut % len(data)
    broken = data[:at] if how else data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
    place.write_bytes(broken)
    assert not read_gate(place, "main").permits_orders


def test_the_gate_object_follows_every_move(place: Path) -> None:
    gate = Gate(place, "main")
    assert not gate.permits_orders()
    for round_ in range(50):
        move(place, "RUNNING", now_ms=NOW_MS + round_)
        assert gate.permits_orders()
        move(place, "UNSAFE", now_ms=NOW_MS + round_)
        assert not gate.permits_orders()
    place.unlink()
    assert not gate.permits_orders()


def test_a_settled_file_is_not_read_again(place: Path) -> None:
    move(place, "RUNNING")
    later = os.stat(place).st_mtime_ns + 10_000_000_000
    gate = Gate(place, "main", now_ns=lambda: later)
    assert gate.status() is gate.status()
    fresh = Gate(place, "main", now_ns=lambda: os.stat(place).st_mtime_ns)
    assert fresh.status() is not fresh.status()


def test_an_older_file_that_is_put_back_does_not_open_the_gate(place: Path) -> None:
    move(place, "RUNNING")
    backup = place.read_bytes()
    gate = Gate(place, "main")
    assert gate.permits_orders()
    move(place, "UNSAFE", now_ms=NOW_MS + 5)
    assert not gate.permits_orders()
    place.write_bytes(backup)
    assert not gate.permits_orders()
    assert "an old file was put back" in gate.status().reason


def test_a_gate_that_was_lost_and_made_anew_opens_again(place: Path) -> None:
    move(place, "RUNNING")
    move(place, "UNSAFE", now_ms=NOW_MS + 1)
    gate = Gate(place, "main")
    assert not gate.permits_orders()
    place.unlink()
    assert move(place, "RUNNING", now_ms=NOW_MS + 2).sequence == 1
    assert gate.permits_orders()


def test_an_opening_does_not_overwrite_a_closing_that_it_has_not_seen(place: Path) -> None:
    seen = move(place, "SAFE")
    move(place, "UNSAFE", now_ms=NOW_MS + 1)
    with pytest.raises(GateMoved, match="expected 1"):
        write_gate(
            place,
            account="main",
            state=GateState.RUNNING,
            reason="go",
            by="tester",
            run_id="r2",
            now_ms=NOW_MS + 2,
            expected_sequence=seen.sequence,
        )
    assert read_gate(place, "main").state is GateState.UNSAFE


@contextlib.contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        yield


def test_closing_works_on_a_full_disk_and_opening_does_not(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(place, "RUNNING")
    gate = Gate(place, "main")
    with full_disk(monkeypatch):
        with pytest.raises(Unwritable, match="No space left"):
            move(place, "RUNNING")
        assert gate.permits_orders()
        status = move(place, "UNSAFE")
    assert not status.trusted
    assert "was removed because it cannot be written: No space left" in status.reason
    assert not gate.permits_orders()
    assert [entry.name for entry in place.parent.iterdir()] == ["main.gate.json.lock"]


def test_closing_does_not_wait_for_a_holder_of_the_lock(place: Path) -> None:
    import fcntl

    move(place, "RUNNING")
    with open(place.with_name(place.name + ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        move(place, "UNSAFE")
        assert not read_gate(place, "main").permits_orders
        with pytest.raises(Unwritable, match="somebody else"):
            move(place, "RUNNING")


def test_moves_from_many_threads_each_get_a_sequence_of_their_own(place: Path) -> None:
    seen: list[int] = []

    def work() -> None:
        seen.extend(move(place, "SAFE").sequence for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(1, 41))


def test_the_format_is_the_documented_one(place: Path) -> None:
    move(place, "UNSAFE")
    document = json.loads(place.read_text())
    assert set(document) == {
        "schema",
        "account",
        "state",
        "sequence",
        "reason",
        "since_ms",
        "by",
        "run_id",
        "evidence_sha256",
        "integrity",
    }


def test_a_gate_that_cannot_even_be_removed_is_emptied(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(place, "RUNNING")

    def refuse(*_arguments: object, **_named: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with full_disk(monkeypatch), monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse)
        status = move(place, "UNSAFE")
    assert "was emptied" in status.reason
    assert place.read_bytes() == b""
    assert not read_gate(place, "main").permits_orders

    move(place, "RUNNING")
    with full_disk(monkeypatch), monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse)
        patched.setattr(os, "truncate", refuse)
        # Nothing worked, and that is said: a closing that did not happen must not look like one.
        with pytest.raises(Unwritable, match="cannot be written"):
            move(place, "UNSAFE")


def test_closing_goes_on_when_the_lock_cannot_be_opened(place: Path) -> None:
    move(place, "RUNNING")
    lock = place.with_name(place.name + ".lock")
    lock.unlink()
    lock.mkdir()
    with pytest.raises(Unwritable, match="cannot be locked"):
        move(place, "RUNNING")
    assert move(place, "UNSAFE").sequence == 2
    assert not read_gate(place, "main").permits_orders
