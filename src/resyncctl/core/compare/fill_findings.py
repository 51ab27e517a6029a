"""Turn differing fills into findings. Called by `compare`, after `fills` has found them.

A fill whose order neither side lists is an orphan: the engine never sent that order, or forgot it.
"""

from collections.abc import Iterator

from resyncctl.core.compare.fills import Conflict, FillDifferences, Repeated
from resyncctl.core.compare.prepare import Bench
from resyncctl.core.compare.words import REMEDIES, fill_subject, fill_values
from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Value
from resyncctl.core.model import Fill, Order
from resyncctl.core.money import ZERO

OrderKeys = set[tuple[str, str, str | None]]


def fill_findings(bench: Bench, differences: FillDifferences) -> Iterator[Discrepancy]:
    """Yield every finding about fills, except those that are inferred from filled quantities."""
    listed = _listed_orders(bench) if differences.missing else set()
    for fill in differences.missing:
        yield _missing(fill, listed, bench)
    for fill in differences.phantom:
        yield Discrepancy(
            kind=Kind.PHANTOM_FILL,
            severity=Severity.CRITICAL,
            subject=fill_subject(fill),
            engine=fill_values(fill),
            delta={"quantity": -fill.quantity},
            remedy=REMEDIES[Kind.PHANTOM_FILL],
            detail="The exchange was asked for this time and does not know the fill.",
        )
    for conflict in differences.conflicts:
        yield _conflict(conflict)
    for repeated in differences.repeated:
        yield _repeated(repeated)


def _listed_orders(bench: Bench) -> OrderKeys:
    keys: OrderKeys = set()

    def note(order: Order) -> None:
        for identity in (order.venue_order_id, order.client_order_id):
            if identity is not None:
                keys.add((order.product, order.symbol, identity))

    for order in bench.engine_orders or ():
        note(order)
    for order in bench.venue_orders:
        note(order)
    for _reference, answer in bench.case.venue.look_ups:
        if isinstance(answer, Order):
            note(answer)
    return keys


def _missing(fill: Fill, listed: OrderKeys, bench: Bench) -> Discrepancy:
    ids = (fill.venue_order_id, fill.client_order_id)
    orphan = bench.engine_orders is not None and not any(
        identity is not None and (fill.product, fill.symbol, identity) in listed for identity in ids
    )
    kind = Kind.ORPHAN_FILL if orphan else Kind.MISSING_FILL
    return Discrepancy(
        kind=kind,
        severity=Severity.MAJOR,
        subject=fill_subject(fill),
        venue=fill_values(fill),
        delta={"quantity": fill.quantity},
        remedy=REMEDIES[kind],
        detail=(
            "Neither side lists the order of this fill."
            if orphan
            else "The exchange executed it and the engine does not know it."
        ),
    )


def _conflict(conflict: Conflict) -> Discrepancy:
    ours: dict[str, Value] = {}
    theirs: dict[str, Value] = {}
    for name in conflict.fields:
        mine, other = getattr(conflict.engine, name), getattr(conflict.venue, name)
        ours[name] = mine.value if name == "side" else mine
        theirs[name] = other.value if name == "side" else other
    grave = {"side", "quantity"} & set(conflict.fields)
    difference = conflict.venue.quantity - conflict.engine.quantity
    return Discrepancy(
        kind=Kind.FILL_CONFLICT,
        severity=Severity.CRITICAL if grave else Severity.MAJOR,
        subject=fill_subject(conflict.venue),
        engine=ours,
        venue=theirs,
        delta={"quantity": difference} if difference != ZERO else None,
        remedy=REMEDIES[Kind.FILL_CONFLICT],
        detail=f"The sides tell a different {', '.join(conflict.fields)}.",
    )


def _repeated(repeated: Repeated) -> Discrepancy:
    extra = repeated.times - 1
    return Discrepancy(
        kind=Kind.DUPLICATE_FILL,
        severity=Severity.MAJOR,
        subject=fill_subject(repeated.engine),
        engine={**fill_values(repeated.engine), "times": repeated.times},
        venue=fill_values(repeated.venue) if repeated.venue else None,
        delta={"quantity": -repeated.engine.quantity * extra},
        remedy=REMEDIES[Kind.DUPLICATE_FILL],
        detail=f"The engine booked this fill {repeated.times} times.",
    )
