"""Find for each engine order the same order at the exchange.

Matched by venue order id, else by client order id (an order that was sent and not yet acknowledged
has no venue id), else by the answer of a direct look-up. Two different venue ids are two different
orders even when they carry one client id. Keys hold the product and symbol, because order ids are
unique per symbol only (Binance: "orderId ... per symbol"; seen as duplicates on several venues).
The result does not depend on the order of the rows. Called by `compare` and `missing_references`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from resyncctl.core.compare.prepare import progress_of
from resyncctl.core.model import Order
from resyncctl.core.snapshot import LookUp, NotFound, OrderReference, Unknown

Key = tuple[str, str, str]
"""Product, symbol and an id."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One order as both sides see it. `listed` is False when only a look-up knew it."""

    engine: Order
    venue: Order
    listed: bool


@dataclass(frozen=True, slots=True)
class Doubled:
    """Several rows under one client order id, where the two sides do not hold the same ones."""

    engine: tuple[Order, ...]
    venue: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Alignment:
    """Who is who. `engine_only` carries the look-up's answer where it did not find an order."""

    pairs: tuple[Pair, ...]
    venue_only: tuple[Order, ...]
    engine_only: tuple[tuple[Order, NotFound | Unknown | None], ...]
    doubled: tuple[Doubled, ...]


@dataclass(slots=True)
class _Matching:
    """The matching while it is being made, private to this module."""

    partner: dict[int, Order] = field(default_factory=dict)
    claimants: dict[int, list[Order]] = field(default_factory=dict)
    lonely: list[Order] = field(default_factory=list)


def align(
    engine_orders: Sequence[Order],
    venue_orders: Sequence[Order],
    look_ups: Sequence[tuple[OrderReference, LookUp]] = (),
) -> Alignment:
    """Given the orders of both sides and the answers of look-ups, return who is who."""
    matching = _match(engine_orders, venue_orders)
    answers = _answers(look_ups)
    pairs: list[Pair] = []
    doubled: list[Doubled] = []
    for identity, rows in matching.claimants.items():
        order = matching.partner[identity]
        if len(rows) > 1:
            rows.sort(key=lambda row: (row.venue_order_id is not None, *progress_of(row)))
            doubled.append(Doubled(tuple(rows), (order,)))
        pairs.append(Pair(rows[-1], order, listed=True))
    engine_only: list[tuple[Order, NotFound | Unknown | None]] = []
    for order in matching.lonely:
        answer = _answer_for(order, answers)
        if isinstance(answer, Order):
            pairs.append(Pair(order, answer, listed=False))
        else:
            engine_only.append((order, answer))
    venue_only = [order for order in venue_orders if id(order) not in matching.claimants]
    groups, venue_only = _shared_client_ids(venue_orders, venue_only)
    return Alignment(tuple(pairs), tuple(venue_only), tuple(engine_only), tuple(doubled + groups))


def lookup_contradicts(alignment: Alignment) -> list[Order]:
    """Return orders that a look-up says are open and that their listing does not show."""
    return [
        pair.venue for pair in alignment.pairs if not pair.listed and not pair.venue.is_terminal
    ]


def _match(engine_orders: Sequence[Order], venue_orders: Sequence[Order]) -> _Matching:
    by_id = _index((order, order.venue_order_id) for order in venue_orders)
    by_client = _index((order, order.client_order_id) for order in venue_orders)
    matching = _Matching()
    for order in _distinct(engine_orders):
        found = _find(order, by_id, by_client)
        if found is None:
            matching.lonely.append(order)
        else:
            matching.partner[id(found)] = found
            matching.claimants.setdefault(id(found), []).append(order)
    return matching


def _index(rows: Iterable[tuple[Order, str | None]]) -> dict[Key, list[Order]]:
    index: dict[Key, list[Order]] = {}
    for order, identity in rows:
        if identity is not None:
            index.setdefault((order.product, order.symbol, identity), []).append(order)
    return index


def _find(
    order: Order, by_id: Mapping[Key, list[Order]], by_client: Mapping[Key, list[Order]]
) -> Order | None:
    candidates: list[Order] = []
    if order.venue_order_id is not None:
        candidates = by_id.get((order.product, order.symbol, order.venue_order_id), [])
    if not candidates and order.client_order_id is not None:
        candidates = [
            other
            for other in by_client.get((order.product, order.symbol, order.client_order_id), [])
            if order.venue_order_id is None or other.venue_order_id is None
        ]
    if len(candidates) < 2:  # noqa: PLR2004  # one candidate needs no choice
        return candidates[0] if candidates else None
    return max(candidates, key=lambda other: (other.order_class == order.order_class, _age(other)))


def _age(order: Order) -> tuple[object, ...]:
    """Order rows from the newest to the oldest: the first of two sent orders is the known one."""
    return (-(order.created_at_ms or 0), repr(order))


def _distinct(orders: Sequence[Order]) -> Iterable[Order]:
    """Drop exact duplicates. Rows that share an id and differ stay, for they contradict."""
    seen: dict[tuple[str, str, str | None, str | None], list[Order]] = {}
    for order in orders:
        key = (order.product, order.symbol, order.venue_order_id, order.client_order_id)
        rows = seen.setdefault(key, [])
        if order not in rows:
            rows.append(order)
            yield order


def _answers(look_ups: Sequence[tuple[OrderReference, LookUp]]) -> dict[Key, LookUp]:
    answers: dict[Key, LookUp] = {}
    for reference, answer in look_ups:
        for identity in (reference.venue_order_id, reference.client_order_id):
            if identity is None:
                continue
            key = (reference.product, reference.symbol, identity)
            known = answers.get(key)
            if known is None or _knowledge(answer) > _knowledge(known):
                answers[key] = answer
    return answers


def _knowledge(answer: LookUp) -> tuple[object, ...]:
    """Rank answers: an order beats `NotFound`, which beats `Unknown`; a later state beats all."""
    if isinstance(answer, Order):
        return (2, *progress_of(answer))
    return (1 if isinstance(answer, NotFound) else 0, repr(answer))


def _answer_for(order: Order, answers: Mapping[Key, LookUp]) -> LookUp | None:
    if not answers:
        return None
    for identity in (order.venue_order_id, order.client_order_id):
        answer = answers.get((order.product, order.symbol, identity)) if identity else None
        if answer is not None and _is_about(order, answer):
            return answer
    return None


def _is_about(order: Order, answer: LookUp) -> bool:
    """An answered order must carry one of the ids, lest another order's fate be taken for it."""
    if not isinstance(answer, Order):
        return True
    if order.venue_order_id is not None and answer.venue_order_id is not None:
        return order.venue_order_id == answer.venue_order_id
    return order.client_order_id is not None and order.client_order_id == answer.client_order_id


def _shared_client_ids(
    venue_orders: Sequence[Order], venue_only: list[Order]
) -> tuple[list[Doubled], list[Order]]:
    """Take venue-only orders that share a client id with another listed order out as groups."""
    if not venue_only:
        return [], []
    groups = _index(
        (order, f"{order.order_class}/{order.client_order_id}")
        for order in venue_orders
        if order.client_order_id is not None
    )
    lonely = {id(order) for order in venue_only}
    shared = [
        rows for rows in groups.values() if len(rows) > 1 and any(id(row) in lonely for row in rows)
    ]
    taken = {id(row) for rows in shared for row in rows}
    doubled = [
        Doubled((), tuple(sorted(rows, key=lambda row: (row.venue_order_id or "", repr(row)))))
        for rows in shared
    ]
    return doubled, [order for order in venue_only if id(order) not in taken]
