"""The durable record of one run: every intent is on disk before its request is sent.

`runs/<run-id>/journal.jsonl`: one fsynced, hash-chained line per record. Promises: when `record`
or `intend` returns, the record is on disk; when it raises, nothing may be sent; no secret gets in;
a chain that was tampered with is never extended. `open_journal` makes a journal for a command,
`reopen_journal` takes one up again after its writer has died.
"""

import contextlib
import getpass
import hashlib
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from resyncctl.adapters.store import append_file
from resyncctl.adapters.store.append_file import AppendFile, Sync
from resyncctl.adapters.store.chain import FileReading, read_file
from resyncctl.adapters.store.places import JOURNAL_NAME, private_directory, unwritable
from resyncctl.adapters.store.records import (
    CHAIN_RESTARTED,
    ENDED,
    INTENT,
    OUTCOME,
    TAIL_TRUNCATED,
    Head,
    Record,
    Redactor,
    friendly,
    intent_details,
    outcome_details,
    seal,
)
from resyncctl.core.errors import RecordUnwritableError
from resyncctl.core.mutation import MutationOutcome, Permit
from resyncctl.ports.views import Clock

_PIECES_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPlace:
    """Where records went. `kind` is state, fallback or mirror; `reason` why it is not the first."""

    kind: str
    place: str
    reason: str = ""


class FileJournal:
    """Implements `ports.views.Journal` on one file. Made by `create_journal`, `reopen_journal`."""

    def __init__(
        self,
        file: AppendFile,
        run_id: str,
        *,
        clock: Clock,
        redact: Redactor,
        head: Head,
        kind: str = "state",
    ) -> None:
        self._file = file
        self._run_id = run_id
        self._clock = clock
        self._redact = redact
        self._head = head
        self._kind = kind
        self.records_written = 0
        """How many records this object has put on disk."""
        self._open_intents: set[str] = set()

    @property
    def run_id(self) -> str:
        """The run that the records belong to."""
        return self._run_id

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    @property
    def head(self) -> Head:
        """The newest record."""
        return self._head

    @property
    def places(self) -> tuple[JournalPlace, ...]:
        """Where the records are."""
        return (JournalPlace(kind=self._kind, place=str(self._file.path)),)

    @property
    def open_intents(self) -> frozenset[str]:
        """The intents of this run that have no outcome yet."""
        return frozenset(self._open_intents)

    def record(self, event: str, details: Mapping[str, object]) -> int:
        """Append one record and fsync it; return its sequence number.

        Raises:
            RecordUnwritableError: The record is not known to be on disk.
        """
        return self._append(event, friendly(details, self._redact)).sequence

    def intend(
        self, action: str, details: Mapping[str, object], *, deadline_ms: int, fencing_token: int
    ) -> Permit:
        """Append and fsync the intent of one mutating request; return the permit for it.

        Raises:
            RecordUnwritableError: The intent is not known to be on disk.
        """
        intent_id = f"{self._run_id}:{self._head.sequence + 1}"
        content = intent_details(
            action,
            details,
            intent_id=intent_id,
            deadline_ms=deadline_ms,
            fencing_token=fencing_token,
        )
        self.record(INTENT, content)
        self._open_intents.add(intent_id)
        return Permit(intent_id, deadline_ms, fencing_token)

    def settle(self, permit: Permit, outcome: MutationOutcome) -> None:
        """Append what became of an intent.

        Raises:
            RecordUnwritableError: The outcome is not known to be on disk.
        """
        self.record(OUTCOME, outcome_details(permit.intent_id, outcome))
        self._open_intents.discard(permit.intent_id)

    def end(self, exit_code: int, status: str = "") -> None:
        """Append the record that the run came to its end, and close.

        Raises:
            RecordUnwritableError: The record is not known to be on disk.
        """
        try:
            content = {
                "exit_code": int(exit_code),
                "status": status,
                "open_intents": len(self._open_intents),
            }
            self.record(ENDED, content)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file without saying that the run has ended. Safe to call twice."""
        self._file.close()

    def _append(self, event: str, details: Mapping[str, object]) -> Record:
        record, line = seal(
            self._head,
            at_ms=self._clock.now_ms(),
            run_id=self._run_id,
            event=event,
            details=details,
        )
        self._file.append(line)
        self._head = Head(record.sequence, record.sha256)
        self.records_written += 1
        return record


def create_journal(
    directory: Path,
    run_id: str,
    *,
    clock: Clock,
    redact: Redactor,
    head: Head | None = None,
    kind: str = "state",
    sync: Sync = os.fsync,
) -> FileJournal:
    """Make the run's folder and an empty journal in it; `head` is what its first record links to.

    Raises:
        FileExistsError: The run has a journal there already.
        RecordUnwritableError: It cannot be made durable, or there is no room for it.
    """
    private_directory(directory)
    try:
        file = append_file.create(directory / JOURNAL_NAME, sync)
    except RecordUnwritableError:
        with contextlib.suppress(OSError):
            directory.rmdir()
        raise
    return FileJournal(file, run_id, clock=clock, redact=redact, head=head or Head(), kind=kind)


def reopen_journal(
    path: Path, run_id: str, *, clock: Clock, redact: Redactor, sync: Sync = os.fsync
) -> FileJournal:
    """Take up the journal of a run whose writer has died.

    A torn end is cut off, and a record says what was cut. A chain that is broken in any other way
    is left as it is: a new file beside it starts a chain that links to the last good record and to
    the broken file as a whole.

    Raises:
        LockedError: The writer is alive.
        RecordUnwritableError: It cannot be written.
    """
    reading = read_file(path, run_id)
    if any(problem.kind != "torn" for problem in reading.breaks):
        return _restart_chain(reading, run_id, clock=clock, redact=redact, sync=sync)
    file = append_file.reopen(path, reading.good_bytes, sync)
    journal = FileJournal(file, run_id, clock=clock, redact=redact, head=reading.head)
    if reading.torn:
        try:
            journal.record(
                TAIL_TRUNCATED,
                {
                    "bytes": len(reading.torn),
                    "sha256": hashlib.sha256(reading.torn).hexdigest(),
                    "after_sequence": reading.head.sequence,
                },
            )
        except RecordUnwritableError:
            journal.close()
            raise
    return journal


def _restart_chain(
    reading: FileReading, run_id: str, *, clock: Clock, redact: Redactor, sync: Sync
) -> FileJournal:
    content = _bytes_of(reading.path)
    for number in range(2, _PIECES_MAX):
        path = reading.path.with_name(f"journal.{number}.jsonl")
        try:
            file = append_file.create(path, sync)
        except FileExistsError:
            continue
        journal = FileJournal(file, run_id, clock=clock, redact=redact, head=reading.head)
        last = reading.records[-1] if reading.records else None
        journal.record(
            CHAIN_RESTARTED,
            {
                "broken_file": reading.path.name,
                "broken_file_sha256": hashlib.sha256(content).hexdigest(),
                "broken_file_bytes": len(content),
                "last_record_sha256": last.sha256 if last else None,
                "good_sequence": reading.head.sequence,
                "breaks": [f"{item.kind}: {item.detail}" for item in reading.breaks[:20]],
            },
        )
        return journal
    raise RecordUnwritableError("there are too many restarted chains", place=str(reading.path))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as trouble:
        raise unwritable(path, trouble) from trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What the first record of every run says about it."""

    command: str
    accounts: tuple[str, ...]
    version: str
    words: tuple[str, ...] = ()

    def details(self) -> dict[str, object]:
        """Return the details of the first record."""
        return {
            "command": self.command,
            "accounts": list(self.accounts),
            "version": self.version,
            "words": list(self.words),
            "user": user_name(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }


def user_name(look_up: Callable[[], str] = getpass.getuser) -> str:
    """Return who runs this, or the user's number where there is no name for it."""
    try:
        return look_up()
    except (KeyError, OSError, ImportError):
        return f"uid {os.geteuid()}"
