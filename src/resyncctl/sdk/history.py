"""What stands beside a checkpoint: its older generations, its one-line journal, its lock.

For a checkpoint NAME the folder holds NAME.<sequence>.json (the newest generations), NAME.journal
(one line `sequence,sha256,milliseconds` for each write, fsynced) and NAME.lock. The journal is what
tells a restored backup from a young checkpoint. Called by `checkpoint` and `writer`.
"""

import contextlib
import os
import re
from pathlib import Path

from resyncctl.sdk.durable import give_to_owner, replace_durably
from resyncctl.sdk.errors import Unwritable

_LINE = re.compile(rb"(\d{1,18}),([0-9a-f]{64}),(\d{1,18})\n")
_TAIL_BYTES = 64 * 1024
_COMPACT_ABOVE_BYTES = 1024 * 1024


def journal_path(path: Path) -> Path:
    """Return where the journal of a checkpoint stands."""
    return path.with_name(f"{path.name}.journal")


def lock_path(path: Path) -> Path:
    """Return where the lock of a checkpoint's writer stands."""
    return path.with_name(f"{path.name}.lock")


def generation_path(path: Path, sequence: int) -> Path:
    """Return where one generation of a checkpoint stands."""
    return path.with_name(f"{path.name}.{sequence}.json")


def generations(path: Path) -> list[tuple[int, Path]]:
    """Return the generations that are there, the newest first. An unreadable folder has none."""
    pattern = re.compile(re.escape(path.name) + r"\.(\d{1,18})\.json")
    try:
        names = os.listdir(path.parent)
    except OSError:
        return []
    matches = (pattern.fullmatch(name) for name in names)
    found = [(int(match[1]), path.with_name(match[0])) for match in matches if match]
    return sorted(found, reverse=True)


def read_journal(path: Path) -> dict[int, str]:
    """Given the checkpoint, return the hash of each of its last writes by sequence.

    Lines that are torn or are not lines of a journal are passed over: the journal can only add
    evidence, and a missing one is an empty one.
    """
    try:
        with open(journal_path(path), "rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _TAIL_BYTES))
            tail = stream.read()
    except OSError:
        return {}
    if size > _TAIL_BYTES:
        tail = tail[tail.find(b"\n") + 1 :]
    lines = (_LINE.fullmatch(line) for line in tail.splitlines(keepends=True))
    return {int(match[1]): match[2].decode("ascii") for match in lines if match}


def append_journal(path: Path, sequence: int, sha256: str, now_ms: int) -> None:
    """Append one line durably, after cutting off a torn last line.

    Raises:
        Unwritable: The line is not known to be on disk.
    """
    place = journal_path(path)
    line = f"{sequence},{sha256},{now_ms}\n".encode("ascii")
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(place, flags, 0o600), "r+b") as stream:
            give_to_owner(stream.fileno(), path)
            size = _end_of_whole_lines(stream.seek(0, os.SEEK_END), place)
            stream.truncate(size)
            stream.seek(size)
            try:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(stream.fileno(), size)
                raise
    except OSError as trouble:
        reason = trouble.strerror or str(trouble)
        raise Unwritable(f"cannot be written: {reason}", place=str(place)) from trouble
    if size > _COMPACT_ABOVE_BYTES:
        # The line is on disk; a journal that cannot be shortened now is shortened later.
        with contextlib.suppress(Unwritable, OSError):
            _keep_newest_lines(place)


def _keep_newest_lines(place: Path) -> None:
    with open(place, "rb") as stream:
        stream.seek(-_TAIL_BYTES, os.SEEK_END)
        tail = stream.read()
    replace_durably(place, tail[tail.find(b"\n") + 1 :])


def _end_of_whole_lines(size: int, place: Path) -> int:
    if size == 0:
        return 0
    with open(place, "rb") as stream:
        start = max(0, size - _TAIL_BYTES)
        stream.seek(start)
        return start + stream.read().rfind(b"\n") + 1
