"""A file that only grows, where "written" means "on disk".

Promises: `append` returns only after fsync; space for it is reserved beforehand, so that a full
disk shows before the first mutating request and not in the middle; the file is locked for as long
as it is open, so that anybody can see whether its writer lives (the kernel lets go on kill -9).
After a write or an fsync has failed nothing is ever appended again: the page cache may claim as
clean what never reached the disk (Rebello et al., "Can Applications Recover from fsync Failures?",
USENIX ATC 2020). Called by the journal.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from resyncctl.adapters.store.places import FILE_MODE, hand_over, sync_directory, unwritable
from resyncctl.core.errors import LockedError, RecordUnwritableError

RESERVE_BYTES = 1 << 20
_KEEP_SIZE = 0x01
"""FALLOC_FL_KEEP_SIZE of linux/falloc.h: reserve blocks without changing the file's length."""
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LOCK_WAIT_S = 0.5

Sync = Callable[[int], None]
"""Makes a file descriptor durable: `os.fsync`, or one that tests can make fail."""


class AppendFile:
    """One open, locked, growing file. Made by `create` and `reopen`."""

    def __init__(self, path: Path, handle: int, size: int, sync: Sync) -> None:
        self.path = path
        self._handle = handle
        self._size = size
        self._reserved = size
        self._sync = sync
        self._broken: str | None = None
        self._open = True

    def append(self, data: bytes) -> None:
        """Append and fsync.

        Raises:
            RecordUnwritableError: The bytes are not known to be on disk; nothing more can be
                appended here.
        """
        if self._broken is not None or not self._open:
            raise RecordUnwritableError(
                f"cannot be written any more: {self._broken or 'it was closed'}",
                place=str(self.path),
            )
        if self._size + len(data) > self._reserved:
            # Without space there is still the record itself to be tried.
            with contextlib.suppress(OSError):
                self.reserve()
        try:
            self._write(data)
            self._sync(self._handle)
        except OSError as trouble:
            self._broken = trouble.strerror or str(trouble)
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self._size)
            raise unwritable(self.path, trouble) from trouble
        self._size += len(data)

    def reserve(self, length: int = RESERVE_BYTES) -> None:
        """Reserve space after the end of the file.

        Raises:
            OSError: There is not enough space. A file system that cannot reserve raises nothing.
        """
        failure = _fallocate(self._handle, self._size, length)
        if failure in _NO_SPACE:
            raise OSError(failure, os.strerror(failure), str(self.path))
        self._reserved = self._size + length

    def close(self) -> None:
        """Give back the reserved space and the lock. Safe to call twice."""
        if not self._open:
            return
        self._open = False
        with contextlib.suppress(OSError):
            if self._broken is None:
                os.ftruncate(self._handle, self._size)
        os.close(self._handle)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._handle, rest) :]


def create(path: Path, sync: Sync = os.fsync) -> AppendFile:
    """Make a new file in an existing folder; it is there, locked and has room, or it is not there.

    Raises:
        FileExistsError: There is one already.
        RecordUnwritableError: It cannot be made durable.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(path, flags, FILE_MODE)
    except FileExistsError:
        raise
    except OSError as trouble:
        raise unwritable(path, trouble) from trouble
    file = AppendFile(path, handle, 0, sync)
    try:
        _lock(handle, path)
        hand_over(handle, path.parent)
        file.reserve()
        sync(handle)
        sync_directory(path.parent)
    except OSError as trouble:
        file.close()
        with contextlib.suppress(OSError):
            path.unlink()
        raise unwritable(path, trouble) from trouble
    return file


def reopen(path: Path, size: int, sync: Sync = os.fsync) -> AppendFile:
    """Open an existing file for appending after its first `size` bytes; the rest is cut off.

    Raises:
        LockedError: Its writer is still alive.
        RecordUnwritableError: It cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as trouble:
        raise unwritable(path, trouble) from trouble
    file = AppendFile(path, handle, size, sync)
    try:
        _lock(handle, path)
        os.ftruncate(handle, size)
        sync(handle)
    except OSError as trouble:
        os.close(handle)
        raise unwritable(path, trouble) from trouble
    except LockedError:
        os.close(handle)
        raise
    return file


def is_locked(path: Path) -> bool | None:
    """Whether a living process holds the file; None when that cannot be told."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    else:
        return False
    finally:
        os.close(handle)


def _lock(handle: int, path: Path) -> None:
    """Take the lock; somebody who only looks whether the writer lives holds it for an instant."""
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockedError(
                    "the run that writes this journal is still alive", place=str(path)
                ) from None
            time.sleep(0.005)
        else:
            return


def _fallocate(handle: int, offset: int, length: int) -> int:
    """Reserve blocks; return 0 or the error number.

    The standard library has only `posix_fallocate`, which would lengthen the file with zeros.
    """
    function = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    if function is None:
        return errno.ENOSYS
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    function.restype = ctypes.c_int
    # ctypes hands the number back itself; errno is only meaningful after a failure.
    return 0 if function(handle, _KEEP_SIZE, offset, length) == 0 else ctypes.get_errno()
