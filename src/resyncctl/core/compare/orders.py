"""Judge the orders: who is missing, who is a stranger, what changed, what hangs in the air.

Invariants: absence from a listing proves nothing (a missing order is resolved by a direct look-up
or stays UNRESOLVED); "not found" is not proof of anything; an order in flight is never assumed
accepted or cancelled. Filled quantities are judged in `filled`, because fills explain them.
Called by `compare`.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from resyncctl.core.compare.align import Alignment, Doubled, Pair
from resyncctl.core.compare.ownership import Owners, storm
from resyncctl.core.compare.prepare import Bench
from resyncctl.core.compare.result import Case
from resyncctl.core.compare.words import REMEDIES, order_subject, order_values, pair_subject
from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Subject, Value
from resyncctl.core.model import IN_FLIGHT_STATUSES, Leg, Order, OrderStatus
from resyncctl.core.snapshot import NotFound, Unknown

SENT = frozenset({OrderStatus.INITIALIZED, OrderStatus.RELEASED, OrderStatus.SUBMITTED})
"""In flight towards the exchange; the other in-flight statuses are changes of a resting order."""

HELD_LOCALLY = frozenset({OrderStatus.EMULATED})
"""Orders that the engine holds back itself; the exchange is not expected to know them."""

_RESTING = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})


def order_findings(bench: Bench, alignment: Alignment) -> Iterator[Discrepancy]:
    """Yield every finding about orders, except those about filled quantities."""
    case = bench.case
    for pair in alignment.pairs:
        yield from _judge_pair(pair, case)
    for doubled in alignment.doubled:
        yield _judge_doubled(doubled)
    for order, answer in alignment.engine_only:
        yield from _judge_absent(order, answer, bench)
    if bench.engine_orders is not None:
        owners = Owners(case)
        strangers = [order for order in alignment.venue_only if not order.is_terminal]
        orphans = [order for order in strangers if owners.claimant(order) is None]
        yield from (owners.judge(order) for order in strangers)
        yield from storm(orphans, case)
    for order in bench.venue_orders:
        if _is_stale(order, case):
            yield _stale(order, case)


def is_fresh(order: Order, case: Case) -> bool:
    """Whether the engine sent this order so recently that its answer may still be under way."""
    touched = order.updated_at_ms if order.updated_at_ms is not None else order.created_at_ms
    return touched is not None and abs(case.now_ms - touched) <= case.policy.in_flight_ms


def _judge_pair(pair: Pair, case: Case) -> Iterator[Discrepancy]:
    engine, venue = pair.engine, pair.venue
    if venue.is_terminal:
        if engine.is_terminal:
            if engine.status is not venue.status:
                yield _status_mismatch(pair, Severity.MAJOR)
        else:
            yield _resolved(pair)
        return
    if engine.status is not venue.status:
        yield from _judge_open_status(pair, case)
    if not engine.is_terminal:
        yield from _judge_terms(pair, case)


def _judge_open_status(pair: Pair, case: Case) -> Iterator[Discrepancy]:
    """Judge an order that rests at the exchange and has another status in the engine.

    Whether a stop has triggered is worth telling, and many engines cannot keep it: it is `info`.
    """
    engine, venue = pair.engine, pair.venue
    if {engine.status, venue.status} <= _RESTING:
        return
    if engine.is_terminal:
        yield _status_mismatch(pair, Severity.CRITICAL)
    elif engine.status in IN_FLIGHT_STATUSES and is_fresh(engine, case):
        yield _settling(engine, venue)
    elif engine.status in SENT or engine.status in HELD_LOCALLY:
        yield _status_mismatch(pair, Severity.MAJOR)
    elif engine.status in IN_FLIGHT_STATUSES:
        yield Discrepancy(
            kind=Kind.IN_FLIGHT_UNRESOLVED,
            severity=Severity.MAJOR,
            subject=pair_subject(engine, venue),
            engine=order_values(engine),
            venue=order_values(venue),
            remedy=REMEDIES[Kind.IN_FLIGHT_UNRESOLVED],
            detail="The engine waits for a change or a cancel; the order still rests as it was.",
        )
    else:
        yield _status_mismatch(pair, Severity.INFO)


def _status_mismatch(pair: Pair, severity: Severity) -> Discrepancy:
    return Discrepancy(
        kind=Kind.STATUS_MISMATCH,
        severity=severity,
        subject=pair_subject(pair.engine, pair.venue),
        engine=order_values(pair.engine),
        venue=order_values(pair.venue),
        remedy=REMEDIES[Kind.STATUS_MISMATCH],
        detail=(
            "The engine takes the order for finished and it can still trade."
            if pair.engine.is_terminal and not pair.venue.is_terminal
            else ""
        ),
    )


def _resolved(pair: Pair) -> Discrepancy:
    engine, venue = pair.engine, pair.venue
    naked = engine.protective and venue.status is not OrderStatus.FILLED
    return Discrepancy(
        kind=Kind.MISSING_ORDER,
        severity=Severity.CRITICAL if naked else Severity.MAJOR,
        subject=pair_subject(engine, venue),
        engine=order_values(engine),
        venue={"resolution": venue.status.value, **order_values(venue)},
        delta={"filled": venue.filled - engine.filled},
        remedy=REMEDIES[Kind.MISSING_ORDER],
        detail=(
            f"A protective stop is gone ({venue.status.value}); its position is not protected."
            if naked
            else f"The look-up says {venue.status.value}."
        ),
    )


def _judge_terms(pair: Pair, case: Case) -> Iterator[Discrepancy]:
    """Compare what was agreed: side, price, quantity, trigger, reduce-only."""
    engine, venue = pair.engine, pair.venue
    ours: dict[str, Value] = {}
    theirs: dict[str, Value] = {}
    delta: dict[str, Value] = {}
    for name, mine, other in _terms(engine, venue, case.policy.quantity_tolerance):
        ours[name], theirs[name] = mine, other
        if isinstance(mine, Decimal) and isinstance(other, Decimal):
            delta[name] = other - mine
    if not ours:
        return
    yield Discrepancy(
        kind=Kind.ORDER_AMENDED,
        severity=Severity.CRITICAL if "side" in ours else Severity.MAJOR,
        subject=pair_subject(engine, venue),
        engine=ours,
        venue=theirs,
        delta=delta or None,
        remedy=REMEDIES[Kind.ORDER_AMENDED],
    )


def _terms(
    engine: Order, venue: Order, quantity_tolerance: Decimal
) -> Iterator[tuple[str, Value, Value]]:
    """Yield each term that both sides tell and that differs.

    A price or trigger of zero means "none" on several venues, and a quantity of zero means "the
    whole position" (Binance closePosition): neither is compared. In hedge mode reduce-only cannot
    be sent (Binance), so it is not compared on a leg.
    """
    if engine.side is not venue.side:
        yield "side", engine.side.value, venue.side.value
    for name in ("price", "trigger_price"):
        mine, other = getattr(engine, name), getattr(venue, name)
        if mine and other and mine != other:
            yield name, mine, other
    if engine.quantity and venue.quantity:
        gap = abs(engine.quantity - venue.quantity)
        if gap > quantity_tolerance:
            yield "quantity", engine.quantity, venue.quantity
    one_way = engine.leg is Leg.BOTH and venue.leg is Leg.BOTH
    if one_way and engine.reduce_only != venue.reduce_only:
        yield "reduce_only", engine.reduce_only, venue.reduce_only
    if engine.leg is not venue.leg and Leg.BOTH not in {engine.leg, venue.leg}:
        yield "leg", engine.leg.value, venue.leg.value


def _judge_absent(
    order: Order, answer: NotFound | Unknown | None, bench: Bench
) -> Iterator[Discrepancy]:
    """Judge an engine order that neither a listing nor a look-up knows."""
    if order.is_terminal or order.status in HELD_LOCALLY:
        return
    if not isinstance(answer, NotFound) and order.scope not in bench.readable_scopes:
        return
    if order.status in IN_FLIGHT_STATUSES:
        if is_fresh(order, bench.case):
            yield _settling(order, None)
            return
        kind, severity = Kind.IN_FLIGHT_UNRESOLVED, Severity.MAJOR
    else:
        kind, severity = Kind.MISSING_ORDER, Severity.CRITICAL
    yield Discrepancy(
        kind=kind,
        severity=severity,
        subject=order_subject(order),
        engine=order_values(order),
        venue={"resolution": "UNRESOLVED"},
        remedy=(
            "Look the order up again and search the trade history; until it is resolved it may "
            "still rest or fill. Do not send it again."
        ),
        detail=_why_unresolved(answer),
    )


def _why_unresolved(answer: NotFound | Unknown | None) -> str:
    if isinstance(answer, NotFound):
        return f"The listing lacks it and the look-up did not find it ({answer.detail}): no proof."
    if isinstance(answer, Unknown):
        return f"The listing lacks it and the look-up could not be read: {answer.reason}"
    return "The listing lacks it and it was not looked up."


def _judge_doubled(doubled: Doubled) -> Discrepancy:
    sample = (doubled.venue or doubled.engine)[0]
    return Discrepancy(
        kind=Kind.DUPLICATE_CLIENT_ID,
        severity=Severity.MAJOR,
        subject=Subject(
            account=sample.account,
            product=sample.product,
            symbol=sample.symbol,
            client_order_id=sample.client_order_id,
        ),
        engine=_ids_of(doubled.engine),
        venue=_ids_of(doubled.venue),
        remedy=REMEDIES[Kind.DUPLICATE_CLIENT_ID],
        detail=(
            "Several orders at the exchange carry this client order id."
            if len(doubled.venue) > 1
            else "Several rows of the engine stand for one order at the exchange."
        ),
    )


def _ids_of(orders: tuple[Order, ...]) -> Mapping[str, Value] | None:
    if not orders:
        return None
    ids = sorted(order.venue_order_id or "not known" for order in orders)
    return {"orders": len(orders), "venue_order_ids": ", ".join(ids)}


def _settling(engine: Order, venue: Order | None) -> Discrepancy:
    """Report an order whose answer may still be under way. It is not clean, and not yet wrong."""
    return Discrepancy(
        kind=Kind.SETTLING,
        severity=Severity.MINOR,
        subject=pair_subject(engine, venue) if venue else order_subject(engine),
        engine=order_values(engine),
        venue=order_values(venue) if venue else None,
        remedy=REMEDIES[Kind.SETTLING],
        detail="The order was sent a moment ago.",
    )


def _is_stale(order: Order, case: Case) -> bool:
    if order.is_terminal or order.protective or order.created_at_ms is None:
        return False
    return case.now_ms - case.venue_time(order.created_at_ms) > case.policy.stale_order_ms


def _stale(order: Order, case: Case) -> Discrepancy:
    return Discrepancy(
        kind=Kind.STALE_ORDER,
        severity=Severity.MINOR,
        subject=order_subject(order),
        venue={**order_values(order), "created_at_ms": order.created_at_ms},
        remedy=REMEDIES[Kind.STALE_ORDER],
        detail=f"It has rested for longer than {case.policy.stale_order_ms // 1000} seconds.",
    )
