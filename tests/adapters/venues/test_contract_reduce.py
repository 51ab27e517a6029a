"""The rules of reducing, on the real adapter and on the fake that flatten is tested with."""

import itertools
from collections.abc import Callable, Mapping
from decimal import Decimal

import pytest

from resyncctl.core.model import Leg, Scope
from resyncctl.core.mutation import Permit
from resyncctl.core.reduction import Protection, Reduction
from tests.adapters.venues.contract_reduce import RULES, ReduceBench, Rule
from tests.adapters.venues.practice import open_practice
from tests.fakes.fake_clock import FakeClock
from tests.fakes.reducing_venue import ReducingVenue

SYMBOLS = {"spot": "LTC/USDT", "linear": "LTC/USDT:USDT", "inverse": "SOL/USD:SOL"}
NAMES = {"linear": "LTCUSDT", "inverse": "SOLUSD_PERP"}
PARTS = {"inverse": Decimal(2)}
PROTECTIONS = {Leg.LONG: Protection.HEDGE_LEG, Leg.SHORT: Protection.HEDGE_LEG}


def protection_of(product: str, leg: Leg) -> Protection:
    if product == "spot":
        return Protection.FREE_BALANCE
    return PROTECTIONS.get(leg, Protection.REDUCE_ONLY)


def real(product: str, leg: Leg) -> ReduceBench:
    place = open_practice(scopes=[Scope(product)])
    place.control.set_price("LTCUSDT", "100")
    place.control.set_price("SOLUSD_PERP", "100")
    place.control.set_position_mode("main", leg is not Leg.BOTH)
    side = "BOTH" if leg is Leg.BOTH else leg.value.upper()

    def holding() -> Decimal:
        truth = place.control.truth("main")
        if product == "spot":
            return Decimal(truth["balances"]["spot"].get("LTC", {"free": "0"})["free"])
        rows = [row for row in truth["positions"] if row["position_side"] == side]
        return Decimal(rows[0]["amount"]) if rows else Decimal(0)

    def hold(amount: Decimal) -> None:
        if product == "spot":
            change = amount - holding()
            move = place.control.deposit if change > 0 else place.control.withdraw
            if change:
                move("main", "LTC", str(abs(change)))
            return
        place.control.set_position("main", NAMES[product], str(amount), "100", side)

    return ReduceBench(
        view=place.view,
        market=place.venue.market,
        reducer=place.venue.reduce,
        product=product,
        symbol=SYMBOLS[product],
        leg=leg,
        protection=protection_of(product, leg),
        now_ms=place.clock.now_ms,
        permit=place.permit,
        hold=hold,
        holding=holding,
        requests=lambda: len(place.exchange.log.creates()),
        part=PARTS.get(product, Decimal("1.5")),
    )


def fake(product: str, leg: Leg) -> ReduceBench:
    clock = FakeClock()
    venue = ReducingVenue(
        clock=clock,
        mode="one_way" if leg is Leg.BOTH else "hedge",
        cannot={"no such product": "this exchange has no such product"},
    )
    numbers = itertools.count(1)
    symbol = SYMBOLS[product]

    def hold(amount: Decimal) -> None:
        if product == "spot":
            venue.asset("LTC", str(amount))
        else:
            venue.position(symbol, str(amount), leg=leg)

    def holding() -> Decimal:
        if product == "spot":
            return venue.assets.get("LTC", (Decimal(0), Decimal(0)))[0]
        return venue.quantity(symbol, leg)

    def permit(reduction: Reduction | None) -> Permit:
        return Permit(f"i{next(numbers)}", clock.now_ms() + 5_000, 1, reduction)

    hold(Decimal(0))
    return ReduceBench(
        view=venue,
        market=venue,
        reducer=venue,
        product=product,
        symbol=symbol,
        leg=leg,
        protection=protection_of(product, leg),
        now_ms=clock.now_ms,
        permit=permit,
        hold=hold,
        holding=holding,
        requests=lambda: len(venue.reductions),
    )


WAYS = [
    ("spot", Leg.BOTH),
    ("linear", Leg.BOTH),
    ("linear", Leg.LONG),
    ("linear", Leg.SHORT),
]
INVERSE_WAYS = [("inverse", leg) for leg in Leg]
BENCHES: Mapping[str, Callable[[str, Leg], ReduceBench]] = {"fake": fake, "binance": real}


@pytest.mark.invariant("I16")
@pytest.mark.parametrize("name", BENCHES)
@pytest.mark.parametrize(("product", "leg"), WAYS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
async def test_the_rule_holds(rule: Rule, product: str, leg: Leg, name: str) -> None:
    bench = BENCHES[name](product, leg)
    try:
        await bench.view.measure_clock()
        await rule(bench)
    finally:
        await bench.view.close()


@pytest.mark.parametrize(("product", "leg"), INVERSE_WAYS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
async def test_the_rule_holds_for_contracts(rule: Rule, product: str, leg: Leg) -> None:
    await test_the_rule_holds(rule, product, leg, "binance")
