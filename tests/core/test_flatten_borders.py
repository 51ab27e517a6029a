"""The borders of a flatten plan: what is meant, what protects it, what it counts and costs."""

from dataclasses import replace
from decimal import Decimal

import pytest

from resyncctl.core.flatten_holdings import (
    Choice,
    Holding,
    Instrument,
    names_of,
    protection_of,
    quote_of_pairs,
    spot_holdings,
)
from resyncctl.core.flatten_plan import FlattenPlan, worth_of
from resyncctl.core.model import Balance, Leg, Side
from resyncctl.core.reduction import Protection
from resyncctl.core.snapshot import Unknown
from tests.core.test_flatten_plans import DEEP, ETH, WISH, held, plan
from tests.core.test_flatten_slices import BTC, RULES, book
from tests.core.test_plan import ALGO, order


def spot(quantity: str = "1", symbol: str = "BNB/USDT", asset: str = "BNB") -> Holding:
    amount = Decimal(quantity)
    return Holding(
        product="spot", symbol=symbol, leg=Leg.BOTH, quantity=amount, available=amount, asset=asset
    )


def test_the_side_follows_the_sign() -> None:
    assert held("0.1").side is Side.SELL
    assert held("-0.1").side is Side.BUY


@pytest.mark.parametrize(
    ("symbol", "names"),
    [
        ("BTC/USDT:USDT", {"BTC/USDT:USDT", "BTCUSDT", "BTCUSDT_PERP"}),
        ("BTC/USD:BTC", {"BTC/USD:BTC", "BTCUSD", "BTCUSD_PERP"}),
        ("BTC/USD:BTC-261225", {"BTC/USD:BTC-261225", "BTCUSD_261225"}),
        ("BNB/USDT", {"BNB/USDT", "BNBUSDT", "BNBUSDT_PERP"}),
    ],
)
def test_the_names_of_a_symbol(symbol: str, names: set[str]) -> None:
    assert names_of(symbol) == names


@pytest.mark.invariant("I10", "I16")
@pytest.mark.parametrize(
    ("quantity", "leg", "mode", "expected"),
    [
        ("1", Leg.BOTH, "one_way", Protection.REDUCE_ONLY),
        ("-1", Leg.BOTH, "one_way", Protection.REDUCE_ONLY),
        ("1", Leg.LONG, "hedge", Protection.HEDGE_LEG),
        ("-1", Leg.SHORT, "hedge", Protection.HEDGE_LEG),
        ("1", Leg.SHORT, "hedge", "does not fit the position mode hedge"),
        ("-1", Leg.LONG, "hedge", "does not fit the position mode hedge"),
        ("1", Leg.BOTH, "hedge", "does not fit the position mode hedge"),
        ("1", Leg.LONG, "one_way", "does not fit the position mode one_way"),
        ("1", Leg.BOTH, None, "the position mode is not known"),
        ("1", Leg.LONG, None, "the position mode is not known"),
    ],
)
def test_what_protects_a_leg(
    quantity: str, leg: Leg, mode: str | None, expected: Protection | str
) -> None:
    found = protection_of(held(quantity, leg=leg), mode)
    if isinstance(expected, Protection):
        assert found is expected
    else:
        assert expected in str(found)
        assert not isinstance(found, Protection)


@pytest.mark.parametrize(("quantity", "sold"), [("1", True), ("0", True), ("-1", False)])
def test_only_what_is_owned_is_sold(quantity: str, sold: bool) -> None:
    found = protection_of(spot(quantity), None)
    assert (found is Protection.FREE_BALANCE) is sold
    assert sold or "borrowed" in str(found)


def balance(asset: str, total: str, product: str = "spot") -> Balance:
    amount = Decimal(total)
    return Balance(
        account="main", product=product, asset=asset, free=amount, locked=Decimal(0), total=amount
    )


def test_which_assets_are_meant() -> None:
    rows = [
        balance("BNB", "2"),
        balance("ETH", "1"),
        balance("USDT", "100"),
        balance("DOGE", "5"),
        balance("ADA", "0"),
        balance("XRP", "7", product="linear"),
    ]
    choice = Choice(into="USDT", ignored_assets=("DOGE",))
    assert [one.symbol for one in spot_holdings(rows, choice)] == ["BNB/USDT", "ETH/USDT"]
    one = replace(choice, symbols=("ETHUSDT",))
    assert [found.symbol for found in spot_holdings(rows, one)] == ["ETH/USDT"]


@pytest.mark.parametrize(
    ("symbols", "quote"),
    [
        (["BNB/USDT", "ETH/USDT"], "USDT"),
        (["BNB/USDT", "ETH/BTC"], None),
        (["BNB/USDT", "BTC/USDC:USDC"], "USDT"),
        (["BNB", "ETH/USDT"], "USDT"),
        (["BNB"], None),
        ([], None),
    ],
)
def test_the_one_quote_asset(symbols: list[str], quote: str | None) -> None:
    assert quote_of_pairs(symbols) == quote


def test_resting_orders_and_stops_are_counted_apart() -> None:
    stop = replace(order(9, scope=ALGO), protective=True)
    made = plan(held("1"), orders=(order(1), order(2), stop))
    assert (made.orders, made.stops) == (2, 1)
    bare = FlattenPlan(
        account="main", made_at_ms=0, expires_ms=1, fingerprint="f", wish=WISH, targets=()
    )
    assert (bare.orders, bare.stops) == (0, 0)


def test_only_what_can_be_traded_counts_as_worth() -> None:
    made = plan(held("10.5"), held("0.0004", ETH))
    big, small = made.targets
    assert not big.is_dust
    assert small.is_dust
    blocked = replace(big, blocked="no")
    assert not blocked.is_dust
    unvalued = replace(big, value=None)
    alone = worth_of((big,))
    assert list(alone) == ["USDT"]
    assert worth_of((big, small, blocked, unvalued)) == alone
    assert replace(made, targets=(big, small, blocked)).reducible == (big,)
    assert list(worth_of((small,))) == []
    assert worth_of((big, replace(big, symbol=ETH))) == {"USDT": 2 * (big.value or Decimal(0))}


def test_a_target_whose_rules_are_not_known_keeps_its_own_words() -> None:
    unknown = Instrument(rules=Unknown("HTML"), book=DEEP)
    (leg,) = plan(held("1"), instruments={("linear", BTC): unknown}).targets
    assert (leg.base, leg.quote, leg.venue_symbol) == ("BTC", "USDT", "")
    assert leg.slices == 0
    assert leg.flat_below == 0
    dusty = replace(WISH, dust=(("BNB", Decimal("0.5")), ("BTC", Decimal(9))))
    (asset,) = plan(
        spot(), wish=dusty, instruments={("spot", "BNB/USDT"): unknown}, modes={}
    ).targets
    assert (asset.base, asset.quote, asset.flat_below) == ("BNB", "USDT", Decimal("0.5"))
    (leg,) = plan(held("1"), wish=dusty, instruments={("linear", BTC): unknown}).targets
    assert leg.flat_below == 0
    (known,) = plan(held("1")).targets
    assert known.venue_symbol == RULES.venue_symbol
    assert (known.base, known.quote) == (RULES.base, RULES.quote)


@pytest.mark.parametrize(
    ("holding", "words"),
    [
        (spot(symbol="BNB"), "say which asset to sell it into"),
        (spot("-1"), "borrowed"),
        (replace(spot(), available=None), "does not say how much of it is free"),
    ],
)
def test_why_a_spot_asset_cannot_be_sold(holding: Holding, words: str) -> None:
    (target,) = plan(holding, modes={}).targets
    assert target.blocked is not None
    assert words in target.blocked
    assert not plan(holding, modes={}).reducible


def test_slippage_is_of_the_side_that_is_taken_and_of_the_whole_quantity() -> None:
    lopsided = book(("100", "1"), ("99", "1"), asks=(("110", "1"), ("121", "1")))
    one = {("linear", BTC): Instrument(rules=RULES, book=lopsided)}
    wide = replace(WISH, slippage_max=Decimal("0.5"))

    def slippage(quantity: str) -> Decimal | None:
        (target,) = plan(held(quantity), wish=wide, instruments=one).targets
        return target.slippage

    assert slippage("1") == 0
    assert slippage("2") == Decimal("0.005")
    assert slippage("-1") == 0
    assert slippage("-2") == Decimal("0.05")
    assert slippage("2.5") is None
    assert slippage("0.0001") is None


def test_how_many_orders_it_takes() -> None:
    small = replace(RULES, quantity_max=Decimal(2))
    deep = {("linear", BTC): Instrument(rules=small, book=DEEP)}
    assert plan(held("5"), instruments=deep).targets[0].slices == 3
    assert plan(held("1"), instruments=deep).targets[0].slices == 1
    assert plan(held("0.0001"), instruments=deep).targets[0].slices == 0
    thin = {
        ("linear", BTC): Instrument(rules=RULES, book=book(("100", "1"), asks=(("100.1", "1"),)))
    }
    assert plan(held("3"), instruments=thin).targets[0].slices == 3
