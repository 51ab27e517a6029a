"""Derive the differing rows again, so that findings can be turned into events.

A finding carries values for a reader; an event needs the whole row. This derives the rows from the
same snapshots with the same functions as the comparison. Called by `events`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from resyncctl.core.compare.align import Alignment, align
from resyncctl.core.compare.filled import compare_filled
from resyncctl.core.compare.fills import FillDifferences, compare_fills
from resyncctl.core.compare.positions import LegKey, Legs, merge_legs
from resyncctl.core.compare.prepare import Bench, lay_out
from resyncctl.core.compare.result import Case
from resyncctl.core.compare.words import fill_subject, order_subject, pair_subject
from resyncctl.core.discrepancy import Subject
from resyncctl.core.model import Balance, Fill, Leg, Order, Position
from resyncctl.core.money import ZERO
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import EngineSnapshot, VenueSnapshot

Key = tuple[str, str, str]


@dataclass(slots=True)
class Differences:
    """The rows on which the two sides differ."""

    bench: Bench
    alignment: Alignment
    fills: FillDifferences
    _by_order: dict[Key, list[Fill]]
    _taken: set[int] = field(default_factory=set)
    _ours: Legs = field(default_factory=dict)
    _theirs: Legs = field(default_factory=dict)

    def orders(self) -> Iterator[tuple[Order | None, Order, tuple[Subject, ...]]]:
        """Yield (engine's row, exchange's row, subjects of findings about it) for each order."""
        for pair in self.alignment.pairs:
            yield (
                pair.engine,
                pair.venue,
                (pair_subject(pair.engine, pair.venue), _client_subject(pair.venue)),
            )
        paired = {id(pair.venue) for pair in self.alignment.pairs}
        doubled = (row for group in self.alignment.doubled for row in group.venue)
        for order in chain(self.alignment.venue_only, doubled):
            if id(order) not in paired and not order.is_terminal:
                yield None, order, (order_subject(order), _client_subject(order))

    def take_fills(self, order: Order) -> list[tuple[Fill, Subject]]:
        """Return the fills that the engine lacks of one order, each at most once in a life."""
        rows = [
            fill
            for identity in (order.venue_order_id, order.client_order_id)
            if identity is not None
            for fill in self._by_order.get((order.product, order.symbol, identity), ())
            if id(fill) not in self._taken
        ]
        unique = {id(fill): fill for fill in rows}
        self._taken |= unique.keys()
        return [(fill, fill_subject(fill)) for fill in unique.values()]

    def remaining_fills(self) -> Iterator[tuple[Fill, Subject]]:
        """Yield the missing fills whose order is not at the exchange any more."""
        for fill in self.fills.missing:
            if id(fill) not in self._taken:
                yield fill, fill_subject(fill)

    def corrections(self) -> Iterator[tuple[Fill, Fill | None, Subject]]:
        """Yield (engine's fill, the right one or None, subject) for each fill to put right."""
        for fill in self.fills.phantom:
            yield fill, None, fill_subject(fill)
        for conflict in self.fills.conflicts:
            yield conflict.engine, conflict.venue, fill_subject(conflict.venue)
        for repeated in self.fills.repeated:
            right = repeated.venue or repeated.engine
            yield repeated.engine, right, fill_subject(repeated.engine)

    def legs_of(self, subject: Subject) -> Iterator[Position]:
        """Yield the exchange's state of each leg that a finding names; flat has quantity zero."""
        for leg in Leg:
            key: LegKey = (subject.product or "", subject.symbol or "", leg)
            if subject.leg not in {None, leg.value}:
                continue
            if key in self._theirs:
                yield self._theirs[key]
            elif key in self._ours:
                product, symbol, _leg = key
                yield Position(
                    account=subject.account, product=product, symbol=symbol, leg=leg, quantity=ZERO
                )

    def balance_of(self, subject: Subject) -> Balance:
        """Return the exchange's balance of the asset that a finding names."""
        for balance in self.bench.venue_balances(subject.product or ""):
            if balance.asset == subject.asset:
                return balance
        return Balance(
            account=subject.account,
            product=subject.product or "",
            asset=subject.asset or "",
            free=ZERO,
            locked=ZERO,
            total=ZERO,
        )


def rederive(engine: EngineSnapshot, venue: VenueSnapshot) -> Differences:
    """Given both sides, return the rows on which they differ."""
    readings = {
        reading.product: reading
        for reading in sorted(venue.products, key=lambda reading: reading.product)
    }
    bench = lay_out(Case(engine, venue, Policy(), venue.as_of_ms, readings))
    alignment = align(bench.engine_orders or (), bench.venue_orders, venue.look_ups)
    fills = compare_fills(bench)
    fills.missing += compare_filled(bench, alignment, fills).inferred
    by_order: dict[Key, list[Fill]] = {}
    for fill in fills.missing:
        for identity in (fill.venue_order_id, fill.client_order_id):
            if identity is not None:
                by_order.setdefault((fill.product, fill.symbol, identity), []).append(fill)
    theirs: Legs = {}
    for product in readings:
        theirs |= merge_legs(dict.fromkeys(bench.venue_positions(product)))
    return Differences(
        bench, alignment, fills, by_order, set(), merge_legs(bench.engine_positions or ()), theirs
    )


def _client_subject(order: Order) -> Subject:
    """Return the subject of a finding about a client order id that several rows carry."""
    return Subject(
        account=order.account,
        product=order.product,
        symbol=order.symbol,
        client_order_id=order.client_order_id,
    )
