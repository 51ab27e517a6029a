"""A second reconciler, written from the design alone with sets and sums, must agree.

It knows nothing of explanations or severities: it says which objects differ. The
comparison must name exactly those, as findings or as consequences that findings explain.
"""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from resyncctl.core.compare import Comparison, compare
from resyncctl.core.discrepancy import Kind
from resyncctl.core.snapshot import EngineSnapshot, VenueSnapshot
from tests.fakes.faults import FAULTS
from tests.fakes.worlds import NOW_MS, POLICY, make_world

READABLE = sorted(set(Kind) - {Kind.UNMAPPED_INSTRUMENT, Kind.SECTION_UNREADABLE})
DEAD = {"CANCELED", "EXPIRED", "REJECTED", "FILLED", "DENIED", "EMULATED"}


def data(section: Any) -> list[Any]:
    return list(section.data)


def oracle(engine: EngineSnapshot, venue: VenueSnapshot) -> dict[str, set[Any]]:
    """Say which orders, fills, legs and assets differ."""
    theirs = [row for one in venue.products for _, part in one.orders for row in data(part)]
    ours = data(engine.orders)
    their_ids = {row.venue_order_id for row in theirs} | {row.client_order_id for row in theirs}
    our_ids = {row.venue_order_id or row.client_order_id for row in ours}
    their_fills = {row.trade_id: row for one in venue.products for row in data(one.fills)}
    our_fills = {row.trade_id: row for row in data(engine.fills)}
    content = ("side", "quantity", "price", "fee", "venue_order_id")
    shared = their_fills.keys() & our_fills.keys()
    their_legs = {
        (row.symbol, row.leg): row.quantity for one in venue.products for row in data(one.positions)
    }
    our_legs = {(row.symbol, row.leg): row.quantity for row in data(engine.positions)}
    their_money = {
        (row.product, row.asset): row.total for one in venue.products for row in data(one.balances)
    }
    our_money = {(row.product, row.asset): row.total for row in data(engine.balances)}
    nothing = Decimal(0)
    return {
        "venue only": {row.venue_order_id for row in theirs if row.venue_order_id not in our_ids},
        "engine only": {
            row.client_order_id
            for row in ours
            if row.status.value not in DEAD
            and not {row.venue_order_id, row.client_order_id} & (their_ids - {None})
        },
        "missing fills": their_fills.keys() - our_fills.keys(),
        "phantom fills": our_fills.keys() - their_fills.keys(),
        "conflicts": {
            key
            for key in shared
            if any(getattr(our_fills[key], n) != getattr(their_fills[key], n) for n in content)
        },
        "legs": {
            key
            for key in their_legs.keys() | our_legs.keys()
            if their_legs.get(key, nothing) != our_legs.get(key, nothing)
        },
        "money": {
            key
            for key in their_money.keys() | our_money.keys()
            if abs(their_money.get(key, nothing) - our_money.get(key, nothing))
            > min(max(their_money.get(key, nothing), our_money.get(key, nothing)) / 10_000, 100)
        },
    }


def answer(comparison: Comparison, venue: VenueSnapshot) -> dict[str, set[Any]]:
    """Say the same from the comparison's findings and explanations."""

    def subjects(*kinds: Kind) -> list[Any]:
        return [one.subject for one in comparison.findings if one.kind in kinds]

    position_kinds = (
        Kind.POSITION_MISMATCH, Kind.UNTRACKED_POSITION, Kind.PHANTOM_POSITION, Kind.SIDE_FLIP,
        Kind.LEG_MISMATCH,
    )  # fmt: skip
    explained = comparison.explained
    return {
        "venue only": {
            one.venue_order_id for one in subjects(Kind.ORPHAN_ORDER, Kind.CLAIMED_ORDER)
        },
        "engine only": {
            one.client_order_id
            for one in subjects(Kind.MISSING_ORDER, Kind.IN_FLIGHT_UNRESOLVED, Kind.SETTLING)
        },
        "missing fills": {
            one.trade_id
            for one in subjects(Kind.MISSING_FILL, Kind.ORPHAN_FILL)
            if not one.trade_id.startswith("inferred")
        },
        "phantom fills": {one.trade_id for one in subjects(Kind.PHANTOM_FILL)},
        "conflicts": {one.trade_id for one in subjects(Kind.FILL_CONFLICT)},
        "legs": {(one.symbol, one.leg) for one in subjects(*position_kinds)}
        | {(one.subject.symbol, one.subject.leg) for one in explained if one.what == "position"},
        "money": {(one.product, one.asset) for one in subjects(Kind.BALANCE_MISMATCH)}
        | {(one.subject.product, one.subject.asset) for one in explained if one.what == "balance"},
    }


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kinds=st.lists(st.sampled_from(READABLE), max_size=10, unique=True),
)
def test_an_independent_reconciler_agrees(seed: int, kinds: list[Kind]) -> None:
    world = make_world(seed, symbols=12)
    for kind in kinds:
        FAULTS[kind](world)
    engine, venue = world.engine_snapshot(), world.venue_snapshot()
    comparison = compare(engine, venue, POLICY, NOW_MS)
    expected, got = oracle(engine, venue), answer(comparison, venue)
    whole_symbols = {
        one.subject.symbol
        for one in comparison.findings
        if one.kind is Kind.LEG_MISMATCH and one.subject.leg is None
    }
    got["legs"] = {key for key in got["legs"] if key[0] not in whole_symbols}
    expected["legs"] = {key for key in expected["legs"] if key[0] not in whole_symbols}
    pending = {
        one.subject.client_order_id
        for one in comparison.findings
        if one.kind is Kind.IN_FLIGHT_UNRESOLVED and one.subject.venue_order_id is not None
    }
    got["engine only"] -= pending
    doubled = {
        one.subject.client_order_id
        for one in comparison.findings
        if one.kind is Kind.DUPLICATE_CLIENT_ID
    }
    got["venue only"] |= {
        row.venue_order_id
        for reading in venue.products
        for _, section in reading.orders
        for row in data(section)
        if row.client_order_id in doubled
    } & expected["venue only"]
    assert {name: {str(key) for key in keys} for name, keys in got.items()} == {
        name: {str(key) for key in keys} for name, keys in normalised(expected).items()
    }


def normalised(expected: dict[str, set[Any]]) -> dict[str, set[Any]]:
    legs = {(symbol, leg.value) for symbol, leg in expected["legs"]}
    return {**expected, "legs": legs}
