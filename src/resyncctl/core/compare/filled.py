"""Judge filled quantities: what the fills do not explain was missed, invented or miscounted.

An order that filled further at the exchange than the engine knows is explained by missing trade
rows. Where no row is in the window, a fill is inferred, marked so, with a price only if it can be
computed from both averages. An engine that is ahead of the exchange is never explained away.
Called by `compare`, after the fills themselves.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import TypeVar

from resyncctl.core.compare.align import Alignment, Pair
from resyncctl.core.compare.fills import FillDifferences, fills_by_order
from resyncctl.core.compare.prepare import Bench
from resyncctl.core.compare.result import Explained
from resyncctl.core.compare.words import REMEDIES, fill_subject, fill_values, pair_subject
from resyncctl.core.discrepancy import Discrepancy, Kind, Severity
from resyncctl.core.explain import Contribution, account_for
from resyncctl.core.model import Fill, Order
from resyncctl.core.money import ZERO

_PRICE_DIGITS = 56
_INVERSE = "inverse"
_TOLD_DIGITS = 28
T = TypeVar("T")
OrderKey = tuple[str, str, str]


@dataclass(slots=True)
class FilledDifferences:
    """Findings about filled quantities, the fills that were inferred, and what is explained."""

    findings: list[Discrepancy] = field(default_factory=list)
    inferred: list[Fill] = field(default_factory=list)
    explained: list[Explained] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known about the fills, indexed by order."""

    facts: Mapping[OrderKey, list[Contribution]]
    booked: Mapping[OrderKey, Decimal]
    missing: Mapping[OrderKey, list[Fill]]
    differences: FillDifferences


def compare_filled(
    bench: Bench, alignment: Alignment, differences: FillDifferences
) -> FilledDifferences:
    """Given who is who and how the fills differ, judge every order's filled quantity."""
    result = FilledDifferences()
    suspects = [pair for pair in alignment.pairs if pair.engine.filled != pair.venue.filled]
    if not suspects:
        return result
    known = _Known(
        _facts_by_order(differences),
        _booked(bench, suspects),
        fills_by_order(differences.missing),
        differences,
    )
    for pair in suspects:
        _judge(pair, known, bench, result)
    return result


def _facts_by_order(differences: FillDifferences) -> dict[OrderKey, list[Contribution]]:
    """Index by order how each differing fill moves the filled quantity, venue minus engine."""
    facts: dict[OrderKey, list[Contribution]] = {}

    def note(fill: Fill, amount: Decimal, group: str) -> None:
        fact = Contribution(f"fill:{fill.trade_id} {fill.symbol}", amount, group, fill.at_ms)
        for identity in {fill.venue_order_id, fill.client_order_id} - {None}:
            facts.setdefault((fill.product, fill.symbol, str(identity)), []).append(fact)

    for fill in differences.missing:
        note(fill, fill.quantity, "missing")
    for fill in differences.phantom:
        note(fill, -fill.quantity, "phantom")
    for conflict in differences.conflicts:
        note(conflict.venue, conflict.venue.quantity - conflict.engine.quantity, "conflict")
    for repeated in differences.repeated:
        note(repeated.engine, -repeated.engine.quantity * (repeated.times - 1), "duplicate")
    return facts


def _booked(bench: Bench, suspects: Iterable[Pair]) -> dict[OrderKey, Decimal]:
    """Return what the engine's own rows add up to, for the suspected orders only."""
    wanted = {key for pair in suspects for key in _keys(pair)}
    rows = (
        row
        for row in bench.engine_fills or ()
        if (row.product, row.symbol, row.venue_order_id) in wanted
        or (row.product, row.symbol, row.client_order_id) in wanted
    )
    return {
        key: sum((row.quantity for row in group), ZERO)
        for key, group in fills_by_order(rows).items()
    }


def _keys(pair: Pair) -> list[OrderKey]:
    ids = (
        pair.venue.venue_order_id,
        pair.engine.venue_order_id,
        pair.engine.client_order_id,
        pair.venue.client_order_id,
    )
    product, symbol = pair.engine.product, pair.engine.symbol
    return [(product, symbol, identity) for identity in ids if identity is not None]


def _of_pair(pair: Pair, index: Mapping[OrderKey, list[T]]) -> list[T]:
    """Return what is indexed under any id of an order, each one once."""
    unique = {id(entry): entry for key in _keys(pair) for entry in index.get(key, ())}
    return list(unique.values())


def _judge(
    pair: Pair,
    known: _Known,
    bench: Bench,
    result: FilledDifferences,
) -> None:
    engine, venue = pair.engine, pair.venue
    gap = venue.filled - engine.filled
    if abs(gap) <= bench.case.policy.quantity_tolerance:
        return
    account = account_for(gap, _of_pair(pair, known.facts))
    over_explained = bool(account.facts) and (account.rest > 0) != (gap > 0)
    if _overfilled(venue):
        result.findings.append(_quantity_finding(pair, Kind.OVERFILL, gap, account.names))
    if account.rest == 0 or over_explained:
        _note_explained(pair, gap, account.names, result)
    elif account.rest < 0:
        kind = Kind.OVERFILL if _overfilled(engine) else Kind.FILL_QUANTITY_MISMATCH
        if not (kind is Kind.OVERFILL and _overfilled(venue)):
            result.findings.append(_quantity_finding(pair, kind, account.rest, account.names))
    elif _is_miscounted(pair, known):
        kind = Kind.FILL_QUANTITY_MISMATCH
        result.findings.append(_quantity_finding(pair, kind, account.rest, account.names))
    else:
        _infer(pair, account.rest, known, bench, result)


def _overfilled(order: Order) -> bool:
    return ZERO < order.quantity < order.filled


def _is_miscounted(pair: Pair, known: _Known) -> bool:
    """Whether the engine holds the rows and miscounts them, or its rows cannot be judged."""
    if not known.differences.engine_known:
        return True
    rows = max((known.booked.get(key, ZERO) for key in _keys(pair)), default=ZERO)
    return rows > pair.engine.filled


def _note_explained(
    pair: Pair, gap: Decimal, names: tuple[str, ...], result: FilledDifferences
) -> None:
    result.explained.append(
        Explained(
            what="filled",
            subject=pair_subject(pair.engine, pair.venue),
            engine={"filled": pair.engine.filled},
            venue={"filled": pair.venue.filled},
            delta=gap,
            explained_by=names,
        )
    )


def _quantity_finding(pair: Pair, kind: Kind, rest: Decimal, names: tuple[str, ...]) -> Discrepancy:
    engine, venue = pair.engine, pair.venue
    ahead = engine.filled > venue.filled
    return Discrepancy(
        kind=kind,
        severity=Severity.CRITICAL if ahead or kind is Kind.OVERFILL else Severity.MAJOR,
        subject=pair_subject(engine, venue),
        engine={"quantity": engine.quantity, "filled": engine.filled},
        venue={"quantity": venue.quantity, "filled": venue.filled},
        delta={"filled": venue.filled - engine.filled},
        explained_by=names,
        unexplained=rest,
        remedy=REMEDIES[kind],
        detail=(
            "The engine counts more than the exchange filled."
            if ahead
            else "The order filled beyond its quantity."
            if kind is Kind.OVERFILL
            else "The engine's counter is behind its own trade rows."
        ),
    )


def _infer(
    pair: Pair,
    quantity: Decimal,
    known: _Known,
    bench: Bench,
    result: FilledDifferences,
) -> None:
    engine, venue = pair.engine, pair.venue
    fill = Fill(
        account=engine.account,
        product=engine.product,
        symbol=engine.symbol,
        trade_id=_inferred_id(pair),
        venue_order_id=venue.venue_order_id or engine.venue_order_id,
        client_order_id=engine.client_order_id or venue.client_order_id,
        side=venue.side,
        quantity=quantity,
        price=_inferred_price(pair, quantity, known),
        fee=None,
        fee_asset=None,
        at_ms=venue.updated_at_ms or bench.case.venue.as_of_ms,
        leg=venue.leg if venue.leg.value != "both" else engine.leg,
        inferred=True,
    )
    readable = known.differences.venue_known.get(engine.product, False)
    result.inferred.append(fill)
    result.findings.append(
        Discrepancy(
            kind=Kind.MISSING_FILL,
            severity=Severity.MAJOR,
            subject=fill_subject(fill),
            venue=fill_values(fill),
            delta={"filled": quantity},
            remedy=REMEDIES[Kind.MISSING_FILL],
            detail=_inferred_detail(fill, readable=readable),
        )
    )


def _inferred_detail(fill: Fill, *, readable: bool) -> str:
    source = (
        "the order's filled quantity grew and no trade row is in the window"
        if readable
        else "the order's filled quantity grew and the trade history could not be read completely"
    )
    price = "computed from the averages" if fill.price is not None else "unknown"
    return f"Inferred, not read: {source}. Price {price}, fee unknown."


def _inferred_id(pair: Pair) -> str:
    """Return an id that is a pure function of the order and of the step in its filled quantity."""
    venue, engine = pair.venue, pair.engine
    content = (
        engine.account,
        engine.product,
        engine.symbol,
        venue.venue_order_id,
        engine.client_order_id,
        f"{engine.filled.normalize():f}",
        f"{venue.filled.normalize():f}",
    )
    return "inferred-" + hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def _inferred_price(pair: Pair, quantity: Decimal, known: _Known) -> Decimal | None:
    """Return the price that makes both averages true, None when an average is not told."""
    engine, venue = pair.engine, pair.venue
    if venue.average_price is None or (engine.filled and engine.average_price is None):
        return None
    missing = _of_pair(pair, known.missing)
    if any(fill.price is None for fill in missing):
        return None
    parts = [
        (venue.filled, venue.average_price),
        (-engine.filled, engine.average_price or ZERO),
        *((-fill.quantity, fill.price or ZERO) for fill in missing),
    ]
    with localcontext(prec=_PRICE_DIGITS):
        if engine.product == _INVERSE:
            # Contracts are worth a fixed sum of dollars: it is the coins that add up.
            coins = sum((count / price for count, price in parts if price), ZERO)
            exact = quantity / coins if coins > 0 else None
            with localcontext(prec=_TOLD_DIGITS):  # a quotient of quotients has an idle tail
                return None if exact is None else +exact
        price = sum((count * price for count, price in parts), ZERO) / quantity
    return price if price > 0 else None
