"""The gate file: may this engine send orders? The one definition of its format.

The tool writes it, the engine reads it before every order. Only a file that is readable, whole,
matches its own hash, names this account and says RUNNING permits orders. Everything else (missing,
corrupt, foreign, a symbolic link, too big, writable by everybody, an unknown schema) is UNSAFE,
with the reason. `Gate.permits_orders` is what an engine asks; it never raises.

Closing never fails for want of space: when the new file cannot be written, the old one is removed
or emptied, and a missing or empty gate file is UNSAFE.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from resyncctl.sdk.canonical import JsonObject, JsonValue, read_sealed, sealed_bytes
from resyncctl.sdk.durable import Stamp, read_bounded, replace_durably, stamp_of, sync_folder
from resyncctl.sdk.errors import FormatError, GateClosed, GateMoved, Unwritable

GATE_SCHEMA = "resync.gate/1"
GATE_SIZE_LIMIT = 64 * 1024
_LOCK_WAIT_S = 2.0
_SETTLED_NS = 1_000_000_000
"""A file that changed less than this long ago is read again each time: two changes within one tick
of the file system's clock can carry the same stamp."""


class GateState(StrEnum):
    """UNSAFE: no orders. SAFE: proved, not trading yet. RUNNING: the engine may trade."""

    RUNNING = "RUNNING"
    UNSAFE = "UNSAFE"
    SAFE = "SAFE"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateStatus:
    """The gate as it stands.

    `trusted` is False when the file could not be believed; the state is then UNSAFE and `reason`
    says why. `sequence` counts the moves and is 0 when it is not known.
    """

    account: str
    state: GateState
    reason: str
    sequence: int
    since_ms: int | None
    by: str | None
    run_id: str | None
    evidence_sha256: str | None
    trusted: bool

    @property
    def permits_orders(self) -> bool:
        """Whether the engine may send orders."""
        return self.trusted and self.state is GateState.RUNNING


def read_gate(path: str | os.PathLike[str], account: str) -> GateStatus:
    """Given the gate file and the account's name, return where the gate stands. Never raises."""
    return _read(Path(path), account)[0]


def write_gate(
    path: str | os.PathLike[str],
    *,
    account: str,
    state: GateState | str,
    reason: str,
    by: str,
    run_id: str,
    now_ms: int,
    evidence_sha256: str | None = None,
    expected_sequence: int | None = None,
) -> GateStatus:
    """Move the gate durably and return where it now stands.

    The new sequence is one more than that of the present file. With `expected_sequence` the gate
    is moved only if the present file still has that sequence (0: no file that can be believed), so
    that an opening cannot overwrite a closing that it has not seen.

    A move to UNSAFE waits for no one and falls back to removing or emptying the file; the status
    that is returned then has `trusted` False and says so.

    Raises:
        GateMoved: The present file does not have the expected sequence; nothing was written.
        Unwritable: The gate could not be moved. For UNSAFE: it could not even be removed.
    """
    place = Path(path)
    wanted = GateState(state)
    with _locked(place, patient=wanted is not GateState.UNSAFE):
        present = read_gate(place, account)
        if expected_sequence is not None and present.sequence != expected_sequence:
            raise GateMoved(
                f"the gate has sequence {present.sequence}, expected {expected_sequence}:"
                f" it now says {present.state} ({present.reason})",
                place=str(place),
                hint="look at it again and decide again",
            )
        document: JsonObject = {
            "schema": GATE_SCHEMA,
            "account": account,
            "state": wanted.value,
            "sequence": _last_sequence(place) + 1,
            "reason": reason,
            "since_ms": now_ms,
            "by": by,
            "run_id": run_id,
            "evidence_sha256": evidence_sha256,
        }
        data, _ = sealed_bytes(document)
        try:
            replace_durably(place, data, mode=0o644)
        except Unwritable as trouble:
            if wanted is not GateState.UNSAFE:
                raise
            return _close_by_removal(place, account, trouble)
        return _status(document, account)


class Gate:
    """The gate as an engine asks for it: before every order, at the price of one `stat`.

    Remembers the newest move that it has seen, so that an older gate file that is put back does
    not open it again.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        account: str,
        *,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._path = Path(path)
        self._account = account
        self._now_ns = now_ns
        self._stamp: Stamp | None = None
        self._status: GateStatus | None = None
        self._newest: tuple[int, int] = (0, 0)

    def permits_orders(self) -> bool:
        """Whether an order may be sent now. Never raises; every doubt is a no."""
        return self.status().permits_orders

    def require(self) -> None:
        """Do nothing if an order may be sent now.

        Raises:
            GateClosed: It may not; the message says why.
        """
        status = self.status()
        if not status.permits_orders:
            raise GateClosed(
                f"the gate of {self._account} is {status.state}: {status.reason}",
                place=str(self._path),
                hint=f"resyncctl status {self._account}",
            )

    def status(self) -> GateStatus:
        """Return where the gate stands, reading the file only if it has changed. Never raises."""
        try:
            stamp = stamp_of(os.lstat(self._path))
        except (OSError, ValueError):
            stamp = None
        if self._status is not None and stamp is not None and stamp == self._stamp:
            return self._status
        status, stamp = _read(self._path, self._account)
        status = self._refuse_older(status)
        settled = stamp is not None and abs(self._now_ns() - max(stamp[3:])) > _SETTLED_NS
        self._stamp, self._status = (stamp, status) if settled else (None, None)
        return status

    def _refuse_older(self, status: GateStatus) -> GateStatus:
        if not status.trusted:
            return status
        move = (status.sequence, status.since_ms or 0)
        if move[0] < self._newest[0] and move[1] <= self._newest[1]:
            return _closed(
                self._account,
                f"the gate file has sequence {move[0]}, older than {self._newest[0]} which was"
                " seen before: an old file was put back",
            )
        self._newest = move
        return status


def _read(path: Path, account: str) -> tuple[GateStatus, Stamp | None]:
    try:
        found = read_bounded(path, GATE_SIZE_LIMIT)
    except FileNotFoundError:
        return _closed(account, f"there is no gate file at {path}"), None
    except (OSError, ValueError, FormatError) as trouble:
        return _closed(account, f"the gate file {path} cannot be read: {trouble}"), None
    if found.mode & 0o002:
        return _closed(account, f"the gate file {path} is writable by everybody"), found.stamp
    try:
        document, _ = read_sealed(found.data)
        return _status(document, account), found.stamp
    except FormatError as trouble:
        return _closed(account, f"the gate file {path} is corrupt: {trouble}"), found.stamp


def _status(document: JsonObject, account: str) -> GateStatus:
    if document.get("schema") != GATE_SCHEMA:
        raise FormatError(f"unknown schema {document.get('schema')!r}, expected {GATE_SCHEMA!r}")
    if document.get("account") != account:
        raise FormatError(f"it is the gate of {document.get('account')!r}, not of {account!r}")
    state = document.get("state")
    if not isinstance(state, str) or state not in set(GateState):
        raise FormatError(f"unknown state {state!r}")
    return GateStatus(
        account=account,
        state=GateState(state),
        reason=_text(document, "reason"),
        sequence=_whole(document, "sequence"),
        since_ms=_whole(document, "since_ms"),
        by=_text(document, "by"),
        run_id=_text(document, "run_id"),
        evidence_sha256=_optional_text(document, "evidence_sha256"),
        trusted=True,
    )


def _closed(account: str, reason: str) -> GateStatus:
    return GateStatus(
        account=account,
        state=GateState.UNSAFE,
        reason=reason,
        sequence=0,
        since_ms=None,
        by=None,
        run_id=None,
        evidence_sha256=None,
        trusted=False,
    )


def _last_sequence(path: Path) -> int:
    """The sequence of the present file, even if that file is foreign; 0 if it says none."""
    try:
        document, _ = read_sealed(read_bounded(path, GATE_SIZE_LIMIT).data)
        return _whole(document, "sequence")
    except (OSError, ValueError, FormatError):
        return 0


def _close_by_removal(path: Path, account: str, trouble: Unwritable) -> GateStatus:
    how = "removed"
    try:
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            sync_folder(path.parent)
    except OSError:
        try:
            os.truncate(path, 0)
        except OSError:
            raise trouble from None
        how = "emptied"
    return _closed(account, f"the gate file was {how} because it {trouble.message}")


@contextlib.contextmanager
def _locked(path: Path, *, patient: bool) -> Iterator[None]:
    """Hold NAME.lock while a gate is moved. A closing goes on without it rather than wait."""
    lock = path.with_name(f"{path.name}.lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as trouble:
        if patient:
            raise Unwritable(f"cannot be locked: {trouble.strerror}", place=str(path)) from trouble
        yield
        return
    try:
        if not _take(handle, _LOCK_WAIT_S if patient else _LOCK_WAIT_S / 4) and patient:
            raise Unwritable("somebody else is moving this gate", place=str(path))
        yield
    finally:
        os.close(handle)


def _take(handle: int, wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def _text(document: JsonObject, key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str):
        raise FormatError(f"{key} is {_shown(value)}, expected text")
    return value


def _optional_text(document: JsonObject, key: str) -> str | None:
    return None if document.get(key) is None else _text(document, key)


def _whole(document: JsonObject, key: str) -> int:
    value = document.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise FormatError(f"{key} is {_shown(value)}, expected a whole number from 0")
    return value


def _shown(value: JsonValue) -> str:
    return repr(value)[:60]
