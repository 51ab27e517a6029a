"""Sizing of reducing orders: never larger than anything that bounds it, never at a worse price."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.errors import RefusedError
from resyncctl.core.flatten_holdings import Choice, Holding, protection_of
from resyncctl.core.flatten_order import client_order_id, reduction_of
from resyncctl.core.flatten_plan import FlattenWish, Target
from resyncctl.core.flatten_slice import (
    Dust,
    Finished,
    Need,
    Slice,
    Stop,
    StopKind,
    depth_inside,
    is_too_small,
    next_slice,
)
from resyncctl.core.market import InstrumentRules, OrderBook
from resyncctl.core.model import Leg, Side
from resyncctl.core.money import exactly
from resyncctl.core.reduction import Protection

BTC = "BTC/USDT:USDT"
RULES = InstrumentRules(
    product="linear",
    symbol=BTC,
    venue_symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    quantity_step=Decimal("0.001"),
    quantity_min=Decimal("0.001"),
    quantity_max=Decimal(100),
    price_tick=Decimal("0.1"),
    notional_min=Decimal(5),
)
INVERSE = replace(
    RULES,
    product="inverse",
    symbol="BTC/USD:BTC",
    quote="USD",
    quantity_step=Decimal(1),
    quantity_min=Decimal(1),
    inverse=True,
    contract_value=Decimal(100),
    notional_min=Decimal(0),
)


def book(*bids: tuple[str, str], asks: tuple[tuple[str, str], ...] = ()) -> OrderBook:
    return OrderBook(
        product="linear",
        symbol=BTC,
        bids=tuple((Decimal(p), Decimal(q)) for p, q in bids),
        asks=tuple((Decimal(p), Decimal(q)) for p, q in asks),
        as_of_ms=0,
    )


def need(available: str, **changes: object) -> Need:
    base = Need(
        available=Decimal(available), anchor_price=Decimal(100), slippage_max=Decimal("0.01")
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # the tests name real fields


def amounts(low: str, high: str, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(low), Decimal(high), places=places)


@st.composite
def rules(draw: st.DrawFn) -> InstrumentRules:
    step = Decimal(draw(st.sampled_from(["0.001", "0.1", "1", "0.5", "7", "0.00000001"])))
    return replace(
        INVERSE if draw(st.booleans()) else RULES,
        quantity_step=step,
        quantity_min=step * draw(st.integers(1, 20)),
        quantity_max=draw(amounts("0.01", "500", 3)),
        price_tick=Decimal(draw(st.sampled_from(["0.1", "0.01", "0.25", "5"]))),
        notional_min=draw(amounts("0", "50", 2)),
        notional_min_applies_to_reducing=draw(st.booleans()),
        price_band=draw(st.none() | amounts("0.001", "0.2", 4)),
    )


@st.composite
def books(draw: st.DrawFn) -> OrderBook:
    mid = draw(amounts("20", "200", 2))
    sizes = amounts("0.001", "50", 3)
    gaps = st.lists(st.tuples(amounts("0.01", "4", 2), sizes), max_size=5)
    sides: list[tuple[tuple[Decimal, Decimal], ...]] = []
    for sign in (-1, 1):
        price, levels = mid, []
        for gap, size in draw(gaps):
            price += sign * gap
            if price > 0:
                levels.append((price, size))
        sides.append(tuple(levels))
    return OrderBook(product="linear", symbol=BTC, bids=sides[0], asks=sides[1], as_of_ms=0)


@st.composite
def needs(draw: st.DrawFn) -> Need:
    sign = draw(st.sampled_from([1, -1]))
    return Need(
        available=sign * draw(amounts("0", "300", 8)),
        anchor_price=draw(amounts("20", "200", 2)),
        slippage_max=draw(amounts("0.0001", "0.2", 4)),
        slice_notional_max=draw(st.none() | amounts("0.01", "5000", 2)),
        notional_left=draw(st.none() | amounts("-10", "5000", 2)),
    )


@pytest.mark.invariant("I16", "I18", "I37")
@given(needs(), rules(), books())
def test_a_slice_is_within_every_bound(
    wanted: Need, terms: InstrumentRules, seen: OrderBook
) -> None:
    piece = next_slice(wanted, terms, seen)
    if not isinstance(piece, Slice):
        return
    with exactly():
        assert 0 < piece.quantity <= abs(wanted.available)
        assert piece.side is (Side.SELL if wanted.available > 0 else Side.BUY)
        assert piece.quantity % terms.quantity_step == 0
        assert terms.quantity_min <= piece.quantity <= terms.quantity_max
        assert not is_too_small(piece.quantity, terms, piece.limit_price)
        assert piece.limit_price % terms.price_tick == 0
        for cap in (wanted.slice_notional_max, wanted.notional_left):
            assert cap is None or piece.value <= cap
        assert piece.quantity <= depth_inside(seen, piece.side, piece.limit_price)
        levels = seen.bids if piece.side is Side.SELL else seen.asks
        worst = piece.limit_price
        for anchor in (wanted.anchor_price, levels[0][0]):
            if piece.side is Side.SELL:
                assert worst >= anchor * (1 - wanted.slippage_max)
            else:
                assert worst <= anchor * (1 + wanted.slippage_max)
        dearest = max(worst, levels[0][0])
        assert piece.value == terms.notional(piece.quantity, dearest)


@given(needs(), rules(), books())
def test_what_is_dust_could_not_be_traded(
    wanted: Need, terms: InstrumentRules, seen: OrderBook
) -> None:
    piece = next_slice(wanted, terms, seen)
    if isinstance(piece, Dust):
        assert piece.quantity == abs(wanted.available) > 0
        assert piece.value is None or piece.value >= 0
    if isinstance(piece, Finished):
        assert not wanted.available


@given(st.lists(st.tuples(amounts("0", "30", 3), amounts("0", "1", 2)), max_size=8), rules())
def test_slices_never_add_up_to_more_than_is_held(
    fills: list[tuple[Decimal, Decimal]], terms: InstrumentRules
) -> None:
    """The exchange fills a share of every order; the holding shrinks and never changes its sign."""
    held = Decimal("17.1234")
    deep = book(("100", "1000"))
    for _, share in fills:
        piece = next_slice(need(str(held)), terms, deep)
        if not isinstance(piece, Slice):
            break
        with exactly():
            held -= piece.quantity * share
        assert held >= 0


def test_a_flat_holding_is_finished() -> None:
    assert next_slice(need("0"), RULES, book()) == Finished()


def test_the_bound_is_counted_from_the_agreed_price_and_from_the_best_price_now() -> None:
    rising = next_slice(need("1"), RULES, book(("110", "9")))
    falling = next_slice(need("1"), RULES, book(("99.5", "9")))
    assert isinstance(rising, Slice)
    assert rising.limit_price == Decimal("108.9")
    assert isinstance(falling, Slice)
    assert falling.limit_price == Decimal("99.0")
    away = next_slice(need("1"), RULES, book(("98.9", "9")))
    assert isinstance(away, Stop)
    assert away.kind is StopKind.PRICE_MOVED
    short = next_slice(need("-1"), RULES, book(asks=(("100.5", "9"),)))
    assert isinstance(short, Slice)
    assert short.limit_price == Decimal("101.0")


def test_the_price_is_rounded_towards_the_better_side() -> None:
    terms = replace(RULES, price_tick=Decimal(3))
    sold = next_slice(need("1"), terms, book(("102", "9")))
    assert isinstance(sold, Slice)
    assert sold.limit_price == 102
    bought = next_slice(need("-1"), terms, book(asks=(("99", "9"),)))
    assert isinstance(bought, Slice)
    assert bought.limit_price == 99


def test_a_band_of_the_exchange_makes_the_bound_stricter() -> None:
    piece = next_slice(need("1"), replace(RULES, price_band=Decimal("0.001")), book(("100", "9")))
    assert isinstance(piece, Slice)
    assert piece.limit_price == Decimal("99.9")


def test_only_depth_inside_the_bound_counts() -> None:
    piece = next_slice(need("5"), RULES, book(("100", "0.25"), ("99.5", "0.5"), ("98", "40")))
    assert isinstance(piece, Slice)
    assert piece.quantity == Decimal("0.75")


def test_an_order_does_not_strand_a_rest_that_cannot_be_traded() -> None:
    terms = replace(RULES, quantity_min=Decimal(4), quantity_max=Decimal(6))
    piece = next_slice(need("8"), terms, book(("100", "900")))
    assert isinstance(piece, Slice)
    assert piece.quantity == 4
    priced = replace(RULES, notional_min=Decimal(400), quantity_max=Decimal(6))
    piece = next_slice(need("9"), priced, book(("100", "900")))
    assert isinstance(piece, Slice)
    assert 9 - piece.quantity >= Decimal("4.04")
    hopeless = next_slice(need("7"), terms, book(("100", "900")))
    assert isinstance(hopeless, Slice)
    assert hopeless.quantity == 6


def test_small_rests_are_dust_by_quantity_and_by_worth() -> None:
    assert next_slice(need("0.0004"), RULES, book(("100", "9"))) == Dust(
        Decimal("0.0004"), Decimal("0.0400")
    )
    assert isinstance(next_slice(need("0.049"), RULES, book(("100", "9"))), Dust)
    free = replace(RULES, notional_min_applies_to_reducing=False)
    assert isinstance(next_slice(need("0.049"), free, book(("100", "9"))), Slice)
    assert next_slice(need("0.0004"), RULES, book()) == Dust(Decimal("0.0004"), None)


def test_inverse_orders_are_contracts_worth_a_fixed_amount() -> None:
    piece = next_slice(
        need("-50", slice_notional_max=Decimal(1050)), INVERSE, book(asks=(("100", "900"),))
    )
    assert isinstance(piece, Slice)
    assert piece.quantity == 10
    assert piece.value == 1000


@pytest.mark.parametrize(
    ("terms", "seen", "changes", "kind"),
    [
        ({"trading": False, "status": "BREAK"}, (("100", "9"),), {}, StopKind.NOT_TRADING),
        ({}, (), {}, StopKind.THIN_BOOK),
        ({}, (("100", "0.0001"),), {}, StopKind.THIN_BOOK),
        ({}, (("100", "9"),), {"notional_left": Decimal(4)}, StopKind.CAP),
        ({}, (("100", "9"),), {"notional_left": Decimal(-1)}, StopKind.CAP),
        ({}, (("100", "9"),), {"slice_notional_max": Decimal(1)}, StopKind.CAP),
    ],
)
def test_reasons_to_stop(
    terms: dict[str, object],
    seen: tuple[tuple[str, str], ...],
    changes: dict[str, object],
    kind: StopKind,
) -> None:
    changed = replace(RULES, **terms)  # type: ignore[arg-type]  # the tests name real fields
    piece = next_slice(need("1", **changes), changed, book(*seen))
    assert isinstance(piece, Stop)
    assert piece.kind is kind
    assert piece.reason


@pytest.mark.parametrize(
    ("product", "leg", "quantity", "mode", "expected"),
    [
        ("linear", Leg.BOTH, "1", "one_way", Protection.REDUCE_ONLY),
        ("linear", Leg.BOTH, "-1", "one_way", Protection.REDUCE_ONLY),
        ("linear", Leg.LONG, "1", "hedge", Protection.HEDGE_LEG),
        ("linear", Leg.SHORT, "-1", "hedge", Protection.HEDGE_LEG),
        ("linear", Leg.SHORT, "1", "hedge", None),
        ("linear", Leg.LONG, "1", "one_way", None),
        ("linear", Leg.BOTH, "1", "hedge", None),
        ("linear", Leg.BOTH, "1", None, None),
        ("spot", Leg.BOTH, "1", None, Protection.FREE_BALANCE),
        ("spot", Leg.BOTH, "-1", None, None),
    ],
)
def test_a_holding_gets_the_protection_of_its_mode_or_none(
    product: str, leg: Leg, quantity: str, mode: str | None, expected: Protection | None
) -> None:
    amount = Decimal(quantity)
    held = Holding(product=product, symbol=BTC, leg=leg, quantity=amount, available=amount)
    found = protection_of(held, mode)
    assert (found if isinstance(found, Protection) else None) is expected
    assert str(found)


def test_client_order_ids_are_the_exchange_s_and_never_the_same() -> None:
    keys = [("linear", BTC, "both"), ("linear", BTC, "long"), ("spot", "BTC/USDT", "both")]
    ids = [
        client_order_id(run, key, number)
        for run in ("20261121T103000Z-flatten-7f3k", "20261121T103000Z-flatten-7f3m")
        for key in keys
        for number in (1, 2, 1000)
    ]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[.A-Z:/a-z0-9_-]{1,36}", one) for one in ids)
    assert all(one.startswith("rsc-") for one in ids)
    assert client_order_id("run", keys[0], 1) == client_order_id("run", keys[0], 1)


@pytest.mark.invariant("I10", "I16")
def test_an_order_that_is_larger_than_the_holding_cannot_even_be_built() -> None:
    target = Target(
        product="linear",
        symbol=BTC,
        venue_symbol="BTCUSDT",
        leg=Leg.BOTH,
        base="BTC",
        quote="USDT",
        side=Side.SELL,
        holding=Decimal(1),
        protection=Protection.REDUCE_ONLY,
    )
    piece = Slice(
        side=Side.SELL, quantity=Decimal("1.1"), limit_price=Decimal(99), value=Decimal(110)
    )
    with pytest.raises(RefusedError, match="larger than the holding"):
        reduction_of(
            "main",
            target,
            piece,
            protection=Protection.REDUCE_ONLY,
            holding=Decimal(1),
            read_at_ms=0,
            client_order_id="rsc-1",
        )


def test_a_wish_needs_its_caps_by_name() -> None:
    wish = FlattenWish(choice=Choice(), slippage_max=Decimal("0.01"))
    assert wish.notional_max is None
