"""Open the store, whatever state it is in.

A healthy file is brought up to date. A corrupt one is moved aside, with everything that belongs to
it, and built again from the journals, which are the source of truth; what they do not hold is
lost and said to be. A file that is locked, unreadable or made by a newer program is left as it is,
and the caller gets a store that remembers nothing and says why. Never raises. Called by wiring.
"""

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from resyncctl.adapters.store.migrations import SchemaRefusedError, migrate
from resyncctl.adapters.store.null_store import NullStore
from resyncctl.adapters.store.places import (
    FILE_MODE,
    hand_over,
    private_directory,
    store_file,
)
from resyncctl.adapters.store.rebuild import rebuild
from resyncctl.adapters.store.sqlite import BUSY_MS, SqliteStore
from resyncctl.core.errors import RecordUnwritableError
from resyncctl.ports.store import Store

_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FILLED = 1
"""The `user_version` of a store that holds what the journals of its birth had to tell."""
_PRIMARY_CODE = 0xFF
"""An extended result code of SQLite carries its primary code in the low byte."""


class _CorruptError(Exception):
    """The file is a store no more."""


def open_store(
    state_dir: Path, now_ms: int, *, roots: Sequence[Path] | None = None, emergency: bool = False
) -> Store:
    """Open the store of a state directory.

    `roots` are the folders to build it again from when it is corrupt: the state directory and its
    fallbacks. In an `emergency` nothing is moved or built: a cancel does not wait for that.
    """
    path = store_file(state_dir)
    try:
        if not state_dir.exists():
            private_directory(state_dir)
        with _locked(path):
            return _open(path, now_ms, roots or (state_dir,), emergency)
    except (RecordUnwritableError, SchemaRefusedError, sqlite3.Error, OSError) as trouble:
        return NullStore(f"the store {path} cannot be used: {_words(trouble)}")


def _open(path: Path, now_ms: int, roots: Sequence[Path], emergency: bool) -> Store:
    notes: list[str] = []
    try:
        connection = _connect(path, now_ms)
    except _CorruptError as trouble:
        if emergency:
            return NullStore(f"the store {path} is corrupt: {trouble}")
        aside = _move_aside(path, now_ms)
        connection = _connect(path, now_ms)
        notes = [f"the store was corrupt ({trouble}); it is now {aside}"]
    if not emergency and connection.execute("PRAGMA user_version").fetchone()[0] != _FILLED:
        told = rebuild(SqliteStore(connection, path), roots)
        connection.execute(f"PRAGMA user_version = {_FILLED}")
        notes += [f"the store was built again from the journals: {told}"] if told else []
    opened = SqliteStore(connection, path, notes)
    if not emergency:
        opened.prune(now_ms)
    return opened


def _connect(path: Path, now_ms: int) -> sqlite3.Connection:
    """Return a connection to a checked, up-to-date store."""
    # SQLite gives its side files the mode of the main file, so that one has to exist first.
    _make(path)
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        answer = connection.execute("PRAGMA quick_check(1)").fetchone()
        if answer is None or answer[0] != "ok":
            raise _CorruptError(str(answer[0]) if answer else "the check gave no answer")
        migrate(connection, path, now_ms)
    except sqlite3.DatabaseError as trouble:
        connection.close()
        code = getattr(trouble, "sqlite_errorcode", None)
        if isinstance(code, int) and code & _PRIMARY_CODE in _CORRUPT:
            raise _CorruptError(str(trouble)) from trouble
        raise
    except (_CorruptError, SchemaRefusedError):
        connection.close()
        raise
    return connection


def _move_aside(path: Path, now_ms: int) -> Path:
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    aside = path.with_name(f"{path.name}.corrupt-{moment:%Y%m%dT%H%M%SZ}-{os.getpid()}")
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    os.replace(path, aside)
    return aside


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time check, move or migrate the store; wait for it only briefly."""
    lock = path.with_name(f"{path.name}.lock")
    _make(lock)
    handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    deadline = time.monotonic() + BUSY_MS / 1000
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise OSError("another process is opening it") from None
                time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _make(path: Path) -> None:
    """Make an empty private file where there is none."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(path, flags, FILE_MODE)
    except FileExistsError:
        return
    try:
        hand_over(handle, path.parent)
    finally:
        os.close(handle)


def _words(trouble: Exception) -> str:
    if isinstance(trouble, RecordUnwritableError):
        return f"{trouble.place} {trouble.message}"
    return str(trouble)
