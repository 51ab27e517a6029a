"""Writing a checkpoint so that a crash at any moment leaves a valid one.

One writer at a time (flock on NAME.lock, which the kernel releases when the process dies). Each
write is verified before it takes the place of the last one, the sequence goes up by exactly one and
each write names the hash of the one before, also across restarts. A document that the reader would
refuse is refused here. Called by `recoverable` and by the tool's repair.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from resyncctl.sdk import history
from resyncctl.sdk.canonical import JsonObject, JsonValue, sealed_bytes
from resyncctl.sdk.checkpoint import Checkpoint, load_file, read_checkpoint
from resyncctl.sdk.durable import give_to_owner, replace_durably
from resyncctl.sdk.errors import (
    CheckpointCorrupt,
    CheckpointMissing,
    RecoveryError,
    Unwritable,
    WriterBusy,
    WriterLost,
)
from resyncctl.sdk.shape import CHECKPOINT_SCHEMA, check_document

KEEP_AT_LEAST = 10
NEXT_WRITE_MS = 30_000


@dataclass(frozen=True, slots=True)
class Written:
    """What one write became."""

    sequence: int
    sha256: str
    written_ms: int


def wall_clock_ms() -> int:
    """Return the time in milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


class CheckpointWriter:
    """The one writer of a checkpoint. Use it as a context manager, or call `close`.

    `found` is the checkpoint that was there when the writer started, or None: an engine that
    restarts goes on from it. `continue_above` is a sequence that somebody has seen, for a folder
    that was put back as a whole: the next write gets a higher one.

    Raises:
        WriterBusy: Another process writes this checkpoint.
        CheckpointCorrupt: The checkpoint that is there is damaged and so are its generations;
            `start_anew` says that this is known, and the sequence goes on from the journal.
        CheckpointRolledBack: It is an old one that was put back, and `allow_rollback` is not set.
        Unwritable: The folder cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep: int = KEEP_AT_LEAST,
        now_ms: Callable[[], int] = wall_clock_ms,
        allow_rollback: bool = False,
        start_anew: bool = False,
        continue_above: int = 0,
    ) -> None:
        self._path = Path(path)
        self._keep = max(keep, KEEP_AT_LEAST)
        self._now_ms = now_ms
        self._pid = os.getpid()
        self._lock = _take_lock(self._path)
        self._in_doubt = False
        try:
            self.found = _find(self._path, allow_rollback=allow_rollback, start_anew=start_anew)
            self._sequence, self._sha256 = _newest(self._path, self.found)
            self._sequence = max(self._sequence, continue_above)
            _remove_leftovers(self._path, self._keep)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """Where the checkpoint stands."""
        return self._path

    @property
    def sequence(self) -> int:
        """The sequence of the last write, 0 before the first."""
        return self._sequence

    def write(
        self, content: Mapping[str, JsonValue], *, next_write_ms: int | None = None
    ) -> Written:
        """Write one generation durably; when this returns, it is on disk.

        `content` is everything but what the writer adds itself: schema, sequence, predecessor,
        times of writing and integrity. `next_write_ms` is by when the next write will come.

        Raises:
            FormatError: The content does not have the shape of a checkpoint; nothing was written.
            Unwritable: The new generation is not known to be on disk.
            WriterLost: The writer was closed, or its lock was taken away; nothing was written.
        """
        self._require_lock()
        if self._in_doubt:
            self._settle_doubt()
        now_ms = self._now_ms()
        sequence = self._sequence + 1
        document: JsonObject = {
            **content,
            "schema": CHECKPOINT_SCHEMA,
            "sequence": sequence,
            "prev_sha256": self._sha256,
            "written_ms": now_ms,
            "next_write_ms": now_ms + NEXT_WRITE_MS if next_write_ms is None else next_write_ms,
        }
        check_document(document)
        data, digest = sealed_bytes(document)
        self._in_doubt = True
        keep_as = history.generation_path(self._path, sequence)
        replace_durably(self._path, data, keep_as=keep_as)
        history.append_journal(self._path, sequence, digest, now_ms)
        self._in_doubt = False
        self._sequence, self._sha256 = sequence, digest
        with contextlib.suppress(OSError):
            history.generation_path(self._path, sequence - self._keep).unlink(missing_ok=True)
        return Written(sequence, digest, now_ms)

    def close(self) -> None:
        """Give the lock back. Safe to call twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _require_lock(self) -> None:
        if self._lock is None:
            raise WriterLost("the writer was closed", place=str(self._path))
        if os.getpid() != self._pid:
            raise WriterLost("the writer belongs to the parent process", place=str(self._path))
        place = history.lock_path(self._path)
        try:
            status = os.stat(place)
        except OSError:
            status = None
        mine = os.fstat(self._lock)
        if status is None or (status.st_dev, status.st_ino) != (mine.st_dev, mine.st_ino):
            raise WriterLost(
                "the lock file was removed or replaced, so that another writer may be at work",
                place=str(place),
                hint="stop every engine that writes this checkpoint and start one",
            )

    def _settle_doubt(self) -> None:
        """After a failed write, look at what is really there before the next one."""
        try:
            there = load_file(self._path)
        except CheckpointMissing:
            there = None
        except RecoveryError as trouble:
            raise Unwritable(
                f"the last write failed, and what it left cannot be read: {trouble.message}",
                place=str(self._path),
            ) from trouble
        self._sequence, self._sha256 = _newest(self._path, there)
        self._in_doubt = False


def _take_lock(path: Path) -> int | None:
    place = history.lock_path(path)
    try:
        handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as trouble:
        raise Unwritable(
            f"cannot be locked: {trouble.strerror}",
            place=str(place),
            hint="does the folder exist, and may this user write there?",
        ) from trouble
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        give_to_owner(handle, path)
        os.truncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
    except BlockingIOError:
        holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        raise WriterBusy(
            f"process {holder} is writing this checkpoint",
            place=str(place),
            hint="stop that engine first; two engines on one checkpoint destroy each other's state",
        ) from None
    except OSError as trouble:
        os.close(handle)
        raise Unwritable(f"cannot be locked: {trouble.strerror}", place=str(place)) from trouble
    return handle


def _find(path: Path, *, allow_rollback: bool, start_anew: bool) -> Checkpoint | None:
    try:
        return read_checkpoint(path, allow_rollback=allow_rollback)
    except CheckpointMissing:
        return None
    except CheckpointCorrupt:
        if start_anew:
            return None
        raise


def _newest(path: Path, found: Checkpoint | None) -> tuple[int, str | None]:
    """Return the sequence and hash that the next write continues: the highest that was written.

    After a fallback or a rollback that is the journal's last line, so that no sequence is ever
    used twice.
    """
    written: dict[int, str | None] = dict(history.read_journal(path))
    if found is not None:
        written[found.sequence] = found.sha256
    if not written:
        return 0, None
    sequence = max(written)
    return sequence, written[sequence]


def _remove_leftovers(path: Path, keep: int) -> None:
    """Remove what killed writers left and generations beyond the last ones.

    The lock that this writer holds says that no other one is alive.
    """
    prefix = f"{path.name}.tmp."
    leftovers = [
        path.with_name(name) for name in os.listdir(path.parent) if name.startswith(prefix)
    ]
    surplus = [place for _, place in history.generations(path)[keep:]]
    for place in leftovers + surplus:
        with contextlib.suppress(OSError):
            place.unlink()
