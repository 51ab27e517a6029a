"""Every COIN-M call of the deep profile, times every body that a sick exchange may send.

The account is full of orders, fills and balances, so that an empty answer is always a lie.
"""

from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from resyncctl.core.market import InstrumentRules, OrderBook
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from resyncctl.core.snapshot import Known, NotFound, OrderReference, Unknown
from tests.adapters.venues.practice import INVERSE, INVERSE_ALGO, LINEAR, Practice, open_practice
from tests.adapters.venues.test_binance_fail_closed import (
    BODIES,
    Call,
    is_clean,
    result_of,
    window,
)

PERPETUAL = "BTC/USD:BTC"


def reference(scope: object) -> OrderReference:
    algo = scope == INVERSE_ALGO
    name = "mine-inverse-algo" if algo else "mine-inverse-regular"
    return OrderReference("inverse", PERPETUAL, None, name, INVERSE_ALGO if algo else INVERSE)


async def cancel_found(place: Practice, scope: object) -> MutationOutcome:
    order = await place.view.look_up_order(reference(scope))
    assert not isinstance(order, Unknown | NotFound), order
    return await place.cancel.cancel_order(order, place.permit())


async def cancel_symbol(place: Practice, algo: bool) -> MutationOutcome:
    scope = INVERSE_ALGO if algo else INVERSE
    return await place.cancel.cancel_symbol(scope, PERPETUAL, "BTCUSD_PERP", place.permit())


READS: Mapping[str, tuple[str, Call]] = {
    "open orders": ("coinm.open_orders", lambda p: p.view.read_open_orders(INVERSE)),
    "algo orders": ("coinm.open_algos", lambda p: p.view.read_open_orders(INVERSE_ALGO)),
    "positions": ("coinm.account", lambda p: p.view.read_positions("inverse")),
    "position mode": ("coinm.position_mode", lambda p: p.view.read_position_mode("inverse")),
    "balances": ("coinm.balance", lambda p: p.view.read_balances("inverse")),
    "identity": ("coinm.balance", lambda p: p.view.read_identity("inverse")),
    "fills": ("coinm.user_trades", lambda p: p.view.read_fills("inverse", window(p), ())),
    "symbols of fills": ("coinm.income", lambda p: p.view.read_fills("inverse", window(p), ())),
    "ledger": ("coinm.income", lambda p: p.view.read_ledger("inverse", window(p))),
    "look-up": ("coinm.order", lambda p: p.view.look_up_order(reference(INVERSE))),
    "algo look-up": ("coinm.algo_order", lambda p: p.view.look_up_order(reference(INVERSE_ALGO))),
    "rules": ("coinm.exchange_info", lambda p: p.venue.market.read_rules("inverse", PERPETUAL)),
    "book": ("coinm.depth", lambda p: p.venue.market.read_book("inverse", PERPETUAL)),
    "clock": ("coinm.time", lambda p: p.view.measure_clock()),
}
MUTATIONS: Mapping[str, tuple[str, Call]] = {
    "order": ("coinm.cancel", lambda p: cancel_found(p, INVERSE)),
    "symbol": ("coinm.cancel_all", lambda p: cancel_symbol(p, algo=False)),
    "algo order": ("coinm.cancel_algo", lambda p: cancel_found(p, INVERSE_ALGO)),
    "algo symbol": ("coinm.cancel_all_algos", lambda p: cancel_symbol(p, algo=True)),
    "countdown": (
        "coinm.countdown",
        lambda p: p.venue.switch.arm("inverse", "BTCUSD_PERP", 60_000, p.permit()),
    ),
}
ROW_FIELDS = {
    "coinm.open_orders": "positionSide",
    "coinm.open_algos": "algoStatus",
    "coinm.account": "positions",
    "coinm.position_mode": "dualSidePosition",
    "coinm.balance": "balance",
    "coinm.user_trades": "qty",
    "coinm.income": "income",
    "coinm.order": "executedQty",
    "coinm.algo_order": "algoStatus",
}
LEG = {"symbol": "BTCUSD_PERP", "positionSide": "BOTH", "positionAmt": "1", "entryPrice": "1"}
VALUES: tuple[tuple[str, str, object], ...] = (
    ("coinm.account", "positions", [LEG | {"positionAmt": "NaN"}]),
    ("coinm.account", "positions", [LEG | {"positionSide": "SIDEWAYS"}]),
    ("coinm.account", "positions", [LEG | {"symbol": None}]),
    ("coinm.account", "positions", [LEG, "leg"]),
    ("coinm.account", "positions", {}),
    ("coinm.open_orders", "status", "SLEEPING"),
    ("coinm.open_orders", "origQty", ""),
    ("coinm.open_algos", "algoStatus", "SLEEPING"),
    ("coinm.balance", "balance", "Infinity"),
    ("coinm.user_trades", "qty", "0"),
    ("coinm.user_trades", "price", "abc"),
    ("coinm.income", "income", None),
)


def furnish(place: Practice) -> Practice:
    """Put something into every place that a call may look at."""
    for price in ("20000", "21000"):
        wish = {"symbol": "BTCUSD_PERP", "side": "BUY", "quantity": "3"}
        place.control.trade("main", price, market="coinm", **wish)
    place.inverse_order(client_order_id="mine-inverse-regular")
    place.inverse_algo(client_order_id="mine-inverse-algo")
    return place


@pytest.fixture
async def places() -> AsyncIterator[Callable[[], Practice]]:
    made: list[Practice] = []

    def make() -> Practice:
        made.append(furnish(open_practice(venue="binancecoinm")))
        return made[-1]

    yield make
    for place in made:
        await place.venue.close()


def clean(result: object) -> bool:
    return isinstance(result, InstrumentRules | OrderBook) or is_clean(result)


@pytest.mark.invariant("I2")
@pytest.mark.parametrize("body", BODIES)
async def test_no_sick_body_becomes_a_clean_reading(
    places: Callable[[], Practice], body: str
) -> None:
    for name, (endpoint, call) in READS.items():
        place = places()
        assert clean(await result_of(place, call)), (name, "without a fault")
        place.control.inject(body, endpoint, times=0, parameters=BODIES[body])
        result = await result_of(place, call)
        assert place.control.fault_ledger(), (name, "the fault did not fire")
        assert not clean(result), (name, body, result)
        assert not isinstance(result, NotFound)


@pytest.mark.parametrize("body", BODIES)
async def test_no_sick_body_becomes_an_acknowledgement(
    places: Callable[[], Practice], body: str
) -> None:
    for name, (endpoint, call) in MUTATIONS.items():
        place = places()
        place.control.inject(body, endpoint, times=1, parameters=BODIES[body])
        result = await result_of(place, call)
        assert isinstance(result, MutationOutcome)
        assert place.control.fault_ledger(), (name, "the fault did not fire")
        assert not is_clean(result), (name, body, result)
        executed = any(row["changed"] for row in place.control.fault_ledger())
        if executed and body not in ("waf_403", "limited_429", "banned_418"):
            assert result.kind is OutcomeKind.UNKNOWN, (name, body, result)


@pytest.mark.parametrize("endpoint", sorted(ROW_FIELDS))
async def test_a_row_without_a_needed_field_makes_the_section_unknown(
    places: Callable[[], Practice], endpoint: str
) -> None:
    calls = [call for where, call in READS.values() if where == endpoint]
    assert calls
    for call in calls:
        place = places()
        place.control.inject(
            "body_missing_field", endpoint, times=0, parameters={"field": ROW_FIELDS[endpoint]}
        )
        assert isinstance(await result_of(place, call), Unknown)


@pytest.mark.parametrize(("endpoint", "field", "value"), VALUES)
async def test_a_value_that_cannot_be_makes_the_section_unknown(
    places: Callable[[], Practice], endpoint: str, field: str, value: object
) -> None:
    call = next(call for where, call in READS.values() if where == endpoint)
    place = places()
    place.control.inject(
        "row_altered", endpoint, times=0, parameters={"field": field, "value": value}
    )
    result = await result_of(place, call)
    assert place.control.fault_ledger()
    assert isinstance(result, Unknown), result


async def test_unknown_fields_do_no_harm(places: Callable[[], Practice]) -> None:
    for name, (endpoint, call) in READS.items():
        place = places()
        place.control.inject("body_extra_fields", endpoint, times=0)
        assert clean(await result_of(place, call)), name


async def test_a_pause_that_one_futures_host_asks_for_holds_for_both() -> None:
    place = open_practice(scopes=[INVERSE, LINEAR])
    place.control.inject("limited_429", "usdm.positions", times=1)
    assert isinstance(await place.view.read_positions("linear"), Unknown)
    before = len(place.asked())
    told = await place.view.read_positions("inverse")
    assert isinstance(told, Unknown)
    assert "silence" in told.reason
    assert len(place.asked()) == before
    assert isinstance(await place.view.read_balances("spot"), Known)
    await place.venue.close()


async def test_both_futures_hosts_spend_from_one_budget() -> None:
    place = open_practice(scopes=[INVERSE])
    await place.view.read_balances("inverse")
    await place.view.read_open_orders(INVERSE)
    assert place.egress.budget("fapi.binance.com").used == 1 + 40 + 1  # the instruments
    assert place.egress.budget("dapi.binance.com") is place.egress.budget("fapi.binance.com")
    await place.venue.close()


async def test_an_empty_listing_of_legs_is_asked_for_a_second_time(
    places: Callable[[], Practice],
) -> None:
    """The account lists every contract, flat ones too, so an empty list is no evidence."""
    place = places()
    nothing = {"field": "positions", "value": []}
    place.control.inject("row_altered", "coinm.account", times=0, parameters=nothing)
    section = await place.view.read_positions("inverse")
    assert isinstance(section, Known)
    assert [(row.symbol, str(row.quantity)) for row in section.data] == [(PERPETUAL, "6")]
    place.control.inject("body_html", "coinm.positions", times=0)
    assert isinstance(await place.view.read_positions("inverse"), Unknown)


async def test_a_whole_listing_is_not_asked_for_twice(places: Callable[[], Practice]) -> None:
    place = places()
    await place.view.read_positions("inverse")
    assert [row.endpoint for row in place.asked("read")].count("coinm.positions") == 0


@pytest.mark.parametrize("status", ["HALT", "SETTLING", "CLOSE"])
async def test_a_leg_of_a_contract_that_is_not_traded_is_seen(
    places: Callable[[], Practice], status: str
) -> None:
    """The listing of positions leaves such a contract out; the account does not."""
    place = places()
    place.control.set_symbol_status("coinm", "BTCUSD_PERP", status)
    section = await place.view.read_positions("inverse")
    assert isinstance(section, Known)
    assert [row.symbol for row in section.data] == [PERPETUAL]
