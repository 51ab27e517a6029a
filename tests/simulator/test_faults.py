"""Every kind of fault is effective: the history differs from the same run without it."""

import json
from typing import Any

import ccxt
import pytest

from resyncctl.simulator.fault_kinds import KINDS
from tests.simulator.practice import BTC, BTC_PERPETUAL, SPOT, START_MS, USDM, Bench

# What a kind is tried on: the endpoint that it breaks, and the parameters that it needs.
_SPOT_LIST = ("GET", f"{SPOT}/api/v3/openOrders", {"symbol": "BTCUSDT"})
_TRADES = ("GET", f"{SPOT}/api/v3/myTrades", {"symbol": "BTCUSDT"})
_CANCEL = ("DELETE", f"{SPOT}/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": "open-0"})
_CANCEL_ALL = ("DELETE", f"{SPOT}/api/v3/openOrders", {"symbol": "BTCUSDT"})
_USDM_LIST = ("GET", f"{USDM}/fapi/v1/openOrders", {"symbol": "BTCUSDT"})
_USDM_ALL = ("DELETE", f"{USDM}/fapi/v1/allOpenOrders", {"symbol": "BTCUSDT"})
_BATCH = (
    "DELETE",
    f"{USDM}/fapi/v1/batchOrders",
    {"symbol": "BTCUSDT", "origClientOrderIdList": '["swap-0","swap-1"]'},
)
_PLACE = (
    "POST",
    f"{SPOT}/api/v3/order",
    {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"},
)
_LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "price": "49000"}
CASES: dict[str, tuple[tuple[str, str, dict[str, str]], dict[str, Any]]] = {
    "request_lost": (_CANCEL, {}),
    "request_delayed": (_CANCEL, {"delay_ms": 3000}),
    "request_duplicated": (_PLACE, {}),
    "answer_lost": (_CANCEL, {}),
    "answer_reset": (_CANCEL, {}),
    "answer_truncated": (_SPOT_LIST, {}),
    "answer_never": (_CANCEL, {}),
    "answer_slow": (_SPOT_LIST, {"delay_ms": 2000}),
    "body_missing_field": (_SPOT_LIST, {"field": "status"}),
    "body_other_account": (_SPOT_LIST, {"account": "other"}),
    "stale_listing": (_SPOT_LIST, {"lag_ms": 1000, "mode": "missing_new"}),
    "page_truncated": (_TRADES, {"keep": 1}),
    "page_hole": (_TRADES, {}),
    "page_duplicate": (_TRADES, {}),
    "page_unstable": (_TRADES, {}),
    "duplicate_trade": (_TRADES, {"index": 0}),
    "row_altered": (_TRADES, {"field": "qty", "value": "9"}),
    "cancel_pretended": (_CANCEL, {}),
    "mass_cancel_partial": (_CANCEL_ALL, {"reach": 1}),
    "batch_partial": (_BATCH, {"count": 1}),
    "late_fill_before_cancel": (_CANCEL, {"fraction": "0.5"}),
    "late_fill_after_cancel": (_CANCEL, {"delay_ms": 200}),
    "engine_order_lands": (_CANCEL_ALL, {"market": "spot", **_LIMIT, "delay_ms": 500}),
    "foreign_order_appears": (_SPOT_LIST, {"market": "spot", **_LIMIT}),
    "liquidation": (_USDM_LIST, {"symbol": "BTCUSDT", "price": "59000"}),
    "auto_deleveraging": (_USDM_LIST, {"symbol": "BTCUSDT"}),
    "funding": (_USDM_LIST, {"symbol": "BTCUSDT", "rate": "0.0001"}),
    "deposit": (_SPOT_LIST, {"asset": "USDT", "amount": "5"}),
    "throttled_1008": (_PLACE, {}),
    "withdrawal": (_SPOT_LIST, {"asset": "USDT", "amount": "5"}),
    "transfer": (_SPOT_LIST, {"asset": "USDT", "amount": "5"}),
    "symbol_status": (
        _CANCEL,
        {"market": "spot", "symbol": "BTCUSDT", "status": "CLOSE"},
    ),
    "hedge_flip": (_USDM_LIST, {}),
    "countdown_fires": (_USDM_LIST, {"symbol": "BTCUSDT"}),
    "order_filled": (_SPOT_LIST, {"market": "spot"}),
    "price_moves": (_SPOT_LIST, {"symbol": "BTCUSDT", "price": "1000"}),
    "clock_steps": (_SPOT_LIST, {"milliseconds": 60_000}),
    "key_revoked": (_SPOT_LIST, {}),
    "listen_key_lapses": (_USDM_LIST, {}),
    "maintenance": (_SPOT_LIST, {}),
    "algo_child_appears": (_USDM_LIST, {}),
}


def _world() -> Bench:
    """Return a bench with open orders, trades, a leg and a stop, and a second account."""
    bench = Bench()
    bench.control.add_account("other")
    for number in range(3):
        bench.spot_order(price=str(50000 + number), client_order_id=f"open-{number}")
        bench.usdm_order(price=str(50000 + number), client_order_id=f"swap-{number}")
        bench.control.trade(
            "main", "60000", market="spot", symbol="BTCUSDT", side="BUY", quantity="0.01"
        )
    bench.control.set_position("main", "BTCUSDT", "1", "60000")
    bench.stop_order(quantity="0.5")
    bench.ask("POST", f"{USDM}/fapi/v1/listenKey")
    bench.log.rows.clear()
    return bench


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_history_differs_from_the_same_run_without_the_fault(kind: str) -> None:
    parameters = dict(CASES.get(kind, (None, {}))[1])
    if kind not in CASES:
        assert KINDS[kind].finish is not None, "a new kind needs its own case"
    (method, place, asked), _ = CASES.get(kind, (_SPOT_LIST, {}))
    clean, broken = _world(), _world()
    broken.control.inject(kind, parameters=parameters)
    seen = []
    for bench in (clean, broken):
        reply = bench.send(method, place, asked)
        bench.pass_ms(10_000)
        again = bench.send("GET", f"{SPOT}/sapi/v1/system/status", signed=False).body
        key = bench.exchange.world.live_listen_key(
            bench.exchange.world.ledger.account("main"), "usdm"
        )
        seen.append((reply, bench.control.digest(), again, bench.exchange.now_ms(), key))
        assert bench.control.defects == []
        assert bench.control.imbalance() == {}
    assert seen[0] != seen[1]
    (row,) = broken.control.fault_ledger()
    assert (row["kind"], row["request"], row["changed"]) == (kind, 1, True)
    assert next(iter(broken.log)).faults == (kind,)


@pytest.mark.parametrize(
    "kind", sorted(name for name in KINDS if name.startswith(("page_", "body_", "stale")))
)
def test_a_fault_that_meets_nothing_to_spoil_says_so(kind: str) -> None:
    bench = Bench()
    parameters = {"field": "status", "account": "main", "value": "1"}
    bench.control.inject(kind, "spot.open_orders", parameters=parameters)
    bench.send(*_SPOT_LIST)
    (row,) = bench.control.fault_ledger()
    always = {"body_html", "body_empty", "body_object", "body_null", "body_error_in_200"}
    always |= {"body_cut", "body_wrong_type"}
    assert row["changed"] is (kind in always)


@pytest.mark.parametrize(
    ("kind", "parameters", "raised"),
    [
        ("unknown_503", {}, ccxt.OperationFailed),
        ("internal_503", {}, ccxt.OperationFailed),
        ("unavailable_503", {}, ccxt.ExchangeError),
        ("throttled_1008", {}, ccxt.OperationFailed),
        ("code_1000", {}, ccxt.OperationFailed),
        ("code_1001", {}, ccxt.OperationFailed),
        ("code_1006", {}, ccxt.OperationFailed),
        ("code_1007", {}, ccxt.RequestTimeout),
        ("bad_gateway_502", {}, ccxt.ExchangeNotAvailable),
        ("waf_403", {}, ccxt.ExchangeNotAvailable),
        ("limited_429", {}, ccxt.DDoSProtection),
        ("banned_418", {}, ccxt.DDoSProtection),
        ("clock_refused", {}, ccxt.InvalidNonce),
        ("signature_refused", {}, ccxt.AuthenticationError),
        ("reduce_only_refused", {}, ccxt.InvalidOrder),
        ("notional_refused", {}, ccxt.InvalidOrder),
        ("answer_lost", {}, ccxt.ExchangeNotAvailable),
        ("answer_reset", {}, ccxt.ExchangeNotAvailable),
        ("answer_truncated", {}, ccxt.ExchangeError),
        ("answer_never", {}, ccxt.RequestTimeout),
        ("answer_slow", {"delay_ms": 60}, ccxt.RequestTimeout),
        ("request_lost", {}, ccxt.RequestTimeout),
        ("request_lost", {"fate": "drop"}, ccxt.ExchangeNotAvailable),
    ],
)
async def test_what_the_client_class_raises(
    kind: str, parameters: dict[str, Any], raised: type[Exception]
) -> None:
    async with Bench() as bench:
        client = await bench.usdm()
        bench.control.inject(kind, "usdm.place", parameters=parameters)
        with pytest.raises(raised) as caught:
            await client.create_order(BTC_PERPETUAL, "limit", "buy", 0.01, 50000)
        assert type(caught.value) is raised


async def test_a_key_that_worked_and_is_refused_looks_like_a_ban_to_ccxt() -> None:
    async with Bench() as bench:
        client = await bench.spot()
        await client.fetch_balance()
        bench.control.inject("key_refused", "spot.account")
        with pytest.raises(ccxt.DDoSProtection):
            await client.fetch_balance()


async def test_retry_after_and_the_end_of_a_ban_can_be_read() -> None:
    async with Bench() as bench:
        client = await bench.spot()
        bench.control.inject("limited_429", parameters={"retry_after_s": 7})
        with pytest.raises(ccxt.DDoSProtection):
            await client.fetch_balance()
        assert client.last_response_headers["Retry-After"] == "7"
        bench.control.inject("banned_418", parameters={"length_ms": 90_000})
        with pytest.raises(ccxt.DDoSProtection, match=f"banned until {START_MS + 90_000}"):
            await client.fetch_balance()


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("kind", ["unknown_503", "code_1006", "code_1007", "bad_gateway_502"])
async def test_a_server_error_hides_whether_the_order_was_placed(
    kind: str, *, executed: bool
) -> None:
    async with Bench() as bench:
        bench.control.inject(kind, "create", parameters={"executed": executed})
        reply = bench.send(*_PLACE)
        assert reply.status >= 500
        assert bool(bench.control.truth("main")["fills"]) is executed
        row = list(bench.log)[-1]
        assert (row.executed, bool(row.placed)) == (executed, executed)
        assert bool(bench.log.orders_placed(0, "main")) is executed


async def test_a_lost_answer_does_not_undo_the_order() -> None:
    async with Bench() as bench:
        client = await bench.spot()
        bench.control.inject("answer_lost", "spot.place")
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await client.create_order(BTC, "limit", "buy", 0.01, 50000, {"newClientOrderId": "x"})
        assert bench.control.open_orders("main")[0]["client_order_id"] == "x"


async def test_a_lost_request_places_nothing() -> None:
    async with Bench() as bench:
        client = await bench.spot()
        bench.control.inject("request_lost", "spot.place")
        with pytest.raises(ccxt.RequestTimeout):
            await client.create_order(BTC, "limit", "buy", 0.01, 50000)
        bench.pass_ms(100_000)
        assert bench.control.open_orders("main") == []
        row = list(bench.log)[-1]
        assert (row.reached, row.executed, row.landed_ms) == (False, False, 0)


@pytest.mark.parametrize(("delay_ms", "lands"), [(4_000, True), (20_000, False)])
async def test_a_delayed_request_lands_later_or_is_too_old(delay_ms: int, *, lands: bool) -> None:
    async with Bench() as bench:
        client = await bench.spot()
        bench.control.inject("request_delayed", "spot.place", parameters={"delay_ms": delay_ms})
        with pytest.raises(ccxt.RequestTimeout):
            await client.create_order(BTC, "limit", "buy", 0.01, 50000, {"newClientOrderId": "l"})
        bench.pass_ms(delay_ms - 1)
        assert bench.control.open_orders("main") == []
        bench.pass_ms(50_000)
        assert bool(bench.control.open_orders("main")) is lands
        (row,) = bench.log.creates()
        assert (row.landed_ms, row.executed) == (START_MS + delay_ms, lands)
        assert row.code == (0 if lands else -1021)
        if lands:
            assert bench.control.open_orders("main")[0]["created_ms"] == START_MS + delay_ms


async def test_a_duplicated_market_order_trades_twice_and_a_resting_one_once() -> None:
    async with Bench() as bench:
        bench.control.inject("request_duplicated", "create", times=2)
        bench.send(*_PLACE)
        assert len(bench.control.truth("main")["fills"]) == 2
        named = _LIMIT | {"type": "LIMIT", "timeInForce": "GTC", "newClientOrderId": "one"}
        bench.send("POST", f"{SPOT}/api/v3/order", named)
        assert len(bench.control.open_orders("main")) == 1
        assert [row.copy for row in bench.log.creates()] == [0, 1, 0, 1]
        assert len(bench.log.mutations("main")) == 2


async def test_a_pretended_cancel_leaves_the_order_open() -> None:
    async with Bench() as bench:
        client = await bench.spot()
        placed = await client.create_order(BTC, "limit", "buy", 0.01, 50000)
        bench.control.inject("cancel_pretended", "spot.cancel")
        assert (await client.cancel_order(placed["id"], BTC))["status"] == "canceled"
        assert len(await client.fetch_open_orders(BTC)) == 1
        assert [row.executed for row in bench.log.select(kind="cancel")] == [False]
        assert (await client.cancel_order(placed["id"], BTC))["status"] == "canceled"
        assert await client.fetch_open_orders(BTC) == []


@pytest.mark.parametrize("case", [_CANCEL_ALL, _USDM_ALL])
def test_a_partial_mass_cancel_is_acknowledged_all_the_same(
    case: tuple[str, str, dict[str, str]],
) -> None:
    bench = _world()
    bench.control.inject("mass_cancel_partial", "cancel", parameters={"reach": 2})
    before = len(bench.control.open_orders("main"))
    assert bench.send(*case).status == 200
    assert len(bench.control.open_orders("main")) == before - 2


def test_lists_and_conditional_orders_can_be_pretended_too() -> None:
    bench = _world()
    oco = bench.control.seed_oco(
        "main",
        symbol="ETHUSDT",
        side="BUY",
        quantity="0.1",
        price="2500",
        stop_price="3500",
        stop_limit_price="3600",
    )
    bench.control.inject("cancel_pretended", "cancel", times=0)
    before = bench.control.open_orders("main")
    named = {"symbol": "ETHUSDT", "orderListId": oco["order_list_id"]}
    answer = bench.ask("DELETE", f"{SPOT}/api/v3/orderList", named)
    assert answer["listOrderStatus"] == "ALL_DONE"
    assert [row["status"] for row in answer["orderReports"]] == ["CANCELED", "CANCELED"]
    bench.send("DELETE", f"{USDM}/fapi/v1/algoOpenOrders", {"symbol": "BTCUSDT"})
    bench.send(*_USDM_ALL)
    bench.send(*_BATCH)
    assert bench.control.open_orders("main") == before


def test_a_fault_with_unusable_parameters_is_the_venues_defect_and_nobody_elses() -> None:
    bench = _world()
    bench.control.inject("row_altered", "spot.my_trades")
    assert bench.send(*_TRADES).status == 500
    assert "KeyError" in bench.control.defects[0]
    assert bench.send(*_TRADES).status == 200


def test_a_batch_fails_in_part() -> None:
    bench = _world()
    bench.control.inject("batch_partial", "usdm.cancel_batch")
    first, second = json.loads(bench.send(*_BATCH).body)
    assert (first["status"], second["code"]) == ("CANCELED", -1001)


def test_a_fill_just_before_the_cancel_makes_it_unknown() -> None:
    bench = _world()
    bench.control.inject("late_fill_before_cancel", "cancel")
    reply = bench.send(*_CANCEL)
    assert json.loads(reply.body)["code"] == -2011
    named = {"symbol": "BTCUSDT", "origClientOrderId": "open-0"}
    assert bench.ask("GET", f"{SPOT}/api/v3/order", named)["status"] == "FILLED"


def test_a_fill_after_the_acknowledgement_of_the_cancel() -> None:
    bench = _world()
    parameters = {"fraction": "0.5", "delay_ms": 700}
    bench.control.inject("late_fill_after_cancel", "cancel", parameters=parameters)
    assert json.loads(bench.send(*_CANCEL).body)["executedQty"] == "0.00000000"
    named = {"symbol": "BTCUSDT", "origClientOrderId": "open-0"}
    bench.pass_ms(699)
    assert bench.ask("GET", f"{SPOT}/api/v3/order", named)["executedQty"] == "0.00000000"
    bench.pass_ms(1)
    late = bench.ask("GET", f"{SPOT}/api/v3/order", named)
    assert (late["status"], late["executedQty"]) == ("CANCELED", "0.00500000")
    assert bench.control.imbalance() == {}


def test_a_conditional_order_turns_up_as_a_regular_one_after_the_listing() -> None:
    bench = _world()
    bench.control.inject("algo_child_appears", "usdm.open_orders", parameters={"symbol": "BTCUSDT"})
    before = len(json.loads(bench.send(*_USDM_LIST).body))
    algos = bench.ask("GET", f"{USDM}/fapi/v1/openAlgoOrders", {"symbol": "BTCUSDT"})
    assert (before, algos) == (3, [])
    legs = bench.control.truth("main")["positions"]
    assert legs[0]["amount"] == "0.5"


@pytest.mark.parametrize(
    ("asked", "exempt", "status"),
    [
        (_PLACE, True, 503),
        ((*_PLACE[:2], _PLACE[2] | {"reduceOnly": "true"}), True, 400),
        (_CANCEL, True, 200),
        (_CANCEL, False, 503),
    ],
)
def test_throttling_spares_cancels_and_closing_orders(
    asked: tuple[str, str, dict[str, str]], *, exempt: bool, status: int
) -> None:
    bench = _world()
    bench.control.inject("throttled_1008", parameters={"exempt": exempt})
    assert bench.send(*asked).status == status
    (row,) = bench.control.fault_ledger()
    assert row["changed"] is (status == 503)


def test_a_late_fill_needs_the_funds_to_be_there_still() -> None:
    bench = _world()
    bench.control.inject("late_fill_after_cancel", "cancel", parameters={"delay_ms": 100})
    bench.send(*_CANCEL)
    free = bench.control.truth("main")["balances"]["spot"]["USDT"]["free"]
    bench.control.withdraw("main", "USDT", free)
    bench.pass_ms(200)
    (row,) = bench.control.fault_ledger()
    assert row["changed"] is False
    assert bench.control.truth("main")["balances"]["spot"]["USDT"]["free"] == "0"


def test_an_engine_order_lands_after_the_cancel_all() -> None:
    bench = _world()
    parameters = {"market": "spot", **_LIMIT, "client_order_id": "late", "delay_ms": 800}
    bench.control.inject("engine_order_lands", "spot.cancel_all", parameters=parameters)
    bench.send(*_CANCEL_ALL)
    assert json.loads(bench.send(*_SPOT_LIST).body) == []
    bench.pass_ms(800)
    (late,) = json.loads(bench.send(*_SPOT_LIST).body)
    assert late["clientOrderId"] == "late"
