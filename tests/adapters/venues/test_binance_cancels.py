"""One permit, one request; and what a cancel's answer is worth."""

import asyncio
import logging
import re
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from resyncctl.adapters.venues.via_ccxt.binance.coinm import COINM_ENDPOINTS
from resyncctl.adapters.venues.via_ccxt.binance.endpoints import (
    SPOT_ENDPOINTS,
    USDM_ENDPOINTS,
    classify,
)
from resyncctl.adapters.venues.via_ccxt.binance.shapes import SHAPES
from resyncctl.adapters.venues.via_ccxt.permits import EndpointKind
from resyncctl.adapters.venues.via_ccxt.redaction import HIDDEN, redact
from resyncctl.core.model import Order, Scope
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.core.snapshot import Known, Unknown
from tests.adapters.venues.practice import ALGO, KEY, LINEAR, SECRET, SPOT, Practice, open_practice


@pytest.fixture
async def place() -> AsyncIterator[Practice]:
    made = open_practice()
    yield made
    await made.venue.close()


async def orders(place: Practice, scope: Scope) -> tuple[Order, ...]:
    section = await place.view.read_open_orders(scope)
    assert isinstance(section, Known), section
    return section.data


def furnish(place: Practice, count: int = 3) -> None:
    for number in range(count):
        place.spot_order(client_order_id=f"s{number}")
        place.linear_order(client_order_id=f"l{number}")
        place.algo_order(client_order_id=f"a{number}")


@pytest.mark.invariant("I24")
async def test_wire_mutations_never_exceed_permits(place: Practice) -> None:
    furnish(place, 12)
    every = [order for scope in (SPOT, LINEAR, ALGO) for order in await orders(place, scope)]
    for kind in ("answer_lost", "answer_reset", "unknown_503", "code_1007", "clock_refused"):
        place.control.inject(kind, "cancel", times=2, skip=1)
    outcomes = await asyncio.gather(
        *(place.cancel.cancel_order(order, place.permit()) for order in every)
    )
    assert len(outcomes) == len(every) == 36
    assert len(place.exchange.log.mutations()) <= len(place.permits)
    assert place.egress.desk.spent == {permit.intent_id for permit in place.permits}
    assert place.exchange.log.orders_placed() == []


async def test_the_three_cancels_of_a_symbol_reach_their_own_book(place: Practice) -> None:
    for scope, others in ((SPOT, (LINEAR, ALGO)), (LINEAR, (ALGO,)), (ALGO, ())):
        furnish(place, 2)
        before = {other: len(await orders(place, other)) for other in others}
        outcome = await place.cancel.cancel_symbol(scope, "BTC/USDT", "BTCUSDT", place.permit())
        assert outcome.kind is OutcomeKind.ACKNOWLEDGED
        assert await orders(place, scope) == ()
        assert {other: len(await orders(place, other)) for other in others} == before


async def test_a_whole_order_list_goes_with_one_of_its_legs(place: Practice) -> None:
    place.control.seed_oco(
        "main",
        symbol="BTCUSDT",
        side="SELL",
        quantity="1",
        price="9000000",
        stop_price="1000",
        stop_limit_price="900",
    )
    first, second = await orders(place, SPOT)
    assert (await place.cancel.cancel_order(first, place.permit())).kind is OutcomeKind.ACKNOWLEDGED
    assert await orders(place, SPOT) == ()
    again = await place.cancel.cancel_order(second, place.permit())
    assert again.already_gone


@pytest.mark.invariant("I20")
async def test_an_acknowledgement_that_lies_is_still_only_an_acknowledgement(
    place: Practice,
) -> None:
    furnish(place, 2)
    place.control.inject("cancel_pretended", "usdm.cancel_all", times=1)
    outcome = await place.cancel.cancel_symbol(LINEAR, "BTC/USDT:USDT", "BTCUSDT", place.permit())
    assert outcome.kind is OutcomeKind.ACKNOWLEDGED
    assert len(await orders(place, LINEAR)) == 2


OUTCOMES = {
    "answer_lost": OutcomeKind.UNKNOWN,
    "answer_reset": OutcomeKind.UNKNOWN,
    "answer_truncated": OutcomeKind.UNKNOWN,
    "unknown_503": OutcomeKind.UNKNOWN,
    "unavailable_503": OutcomeKind.REJECTED,
    "code_1006": OutcomeKind.UNKNOWN,
    "code_1007": OutcomeKind.UNKNOWN,
    "backend_timeout_408": OutcomeKind.UNKNOWN,
    "bad_gateway_502": OutcomeKind.UNKNOWN,
    "body_html": OutcomeKind.UNKNOWN,
    "body_empty": OutcomeKind.UNKNOWN,
    "clock_refused": OutcomeKind.REJECTED,
    "key_refused": OutcomeKind.REJECTED,
    "waf_403": OutcomeKind.REJECTED,
    "limited_429": OutcomeKind.REJECTED,
    "banned_418": OutcomeKind.REJECTED,
}


@pytest.mark.parametrize("kind", OUTCOMES)
@pytest.mark.parametrize("scope", [SPOT, LINEAR, ALGO], ids=str)
async def test_the_outcome_of_each_fault(place: Practice, kind: str, scope: Scope) -> None:
    furnish(place, 1)
    (order,) = await orders(place, scope)
    place.control.inject(kind, "cancel", times=1)
    outcome = await place.cancel.cancel_order(order, place.permit())
    assert outcome.kind is OUTCOMES[kind], outcome
    assert outcome.sent
    assert len(place.exchange.log.mutations()) == 1


async def test_a_cancel_is_tried_once_and_the_clock_is_put_right(place: Practice) -> None:
    furnish(place, 1)
    (order,) = await orders(place, SPOT)
    place.control.set_clock_skew(60_000)
    outcome = await place.cancel.cancel_order(order, place.permit())
    assert outcome.kind is OutcomeKind.REJECTED
    assert outcome.code == "-1021"
    assert len(place.exchange.log.mutations()) == 1
    again = await place.cancel.cancel_order(order, place.permit())
    assert again.kind is OutcomeKind.ACKNOWLEDGED


async def test_the_wish_for_silence_reaches_the_wave(place: Practice) -> None:
    furnish(place, 2)
    first, second = await orders(place, SPOT)
    place.control.inject("limited_429", "cancel", times=1, parameters={"retry_after_s": 11})
    limited = await place.cancel.cancel_order(first, place.permit())
    assert (limited.retry_after_ms, limited.sent) == (11_000, True)
    kept = await place.cancel.cancel_order(second, place.permit())
    assert (kept.kind, kept.sent) == (OutcomeKind.REJECTED, False)
    assert kept.retry_after_ms is not None
    place.clock.advance(kept.retry_after_ms)
    sent = await place.cancel.cancel_order(second, place.permit())
    assert sent.kind is OutcomeKind.ACKNOWLEDGED


async def test_a_spent_or_expired_permit_sends_nothing(place: Practice) -> None:
    furnish(place, 2)
    first, second = await orders(place, SPOT)
    permit = place.permit()
    await place.cancel.cancel_order(first, permit)
    again = await place.cancel.cancel_order(second, permit)
    assert (again.kind, again.sent) == (OutcomeKind.REJECTED, False)
    late = await place.cancel.cancel_order(second, Permit("late", place.clock.now_ms(), 1))
    assert (late.kind, late.sent) == (OutcomeKind.REJECTED, False)
    assert len(place.exchange.log.mutations()) == 1
    assert len(await orders(place, SPOT)) == 1


async def test_an_order_is_cancelled_by_the_clients_id_when_there_is_no_other(
    place: Practice,
) -> None:
    furnish(place, 1)
    for scope in (SPOT, LINEAR, ALGO):
        (order,) = await orders(place, scope)
        outcome = await place.cancel.cancel_order(
            replace(order, venue_order_id=None), place.permit()
        )
        assert outcome.kind is OutcomeKind.ACKNOWLEDGED
        assert await orders(place, scope) == ()


async def test_what_cannot_be_cancelled_is_refused_without_a_request(place: Practice) -> None:
    furnish(place, 1)
    (order,) = await orders(place, SPOT)
    nameless = replace(order, venue_order_id=None, client_order_id=None)
    placeless = replace(order, venue_symbol=None)
    stranger = replace(order, product="option")
    for one in (nameless, placeless, stranger):
        outcome = await place.cancel.cancel_order(one, place.permit())
        assert (outcome.kind, outcome.sent) == (OutcomeKind.REJECTED, False)
    elsewhere = await place.cancel.cancel_symbol(Scope("option"), "A", "A", place.permit())
    assert not elsewhere.sent
    assert place.exchange.log.mutations() == []
    assert not place.cancel.abilities(Scope("inverse")).by_symbol


async def test_a_key_without_permission_is_told(place: Practice) -> None:
    furnish(place, 1)
    (order,) = await orders(place, SPOT)
    place.control.set_key_permissions(KEY, ["READ"])
    outcome = await place.cancel.cancel_order(order, place.permit())
    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "-2015")


async def test_a_cancelled_task_leaves_the_permit_spent(place: Practice) -> None:
    furnish(place, 1)
    (order,) = await orders(place, SPOT)
    place.control.inject("answer_never", "cancel", times=1)
    permit = place.permit()
    task = asyncio.create_task(place.cancel.cancel_order(order, permit))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    again = await place.cancel.cancel_order(order, permit)
    assert not again.sent
    assert len(place.exchange.log.mutations()) == 1


PASSING = {EndpointKind.READ, EndpointKind.CANCEL, EndpointKind.REDUCE, EndpointKind.SWITCH}


def test_nothing_in_the_table_creates_or_amends_without_a_proof() -> None:
    tables = (SPOT_ENDPOINTS, USDM_ENDPOINTS, COINM_ENDPOINTS)
    every = [one for table in tables for one in table.values()]
    leaving = [one for one in every if one.kind in PASSING]
    assert {one.name for one in leaving if one.prove} == {
        "spot.reduce",
        "linear.reduce",
        "inverse.reduce",
    }
    assert {
        one.name for one in leaving if one.kind is EndpointKind.REDUCE and not one.prove
    } == set()
    # What may leave is exactly what has a shape to be checked by when it comes back.
    assert {endpoint.name for endpoint in leaving} == set(SHAPES)
    assert {one.kind for one in every if one not in leaving} == {
        EndpointKind.CREATE,
        EndpointKind.AMEND,
    }


@pytest.mark.invariant("I10", "I13")
@pytest.mark.parametrize(
    "request_line",
    [
        "POST api.binance.com /api/v3/order/test",
        "POST api.binance.com /api/v3/order/",
        "POST api.binance.com /api/v3/order/cancelReplace",
        "POST api.binance.com /api/v3/order/oco",
        "POST api.binance.com /api/v3/orderList/oco",
        "POST api.binance.com /api/v3/sor/order",
        "POST api.binance.com /sapi/v1/margin/order",
        "POST api.binance.com /sapi/v1/margin/loan",
        "POST fapi.binance.com /api/v3/order",
        "POST api.binance.com /fapi/v1/order",
        "POST evil.example /api/v3/order",
        "POST evil.example /fapi/v1/order",
        "POST fapi.binance.com /fapi/v1/algoOrder",
        "POST fapi.binance.com /fapi/v1/leverage",
        "POST fapi.binance.com /fapi/v1/marginType",
        "POST fapi.binance.com /fapi/v1/positionMargin",
        "POST api.binance.com /sapi/v1/capital/withdraw/apply",
        "POST api.binance.com /sapi/v1/asset/transfer",
        "POST fapi.binance.com /fapi/v1/batchOrders",
        "PUT fapi.binance.com /fapi/v1/order",
        "DELETE fapi.binance.com /fapi/v1/batchOrders",
        "POST api.binance.com /fapi/v1/countdownCancelAll",
        "POST fapi.binance.com /dapi/v1/order",
        "POST dapi.binance.com /fapi/v1/order",
        "POST evil.example /dapi/v1/order",
        "POST dapi.binance.com /dapi/v1/algoOrder",
        "POST dapi.binance.com /dapi/v1/batchOrders",
        "POST dapi.binance.com /dapi/v1/leverage",
        "POST dapi.binance.com /dapi/v1/positionSide/dual",
        "PUT dapi.binance.com /dapi/v1/order",
        "DELETE dapi.binance.com /dapi/v1/batchOrders",
        "POST fapi.binance.com /fapi/v1/positionSide/dual",
        "DELETE evil.example /api/v3/openOrders",
        "GET evil.example /api/v3/account",
        "GET api.binance.com /api/v3/openOrders/../order",
    ],
)
def test_no_other_request_can_leave(request_line: str) -> None:
    method, host, path = request_line.split()
    kind = classify(method, host, path, "", b"").kind
    assert kind not in PASSING


async def test_secrets_are_in_no_text(
    place: Practice, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    furnish(place, 1)
    (order,) = await orders(place, SPOT)
    found: list[object] = []
    for kind in ("answer_lost", "server_error_500", "signature_refused", "body_html"):
        place.control.inject(kind, "cancel", times=1)
        found.append(await place.cancel.cancel_order(order, place.permit()))
        place.control.inject(kind, "usdm.balance", times=2)
        found.append(await place.view.read_balances("linear"))
    assert [type(one) for one in found] == [MutationOutcome, Unknown] * 4
    text = repr(found) + repr(place.venue) + repr(place.egress) + capsys.readouterr().out
    logged = "".join(record.getMessage() + repr(record.args) for record in caplog.records)
    assert "signature" in logged, "ccxt logs signed addresses at debug level"
    for secret in (KEY, SECRET, "canaryKey", "canarySecret"):
        assert secret not in text + logged
    assert not re.search("signature=[0-9a-fA-F]", text + logged)


async def test_the_text_of_ccxts_own_error_is_cleaned(place: Practice) -> None:
    place.control.inject("answer_lost", "spot.account", times=1)
    account: Any = place.view
    with pytest.raises(Exception, match="signature=") as caught:
        await account.desk.connection.exchange.private_get_account()
    told = redact("".join(traceback.format_exception(caught.value)))
    assert f"signature={HIDDEN}" in told
    assert "signature=" not in told.replace(f"signature={HIDDEN}", "")
    assert KEY not in told
