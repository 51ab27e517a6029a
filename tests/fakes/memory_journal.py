"""A journal in memory that can be told to break."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from resyncctl.core.errors import RecordUnwritableError
from resyncctl.core.mutation import MutationOutcome, Permit


@dataclass(frozen=True, slots=True)
class Kept:
    """One record."""

    sequence: int
    event: str
    details: Mapping[str, object]


@dataclass(slots=True)
class MemoryJournal:
    """Implements `ports.views.Journal`.

    `breaks_at` is the sequence from which on every record fails, as on a full disk.
    """

    run_id: str = "20261121T103000Z-test-0000"
    breaks_at: int | None = None
    records: list[Kept] = field(default_factory=list)

    def record(self, event: str, details: Mapping[str, object]) -> int:
        sequence = len(self.records) + 1
        if self.breaks_at is not None and sequence >= self.breaks_at:
            raise RecordUnwritableError("the journal cannot be written: no space left on device")
        self.records.append(Kept(sequence, event, dict(details)))
        return sequence

    def intend(
        self, action: str, details: Mapping[str, object], *, deadline_ms: int, fencing_token: int
    ) -> Permit:
        sequence = self.record(
            "intent",
            {
                "intent_id": f"{self.run_id}:{len(self.records) + 1}",
                "action": action,
                "deadline_ms": deadline_ms,
                "fencing_token": fencing_token,
                "details": dict(details),
            },
        )
        return Permit(f"{self.run_id}:{sequence}", deadline_ms, fencing_token)

    def settle(self, permit: Permit, outcome: MutationOutcome) -> None:
        self.record("outcome", {"intent_id": permit.intent_id, "kind": outcome.kind.value})

    def events(self) -> list[str]:
        """The names of the records in order."""
        return [kept.event for kept in self.records]
