"""From recorded events to the incident that a person reads: timeline, figures, what is missing.

Promises: pure; every figure names the moments that it is made of, and one whose moments were not
recorded is None; a gate is never said to be closed from an event that says it could not be moved.
Called by whoever has read an incident's record and the journals of its runs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from resyncctl.core.gate import GateState
from resyncctl.core.incident import (
    Finding,
    Incident,
    IncidentEvent,
    IncidentEventKind,
    IncidentMetrics,
    Note,
    RunFacts,
    TimelineEntry,
    closing_event,
    text_of,
    whole_of,
)

_OPEN_STATES = frozenset({GateState.SAFE.value, GateState.RUNNING.value})
_BEFORE = ("before", "open_orders", "orders_before")
"""What `cancel-all`, `verify`, and `resync` and `flatten` call the orders that they found."""


def tell(
    incident_id: str,
    account: str,
    events: Sequence[IncidentEvent],
    runs: Sequence[RunFacts],
    *,
    now_ms: int,
    damage: Sequence[str] = (),
) -> Incident:
    """Return the incident. `damage` says in words what of its record cannot be believed."""
    opening = next((one for one in events if one.event == IncidentEventKind.OPENED), None)
    first = opening or (events[0] if events else IncidentEvent(at_ms=now_ms, run_id="", event=""))
    ending = closing_event(events)
    asked_ms = whole_of(first.details, "asked_ms")
    began_ms = first.at_ms if asked_ms is None else min(asked_ms, first.at_ms)
    ends = [one for one in events if one.event == IncidentEventKind.RUN_ENDED]
    metrics = _metrics(events, runs, began_ms, now_ms if ending is None else ending.at_ms)
    return Incident(
        incident_id=incident_id,
        account=account,
        began_ms=began_ms,
        opened_ms=first.at_ms,
        ended_ms=None if ending is None else ending.at_ms,
        ended_how="" if ending is None else text_of(ending.details, "how"),
        reason=text_of(first.details, "reason"),
        by=text_of(first.details, "by"),
        command=text_of(first.details, "command"),
        late=first.details.get("late") is True,
        gate=_gate(events),
        runs=tuple(runs),
        timeline=tuple(sorted(_timeline(events, runs), key=lambda one: one.at_ms)),
        metrics=metrics,
        cancel_sent=_cancel_sent(runs),
        orders_before=_first_count(ends),
        orders_after=_last_number(ends, _resting),
        residuals=_last_number(ends, _not_proved),
        verdict=_verdict(ends),
        findings=_findings(ends),
        notes=tuple(_notes(events)),
        not_known=tuple(dict.fromkeys(_gaps(events, runs, metrics, damage))),
    )


def _metrics(
    events: Sequence[IncidentEvent], runs: Sequence[RunFacts], began_ms: int, until_ms: int
) -> IncidentMetrics:
    moves = [(one.at_ms, text_of(one.details, "to")) for one in _moves(events)]
    closed = next((at_ms for at_ms, to in moves if to == GateState.UNSAFE), None)
    safe = _standing(moves, _OPEN_STATES)
    running = _standing(moves, frozenset({GateState.RUNNING.value}))
    cancels = [one.first_cancel_ms for one in runs if one.first_cancel_ms is not None]
    proofs = [one.proved_ms for one in runs if one.proved_ms is not None]
    rto_ms = next((n for one in events if (n := whole_of(one.details, "rto_ms")) is not None), None)

    def after(at_ms: int | None) -> int | None:
        return None if at_ms is None else max(0, at_ms - began_ms)

    return IncidentMetrics(
        gate_closed_after_ms=after(closed),
        first_cancel_after_ms=after(min(cancels, default=None)),
        proved_after_ms=after(min(proofs, default=None)),
        safe_after_ms=after(safe),
        running_after_ms=after(running),
        unsafe_ms=_time_unsafe(moves, until_ms),
        rto_ms=rto_ms,
        within_rto=_within(after(safe), after(until_ms) or 0, rto_ms),
    )


def _moves(events: Sequence[IncidentEvent]) -> Iterator[IncidentEvent]:
    """Yield what moved the gate; the opening of an incident is itself such a move."""
    for one in events:
        moved = one.event == IncidentEventKind.GATE_MOVED
        opened = one.event == IncidentEventKind.OPENED and one.details.get("gate_closed") is True
        if moved or opened:
            yield one


def _standing(moves: Sequence[tuple[int, str]], wanted: frozenset[str]) -> int | None:
    """Return when the gate reached one of the states for good; a later closing undoes it."""
    reached: int | None = None
    for at_ms, to in moves:
        if to in wanted:
            reached = at_ms if reached is None else reached
        elif to == GateState.UNSAFE:
            reached = None
    return reached


def _time_unsafe(moves: Sequence[tuple[int, str]], until_ms: int) -> int | None:
    total, since_ms, seen = 0, None, False
    for at_ms, to in moves:
        if to == GateState.UNSAFE:
            seen = True
            since_ms = at_ms if since_ms is None else since_ms
        elif since_ms is not None:
            total += max(0, at_ms - since_ms)
            since_ms = None
    if since_ms is not None:
        total += max(0, until_ms - since_ms)
    return total if seen else None


def _within(safe_after_ms: int | None, elapsed_ms: int, rto_ms: int | None) -> bool | None:
    if rto_ms is None:
        return None
    if safe_after_ms is not None:
        return safe_after_ms <= rto_ms
    return False if elapsed_ms > rto_ms else None


def _gate(events: Sequence[IncidentEvent]) -> str:
    moves = list(_moves(events))
    return text_of(moves[-1].details, "to") if moves else ""


def _cancel_sent(runs: Sequence[RunFacts]) -> bool | None:
    if any(one.cancels for one in runs):
        return True
    return False if all(one.readable for one in runs) else None


def _counts(event: IncidentEvent) -> Mapping[str, object]:
    counts = event.details.get("counts")
    return counts if isinstance(counts, Mapping) else {}


def _first_count(ends: Sequence[IncidentEvent]) -> int | None:
    """Return how many orders rested when they were first counted."""
    for one in ends:
        for key in _BEFORE:
            found = whole_of(_counts(one), key)
            if found is not None:
                return found
    return None


def _last_number(
    ends: Sequence[IncidentEvent], number: Callable[[Mapping[str, object]], int | None]
) -> int | None:
    """Return a number from the last run that knew it."""
    found = (number(_counts(one)) for one in reversed(ends))
    return next((one for one in found if one is not None), None)


def _resting(counts: Mapping[str, object]) -> int | None:
    """Return how many orders rest at the end, those that may among them."""
    told = whole_of(counts, "orders_after")
    return _not_proved(counts) if told is None else told


def _not_proved(counts: Mapping[str, object]) -> int | None:
    """Return how many orders or holdings are not proved gone."""
    holdings = whole_of(counts, "residual")
    if holdings is not None:
        return holdings + (whole_of(counts, "unknown") or 0)
    orders = [whole_of(counts, key) for key in ("left", "unproven", "orders_unexpected")]
    known = [one for one in orders if one is not None]
    return max(known, default=None)


def _verdict(ends: Sequence[IncidentEvent]) -> str | None:
    words = (text_of(one.details, "verdict") for one in reversed(ends))
    return next((word for word in words if word), None)


def _findings(ends: Sequence[IncidentEvent]) -> tuple[Finding, ...]:
    """Return the findings of the last comparison, which is the one that stands."""
    for one in reversed(ends):
        rows = one.details.get("findings")
        if isinstance(rows, list | tuple) and text_of(one.details, "verdict"):
            told = [row for row in rows if isinstance(row, Mapping)]
            return tuple(
                Finding(
                    kind=text_of(row, "kind"),
                    severity=text_of(row, "severity"),
                    subject=text_of(row, "subject"),
                    detail=text_of(row, "detail"),
                )
                for row in told
            )
    return ()


def _notes(events: Sequence[IncidentEvent]) -> Iterator[Note]:
    for one in events:
        if one.event == IncidentEventKind.NOTE:
            yield Note(
                at_ms=one.at_ms,
                by=text_of(one.details, "by"),
                text=text_of(one.details, "text"),
            )


def _gaps(
    events: Sequence[IncidentEvent],
    runs: Sequence[RunFacts],
    metrics: IncidentMetrics,
    damage: Sequence[str],
) -> Iterator[str]:
    """Yield what this record cannot tell, in whole sentences."""
    yield from damage
    opening = next((one for one in events if one.event == IncidentEventKind.OPENED), None)
    if opening is None:
        yield "The beginning of the record is missing."
    elif opening.details.get("late") is True:
        yield "The record was begun afterwards: what happened before it is not in it."
    yield from _run_gaps(runs)
    failed = [one for one in events if one.event == IncidentEventKind.GATE_NOT_MOVED]
    if failed:
        yield f"The gate could not be moved {_times(len(failed))}; see the timeline."
    if metrics.gate_closed_after_ms is None:
        yield "Nothing recorded says that the gate was closed."
    if metrics.proved_after_ms is None:
        yield "No run has proved that nothing unexpected rests."
    ends = [one for one in events if one.event == IncidentEventKind.RUN_ENDED]
    if not any(text_of(one.details, "verdict") for one in ends):
        yield "No comparison with the engine was recorded."
    left_out = whole_of(ends[-1].details, "findings_left_out") if ends else None
    if left_out:
        yield f"{left_out} more findings stand in the run's own output only."


def _run_gaps(runs: Sequence[RunFacts]) -> Iterator[str]:
    for one in runs:
        if not one.readable:
            yield f"The journal of run {one.run_id} cannot be read."
        elif one.ended_ms is None and not one.alive:
            yield f"Run {one.run_id} stopped without coming to its end."
        if one.unanswered:
            requests = "request has" if one.unanswered == 1 else "requests have"
            yield f"{one.unanswered} {requests} no known outcome in run {one.run_id}."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _timeline(events: Sequence[IncidentEvent], runs: Sequence[RunFacts]) -> Iterator[TimelineEntry]:
    for one in events:
        yield TimelineEntry(at_ms=one.at_ms, what=one.event, text=_words(one), run_id=one.run_id)
    for run in runs:
        if run.first_cancel_ms is not None:
            many = f"{run.cancels} cancel request" + ("" if run.cancels == 1 else "s")
            yield _of(run, run.first_cancel_ms, "first_cancel", f"first of {many} by {run.command}")
        if run.proved_ms is not None:
            yield _of(run, run.proved_ms, "proved", f"{run.command} proved that nothing is left")


def _of(run: RunFacts, at_ms: int, what: str, text: str) -> TimelineEntry:
    return TimelineEntry(at_ms=at_ms, what=what, text=text, run_id=run.run_id)


def _words(one: IncidentEvent) -> str:
    """Return an event as a sentence."""
    told = one.details
    match one.event:
        case IncidentEventKind.OPENED:
            gate = (
                "gate closed" if told.get("gate_closed") is True else "gate not known to be closed"
            )
            return f"{gate}: {text_of(told, 'reason')} (by {text_of(told, 'by')})"
        case IncidentEventKind.GATE_MOVED:
            was, to = text_of(told, "from"), text_of(told, "to")
            way = f"stays {to}" if was == to else f"{was} to {to}"
            return f"gate {way}: {text_of(told, 'reason')} (by {text_of(told, 'by')})"
        case IncidentEventKind.GATE_NOT_MOVED:
            return f"gate not moved to {text_of(told, 'to')}: {text_of(told, 'trouble')}"
        case IncidentEventKind.RUN_BEGAN:
            return f"{text_of(told, 'command')} began"
        case IncidentEventKind.RUN_ENDED:
            return _end_words(told)
        case IncidentEventKind.NOTE:
            return f"note by {text_of(told, 'by')}: {text_of(told, 'text')}"
        case IncidentEventKind.CLOSED:
            return f"incident ended: {text_of(told, 'how')}"
        case _:
            return text_of(told, "text") or one.event.replace("_", " ")


def _end_words(told: Mapping[str, object]) -> str:
    words = f"{text_of(told, 'command')} ended: {text_of(told, 'status')}"
    code = whole_of(told, "exit_code")
    if code is not None:
        words += f" (exit {code})"
    if told.get("cancel_skipped") is True:
        words += "; its cancel was left out on purpose"
    missing = text_of(told, "missing")
    return f"{words}; {missing}" if missing else words
