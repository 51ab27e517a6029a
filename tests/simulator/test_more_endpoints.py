"""Endpoints and control methods beside the main road, and requests that make no sense."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resyncctl.simulator.endpoints import names
from resyncctl.simulator.numbers import amount_of, padded, plain
from resyncctl.simulator.wire import Request
from tests.simulator.practice import SPOT, START_MS, USDM, Bench

_LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "50000",
}


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_the_old_oco_form(side: str) -> None:
    bench = Bench()
    prices = {"price": "50000", "stopPrice": "70000", "stopLimitPrice": "71000"}
    if side == "SELL":
        prices = {"price": "70000", "stopPrice": "50000", "stopLimitPrice": "49000"}
    body = {"symbol": "BTCUSDT", "side": side, "quantity": "0.1", **prices}
    placed = bench.ask("POST", f"{SPOT}/api/v3/order/oco", body)
    assert [row["status"] for row in placed["orderReports"]] == ["NEW", "NEW"]
    number = placed["orderListId"]
    ended = bench.ask(
        "DELETE", f"{SPOT}/api/v3/orderList", {"symbol": "BTCUSDT", "orderListId": number}
    )
    assert ended["listOrderStatus"] == "ALL_DONE"
    gone = bench.ask(
        "DELETE", f"{SPOT}/api/v3/orderList", {"symbol": "BTCUSDT", "orderListId": number}
    )
    assert gone["code"] == -2011
    assert len(bench.ask("GET", f"{SPOT}/api/v3/allOrderList")) == 1
    wrong = bench.ask("POST", f"{SPOT}/api/v3/order/oco", body | {"stopPrice": prices["price"]})
    assert wrong["code"] == -2010


def test_cancel_and_replace() -> None:
    bench = Bench()
    order = bench.spot_order()
    place = f"{SPOT}/api/v3/order/cancelReplace"
    body = _LIMIT | {"cancelReplaceMode": "STOP_ON_FAILURE", "price": "51000"}
    done = bench.ask("POST", place, body | {"cancelOrderId": order["order_id"]})
    assert (done["cancelResult"], done["newOrderResponse"]["price"]) == (
        "SUCCESS",
        "51000.00000000",
    )
    (left,) = bench.control.open_orders("main")
    failed = bench.ask("POST", place, body | {"cancelOrderId": order["order_id"]})
    assert (failed["code"], failed["data"]["newOrderResult"]) == (-2022, "NOT_ATTEMPTED")
    half = bench.send("POST", place, body | {"cancelOrderId": left["order_id"], "price": "1"})
    assert (half.status, json.loads(half.body)["data"]["cancelResult"]) == (409, "SUCCESS")
    assert bench.control.open_orders("main") == []
    last = list(bench.log)[-1]
    assert (last.code, last.executed, last.placed) == (-2021, True, 0)


def test_orders_in_a_batch_are_placed_one_by_one() -> None:
    bench = Bench()
    rows = [_LIMIT, _LIMIT | {"price": "90000"}, _LIMIT | {"newClientOrderId": "third"}]
    answer = bench.ask("POST", f"{USDM}/fapi/v1/batchOrders", {"batchOrders": json.dumps(rows)})
    assert [row.get("status", row.get("code")) for row in answer] == ["NEW", -4016, "NEW"]
    assert len(bench.log.orders_placed()) == 1
    assert bench.log.orders_placed()[0].placed == 2
    many = bench.ask("POST", f"{USDM}/fapi/v1/batchOrders", {"batchOrders": json.dumps(rows * 2)})
    assert many["code"] == -4082


def test_prices_of_usdm_stay_inside_the_band_that_is_told() -> None:
    bench = Bench()
    info = bench.ask("GET", f"{USDM}/fapi/v1/exchangeInfo", {})
    (row,) = [row for row in info["symbols"] if row["symbol"] == "BTCUSDT"]
    (band,) = [one for one in row["filters"] if one["filterType"] == "PERCENT_PRICE"]
    bench.control.set_price("BTCUSDT", "60000")
    high, low = (60_000 * float(band[name]) for name in ("multiplierUp", "multiplierDown"))
    answers = {
        (side, price): bench.ask(
            "POST", f"{USDM}/fapi/v1/order", _LIMIT | {"side": side, "price": f"{price:.0f}"}
        ).get("code", 0)
        for side in ("BUY", "SELL")
        for price in (low - 1, low, high, high + 1)
    }
    refused = {key: code for key, code in answers.items() if code}
    assert refused == {("BUY", high + 1): -4016, ("SELL", low - 1): -4024}


def test_a_good_till_date_order_expires() -> None:
    bench = Bench()
    body = _LIMIT | {"timeInForce": "GTD", "goodTillDate": START_MS + 700_000}
    bench.ask("POST", f"{USDM}/fapi/v1/order", body)
    bench.pass_ms(699_999)
    assert len(bench.control.open_orders("main")) == 1
    bench.pass_ms(1)
    assert bench.control.truth("main")["orders"][0]["status"] == "EXPIRED"


def test_orders_of_all_symbols_and_by_number() -> None:
    bench = Bench()
    for symbol, price in (("BTCUSDT", "50000"), ("ETHUSDT", "2500"), ("BTCUSDT", "50001")):
        bench.usdm_order(price=price, quantity="0.1", symbol=symbol)
        bench.spot_order(price=price, quantity="0.1", symbol=symbol)
    every = bench.ask("GET", f"{USDM}/fapi/v1/allOrders")
    assert [row["symbol"] for row in every] == ["BTCUSDT", "BTCUSDT", "ETHUSDT"]
    place = f"{SPOT}/api/v3/allOrders"
    assert len(bench.ask("GET", place, {"symbol": "BTCUSDT"})) == 2
    later = bench.ask("GET", place, {"symbol": "BTCUSDT", "orderId": 1001})
    assert [row["orderId"] for row in later] == [1001]
    latest = bench.ask("GET", place, {"symbol": "BTCUSDT", "limit": 1})
    assert [row["orderId"] for row in latest] == [1001]


def test_conditional_orders_are_found_by_client_id_and_listed() -> None:
    bench = Bench()
    bench.stop_order(client_order_id="guard")
    place = f"{USDM}/fapi/v1/algoOrder"
    named = {"clientAlgoId": "guard"}
    assert bench.ask("GET", place, named)["triggerPrice"] == "55000"
    assert bench.ask("DELETE", place, named)["code"] == "200"
    assert bench.ask("DELETE", place, named)["code"] == -2011
    assert bench.ask("GET", place, {"algoId": 5})["code"] == -2013
    assert bench.ask("GET", place)["code"] == -1102
    every = bench.ask("GET", f"{USDM}/fapi/v1/allAlgoOrders", {"symbol": "BTCUSDT"})
    assert [row["algoStatus"] for row in every] == ["CANCELED"]


def test_public_data_agrees_with_itself() -> None:
    bench = Bench(moving=True)
    for host, path in ((SPOT, "api/v3"), (USDM, "fapi/v1")):
        asked = {"symbol": "BTCUSDT"}
        depth = bench.ask("GET", f"{host}/{path}/depth", asked | {"limit": 5})
        top = bench.ask("GET", f"{host}/{path}/ticker/bookTicker", asked)
        price = bench.ask("GET", f"{host}/{path}/ticker/price", asked)
        assert depth["bids"][0] == [top["bidPrice"], top["bidQty"]]
        assert float(top["bidPrice"]) <= float(price["price"]) <= float(top["askPrice"])
        assert len(depth["asks"]) == 5
        info = bench.ask("GET", f"{host}/{path}/exchangeInfo")
        assert len(info["symbols"]) == len(bench.ask("GET", f"{host}/{path}/ticker/price"))


def test_exchange_info_follows_statuses_and_refuses_what_is_not_listed() -> None:
    bench = Bench()
    bench.control.set_symbol_status("spot", "BTCUSDT", "CANCEL_ONLY")
    place = f"{SPOT}/api/v3/exchangeInfo"
    (row,) = bench.ask("GET", place, {"symbol": "BTCUSDT"})["symbols"]
    assert row["status"] == "CANCEL_ONLY"
    assert bench.ask("GET", place, {"symbol": "NOPE"})["code"] == -1121
    with pytest.raises(ValueError, match="status"):
        bench.control.set_symbol_status("spot", "BTCUSDT", "ASLEEP")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("fapi/v2/account", "totalWalletBalance"),
        ("fapi/v3/account", "totalMarginBalance"),
        ("fapi/v1/accountConfig", "dualSidePosition"),
        ("fapi/v1/multiAssetsMargin", "multiAssetsMargin"),
    ],
)
def test_account_documents(path: str, field: str) -> None:
    assert field in Bench().ask("GET", f"{USDM}/{path}")


def test_leverage_fees_and_configuration() -> None:
    bench = Bench()
    asked = {"symbol": "BTCUSDT"}
    assert bench.ask("POST", f"{USDM}/fapi/v1/leverage", asked | {"leverage": 5})["leverage"] == 5
    (row,) = bench.ask("GET", f"{USDM}/fapi/v1/symbolConfig", asked)
    assert (row["leverage"], row["marginType"]) == (5, "CROSSED")
    rates = bench.ask("GET", f"{USDM}/fapi/v1/commissionRate", asked)
    assert rates["takerCommissionRate"] == "0.0005"
    assert bench.ask("GET", f"{USDM}/fapi/v3/balance")[0]["balance"] == "1000000"


def test_a_closed_account_takes_no_orders_and_lets_cancel() -> None:
    bench = Bench()
    order = bench.spot_order()
    bench.control.close_account("main")
    assert bench.ask("POST", f"{SPOT}/api/v3/order", _LIMIT)["code"] == -2010
    named = {"symbol": "BTCUSDT", "orderId": order["order_id"]}
    assert bench.ask("DELETE", f"{SPOT}/api/v3/order", named)["status"] == "CANCELED"


def test_what_is_scheduled_happens_at_its_time_and_again() -> None:
    bench = Bench()
    bench.control.set_position("main", "BTCUSDT", "1", "60000")
    arguments = {"symbol": "BTCUSDT", "rate": "0.0001"}
    bench.control.schedule(1_000, "funding", arguments, every_ms=500)
    bench.pass_ms(2_250)
    rows = bench.ask("GET", f"{USDM}/fapi/v1/income", {"incomeType": "FUNDING_FEE"})
    assert [row["time"] - START_MS for row in rows] == [1_000, 1_500, 2_000]


def test_the_clock_steps_and_drifts() -> None:
    bench = Bench()
    place = f"{SPOT}/api/v3/time"
    bench.control.set_clock_skew(-300, drift_ppm=2_000)
    offsets = []
    for _ in range(3):
        told = json.loads(bench.send("GET", place, signed=False).body)["serverTime"]
        offsets.append(told - bench.now_ms)
        bench.pass_ms(100_000)
    assert offsets == [-300, -100, 100]
    bench.control.set_clock_skew(0)
    assert bench.exchange.now_ms() == bench.now_ms


def test_what_is_seeded_past_its_trigger_triggers_without_time_passing() -> None:
    bench = Bench()
    bench.control.set_position("main", "BTCUSDT", "1", "60000")
    bench.control.truth("main")
    bench.stop_order("61000")
    assert bench.control.truth("main")["open_algo_orders"] == []


def test_a_booked_act_that_cannot_be_done_is_noted_and_time_goes_on() -> None:
    bench = Bench()
    arguments = {"account": "main", "asset": "USDT", "amount": "99999999"}
    bench.control.schedule(10, "withdraw", arguments)
    bench.control.schedule(20, "deposit", arguments)
    bench.pass_ms(100)
    assert len(bench.control.defects) == 1
    assert bench.control.truth("main")["balances"]["spot"]["USDT"]["total"] == "100999999"


def test_control_refuses_what_makes_no_sense() -> None:
    bench = Bench()
    control = bench.control
    order = bench.spot_order()
    refused: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (LookupError, "nonsense", {}),
        (LookupError, "_account", {"label": "main"}),
        (LookupError, "truth", {"account": "nobody"}),
        (ValueError, "add_account", {"account": "main"}),
        (ValueError, "fill", {"order": order, "quantity": "99"}),
        (ValueError, "deposit", {"account": "main", "asset": "USDT", "amount": "1.5x"}),
        (ValueError, "deposit", {"account": "main", "asset": "A", "amount": "1", "market": "x"}),
        (ValueError, "withdraw", {"account": "main", "asset": "ETH", "amount": "1"}),
        (ValueError, "transfer", {"account": "main", "asset": "ETH", "amount": "1"}),
        (LookupError, "fill", {"order": order | {"order_id": 7}}),
    ]
    for error, method, arguments in refused:
        with pytest.raises(error):
            control.call(method, arguments)


def test_numbers_are_written_as_the_dialects_do() -> None:
    assert (plain(amount_of("0.1000")), plain(amount_of("100")), plain(amount_of("0E-8"))) == (
        "0.1",
        "100",
        "0",
    )
    assert padded(amount_of("1.5")) == "1.50000000"
    assert padded(amount_of("0.0000000001")) == "0.0000000001"
    for wrong in ("NaN", "Infinity", "1,5"):
        with pytest.raises(ValueError, match="decimal"):
            amount_of(wrong)


_TEXT = st.text(max_size=12)
_PATHS = [
    "/api/v3/order",
    "/api/v3/openOrders",
    "/api/v3/myTrades",
    "/fapi/v1/order",
    "/fapi/v1/batchOrders",
    "/fapi/v1/algoOrder",
    "/fapi/v1/income",
    "/sapi/v1/asset/transfer",
]
_NAMES = st.sampled_from(
    [
        "symbol",
        "side",
        "type",
        "quantity",
        "price",
        "orderId",
        "limit",
        "startTime",
        "endTime",
        "fromId",
        "batchOrders",
        "orderIdList",
        "algoId",
        "triggerPrice",
        "size",
    ]
)
_VALUES = st.one_of(
    _TEXT, st.sampled_from(["BTCUSDT", "BUY", "LIMIT", "1", "0", "-1", "[]", "[{}]", '["x"]'])
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    st.sampled_from(_PATHS),
    st.dictionaries(_NAMES, _VALUES, max_size=6),
)
def test_no_signed_nonsense_breaks_the_venue(method: str, path: str, asked: dict[str, str]) -> None:
    bench = Bench()
    host = USDM if path.startswith("/fapi") else SPOT
    reply = bench.send(method, f"{host}{path}", {"symbol": "BTCUSDT"} | asked)
    assert reply.status != 500
    assert bench.control.defects == []


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=8), st.text(max_size=20), st.text(max_size=30), st.binary(max_size=30))
def test_no_raw_nonsense_breaks_the_venue(method: str, path: str, query: str, body: bytes) -> None:
    bench = Bench()
    for where in (path, "/api/v3/order"):
        request = Request(method, "api.binance.com", where, query, {"x-mbx-apikey": query}, body)
        assert bench.exchange.handle(request).status in (200, 400, 401, 404)
    assert bench.control.defects == []


@pytest.mark.parametrize("listed", ['["x"]', "[null]", "[[1]]", "[1.5]", "{}", "[", "[true]"])
def test_a_batch_of_nonsense_is_refused(listed: str) -> None:
    bench = Bench()
    place = f"{USDM}/fapi/v1/batchOrders"
    answers = [
        bench.ask("DELETE", place, {"symbol": "BTCUSDT", "orderIdList": listed}),
        bench.ask("POST", place, {"batchOrders": listed}),
    ]
    for answer in answers:
        row = answer[0] if isinstance(answer, list) else answer
        assert row["code"] < -1000
    assert bench.control.defects == []


def test_every_endpoint_has_a_name_of_its_own() -> None:
    assert len(set(names())) == len(names())
