"""Files that are either the old one or the new one, whatever happens in between.

A file is written under another name in the same folder, fsynced, read again, and only then put in
place; the folder is fsynced last. A reader never follows a symbolic link, never reads more than a
limit, and never reads anything that is not a regular file. Called by `gate`, `writer`, `reader`.
"""

import contextlib
import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from resyncctl.sdk.errors import FormatError, Unwritable

Stamp = tuple[int, int, int, int, int]
"""Device, inode, size, and the two change times: a file with the same stamp is the same file."""

_COUNTER = itertools.count()


@dataclass(frozen=True, slots=True)
class ReadFile:
    """The bytes of a file with the stamp and the permission bits of the very file that was read."""

    data: bytes
    stamp: Stamp
    mode: int


def stamp_of(status: os.stat_result) -> Stamp:
    """Return the stamp of a file."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def read_bounded(path: Path, size_limit: int) -> ReadFile:
    """Read a whole regular file of at most `size_limit` bytes.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
        FormatError: It is a symbolic link, not a regular file, or too big.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        if path.is_symlink():
            raise FormatError("it is a symbolic link, which is not followed") from None
        raise
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise FormatError("it is not a regular file")
        if status.st_size > size_limit:
            raise FormatError(f"it has {status.st_size} bytes; the limit is {size_limit}")
        data = stream.read(size_limit + 1)
    if len(data) > size_limit:
        raise FormatError(f"it has more than {size_limit} bytes")
    return ReadFile(data, stamp_of(status), stat.S_IMODE(status.st_mode))


def replace_durably(
    path: Path, data: bytes, *, mode: int = 0o600, keep_as: Path | None = None
) -> None:
    """Put `data` in the place of `path`, durably; with `keep_as` also under that second name.

    Raises:
        Unwritable: The new content is not known to be on disk. The old file still stands, unless
            only the last step (making the folder durable) failed.
    """
    scratch = path.with_name(f"{path.name}.tmp.{os.getpid()}.{next(_COUNTER)}")
    try:
        with _removed_unless_moved(scratch):
            _write_and_verify(scratch, data, mode, path)
            if keep_as is not None:
                _keep(scratch, keep_as, data, mode)
            os.replace(scratch, path)
            sync_folder(path.parent)
    except OSError as trouble:
        reason = trouble.strerror or str(trouble)
        raise Unwritable(
            f"cannot be written: {reason}",
            place=str(path),
            hint="look at the free space and the permissions of the folder",
        ) from trouble


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def give_to_owner(handle: int, like: Path) -> None:
    """When root writes, hand the file to whom the old one belongs to, or else the folder.

    An operator who repairs or closes something as root must not lock the engine's user out.
    """
    if os.geteuid() != 0:
        return
    try:
        status = os.stat(like, follow_symlinks=False)
    except OSError:
        status = os.stat(like.parent)
    os.fchown(handle, status.st_uid, status.st_gid)


def _write_and_verify(scratch: Path, data: bytes, mode: int, owner_like: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        scratch.unlink()
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(scratch, flags, 0o600), "w+b") as stream:
        os.fchmod(stream.fileno(), mode)
        give_to_owner(stream.fileno(), owner_like)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
        stream.seek(0)
        if stream.read() != data:
            raise OSError("what was read back is not what was written")


def _keep(scratch: Path, keep_as: Path, data: bytes, mode: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        keep_as.unlink()
    try:
        os.link(scratch, keep_as)
    except OSError:
        # A file system without hard links gets a copy of its own.
        _write_and_verify(keep_as, data, mode, scratch)


@contextlib.contextmanager
def _removed_unless_moved(scratch: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
