"""The journal that a cancel never has to wait for.

Risk-reducing acts fail open: `cancel-all` must work when the disk of the state directory is full.
This journal writes to the state directory; when that fails it goes on in a fallback folder, linked
to what it had written; when no folder takes a record it mirrors every record to stderr and keeps it
in memory. Promises: as long as any place works, an intent is fsynced there before its request is
sent; without a working place only acts that reduce risk get a permit; every change of place is
told, and `places` names them all. Made by `opening.open_journal` under the break-glass rule only.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from resyncctl.adapters.store.journal import FileJournal, JournalPlace
from resyncctl.adapters.store.records import (
    CONTINUED,
    ENDED,
    INTENT,
    OUTCOME,
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

RISK_REDUCING = frozenset({"cancel_order", "cancel_symbol", "close_gate"})
"""The acts that may go on without a record on disk."""

Opener = Callable[[Head], FileJournal]
"""Makes a journal at one place; its first record links to the given head."""


class EmergencyJournal:
    """Implements `ports.views.Journal` over several places, tried in order."""

    def __init__(
        self,
        run_id: str,
        openers: Sequence[tuple[str, Opener]],
        *,
        clock: Clock,
        redact: Redactor,
        mirror: TextIO,
        warn: Callable[[str], None],
    ) -> None:
        self._run_id = run_id
        self._waiting = list(openers)
        self._clock = clock
        self._redact = redact
        self._mirror = mirror
        self._warn = warn
        self._current: FileJournal | None = None
        self._places: list[JournalPlace] = []
        self._trouble = ""
        self._head = Head()
        self._durable_head = Head()
        self._open_intents: set[str] = set()
        self.memory: list[Record] = []
        """What was mirrored and is on no disk."""

    @property
    def run_id(self) -> str:
        """The run that the records belong to."""
        return self._run_id

    @property
    def head(self) -> Head:
        """The newest record that is on a disk: what an audit will look for."""
        return self._durable_head

    @property
    def places(self) -> tuple[JournalPlace, ...]:
        """Every place that took records, in order, with the reason for each change."""
        return tuple(self._places)

    @property
    def is_durable(self) -> bool:
        """Whether the records go to a disk at this moment."""
        return self._current is not None or not self._places

    @property
    def open_intents(self) -> frozenset[str]:
        """The intents of this run that have no outcome yet."""
        return frozenset(self._open_intents)

    def record(self, event: str, details: Mapping[str, object]) -> int:
        """Write one record to the first place that takes it; return its sequence number."""
        while True:
            journal = self._journal()
            if journal is None:
                return self._mirror_one(event, details)
            try:
                sequence = journal.record(event, details)
            except RecordUnwritableError as trouble:
                self._leave(journal, trouble)
            else:
                self._head = self._durable_head = journal.head
                return sequence

    def intend(
        self, action: str, details: Mapping[str, object], *, deadline_ms: int, fencing_token: int
    ) -> Permit:
        """Write the intent of one mutating request; return the permit for it.

        Raises:
            RecordUnwritableError: No place takes a record and the act does not reduce risk.
        """
        while True:
            journal = self._journal()
            if journal is None and action not in RISK_REDUCING:
                raise RecordUnwritableError(
                    f"{action} needs a record on disk, and no place takes one: {self._trouble}"
                )
            intent_id = f"{self._run_id}:{self._head.sequence + 1}"
            content = intent_details(
                action,
                details,
                intent_id=intent_id,
                deadline_ms=deadline_ms,
                fencing_token=fencing_token,
            )
            if journal is None:
                self._mirror_one(INTENT, content)
                break
            try:
                journal.record(INTENT, content)
            except RecordUnwritableError as trouble:
                self._leave(journal, trouble)
            else:
                self._head = self._durable_head = journal.head
                break
        self._open_intents.add(intent_id)
        return Permit(intent_id, deadline_ms, fencing_token)

    def settle(self, permit: Permit, outcome: MutationOutcome) -> None:
        """Write what became of an intent."""
        self.record(OUTCOME, outcome_details(permit.intent_id, outcome))
        self._open_intents.discard(permit.intent_id)

    def end(self, exit_code: int, status: str = "") -> None:
        """Write the record that the run came to its end, and close."""
        content = {
            "exit_code": int(exit_code),
            "status": status,
            "open_intents": len(self._open_intents),
            "places": [f"{place.kind} {place.place}" for place in self._places],
        }
        self.record(ENDED, content)
        self.close()

    def close(self) -> None:
        """Let go of the file without saying that the run has ended. Safe to call twice."""
        if self._current is not None:
            self._current.close()

    def _journal(self) -> FileJournal | None:
        """Return the journal to write to, opening the next place when there is none."""
        while self._current is None and self._waiting:
            kind, opener = self._waiting.pop(0)
            try:
                journal = self._open(opener)
            except (RecordUnwritableError, FileExistsError) as trouble:
                self._trouble = _words(trouble)
                continue
            self._current = journal
            if journal.records_written:
                self._head = self._durable_head = journal.head
            self._arrive(JournalPlace(kind=kind, place=str(journal.path), reason=self._trouble))
        return self._current

    def _open(self, opener: Opener) -> FileJournal:
        """Open one place; a place that is not the first says in its first record why it is used."""
        journal = opener(self._head)
        if self._trouble:
            try:
                journal.record(CONTINUED, {"reason": self._trouble, "from": self._origin()})
            except RecordUnwritableError:
                journal.close()
                raise
        return journal

    def _origin(self) -> dict[str, object]:
        return {
            "sequence": self._head.sequence,
            "sha256": self._head.sha256,
            "place": self._places[-1].place if self._places else None,
        }

    def _leave(self, journal: FileJournal, trouble: RecordUnwritableError) -> None:
        self._trouble = _words(trouble)
        if journal.records_written == 0:
            self._places.pop()
        journal.close()
        self._current = None

    def _arrive(self, place: JournalPlace) -> None:
        self._places.append(place)
        if place.reason:
            self._warn(f"the journal goes on in {place.place}: {place.reason}")

    def _mirror_one(self, event: str, details: Mapping[str, object]) -> int:
        if not self._places or self._places[-1].kind != "mirror":
            self._arrive(JournalPlace(kind="mirror", place="stderr", reason=self._trouble))
        record, line = seal(
            self._head,
            at_ms=self._clock.now_ms(),
            run_id=self._run_id,
            event=event,
            details=friendly(details, self._redact),
        )
        self._head = Head(record.sequence, record.sha256)
        self.memory.append(record)
        # A closed stderr must not stop a cancel; the record is in memory all the same.
        with contextlib.suppress(OSError, ValueError):
            self._mirror.write(line.decode("ascii"))
            self._mirror.flush()
        return record.sequence


def _words(trouble: Exception) -> str:
    if isinstance(trouble, RecordUnwritableError):
        return f"{trouble.place or 'the journal'} {trouble.message}"
    return str(trouble)
