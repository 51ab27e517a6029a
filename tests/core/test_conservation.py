"""The conservation law: what an account holds changes by fills and by the ledger, and else not."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.conservation import Conservation, Holdings, conserve
from resyncctl.core.model import Fill, LedgerEntry, Leg, Side
from resyncctl.core.policy import Policy

POLICY = Policy()
SPOT_FILL = Fill(
    account="main",
    product="spot",
    symbol="BTC/USDT",
    trade_id="1",
    venue_order_id="1",
    client_order_id=None,
    side=Side.BUY,
    quantity=Decimal(2),
    price=Decimal(100),
    fee=Decimal("0.1"),
    fee_asset="USDT",
    at_ms=2_000,
)
PERP_FILL = replace(SPOT_FILL, product="linear", symbol="BTC/USDT:USDT")
FUNDING = LedgerEntry(
    account="main",
    product="linear",
    asset="USDT",
    amount=Decimal("-0.5"),
    kind="funding",
    entry_id="7",
    at_ms=2_000,
)
BEGAN = Holdings(
    as_of_ms=1_500,
    since_ms=1_000,
    positions={},
    balances={("spot", "USDT"): Decimal(1000), ("linear", "USDT"): Decimal(500)},
    fills=(),
    ledger=(),
    asked=frozenset({"BTC/USDT", "BTC/USDT:USDT"}),
)
BOUGHT = {
    ("spot", "USDT"): Decimal("799.9"),
    ("spot", "BTC"): Decimal(2),
    ("linear", "USDT"): Decimal(500),
}
LONG = {("linear", "BTC/USDT:USDT", Leg.BOTH): Decimal(2)}


def law(ended: Holdings, began: Holdings = BEGAN) -> Conservation:
    return conserve(began, ended, POLICY)


def test_nothing_changed_and_nothing_happened() -> None:
    assert law(BEGAN).kept


def test_a_spot_fill_causes_what_it_moves() -> None:
    found = law(replace(BEGAN, balances=BOUGHT, fills=(SPOT_FILL,)))
    assert found.kept
    assert found.fills == 1


def test_a_change_without_a_cause_is_named_with_the_rest() -> None:
    assert law(replace(BEGAN, balances=BOUGHT)).violations == (
        "balance of BTC (spot) changed by 2 without a cause",
        "balance of USDT (spot) changed by -200.1 without a cause",
    )


def test_a_fill_that_moved_nothing_is_a_violation_too() -> None:
    assert len(law(replace(BEGAN, fills=(SPOT_FILL,))).violations) == 2


def test_a_perpetual_fill_moves_the_leg_and_pays_its_fee() -> None:
    balances = {**BEGAN.balances, ("linear", "USDT"): Decimal("499.9")}
    assert law(replace(BEGAN, positions=LONG, balances=balances, fills=(PERP_FILL,))).kept
    assert law(replace(BEGAN, positions=LONG)).violations == (
        "position BTC/USDT:USDT both changed by 2 without a fill",
    )


def test_a_position_that_closed_without_a_fill_is_seen() -> None:
    assert law(BEGAN, replace(BEGAN, positions=LONG)).violations


def test_the_ledger_causes_what_it_books_once() -> None:
    balances = {**BEGAN.balances, ("linear", "USDT"): Decimal("499.5")}
    ended = replace(BEGAN, balances=balances, ledger=(FUNDING,))
    assert law(ended).kept
    assert law(ended, replace(BEGAN, ledger=(FUNDING,))).violations


def test_a_commission_in_the_ledger_replaces_the_fee_of_the_fill() -> None:
    booked = replace(
        FUNDING, amount=Decimal("-0.1"), kind="commission", trade_id="1", symbol=PERP_FILL.symbol
    )
    balances = {**BEGAN.balances, ("linear", "USDT"): Decimal("499.9")}
    ended = replace(BEGAN, positions=LONG, balances=balances, fills=(PERP_FILL,), ledger=(booked,))
    assert law(ended).kept


def test_a_fill_that_the_beginning_had_already_is_not_counted_again() -> None:
    began = replace(BEGAN, balances=BOUGHT, fills=(SPOT_FILL,))
    assert law(began, began).kept


def test_an_old_fill_of_a_symbol_that_nobody_asked_about_is_no_new_one() -> None:
    """The beginning could not list it; its moment says that it was before."""
    old = replace(SPOT_FILL, symbol="ETH/USDT", at_ms=1_200)
    assert law(replace(BEGAN, fills=(old,))).kept
    assert law(replace(BEGAN, fills=(replace(old, at_ms=1_600),))).violations


@pytest.mark.parametrize("section", ["fills", "ledger"])
def test_a_change_whose_cause_could_not_be_read_is_not_known(section: str) -> None:
    ended = replace(BEGAN, balances=BOUGHT, missing=((section, "spot", "timed out"),))
    found = law(ended)
    assert not found.violations
    assert all(f"the {section} of spot could not be read" in words for words in found.unknown)
    assert law(replace(BEGAN, missing=((section, "spot", "timed out"),))).kept


@pytest.mark.parametrize("section", ["positions", "balances"])
def test_holdings_that_could_not_be_read_are_never_kept(section: str) -> None:
    found = law(replace(BEGAN, missing=((section, "spot", "timed out"),)))
    assert not found.kept
    assert found.unknown


def test_dust_and_ignored_assets_need_no_cause() -> None:
    balances = {**BEGAN.balances, ("spot", "BNB"): Decimal("0.001")}
    policy = replace(POLICY, dust=(("BNB", Decimal("0.01")),))
    assert conserve(BEGAN, replace(BEGAN, balances=balances), policy).kept
    assert law(replace(BEGAN, balances=balances)).violations
    ignored = replace(POLICY, ignored_assets=("BNB",))
    assert conserve(BEGAN, replace(BEGAN, balances=balances), ignored).kept


@pytest.mark.invariant("I4")
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 50), st.integers(1, 9)), max_size=8),
    st.integers(0, 7),
)
def test_any_history_is_kept_and_any_missing_fill_is_noticed(
    trades: list[tuple[bool, int, int]], lost: int
) -> None:
    """I4."""
    fills, position, usdt = [], Decimal(0), Decimal(500)
    for number, (buys, quantity, fee) in enumerate(trades):
        fill = replace(
            PERP_FILL,
            trade_id=str(number),
            side=Side.BUY if buys else Side.SELL,
            quantity=Decimal(quantity),
            fee=Decimal(fee),
        )
        fills.append(fill)
        position += quantity if buys else -quantity
        usdt -= fee
    ended = replace(
        BEGAN,
        positions={("linear", "BTC/USDT:USDT", Leg.BOTH): position} if position else {},
        balances={**BEGAN.balances, ("linear", "USDT"): usdt},
        fills=tuple(fills),
    )
    assert law(ended).kept
    if lost < len(fills):
        del fills[lost]
        assert law(replace(ended, fills=tuple(fills))).violations
