"""The request log answers what tests and drills ask."""

import json

import orjson

from tests.simulator.practice import SPOT, USDM, Bench

_ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "50000",
}


def test_was_any_order_placed_since() -> None:
    bench = Bench()
    bench.send("POST", f"{SPOT}/api/v3/order", _ORDER)
    bench.pass_ms(1_000)
    since_ms = bench.now_ms
    bench.send("DELETE", f"{SPOT}/api/v3/openOrders", {"symbol": "BTCUSDT"})
    bench.send("POST", f"{USDM}/fapi/v1/order", _ORDER | {"price": "1"})
    assert len(bench.log.orders_placed(0, "main")) == 1
    assert bench.log.orders_placed(since_ms, "main") == []
    assert [row.endpoint for row in bench.log.creates(since_ms)] == ["usdm.place"]
    assert [row.kind for row in bench.log.mutations("main")] == ["create", "cancel", "create"]
    assert [row.executed for row in bench.log.mutations("main")] == [True, True, False]
    assert bench.log.mutations("nobody") == []


def test_no_row_holds_a_secret() -> None:
    bench = Bench()
    reply = bench.send("POST", f"{USDM}/fapi/v1/listenKey")
    listen_key = json.loads(reply.body)["listenKey"]
    bench.send("PUT", f"{USDM}/fapi/v1/listenKey", {"listenKey": listen_key})
    bench.send("POST", f"{SPOT}/api/v3/order", _ORDER)
    text = orjson.dumps([row.as_document() for row in bench.log]).decode()
    for secret in (bench.key["api_key"], bench.key["secret"], listen_key, "signature"):
        assert secret not in text
    assert "BTCUSDT" in text


def test_a_row_tells_who_asked_what_and_what_became_of_it() -> None:
    bench = Bench()
    bench.control.inject("answer_lost", "cancel")
    order = bench.spot_order()
    bench.send(
        "DELETE", f"{SPOT}/api/v3/order", {"symbol": "BTCUSDT", "orderId": order["order_id"]}
    )
    bench.send("GET", f"{SPOT}/api/v3/nowhere", signed=False)
    cancel, nowhere = bench.log
    assert (cancel.account, cancel.client, cancel.method) == ("main", "10.0.0.9", "DELETE")
    assert (cancel.endpoint, cancel.status, cancel.executed) == ("spot.cancel", 200, True)
    assert (cancel.fate, cancel.faults) == ("drop", ("answer_lost",))
    assert (nowhere.endpoint, nowhere.status, nowhere.account) == ("unknown", 404, "")


def test_the_control_plane_calls_methods_by_name_with_json() -> None:
    bench = Bench()
    control = bench.control
    made = control.call("seed_order", {"account": "main", "market": "spot", **_wish()})
    assert orjson.loads(orjson.dumps(made)) == made
    assert control.call("open_orders", {"account": "main"}) == [made]
    documents = (control.truth("main"), control.fault_kinds(), control.endpoint_names())
    for document in documents:
        orjson.dumps(document)


def _wish() -> dict[str, str]:
    return {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "price": "50000"}
