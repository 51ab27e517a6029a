"""The events that bring the engine to the exchange's truth.

Emitted in the order in which they happened: orders and fills by time, then positions and balances
as they stand now. Each event has an id that is a pure function of its content, so that replaying
is harmless, and names the findings that it answers. `inferred` marks what was deduced and not
read. A finding that needs an act at the exchange, or a better reading, has no event: an order that
stays UNRESOLVED is never declared dead here.

An `OrderAccepted` of an order that the engine did not know starts at the filled quantity before
the fills that follow it, and the story ends with the exchange's state of the order; every other
state event is absolute. Called by `procedures.reconcile`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from resyncctl.core.compare import Comparison
from resyncctl.core.compare.replay import Differences, rederive
from resyncctl.core.discrepancy import Discrepancy, Kind, Subject
from resyncctl.core.model import (
    IN_FLIGHT_STATUSES,
    OPEN_STATUSES,
    Balance,
    Fill,
    Leg,
    Order,
    OrderStatus,
    Position,
)
from resyncctl.core.money import ZERO, exactly
from resyncctl.core.rows_json import row_to_json, time_text
from resyncctl.core.snapshot import EngineSnapshot, VenueSnapshot


class EventKind(StrEnum):
    """What happened; the last four put the engine's own books right."""

    ORDER_ACCEPTED = "OrderAccepted"
    ORDER_UPDATED = "OrderUpdated"
    ORDER_FILLED = "OrderFilled"
    ORDER_CANCELED = "OrderCanceled"
    ORDER_EXPIRED = "OrderExpired"
    ORDER_REJECTED = "OrderRejected"
    FILL_CORRECTED = "FillCorrected"
    FILL_RETRACTED = "FillRetracted"
    POSITION_CHANGED = "PositionChanged"
    BALANCE_CHANGED = "BalanceChanged"


_RANK = {EventKind.ORDER_ACCEPTED: 0, EventKind.ORDER_FILLED: 1, EventKind.BALANCE_CHANGED: 3}
_RANK_ELSE = 2
"""At one moment an order is accepted, then filled, then anything else; balances come last."""
_STATES = frozenset({EventKind.POSITION_CHANGED, EventKind.BALANCE_CHANGED})
_ORDER_KINDS = frozenset(
    {
        Kind.ORPHAN_ORDER,
        Kind.CLAIMED_ORDER,
        Kind.MISSING_ORDER,
        Kind.STATUS_MISMATCH,
        Kind.ORDER_AMENDED,
        Kind.FILL_QUANTITY_MISMATCH,
        Kind.OVERFILL,
        Kind.DUPLICATE_CLIENT_ID,
        Kind.IN_FLIGHT_UNRESOLVED,
    }
)
_ENDINGS: Mapping[OrderStatus, EventKind] = {
    OrderStatus.CANCELED: EventKind.ORDER_CANCELED,
    OrderStatus.EXPIRED: EventKind.ORDER_EXPIRED,
    OrderStatus.REJECTED: EventKind.ORDER_REJECTED,
    OrderStatus.DENIED: EventKind.ORDER_REJECTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step towards the exchange's truth.

    `order`, `fill`, `position` and `balance` hold the exchange's row. `replaces` is the engine's
    own fill that a correction takes away. A position or balance that is gone has quantity zero.
    """

    kind: EventKind
    account: str
    at_ms: int
    inferred: bool = False
    order: Order | None = None
    fill: Fill | None = None
    replaces: Fill | None = None
    position: Position | None = None
    balance: Balance | None = None
    findings: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """An id that depends on the content only, not on the run that emitted it."""
        content = {key: value for key, value in self._content().items() if key != "findings"}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:24]

    def to_json(self) -> dict[str, object]:
        """Return the event as a JSON object; decimals are text and times RFC 3339."""
        return {"id": self.id, **self._content()}

    def _content(self) -> dict[str, object]:
        rows = {
            "order": self.order,
            "fill": self.fill,
            "replaces": self.replaces,
            "position": self.position,
            "balance": self.balance,
        }
        return {
            "type": self.kind.value,
            "account": self.account,
            "at": time_text(self.at_ms),
            "inferred": self.inferred,
            "origin": "reconciliation" if self.inferred else "venue",
            **{name: row_to_json(row) for name, row in rows.items() if row is not None},
            "findings": list(self.findings),
        }


def emit(engine: EngineSnapshot, venue: VenueSnapshot, comparison: Comparison) -> tuple[Event, ...]:
    """Given both sides and their comparison, return the events, in order.

    Only what the comparison found, or explained by what it found, becomes an event: a finding that
    settled meanwhile does not.
    """
    with exactly():
        differences = rederive(engine, venue)
        events = [
            *_order_events(differences, comparison),
            *_corrections(differences, comparison),
            *_position_events(differences, comparison, venue),
            *_balance_events(differences, comparison, venue),
        ]
    unique = {event.id: event for event in events}
    return tuple(sorted(unique.values(), key=_sort_key))


def after_fill(order: Order, fill: Fill) -> Order:
    """Return the order as it is after one more fill."""
    filled = order.filled + fill.quantity
    status = order.status
    if order.quantity and filled >= order.quantity and not order.is_terminal:
        status = OrderStatus.FILLED
    elif status in OPEN_STATUSES or status in IN_FLIGHT_STATUSES:
        status = OrderStatus.PARTIALLY_FILLED
    return replace(order, filled=filled, status=status)


def adopt(ours: Order | None, theirs: Order) -> Order:
    """Return the exchange's state of an order, with what only the engine can tell.

    A trigger order that closes a whole position reports a quantity of zero (Binance
    closePosition), and hedge legs cannot be sent reduce-only: the engine's own terms stay.
    """
    if ours is None:
        return theirs
    return replace(
        theirs,
        client_order_id=theirs.client_order_id or ours.client_order_id,
        venue_order_id=theirs.venue_order_id or ours.venue_order_id,
        quantity=theirs.quantity or ours.quantity,
        price=theirs.price or ours.price,
        trigger_price=theirs.trigger_price or ours.trigger_price,
        leg=theirs.leg if theirs.leg is not Leg.BOTH else ours.leg,
        protective=theirs.protective or ours.protective,
        list_id=theirs.list_id or ours.list_id,
        created_at_ms=theirs.created_at_ms or ours.created_at_ms,
    )


def _sort_key(event: Event) -> tuple[object, ...]:
    return (event.kind in _STATES, event.at_ms, _RANK.get(event.kind, _RANK_ELSE), event.id)


def _by_subject(findings: Iterable[Discrepancy]) -> dict[Subject, list[Discrepancy]]:
    index: dict[Subject, list[Discrepancy]] = {}
    for finding in findings:
        if finding.kind is not Kind.SETTLING:
            index.setdefault(finding.subject, []).append(finding)
    return index


def _order_events(differences: Differences, comparison: Comparison) -> Iterator[Event]:
    """Yield acceptance, fills and final state of each order that a finding touches."""
    findings = _by_subject(comparison.findings)
    explained = {entry.subject for entry in comparison.explained if entry.what == "filled"}
    for ours, theirs, subjects in differences.orders():
        answered = [
            finding
            for subject in subjects
            for finding in findings.get(subject, ())
            if finding.kind in _ORDER_KINDS
        ]
        fills = [
            (fill, found)
            for fill, subject in differences.take_fills(theirs)
            for found in [findings.get(subject, [])]
            if found
        ]
        if answered or fills or not explained.isdisjoint(subjects):
            yield from _story(ours, theirs, fills, answered)
    for fill, subject in differences.remaining_fills():
        if subject in findings:
            yield _filled(fill, findings[subject])


def _story(
    ours: Order | None,
    theirs: Order,
    fills: list[tuple[Fill, list[Discrepancy]]],
    answered: list[Discrepancy],
) -> Iterator[Event]:
    goal = adopt(ours, theirs)
    state = ours
    unknown = ours is None or ours.is_terminal != theirs.is_terminal or _was_sent(ours)
    if unknown and not theirs.is_terminal:
        executed = sum((fill.quantity for fill, _found in fills), ZERO)
        state = replace(goal, filled=max(goal.filled - executed, ZERO))
        if not state.filled and fills:
            state = replace(state, status=OrderStatus.ACCEPTED)
        told = goal.created_at_ms or goal.updated_at_ms
        times = [fill.at_ms for fill, _found in fills] + ([told] if told else [])
        at_ms = min(times, default=0)
        yield Event(
            kind=EventKind.ORDER_ACCEPTED,
            account=goal.account,
            at_ms=at_ms,
            order=state,
            findings=_ids(answered),
        )
    for fill, found in sorted(fills, key=lambda entry: (entry[0].at_ms, entry[0].trade_id)):
        yield _filled(fill, found)
        state = after_fill(state, fill) if state else None
    doubled = any(finding.kind is Kind.DUPLICATE_CLIENT_ID for finding in answered)
    if state != goal or (unknown and fills) or doubled:
        yield Event(
            kind=_ENDINGS.get(goal.status, EventKind.ORDER_UPDATED),
            account=goal.account,
            at_ms=max(
                [goal.updated_at_ms or goal.created_at_ms or 0, *(fill.at_ms for fill, _ in fills)]
            ),
            order=goal,
            findings=_ids(answered),
        )


def _was_sent(order: Order) -> bool:
    return order.status in IN_FLIGHT_STATUSES and order.venue_order_id is None


def _filled(fill: Fill, found: list[Discrepancy]) -> Event:
    return Event(
        kind=EventKind.ORDER_FILLED,
        account=fill.account,
        at_ms=fill.at_ms,
        fill=fill,
        inferred=fill.inferred,
        findings=_ids(found),
    )


def _ids(findings: Iterable[Discrepancy]) -> tuple[str, ...]:
    return tuple(sorted({finding.id for finding in findings}))


def _corrections(differences: Differences, comparison: Comparison) -> Iterator[Event]:
    """Yield what puts the engine's own fills right: conflicts, copies, inventions."""
    findings = _by_subject(comparison.findings)
    for replaced, correct, subject in differences.corrections():
        found = findings.get(subject)
        if found:
            yield Event(
                kind=EventKind.FILL_CORRECTED if correct else EventKind.FILL_RETRACTED,
                account=replaced.account,
                at_ms=(correct or replaced).at_ms,
                fill=correct,
                replaces=replaced,
                inferred=correct is None,
                findings=_ids(found),
            )


_POSITION_KINDS = frozenset(
    {
        Kind.POSITION_MISMATCH,
        Kind.UNTRACKED_POSITION,
        Kind.PHANTOM_POSITION,
        Kind.LEG_MISMATCH,
        Kind.SIDE_FLIP,
        Kind.ENTRY_PRICE_DRIFT,
    }
)
_BALANCE_KINDS = frozenset({Kind.BALANCE_MISMATCH, Kind.LOCKED_MISMATCH})


def _affected(
    comparison: Comparison, kinds: frozenset[Kind], what: frozenset[str]
) -> list[tuple[Subject, tuple[str, ...]]]:
    """Return the subjects that findings or explained differences name, with the findings' ids."""
    subjects: dict[Subject, set[str]] = {}
    for finding in comparison.findings:
        if finding.kind in kinds:
            subjects.setdefault(finding.subject, set()).add(finding.id)
    for entry in comparison.explained:
        if entry.what in what:
            subjects.setdefault(entry.subject, set())
    return [(subject, tuple(sorted(ids))) for subject, ids in subjects.items()]


def _position_events(
    differences: Differences, comparison: Comparison, venue: VenueSnapshot
) -> Iterator[Event]:
    for subject, ids in _affected(comparison, _POSITION_KINDS, frozenset({"position"})):
        for position in differences.legs_of(subject):
            yield Event(
                kind=EventKind.POSITION_CHANGED,
                account=position.account,
                at_ms=position.updated_at_ms or venue.as_of_ms,
                position=position,
                findings=ids,
            )


def _balance_events(
    differences: Differences, comparison: Comparison, venue: VenueSnapshot
) -> Iterator[Event]:
    what = frozenset({"balance", "locked"})
    for subject, ids in _affected(comparison, _BALANCE_KINDS, what):
        yield Event(
            kind=EventKind.BALANCE_CHANGED,
            account=subject.account,
            at_ms=venue.as_of_ms,
            balance=differences.balance_of(subject),
            findings=ids,
        )
