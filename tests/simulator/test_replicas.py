"""Lagging replicas: what a listing shows of the past, while cancels meet the present."""

import json

import pytest

from tests.simulator.practice import BTC, SPOT, USDM, Bench

_LIST = f"{SPOT}/api/v3/openOrders"


def _ids(bench: Bench) -> list[str]:
    rows = bench.ask("GET", _LIST, {"symbol": "BTCUSDT"})
    return [row["clientOrderId"] for row in rows]


def _story(mode: str) -> Bench:
    """An old order was cancelled a second ago, a new one was placed a second ago, one stays."""
    bench = Bench()
    bench.spot_order(client_order_id="stays")
    gone = bench.spot_order(client_order_id="gone")
    bench.pass_ms(30_000)
    bench.control.cancel(gone)
    bench.spot_order(client_order_id="fresh")
    bench.pass_ms(1_000)
    bench.control.set_lag("spot.open_orders", 20_000, mode)
    return bench


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        ("steady", ["stays", "gone"]),
        ("missing_new", ["stays"]),
        ("showing_old", ["stays", "gone", "fresh"]),
    ],
)
def test_what_each_mode_shows(mode: str, shown: list[str]) -> None:
    bench = _story(mode)
    assert _ids(bench) == shown
    bench.pass_ms(20_000)
    assert _ids(bench) == ["stays", "fresh"]


def test_flapping_answers_in_turn_from_the_past_and_the_present() -> None:
    bench = _story("flapping")
    assert [_ids(bench) for _ in range(3)] == [
        ["stays", "gone"],
        ["stays", "fresh"],
        ["stays", "gone"],
    ]


def test_a_stale_listing_as_a_fault_flaps_too_and_says_when_it_mattered() -> None:
    bench = _story("flapping")
    bench.control.set_lag("spot.open_orders", 0)
    bench.control.inject(
        "stale_listing",
        "spot.open_orders",
        times=2,
        parameters={"mode": "flapping", "lag_ms": 20_000},
    )
    assert [_ids(bench) for _ in range(3)] == [
        ["stays", "gone"],
        ["stays", "fresh"],
        ["stays", "fresh"],
    ]
    assert [row["changed"] for row in bench.control.fault_ledger()] == [True, False]


def test_a_lag_ends_and_touches_only_its_endpoint() -> None:
    bench = _story("steady")
    gone = bench.ask(
        "GET", f"{SPOT}/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": "gone"}
    )
    assert gone["status"] == "CANCELED"
    bench.control.set_lag("spot.open_orders", 0)
    assert _ids(bench) == ["stays", "fresh"]


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="steady"):
        Bench().control.set_lag("read", 1000, "sleepy")


async def test_a_cancel_meets_the_matching_engine_not_the_replica() -> None:
    async with Bench() as bench:
        client = await bench.spot()
        bench.pass_ms(10_000)
        bench.control.set_lag("read", 5_000)
        placed = await client.create_order(BTC, "limit", "buy", 0.01, 50000)
        assert await client.fetch_open_orders(BTC) == []
        assert (await client.cancel_order(placed["id"], BTC))["status"] == "canceled"
        missing = bench.ask(
            "GET", f"{SPOT}/api/v3/order", {"symbol": "BTCUSDT", "orderId": placed["id"]}
        )
        assert missing["code"] == -2013


def test_trades_balances_and_legs_lag_too() -> None:
    bench = Bench()
    bench.pass_ms(10_000)
    before = bench.ask("GET", f"{SPOT}/api/v3/account")["balances"]
    bench.control.set_lag("read", 5_000)
    bench.control.trade(
        "main", "60000", market="spot", symbol="BTCUSDT", side="BUY", quantity="0.01"
    )
    bench.control.trade(
        "main", "60000", market="usdm", symbol="BTCUSDT", side="BUY", quantity="0.01"
    )
    places = {
        f"{SPOT}/api/v3/myTrades": {"symbol": "BTCUSDT"},
        f"{USDM}/fapi/v1/userTrades": {"symbol": "BTCUSDT"},
        f"{USDM}/fapi/v3/positionRisk": {},
    }
    assert [bench.ask("GET", place, asked) for place, asked in places.items()] == [[], [], []]
    assert bench.ask("GET", f"{SPOT}/api/v3/account")["balances"] == before
    bench.pass_ms(5_000)
    assert all(bench.ask("GET", place, asked) for place, asked in places.items())


def test_conditional_orders_lag_too() -> None:
    bench = Bench()
    bench.pass_ms(30_000)
    old = bench.stop_order(client_order_id="old")
    bench.pass_ms(30_000)
    bench.control.cancel(old)
    bench.stop_order(client_order_id="new")
    place = f"{USDM}/fapi/v1/openAlgoOrders"
    shown = {}
    for mode in ("steady", "missing_new", "showing_old"):
        bench.control.set_lag("usdm.open_algos", 10_000, mode)
        shown[mode] = [row["clientAlgoId"] for row in bench.ask("GET", place)]
    assert shown == {"steady": ["old"], "missing_new": [], "showing_old": ["old", "new"]}


def test_a_partial_fill_is_seen_late() -> None:
    bench = Bench()
    order = bench.spot_order(quantity="1")
    bench.pass_ms(10_000)
    bench.control.fill(order, "0.25")
    bench.control.set_lag("spot.open_orders", 5_000)
    reply = bench.send("GET", _LIST, {"symbol": "BTCUSDT"})
    assert json.loads(reply.body)[0]["executedQty"] == "0.00000000"
