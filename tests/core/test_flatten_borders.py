"""The exact borders of sizing, of caps, of what is dust, and of what counts as a change."""

from dataclasses import replace
from decimal import Decimal

import pytest

from resyncctl.core.flatten_holdings import (
    Choice,
    Holding,
    names_of,
    protection_of,
    quote_of_pairs,
    spot_holdings,
)
from resyncctl.core.flatten_order import reference_for
from resyncctl.core.flatten_plan import FlattenWish, caps_for
from resyncctl.core.flatten_proof import Change, judge_change
from resyncctl.core.flatten_slice import (
    Dust,
    Slice,
    Stop,
    StopKind,
    best_price,
    depth_inside,
    is_too_small,
    next_slice,
    price_bound,
    round_down,
)
from resyncctl.core.model import Balance, Leg, Side
from tests.core.test_flatten_slices import BTC, RULES, book, need


def sized(**changes: object) -> Slice:
    terms = replace(RULES, **changes)  # type: ignore[arg-type]  # the tests name real fields
    piece = next_slice(need("8"), terms, book(("100", "900")))
    assert isinstance(piece, Slice)
    return piece


def test_an_order_of_the_smallest_size_and_worth_is_one() -> None:
    terms = replace(RULES, quantity_min=Decimal(2), notional_min=Decimal(198))
    assert not is_too_small(Decimal(2), terms, Decimal(99))
    assert is_too_small(Decimal("1.999"), terms, Decimal(99))
    assert is_too_small(Decimal(2), terms, Decimal("98.999"))
    assert is_too_small(Decimal(2), terms, Decimal(0))
    assert is_too_small(Decimal(0), replace(terms, quantity_min=Decimal(0)), Decimal(99))
    free = replace(terms, notional_min_applies_to_reducing=False)
    assert not is_too_small(Decimal(2), free, Decimal(1))


def test_a_holding_of_the_smallest_size_is_sold() -> None:
    terms = replace(RULES, quantity_min=Decimal("0.2"))
    assert isinstance(next_slice(need("0.2"), terms, book(("100", "9"))), Slice)
    assert isinstance(next_slice(need("0.199"), terms, book(("100", "9"))), Dust)


def test_dust_is_dust_even_where_nothing_is_traded() -> None:
    halted = replace(RULES, trading=False, status="BREAK")
    assert isinstance(next_slice(need("0.0001"), halted, book()), Dust)


def test_a_cap_is_used_to_its_last_unit() -> None:
    exact = next_slice(need("8", notional_left=Decimal(300)), RULES, book(("100", "900")))
    assert isinstance(exact, Slice)
    assert (exact.quantity, exact.value) == (Decimal(3), Decimal(300))
    short = next_slice(need("8", notional_left=Decimal("299.99")), RULES, book(("100", "900")))
    assert isinstance(short, Slice)
    assert short.quantity == Decimal("2.999")
    both = next_slice(
        need("8", notional_left=Decimal(300), slice_notional_max=Decimal(200)),
        RULES,
        book(("100", "900")),
    )
    assert isinstance(both, Slice)
    assert both.quantity == 2


def test_a_purchase_is_counted_at_its_limit_and_a_sale_at_the_best_price() -> None:
    bought = next_slice(need("-1"), RULES, book(asks=(("100", "9"),)))
    assert isinstance(bought, Slice)
    assert bought.value == bought.limit_price == 101
    sold = next_slice(need("1"), RULES, book(("100", "9")))
    assert isinstance(sold, Slice)
    assert (sold.value, sold.limit_price) == (Decimal(100), Decimal(99))


def test_the_largest_order_is_rounded_to_the_step_too() -> None:
    assert sized(quantity_max=Decimal("2.5"), quantity_step=Decimal(1)).quantity == 2


def test_the_band_of_the_exchange_binds_both_sides_and_never_widens() -> None:
    narrow = replace(RULES, price_band=Decimal("0.005"))
    wide = replace(RULES, price_band=Decimal("0.5"))
    assert price_bound(need("1"), narrow, Decimal(100)) == Decimal("99.5")
    assert price_bound(need("-1"), narrow, Decimal(100)) == Decimal("100.5")
    assert price_bound(need("1"), wide, Decimal(100)) == Decimal("99.0")
    assert price_bound(need("-1"), wide, Decimal(100)) == Decimal("101.0")


@pytest.mark.parametrize(
    ("amount", "seen", "kind"),
    [
        ("1", book(("99", "0.0001")), StopKind.THIN_BOOK),
        ("1", book(("98.9", "9")), StopKind.PRICE_MOVED),
        ("-1", book(asks=(("101", "0.0001"),)), StopKind.THIN_BOOK),
        ("-1", book(asks=(("101.1", "9"),)), StopKind.PRICE_MOVED),
    ],
)
def test_a_price_at_the_bound_is_inside_it(amount: str, seen: object, kind: StopKind) -> None:
    piece = next_slice(need(amount), RULES, seen)  # type: ignore[arg-type]  # a book
    assert isinstance(piece, Stop)
    assert piece.kind is kind


def test_depth_counts_up_to_the_limit_on_the_side_that_is_met() -> None:
    seen = book(("100", "1"), ("99", "2"), ("98", "4"), asks=(("101", "8"), ("102", "16")))
    assert depth_inside(seen, Side.SELL, Decimal(99)) == 3
    assert depth_inside(seen, Side.BUY, Decimal(101)) == 8
    assert best_price(seen, Side.SELL) == 100
    assert best_price(seen, Side.BUY) == 101
    assert best_price(book(), Side.BUY) is None


def test_rounding_needs_a_step() -> None:
    assert round_down(Decimal("1.55"), Decimal("0.5")) == Decimal("1.5")
    assert round_down(Decimal("1.55"), Decimal(0)) == Decimal("1.55")
    assert round_down(Decimal("1.5"), Decimal("0.5")) == Decimal("1.5")


@pytest.mark.parametrize(
    ("seen", "change"),
    [("0.99", Change.NONE), ("0.9899", Change.SHRANK), ("1.0001", Change.GREW)],
)
def test_fees_may_take_one_hundredth_of_a_spot_asset(seen: str, change: Change) -> None:
    assert judge_change("spot", Decimal(1), Decimal(seen)) is change
    assert judge_change("linear", Decimal(1), Decimal(seen)) is not Change.NONE


def test_a_cap_is_the_smaller_of_what_was_asked_and_what_is_needed() -> None:
    wish = FlattenWish(choice=Choice(), slippage_max=Decimal("0.01"))
    worth = {"USDT": Decimal("100.001"), "USD": Decimal(5)}
    assert caps_for(worth, wish) == {"USDT": Decimal("101.01"), "USD": Decimal("5.05")}
    asked = replace(wish, notional_max=Decimal(50))
    assert caps_for(worth, asked) == {"USDT": Decimal(50), "USD": Decimal("5.05")}


def test_names_that_an_operator_may_write() -> None:
    assert {BTC, "BTCUSDT", "BTCUSDT_PERP"} <= names_of(BTC)
    assert names_of("BTC/USD:BTC-270326") == {"BTC/USD:BTC-270326", "BTCUSD_270326"}
    assert quote_of_pairs([]) is None
    assert quote_of_pairs(["BTC/USDT", "nonsense", "USDT:USDT"]) == "USDT"


def test_only_spot_balances_above_nothing_are_sold() -> None:
    def row(asset: str, product: str = "spot", free: str | None = "1") -> Balance:
        return Balance(
            account="main",
            product=product,
            asset=asset,
            free=None if free is None else Decimal(free),
            locked=None,
            total=Decimal(1),
        )

    found = spot_holdings(
        [row("BTC"), row("ETH", "linear"), row("SOL", free=None)], Choice(into="USDT")
    )
    assert [(one.symbol, one.available) for one in found] == [
        ("BTC/USDT", Decimal(1)),
        ("SOL/USDT", None),
    ]
    (bare,) = spot_holdings([row("BTC")], Choice())
    assert (bare.symbol, bare.asset, bare.key) == ("BTC", "BTC", ("spot", "BTC", "both"))


@pytest.mark.parametrize(
    ("product", "leg", "amount", "mode", "words"),
    [
        ("spot", Leg.BOTH, "-1", None, "borrowed"),
        ("linear", Leg.BOTH, "1", None, "not known"),
        ("linear", Leg.LONG, "-1", "hedge", "does not fit the position mode hedge"),
        ("linear", Leg.SHORT, "1", "hedge", "does not fit"),
    ],
)
def test_a_holding_without_protection_says_why(
    product: str, leg: Leg, amount: str, mode: str | None, words: str
) -> None:
    quantity = Decimal(amount)
    held = Holding(product=product, symbol=BTC, leg=leg, quantity=quantity, available=quantity)
    assert words in str(protection_of(held, mode))
    assert held.side is (Side.SELL if quantity > 0 else Side.BUY)


def test_an_order_is_looked_up_by_its_client_id_among_regular_orders() -> None:
    asked = reference_for("linear", BTC, "rsc-1")
    assert (asked.product, asked.symbol, asked.client_order_id) == ("linear", BTC, "rsc-1")
    assert asked.venue_order_id is None
    assert str(asked.scope) == "linear/regular"
