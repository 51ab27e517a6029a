"""What the heart tells the streams: private events in the venue's dialects."""

from typing import Any

import pytest

from resyncctl.simulator.events import Event
from resyncctl.simulator.venue_errors import VenueError
from tests.simulator.practice import START_MS, USDM, Bench


def _listen(bench: Bench) -> list[Event]:
    heard: list[Event] = []
    bench.exchange.listen(heard.append)
    return heard


def _names(heard: list[Event]) -> list[str]:
    return [event.name for event in heard]


def test_a_spot_order_and_its_fill() -> None:
    bench = Bench()
    heard = _listen(bench)
    order = bench.spot_order(quantity="0.2", client_order_id="mine")
    bench.control.fill(order, "0.1")
    assert _names(heard) == [
        "executionReport",
        "outboundAccountPosition",
        "executionReport",
        "outboundAccountPosition",
    ]
    new, locked, trade, after = (event.payload for event in heard)
    assert (new["x"], new["X"], new["c"], new["i"], new["t"]) == ("NEW", "NEW", "mine", 1000, -1)
    assert locked["B"][1] == {"a": "USDT", "f": "990000.00000000", "l": "10000.00000000"}
    assert (trade["x"], trade["X"], trade["l"], trade["z"], trade["L"]) == (
        "TRADE",
        "PARTIALLY_FILLED",
        "0.10000000",
        "0.10000000",
        "50000.00000000",
    )
    assert (trade["n"], trade["N"], trade["m"]) == ("0.00010000", "BTC", True)
    assert [row["a"] for row in after["B"]] == ["BTC", "USDT"]
    assert {event.account for event in heard} == {"main"}


def test_a_cancel_names_both_client_ids() -> None:
    bench = Bench()
    order = bench.spot_order(client_order_id="mine")
    heard = _listen(bench)
    bench.control.cancel(order)
    report = heard[0].payload
    assert (report["x"], report["C"], report["c"]) == ("CANCELED", "mine", "web")
    assert heard[1].payload["B"][1]["l"] == "0.00000000"


def test_a_list_tells_its_state_and_its_legs() -> None:
    bench = Bench()
    heard = _listen(bench)
    bench.control.seed_oco(
        "main",
        symbol="BTCUSDT",
        side="SELL",
        quantity="0.1",
        price="70000",
        stop_price="50000",
        stop_limit_price="49000",
    )
    bench.control.set_price("BTCUSDT", "70000")
    states = [event.payload["l"] for event in heard if event.name == "listStatus"]
    assert states == ["EXEC_STARTED", "ALL_DONE"]
    reports = [event.payload["x"] for event in heard if event.name == "executionReport"]
    assert reports == ["NEW", "NEW", "TRADE", "EXPIRED"]


def test_money_from_outside_and_between_wallets() -> None:
    bench = Bench()
    heard = _listen(bench)
    bench.control.deposit("main", "USDT", "5")
    bench.control.transfer("main", "USDT", "7")
    assert _names(heard) == [
        "balanceUpdate",
        "outboundAccountPosition",
        "balanceUpdate",
        "ACCOUNT_UPDATE",
    ]
    assert [heard[0].payload["d"], heard[2].payload["d"]] == ["5.00000000", "-7.00000000"]
    (row,) = heard[3].payload["a"]["B"]
    assert (heard[3].payload["a"]["m"], row["bc"], row["wb"]) == ("DEPOSIT", "7", "1000007")


def test_a_usdm_fill_tells_the_account_before_the_order() -> None:
    bench = Bench()
    heard = _listen(bench)
    bench.control.trade(
        "main", "60000", market="usdm", symbol="BTCUSDT", side="SELL", quantity="0.5"
    )
    assert _names(heard) == ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
    (leg,) = heard[1].payload["a"]["P"]
    assert (leg["pa"], leg["ep"], leg["ps"]) == ("-0.5", "60000", "BOTH")
    body = heard[2].payload["o"]
    assert (body["x"], body["X"], body["l"], body["n"], body["N"]) == (
        "TRADE",
        "FILLED",
        "0.5",
        "15",
        "USDT",
    )


def test_a_conditional_order_is_told_apart() -> None:
    bench = Bench()
    bench.control.set_position("main", "BTCUSDT", "0.01", "60000")
    heard = _listen(bench)
    bench.stop_order()
    bench.control.set_price("BTCUSDT", "54000")
    algos = [event.payload["o"] for event in heard if event.name == "ALGO_UPDATE"]
    assert [row["X"] for row in algos] == ["NEW", "TRIGGERED", "FINISHED"]
    assert algos[1]["ai"] == "1000"
    assert algos[1]["tt"] == START_MS


def test_a_liquidation_and_funding_and_a_lapsed_key() -> None:
    bench = Bench()
    key = bench.ask("POST", f"{USDM}/fapi/v1/listenKey")["listenKey"]
    bench.control.set_position("main", "BTCUSDT", "1", "60000")
    heard = _listen(bench)
    bench.control.funding("BTCUSDT", "0.001")
    bench.control.liquidate("main", "BTCUSDT")
    bench.control.lapse_listen_key("main")
    assert heard[0].payload["a"]["m"] == "FUNDING_FEE"
    assert heard[0].payload["a"]["B"][0]["bc"] == "-60"
    forced = [event.payload["o"]["x"] for event in heard if event.name == "ORDER_TRADE_UPDATE"]
    assert forced == ["NEW", "CALCULATED"]
    assert heard[-1].payload["listenKey"] == key


def test_a_listener_can_leave() -> None:
    bench = Bench()
    heard: list[Event] = []
    leave = bench.exchange.listen(heard.append)
    leave()
    leave()
    bench.spot_order()
    assert heard == []


def test_a_websocket_request_is_authorised_by_its_sorted_parameters() -> None:
    bench = Bench()
    given: dict[str, Any] = {"timestamp": bench.now_ms, "apiKey": bench.key["api_key"]}
    text = f"apiKey={given['apiKey']}&timestamp={given['timestamp']}"
    assert bench.exchange.authorise(given | {"signature": bench.sign(text)}) == "main"
    with pytest.raises(VenueError) as caught:
        bench.exchange.authorise(given | {"signature": bench.sign(text + "0")})
    assert caught.value.code == -1022
    with pytest.raises(VenueError) as caught:
        bench.exchange.authorise({"apiKey": "nobody"})
    assert caught.value.code == -2015


def test_stream_faults_are_consumed_one_firing_at_a_time() -> None:
    bench = Bench()
    bench.control.inject_stream("stall", "usdm.private", account="main", skip=1, times=2)
    take = bench.control.stream_faults.take
    assert take("gap", "usdm.private", "main") is None
    assert take("stall", "spot.private", "main") is None
    assert take("stall", "usdm.private", "other") is None
    fired = [take("stall", "usdm.private", "main") is not None for _ in range(4)]
    assert fired == [False, True, True, False]
    bench.control.inject_stream("gap", "usdm.*")
    bench.control.clear_faults()
    assert take("gap", "usdm.public") is None
