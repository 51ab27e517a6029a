"""Request weights, order counts, 429 and 418, as the headers and the answers tell them."""

import json
from typing import Any

import pytest

from resyncctl.simulator.wire import Reply
from tests.simulator.practice import SPOT, START_MS, USDM, Bench

_ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "50000",
}
MINUTE_START_MS = START_MS - START_MS % 60_000 + 60_000


def _used(reply: Reply) -> int:
    return int(reply.headers["X-MBX-USED-WEIGHT-1M"])


@pytest.mark.parametrize(
    ("method", "place", "asked", "weight"),
    [
        ("GET", f"{SPOT}/api/v3/time", {}, 1),
        ("GET", f"{SPOT}/api/v3/exchangeInfo", {}, 20),
        ("GET", f"{SPOT}/api/v3/account", {}, 20),
        ("GET", f"{SPOT}/api/v3/openOrders", {"symbol": "BTCUSDT"}, 6),
        ("GET", f"{SPOT}/api/v3/openOrders", {}, 80),
        ("GET", f"{SPOT}/api/v3/myTrades", {"symbol": "BTCUSDT"}, 20),
        ("GET", f"{SPOT}/api/v3/myTrades", {"symbol": "BTCUSDT", "orderId": "1000"}, 5),
        ("GET", f"{SPOT}/api/v3/depth", {"symbol": "BTCUSDT", "limit": "1000"}, 50),
        ("DELETE", f"{SPOT}/api/v3/order", {"symbol": "BTCUSDT", "orderId": "5"}, 1),
        ("POST", f"{SPOT}/api/v3/order", _ORDER, 0),
        ("GET", f"{USDM}/fapi/v1/openOrders", {"symbol": "BTCUSDT"}, 1),
        ("GET", f"{USDM}/fapi/v1/openOrders", {}, 40),
        ("GET", f"{USDM}/fapi/v1/openAlgoOrders", {}, 40),
        ("GET", f"{USDM}/fapi/v1/positionSide/dual", {}, 30),
        ("GET", f"{USDM}/fapi/v1/income", {}, 30),
        ("POST", f"{USDM}/fapi/v1/order", _ORDER, 0),
    ],
)
def test_what_a_request_costs(method: str, place: str, asked: dict[str, Any], weight: int) -> None:
    bench = Bench()
    assert _used(bench.send(method, place, asked)) == weight
    assert list(bench.log)[-1].weight == weight


def test_weight_counts_per_client_and_market_and_ends_with_the_minute() -> None:
    bench = Bench(now_ms=MINUTE_START_MS)
    place = f"{SPOT}/api/v3/account"
    assert [_used(bench.send("GET", place)) for _ in range(2)] == [20, 40]
    assert _used(bench.send("GET", place, client="10.0.0.2")) == 20
    assert _used(bench.send("GET", f"{USDM}/fapi/v3/balance")) == 5
    bench.pass_ms(60_000)
    assert _used(bench.send("GET", place)) == 20


def test_above_the_limit_429_with_retry_after_then_418_that_grows() -> None:
    bench = Bench(now_ms=MINUTE_START_MS + 10_000)
    bench.control.set_weight_limit("spot", 40)
    place = f"{SPOT}/api/v3/account"
    replies = [bench.send("GET", place) for _ in range(8)]
    assert [reply.status for reply in replies] == [200, 200, 429, 429, 429, 429, 429, 418]
    assert json.loads(replies[2].body)["code"] == -1003
    assert replies[2].headers["Retry-After"] == "50"
    until_ms = bench.now_ms + 120_000
    assert f"IP banned until {until_ms}" in json.loads(replies[7].body)["msg"]
    bench.pass_ms(119_999)
    assert bench.send("GET", place).status == 418
    assert bench.send("GET", f"{USDM}/fapi/v1/time", signed=False).status == 418
    assert bench.send("GET", place, client="10.0.0.2").status == 200
    bench.pass_ms(1)
    statuses = [bench.send("GET", place).status for _ in range(8)]
    assert statuses[-1] == 418
    bench.pass_ms(120_000)
    assert bench.send("GET", place).status == 418
    bench.pass_ms(120_000)
    assert bench.send("GET", place).status == 200


def test_nothing_is_executed_above_the_limit() -> None:
    bench = Bench()
    bench.control.ban("10.0.0.9")
    assert bench.send("POST", f"{SPOT}/api/v3/order", _ORDER).status == 418
    assert bench.control.open_orders("main") == []


def test_only_successful_orders_are_counted_and_too_many_are_refused() -> None:
    bench = Bench()
    place = f"{SPOT}/api/v3/order"
    reply = bench.send("POST", place, _ORDER)
    assert (reply.headers["X-MBX-ORDER-COUNT-10S"], reply.headers["X-MBX-ORDER-COUNT-1D"]) == (
        "1",
        "1",
    )
    refused = bench.send("POST", place, _ORDER | {"price": "1"})
    assert "X-MBX-ORDER-COUNT-10S" not in refused.headers
    cheap = _ORDER | {"type": "MARKET", "price": None, "timeInForce": None}
    replies = [bench.send("POST", place, cheap) for _ in range(100)]
    assert [reply.status for reply in replies] == [200] * 99 + [429]
    assert json.loads(replies[-1].body)["code"] == -1015
    bench.pass_ms(10_000)
    late = bench.send("POST", place, _ORDER)
    assert (late.headers["X-MBX-ORDER-COUNT-10S"], late.headers["X-MBX-ORDER-COUNT-1D"]) == (
        "1",
        "101",
    )


def test_usdm_counts_by_the_minute() -> None:
    bench = Bench()
    reply = bench.send("POST", f"{USDM}/fapi/v1/order", _ORDER)
    assert (reply.headers["X-MBX-ORDER-COUNT-10S"], reply.headers["X-MBX-ORDER-COUNT-1M"]) == (
        "1",
        "1",
    )
    limits = bench.ask("GET", f"{USDM}/fapi/v1/rateLimit/order")
    assert [limit["limit"] for limit in limits] == [300, 1200]
