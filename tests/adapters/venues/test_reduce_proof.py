"""Nothing but the very reduction of the permit leaves, whatever the code above sends.

Each test takes a request that is right, changes one thing, and looks at the wire.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
import yarl
from hypothesis import assume, given
from hypothesis import strategies as st

from resyncctl.adapters.venues.via_ccxt.binance.endpoints import classify
from resyncctl.adapters.venues.via_ccxt.binance.reduce import METHODS, order_params
from resyncctl.adapters.venues.via_ccxt.binance.reduce_proof import prove_for
from resyncctl.adapters.venues.via_ccxt.clock import VenueClock
from resyncctl.adapters.venues.via_ccxt.connect import (
    Connection,
    ConnectionPlan,
    Secrets,
    connect,
)
from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.permits import (
    Endpoint,
    EndpointKind,
    PermitDesk,
    RefusedByTransport,
    Wire,
    lend,
)
from resyncctl.adapters.venues.via_ccxt.transport import Attempt, Phase
from resyncctl.core.model import Leg, Side
from resyncctl.core.mutation import Permit
from resyncctl.core.reduction import Protection, Reduction
from tests.adapters.venues.reductions import (
    EVERY,
    LONG_LEG,
    LONG_POSITION,
    SHORT_LEG,
    SHORT_POSITION,
    SPOT_HOLDING,
)
from tests.adapters.venues.scripted import Say, ScriptedSession
from tests.fakes.fake_clock import FakeClock

URLS = {
    "spot": "https://api.binance.com/api/v3/order",
    "linear": "https://fapi.binance.com/fapi/v1/order",
    "inverse": "https://dapi.binance.com/dapi/v1/order",
}
SIGNED = "0123456789abcdef0123456789abcdef"
VALIDITY_MS = 5_000
REDUCTIONS = pytest.mark.parametrize("name", EVERY)


@dataclass
class Bench:
    clock: FakeClock
    session: ScriptedSession
    connection: Connection

    def permit(self, reduction: Reduction | None) -> Permit:
        return Permit("intent-1", self.clock.now_ms() + VALIDITY_MS, 1, reduction)

    async def send(self, reduction: Reduction, params: Mapping[str, object]) -> Attempt:
        """Send a request through ccxt, which signs it, with a permit for the reduction."""
        permit = self.permit(reduction)
        return await self.connection.ask(METHODS[reduction.product], params, permit=permit)

    async def post(self, reduction: Reduction, body: object, query: str = "", url: str = "") -> str:
        """Send raw bytes past ccxt; return why they did not leave, or an empty text."""
        target = yarl.URL((url or URLS[reduction.product]) + query, encoded=True)
        try:
            with lend(self.permit(reduction)):
                async with self.connection.session.post(target, data=body):
                    return ""
        except RefusedByTransport as error:
            return error.reason


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = make_bench()
    yield made
    await made.connection.close()


def make_bench() -> Bench:
    clock = FakeClock()
    session = ScriptedSession({"*": Say({"symbol": "BTCUSDT", "orderId": 1})})
    connection = connect(
        ConnectionPlan(
            venue="binance",
            secrets=Secrets(api_key="key-canary-1", secret="secret-canary-1"),
            egress=Egress(clock),
            clock=VenueClock(clock),
            classify=classify,
            session_factory=lambda: session,
            account="main",
        )
    )
    return Bench(clock, session, connection)


def params_of(reduction: Reduction) -> dict[str, object]:
    return order_params(reduction) | {"recvWindow": VALIDITY_MS}


def body_of(reduction: Reduction, **changes: object) -> bytes:
    fields = params_of(reduction) | {"timestamp": 1_795_000_000_000, "signature": SIGNED} | changes
    return urlencode(fields).encode()


@pytest.mark.invariant("I10", "I24")
@REDUCTIONS
async def test_the_very_reduction_leaves_once(bench: Bench, name: str) -> None:
    reduction = EVERY[name]
    attempt = await bench.send(reduction, params_of(reduction))
    assert attempt.phase is Phase.ANSWERED, attempt.trouble
    assert attempt.endpoint.kind is EndpointKind.REDUCE
    assert (
        await bench.post(reduction, body_of(reduction)) == "the permit intent-1 was already spent"
    )
    assert len(bench.session.asked) == 1


OTHERS: Mapping[str, tuple[object, ...]] = {
    "symbol": ("ETHUSDT", "btcusdt", "BTCUSDT ", ""),
    "side": ("other", "sell", "buy", ""),
    "type": ("MARKET", "LIMIT_MAKER", "STOP_MARKET", "limit", ""),
    "timeInForce": ("GTC", "FOK", "GTX", "ioc", ""),
    "quantity": (
        "0.50000001",
        "0.4",
        "5",
        "0",
        "-0.5",
        "5e-1",
        "0,5",
        "NaN",
        " 0.5",
        "+0.5",
        "\u0665",
    ),
    "price": ("worse", "0", "-1", "1e99", "NaN", "Infinity", ""),
    "newClientOrderId": ("rsc-1b", "", "rsc-1a "),
    "newOrderRespType": ("FULL", "RESULT", ""),
    "recvWindow": (VALIDITY_MS + 1, 60_001, 0, -1),
    "reduceOnly": ("false", "TRUE", "1", ""),
    "positionSide": ("BOTH", "other", "long", ""),
}


@pytest.mark.invariant("I10", "I13")
@REDUCTIONS
async def test_no_parameter_may_differ(bench: Bench, name: str) -> None:
    reduction = EVERY[name]
    right = params_of(reduction)
    buys = reduction.side is Side.BUY
    turned: Mapping[str, object] = {
        "side": "SELL" if buys else "BUY",
        "price": "61000.1" if buys else "58999.9",
        "positionSide": "LONG" if buys else "SHORT",
    }
    tried = 0
    for parameter in right:
        for other in OTHERS[parameter]:
            wrong = turned[parameter] if other in {"other", "worse"} else other
            attempt = await bench.send(reduction, right | {parameter: wrong})
            assert attempt.phase is Phase.REFUSED, (parameter, wrong)
            tried += 1
    assert tried > 30
    assert bench.session.asked == []
    assert bench.connection.egress.desk.spent == frozenset()


@pytest.mark.invariant("I10")
@REDUCTIONS
async def test_no_parameter_may_be_missing(bench: Bench, name: str) -> None:
    reduction = EVERY[name]
    whole = params_of(reduction) | {"timestamp": 1_795_000_000_000, "signature": SIGNED}
    for parameter in whole:
        rest = {key: value for key, value in whole.items() if key != parameter}
        assert await bench.post(reduction, urlencode(rest).encode()), parameter
    assert bench.session.asked == []
    assert await bench.post(reduction, urlencode(whole).encode()) == ""


EXTRAS: Mapping[str, object] = {
    "quoteOrderQty": "100",
    "stopPrice": "1",
    "closePosition": "true",
    "reduceOnly": "true",
    "positionSide": "LONG",
    "icebergQty": "0.1",
    "trailingDelta": "10",
    "sideEffectType": "MARGIN_BUY",
    "autoRepayAtCancel": "true",
    "isIsolated": "TRUE",
    "autoBorrow": "true",
    "priceMatch": "OPPONENT",
    "pegPriceType": "PRIMARY_PEG",
    "goodTillDate": "1",
    "activationPrice": "1",
    "selfTradePreventionMode": "NONE",
    "strategyId": "1",
    "Quantity": "0.5",
    "quantity ": "0.5",
    "QUANTITY": "9",
    "anything": "",
}


@pytest.mark.invariant("I10")
@REDUCTIONS
async def test_no_parameter_may_be_added(bench: Bench, name: str) -> None:
    reduction = EVERY[name]
    right = params_of(reduction)
    for extra, value in EXTRAS.items():
        if extra not in right:
            attempt = await bench.send(reduction, right | {extra: value})
            assert attempt.phase is Phase.REFUSED, extra
    assert bench.session.asked == []


@given(name=st.text(min_size=1, max_size=20), value=st.text(max_size=10))
def test_no_parameter_of_any_name_may_be_added(name: str, value: str) -> None:
    assume(name not in {*params_of(SPOT_HOLDING), "timestamp", "signature"})
    prove, permit = prove_for("spot"), Permit("i", VALIDITY_MS, 1, SPOT_HOLDING)

    def wire(body: bytes) -> Wire:
        return Wire("main", "POST", "api.binance.com", "/api/v3/order", "", body)

    assert prove(wire(body_of(SPOT_HOLDING)), permit, 0) is None
    assert prove(wire(body_of(SPOT_HOLDING, **{name: value})), permit, 0) is not None


@pytest.mark.invariant("I10", "I13")
async def test_the_bytes_have_one_meaning(bench: Bench) -> None:
    right = body_of(LONG_POSITION)
    bodies: dict[str, tuple[object, str]] = {
        "a name that stands twice": (right + b"&quantity=9", ""),
        "a name that stood before": (b"quantity=9&" + right, ""),
        "the same name in another encoding": (right + b"&qu%61ntity=9", ""),
        "a query beside the body": (right, "?quantity=9"),
        "everything in the query": (None, "?" + right.decode()),
        "a body that is not bytes": (right.decode(), ""),
        "a body of another kind": (b'{"symbol": "BTCUSDT"}', ""),
        "a semicolon": (right + b";reduceOnly=false", ""),
        "a field without a value": (right + b"&reduceOnly", ""),
        "a time with a fraction": (right.replace(b"Window=5000", b"Window=4999.5"), ""),
        "no signature": (right.replace(SIGNED.encode(), b"0"), ""),
        "no time": (right.replace(b"timestamp=1795000000000", b"timestamp=now"), ""),
        "an empty field": (right + b"&", ""),
        "a line end": (right + b"\n", ""),
        "bytes that are no text": (right + b"&x=\xff", ""),
        "an encoding that is no text": (right + b"&x=%ff", ""),
        "nothing": (b"", ""),
    }
    for what, (body, query) in bodies.items():
        assert body != right or query
        assert await bench.post(LONG_POSITION, body, query), what
    assert bench.session.asked == []


@REDUCTIONS
async def test_no_other_reduction_pays_for_it(bench: Bench, name: str) -> None:
    right = params_of(EVERY[name])
    for other in EVERY.values():
        if other == EVERY[name]:
            continue
        method = METHODS[EVERY[name].product]
        attempt = await bench.connection.ask(method, right, permit=bench.permit(other))
        assert attempt.phase is Phase.REFUSED, other
    assert bench.session.asked == []


async def test_the_reduction_must_be_of_this_account_product_and_symbol(bench: Bench) -> None:
    for other in (
        replace(LONG_POSITION, account="other"),
        replace(LONG_POSITION, venue_symbol="ETHUSDT"),
        replace(LONG_POSITION, product="inverse"),
        replace(LONG_POSITION, quantity=Decimal("0.4")),
        replace(LONG_POSITION, limit_price=Decimal(59_001)),
        replace(LONG_POSITION, client_order_id="rsc-2"),
    ):
        method, right = METHODS["linear"], params_of(LONG_POSITION)
        attempt = await bench.connection.ask(method, right, permit=bench.permit(other))
        assert attempt.phase is Phase.REFUSED, other
    assert bench.session.asked == []


async def test_a_better_price_is_no_worse(bench: Bench) -> None:
    assert await bench.post(LONG_POSITION, body_of(LONG_POSITION, price="59000.1")) == ""


async def test_a_better_price_is_no_worse_for_a_purchase(bench: Bench) -> None:
    assert await bench.post(SHORT_POSITION, body_of(SHORT_POSITION, price="60999.9")) == ""


@pytest.mark.parametrize("leg", [LONG_LEG, SHORT_LEG])
async def test_a_hedge_leg_is_not_reduced_by_a_flag(bench: Bench, leg: Reduction) -> None:
    right = params_of(leg)
    del right["positionSide"]
    attempt = await bench.send(leg, right | {"reduceOnly": "true"})
    assert attempt.phase is Phase.REFUSED
    assert bench.session.asked == []


@pytest.mark.invariant("I16")
async def test_spot_never_buys(bench: Bench) -> None:
    crooked = replace(SPOT_HOLDING)
    object.__setattr__(crooked, "side", Side.BUY)
    attempt = await bench.send(crooked, params_of(crooked))
    assert attempt.phase is Phase.REFUSED
    oversized = replace(SPOT_HOLDING)
    object.__setattr__(oversized, "quantity", Decimal(3))
    assert (await bench.send(oversized, params_of(oversized))).phase is Phase.REFUSED
    assert bench.session.asked == []


@pytest.mark.parametrize(
    ("product", "protection", "leg"),
    [
        ("spot", Protection.REDUCE_ONLY, Leg.BOTH),
        ("spot", Protection.HEDGE_LEG, Leg.LONG),
        ("linear", Protection.FREE_BALANCE, Leg.BOTH),
    ],
)
async def test_a_protection_that_the_product_does_not_have_protects_nothing(
    bench: Bench, product: str, protection: Protection, leg: Leg
) -> None:
    crooked = replace(LONG_POSITION)
    for name, value in {"product": product, "protection": protection, "leg": leg}.items():
        object.__setattr__(crooked, name, value)
    attempt = await bench.send(crooked, params_of(crooked))
    assert attempt.phase is Phase.REFUSED
    assert bench.session.asked == []


@pytest.mark.invariant("I16")
async def test_the_leg_that_would_open_is_refused(bench: Bench) -> None:
    for leg, side in ((Leg.LONG, Side.BUY), (Leg.SHORT, Side.SELL), (Leg.BOTH, Side.SELL)):
        crooked = replace(LONG_LEG)
        object.__setattr__(crooked, "leg", leg)
        object.__setattr__(crooked, "side", side)
        right = params_of(crooked) | {"positionSide": leg.value.upper()}
        assert (await bench.send(crooked, right)).phase is Phase.REFUSED, (leg, side)
    assert bench.session.asked == []


@pytest.mark.invariant("I13", "I23")
async def test_a_permit_pays_for_its_own_kind_only(bench: Bench) -> None:
    reducing, plain = bench.permit(LONG_POSITION), bench.permit(None)
    ask = bench.connection.ask
    cancel = {"symbol": "BTCUSDT", "orderId": "1"}
    countdown = {"symbol": "BTCUSDT", "countdownTime": 1000}
    order = params_of(LONG_POSITION)
    unpaid = await ask("fapiPrivatePostOrder", order, permit=plain)
    assert "carries no reduction" in str(unpaid.trouble)
    refused = [
        unpaid,
        await ask("fapiPrivateDeleteOrder", cancel, permit=reducing),
        await ask("privateDeleteOpenOrders", cancel, permit=reducing),
        await ask("fapiPrivatePostCountdownCancelAll", countdown, permit=reducing),
        await ask("privatePostOrder", params_of(SPOT_HOLDING), permit=plain),
        await ask("fapiPrivatePostOrder", order),
    ]
    assert {attempt.phase for attempt in refused} == {Phase.REFUSED}
    assert bench.session.asked == []
    assert (await ask("fapiPrivateDeleteOrder", cancel, permit=plain)).phase is Phase.ANSWERED


async def test_a_countdown_needs_a_permit_of_its_own(bench: Bench) -> None:
    countdown = {"symbol": "BTCUSDT", "countdownTime": 1000}
    ask, method = bench.connection.ask, "fapiPrivatePostCountdownCancelAll"
    assert (await ask(method, countdown)).phase is Phase.REFUSED
    permit = bench.permit(None)
    assert (await ask(method, countdown, permit=permit)).phase is Phase.ANSWERED
    assert (await ask(method, countdown, permit=permit)).phase is Phase.REFUSED
    assert len(bench.session.asked) == 1


UNPROVABLE = {
    "privatePostOrderCancelReplace": params_of(SPOT_HOLDING),
    "privatePostOrderTest": params_of(SPOT_HOLDING),
    "privatePostSorOrder": params_of(SPOT_HOLDING),
    "sapiPostMarginOrder": params_of(SPOT_HOLDING),
    "fapiPrivatePutOrder": params_of(LONG_POSITION),
    "fapiPrivatePostAlgoOrder": params_of(LONG_POSITION),
    "fapiPrivatePostBatchOrders": {"batchOrders": [params_of(LONG_POSITION)]},
    "papiPostUmOrder": params_of(LONG_POSITION),
}


@pytest.mark.invariant("I13")
@pytest.mark.parametrize("method", UNPROVABLE)
async def test_no_other_endpoint_takes_a_reduction(bench: Bench, method: str) -> None:
    params: Any = UNPROVABLE[method]
    for reduction in (LONG_POSITION, SPOT_HOLDING):
        attempt = await bench.connection.ask(method, params, permit=bench.permit(reduction))
        assert attempt.phase is Phase.REFUSED
    assert bench.session.asked == []


async def test_a_reduction_on_the_wrong_host_is_refused(bench: Bench) -> None:
    body = body_of(LONG_POSITION)
    for url in (
        "https://api.binance.com/fapi/v1/order",
        "https://evil.example/fapi/v1/order",
        "https://fapi.binance.com/fapi/v1/order/",
        "https://fapi.binance.com/fapi/v1/./order",
        URLS["spot"],
    ):
        assert await bench.post(LONG_POSITION, body, url=url), url
    assert bench.session.asked == []


@pytest.mark.invariant("I19")
async def test_it_cannot_live_longer_than_its_permit(bench: Bench) -> None:
    right = params_of(LONG_POSITION)
    permit = bench.permit(LONG_POSITION)
    bench.clock.advance(1)
    attempt = await bench.connection.ask(METHODS["linear"], right, permit=permit)
    assert attempt.phase is Phase.REFUSED
    shorter = right | {"recvWindow": VALIDITY_MS - 1}
    attempt = await bench.connection.ask(METHODS["linear"], shorter, permit=permit)
    assert attempt.phase is Phase.ANSWERED


async def test_no_validity_is_longer_than_the_exchange_takes(bench: Bench) -> None:
    permit = replace(bench.permit(LONG_POSITION), deadline_ms=bench.clock.now_ms() + 100_000)
    right = params_of(LONG_POSITION) | {"recvWindow": 60_001}
    attempt = await bench.connection.ask(METHODS["linear"], right, permit=permit)
    assert attempt.phase is Phase.REFUSED
    assert bench.session.asked == []


@pytest.mark.parametrize("client_order_id", ["", "x" * 37, "rsc 1", "rsc|1", "rsc-\u00e4"])
async def test_a_client_id_that_could_not_be_looked_up_is_refused(
    bench: Bench, client_order_id: str
) -> None:
    reduction = replace(LONG_POSITION, client_order_id=client_order_id)
    assert await bench.post(reduction, body_of(reduction))
    assert bench.session.asked == []


def test_an_endpoint_without_a_proof_lets_no_order_leave() -> None:
    endpoint = Endpoint("somewhere", EndpointKind.REDUCE)
    wire = Wire("main", "POST", "api.binance.com", "/x", "", body_of(SPOT_HOLDING))
    permit = Permit("i", 10, 1, SPOT_HOLDING)
    with lend(permit), pytest.raises(RefusedByTransport, match="cannot be compared"):
        PermitDesk().admit(endpoint, wire, 0)
    assert prove_for("spot")(wire, Permit("i", 10, 1), 0) is not None
