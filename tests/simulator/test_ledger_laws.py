"""Laws of the ledger: nothing is made or lost, postings explain balances, a seed is a history."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resyncctl.simulator.ledger import Balance
from resyncctl.simulator.venue_errors import VenueError
from tests.simulator.practice import SPOT, USDM, Bench

_SIDES = st.sampled_from(["BUY", "SELL"])
_PRICES = st.integers(min_value=45_000, max_value=75_000)
_QUANTITIES = st.integers(min_value=1, max_value=900)


def _acts() -> st.SearchStrategy[list[tuple[Any, ...]]]:
    act = st.one_of(
        st.tuples(st.just("spot"), _SIDES, _PRICES, _QUANTITIES),
        st.tuples(st.just("usdm"), _SIDES, _PRICES, _QUANTITIES),
        st.tuples(st.just("market"), st.sampled_from([SPOT, USDM]), _SIDES, _QUANTITIES),
        st.tuples(st.just("oco"), _SIDES, _QUANTITIES),
        st.tuples(st.just("stop"), _PRICES, _QUANTITIES),
        st.tuples(st.just("price"), _PRICES),
        st.tuples(st.just("fill"), st.integers(0, 5), st.integers(1, 3)),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
        st.tuples(st.just("funding"), st.integers(-30, 30)),
        st.tuples(st.just("transfer"), st.sampled_from(["spot", "usdm"]), st.integers(1, 500)),
        st.tuples(st.just("liquidate")),
        st.tuples(st.just("wait"), st.integers(1, 90_000)),
    )
    return st.lists(act, max_size=25)


def _do(bench: Bench, act: tuple[Any, ...]) -> None:
    control, name = bench.control, act[0]
    if name in ("spot", "usdm"):
        wish = {"market": name, "symbol": "BTCUSDT", "side": act[1]}
        quantity = str(Decimal(act[3]) / 1000)
        control.seed_order("main", price=str(act[2]), quantity=quantity, **wish)
    elif name == "market":
        place = f"{act[1]}/{'api/v3' if act[1] == SPOT else 'fapi/v1'}/order"
        quantity = str(Decimal(act[3]) / 1000)
        bench.ask(
            "POST",
            place,
            {"symbol": "BTCUSDT", "side": act[2], "type": "MARKET", "quantity": quantity},
        )
    elif name == "oco":
        prices = ("76000", "44000", "43500") if act[1] == "SELL" else ("44000", "76000", "76500")
        limit, stop, stop_limit = prices
        control.seed_oco(
            "main",
            symbol="BTCUSDT",
            side=act[1],
            quantity=str(Decimal(act[2]) / 1000),
            price=limit,
            stop_price=stop,
            stop_limit_price=stop_limit,
        )
    elif name == "stop":
        bench.stop_order(str(act[1]), quantity=str(Decimal(act[2]) / 1000))
    elif name == "price":
        control.set_price("BTCUSDT", str(act[1]))
    else:
        _do_to_others(bench, act)


def _do_to_others(bench: Bench, act: tuple[Any, ...]) -> None:
    control, name = bench.control, act[0]
    regular = [row for row in control.open_orders("main") if row["service"] == "regular"]
    if name == "fill" and regular:
        order = regular[act[1] % len(regular)]
        rest = Decimal(order["quantity"]) - Decimal(order["executed"])
        part = (rest / act[2]).quantize(Decimal("0.00001"))
        control.fill(order, str(part or rest))
    elif name == "cancel" and regular:
        control.cancel(regular[act[1] % len(regular)])
    elif name == "funding":
        control.funding("BTCUSDT", str(Decimal(act[1]) / 10_000))
    elif name == "transfer":
        control.transfer("main", "USDT", str(act[2]), act[1])
    elif name == "liquidate":
        control.liquidate("main", "BTCUSDT")
    elif name == "wait":
        bench.pass_ms(act[1])


def _play(acts: list[tuple[Any, ...]], *, moving: bool = False) -> Bench:
    bench = Bench(moving=moving)
    for act in acts:
        try:
            _do(bench, act)
        except (VenueError, ValueError):
            continue
        assert bench.control.defects == []
        assert bench.control.imbalance() == {}
    return bench


@settings(max_examples=60, deadline=None)
@given(_acts())
def test_nothing_is_made_or_lost(acts: list[tuple[Any, ...]]) -> None:
    bench = _play(acts)
    truth = bench.control.truth("main")
    totals: dict[tuple[str, str], Decimal] = {}
    for row in truth["postings"]:
        key = (row["market"], row["asset"])
        totals[key] = totals.get(key, Decimal(0)) + Decimal(row["amount"])
    for market, wallet in truth["balances"].items():
        for asset, balance in wallet.items():
            assert Decimal(balance["total"]) == totals.get((market, asset), Decimal(0))
            assert Decimal(balance["free"]) + Decimal(balance["locked"]) == Decimal(
                balance["total"]
            )


@settings(max_examples=60, deadline=None)
@given(_acts())
def test_locks_are_what_open_orders_need_and_legs_are_the_sum_of_fills(
    acts: list[tuple[Any, ...]],
) -> None:
    bench = _play(acts)
    account = bench.exchange.world.ledger.account("main")
    truth = bench.control.truth("main")
    spot_open = [row for row in truth["open_orders"] if row["market"] == "spot"]
    for asset in ("BTC", "USDT"):
        held = sum(amount for name, amount in account.locks.values() if name == asset)
        assert account.balance("spot", asset).locked == held
        assert account.balance("spot", asset).free >= 0
    if not spot_open:
        assert account.locks == {}
    amount = sum(
        (Decimal(row["quantity"]) * (1 if row["side"] == "BUY" else -1))
        for row in truth["fills"]
        if row["market"] == "usdm"
    )
    legs = {row["position_side"]: Decimal(row["amount"]) for row in truth["positions"]}
    assert legs.get("BOTH", Decimal(0)) == amount
    for order in truth["orders"]:
        executed = sum(
            Decimal(row["quantity"])
            for row in truth["fills"]
            if (row["market"], row["symbol"], row["order_id"])
            == (order["market"], order["symbol"], order["order_id"])
        )
        assert Decimal(order["executed"]) == executed <= Decimal(order["quantity"])


@pytest.mark.invariant("I29")
@settings(max_examples=30, deadline=None)
@given(_acts())
def test_the_same_seed_and_acts_give_the_same_history(acts: list[tuple[Any, ...]]) -> None:
    first, second = _play(acts, moving=True), _play(acts, moving=True)
    assert first.control.digest() == second.control.digest()
    assert [row.as_document() for row in first.log] == [row.as_document() for row in second.log]


def test_another_seed_gives_other_keys_and_prices() -> None:
    one, two = Bench(seed=1, moving=True), Bench(seed=2, moving=True)
    assert one.key != two.key
    place = f"{SPOT}/api/v3/ticker/price"
    asked = {"symbol": "BTCUSDT"}
    assert one.ask("GET", place, asked) != two.ask("GET", place, asked)


def test_moving_prices_fill_resting_orders_with_time() -> None:
    bench = Bench(moving=True)
    price = bench.exchange.world.mid("spot", "BTCUSDT")
    for step in range(1, 30):
        bench.spot_order(price=str(price - step * 20), quantity="0.01")
    for _ in range(200):
        bench.pass_ms(60_000)
    assert bench.control.truth("main")["fills"]
    bench.control.hold_all_prices()
    fills = len(bench.control.truth("main")["fills"])
    for _ in range(50):
        bench.pass_ms(60_000)
    assert len(bench.control.truth("main")["fills"]) == fills


def test_a_balance_adds_up() -> None:
    assert Balance(Decimal("1.5"), Decimal("0.5")).total == 2
