"""One lock file: the kernel's lock on it is the right, its content says who has the right.

The lock goes with the open file, so that kill -9 gives it back. The content has a fixed length and
is overwritten in place, which works on a full disk once the file exists. Promises: whoever holds
the lock holds it on the file that is at the path, not on one that was replaced; a file that
replaces another is locked and signed before it can be seen; content that cannot be read is None and
never somebody. Called by `lease`.
"""

import contextlib
import fcntl
import json
import os
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from resyncctl.adapters.store.journal import user_name
from resyncctl.adapters.store.places import FILE_MODE, hand_over, sync_directory

_LENGTH = 2048
_REASON_MAX = 120
_TRIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds, or held last, an account.

    `expires_ms` is the end of the lease as last renewed. `taken_from` is the run that it was taken
    from without its consent, and `reason` why.
    """

    account: str
    run_id: str
    user: str
    host: str
    pid: int
    since_ms: int
    fencing_token: int
    expires_ms: int = 0
    taken_from: str = ""
    reason: str = ""

    def describe(self, now_ms: int) -> str:
        """Return who it is in words."""
        seconds = max(0, now_ms - self.since_ms) // 1000
        return (
            f"run {self.run_id} of {self.user} on {self.host}, process {self.pid}, for {seconds} s"
        )


def holder_now(
    account: str, run_id: str, now_ms: int, fencing_token: int, expires_ms: int = 0
) -> Holder:
    """Return this process as a holder."""
    return Holder(
        account=account,
        run_id=run_id,
        user=user_name(),
        host=socket.gethostname(),
        pid=os.getpid(),
        since_ms=now_ms,
        fencing_token=fencing_token,
        expires_ms=expires_ms,
    )


def is_alive(holder: Holder) -> bool:
    """Whether the process that signed still runs; one on another host is believed."""
    return process_lives(holder.host, holder.pid)


def process_lives(host: str, pid: int) -> bool:
    """Whether a process runs on this host; one on another host is believed."""
    if host != socket.gethostname():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


class HeldElsewhere(Exception):  # noqa: N818  # the name is the message
    """Another process holds the lock."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__("held elsewhere")
        self.holder = holder


class LockFile:
    """A lock file that this process has locked. Made by `lock`."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle

    def read(self) -> Holder | None:
        """Return what the file says, None when it says nothing readable."""
        return _parse(os.pread(self._handle, _LENGTH, 0))

    @property
    def is_blank(self) -> bool:
        """Whether nothing was ever written into the file."""
        return os.fstat(self._handle).st_size == 0

    def write(self, holder: Holder) -> None:
        """Write who holds it, durably.

        Raises:
            OSError: It is not known to be on disk.
        """
        content = replace(holder, reason=holder.reason[:_REASON_MAX])
        text = json.dumps(asdict(content), sort_keys=True, ensure_ascii=True)
        data = text.encode("ascii")[: _LENGTH - 1].ljust(_LENGTH - 1) + b"\n"
        written = os.pwrite(self._handle, data, 0)
        if written != len(data):
            raise OSError(f"only {written} bytes of {len(data)} could be written")
        os.fsync(self._handle)

    def begin(self, holder: Holder, scratch: Path) -> None:
        """Lock and sign the fresh file at `scratch`, then move it to its place.

        Raises:
            OSError: It is not known to be in its place.
        """
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.write(holder)
        hand_over(self._handle, self.path.parent)
        os.replace(scratch, self.path)
        sync_directory(self.path.parent)

    def is_in_place(self) -> bool:
        """Whether the file at the path is still the one that is locked."""
        try:
            there = os.lstat(self.path)
        except OSError:
            return False
        here = os.fstat(self._handle)
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._handle)


def lock(path: Path) -> LockFile:
    """Lock the file at the path, making it when there is none; never waits.

    Raises:
        HeldElsewhere: Another process holds it.
        OSError: The file cannot be made or opened.
    """
    for _ in range(_TRIES):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        file = LockFile(path, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read()
            file.close()
            raise HeldElsewhere(holder) from None
        except OSError:
            file.close()
            raise
        if file.is_in_place():
            if file.is_blank:
                hand_over(handle, path.parent)
            return file
        file.close()  # it was replaced between opening and locking
    raise OSError(f"{path} is being replaced again and again")


def replace_lock(path: Path, holder: Holder) -> LockFile:
    """Put a new lock file, locked and signed, in the place of one that its holder keeps locked.

    Raises:
        OSError: The new file is not known to be in place; the old one still is.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        scratch.unlink()
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    file = LockFile(path, os.open(scratch, flags, FILE_MODE))
    try:
        file.begin(holder, scratch)
    except OSError:
        file.close()
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise
    return file


def open_for_reading(path: Path) -> LockFile:
    """Open a lock file without locking it, so that it can still be read after it was replaced.

    Raises:
        OSError: There is none.
    """
    return LockFile(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW))


def read_lock(path: Path) -> Holder | None:
    """Return what a lock file says without locking it, None when it says nothing readable."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return _parse(os.pread(handle, _LENGTH, 0))
    except OSError:
        return None
    finally:
        os.close(handle)


def _parse(data: bytes) -> Holder | None:
    try:
        value = json.loads(data)
        holder = Holder(**value)
    except (ValueError, TypeError):
        return None
    numbers = (holder.pid, holder.since_ms, holder.fencing_token, holder.expires_ms)
    return holder if all(type(number) is int for number in numbers) else None
