"""A cancel plan selects exactly what was asked, with the fewest requests, and has a digest."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.model import Leg, Order, OrderClass, OrderStatus, Scope, Side
from resyncctl.core.plan import Selection, blind_actions, order_key, plan_cancels

SPOT = Scope("spot")
LINEAR = Scope("linear")
ALGO = Scope("linear", OrderClass.ALGO)
BY_SYMBOL = {SPOT: True, LINEAR: True, ALGO: True}


def order(
    number: int,
    *,
    scope: Scope = SPOT,
    base: str = "BTC",
    client: str | None = None,
    protective: bool = False,
    created_ms: int | None = 1_000,
    price: str | None = "100",
) -> Order:
    settle = "" if scope.product == "spot" else ":USDT"
    return Order(
        account="main",
        product=scope.product,
        symbol=f"{base}/USDT{settle}",
        venue_symbol=f"{base}USDT",
        side=Side.BUY,
        type="limit",
        status=OrderStatus.ACCEPTED,
        client_order_id=client,
        venue_order_id=str(number),
        quantity=Decimal(2),
        filled=Decimal("0.5"),
        price=None if price is None else Decimal(price),
        leg=Leg.BOTH,
        protective=protective,
        order_class=scope.order_class,
        created_at_ms=created_ms,
    )


orders_strategy = st.lists(
    st.builds(
        order,
        st.integers(1, 10_000),
        scope=st.sampled_from([SPOT, LINEAR, ALGO]),
        base=st.sampled_from(["BTC", "ETH", "SOL"]),
        client=st.sampled_from([None, "mm1-a", "other-b"]),
        protective=st.booleans(),
        created_ms=st.sampled_from([None, 10, 5_000]),
    ),
    max_size=30,
    unique_by=order_key,
)
selection_strategy = st.builds(
    Selection,
    symbols=st.sampled_from([(), ("BTC/USDT",), ("ETHUSDT", "SOL/USDT:USDT")]),
    prefixes=st.sampled_from([(), ("mm1-",)]),
    created_before_ms=st.sampled_from([None, 1_000]),
    keep_protective=st.booleans(),
)


@pytest.mark.invariant("I14")
@given(orders_strategy, selection_strategy, st.booleans())
def test_a_plan_cancels_exactly_the_selection(
    orders: list[Order], selection: Selection, by_symbol: bool
) -> None:
    plan = plan_cancels("main", orders, selection, dict.fromkeys(BY_SYMBOL, by_symbol))
    wanted = {order_key(o) for o in orders if selection.wants(o)}
    assert {order_key(o) for o in plan.orders} == wanted
    assert len(plan.orders) == len(wanted)
    assert len(plan.orders) + len(plan.kept) + plan.left_alone == len(orders)


@given(orders_strategy, selection_strategy)
def test_a_whole_symbol_is_cancelled_only_when_nothing_on_it_stays(
    orders: list[Order], selection: Selection
) -> None:
    plan = plan_cancels("main", orders, selection, BY_SYMBOL)
    for action in plan.actions:
        if action.verb == "cancel_symbol":
            rest = [
                o
                for o in orders
                if o.scope == action.scope and o.venue_symbol == action.venue_symbol
            ]
            assert all(selection.wants(o) for o in rest)
            assert not selection.prefixes
            assert selection.created_before_ms is None


@given(orders_strategy, selection_strategy, st.randoms())
def test_the_digest_does_not_depend_on_the_order_of_listing(
    orders: list[Order], selection: Selection, random: object
) -> None:
    shuffled = list(orders)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis hands in a random.Random
    first = plan_cancels("main", orders, selection, BY_SYMBOL)
    second = plan_cancels("main", shuffled, selection, BY_SYMBOL)
    assert first.digest == second.digest


@pytest.mark.invariant("I41")
def test_the_digest_changes_with_any_order_and_with_the_account() -> None:
    one = plan_cancels("main", [order(1)], Selection(), BY_SYMBOL)
    two = plan_cancels("main", [order(1), order(2)], Selection(), BY_SYMBOL)
    elsewhere = plan_cancels("other", [order(1)], Selection(), BY_SYMBOL)
    assert len({one.digest, two.digest, elsewhere.digest}) == 3


@pytest.mark.invariant("I21")
def test_protective_orders_stay_and_are_reported() -> None:
    stop = order(1, scope=ALGO, protective=True)
    plan = plan_cancels("main", [stop, order(2, scope=ALGO)], Selection(), BY_SYMBOL)
    assert plan.kept == (stop,)
    assert [action.verb for action in plan.actions] == ["cancel_order"]
    included = plan_cancels("main", [stop], Selection(keep_protective=False), BY_SYMBOL)
    assert included.kept == ()
    assert [action.verb for action in included.actions] == ["cancel_symbol"]


def test_an_order_of_unknown_age_is_not_stale() -> None:
    assert not Selection(created_before_ms=10**12).wants(order(1, created_ms=None))


def test_the_blast_radius_counts_and_values_what_remains() -> None:
    orders = [order(1), order(2, base="ETH", price=None), order(3, scope=ALGO, protective=True)]
    radius = plan_cancels("main", orders, Selection(), BY_SYMBOL).blast_radius()
    assert (radius.orders, radius.symbols, radius.unpriced, radius.kept_protective) == (2, 2, 1, 1)
    assert radius.notional == (("USDT", Decimal("150.0")),)


def test_blind_actions_name_each_symbol_once() -> None:
    symbols = [("BTC/USDT", "BTCUSDT"), ("BTC/USDT", "BTCUSDT"), ("ETH/USDT", "ETHUSDT")]
    actions = blind_actions(SPOT, symbols)
    assert [(a.verb, a.venue_symbol, a.orders) for a in actions] == [
        ("cancel_symbol", "BTCUSDT", ()),
        ("cancel_symbol", "ETHUSDT", ()),
    ]


def test_the_digest_changes_with_the_terms_of_an_order() -> None:
    digests = {
        plan_cancels("main", [one], Selection(), BY_SYMBOL).digest
        for one in (order(1), order(1, price="101"), order(1, client="mm1-x"))
    }
    assert len(digests) == 3
