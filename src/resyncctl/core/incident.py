"""An incident: from the moment the gate of an account closed until the account trades again.

Promises: pure; an incident is computed from what was recorded and from nothing else, so that two
readers see the same one; what was not recorded is listed under `not_known` and never rounded to
"nothing happened". One account has at most one open incident. Written by the adapter behind
`ports.incidents`, read by `incident list`, `show` and `export`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from resyncctl.core.gate import GateReading, GateState


class IncidentEventKind(StrEnum):
    """What is written into an incident's record."""

    OPENED = "incident_opened"
    GATE_MOVED = "gate_moved"
    GATE_NOT_MOVED = "gate_not_moved"
    RUN_BEGAN = "run_began"
    RUN_ENDED = "run_ended"
    NOTE = "note"
    CLOSED = "incident_closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEvent:
    """One recorded event. `event` is a word of `IncidentEventKind`, or a later version's own."""

    at_ms: int
    run_id: str
    event: str
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What one run did, as its own journal tells it. `readable` is False when there is none.

    `first_cancel_ms` is when the first cancel was about to be sent, `proved_ms` when the run had
    proved that nothing unexpected rests.
    """

    run_id: str
    command: str
    readable: bool = True
    alive: bool = False
    began_ms: int | None = None
    ended_ms: int | None = None
    exit_code: int | None = None
    first_cancel_ms: int | None = None
    cancels: int = 0
    reductions: int = 0
    unanswered: int = 0
    proved_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One line of the timeline. `what` is a stable word, `text` a sentence."""

    at_ms: int
    what: str
    text: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentMetrics:
    """The figures of the policy, in milliseconds since the incident began; None is not known.

    `unsafe_ms` is all the time spent UNSAFE, until now while it lasts. `within_rto` is None while
    the account is not safe yet and there is time left, or when it never was recorded to be safe.
    """

    gate_closed_after_ms: int | None
    first_cancel_after_ms: int | None
    proved_after_ms: int | None
    safe_after_ms: int | None
    running_after_ms: int | None
    unsafe_ms: int | None
    rto_ms: int | None
    within_rto: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of a comparison, as it was recorded."""

    kind: str
    severity: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a person wrote down."""

    at_ms: int
    by: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident, whole. `ended_ms` is None while it is open.

    `cancel_sent` is None when a journal that could say so cannot be read. `residuals` are the
    orders or holdings of which the last run that counted them could not prove that they are gone.
    """

    incident_id: str
    account: str
    began_ms: int
    opened_ms: int
    ended_ms: int | None
    ended_how: str
    reason: str
    by: str
    command: str
    late: bool
    gate: str
    runs: tuple[RunFacts, ...]
    timeline: tuple[TimelineEntry, ...]
    metrics: IncidentMetrics
    cancel_sent: bool | None
    orders_before: int | None
    orders_after: int | None
    residuals: int | None
    verdict: str | None
    findings: tuple[Finding, ...]
    notes: tuple[Note, ...]
    not_known: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether the account does not trade yet."""
        return self.ended_ms is None

    def lasted_ms(self, now_ms: int) -> int:
        """Return how long it lasted, until now while it is open."""
        return max(0, (now_ms if self.ended_ms is None else self.ended_ms) - self.began_ms)


def opens_incident(before: GateReading, last_known: str | None, *, copy_open: bool) -> bool:
    """Given the gate before a closing, say whether an incident begins with it.

    A gate that was open begins one. A gate that cannot be believed means UNSAFE by itself, but it
    may have let an engine trade a moment ago: because one of its copies said so (`copy_open`), or
    because the last recorded move opened it (`last_known`, None where no move is recorded). A gate
    that was never opened on this host begins none.
    """
    if before.trusted:
        return before.state is not GateState.UNSAFE
    return copy_open or last_known not in {None, GateState.UNSAFE.value}


def runs_of(events: Sequence[IncidentEvent]) -> tuple[str, ...]:
    """Return the runs that touched the incident, in the order in which they appear."""
    told = IncidentEventKind
    kinds = {told.OPENED, told.GATE_MOVED, told.GATE_NOT_MOVED, told.RUN_BEGAN, told.RUN_ENDED}
    return tuple(dict.fromkeys(one.run_id for one in events if one.event in kinds and one.run_id))


def closing_event(events: Sequence[IncidentEvent]) -> IncidentEvent | None:
    """Return the event that ended the incident, None while it is open."""
    return last_of(events, IncidentEventKind.CLOSED)


def last_of(events: Sequence[IncidentEvent], kind: IncidentEventKind) -> IncidentEvent | None:
    """Return the last event of a kind."""
    return next((one for one in reversed(events) if one.event == kind), None)


def text_of(details: Mapping[str, object], key: str) -> str:
    """Return a text of an event; what is missing or no text is empty."""
    value = details.get(key)
    return value if isinstance(value, str) else ""


def whole_of(details: Mapping[str, object], key: str) -> int | None:
    """Return a whole number of an event, None when there is none."""
    value = details.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
