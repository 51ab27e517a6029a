"""Stories about positions and balances: legs, flips, dust, ledgers, locks."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from resyncctl.core.discrepancy import Kind, Severity, Verdict
from resyncctl.core.events import emit
from resyncctl.core.model import Balance, LedgerEntry, Leg, OrderStatus, Position, Side
from resyncctl.core.repair import apply_events
from resyncctl.core.snapshot import Known, Unknown, VenueSnapshot, Window
from tests.fakes.books import (
    HOUR_MS,
    NOW_MS,
    balance,
    engine,
    entry,
    fill,
    kinds,
    look,
    only,
    order,
    position,
    venue,
)

LONG, SHORT = Leg.LONG, Leg.SHORT


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ([position(3)], [position(4)], [Kind.POSITION_MISMATCH]),
        ([], [position(4)], [Kind.UNTRACKED_POSITION]),
        ([position(0)], [position(4)], [Kind.UNTRACKED_POSITION]),
        ([position(3)], [], [Kind.PHANTOM_POSITION]),
        ([position(3)], [position(0)], [Kind.PHANTOM_POSITION]),
        ([position(3)], [position(-3)], [Kind.SIDE_FLIP]),
        ([position(3, LONG)], [position(4, LONG)], [Kind.LEG_MISMATCH]),
        ([], [position(3, LONG), position(-3, SHORT)], [Kind.UNTRACKED_POSITION] * 2),
        ([position(3, LONG), position(-3, SHORT)], [], [Kind.PHANTOM_POSITION] * 2),
        ([position(1)], [position(3, LONG), position(-2, SHORT)], [Kind.LEG_MISMATCH]),
        ([position(3, LONG), position(-2, SHORT)], [position(1)], [Kind.LEG_MISMATCH]),
        ([position(1), position(2)], [position(3)], []),
        ([position(3)], [position(3), position(3)], []),
        ([position(3)], [position(1), position(2)], []),
    ],
)
def test_legs(ours: list[Position], theirs: list[Position], found: list[Kind]) -> None:
    comparison = look(engine(positions=ours), venue(positions=theirs))
    assert kinds(comparison) == found
    assert comparison.blocks_resume == bool(found)


def test_entry_prices_drift_beyond_one_part_in_ten_thousand() -> None:
    def found(ours: str | None, theirs: str | None) -> bool:
        sides = [
            position(3, entry_price=None if price is None else Decimal(price))
            for price in (ours, theirs)
        ]
        return bool(look(engine(positions=sides[:1]), venue(positions=sides[1:])).findings)

    assert not found("10000", "10001")
    assert found("10000", "10001.1")
    assert found("10001.1", "10000")
    assert not found("10000", None)
    assert not found(None, "10000")
    assert not found("10000", "0")


@pytest.mark.invariant("I4", "I37")
def test_the_unexplained_rest_of_a_position_is_exact() -> None:
    rows = [fill(quantity=Decimal(2)), fill("t2", side=Side.SELL, quantity=Decimal(1))]
    theirs = venue(
        [order(filled=Decimal(3), status=OrderStatus.PARTIALLY_FILLED)], rows, [position(14)]
    )
    comparison = look(engine([order()], positions=[position(3)]), theirs)
    mismatch = next(one for one in comparison.findings if one.kind is Kind.POSITION_MISMATCH)
    assert mismatch.unexplained == Decimal(10)
    assert mismatch.explained_by == ("fill:t1 BTC/USDT:USDT", "fill:t2 BTC/USDT:USDT")
    assert mismatch.detail.startswith("Fills explain 1; ")


def test_forty_digits_are_compared_exactly() -> None:
    tiny, huge = Decimal("1e-18"), Decimal(10) ** 20
    row = fill(quantity=Decimal("100000000000000000000.000000000000000001"))
    ours = engine([order(quantity=huge * 2)], positions=[replace(position(0), quantity=tiny)])
    theirs = venue(
        [order(quantity=huge * 2, filled=row.quantity, status=OrderStatus.PARTIALLY_FILLED)],
        [row],
        [replace(position(0), quantity=Decimal("100000000000000000000.000000000000000002"))],
    )
    comparison = look(ours, theirs)
    assert kinds(comparison) == [Kind.MISSING_FILL]
    assert look(apply_events(ours, emit(ours, theirs, comparison)), theirs).findings == ()


def test_a_position_within_tolerance_is_equal() -> None:
    theirs = venue(positions=[replace(position(3), quantity=Decimal("3.0001"))])
    ours = engine(positions=[position(3)])
    assert look(ours, theirs, quantity_tolerance=Decimal("0.001")).findings == ()
    assert kinds(look(ours, theirs)) == [Kind.POSITION_MISMATCH]


def with_part(snapshot: VenueSnapshot, index: int, **parts: object) -> VenueSnapshot:
    products = list(snapshot.products)
    products[index] = replace(products[index], **parts)  # type: ignore[arg-type]  # named by the caller
    return replace(snapshot, products=tuple(products))


def test_an_incomplete_listing_proves_no_absence() -> None:
    short = with_part(venue(), 0, positions=Known((), NOW_MS, complete=False))
    assert kinds(look(engine(positions=[position(3)]), short)) == [Kind.SECTION_UNREADABLE]
    poor = with_part(venue(), 1, balances=Known((), NOW_MS, complete=False))
    assert kinds(look(engine(balances=[balance("3")]), poor)) == [Kind.SECTION_UNREADABLE]


def test_unread_holdings_are_not_compared() -> None:
    for name, index in (("positions", 0), ("balances", 1)):
        blind = with_part(venue(), index, **{name: Unknown("HTTP 502")})
        ours = engine(
            positions=[position(3)] if index == 0 else [], balances=[balance("3")] if index else []
        )
        assert kinds(look(ours, blind)) == [Kind.SECTION_UNREADABLE]
    for name in ("positions", "balances"):
        ours = replace(engine(), **{name: Unknown("not kept")})  # type: ignore[arg-type]  # sections by name
        assert (
            kinds(look(ours, venue(positions=[position(3)], balances=[balance("3")]))).count(
                Kind.SECTION_UNREADABLE
            )
            == 1
        )


def test_a_spot_account_needs_no_positions() -> None:
    spot = replace(venue(), products=venue().products[1:])
    blind = replace(engine(balances=[balance("3")]), positions=Unknown("spot has none"))
    spot = with_part(spot, 0, balances=Known((balance("3"),), NOW_MS))
    assert look(blind, spot).verdict is Verdict.CLEAN
    holds = with_part(spot, 0, positions=Unknown("HTTP 502"))
    assert Kind.SECTION_UNREADABLE in kinds(look(blind, holds))


def money(
    ours: Sequence[Balance],
    theirs: Sequence[Balance],
    ledger: Sequence[LedgerEntry] = (),
    **policy: object,
) -> list[tuple[Kind, Severity]]:
    comparison = look(engine(balances=ours), venue(balances=theirs, ledger=ledger), **policy)
    return [(one.kind, one.severity) for one in comparison.findings]


MAJOR = [(Kind.BALANCE_MISMATCH, Severity.MAJOR)]
EXPLAINED = [(Kind.BALANCE_MISMATCH, Severity.INFO)]


def test_tolerance_has_a_floor_a_ratio_and_a_cap() -> None:
    assert money([balance("10000")], [balance("10001")]) == []
    assert money([balance("10000")], [balance("10001.1")]) == MAJOR
    assert money([balance("500000000")], [balance("500000100")]) == []
    assert money([balance("500000000")], [balance("500000101")]) == MAJOR
    assert money([], [balance("0.000000001", "BTC")]) == []
    assert money([], [balance("0.0001", "BTC")]) == MAJOR
    dust = (("BTC", Decimal("0.001")),)
    assert money([], [balance("0.0001", "BTC")], dust=dust) == []
    assert money([], [balance("5", "SHIB")], ignored_assets=("SHIB",)) == []
    assert money([balance("5", "SHIB")], []) == MAJOR


def test_the_ledger_explains_with_severity_info() -> None:
    ours, theirs = [balance("100", product="linear")], [balance("103", product="linear")]
    assert money(ours, theirs, [entry("3")]) == EXPLAINED
    assert money(ours, theirs, [entry("3"), entry("3")]) == EXPLAINED, "pages overlap"
    assert money(ours, theirs, [entry("4")]) == MAJOR
    early = NOW_MS - HOUR_MS
    old = [entry("7", "l0", early - 9), entry("1", "l1", early), entry("2", "l2", early)]
    assert money(ours, theirs, old) == EXPLAINED, "the newest entries before the engine's word"
    single = [entry("3", "l0", early - 9), entry("5", "l1", early)]
    assert money(ours, theirs, single) == EXPLAINED, "one entry that the engine missed"
    assert money(ours, theirs, [entry("8", "l0", early)]) == MAJOR


@pytest.mark.invariant("I4")
def test_a_rest_beyond_the_ledger_is_named() -> None:
    theirs = venue(balances=[balance("110", product="linear")], ledger=[entry("3")])
    finding = only(look(engine(balances=[balance("100", product="linear")]), theirs))
    assert finding.unexplained == Decimal(7)
    assert finding.explained_by == ("ledger:l1",)
    assert "7 USDT" in finding.detail


@pytest.mark.parametrize(
    ("ledger", "kind"),
    [
        (Unknown("HTTP 502"), Kind.SECTION_UNREADABLE),
        (Known((), NOW_MS, Window(0, NOW_MS), complete=False), Kind.SECTION_UNREADABLE),
        (Known((), NOW_MS), Kind.WINDOW_NOT_COVERED),
        (Known((), NOW_MS, Window(NOW_MS - 10, NOW_MS)), Kind.WINDOW_NOT_COVERED),
    ],
)
def test_the_ledger_matters_only_when_a_rest_needs_it(
    ledger: Known[LedgerEntry] | Unknown, kind: Kind
) -> None:
    same = [balance("100", product="linear")]
    calm = with_part(venue(balances=same), 0, ledger=ledger)
    assert look(engine(balances=same), calm).verdict is Verdict.CLEAN
    moved = with_part(venue(balances=[balance("103", product="linear")]), 0, ledger=ledger)
    comparison = look(engine(balances=same), moved)
    assert sorted(kinds(comparison)) == sorted([Kind.BALANCE_MISMATCH, kind])
    assert comparison.verdict is Verdict.UNKNOWN


def test_a_missing_trade_explains_its_ledger_and_its_fee_only_once() -> None:
    row = fill(fee=Decimal(1), fee_asset="USDT")
    for booked, total in (
        ([entry("-1", kind="commission", trade_id="t1", symbol=row.symbol)], "99"),
        ([entry("20", kind="realized_pnl", trade_id="t1", at_ms=NOW_MS - HOUR_MS)], "119"),
        ([], "99"),
    ):
        theirs = venue(
            [order(filled=Decimal(1), status=OrderStatus.PARTIALLY_FILLED)],
            [row],
            [position(1)],
            [balance(total, product="linear")],
            ledger=booked,
        )
        comparison = look(engine([order()], balances=[balance("100", product="linear")]), theirs)
        assert kinds(comparison) == [Kind.MISSING_FILL], total
        assert "balance" in {one.what for one in comparison.explained}


def test_a_commission_in_the_ledger_replaces_the_fee_of_its_fill() -> None:
    row = fill(fee=Decimal(1), fee_asset="USDT")
    early = row.at_ms - 10
    booked = [
        entry("-1", "l1", early, kind="commission", trade_id="t1", symbol=row.symbol),
        entry("20", "l2", early, kind="realized_pnl", trade_id="t1", symbol=row.symbol),
    ]
    theirs = venue(
        [order(filled=Decimal(1), status=OrderStatus.PARTIALLY_FILLED)],
        [row],
        [position(1)],
        [balance("119", product="linear")],
        ledger=booked,
    )
    comparison = look(engine([order()], balances=[balance("100", product="linear")]), theirs)
    (told,) = [one for one in comparison.explained if one.what == "balance"]
    assert told.explained_by == ("ledger:l1", "ledger:l2")


def test_missed_fills_that_cancel_out_explain_a_drifted_entry_price() -> None:
    rows = [fill(), fill("t2", side=Side.SELL, price=Decimal(120))]
    ours = engine(
        [order(filled=Decimal(2), status=OrderStatus.PARTIALLY_FILLED)], positions=[position(3)]
    )
    theirs = venue(
        [order(filled=Decimal(2), status=OrderStatus.PARTIALLY_FILLED)],
        rows,
        [position(3, entry_price=Decimal(90))],
    )
    comparison = look(ours, theirs)
    assert kinds(comparison) == [Kind.MISSING_FILL] * 2
    assert [one.what for one in comparison.explained] == ["position"]
    healed = apply_events(ours, emit(ours, theirs, comparison))
    assert look(healed, theirs).findings == ()


def test_a_ledger_entry_of_another_symbol_with_the_same_trade_id_is_not_tied() -> None:
    row = fill(fee=Decimal(1), fee_asset="USDT")
    other = entry("-1", kind="commission", trade_id="t1", symbol="ETH/USDT:USDT", at_ms=1)
    theirs = venue(
        [order(filled=Decimal(1), status=OrderStatus.PARTIALLY_FILLED)],
        [row],
        [position(1)],
        [balance("99", product="linear")],
        ledger=[other],
    )
    comparison = look(engine([order()], balances=[balance("100", product="linear")]), theirs)
    assert kinds(comparison) == [Kind.MISSING_FILL]


def test_what_a_resting_spot_order_locks_is_explained_by_it() -> None:
    spot = {"product": "spot", "symbol": "BTC/USDT"}
    buy = order(**spot)
    sell = order("2", side=Side.SELL, **spot)
    theirs = [balance("1000", locked="400"), balance("9", "BTC", locked="4")]
    free = [balance("1000"), balance("9", "BTC")]
    comparison = look(engine(balances=free), venue([buy, sell], balances=theirs))
    assert set(kinds(comparison)) == {Kind.ORPHAN_ORDER}
    assert {one.what for one in comparison.explained} == {"locked"}
    back = look(engine([buy, sell], balances=theirs), venue(balances=free))
    assert set(kinds(back)) == {Kind.MISSING_ORDER}
    bare = look(engine(balances=free), venue(balances=theirs))
    assert kinds(bare) == [Kind.LOCKED_MISMATCH] * 2
    assert bare.findings[0].unexplained in {Decimal(400), Decimal(4)}


def test_equal_ids_of_two_symbols_are_told_apart() -> None:
    orders = [order(product="spot", symbol=symbol) for symbol in ("BTC/USDT", "ETH/USDT")]
    theirs = venue(orders, balances=[balance("1000", locked="800")])
    comparison = look(engine(balances=[balance("1000")]), theirs)
    assert comparison.explained[0].explained_by == ("order:1 BTC/USDT", "order:1 ETH/USDT")


def test_locks_follow_changes_copies_and_market_stops() -> None:
    spot = {"product": "spot", "symbol": "BTC/USDT"}
    buy = order(**spot)
    dear = order(price=Decimal(200), **spot)
    free, locked = balance("1000", locked="400"), balance("1000", locked="800")
    comparison = look(engine([buy], balances=[free]), venue([dear], balances=[locked]))
    assert kinds(comparison) == [Kind.ORDER_AMENDED]
    copy = order("2", client_order_id="mm1-1", **spot)
    comparison = look(engine([buy], balances=[free]), venue([buy, copy], balances=[locked]))
    assert kinds(comparison) == [Kind.DUPLICATE_CLIENT_ID]
    twice = [buy, replace(buy, venue_order_id=None, updated_at_ms=1)]
    comparison = look(engine(twice, balances=[locked]), venue([buy], balances=[free]))
    assert kinds(comparison) == [Kind.DUPLICATE_CLIENT_ID]
    waiting = order("3", price=None, **spot)
    comparison = look(engine(balances=[free]), venue([waiting], balances=[free]))
    assert kinds(comparison) == [Kind.ORPHAN_ORDER]


def test_margin_is_not_compared_and_untold_parts_are_not_either() -> None:
    ours = balance("100", product="linear")
    theirs = balance("100", product="linear", locked="30")
    assert money([ours], [theirs]) == []
    untold = Balance(
        account="main", product="spot", asset="USDT", free=None, locked=None, total=Decimal(100)
    )
    assert money([untold], [balance("100", locked="30")]) == []
    assert money([balance("100", locked="30")], [untold]) == []


def test_an_invented_spot_fill_explains_both_currencies() -> None:
    spot = {"product": "spot", "symbol": "BTC/USDT"}
    row = fill(fee=Decimal("0.1"), fee_asset="BNB", **spot)
    ours = engine(
        [order(filled=Decimal(1), status=OrderStatus.PARTIALLY_FILLED, **spot)],
        [row],
        balances=[balance("1", "BTC"), balance("900", locked="300"), balance("1.9", "BNB")],
    )
    theirs = venue([order(**spot)], balances=[balance("1000", locked="400"), balance("2", "BNB")])
    comparison = look(ours, theirs)
    assert kinds(comparison) == [Kind.PHANTOM_FILL]
    assert {one.subject.asset for one in comparison.explained if one.what == "balance"} == {
        "BTC",
        "USDT",
        "BNB",
    }
