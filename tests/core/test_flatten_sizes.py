"""The exact borders of a slice's size and price, of dust, and of what counts as flat."""

from dataclasses import replace
from decimal import Decimal

import pytest

from resyncctl.core.flatten_proof import (
    Change,
    Flatness,
    FlatRead,
    change_words,
    judge_change,
    judge_flat,
)
from resyncctl.core.flatten_slice import (
    Dust,
    Need,
    Slice,
    Stop,
    StopKind,
    is_too_small,
    next_slice,
    price_bound,
    round_down,
)
from resyncctl.core.market import InstrumentRules
from resyncctl.core.model import Side
from tests.core.test_flatten_slices import RULES, book

D = Decimal
FLAT_BOOK = book(("100", "50"), asks=(("100", "50"),))
KEY = ("linear", "BTC/USDT:USDT", "both")


def need(available: str, **changes: Decimal | None) -> Need:
    base = Need(available=D(available), anchor_price=D(100), slippage_max=D("0.01"))
    return replace(base, **changes)  # type: ignore[arg-type]  # the numbers of a need


def size(available: str, rules: InstrumentRules = RULES, **changes: Decimal | None) -> Decimal:
    made = next_slice(need(available, **changes), rules, FLAT_BOOK)
    assert isinstance(made, Slice), made
    return made.quantity


def test_the_side_that_reduces() -> None:
    assert need("0.1").side is Side.SELL
    assert need("-0.1").side is Side.BUY


@pytest.mark.parametrize(
    ("quantity", "price", "small"),
    [
        ("0.05", "100", False),
        ("0.049", "100", True),
        ("0.05", "0", True),
        ("0.05", "-1", True),
        ("0", "100000", True),
        ("-1", "100", True),
        ("0.0009", "100000", True),
        ("0.001", "100000", False),
        ("10", "0.5", False),
        ("9.999", "0.5", True),
    ],
)
def test_the_smallest_order(quantity: str, price: str, small: bool) -> None:
    assert is_too_small(D(quantity), RULES, D(price)) is small


def test_the_smallest_worth_may_not_count_for_reducing() -> None:
    free = replace(RULES, notional_min_applies_to_reducing=False)
    assert not is_too_small(D("0.001"), free, D(1))
    assert is_too_small(D("0.0009"), free, D(1))
    assert is_too_small(D(0), replace(free, quantity_min=D(0)), D(1))
    assert is_too_small(D(1), free, D(0))
    assert not is_too_small(D(1), free, D("0.5"))


def test_a_step_of_nothing_rounds_nothing() -> None:
    assert round_down(D("1.234"), D(0)) == D("1.234")
    assert round_down(D("1.239"), D("0.01")) == D("1.23")


@pytest.mark.parametrize(("held", "dust"), [("0.0009", True), ("0.001", True), ("0.051", False)])
def test_dust_is_what_no_order_can_reach(held: str, dust: bool) -> None:
    made = next_slice(need(held), RULES, FLAT_BOOK)
    assert isinstance(made, Dust) is dust
    coarse = replace(RULES, quantity_min=D(0), quantity_step=D("0.1"), notional_min=D(0))
    assert isinstance(next_slice(need("0.09"), coarse, FLAT_BOOK), Dust)
    exact = next_slice(need("0.1"), coarse, FLAT_BOOK)
    assert isinstance(exact, Slice)


def test_the_price_bound_is_the_stricter_one_and_rounds_to_the_better_side() -> None:
    assert price_bound(need("1"), RULES, D(100)) == D(99)
    assert price_bound(need("-1"), RULES, D(100)) == D(101)
    assert price_bound(need("1"), RULES, D(110)) == D("108.9")
    assert price_bound(need("-1"), RULES, D(90)) == D("90.9")
    assert price_bound(need("1"), RULES, D("100.04")) == D("99.1")
    assert price_bound(need("-1"), RULES, D("99.96")) == D("100.9")
    banded = replace(RULES, price_band=D("0.005"))
    assert price_bound(need("1"), banded, D(100)) == D("99.5")
    assert price_bound(need("-1"), banded, D(100)) == D("100.5")
    wide = replace(RULES, price_band=D("0.5"))
    assert price_bound(need("1"), wide, D(100)) == D(99)


def test_a_rest_that_could_not_be_traded_is_not_left_behind() -> None:
    capped = replace(RULES, quantity_max=D(1))
    assert size("1.02", capped) == D("0.969")
    assert size("1.06", capped) == D(1)
    assert size("1", capped) == D(1)
    free = replace(capped, notional_min_applies_to_reducing=False, quantity_min=D("0.5"))
    assert size("1.4", free) == D("0.9")
    assert size("1.5", free) == D(1)
    none = replace(capped, notional_min=D(0), quantity_min=D("0.5"))
    assert size("1.4", none) == D("0.9")


def test_a_smallest_worth_that_does_not_count_makes_no_order_smaller() -> None:
    terms = replace(
        RULES,
        quantity_min=D("0.1"),
        notional_min=D(50),
        notional_min_applies_to_reducing=False,
    )
    # One tenth may stay behind, so nearly all of it is taken at once.
    assert size("1.05", terms, slice_notional_max=D(100)) == D("0.95")


def test_what_is_less_than_the_smallest_order_is_dust_even_where_nothing_trades() -> None:
    terms = replace(RULES, quantity_min=D("0.5"), trading=False)
    assert isinstance(next_slice(need("0.1"), terms, FLAT_BOOK), Dust)


def test_where_less_is_not_possible_the_rest_stays() -> None:
    tight = replace(RULES, quantity_max=D("0.06"), notional_min=D(0), quantity_min=D("0.05"))
    assert size("0.09", tight) == D("0.06")


@pytest.mark.parametrize(
    ("available", "bids", "asks", "kind"),
    [
        ("1", (("98.9", "9"),), (), StopKind.PRICE_MOVED),
        ("1", (("99", "0.01"),), (), StopKind.THIN_BOOK),
        ("-1", (), (("101.1", "9"),), StopKind.PRICE_MOVED),
        ("-1", (), (("101", "0.01"),), StopKind.THIN_BOOK),
    ],
)
def test_a_price_beyond_the_bound_is_told_from_a_thin_book(
    available: str,
    bids: tuple[tuple[str, str], ...],
    asks: tuple[tuple[str, str], ...],
    kind: StopKind,
) -> None:
    stopped = next_slice(need(available), RULES, book(*bids, asks=asks))
    assert isinstance(stopped, Stop)
    assert stopped.kind is kind


@pytest.mark.invariant("I16")
@pytest.mark.parametrize(
    ("expected", "seen", "change"),
    [
        ("1", "1", Change.NONE),
        ("1", "0", Change.GONE),
        ("0", "1", Change.GREW),
        ("0", "-1", Change.GREW),
        ("1", "-1", Change.FLIPPED),
        ("-1", "1", Change.FLIPPED),
        ("1", "1.1", Change.GREW),
        ("-1", "-1.1", Change.GREW),
        ("1", "0.995", Change.SHRANK),
        ("-1", "-0.995", Change.SHRANK),
    ],
)
def test_how_a_leg_differs_from_what_our_fills_explain(
    expected: str, seen: str, change: Change
) -> None:
    found = judge_change("linear", D(expected), D(seen))
    assert found is change
    words = change_words(found, D(expected), D(seen))
    assert (words == "") is (change is Change.NONE)


@pytest.mark.parametrize(
    ("seen", "change"), [("0.99", Change.NONE), ("0.9899", Change.SHRANK), ("1.01", Change.GREW)]
)
def test_fees_may_be_taken_from_a_spot_asset(seen: str, change: Change) -> None:
    assert judge_change("spot", D(1), D(seen)) is change


def passes(*rows: tuple[int, str], unreadable: int | None = None) -> list[FlatRead]:
    found = [FlatRead(at_ms, {KEY: D(held)} if D(held) else {}, {}) for at_ms, held in rows]
    if unreadable is not None:
        found[unreadable] = replace(found[unreadable], unreadable={"linear": "timed out"})
    return found


def so_late(count: int, needed: int) -> str:
    return f"{count} of {needed} valid readings a whole staleness horizon after the last order"


@pytest.mark.parametrize(
    ("reads", "required", "state", "why"),
    [
        ([], 2, Flatness.UNKNOWN, "it was not read at the end"),
        (passes((1_000, "0"), unreadable=0), 2, Flatness.UNKNOWN, "timed out"),
        (passes((1_100, "0")), 1, Flatness.UNKNOWN, so_late(1, 2)),
        (passes((1_100, "0"), (1_101, "0")), 1, Flatness.FLAT, ""),
        (passes((1_100, "0"), (1_101, "0")), 3, Flatness.UNKNOWN, so_late(2, 3)),
        (passes((1_099, "0"), (1_100, "0")), 2, Flatness.UNKNOWN, so_late(1, 2)),
        (passes((999, "1"), (1_100, "0"), (1_101, "0")), 2, Flatness.FLAT, ""),
        (passes((1_099, "1"), (1_100, "0"), (1_101, "0")), 2, Flatness.FLAT, ""),
        (passes((1_100, "1"), (1_199, "0"), (1_200, "0")), 2, Flatness.UNKNOWN, so_late(1, 2)),
        (passes((1_100, "1"), (1_200, "0"), (1_201, "0")), 2, Flatness.FLAT, ""),
        (
            passes((1_100, "0"), (1_101, "0"), (1_102, "1"), (1_103, "0")),
            2,
            Flatness.UNKNOWN,
            so_late(0, 2),
        ),
        (passes((1_000, "0"), (1_100, "1")), 2, Flatness.RESIDUAL, ""),
        (passes((1_000, "0"), (1_100, "-1")), 2, Flatness.RESIDUAL, ""),
    ],
)
def test_when_a_holding_is_proved_gone(
    reads: list[FlatRead], required: int, state: Flatness, why: str
) -> None:
    found = judge_flat(KEY, reads, not_before_ms=1_000, horizon_ms=100, required_reads=required)
    assert (found.state, found.why) == (state, why)


@pytest.mark.parametrize(("held", "state"), [("0.5", Flatness.FLAT), ("0.51", Flatness.RESIDUAL)])
def test_a_rest_up_to_the_policy_s_limit_counts_as_nothing(held: str, state: Flatness) -> None:
    found = judge_flat(
        KEY,
        passes((100, held), (101, held)),
        not_before_ms=0,
        horizon_ms=100,
        required_reads=2,
        flat_below=D("0.5"),
    )
    assert found.state is state
    assert found.left == D(held)
