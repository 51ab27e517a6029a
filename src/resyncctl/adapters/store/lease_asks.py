"""Requests of other runs for an account that is held: one line each in a file beside the lock.

A request without a reason only lets the holder know that somebody else was here; one with a reason
asks it to give the account up. Promises: only a request that was made after the holder began, by a
process that still lives, is one to obey; a file that cannot be read asks for nothing; whoever gets
the account starts with an empty file. Called by `lease`.
"""

import contextlib
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from resyncctl.adapters.store.journal import user_name
from resyncctl.adapters.store.lock_files import process_lives
from resyncctl.adapters.store.places import FILE_MODE

_READ_MAX = 256 * 1024
_REASON_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request: which run of whom, when, and why the account shall be given up."""

    run_id: str
    user: str
    host: str
    pid: int
    at_ms: int
    reason: str | None

    def describe(self) -> str:
        """Return who it is in words."""
        return f"run {self.run_id} of {self.user} on {self.host}, process {self.pid}"


def asks_file(lock: Path) -> Path:
    """Return where the requests for the account of this lock file are."""
    return lock.with_suffix(".asked")


def add_ask(lock: Path, run_id: str, now_ms: int, reason: str | None) -> bool:
    """Write down that this process wants the account; return whether it could be written."""
    ask = Ask(
        run_id=run_id,
        user=user_name(),
        host=socket.gethostname(),
        pid=os.getpid(),
        at_ms=now_ms,
        reason=None if reason is None else " ".join(reason.split())[:_REASON_MAX],
    )
    line = json.dumps(asdict(ask), sort_keys=True, ensure_ascii=True).encode("ascii") + b"\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(asks_file(lock), flags, FILE_MODE)
    except OSError:
        return False
    try:
        return os.write(handle, line) == len(line)
    except OSError:
        return False
    finally:
        os.close(handle)


def read_asks(lock: Path) -> tuple[Ask, ...]:
    """Return every readable request, the oldest first."""
    try:
        with asks_file(lock).open("rb") as file:
            data = file.read(_READ_MAX)
    except OSError:
        return ()
    found = (_parse(line) for line in data.split(b"\n") if line)
    return tuple(ask for ask in found if ask is not None)


def standing_ask(lock: Path, own_run: str, since_ms: int) -> Ask | None:
    """Return the request that the holder `own_run` has to obey, None when there is none."""
    for ask in read_asks(lock):
        if ask.reason is None or ask.run_id == own_run or ask.at_ms < since_ms:
            continue
        if process_lives(ask.host, ask.pid):
            return ask
    return None


def clear_asks(lock: Path) -> None:
    """Forget every request; one that cannot be forgotten is too old to be obeyed."""
    with contextlib.suppress(OSError):
        asks_file(lock).unlink()


def _parse(line: bytes) -> Ask | None:
    try:
        ask = Ask(**json.loads(line))
    except (ValueError, TypeError):
        return None
    numbers = type(ask.pid) is int and type(ask.at_ms) is int
    texts = all(isinstance(text, str) for text in (ask.run_id, ask.user, ask.host))
    return ask if numbers and texts and isinstance(ask.reason, str | None) else None
