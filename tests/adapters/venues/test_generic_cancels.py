"""A cancel is acknowledged only by the venue's word about that very order."""

import asyncio
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from resyncctl.adapters.venues.via_ccxt.traps import mass_cancel_is_refused
from resyncctl.core.model import Order, OrderStatus, Scope, Side
from resyncctl.core.mutation import OutcomeKind, Permit
from resyncctl.core.snapshot import Known
from tests.adapters.venues.generic_kit import BODIES, NOW_MS, Opened, open_scripted, permit
from tests.adapters.venues.scripted import Say

CANCEL = "POST /v5/order/cancel"


def an_order(scope: Scope, order_id: str | None, symbol: str = "ETHUSDT") -> Order:
    return Order(
        account="desk-a",
        product=scope.product,
        symbol=symbol,
        side=Side.BUY,
        type="limit",
        status=OrderStatus.ACCEPTED,
        client_order_id="mine",
        venue_order_id=order_id,
        quantity=Decimal(1),
        filled=Decimal(0),
        order_class=scope.order_class,
        venue_symbol=symbol,
    )


BYBIT_ID = "fd4300ae-7847-404e-b947-b46980a4d140"
ORDER = an_order(Scope("linear"), BYBIT_ID)


def bybit_says(answer: object) -> Opened:
    return open_scripted("bybit", {CANCEL: answer})


@pytest.mark.parametrize("venue", sorted(BODIES))
async def test_every_listed_order_can_be_cancelled_with_one_request(venue: str) -> None:
    opened = open_scripted(venue)
    cancelled = 0
    for scope in opened.view.profile.scopes:
        section = await opened.view.read_open_orders(scope)
        if not isinstance(section, Known) or not section.data:
            continue
        order = section.data[0]
        if venue == "cryptocom" and order.venue_order_id == "7":
            continue  # the documented answer is about the other order
        before = len(opened.session.asked)
        cancelled += 1
        outcome = await opened.view.cancel_order(order, permit(cancelled))
        assert outcome.kind is OutcomeKind.ACKNOWLEDGED, (scope, outcome)
        assert len(opened.session.asked) == before + 1
    assert cancelled
    assert len(opened.egress.desk.spent) == cancelled
    await opened.view.close()


async def test_a_cancel_repeats_what_its_listing_said() -> None:
    row: Any = BODIES["bybit"]["GET /v5/order/realtime"]
    stop = {**row["result"]["list"][0], "stopOrderType": "tpslOrder"}
    body = {**row, "result": {**row["result"], "list": [stop]}}
    scope = next(s for s in open_scripted_scopes("bybit") if str(s) == "spot/algo")
    opened = open_scripted(
        "bybit", {"GET /v5/order/realtime": body, CANCEL: BODIES["bybit"][CANCEL]}
    )
    section = await opened.view.read_open_orders(scope)
    assert isinstance(section, Known)
    await opened.view.cancel_order(section.data[0], permit())
    sent: Any = opened.session.asked[-1].params["body"]
    assert sent == {
        "category": "spot",
        "symbol": "ETHUSDT",
        "orderId": BYBIT_ID,
        "orderFilter": "tpslOrder",
    }
    await opened.view.close()


def open_scripted_scopes(venue: str) -> tuple[Scope, ...]:
    from resyncctl.adapters.venues.via_ccxt.generic_plans import plan_for

    plan = plan_for(venue)
    assert plan is not None
    return tuple(plan.orders)


async def test_a_cancel_without_a_fresh_permit_does_not_leave() -> None:
    opened = bybit_says(BODIES["bybit"][CANCEL])
    first = await opened.view.cancel_order(ORDER, permit(1))
    again = await opened.view.cancel_order(ORDER, permit(1))
    late = await opened.view.cancel_order(ORDER, Permit("intent-2", NOW_MS, 1))
    assert first.kind is OutcomeKind.ACKNOWLEDGED
    for refused in (again, late):
        assert refused.kind is OutcomeKind.REJECTED
        assert not refused.sent
    assert len(opened.session.asked) == 1
    await opened.view.close()


async def test_an_unknown_order_is_rejected_as_gone_and_never_as_cancelled() -> None:
    gone = {"retCode": 110001, "retMsg": "order not exists or too late to cancel", "result": {}}
    opened = bybit_says(Say(gone))
    outcome = await opened.view.cancel_order(ORDER, permit())
    assert outcome.kind is OutcomeKind.REJECTED
    assert outcome.already_gone
    assert outcome.code == "110001"
    await opened.view.close()


@pytest.mark.parametrize(
    "answer",
    [
        Say({"retCode": 10016, "retMsg": "server error", "result": {}}),
        Say({"retCode": 777777, "retMsg": "never heard of", "result": {}}),
        Say("<html>", status=502),
        Say("", status=504),
        Say("<html>", status=401),
        Say(BODIES["bybit"]["POST /v5/order/cancel-all"]),
        Say({"retCode": 0, "retMsg": "OK", "result": {"orderId": "another"}, "retExtInfo": {}}),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError("cut"),
        TimeoutError(),
        Say({}, status=302),
    ],
    ids=lambda answer: type(answer).__name__,
)
async def test_whatever_proves_nothing_is_unknown(answer: object) -> None:
    opened = bybit_says(answer)
    outcome = await opened.view.cancel_order(ORDER, permit())
    assert outcome.kind is OutcomeKind.UNKNOWN, outcome
    assert outcome.sent
    await opened.view.close()


async def test_a_refused_connection_is_known_not_to_have_been_sent() -> None:
    key: Any = None
    opened = bybit_says(aiohttp.ClientConnectorError(key, OSError("refused")))
    outcome = await opened.view.cancel_order(ORDER, permit())
    assert outcome.kind is OutcomeKind.REJECTED
    assert not outcome.sent
    await opened.view.close()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Say({"retCode": 10003, "retMsg": "API key is invalid.", "result": {}}), "10003"),
        (Say({"retCode": 10002, "retMsg": "invalid request, timestamp", "result": {}}), "10002"),
        (Say({"retCode": 10006, "retMsg": "Too many visits!", "result": {}}), "10006"),
    ],
)
async def test_a_code_that_proves_a_refusal_is_rejected(answer: Say, code: str) -> None:
    opened = bybit_says(answer)
    outcome = await opened.view.cancel_order(ORDER, permit())
    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, code)
    assert not outcome.already_gone
    await opened.view.close()


async def test_too_many_requests_tells_how_long_to_wait_and_shuts_the_breaker() -> None:
    opened = bybit_says(Say("slow down", status=429, headers={"Retry-After": "7"}))
    outcome = await opened.view.cancel_order(ORDER, permit(1))
    assert (outcome.kind, outcome.retry_after_ms) == (OutcomeKind.REJECTED, 7_000)
    second = await opened.view.cancel_order(ORDER, permit(2))
    assert not second.sent
    assert len(opened.session.asked) == 1
    await opened.view.close()


async def test_an_order_without_the_venues_id_is_not_guessed() -> None:
    opened = bybit_says(BODIES["bybit"][CANCEL])
    outcome = await opened.view.cancel_order(an_order(Scope("linear"), None), permit())
    assert outcome.kind is OutcomeKind.REJECTED
    assert not outcome.sent
    assert opened.session.asked == []
    await opened.view.close()


async def test_being_abandoned_is_not_swallowed() -> None:
    opened = bybit_says(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await opened.view.cancel_order(ORDER, permit())
    await opened.view.close()


@pytest.mark.parametrize("venue", [v for v in sorted(BODIES) if mass_cancel_is_refused(v)])
async def test_a_mass_cancel_that_a_trap_forbids_does_not_leave(venue: str) -> None:
    opened = open_scripted(venue)
    for scope in opened.view.profile.scopes:
        assert not opened.view.abilities(scope).by_symbol
        outcome = await opened.view.cancel_symbol(scope, "BTC/USD", "XXBTZUSD", permit())
        assert outcome.kind is OutcomeKind.REJECTED
        assert not outcome.sent
        assert len(outcome.message) > 20
    assert opened.session.asked == []
    await opened.view.close()


@pytest.mark.parametrize(
    ("venue", "product"),
    [("bybit", "linear"), ("krakenfutures", "futures"), ("deribit", "derivatives")],
)
async def test_a_safe_mass_cancel_is_one_request_about_one_symbol(venue: str, product: str) -> None:
    opened = open_scripted(venue)
    assert opened.view.abilities(Scope(product)).by_symbol
    outcome = await opened.view.cancel_symbol(Scope(product), "X", "PI_XBTUSD", permit())
    assert outcome.kind is OutcomeKind.ACKNOWLEDGED
    (asked,) = opened.session.asked
    assert "PI_XBTUSD" in str(asked.params)
    await opened.view.close()


async def test_an_order_that_was_listed_without_a_market_table_can_still_be_cancelled() -> None:
    opened = open_scripted("hyperliquid", markets=False)
    opened.session.on("spotMetaAndAssetCtxs", Say([{"tokens": [], "universe": []}, []]))
    coin = {"name": "ETH", "szDecimals": 4, "maxLeverage": 50}
    context = {"dayNtlVlm": "1", "funding": "0", "markPx": "2000", "openInterest": "1"}
    opened.session.on("metaAndAssetCtxs", Say([{"universe": [coin]}, [context]]))
    opened.session.on("perpDexs", Say([None]))
    order = an_order(Scope("perpetual"), "8670487141", "ETH")
    outcome = await opened.view.cancel_order(order, permit())
    assert outcome.kind is OutcomeKind.ACKNOWLEDGED, outcome
    sent: Any = opened.session.asked[-1].params["body"]
    assert sent["action"] == {"type": "cancel", "cancels": [{"a": 0, "o": 8670487141}]}
    await opened.view.close()


async def test_a_read_that_fails_before_the_cancel_is_known_not_to_have_sent_it() -> None:
    opened = open_scripted("hyperliquid", markets=False)
    for read in ("spotMetaAndAssetCtxs", "metaAndAssetCtxs", "perpDexs"):
        opened.session.on(read, Say("<html>", status=502))
    outcome = await opened.view.cancel_order(an_order(Scope("perpetual"), "1", "ETH"), permit())
    assert outcome.kind is OutcomeKind.REJECTED
    assert not outcome.sent
    assert all(one.path == "/info" for one in opened.session.asked)
    await opened.view.close()


async def test_no_text_of_an_outcome_holds_a_signature() -> None:
    opened = open_scripted("htx", {"POST /v1/order/orders/1/submitcancel": Say("", status=500)})
    order = an_order(Scope("spot"), "1", "btcusdt")
    outcome = await opened.view.cancel_order(order, permit())
    assert "Signature" not in outcome.message
    assert "AccessKeyId" not in outcome.message
    await opened.view.close()
