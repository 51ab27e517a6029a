"""A file that only grows: reserved, locked, durable, and never appended to after a failure."""

import errno
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from resyncctl.adapters.store import append_file
from resyncctl.adapters.store.append_file import RESERVE_BYTES, create, is_locked, reopen
from resyncctl.core.errors import LockedError, RecordUnwritableError


def blocks(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_a_new_file_has_room_is_private_and_is_synced(tmp_path: Path) -> None:
    synced: list[int] = []
    file = create(tmp_path / "f", synced.append)
    assert len(synced) == 1
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600
    assert blocks(tmp_path / "f") >= RESERVE_BYTES
    assert (tmp_path / "f").stat().st_size == 0
    file.close()
    assert blocks(tmp_path / "f") == 0


def test_room_is_reserved_again_only_when_it_is_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def reserve(handle: int, offset: int, length: int) -> int:
        asked.append((offset, length))
        return 0

    monkeypatch.setattr(append_file, "_fallocate", reserve)
    file = create(tmp_path / "f", lambda handle: None)
    file.append(b"x" * (RESERVE_BYTES - 1))
    file.append(b"x")
    assert asked == [(0, RESERVE_BYTES)]
    file.append(b"x")
    assert asked == [(0, RESERVE_BYTES), (RESERVE_BYTES, RESERVE_BYTES)]
    file.append(b"x" * (RESERVE_BYTES - 1))
    assert len(asked) == 2
    file.close()


@pytest.mark.parametrize("failure", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_without_room_makes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: int
) -> None:
    monkeypatch.setattr(append_file, "_fallocate", lambda *_: failure)
    with pytest.raises(RecordUnwritableError, match=os.strerror(failure)):
        create(tmp_path / "f")
    assert not (tmp_path / "f").exists()


def test_a_file_system_that_cannot_reserve_is_good_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(append_file, "_fallocate", lambda *_: errno.EOPNOTSUPP)
    file = create(tmp_path / "f")
    file.append(b"one")
    file.close()
    assert (tmp_path / "f").read_bytes() == b"one"


def test_a_file_that_was_closed_takes_nothing(tmp_path: Path) -> None:
    file = create(tmp_path / "f")
    file.close()
    with pytest.raises(RecordUnwritableError, match="it was closed"):
        file.append(b"late")
    assert (tmp_path / "f").read_bytes() == b""


def test_after_a_failure_the_reason_is_kept_and_nothing_is_written(tmp_path: Path) -> None:
    def fails(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    calls = 0

    def sync(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            fails(handle)

    file = create(tmp_path / "f", sync)
    file.append(b"good")
    with pytest.raises(RecordUnwritableError, match=os.strerror(errno.EIO)):
        file.append(b"bad")
    with pytest.raises(RecordUnwritableError, match=os.strerror(errno.EIO)):
        file.append(b"worse")
    file.close()
    assert (tmp_path / "f").read_bytes() == b"good"


def test_a_sync_that_fails_at_the_start_leaves_no_file_and_no_handle(tmp_path: Path) -> None:
    def fails(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(RecordUnwritableError):
        create(tmp_path / "f", fails)
    assert not (tmp_path / "f").exists()
    (tmp_path / "g").write_bytes(b"abc")
    with pytest.raises(RecordUnwritableError):
        reopen(tmp_path / "g", 3, fails)
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_reopened_is_cut_and_synced(tmp_path: Path) -> None:
    synced: list[int] = []
    (tmp_path / "f").write_bytes(b"good and torn")
    file = reopen(tmp_path / "f", 4, synced.append)
    assert len(synced) == 1
    file.append(b" more")
    file.close()
    assert (tmp_path / "f").read_bytes() == b"good more"


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordUnwritableError):
        reopen(tmp_path / "nothing", 0)
    with pytest.raises(RecordUnwritableError):
        create(tmp_path / "no folder" / "f")
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(FileExistsError):
        create(tmp_path / "f")


def test_a_living_writer_is_seen_and_respected_without_leaking_handles(tmp_path: Path) -> None:
    file = create(tmp_path / "f")
    assert is_locked(tmp_path / "f") is True
    before = len(os.listdir("/proc/self/fd"))
    began = time.monotonic()
    with pytest.raises(LockedError, match="still alive"):
        reopen(tmp_path / "f", 0)
    assert 0.4 <= time.monotonic() - began < 5
    assert len(os.listdir("/proc/self/fd")) == before
    file.close()
    assert is_locked(tmp_path / "f") is False
    assert is_locked(tmp_path / "nothing") is None
    (tmp_path / "link").symlink_to(tmp_path / "f")
    assert is_locked(tmp_path / "link") is None


def test_a_glance_at_the_lock_is_waited_for(tmp_path: Path) -> None:
    file = create(tmp_path / "f")
    threading.Timer(0.1, file.close).start()
    again = reopen(tmp_path / "f", 0)
    again.append(b"mine")
    again.close()
    assert (tmp_path / "f").read_bytes() == b"mine"


def test_the_kernel_s_answer_is_passed_on(tmp_path: Path) -> None:
    handle = os.open(tmp_path / "f", os.O_RDWR | os.O_CREAT)
    try:
        assert append_file._fallocate(handle, 0, 4096) == 0
        assert append_file._fallocate(handle, 0, -1) == errno.EINVAL
        assert os.fstat(handle).st_size == 0
    finally:
        os.close(handle)
