"""Every call of the deep profile, times every body that a sick exchange may send.

The account is full of orders, fills and balances, so that an empty answer is always a lie. A read
must never become a complete section out of such a body, and a cancel must never be acknowledged.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from resyncctl.core.errors import ResyncError
from resyncctl.core.model import Order, Scope
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from resyncctl.core.snapshot import Known, NotFound, OrderReference, Unknown, Window
from resyncctl.ports.views import ClockReading
from tests.adapters.venues.practice import ALGO, LINEAR, SPOT, Practice, open_practice

Call = Callable[[Practice], Awaitable[object]]


def window(place: Practice) -> Window:
    return Window(place.clock.now_ms() - 3_600_000, place.clock.now_ms())


def reference(scope: Scope) -> OrderReference:
    symbol = "BTC/USDT" if scope == SPOT else "BTC/USDT:USDT"
    return OrderReference(scope.product, symbol, None, f"mine-{scope}".replace("/", "-"), scope)


async def listed(place: Practice, scope: Scope) -> Order:
    found = await place.view.look_up_order(reference(scope))
    assert isinstance(found, Order), found
    return found


async def cancel_one(place: Practice, scope: Scope) -> MutationOutcome:
    order = await listed(place, scope)
    return await place.cancel.cancel_order(order, place.permit())


async def cancel_all(place: Practice, scope: Scope) -> MutationOutcome:
    return await place.cancel.cancel_symbol(scope, "BTC/USDT", "BTCUSDT", place.permit())


async def cancel_list(place: Practice) -> MutationOutcome:
    section = await place.view.read_open_orders(SPOT)
    assert isinstance(section, Known)
    order = next(order for order in section.data if order.list_id is not None)
    return await place.cancel.cancel_order(order, place.permit())


SPOT_READS: Mapping[str, tuple[str, Call]] = {
    "clock": ("spot.time", lambda p: p.view.measure_clock()),
    "open orders": ("spot.open_orders", lambda p: p.view.read_open_orders(SPOT)),
    "order lists": ("spot.open_order_lists", lambda p: p.view.read_open_orders(SPOT)),
    "balances": ("spot.account", lambda p: p.view.read_balances("spot")),
    "identity": ("spot.account", lambda p: p.view.read_identity("spot")),
    "fills": ("spot.my_trades", lambda p: p.view.read_fills("spot", window(p), ("BTC/USDT",))),
    "deposits": ("spot.deposits", lambda p: p.view.read_ledger("spot", window(p))),
    "withdrawals": ("spot.withdrawals", lambda p: p.view.read_ledger("spot", window(p))),
    "transfers": ("spot.transfers", lambda p: p.view.read_ledger("spot", window(p))),
    "look-up": ("spot.order", lambda p: p.view.look_up_order(reference(SPOT))),
}
LINEAR_READS: Mapping[str, tuple[str, Call]] = {
    "open orders": ("usdm.open_orders", lambda p: p.view.read_open_orders(LINEAR)),
    "algo orders": ("usdm.open_algos", lambda p: p.view.read_open_orders(ALGO)),
    "positions": ("usdm.positions", lambda p: p.view.read_positions("linear")),
    "position mode": ("usdm.account_config", lambda p: p.view.read_position_mode("linear")),
    "balances": ("usdm.balance", lambda p: p.view.read_balances("linear")),
    "identity": ("usdm.balance", lambda p: p.view.read_identity("linear")),
    "fills": ("usdm.user_trades", lambda p: p.view.read_fills("linear", window(p), ())),
    "symbols of fills": ("usdm.income", lambda p: p.view.read_fills("linear", window(p), ())),
    "ledger": ("usdm.income", lambda p: p.view.read_ledger("linear", window(p))),
    "look-up": ("usdm.order", lambda p: p.view.look_up_order(reference(LINEAR))),
    "algo look-up": ("usdm.algo_order", lambda p: p.view.look_up_order(reference(ALGO))),
}
CANCELS: Mapping[str, tuple[str, Call]] = {
    "spot order": ("spot.cancel", lambda p: cancel_one(p, SPOT)),
    "spot list": ("spot.cancel_list", cancel_list),
    "spot symbol": ("spot.cancel_all", lambda p: cancel_all(p, SPOT)),
    "linear order": ("usdm.cancel", lambda p: cancel_one(p, LINEAR)),
    "linear symbol": ("usdm.cancel_all", lambda p: cancel_all(p, LINEAR)),
    "algo order": ("usdm.cancel_algo", lambda p: cancel_one(p, ALGO)),
    "algo symbol": ("usdm.cancel_all_algos", lambda p: cancel_all(p, ALGO)),
}
BODIES: Mapping[str, Mapping[str, Any]] = {
    "body_empty": {},
    "body_object": {},
    "body_null": {},
    "body_html": {},
    "body_cut": {},
    "body_wrong_type": {},
    "body_error_in_200": {},
    "bad_gateway_502": {},
    "server_error_500": {},
    "waf_403": {},
    "limited_429": {},
    "banned_418": {},
    "answer_lost": {},
    "answer_reset": {},
    "answer_truncated": {},
    "code_1007": {"executed": True},
    "unknown_503": {"executed": True},
}
ROW_FIELDS = {
    "spot.open_orders": "executedQty",
    "spot.my_trades": "commission",
    "spot.order": "status",
    "spot.account": "balances",
    "spot.deposits": "amount",
    "spot.transfers": "total",
    "usdm.open_orders": "positionSide",
    "usdm.open_algos": "algoStatus",
    "usdm.positions": "positionAmt",
    "usdm.account_config": "dualSidePosition",
    "usdm.balance": "balance",
    "usdm.user_trades": "qty",
    "usdm.income": "income",
    "usdm.order": "executedQty",
    "usdm.algo_order": "algoStatus",
}


def furnish(place: Practice) -> Practice:
    """Put something into every place that a call may look at."""
    for price in ("20000", "21000"):
        place.control.trade(
            "main", price, market="spot", symbol="BTCUSDT", side="BUY", quantity="0.1"
        )
        place.control.trade(
            "main", price, market="usdm", symbol="BTCUSDT", side="BUY", quantity="0.1"
        )
    place.control.withdraw("main", "USDT", "1")
    place.control.transfer("main", "USDT", "1")
    place.control.transfer("main", "USDT", "1", source="usdm")
    place.spot_order(client_order_id="mine-spot-regular")
    place.linear_order(client_order_id="mine-linear-regular")
    place.algo_order(client_order_id="mine-linear-algo")
    place.control.seed_oco(
        "main",
        symbol="BTCUSDT",
        side="SELL",
        quantity="1",
        price="9000000",
        stop_price="1000",
        stop_limit_price="900",
    )
    return place


@pytest.fixture
async def places() -> AsyncIterator[Callable[[str], Practice]]:
    made: list[Practice] = []

    def make(venue: str) -> Practice:
        made.append(furnish(open_practice(venue=venue)))
        return made[-1]

    yield make
    for place in made:
        await place.venue.close()


async def result_of(place: Practice, call: Call) -> object:
    try:
        return await call(place)
    except ResyncError as error:
        return error


def is_clean(result: object) -> bool:
    """Whether a procedure could take this result for the whole truth."""
    if isinstance(result, Known):
        return result.complete
    if isinstance(result, MutationOutcome):
        return result.kind is OutcomeKind.ACKNOWLEDGED
    return not isinstance(result, Unknown | ResyncError)


@pytest.mark.invariant("I2")
@pytest.mark.parametrize("body", BODIES)
async def test_no_sick_body_becomes_a_clean_reading(
    places: Callable[[str], Practice], body: str
) -> None:
    for venue, reads in (
        ("binance", SPOT_READS),
        ("binance", LINEAR_READS),
        ("binanceusdm", LINEAR_READS),
    ):
        for name, (endpoint, call) in reads.items():
            place = places(venue)
            assert is_clean(await result_of(place, call)), (venue, name, "without a fault")
            place.control.inject(body, endpoint, times=0, parameters=BODIES[body])
            result = await result_of(place, call)
            assert place.control.fault_ledger(), (venue, name, "the fault did not fire")
            assert not is_clean(result), (venue, name, body, result)
            assert not isinstance(result, NotFound)


@pytest.mark.parametrize("body", BODIES)
async def test_no_sick_body_becomes_an_acknowledgement(
    places: Callable[[str], Practice], body: str
) -> None:
    for venue in ("binance", "binanceusdm"):
        for name, (endpoint, call) in CANCELS.items():
            if venue == "binanceusdm" and name.startswith("spot"):
                continue
            place = places(venue)
            place.control.inject(body, endpoint, times=1, parameters=BODIES[body])
            result = await result_of(place, call)
            assert isinstance(result, MutationOutcome)
            assert place.control.fault_ledger(), (venue, name, "the fault did not fire")
            assert not is_clean(result), (venue, name, body, result)
            executed = any(row["changed"] for row in place.control.fault_ledger())
            if executed and body not in ("waf_403", "limited_429", "banned_418"):
                assert result.kind is OutcomeKind.UNKNOWN, (venue, name, body, result)
            assert len(place.exchange.log.mutations()) == 1


@pytest.mark.parametrize("endpoint", sorted(ROW_FIELDS))
async def test_a_row_without_a_needed_field_makes_the_section_unknown(
    places: Callable[[str], Practice], endpoint: str
) -> None:
    calls = [
        call
        for reads in (SPOT_READS, LINEAR_READS)
        for where, call in reads.values()
        if where == endpoint
    ]
    assert calls
    for call in calls:
        place = places("binance")
        place.control.inject(
            "body_missing_field", endpoint, times=0, parameters={"field": ROW_FIELDS[endpoint]}
        )
        assert isinstance(await result_of(place, call), Unknown)


async def test_unknown_fields_do_no_harm(places: Callable[[str], Practice]) -> None:
    for reads in (SPOT_READS, LINEAR_READS):
        for name, (endpoint, call) in reads.items():
            place = places("binance")
            place.control.inject("body_extra_fields", endpoint, times=0)
            assert is_clean(await result_of(place, call)), name


@pytest.mark.parametrize(
    ("endpoint", "field", "value"),
    [
        ("usdm.positions", "positionAmt", "NaN"),
        ("usdm.positions", "positionAmt", "1e"),
        ("usdm.positions", "positionSide", "SIDEWAYS"),
        ("usdm.open_orders", "status", "SLEEPING"),
        ("usdm.open_algos", "algoStatus", "SLEEPING"),
        ("usdm.balance", "balance", "Infinity"),
        ("usdm.user_trades", "qty", "0"),
        ("spot.open_orders", "side", "HOLD"),
        ("spot.open_orders", "origQty", ""),
        ("spot.my_trades", "price", "abc"),
        ("spot.deposits", "amount", None),
    ],
)
async def test_a_value_that_cannot_be_makes_the_section_unknown(
    places: Callable[[str], Practice], endpoint: str, field: str, value: object
) -> None:
    call = next(
        call
        for reads in (SPOT_READS, LINEAR_READS)
        for where, call in reads.values()
        if where == endpoint
    )
    place = places("binance")
    place.control.inject(
        "row_altered", endpoint, times=0, parameters={"field": field, "value": value}
    )
    result = await result_of(place, call)
    assert place.control.fault_ledger()
    assert isinstance(result, Unknown), result


async def test_the_same_row_twice_counts_once(places: Callable[[str], Practice]) -> None:
    for endpoint, call in (
        SPOT_READS["open orders"],
        LINEAR_READS["positions"],
        LINEAR_READS["fills"],
        LINEAR_READS["ledger"],
    ):
        place = places("binance")
        before = await result_of(place, call)
        place.control.inject("page_duplicate", endpoint, times=0)
        after = await result_of(place, call)
        assert isinstance(before, Known)
        assert isinstance(after, Known)
        assert place.control.fault_ledger()
        assert after.data == before.data


def test_the_size_of_the_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    reads = len(SPOT_READS) + 2 * len(LINEAR_READS)
    cancels = 2 * len(CANCELS) - 3
    size = (reads + cancels) * len(BODIES)
    with capsys.disabled():
        print(f"\ndeep fail-closed matrix: {size} cells ({reads} reads, {cancels} cancels)")  # noqa: T201  # the size is part of the evidence
    assert size >= 600


async def test_the_clock_needs_an_answer(places: Callable[[str], Practice]) -> None:
    place = places("binanceusdm")
    assert isinstance(await place.view.measure_clock(), ClockReading)
    place.control.inject("body_html", "usdm.time", times=0)
    assert isinstance(await place.view.measure_clock(), Unknown)
