"""A reducing order at the practice exchange: what it may do, and what its answer is worth."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from resyncctl.adapters.venues.via_ccxt.binance.reduce import DEFINITE, created_outcome
from resyncctl.adapters.venues.via_ccxt.permits import Endpoint, EndpointKind
from resyncctl.adapters.venues.via_ccxt.transport import Attempt, Phase
from resyncctl.core.model import Leg, Order, OrderStatus, Position, Scope, Side
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from resyncctl.core.reduction import Protection, Reduction
from resyncctl.core.snapshot import Known, NotFound, OrderReference
from tests.adapters.venues.practice import KEY, LINEAR, SPOT, Practice, open_practice
from tests.adapters.venues.reductions import LONG_LEG, LONG_POSITION, SHORT_LEG, SPOT_HOLDING

MID = Decimal(60_000)
_numbers = itertools.count(1)


@pytest.fixture
async def place() -> AsyncIterator[Practice]:
    made = open_practice()
    made.control.set_price("BTCUSDT", str(MID))
    made.control.deposit("main", "BTC", "10")
    await made.view.measure_clock()
    yield made
    await made.venue.close()


def hold(place: Practice, amount: str, side: str = "BOTH") -> None:
    place.control.set_position_mode("main", side != "BOTH")
    place.control.set_position(
        "main", symbol="BTCUSDT", amount=amount, entry_price=str(MID), position_side=side
    )


def fresh(reduction: Reduction, **changes: Any) -> Reduction:
    return replace(reduction, client_order_id=f"rsc-t-{next(_numbers)}", **changes)


async def send(place: Practice, reduction: Reduction) -> MutationOutcome:
    return await place.venue.reduce.reduce(reduction, place.permit(reduction))


async def position(place: Practice, leg: Leg = Leg.BOTH) -> Decimal:
    section = await place.view.read_positions("linear")
    assert isinstance(section, Known)
    legs: list[Position] = [one for one in section.data if one.leg is leg]
    return legs[0].quantity if legs else Decimal(0)


async def free(place: Practice, asset: str) -> Decimal:
    section = await place.view.read_balances("spot")
    assert isinstance(section, Known)
    (one,) = [balance for balance in section.data if balance.asset == asset]
    assert one.free is not None
    return one.free


async def look_up(place: Practice, reduction: Reduction) -> object:
    scope = Scope(reduction.product)
    return await place.view.look_up_order(
        OrderReference(reduction.product, reduction.symbol, None, reduction.client_order_id, scope)
    )


async def test_a_long_position_is_reduced_and_the_order_can_be_looked_up(place: Practice) -> None:
    hold(place, "2")
    order = fresh(LONG_POSITION)
    outcome = await send(place, order)
    assert outcome.kind is OutcomeKind.ACKNOWLEDGED
    assert await position(place) == Decimal("1.5")
    found = await look_up(place, order)
    assert isinstance(found, Order)
    assert found.venue_order_id == outcome.venue_order_id
    assert (found.status, found.filled) == (OrderStatus.FILLED, Decimal("0.5"))
    assert found.reduce_only
    listed = await place.view.read_open_orders(LINEAR)
    assert isinstance(listed, Known)
    assert listed.data == ()


async def test_a_short_position_is_bought_back(place: Practice) -> None:
    hold(place, "-2")
    order = fresh(LONG_POSITION, side=Side.BUY, holding=Decimal(-2), limit_price=Decimal(61_000))
    assert (await send(place, order)).kind is OutcomeKind.ACKNOWLEDGED
    assert await position(place) == Decimal("-1.5")


@pytest.mark.invariant("I16")
@pytest.mark.parametrize(("leg", "held"), [(LONG_LEG, "2"), (SHORT_LEG, "-2")])
async def test_a_hedge_leg_shrinks_and_the_other_is_not_touched(
    place: Practice, leg: Reduction, held: str
) -> None:
    hold(place, "2", "LONG")
    hold(place, "-2", "SHORT")
    assert (await send(place, fresh(leg))).kind is OutcomeKind.ACKNOWLEDGED
    assert await position(place, leg.leg) == Decimal(held) * Decimal("0.75")
    other = Leg.SHORT if leg.leg is Leg.LONG else Leg.LONG
    assert abs(await position(place, other)) == 2


async def test_a_spot_holding_is_sold(place: Practice) -> None:
    before = await free(place, "BTC")
    order = fresh(SPOT_HOLDING)
    outcome = await send(place, order)
    assert outcome.kind is OutcomeKind.ACKNOWLEDGED
    assert await free(place, "BTC") == before - Decimal("0.5")
    found = await look_up(place, order)
    assert isinstance(found, Order)
    assert (found.venue_order_id, found.filled) == (outcome.venue_order_id, Decimal("0.5"))


@pytest.mark.invariant("I16")
async def test_the_position_is_never_flipped_by_an_old_reading(place: Practice) -> None:
    """Somebody else has closed most of it since it was read."""
    hold(place, "0.2")
    order = fresh(LONG_POSITION)
    assert (await send(place, order)).kind is OutcomeKind.ACKNOWLEDGED
    assert await position(place) == 0
    found = await look_up(place, order)
    assert isinstance(found, Order)
    assert found.filled == Decimal("0.2")
    again = await send(place, fresh(LONG_POSITION))
    assert (again.kind, again.code) == (OutcomeKind.REJECTED, "-2022")
    assert await position(place) == 0


async def test_an_order_whose_price_is_not_met_never_rests(place: Practice) -> None:
    hold(place, "2")
    order = fresh(LONG_POSITION, limit_price=Decimal(61_000))
    assert (await send(place, order)).kind is OutcomeKind.ACKNOWLEDGED
    found = await look_up(place, order)
    assert isinstance(found, Order)
    assert (found.is_terminal, found.filled) == (True, Decimal(0))
    assert await position(place) == 2


@pytest.mark.invariant("I24")
async def test_one_reduction_is_one_request(place: Practice) -> None:
    hold(place, "2")
    order = fresh(LONG_POSITION)
    permit = place.permit(order)
    await place.venue.reduce.reduce(order, permit)
    again = await place.venue.reduce.reduce(order, permit)
    assert (again.kind, again.sent) == (OutcomeKind.REJECTED, False)
    assert len(place.exchange.log.creates()) == 1
    assert await position(place) == Decimal("1.5")


UNKNOWN_FAULTS = (
    "answer_lost", "answer_reset", "answer_truncated", "unknown_503", "code_1006", "code_1007",
    "backend_timeout_408", "bad_gateway_502", "body_html", "body_empty", "body_null",
)  # fmt: skip
REJECTED_FAULTS = (
    "unavailable_503", "clock_refused", "key_refused", "waf_403", "limited_429", "banned_418",
    "signature_refused",
)  # fmt: skip


@pytest.mark.invariant("I19")
@pytest.mark.parametrize("kind", [*UNKNOWN_FAULTS, *REJECTED_FAULTS])
@pytest.mark.parametrize("product", ["spot", "linear"])
async def test_the_outcome_of_each_fault(place: Practice, kind: str, product: str) -> None:
    hold(place, "2")
    order = fresh(SPOT_HOLDING if product == "spot" else LONG_POSITION)
    place.control.inject(kind, "create", times=1)
    outcome = await send(place, order)
    expected = OutcomeKind.UNKNOWN if kind in UNKNOWN_FAULTS else OutcomeKind.REJECTED
    assert (outcome.kind, outcome.sent) == (expected, True), outcome
    assert not outcome.already_gone
    assert len(place.exchange.log.creates()) == 1
    if expected is OutcomeKind.REJECTED:
        place.clock.advance(600_000)
        assert isinstance(await look_up(place, order), NotFound)
        assert await position(place) == 2


async def test_an_order_that_lands_late_is_found_by_its_client_id(place: Practice) -> None:
    hold(place, "2")
    order = fresh(LONG_POSITION)
    place.control.inject("answer_lost", "create", times=1)
    assert (await send(place, order)).kind is OutcomeKind.UNKNOWN
    found = await look_up(place, order)
    assert isinstance(found, Order)
    assert found.filled == Decimal("0.5")


@pytest.mark.invariant("I19")
async def test_the_exchange_refuses_it_after_its_deadline(place: Practice) -> None:
    """A request that the network holds back for longer than its permit makes no order."""
    hold(place, "2")
    order = fresh(LONG_POSITION)
    place.control.inject(
        "request_delayed", "create", times=1, parameters={"delay_ms": 5_001, "fate": "drop"}
    )
    outcome = await send(place, order)
    assert outcome.kind is not OutcomeKind.ACKNOWLEDGED
    place.clock.advance(10_000)
    assert await position(place) == 2
    assert isinstance(await look_up(place, order), NotFound)


async def test_what_is_not_in_order_is_refused_without_a_request(place: Practice) -> None:
    hold(place, "2")
    order = fresh(LONG_POSITION)
    power = place.venue.reduce
    late = replace(place.permit(order), deadline_ms=place.clock.now_ms() + 100)
    stranger = fresh(LONG_POSITION, account="other")
    elsewhere = fresh(LONG_POSITION, product="inverse")
    misnamed = fresh(LONG_POSITION, symbol="ETH/USDT:USDT")
    wrong = [
        (order, place.permit(), "not for this reduction"),
        (order, place.permit(fresh(LONG_POSITION)), "not for this reduction"),
        (order, late, "no time left"),
        (stranger, place.permit(stranger), "account other"),
        (elsewhere, place.permit(elsewhere), "inverse"),
        (misnamed, place.permit(misnamed), "ETHUSDT at the exchange"),
    ]
    for reduction, permit, words in wrong:
        outcome = await power.reduce(reduction, permit)
        assert (outcome.kind, outcome.sent) == (OutcomeKind.REJECTED, False), reduction
        assert words in outcome.message
    assert place.exchange.log.creates() == []


async def test_nothing_is_sent_before_the_clock_is_known() -> None:
    place = open_practice()
    hold(place, "2")
    place.control.inject("body_html", "spot.time", times=0)
    place.control.inject("body_html", "usdm.time", times=0)
    outcome = await send(place, fresh(LONG_POSITION))
    assert (outcome.kind, outcome.sent) == (OutcomeKind.REJECTED, False)
    place.control.clear_faults()
    place.control.set_clock_skew(-30_000)
    assert (await send(place, fresh(LONG_POSITION))).kind is OutcomeKind.ACKNOWLEDGED
    assert len(place.exchange.log.creates()) == 1
    await place.venue.close()


async def test_a_refused_clock_is_put_right_for_the_next_order(place: Practice) -> None:
    hold(place, "2")
    place.control.set_clock_skew(60_000)
    refused = await send(place, fresh(LONG_POSITION))
    assert (refused.kind, refused.code) == (OutcomeKind.REJECTED, "-1021")
    assert (await send(place, fresh(LONG_POSITION))).kind is OutcomeKind.ACKNOWLEDGED


async def test_a_product_outside_of_the_manifest_is_refused() -> None:
    place = open_practice(venue="binance", scopes=(SPOT,))
    power = place.venue.reduce
    assert power.why_not("spot") is None
    assert power.why_not("linear")
    assert power.why_not("inverse")
    outcome = await send(place, fresh(LONG_POSITION))
    assert not outcome.sent
    assert place.exchange.log.creates() == []
    await place.venue.close()


async def test_a_key_that_may_only_read_is_told(place: Practice) -> None:
    hold(place, "2")
    place.control.set_key_permissions(KEY, ["READ"])
    outcome = await send(place, fresh(LONG_POSITION))
    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "-2015")


async def test_reducing_before_the_holding_is_right_is_refused_by_the_exchange(
    place: Practice,
) -> None:
    """The mode was read wrongly: the exchange itself refuses, and nothing grows."""
    hold(place, "2", "LONG")
    outcome = await send(place, fresh(LONG_POSITION))
    assert outcome.kind is OutcomeKind.REJECTED
    assert await position(place, Leg.LONG) == 2


def answered(status: int, body: object) -> Attempt:
    endpoint = Endpoint("linear.reduce", EndpointKind.REDUCE)
    return Attempt(
        endpoint,
        "POST",
        "fapi.binance.com",
        "/fapi/v1/order",
        Phase.ANSWERED,
        status,
        body=body,
        decoded=True,
        trouble=None if status == 200 else f"status {status}",
    )


@pytest.mark.parametrize("code", sorted(DEFINITE))
def test_a_listed_code_is_a_rejection(code: str) -> None:
    outcome = created_outcome(answered(400, {"code": int(code), "msg": "no"}), LONG_POSITION)
    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, code)


@pytest.mark.invariant("I19")
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"code": -4116, "msg": "ClientOrderId is duplicated."}),
        (400, {"code": -2010, "msg": "Duplicate order sent."}),
        (400, {"code": -1000, "msg": "An unknown error occurred"}),
        (400, {"code": -1006, "msg": "Execution status unknown."}),
        (400, {"code": -1007, "msg": "Timeout waiting for response"}),
        (400, {"code": -2011, "msg": "Unknown order sent."}),
        (400, {"code": -2013, "msg": "Order does not exist."}),
        (400, {"code": -9999, "msg": "new in the next version"}),
        (403, {"code": -9999, "msg": "new in the next version"}),
        (409, {"code": -2021, "msg": "partial"}),
        (408, {"code": -1007, "msg": "Timeout"}),
        (400, None),
        (500, {"code": -2010, "msg": "?"}),
        (503, {"code": -1, "msg": "Unknown error, please check your request"}),
        (504, None),
        (200, {"symbol": "BTCUSDT", "clientOrderId": "rsc-other", "orderId": 7}),
        (200, {"symbol": "ETHUSDT", "clientOrderId": LONG_POSITION.client_order_id, "orderId": 7}),
    ],
)
def test_everything_else_is_unknown(status: int, body: object) -> None:
    outcome = created_outcome(answered(status, body), LONG_POSITION)
    assert outcome.kind is OutcomeKind.UNKNOWN, outcome
    assert outcome.venue_order_id is None
    assert not outcome.already_gone, "that is a word about cancels"
    assert not outcome.expected


def test_an_acknowledgement_names_the_order() -> None:
    body = {"symbol": "BTCUSDT", "clientOrderId": LONG_POSITION.client_order_id, "orderId": 77}
    outcome = created_outcome(answered(200, body), LONG_POSITION)
    assert (outcome.kind, outcome.venue_order_id) == (OutcomeKind.ACKNOWLEDGED, "77")


def test_no_protection_of_the_position_is_given_up_after_a_refusal() -> None:
    assert {"-2022", "-4118"} <= DEFINITE
    assert LONG_POSITION.protection is Protection.REDUCE_ONLY
