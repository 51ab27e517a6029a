"""The lock file: fixed length, durable, closed after every refusal, and honest about processes."""

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from resyncctl.adapters.store import lock_files
from resyncctl.adapters.store.lock_files import (
    HeldElsewhere,
    Holder,
    holder_now,
    lock,
    open_for_reading,
    process_lives,
    read_lock,
    replace_lock,
)

HOLDER = Holder(
    account="main", run_id="run-a", user="me", host="h", pid=1, since_ms=0, fencing_token=7
)
LENGTH = 2_048


def handles() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_what_is_written_reads_back_at_a_fixed_length(tmp_path: Path) -> None:
    file = lock(tmp_path / "main.lock")
    assert (file.is_blank, file.read()) == (True, None)
    long = replace(HOLDER, reason="x" * 500)
    file.write(long)
    assert file.is_blank is False
    assert (tmp_path / "main.lock").stat().st_size == LENGTH
    assert (tmp_path / "main.lock").read_bytes().endswith(b" \n")
    assert file.read() == replace(long, reason="x" * 120)
    file.write(HOLDER)
    assert read_lock(tmp_path / "main.lock") == HOLDER
    assert (HOLDER.expires_ms, HOLDER.taken_from, HOLDER.reason) == (0, "", "")
    assert holder_now("main", "run-a", 5, 7).expires_ms == 0
    file.close()


def test_it_is_synced_and_a_short_write_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = lock(tmp_path / "main.lock")
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    file.write(HOLDER)
    assert len(synced) == 1
    monkeypatch.setattr(os, "pwrite", lambda handle, data, at: len(data) - 1)
    with pytest.raises(OSError, match="only 2047 bytes of 2048"):
        file.write(HOLDER)
    monkeypatch.undo()
    file.close()


def test_a_lock_that_is_held_names_its_holder_and_leaks_nothing(tmp_path: Path) -> None:
    file = lock(tmp_path / "main.lock")
    file.write(HOLDER)
    before = handles()
    with pytest.raises(HeldElsewhere, match="held elsewhere") as elsewhere:
        lock(tmp_path / "main.lock")
    assert elsewhere.value.holder == HOLDER
    assert handles() == before
    file.close()
    lock(tmp_path / "main.lock").close()


def test_a_lock_that_cannot_be_taken_leaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    before = handles()
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)):
        lock(tmp_path / "main.lock")
    monkeypatch.undo()
    assert handles() == before


def test_a_file_that_is_replaced_again_and_again_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, tried = handles(), 0

    def never(self: lock_files.LockFile) -> bool:
        nonlocal tried
        tried += 1
        return False

    monkeypatch.setattr(lock_files.LockFile, "is_in_place", never)
    with pytest.raises(OSError, match="again and again"):
        lock(tmp_path / "main.lock")
    assert tried == 10
    assert handles() == before


def test_which_processes_live(monkeypatch: pytest.MonkeyPatch) -> None:
    here = socket.gethostname()
    assert process_lives(here, os.getpid())
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not process_lives(here, child.pid)
    assert process_lives("another host", child.pid)
    assert process_lives(here, 1 << 70)
    asked: list[tuple[int, int]] = []

    def not_mine(pid: int, number: int) -> None:
        asked.append((pid, number))
        raise PermissionError

    monkeypatch.setattr(os, "kill", not_mine)
    assert process_lives(here, 1)
    assert asked == [(1, 0)]


def test_the_age_is_told_in_whole_seconds() -> None:
    assert HOLDER.describe(0).endswith("for 0 s")
    assert HOLDER.describe(999).endswith("for 0 s")
    assert HOLDER.describe(1_000).endswith("for 1 s")
    assert HOLDER.describe(-1).endswith("for 0 s")


def test_reading_follows_no_link_and_leaks_nothing(tmp_path: Path) -> None:
    file = lock(tmp_path / "main.lock")
    file.write(HOLDER)
    (tmp_path / "link").symlink_to(tmp_path / "main.lock")
    before = handles()
    assert read_lock(tmp_path / "main.lock") == HOLDER
    assert read_lock(tmp_path / "link") is None
    assert read_lock(tmp_path / "nothing") is None
    with pytest.raises(OSError, match="link"):
        open_for_reading(tmp_path / "link")
    opened = open_for_reading(tmp_path / "main.lock")
    assert opened.read() == HOLDER
    opened.close()
    assert handles() == before
    file.close()


@pytest.mark.parametrize(
    "changes", [{"pid": "1"}, {"since_ms": None}, {"fencing_token": True}, {"expires_ms": 1.5}]
)
def test_a_signature_of_another_shape_says_nothing(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    document = asdict(HOLDER) | changes
    (tmp_path / "main.lock").write_text(json.dumps(document).ljust(LENGTH - 1) + "\n")
    assert read_lock(tmp_path / "main.lock") is None


def test_a_replacement_is_locked_signed_and_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "main.lock"
    old = lock(path)
    old.write(HOLDER)
    newer = replace(HOLDER, run_id="run-b", fencing_token=8)
    before = handles()
    fresh = replace_lock(path, newer)
    assert fresh.is_in_place()
    assert not old.is_in_place()
    assert read_lock(path) == newer
    with pytest.raises(HeldElsewhere):
        lock(path)
    assert [found.name for found in tmp_path.iterdir()] == ["main.lock"]
    fresh.close()
    assert handles() == before
    old.close()


def test_a_replacement_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "main.lock"
    old = lock(path)
    old.write(HOLDER)
    before = handles()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        replace_lock(path, replace(HOLDER, fencing_token=8))
    monkeypatch.undo()
    assert handles() == before
    assert [found.name for found in tmp_path.iterdir()] == ["main.lock"]
    assert old.is_in_place()
    old.close()
