"""The rules of the ports, on the real adapter and on the fake that the procedures are tested with.

A fake that breaks a rule would let the procedures' tests prove the wrong thing.
"""

import itertools
from collections.abc import Callable, Mapping
from decimal import Decimal

import pytest

from resyncctl.core.model import Order, OrderStatus, Scope, Side
from resyncctl.core.mutation import Permit
from tests.adapters.venues.contract import RULES, Bench, Rule
from tests.adapters.venues.practice import ALGO, LINEAR, SPOT, open_practice
from tests.fakes.fake_clock import FakeClock
from tests.fakes.fake_venue import FakeVenue

ENDPOINTS = {SPOT: "spot.open_orders", LINEAR: "usdm.open_orders", ALGO: "usdm.open_algos"}
PRICES = {"BTCUSDT": "20000", "ETHUSDT": "1000"}


def real(venue: str, scope: Scope) -> Bench:
    place = open_practice(venue=venue)

    def rest(symbol: str) -> None:
        if scope == SPOT:
            place.spot_order(symbol=symbol, price=PRICES[symbol])
        elif scope == LINEAR:
            place.linear_order(symbol=symbol, price=PRICES[symbol])
        else:
            place.algo_order(symbol=symbol, stop_price="10")

    return Bench(
        view=place.view,
        cancel=place.cancel,
        scope=scope,
        now_ms=place.clock.now_ms,
        permit=place.permit,
        rest=rest,
        blind=lambda: place.control.inject("body_html", ENDPOINTS[scope], times=0),
        mutations=lambda: len(place.exchange.log.mutations()),
    )


def fake() -> Bench:
    clock = FakeClock()
    venue = FakeVenue(clock=clock, scopes=(SPOT,))
    numbers = itertools.count(1)

    def rest(symbol: str) -> None:
        number = next(numbers)
        venue.put(
            Order(
                account="main",
                product="spot",
                symbol=f"{symbol[:3]}/{symbol[3:]}",
                venue_symbol=symbol,
                side=Side.BUY,
                type="LIMIT",
                status=OrderStatus.ACCEPTED,
                client_order_id=f"c{number}",
                venue_order_id=str(number),
                quantity=Decimal(1),
                filled=Decimal(0),
            )
        )

    def blind() -> None:
        venue.unreadable[SPOT] = 99

    return Bench(
        view=venue,
        cancel=venue,
        scope=SPOT,
        now_ms=clock.now_ms,
        permit=lambda: Permit(f"i{next(numbers)}", clock.now_ms() + 5_000, 1),
        rest=rest,
        blind=blind,
        mutations=lambda: len(venue.permits),
    )


BENCHES: Mapping[str, Callable[[], Bench]] = {
    "fake": fake,
    "binance spot": lambda: real("binance", SPOT),
    "binance linear": lambda: real("binance", LINEAR),
    "binance algo": lambda: real("binance", ALGO),
    "binanceusdm linear": lambda: real("binanceusdm", LINEAR),
    "binanceusdm algo": lambda: real("binanceusdm", ALGO),
}


@pytest.mark.parametrize("name", BENCHES)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
async def test_the_rule_holds(rule: Rule, name: str) -> None:
    bench = BENCHES[name]()
    try:
        await rule(bench)
    finally:
        await bench.view.close()
