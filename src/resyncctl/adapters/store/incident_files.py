"""The files of incidents: one hash-chained JSONL file each, `incidents/ACCOUNT/INCIDENT.jsonl`.

Promises: an event is on disk when `append` returns; what a crash has torn off is cut off with a
record that says so; a chain that was tampered with is never extended; two processes never write at
the same time, and nobody waits for long. Every file names the incident of its account before it,
and that file's last record, so that one that disappears is missed. Called by `incidents`.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from resyncctl.adapters.store import append_file
from resyncctl.adapters.store.append_file import AppendFile, Sync
from resyncctl.adapters.store.chain import ChainBreak, FileReading, read_file
from resyncctl.adapters.store.places import private_directory, safe_name, unwritable
from resyncctl.adapters.store.records import (
    TAIL_TRUNCATED,
    Head,
    Redactor,
    friendly,
    seal,
)
from resyncctl.adapters.store.run_ids import is_run_id, new_run_id
from resyncctl.core.errors import LockedError, RecordUnwritableError
from resyncctl.core.incident import IncidentEvent, IncidentEventKind

_WORD = "incident"
_LOCK_WAIT_S = 0.5
_SECOND_MS = 1000
_STAMP_FORMAT = "%Y%m%dT%H%M%SZ"
_STAMP = 16
"""How many characters of an id are its time."""

NewId = Callable[[str, int], str]
"""Given a word and a time, returns a name that sorts by time."""


@dataclass(frozen=True, slots=True)
class IncidentFile:
    """One incident's record as it was read."""

    incident_id: str
    reading: FileReading

    @property
    def events(self) -> tuple[IncidentEvent, ...]:
        """Its events, without records that do not match their own hash."""
        return tuple(
            IncidentEvent(
                at_ms=record.at_ms,
                run_id=record.run_id,
                event=record.event,
                details=record.details,
            )
            for record in self.reading.records
            if record.intact and record.event != TAIL_TRUNCATED
        )

    @property
    def account(self) -> str:
        """The account, as its first record says, or its folder."""
        told = self.events[0].details.get("account") if self.events else None
        return told if isinstance(told, str) else unquote(self.reading.path.parent.name)

    @property
    def damage(self) -> tuple[ChainBreak, ...]:
        """What a hand, and no crash, has done to it."""
        return tuple(one for one in self.reading.breaks if one.kind != "torn")

    @property
    def ended(self) -> IncidentEvent | None:
        """The event that ended it."""
        closed = (one for one in reversed(self.events) if one.event == IncidentEventKind.CLOSED)
        return next(closed, None)


def incidents_directory(state_dir: Path) -> Path:
    """Return where every account has the folder of its incidents."""
    return state_dir / "incidents"


def is_incident_id(text: str) -> bool:
    """Whether a name has the form of an incident's id."""
    return is_run_id(text) and f"-{_WORD}-" in text


def read_all(state_dir: Path, account: str | None = None) -> Iterator[IncidentFile]:
    """Yield the incidents, of one account or of all, the newest first.

    Raises:
        OSError: The folder cannot be listed.
    """
    root = incidents_directory(state_dir)
    if account is not None:
        folders = [root / safe_name(account)]
    else:
        folders = [path for path in _listed(root) if path.is_dir() and not path.is_symlink()]
    places = [path for folder in folders for path in _listed(folder) if path.suffix == ".jsonl"]
    for path in sorted(places, key=lambda path: path.name, reverse=True):
        if is_incident_id(path.stem):
            yield IncidentFile(path.stem, read_file(path))


def newest(state_dir: Path, account: str) -> IncidentFile | None:
    """Return the newest incident of the account, the only one that may be open.

    Raises:
        OSError: The folder cannot be listed.
    """
    return next(read_all(state_dir, account), None)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


class IncidentWriter:
    """Writes into one account's incidents. Used as a context manager, which holds the lock.

    Raises:
        LockedError: Another process is writing for too long.
        RecordUnwritableError: The folder cannot be written.
    """

    def __init__(
        self,
        state_dir: Path,
        account: str,
        *,
        redact: Redactor,
        new_id: NewId = new_run_id,
        sync: Sync = os.fsync,
    ) -> None:
        self._state_dir = state_dir
        self._account = account
        self._redact = redact
        self._new_id = new_id
        self._sync = sync
        self._folder = incidents_directory(state_dir) / safe_name(account)
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Make the folder and take the lock."""
        private_directory(self._folder)
        place = self._folder / ".lock"
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._lock = os.open(place, flags, 0o600)
        except OSError as trouble:
            raise unwritable(place, trouble) from trouble
        deadline = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() >= deadline:
                    self.__exit__()
                    raise LockedError(
                        "another process is writing this incident", place=str(place)
                    ) from None
                time.sleep(0.01)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.close(self._lock)
            self._lock = None

    def newest(self) -> IncidentFile | None:
        """Return the account's newest incident.

        Raises:
            RecordUnwritableError: The folder cannot be listed.
        """
        try:
            return newest(self._state_dir, self._account)
        except OSError as trouble:
            raise unwritable(self._folder, trouble) from trouble

    def find(self, incident_id: str) -> IncidentFile:
        """Return one incident of the account.

        Raises:
            RecordUnwritableError: There is none, or the folder cannot be listed.
        """
        try:
            files = read_all(self._state_dir, self._account)
            found = next((one for one in files if one.incident_id == incident_id), None)
        except OSError as trouble:
            raise unwritable(self._folder, trouble) from trouble
        if found is None:
            raise RecordUnwritableError(f"there is no incident {incident_id}")
        return found

    def create(self, event: IncidentEvent) -> str:
        """Begin a new incident with its first event; return its id.

        Raises:
            RecordUnwritableError: It is not known to be on disk.
        """
        before = self.newest()
        incident_id = self._name(event.at_ms, before)
        path = self._folder / f"{incident_id}.jsonl"
        try:
            file = append_file.create(path, self._sync)
        except FileExistsError:
            raise RecordUnwritableError(
                "an incident of this name exists", place=str(path)
            ) from None
        try:
            previous = _link(before)
            content = {**event.details, "account": self._account, "previous": previous}
            self._write(file, Head(), event, content)
        finally:
            file.close()
        return incident_id

    def append(self, found: IncidentFile, event: IncidentEvent) -> None:
        """Add an event to an incident that this writer has read under its lock.

        Raises:
            RecordUnwritableError: It is not known to be on disk, or the record was tampered with.
        """
        reading = found.reading
        if found.damage:
            raise RecordUnwritableError(
                f"the record is damaged ({found.damage[0].detail}) and is not extended",
                place=str(reading.path),
                hint="resyncctl audit verify",
            )
        file = append_file.reopen(reading.path, reading.good_bytes, self._sync)
        try:
            head = reading.head
            if reading.torn:
                cut = IncidentEvent(at_ms=event.at_ms, run_id=event.run_id, event=TAIL_TRUNCATED)
                head = self._write(file, head, cut, {"bytes": len(reading.torn)})
            self._write(file, head, event, event.details)
        finally:
            file.close()

    def _write(
        self, file: AppendFile, head: Head, event: IncidentEvent, details: Mapping[str, object]
    ) -> Head:
        record, line = seal(
            head,
            at_ms=event.at_ms,
            run_id=event.run_id,
            event=event.event,
            details=friendly(details, self._redact),
        )
        file.append(line)
        return Head(record.sequence, record.sha256)

    def _name(self, at_ms: int, before: IncidentFile | None) -> str:
        """Return a name that sorts after the last one, whatever the clock says."""
        name = self._new_id(_WORD, at_ms)
        if before is None or name[:_STAMP] > before.incident_id[:_STAMP]:
            return name
        last = datetime.strptime(before.incident_id[:_STAMP], _STAMP_FORMAT).replace(tzinfo=UTC)
        return self._new_id(_WORD, int(last.timestamp() + 1) * _SECOND_MS)


def _link(before: IncidentFile | None) -> dict[str, object] | None:
    if before is None:
        return None
    head = before.reading.head
    return {"incident": before.incident_id, "sequence": head.sequence, "sha256": head.sha256}


def broken_links(files: list[IncidentFile]) -> list[str]:
    """Given the incidents of one account, say which one names another that is not as it was."""
    hashes = {
        one.incident_id: {record.sequence: record.sha256 for record in one.reading.records}
        for one in files
    }
    found = []
    for one in files:
        claim = one.events[0].details.get("previous") if one.events else None
        if not isinstance(claim, Mapping) or not claim.get("sequence"):
            continue
        name = claim.get("incident")
        if not isinstance(name, str) or name not in hashes:
            found.append(f"removed: the incident {name} is missing, which {one.incident_id} names")
        elif hashes[name].get(_whole(claim.get("sequence"))) != claim.get("sha256"):
            found.append(
                f"rewritten: the incident {name} is not the one that {one.incident_id} names"
            )
    return found


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
