"""Where and how often a fault fires."""

import pytest

from tests.simulator.practice import SPOT, Bench

_SPOT_LIST = ("GET", f"{SPOT}/api/v3/openOrders", {"symbol": "BTCUSDT"})


def _world() -> Bench:
    bench = Bench()
    bench.control.add_account("other")
    bench.spot_order()
    return bench


def test_where_a_fault_fires() -> None:
    bench = _world()
    for where, fires in {
        "spot.open_orders": True,
        "read": True,
        "GET /api/v3/open*": True,
        "* /api/*": True,
        "/api/v3/*": True,
        "spot.*": True,
        "*": True,
        "usdm.open_orders": False,
        "cancel": False,
        "DELETE /api/v3/openOrders": False,
    }.items():
        bench.control.clear_faults()
        bench.control.inject("body_null", where)
        assert (bench.send(*_SPOT_LIST).body == b"null") is fires, where


def test_skip_times_and_account() -> None:
    bench = _world()
    other = bench.control.add_key("other")
    bench.control.inject("body_null", "spot.open_orders", skip=1, times=2, account="main")
    bodies = [bench.send(*_SPOT_LIST).body == b"null" for _ in range(4)]
    assert bodies == [False, True, True, False]
    bench.control.inject("body_null", account="main", times=0)
    assert bench.send(*_SPOT_LIST, key=other).body == b"[]"
    assert [bench.send(*_SPOT_LIST).body for _ in range(3)] == [b"null"] * 3
    assert bench.control.clear_faults() == 1
    assert bench.send(*_SPOT_LIST).body != b"null"


def test_an_unknown_kind_is_refused_when_it_is_armed() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="unknown kind"):
        bench.control.inject("gremlins")
    with pytest.raises(ValueError, match="unknown settings"):
        bench.control.inject("body_null", tims=3)


def test_two_faults_on_one_request_both_work() -> None:
    bench = _world()
    bench.control.inject("deposit", parameters={"asset": "USDT", "amount": "5"})
    bench.control.inject("body_empty")
    reply = bench.send(*_SPOT_LIST)
    assert reply.body == b""
    assert [row["changed"] for row in bench.control.fault_ledger()] == [True, True]


def test_stream_faults_are_checked_when_armed_and_filed_when_they_fire() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="closed_1012"):
        bench.control.inject_stream("closed_1012", "spot/market")
    bench.control.inject_stream("gap", "spot/*", times=0)
    take = bench.control.stream_faults.take
    assert bench.control.fault_ledger() == []
    assert all(take("gap", "spot/btcusdt@depth") for _ in range(5))
    rows = bench.control.fault_ledger()
    assert [(row["kind"], row["endpoint"], row["changed"]) for row in rows] == [
        ("gap", "stream spot/btcusdt@depth", True)
    ] * 5
