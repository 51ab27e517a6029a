"""Every documented refusal, with the class that the unmodified ccxt object raises for it."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt
import pytest

from tests.simulator.practice import BTC, BTC_PERPETUAL, SPOT, USDM, Bench

Refused = Callable[[Bench, Any], Awaitable[object]]


def _limit(price: float = 50000, amount: float = 0.01, **params: Any) -> Refused:
    async def act(_: Bench, client: Any) -> object:
        symbol = BTC if client.id == "binance" else BTC_PERPETUAL
        return await client.create_order(symbol, "limit", "buy", amount, price, params)

    return act


def _raw(method: str, **params: Any) -> Refused:
    async def act(_: Bench, client: Any) -> object:
        return await getattr(client, method)(params)

    return act


async def _poor(bench: Bench, client: Any) -> object:
    bench.control.withdraw("main", "USDT", "999999")
    return await _limit()(bench, client)


async def _poor_margin(bench: Bench, client: Any) -> object:
    bench.control.withdraw("main", "USDT", "999999", market="usdm")
    return await _limit(amount=1)(bench, client)


async def _ahead(bench: Bench, client: Any) -> object:
    bench.control.set_clock_skew(-1000)
    return await client.fetch_balance()


async def _behind(bench: Bench, client: Any) -> object:
    bench.control.set_clock_skew(10_001)
    return await client.fetch_balance()


async def _reader(bench: Bench, client: Any) -> object:
    key = bench.control.add_key("main", permissions=["READ"])
    client.apiKey, client.secret = key["api_key"], key["secret"]
    return await _limit()(bench, client)


async def _revoked(bench: Bench, client: Any) -> object:
    bench.control.revoke_keys("main")
    return await client.fetch_balance()


async def _wrong_secret(_: Bench, client: Any) -> object:
    client.secret = "x" * 64
    return await client.fetch_balance()


async def _malformed_key(_: Bench, client: Any) -> object:
    client.apiKey = "not a key"
    return await client.fetch_balance()


async def _twice(bench: Bench, client: Any) -> object:
    await _limit(newClientOrderId="twice")(bench, client)
    return await _limit(newClientOrderId="twice")(bench, client)


async def _restricted(bench: Bench, client: Any) -> object:
    placed = await client.create_order(BTC, "limit", "buy", 0.01, 50000)
    return await client.cancel_order(
        placed["id"], BTC, {"cancelRestrictions": "ONLY_PARTIALLY_FILLED"}
    )


async def _halted(bench: Bench, client: Any) -> object:
    bench.control.set_symbol_status("usdm", "BTCUSDT", "HALT")
    return await _limit()(bench, client)


async def _closed(bench: Bench, client: Any) -> object:
    bench.control.set_symbol_status("usdm", "BTCUSDT", "SETTLING")
    return await _limit()(bench, client)


async def _busy(bench: Bench, client: Any) -> object:
    await _limit()(bench, client)
    return await client.set_position_mode(True)


async def _held(bench: Bench, client: Any) -> object:
    bench.control.set_position("main", "BTCUSDT", "1", "60000")
    return await client.set_position_mode(True)


async def _full(bench: Bench, client: Any) -> object:
    for step in range(200):
        market = "spot" if client.id == "binance" else "usdm"
        bench.control.seed_order(
            "main",
            market=market,
            symbol="BTCUSDT",
            side="BUY",
            quantity="0.01",
            price=str(40000 + step),
        )
    return await _limit()(bench, client)


async def _full_algo(bench: Bench, client: Any) -> object:
    for step in range(200):
        bench.stop_order(str(40000 + step))
    return await _conditional(50000)(bench, client)


def _conditional(price: float, **params: Any) -> Refused:
    async def act(_: Bench, client: Any) -> object:
        given = {"stopPrice": price, "reduceOnly": True, **params}
        return await client.create_order(BTC_PERPETUAL, "STOP_MARKET", "sell", 0.01, None, given)

    return act


def _market(amount: float, **params: Any) -> Refused:
    async def act(_: Bench, client: Any) -> object:
        symbol = BTC if client.id == "binance" else BTC_PERPETUAL
        return await client.create_order(symbol, "market", "sell", amount, None, params)

    return act


_ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
SPOT_CASES: list[tuple[int, type[Exception], Refused]] = [
    (-1021, ccxt.InvalidNonce, _ahead),
    (-1021, ccxt.InvalidNonce, _behind),
    (-1022, ccxt.AuthenticationError, _wrong_secret),
    (-2014, ccxt.AuthenticationError, _malformed_key),
    (-2015, ccxt.AuthenticationError, _revoked),
    (-2015, ccxt.AuthenticationError, _reader),
    (-1121, ccxt.BadSymbol, _raw("privateGetOpenOrders", symbol="NOPE")),
    (-1102, ccxt.BadRequest, _raw("privateGetMyTrades")),
    (-1102, ccxt.BadRequest, _raw("privatePostOrder", **_ORDER, quantity="1")),
    (-1100, ccxt.BadRequest, _raw("privatePostOrder", **_ORDER, quantity="1e3", price="1")),
    (
        -1100,
        ccxt.BadRequest,
        _raw("privatePostOrder", **_ORDER, quantity="1", price="50000", newClientOrderId="a b"),
    ),
    (
        -1115,
        ccxt.BadRequest,
        _raw("privatePostOrder", **(_ORDER | {"timeInForce": "X"}), price="1"),
    ),
    (-1116, ccxt.BadRequest, _raw("privatePostOrder", **(_ORDER | {"type": "ODD"}))),
    (-1117, ccxt.BadRequest, _raw("privatePostOrder", **(_ORDER | {"side": "HOLD"}))),
    (-1130, ccxt.BadRequest, _raw("privateGetMyTrades", symbol="BTCUSDT", limit="0")),
    (-1104, ccxt.BadRequest, _limit(reduceOnly="true")),
    (-1013, ccxt.InvalidOrder, _raw("privatePostOrder", **_ORDER, quantity="1", price="1.001")),
    (-1013, ccxt.InvalidOrder, _raw("privatePostOrder", **_ORDER, quantity="1", price="1.01")),
    (
        -1013,
        ccxt.InvalidOrder,
        _raw("privatePostOrder", **_ORDER, quantity="0.000001", price="50000"),
    ),
    (-1013, ccxt.BadRequest, _raw("privatePostOrder", **_ORDER, quantity="0.00001", price="50000")),
    (-1013, ccxt.BadRequest, _full),
    (-2010, ccxt.InsufficientFunds, _poor),
    (-2010, ccxt.InvalidOrder, _twice),
    (-2010, ccxt.OrderImmediatelyFillable, _limit(61000, postOnly=True)),
    (
        -2010,
        ccxt.OrderImmediatelyFillable,
        _raw(
            "privatePostOrder",
            **(_ORDER | {"type": "STOP_LOSS_LIMIT"}),
            quantity="1",
            price="50000",
            stopPrice="50000",
        ),
    ),
    (-2011, ccxt.OrderNotFound, _raw("privateDeleteOrder", symbol="BTCUSDT", orderId="77")),
    (-2011, ccxt.OrderNotFound, _raw("privateDeleteOpenOrders", symbol="BTCUSDT")),
    (-2011, ccxt.OrderNotFound, _restricted),
    (-2013, ccxt.OrderNotFound, _raw("privateGetOrder", symbol="BTCUSDT", orderId="77")),
]
USDM_CASES: list[tuple[int, type[Exception], Refused]] = [
    (-1021, ccxt.InvalidNonce, _behind),
    (-1022, ccxt.AuthenticationError, _wrong_secret),
    (-2015, ccxt.AuthenticationError, _reader),
    (-1121, ccxt.BadSymbol, _raw("fapiPrivateGetOpenOrders", symbol="NOPE")),
    (-1102, ccxt.BadRequest, _raw("fapiPrivateGetUserTrades")),
    (
        -1111,
        ccxt.BadRequest,
        _raw("fapiPrivatePostOrder", **_ORDER, quantity="0.0001", price="50000"),
    ),
    (
        -1111,
        ccxt.BadRequest,
        _raw("fapiPrivatePostOrder", **_ORDER, quantity="1", price="50000.01"),
    ),
    (-2011, ccxt.OrderNotFound, _raw("fapiPrivateDeleteOrder", symbol="BTCUSDT", orderId="77")),
    (-2013, ccxt.OrderNotFound, _raw("fapiPrivateGetOrder", symbol="BTCUSDT", orderId="77")),
    (-2019, ccxt.InsufficientFunds, _poor_margin),
    (-2021, ccxt.OrderImmediatelyFillable, _conditional(61000)),
    (-2022, ccxt.InvalidOrder, _market(1, reduceOnly=True)),
    (-2025, ccxt.OperationRejected, _full),
    (-4003, ccxt.BadRequest, _raw("fapiPrivatePostOrder", **_ORDER, quantity="0", price="50000")),
    (-4045, ccxt.OperationRejected, _full_algo),
    (
        -4059,
        ccxt.OperationRejected,
        _raw("fapiPrivatePostPositionSideDual", dualSidePosition="false"),
    ),
    (-4061, ccxt.OperationRejected, _market(1, positionSide="LONG")),
    (-4067, ccxt.OperationRejected, _busy),
    (-4068, ccxt.OperationRejected, _held),
    (-4116, ccxt.InvalidOrder, _twice),
    (
        -4120,
        ccxt.InvalidOrder,
        _raw(
            "fapiPrivatePostOrder",
            symbol="BTCUSDT",
            side="SELL",
            type="STOP_MARKET",
            quantity="1",
            stopPrice="50000",
        ),
    ),
    (-4140, ccxt.BadRequest, _halted),
    (-4141, ccxt.OperationRejected, _closed),
    (
        -4164,
        ccxt.InvalidOrder,
        _raw("fapiPrivatePostOrder", **_ORDER, quantity="0.001", price="20000"),
    ),
    (-5022, ccxt.OrderNotFillable, _limit(61000, timeInForce="GTX")),
    (-1125, ccxt.AuthenticationError, _raw("fapiPrivatePutListenKey")),
]


@pytest.mark.parametrize(("code", "raised", "act"), SPOT_CASES)
async def test_spot_refuses(code: int, raised: type[Exception], act: Refused) -> None:
    async with Bench() as bench:
        await _expect(bench, await bench.spot(), (code, raised, act))


@pytest.mark.parametrize(("code", "raised", "act"), USDM_CASES)
async def test_usdm_refuses(code: int, raised: type[Exception], act: Refused) -> None:
    async with Bench() as bench:
        await _expect(bench, await bench.usdm(), (code, raised, act))


async def _expect(bench: Bench, client: Any, case: tuple[int, type[Exception], Refused]) -> None:
    code, raised, act = case
    client.options["createMarketBuyOrderRequiresPrice"] = False
    with pytest.raises(raised) as caught:
        await act(bench, client)
    assert type(caught.value) is raised
    row = list(bench.log)[-1]
    assert (row.code, row.executed) == (code, False)


@pytest.mark.parametrize(("offset_ms", "accepted"), [(999, True), (1000, False)])
@pytest.mark.parametrize(("age_ms", "fresh"), [(5000, True), (5001, False)])
async def test_the_window_is_exact(
    offset_ms: int, age_ms: int, *, accepted: bool, fresh: bool
) -> None:
    async with Bench() as bench:
        ahead = bench.send("GET", f"{SPOT}/api/v3/account", {"timestamp": bench.now_ms + offset_ms})
        assert (ahead.status == 200) is accepted
        late = bench.send("GET", f"{SPOT}/api/v3/account", {"timestamp": bench.now_ms - age_ms})
        assert (late.status == 200) is fresh


async def test_both_texts_of_the_clock_refusal() -> None:
    async with Bench() as bench:
        ahead = bench.ask("GET", f"{SPOT}/api/v3/account", {"timestamp": bench.now_ms + 5000})
        late = bench.ask("GET", f"{SPOT}/api/v3/account", {"timestamp": bench.now_ms - 9000})
        assert "1000ms ahead" in ahead["msg"]
        assert "outside of the recvWindow" in late["msg"]


async def test_what_is_not_percent_encoded_is_not_signed() -> None:
    async with Bench() as bench:
        query = f"symbol=BTCUSDT&note=[1]&timestamp={bench.now_ms}"
        signature = bench.sign(query)
        reply = bench.send(
            "GET", f"{SPOT}/api/v3/openOrders", query=f"{query}&signature={signature}"
        )
        assert json.loads(reply.body)["code"] == -1022


async def test_the_signature_covers_query_and_body_as_sent() -> None:
    async with Bench() as bench:
        query, body = "symbol=BTCUSDT&side=BUY", f"type=MARKET&quantity=1&timestamp={bench.now_ms}"
        signature = bench.sign(query + body)
        sent = f"{body}&signature={signature}".encode()
        place = f"{SPOT}/api/v3/order/test"
        assert bench.send("POST", place, query=query, body=sent).status == 200
        changed = sent.replace(b"quantity=1", b"quantity=2")
        assert bench.send("POST", place, query=query, body=changed).status == 400


async def test_a_path_of_another_host_does_not_exist() -> None:
    async with Bench() as bench:
        reply = bench.send("GET", f"{SPOT}/fapi/v1/openOrders")
        assert (reply.status, reply.headers["Content-Type"]) == (404, "text/html")
        assert bench.send("GET", f"{USDM}/fapi/v1/time", signed=False).status == 200
