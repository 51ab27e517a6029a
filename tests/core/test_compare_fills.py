"""Stories about fills and filled quantities: missed, invented, copied, split, inferred."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Verdict
from resyncctl.core.model import Fill, Order, OrderStatus, Side
from resyncctl.core.snapshot import EngineSnapshot, Known, Unknown, VenueSnapshot, Window
from tests.fakes.books import (
    HOUR_MS,
    NOW_MS,
    engine,
    fill,
    kinds,
    look,
    only,
    order,
    position,
    reading,
    venue,
)

PART = OrderStatus.PARTIALLY_FILLED


def filled(quantity: str | int, **terms: Any) -> Order:
    return order(filled=Decimal(quantity), status=PART, **terms)


def with_fills(snapshot: VenueSnapshot, section: Known[Fill] | Unknown) -> VenueSnapshot:
    linear, spot = snapshot.products
    return replace(snapshot, products=(replace(linear, fills=section), spot))


def test_a_missing_fill_carries_its_position_and_its_filled_quantity() -> None:
    ours = engine([order()], [], [position(3)])
    comparison = look(ours, venue([filled(1)], [fill()], [position(4)]))
    finding = only(comparison)
    assert finding.kind is Kind.MISSING_FILL
    assert [entry.what for entry in comparison.explained] == ["filled", "position"]
    assert {entry.explained_by for entry in comparison.explained} == {("fill:t1 BTC/USDT:USDT",)}


def test_a_fill_that_moved_the_position_already_leaves_only_the_row() -> None:
    comparison = look(
        engine([filled(1)], [], [position(4)]), venue([filled(1)], [fill()], [position(4)])
    )
    assert kinds(comparison) == [Kind.MISSING_FILL]
    assert comparison.explained == ()


def test_an_inferred_fill_has_a_price_only_when_it_can_be_computed() -> None:
    def inferred(ours: Order, theirs: Order, rows: list[Fill]) -> Discrepancy:
        comparison = look(engine([ours]), venue([theirs], rows))
        return next(one for one in comparison.findings if one.venue and one.venue["inferred"])

    told = filled(2, average_price=Decimal(110))
    first = inferred(order(), told, [])
    assert first.venue is not None
    assert (first.venue["quantity"], first.venue["price"]) == (Decimal(2), Decimal(110))
    rest = inferred(order(), told, [fill(price=Decimal(100))])
    assert rest.venue is not None
    assert (rest.venue["quantity"], rest.venue["price"]) == (Decimal(1), Decimal(120))
    later = inferred(filled(1, average_price=Decimal(90)), told, [])
    assert later.venue is not None
    assert later.venue["price"] == Decimal(130)
    for ours, theirs, rows in (
        (order(), filled(2), []),
        (filled(1), told, []),
        (order(), told, [fill(price=None)]),
        (order(), told, [fill(price=Decimal(999))]),
    ):
        unknown = inferred(ours, theirs, rows)
        assert unknown.venue is not None
        assert unknown.venue["price"] is None
        assert "Price unknown" in unknown.detail


def test_an_inferred_fill_says_when_the_history_could_not_be_read() -> None:
    theirs = with_fills(venue([filled(1)]), Unknown("HTTP 502"))
    comparison = look(engine([order()]), theirs)
    assert kinds(comparison) == [Kind.MISSING_FILL, Kind.SECTION_UNREADABLE]
    assert "could not be read completely" in comparison.findings[0].detail


def test_an_inferred_id_is_the_same_in_every_run_and_differs_for_every_step() -> None:
    def identity(ours: Order, theirs: Order) -> str | None:
        return only(look(engine([ours]), venue([theirs]))).subject.trade_id

    assert identity(order(), filled(1)) == identity(order(), filled("1.0"))
    assert identity(order(), filled(1)) != identity(order(), filled(2))
    assert identity(order(), filled(2)) != identity(filled(1), filled(2))


def test_an_engine_without_known_fills_is_not_told_to_book_again() -> None:
    ours = replace(engine([order()]), fills=Unknown("not kept"))
    comparison = look(ours, venue([filled(1)], [fill()]))
    assert sorted(kinds(comparison)) == [Kind.FILL_QUANTITY_MISMATCH, Kind.SECTION_UNREADABLE]


@pytest.mark.parametrize(
    ("ours", "theirs", "rows", "kind"),
    [
        (filled(2), filled(1), 1, Kind.FILL_QUANTITY_MISMATCH),
        (order(), filled(1), 1, Kind.FILL_QUANTITY_MISMATCH),
        (filled(5), filled(1), 1, Kind.OVERFILL),
    ],
)
def test_a_miscounted_order(ours: Order, theirs: Order, rows: int, kind: Kind) -> None:
    booked = [fill()] * rows
    finding = only(look(engine([ours], booked), venue([theirs], booked)))
    assert finding.kind is kind
    ahead = ours.filled > theirs.filled
    assert finding.severity is (Severity.CRITICAL if ahead else Severity.MAJOR)


def test_an_overfill_at_the_exchange_is_told_besides_its_fill() -> None:
    comparison = look(engine([order()]), venue([filled(5)], [fill(quantity=Decimal(5))]))
    assert sorted(kinds(comparison)) == [Kind.MISSING_FILL, Kind.OVERFILL]
    both = [filled(5)]
    assert look(engine(both), venue(both)).findings == ()
    opposite = look(engine([filled(6)]), venue(both))
    assert kinds(opposite) == [Kind.OVERFILL]


def test_rows_that_over_explain_a_counter_carry_it() -> None:
    rows = [fill("t1"), fill("t2")]
    comparison = look(engine([filled(1)], []), venue([filled(2)], [*rows, fill("t3")]))
    assert set(kinds(comparison)) == {Kind.MISSING_FILL}
    assert comparison.explained[0].what == "filled"


@pytest.mark.invariant("I37")
def test_a_quantity_within_tolerance_is_equal() -> None:
    comparison = look(
        engine([filled(1)]), venue([filled("1.001")]), quantity_tolerance=Decimal("0.01")
    )
    assert comparison.findings == ()


def test_fills_are_judged_only_inside_both_windows() -> None:
    ancient = fill("t0", at_ms=NOW_MS - 40 * HOUR_MS)
    edge = fill("t1", at_ms=NOW_MS - 25 * HOUR_MS)
    comparison = look(engine([filled(2)], [ancient, edge]), venue([filled(2)]))
    assert only(comparison).subject.trade_id == "t1"
    assert comparison.counts["fills_outside_window"] == 1
    window = Window(NOW_MS - 24 * HOUR_MS - 1, NOW_MS)
    late = replace(engine([filled(1)]), fills=Known((), NOW_MS, window))
    old = fill("t0", at_ms=window.since_ms - 1)
    assert look(late, venue([filled(1)], [old])).findings == ()
    assert kinds(look(late, venue([filled(1)], [replace(old, at_ms=window.since_ms)]))) == [
        Kind.MISSING_FILL
    ]


def test_incomplete_sections_judge_no_absence() -> None:
    short: Known[Fill] = Known((), NOW_MS, Window(NOW_MS - 25 * HOUR_MS, NOW_MS), complete=False)
    comparison = look(engine([filled(1)], [fill()]), with_fills(venue([filled(1)]), short))
    assert kinds(comparison) == [Kind.SECTION_UNREADABLE]
    partial = replace(engine([filled(1)]), fills=Known((), NOW_MS, complete=False))
    assert kinds(look(partial, venue([filled(1)], [fill()]))) == [Kind.SECTION_UNREADABLE]


def test_an_undeclared_window_proves_nothing() -> None:
    comparison = look(
        engine([filled(1)], [fill()]), with_fills(venue([filled(1)]), Known((), NOW_MS))
    )
    assert kinds(comparison) == [Kind.WINDOW_NOT_COVERED]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"price": Decimal(101)}, {"price"}),
        ({"quantity": Decimal(2)}, {"quantity"}),
        ({"side": Side.SELL}, {"side"}),
        ({"venue_order_id": "8"}, {"venue_order_id"}),
        ({"fee": Decimal(1), "fee_asset": "BNB"}, set()),
        ({"venue_order_id": None}, set()),
        ({"price": None}, set()),
        ({"at_ms": NOW_MS}, set()),
    ],
)
def test_a_conflict_names_the_fields_that_both_sides_tell(
    changes: dict[str, Any], fields: set[str]
) -> None:
    ours, theirs = fill(**changes), fill()
    comparison = look(engine([filled(1)], [ours]), venue([filled(1)], [theirs]))
    if not fields:
        assert comparison.findings == ()
        return
    finding = only(comparison)
    assert finding.kind is Kind.FILL_CONFLICT
    assert finding.engine is not None
    assert finding.engine.keys() == fields
    grave = fields & {"side", "quantity"}
    assert finding.severity is (Severity.CRITICAL if grave else Severity.MAJOR)


def test_fees_of_nothing_in_another_asset_are_equal() -> None:
    ours = fill(fee=Decimal(0), fee_asset="BNB")
    theirs = fill(fee=Decimal(0), fee_asset="USDT")
    assert look(engine([filled(1)], [ours]), venue([filled(1)], [theirs])).findings == ()


def test_a_self_trade_is_two_fills() -> None:
    buy, sell = fill(), fill(side=Side.SELL)
    both = [buy, sell]
    assert look(engine([filled(1)], both), venue([filled(1)], both)).findings == ()
    comparison = look(engine([filled(1)], [buy]), venue([filled(1)], both))
    assert kinds(comparison) == [Kind.MISSING_FILL]
    comparison = look(engine([filled(1)], both), venue([filled(1)], [buy]))
    assert kinds(comparison) == [Kind.PHANTOM_FILL]


def test_an_engine_that_split_a_trade_at_zero_is_right() -> None:
    """A trade that crosses zero is a close and an open with one trade id."""
    ours = [fill(quantity=Decimal(1)), fill(quantity=Decimal(2))]
    theirs = [fill(quantity=Decimal(3))]
    assert look(engine([filled(3)], ours), venue([filled(3)], theirs)).findings == ()
    equal = [fill(), fill()]
    both = fill(quantity=Decimal(2))
    assert look(engine([filled(2)], equal), venue([filled(2)], [both])).findings == ()
    other = [fill(quantity=Decimal(1)), fill(quantity=Decimal(2), price=Decimal(7))]
    comparison = look(engine([filled(3)], other), venue([filled(3)], theirs))
    assert set(kinds(comparison)) == {Kind.FILL_CONFLICT, Kind.PHANTOM_FILL}


def test_a_booked_copy_is_found_with_and_without_the_original() -> None:
    finding = only(look(engine([filled(1)], [fill()] * 3), venue([filled(1)], [fill()])))
    assert finding.kind is Kind.DUPLICATE_FILL
    assert finding.delta == {"quantity": Decimal(-2)}
    comparison = look(engine([filled(0)], [fill()] * 2), venue([filled(0)]))
    assert sorted(kinds(comparison)) == [Kind.DUPLICATE_FILL, Kind.PHANTOM_FILL]


@pytest.mark.invariant("I38")
def test_several_contents_under_one_key_at_the_exchange() -> None:
    theirs = [fill(), fill(quantity=Decimal(2)), fill()]
    comparison = look(engine([filled(3)], [fill()]), venue([filled(3)], theirs))
    assert kinds(comparison) == [Kind.MISSING_FILL]
    comparison = look(engine([filled(3)], []), venue([filled(3)], theirs))
    assert [one.kind for one in comparison.findings] == [Kind.MISSING_FILL] * 2


def test_one_trade_id_of_several_orders_is_several_fills() -> None:
    """Some venues give one trade id to every maker order that a taker hit."""
    rows = [fill("t", of="1"), fill("t", of="2")]
    orders = [filled(1), replace(filled(1), venue_order_id="2", client_order_id="mm1-2")]
    assert look(engine(orders, rows), venue(orders, rows)).findings == ()
    comparison = look(engine(orders, rows[:1]), venue(orders, rows))
    assert only(comparison).subject.venue_order_id == "2"
    untold = [rows[0], replace(rows[1], venue_order_id=None)]
    assert look(engine(orders, untold), venue(orders, rows)).findings == ()


def test_a_fill_inferred_earlier_stands_for_the_rows_that_show_up_later() -> None:
    stand_in = fill("inferred-abc", quantity=Decimal(2), inferred=True, price=None)
    real = [fill("t1", at_ms=NOW_MS - 9000), fill("t2", at_ms=NOW_MS - 8000)]
    assert look(engine([filled(2)], [stand_in]), venue([filled(2)], real)).findings == ()
    assert look(engine([filled(2)], [stand_in]), venue([filled(2)])).findings == ()
    newer = fill("t3", at_ms=NOW_MS - 7000)
    comparison = look(engine([filled(2)], [stand_in]), venue([filled(3)], [*real, newer]))
    assert only(comparison).subject.trade_id == "t3"
    odd = fill("t4", quantity=Decimal(5), at_ms=NOW_MS - 9500)
    comparison = look(engine([filled(2)], [stand_in]), venue([filled(2)], [odd]))
    assert kinds(comparison) == [Kind.MISSING_FILL]


def test_a_fill_of_a_stranger_is_an_orphan_unless_orders_are_unknown() -> None:
    assert only(look(engine(), venue([], [fill()]))).kind is Kind.ORPHAN_FILL
    blind = replace(engine(), orders=Unknown("not kept"))
    assert Kind.MISSING_FILL in kinds(look(blind, venue([], [fill()])))
    gone = order(status=OrderStatus.FILLED, filled=Decimal(4))
    theirs = venue([], [fill(quantity=Decimal(4))], look_ups=[(order("1"), gone)])
    assert only(look(engine(), theirs)).kind is Kind.MISSING_FILL


def test_products_are_told_apart() -> None:
    spot = fill(product="spot", symbol="BTC/USDT")
    ours: EngineSnapshot = engine([], [spot, fill()])
    comparison = look(ours, venue([], [spot, fill()]))
    assert comparison.findings == ()
    assert comparison.counts["fills_matched"] == 2
    only_spot = replace(
        venue([], [spot]),
        products=(reading("spot", fills=Known((spot,), NOW_MS, Window(0, NOW_MS))),),
    )
    comparison = look(ours, only_spot)
    assert comparison.verdict is Verdict.UNKNOWN
    assert kinds(comparison) == [Kind.SCOPE_NOT_COVERED]
