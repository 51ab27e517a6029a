"""The rules of the ports on COIN-M, through both venue ids that reach it.

The symbols of the rules are linear names; here each stands for the contract of the same coin.
"""

import pytest

from resyncctl.adapters.venues.via_ccxt.binance.coinm import COINM
from resyncctl.core.model import Scope
from tests.adapters.venues.contract import RULES, Bench, Rule
from tests.adapters.venues.practice import INVERSE, INVERSE_ALGO, open_practice

ENDPOINTS = {INVERSE: "coinm.open_orders", INVERSE_ALGO: "coinm.open_algos"}


def bench_of(venue: str, scope: Scope) -> Bench:
    place = open_practice(venue=venue, scopes=(INVERSE,))

    def rest(symbol: str) -> None:
        if scope == INVERSE:
            place.inverse_order(symbol=symbol, price="1000")
        else:
            place.inverse_algo(symbol=symbol, stop_price="10")

    return Bench(
        view=place.view,
        cancel=place.cancel,
        scope=scope,
        now_ms=place.clock.now_ms,
        permit=place.permit,
        rest=rest,
        blind=lambda: place.control.inject("body_html", ENDPOINTS[scope], times=0),
        mutations=lambda: len(place.exchange.log.mutations()),
        symbols=("BTCUSD_PERP", "ETHUSD_PERP"),
    )


@pytest.mark.parametrize("scope", [INVERSE, INVERSE_ALGO], ids=str)
@pytest.mark.parametrize("venue", ["binance", "binancecoinm"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
async def test_the_rule_holds(rule: Rule, venue: str, scope: Scope) -> None:
    bench = bench_of(venue, scope)
    try:
        await rule(bench)
    finally:
        await bench.view.close()


def test_the_dialect_names_endpoints_that_ccxt_has() -> None:
    place = open_practice(venue="binancecoinm")
    exchange = place.venue.view.desk.connection.exchange  # type: ignore[attr-defined]  # looking behind the port
    names = [
        *COINM.listings.values(),
        *(
            getattr(COINM, field)
            for field in (
                "positions",
                "mode",
                "balances",
                "income",
                "trades",
                "order",
                "algo_order",
            )
        ),
    ]
    assert all(callable(getattr(exchange, name)) for name in names)
