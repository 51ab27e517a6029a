"""What could not be known makes the verdict unknown, in every way in which it can be unknown."""

from dataclasses import replace
from typing import Any

import pytest

from resyncctl.core.discrepancy import Kind, Severity, Verdict
from resyncctl.core.model import OrderClass, OrderStatus, Scope
from resyncctl.core.snapshot import (
    EngineSnapshot,
    Known,
    NotCovered,
    Unknown,
    VenueSnapshot,
    Window,
)
from tests.fakes.books import (
    HOUR_MS,
    NOW_MS,
    balance,
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

HELD = [balance("5")]


def of(index: int, **parts: Any) -> VenueSnapshot:
    products = list(venue(balances=HELD).products)
    products[index] = replace(products[index], **parts)
    return venue(products=tuple(products))


CASES: list[tuple[str, EngineSnapshot, VenueSnapshot, dict[str, Any], Kind]] = [
    ("moving", engine(), venue(moving="orders changed"), {}, Kind.MOVING),
    ("clock not measured", engine(), venue(clock_offset_ms=None), {}, Kind.CLOCK_SKEW),
    ("clock ahead", engine(), venue(clock_offset_ms=501), {}, Kind.CLOCK_SKEW),
    ("clock behind", engine(), venue(clock_offset_ms=-501), {}, Kind.CLOCK_SKEW),
    ("engine of the future", engine(as_of_ms=NOW_MS + 501), venue(), {}, Kind.CLOCK_SKEW),
    ("engine too old", engine(as_of_ms=NOW_MS - 120_001), venue(), {}, Kind.CHECKPOINT_STALE),
    (
        "told stale",
        engine(trouble=(("CHECKPOINT_STALE", "x"),)),
        venue(),
        {},
        Kind.CHECKPOINT_STALE,
    ),
    (
        "told foreign",
        engine(trouble=(("CHECKPOINT_FOREIGN", "x"),)),
        venue(),
        {},
        Kind.CHECKPOINT_FOREIGN,
    ),
    ("told nonsense", engine(trouble=(("ODD", "x"),)), venue(), {}, Kind.CHECKPOINT_CORRUPT),
    (
        "told no trouble",
        engine(trouble=(("STALE_ORDER", "x"),)),
        venue(),
        {},
        Kind.CHECKPOINT_CORRUPT,
    ),
    ("other account", engine(account="other"), venue(), {}, Kind.CHECKPOINT_FOREIGN),
    ("nothing read", engine(), venue(products=()), {}, Kind.SCOPE_NOT_COVERED),
    (
        "not covered",
        engine(),
        venue(not_covered=(NotCovered("papi", "no"),)),
        {},
        Kind.SCOPE_NOT_COVERED,
    ),
    (
        "manifest",
        engine(),
        venue(),
        {"required_scopes": (Scope("option"),)},
        Kind.SCOPE_NOT_COVERED,
    ),
    ("no identity", engine(), venue(identity=Unknown("no")), {}, Kind.SECTION_UNREADABLE),
    ("empty identity", engine(), venue(identity=Known((), NOW_MS)), {}, Kind.SECTION_UNREADABLE),
    (
        "orders",
        engine(),
        of(0, orders=((Scope("linear"), Unknown("502")),)),
        {},
        Kind.SECTION_UNREADABLE,
    ),
    ("fills", engine(), of(0, fills=Unknown("502")), {}, Kind.SECTION_UNREADABLE),
    ("positions", engine(), of(0, positions=Unknown("502")), {}, Kind.SECTION_UNREADABLE),
    ("balances", engine(), of(1, balances=Unknown("502")), {}, Kind.SECTION_UNREADABLE),
    (
        "late",
        engine(),
        of(0, fills=Known((), NOW_MS, Window(NOW_MS - HOUR_MS, NOW_MS))),
        {},
        Kind.WINDOW_NOT_COVERED,
    ),
    (
        "early",
        engine(),
        of(0, fills=Known((), NOW_MS, Window(0, NOW_MS - 60_001))),
        {},
        Kind.WINDOW_NOT_COVERED,
    ),
    (
        "engine fills",
        engine(fills=Known((), NOW_MS, Window(NOW_MS - HOUR_MS, NOW_MS))),
        venue(),
        {},
        Kind.WINDOW_NOT_COVERED,
    ),
    ("engine orders", engine(orders=Unknown("no")), venue(), {}, Kind.SECTION_UNREADABLE),
    ("engine fills unknown", engine(fills=Unknown("no")), venue(), {}, Kind.SECTION_UNREADABLE),
    ("engine positions", engine(positions=Unknown("no")), venue(), {}, Kind.SECTION_UNREADABLE),
    (
        "engine partial",
        engine(orders=Known((), NOW_MS, complete=False, notes=("partial dump",))),
        venue(),
        {},
        Kind.SECTION_UNREADABLE,
    ),
]


@pytest.mark.invariant("I6")
@pytest.mark.parametrize(
    ("ours", "theirs", "policy", "kind"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_what_is_not_known_is_said(
    ours: EngineSnapshot, theirs: VenueSnapshot, policy: dict[str, Any], kind: Kind
) -> None:
    has_balances = any(
        isinstance(one.balances, Known) and one.balances.data for one in theirs.products
    )
    if has_balances:
        ours = replace(ours, balances=Known(tuple(HELD), NOW_MS))
    comparison = look(ours, theirs, **policy)
    assert kind in kinds(comparison)
    assert comparison.verdict is Verdict.UNKNOWN
    finding = next(one for one in comparison.findings if one.kind is kind)
    assert finding.severity in {Severity.MAJOR, Severity.CRITICAL}
    assert finding.detail


@pytest.mark.invariant("I6")
def test_a_quiet_account_whose_identity_is_proved_is_clean() -> None:
    comparison = look(engine(), venue())
    assert comparison.findings == ()
    assert comparison.verdict is Verdict.CLEAN


@pytest.mark.invariant("I6")
def test_something_that_agrees_proves_the_account_too() -> None:
    comparison = look(engine(balances=HELD), venue(balances=HELD, identity=Unknown("no")))
    assert comparison.verdict is Verdict.CLEAN


def test_trouble_that_is_told_is_not_told_twice() -> None:
    ours = engine(as_of_ms=NOW_MS - HOUR_MS, trouble=(("CHECKPOINT_STALE", "the engine is dead"),))
    assert only(look(ours, venue())).detail == "the engine is dead"


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({"orders": [order(product="inverse")]}, "orders"),
        ({"fills": [fill(product="inverse")]}, "fills"),
        ({"positions": [replace(position(3), product="inverse")]}, "positions"),
        ({"balances": [balance("3", product="inverse")]}, "balances"),
    ],
)
def test_holdings_in_a_product_that_was_not_read_are_said(parts: Any, what: str) -> None:
    finding = only(look(engine(**parts), venue()))
    assert finding.kind is Kind.SCOPE_NOT_COVERED
    assert what in finding.detail


def test_empty_rows_of_another_product_need_no_reading() -> None:
    ours = engine(
        [order(product="inverse", status=OrderStatus.CANCELED)],
        positions=[replace(position(0), product="inverse")],
        balances=[balance("0", product="inverse"), balance("9", "OLD", product="inverse")],
    )
    assert look(ours, venue(), ignored_assets=("OLD",)).findings == ()


def test_rows_of_another_account_are_set_aside_and_said() -> None:
    foreign = replace(order(), account="other")
    comparison = look(engine([order()]), venue([order(), replace(foreign, venue_order_id="2")]))
    assert "1 rows belong to another account" in only(comparison).detail
    assert comparison.counts["rows_set_aside"] == 1


def test_unmapped_rows_cast_doubt_on_their_instrument_on_both_sides() -> None:
    ours = engine([order()], [fill()], [position(3)])
    raw: dict[str, Any] = {"symbol": "BTCUSDT"}
    theirs = venue([order(**raw)], [fill(**raw)], [position(3, **raw)])
    finding = only(look(ours, theirs))
    assert finding.kind is Kind.UNMAPPED_INSTRUMENT
    assert finding.venue == {"rows": 3}
    assert look(ours, theirs).verdict is Verdict.UNKNOWN
    finding = only(look(engine([order(**raw)]), venue([order()])))
    assert finding.engine == {"rows": 1}


def test_sections_tell_how_they_were_read() -> None:
    theirs = of(0, fills=Unknown("HTTP 502"), ledger=Known((), NOW_MS, notes=("one row skipped",)))
    sections = look(engine(balances=HELD), theirs).sections
    lines = {(one.side, one.section, one.scope): one for one in sections}
    assert len(lines) == len(sections)
    assert lines["venue", "fills", "linear"].known is False
    assert lines["venue", "fills", "linear"].reason == "HTTP 502"
    assert lines["venue", "ledger", "linear"].reason == "one row skipped"
    assert lines["engine", "balances", "all"].rows == 1
    assert ("venue", "orders", "linear/algo") in lines
    assert look(engine(balances=HELD), theirs).counts["sections_unknown"] == 1


def test_only_a_spot_product_needs_no_engine_positions() -> None:
    blind = engine(positions=Unknown("no"))
    spot = venue(products=(reading("spot"),))
    assert look(blind, spot).verdict is Verdict.CLEAN
    odd = venue(products=(reading("spot", position_mode="one_way"),))
    assert look(blind, odd).verdict is Verdict.UNKNOWN


def test_an_algo_book_that_is_read_is_no_gap() -> None:
    stop = order(order_class=OrderClass.ALGO)
    assert look(engine([stop]), venue([stop])).findings == ()
