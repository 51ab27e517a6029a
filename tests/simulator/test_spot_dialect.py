"""The spot dialect, driven by the unmodified ccxt class."""

from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.simulator.practice import BTC, ETH, SPOT, START_MS, Bench

DAY_MS = 86_400_000


async def test_an_order_is_placed_listed_queried_and_cancelled() -> None:
    async with Bench() as bench:
        spot = await bench.spot()
        placed = await spot.create_order(
            BTC, "limit", "buy", 0.01, 50000, {"newClientOrderId": "my-1"}
        )
        assert (placed["status"], placed["clientOrderId"]) == ("open", "my-1")
        assert [row["id"] for row in await spot.fetch_open_orders(BTC)] == [placed["id"]]
        assert [row["id"] for row in await spot.fetch_open_orders()] == [placed["id"]]
        assert (await spot.fetch_balance())["USDT"]["used"] == 500
        by_client = await spot.fetch_order(None, BTC, {"origClientOrderId": "my-1"})
        assert by_client["id"] == placed["id"]
        canceled = await spot.cancel_order(placed["id"], BTC)
        assert canceled["status"] == "canceled"
        assert await spot.fetch_open_orders(BTC) == []
        assert (await spot.fetch_order(placed["id"], BTC))["status"] == "canceled"
        assert (await spot.fetch_balance())["USDT"]["used"] == 0


async def test_a_market_order_trades_at_the_mid_and_pays_its_fee_in_what_it_receives() -> None:
    async with Bench() as bench:
        spot = await bench.spot()
        done = await spot.create_order(BTC, "market", "buy", 0.5)
        assert (done["status"], done["average"], done["filled"]) == ("closed", 60000, 0.5)
        (trade,) = await spot.fetch_my_trades(BTC)
        assert trade["fee"] == {"currency": "BTC", "cost": 0.0005}
        balances = bench.control.truth("main")["balances"]["spot"]
        assert balances["BTC"]["total"] == "10.4995"
        assert balances["USDT"]["total"] == "970000"


async def test_a_discount_asset_pays_the_fee_while_it_lasts() -> None:
    async with Bench() as bench:
        bench.control.set_price("BNBUSDT", "600")
        bench.control.set_fees("main", "spot", "0.001", "0.001", "BNB")
        bench.control.deposit("main", "BNB", "0.04")
        spot = await bench.spot()
        for _ in range(2):
            await spot.create_order(BTC, "market", "sell", 0.5)
        fees = [(fill["fee_asset"], fill["fee"]) for fill in bench.control.truth("main")["fills"]]
        assert fees == [("BNB", "0.0375"), ("USDT", "30")]


async def test_a_resting_order_is_filled_when_the_price_reaches_it() -> None:
    async with Bench() as bench:
        spot = await bench.spot()
        placed = await spot.create_order(BTC, "limit", "buy", 0.1, 55000)
        bench.control.set_price("BTCUSDT", "54000")
        (trade,) = await spot.fetch_my_trades(BTC)
        assert (trade["price"], trade["takerOrMaker"]) == (55000, "maker")
        assert (await spot.fetch_order(placed["id"], BTC))["status"] == "closed"


async def test_partial_fills_shrink_the_lock() -> None:
    async with Bench() as bench:
        order = bench.spot_order(price="50000", quantity="1")
        bench.control.fill(order, "0.4")
        balance = bench.control.truth("main")["balances"]["spot"]["USDT"]
        assert balance["locked"] == "30000"
        assert balance["total"] == "980000"
        assert bench.control.open_orders("main")[0]["status"] == "PARTIALLY_FILLED"


@pytest.mark.parametrize(
    ("kind", "status", "filled"), [("IOC", "expired", "0.3"), ("FOK", "expired", "0")]
)
async def test_time_in_force_against_little_liquidity(kind: str, status: str, filled: str) -> None:
    async with Bench() as bench:
        bench.control.set_liquidity("spot", "BTCUSDT", "0.3")
        spot = await bench.spot()
        placed = await spot.create_order(BTC, "limit", "buy", 1, 61000, {"timeInForce": kind})
        found = await spot.fetch_order(placed["id"], BTC)
        assert (found["status"], Decimal(str(found["filled"]))) == (status, Decimal(filled))
        assert bench.control.truth("main")["balances"]["spot"]["USDT"]["locked"] == "0"


async def test_a_stop_order_works_only_after_its_trigger() -> None:
    async with Bench() as bench:
        spot = await bench.spot()
        placed = await spot.create_order(
            BTC, "limit", "sell", 0.1, 54000, {"stopPrice": 55000, "timeInForce": "GTC"}
        )
        assert placed["info"]["orderId"]
        (listed,) = bench.ask("GET", f"{SPOT}/api/v3/openOrders", {"symbol": "BTCUSDT"})
        assert listed["isWorking"] is False
        bench.control.set_price("BTCUSDT", "54500")
        found = await spot.fetch_order(placed["id"], BTC)
        assert (found["status"], found["average"]) == ("closed", 54500)


async def test_cancel_all_takes_lists_along_and_is_refused_when_nothing_is_open() -> None:
    async with Bench() as bench:
        spot = await bench.spot()
        with pytest.raises(ccxt.OrderNotFound):
            await spot.cancel_all_orders(BTC)
        bench.spot_order()
        bench.control.seed_oco(
            "main",
            symbol="BTCUSDT",
            side="SELL",
            quantity="0.1",
            price="70000",
            stop_price="50000",
            stop_limit_price="49000",
        )
        answer = bench.ask("DELETE", f"{SPOT}/api/v3/openOrders", {"symbol": "BTCUSDT"})
        assert "status" in answer[0]
        assert answer[1]["listStatusType"] == "ALL_DONE"
        assert [row["status"] for row in answer[1]["orderReports"]] == ["CANCELED", "CANCELED"]
        assert await spot.fetch_open_orders() == []
        assert bench.control.truth("main")["open_order_lists"] == []


async def test_an_oco_list_locks_once_and_one_leg_ends_the_other() -> None:
    async with Bench() as bench:
        body = {
            "symbol": "BTCUSDT",
            "side": "SELL",
            "quantity": "0.5",
            "aboveType": "LIMIT_MAKER",
            "abovePrice": "70000",
            "belowType": "STOP_LOSS_LIMIT",
            "belowPrice": "49000",
            "belowStopPrice": "50000",
            "belowTimeInForce": "GTC",
            "listClientOrderId": "list-1",
        }
        placed = bench.ask("POST", f"{SPOT}/api/v3/orderList/oco", body)
        assert placed["listOrderStatus"] == "EXECUTING"
        assert bench.control.truth("main")["balances"]["spot"]["BTC"]["locked"] == "0.5"
        named = bench.ask("GET", f"{SPOT}/api/v3/orderList", {"listClientOrderId": "list-1"})
        assert named["orderListId"] == placed["orderListId"]
        assert len(bench.ask("GET", f"{SPOT}/api/v3/openOrderList")) == 1
        bench.control.set_price("BTCUSDT", "70001")
        states = {row["type"]: row["status"] for row in bench.control.truth("main")["orders"]}
        assert states == {"LIMIT_MAKER": "FILLED", "STOP_LOSS_LIMIT": "EXPIRED"}
        assert bench.ask("GET", f"{SPOT}/api/v3/openOrderList") == []
        assert bench.control.truth("main")["balances"]["spot"]["BTC"]["locked"] == "0"


async def test_cancelling_one_leg_cancels_the_list() -> None:
    async with Bench() as bench:
        oco = bench.control.seed_oco(
            "main",
            symbol="BTCUSDT",
            side="BUY",
            quantity="0.5",
            price="50000",
            stop_price="70000",
            stop_limit_price="71000",
        )
        assert bench.control.truth("main")["balances"]["spot"]["USDT"]["locked"] == "35500"
        spot = await bench.spot()
        await spot.cancel_order(str(oco["orders"][0]["order_id"]), BTC)
        assert bench.control.open_orders("main") == []
        assert bench.control.truth("main")["balances"]["spot"]["USDT"]["locked"] == "0"


async def test_order_numbers_repeat_across_symbols() -> None:
    async with Bench() as bench:
        spot = await bench.spot()
        first = await spot.create_order(BTC, "limit", "buy", 0.01, 50000)
        second = await spot.create_order(ETH, "limit", "buy", 0.1, 2500)
        assert first["id"] == second["id"]
        await spot.cancel_order(first["id"], BTC)
        assert [row["symbol"] for row in await spot.fetch_open_orders()] == [ETH]


async def test_a_client_id_may_be_used_again_once_its_order_is_closed() -> None:
    async with Bench() as bench:
        spot = await bench.spot()
        again = {"newClientOrderId": "again"}
        await spot.create_order(BTC, "limit", "buy", 0.01, 50000, again)
        with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
            await spot.create_order(BTC, "limit", "buy", 0.01, 50000, again)
        await spot.cancel_order(None, BTC, {"origClientOrderId": "again"})
        second = await spot.create_order(BTC, "limit", "buy", 0.01, 51000, again)
        found = bench.ask(
            "GET", f"{SPOT}/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": "again"}
        )
        assert str(found["orderId"]) == second["id"]


async def test_trades_page_by_id_and_keep_the_fills_of_one_millisecond() -> None:
    async with Bench() as bench:
        for _ in range(7):
            bench.control.trade(
                "main", "60000", market="spot", symbol="BTCUSDT", side="BUY", quantity="0.01"
            )
        rows: list[Any] = []
        first = 0
        while page := bench.ask(
            "GET",
            f"{SPOT}/api/v3/myTrades",
            {"symbol": "BTCUSDT", "fromId": first, "limit": 3},
        ):
            rows += page
            first = page[-1]["id"] + 1
        assert [row["id"] for row in rows] == list(range(1000, 1007))
        latest = bench.ask("GET", f"{SPOT}/api/v3/myTrades", {"symbol": "BTCUSDT", "limit": 2})
        assert [row["id"] for row in latest] == [1005, 1006]


async def test_a_window_of_more_than_a_day_is_refused() -> None:
    async with Bench() as bench:
        answer = bench.ask(
            "GET",
            f"{SPOT}/api/v3/myTrades",
            {"symbol": "BTCUSDT", "startTime": START_MS - DAY_MS - 1, "endTime": START_MS},
        )
        assert answer["code"] == -1127


async def test_an_old_cancelled_order_is_archived() -> None:
    async with Bench() as bench:
        order = bench.spot_order()
        bench.control.cancel(order)
        bench.pass_ms(91 * DAY_MS)
        answer = bench.ask(
            "GET",
            f"{SPOT}/api/v3/order",
            {"symbol": "BTCUSDT", "orderId": order["order_id"]},
        )
        assert answer["code"] == -2026


async def test_deposits_withdrawals_and_transfers_are_told() -> None:
    async with Bench() as bench:
        bench.control.withdraw("main", "USDT", "10")
        number = bench.control.transfer("main", "USDT", "25")
        assert [
            row["amount"] for row in bench.ask("GET", f"{SPOT}/sapi/v1/capital/deposit/hisrec")
        ] == [
            "1000000",
            "10",
        ]
        (taken,) = bench.ask("GET", f"{SPOT}/sapi/v1/capital/withdraw/history")
        assert taken["amount"] == "10"
        moved = bench.ask("GET", f"{SPOT}/sapi/v1/asset/transfer", {"type": "MAIN_UMFUTURE"})
        assert [str(row["tranId"]) for row in moved["rows"]] == [number]


async def test_the_venue_tells_maintenance_and_what_a_key_may_do() -> None:
    async with Bench() as bench:
        spot = await bench.spot()
        assert (await spot.fetch_status())["status"] == "ok"
        bench.control.set_system_status(1)
        assert (await spot.fetch_status())["status"] == "maintenance"
        reader = bench.control.add_key("main", permissions=["READ"])
        reply = bench.send("GET", f"{SPOT}/sapi/v1/account/apiRestrictions", key=reader)
        assert b'"enableSpotAndMarginTrading":false' in reply.body


@pytest.mark.parametrize(
    ("status", "cancelled"),
    [("HALT", True), ("CANCEL_ONLY", True), ("BREAK", True), ("CLOSE", False)],
)
async def test_symbol_states(status: str, *, cancelled: bool) -> None:
    async with Bench() as bench:
        spot = await bench.spot()
        resting = await spot.create_order(BTC, "limit", "buy", 0.01, 50000)
        bench.control.set_symbol_status("spot", "BTCUSDT", status)
        with pytest.raises(ccxt.MarketClosed):
            await spot.create_order(BTC, "limit", "buy", 0.01, 50000)
        assert list(bench.log)[-1].code == -1013
        bench.control.set_price("BTCUSDT", "40000")
        if cancelled:
            assert (await spot.cancel_order(resting["id"], BTC))["status"] == "canceled"
        else:
            with pytest.raises(ccxt.MarketClosed):
                await spot.cancel_order(resting["id"], BTC)
        assert bench.control.truth("main")["fills"] == []
