"""The USD-M dialect, driven by the unmodified ccxt class."""

from typing import Any

import ccxt
import pytest

from tests.simulator.practice import BTC_PERPETUAL, ETH_PERPETUAL, START_MS, USDM, Bench

DAY_MS = 86_400_000


async def test_regular_and_conditional_orders_are_two_worlds() -> None:
    async with Bench() as bench:
        usdm = await bench.usdm()
        regular = await usdm.create_order(BTC_PERPETUAL, "limit", "buy", 0.01, 50000)
        stop = await usdm.create_order(
            BTC_PERPETUAL, "STOP_MARKET", "sell", 0.01, None, {"stopPrice": 55000}
        )
        assert [row["id"] for row in await usdm.fetch_open_orders(BTC_PERPETUAL)] == [regular["id"]]
        trigger = {"trigger": True}
        listed = await usdm.fetch_open_orders(BTC_PERPETUAL, params=trigger)
        assert [row["id"] for row in listed] == [stop["id"]]
        await usdm.cancel_all_orders(BTC_PERPETUAL)
        assert [row["service"] for row in bench.control.open_orders("main")] == ["algo"]
        with pytest.raises(ccxt.OrderNotFound):
            await usdm.cancel_order(stop["id"], BTC_PERPETUAL)
        await usdm.cancel_all_orders(BTC_PERPETUAL, trigger)
        assert bench.control.open_orders("main") == []


async def test_a_conditional_order_becomes_a_regular_one_of_the_same_client_id() -> None:
    async with Bench() as bench:
        bench.control.set_position("main", "BTCUSDT", "0.5", "60000")
        usdm = await bench.usdm()
        stop = await usdm.create_order(
            BTC_PERPETUAL,
            "STOP_MARKET",
            "sell",
            0.5,
            None,
            {"stopPrice": 55000, "reduceOnly": True, "clientAlgoId": "guard-1"},
        )
        bench.control.set_price("BTCUSDT", "54000")
        assert await usdm.fetch_positions() == []
        found = bench.ask("GET", f"{USDM}/fapi/v1/algoOrder", {"algoId": stop["id"]})
        assert found["algoStatus"] == "FINISHED"
        child = bench.ask(
            "GET",
            f"{USDM}/fapi/v1/order",
            {"symbol": "BTCUSDT", "orderId": found["actualOrderId"]},
        )
        assert (child["status"], child["clientOrderId"]) == ("FILLED", "guard-1")
        assert (child["origType"], child["avgPrice"]) == ("STOP_MARKET", "54000")


async def test_a_reduce_only_stop_without_a_leg_expires_and_places_nothing() -> None:
    async with Bench() as bench:
        bench.stop_order()
        bench.control.set_price("BTCUSDT", "54000")
        truth = bench.control.truth("main")
        assert [row["status"] for row in truth["algo_orders"]] == ["EXPIRED"]
        assert truth["orders"] == []


async def test_close_position_closes_the_whole_leg() -> None:
    async with Bench() as bench:
        bench.control.set_position("main", "BTCUSDT", "-0.7", "60000")
        parameters = {
            "algoType": "CONDITIONAL",
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "STOP_MARKET",
            "triggerPrice": "61000",
            "closePosition": "true",
        }
        bench.ask("POST", f"{USDM}/fapi/v1/algoOrder", parameters)
        bench.control.set_price("BTCUSDT", "61500")
        truth = bench.control.truth("main")
        assert truth["positions"] == []
        assert truth["fills"][0]["quantity"] == "0.7"


async def test_a_trailing_stop_follows_the_price() -> None:
    async with Bench() as bench:
        bench.control.set_position("main", "BTCUSDT", "1", "60000")
        parameters = {
            "algoType": "CONDITIONAL",
            "symbol": "BTCUSDT",
            "side": "SELL",
            "type": "TRAILING_STOP_MARKET",
            "quantity": "1",
            "callbackRate": "1",
            "reduceOnly": "true",
        }
        bench.ask("POST", f"{USDM}/fapi/v1/algoOrder", parameters)
        for price, still_open in (("62000", True), ("61500", True), ("61380", False)):
            bench.control.set_price("BTCUSDT", price)
            assert bool(bench.control.truth("main")["open_algo_orders"]) is still_open


async def test_positions_profit_and_fees_are_exact() -> None:
    async with Bench() as bench:
        usdm = await bench.usdm()
        await usdm.create_order(BTC_PERPETUAL, "market", "buy", 1)
        bench.control.set_price("BTCUSDT", "62000")
        await usdm.create_order(BTC_PERPETUAL, "market", "buy", 1)
        (leg,) = await usdm.fetch_positions()
        assert (leg["contracts"], leg["entryPrice"], leg["side"]) == (2, 61000, "long")
        bench.control.set_price("BTCUSDT", "63000")
        await usdm.create_order(BTC_PERPETUAL, "market", "sell", 3)
        (leg,) = await usdm.fetch_positions()
        assert (leg["contracts"], leg["entryPrice"], leg["side"]) == (1, 63000, "short")
        income = bench.ask("GET", f"{USDM}/fapi/v1/income", {"incomeType": "REALIZED_PNL"})
        assert [row["income"] for row in income] == ["4000"]
        fees = (60000 + 62000 + 3 * 63000) * 5
        wallet = bench.control.truth("main")["balances"]["usdm"]["USDT"]["total"]
        assert float(wallet) == 1_000_000 + 4000 - fees / 10_000


async def test_hedge_mode_keeps_two_legs() -> None:
    async with Bench() as bench:
        usdm = await bench.usdm()
        with pytest.raises(ccxt.OperationRejected):
            await usdm.create_order(
                BTC_PERPETUAL, "market", "buy", 1, None, {"positionSide": "LONG"}
            )
        await usdm.set_position_mode(True)
        for side, leg in (("buy", "LONG"), ("sell", "SHORT")):
            await usdm.create_order(BTC_PERPETUAL, "market", side, 1, None, {"positionSide": leg})
        legs = await usdm.fetch_positions()
        assert sorted(leg["side"] for leg in legs) == ["long", "short"]
        with pytest.raises(ccxt.OperationRejected):
            await usdm.create_order(BTC_PERPETUAL, "market", "buy", 1)
        with pytest.raises(ccxt.InvalidOrder):
            await usdm.create_order(
                BTC_PERPETUAL, "market", "sell", 2, None, {"positionSide": "LONG"}
            )
        with pytest.raises(ccxt.OperationRejected):
            await usdm.set_position_mode(False)
        assert (await usdm.fetch_position_mode())["hedged"] is True


async def test_reduce_only_never_grows_or_flips_a_leg() -> None:
    async with Bench() as bench:
        usdm = await bench.usdm()
        closing = {"reduceOnly": True}
        with pytest.raises(ccxt.InvalidOrder):
            await usdm.create_order(BTC_PERPETUAL, "market", "sell", 1, None, closing)
        bench.control.set_position("main", "BTCUSDT", "0.5", "60000")
        with pytest.raises(ccxt.InvalidOrder):
            await usdm.create_order(BTC_PERPETUAL, "market", "buy", 1, None, closing)
        await usdm.create_order(BTC_PERPETUAL, "market", "sell", 2, None, closing)
        truth = bench.control.truth("main")
        assert truth["positions"] == []
        assert [fill["quantity"] for fill in truth["fills"]] == ["0.5"]


async def test_resting_reduce_only_orders_end_with_their_leg() -> None:
    async with Bench() as bench:
        bench.control.set_position("main", "BTCUSDT", "0.5", "60000")
        bench.usdm_order(price="65000", quantity="0.5", side="SELL", reduce_only=True)
        usdm = await bench.usdm()
        with pytest.raises(ccxt.OperationRejected):
            await usdm.create_order(
                BTC_PERPETUAL, "limit", "sell", 0.1, 66000, {"reduceOnly": True}
            )
        bench.control.liquidate("main", "BTCUSDT", "59000")
        assert bench.control.open_orders("main") == []
        assert bench.control.truth("main")["positions"] == []
        (forced,) = bench.ask("GET", f"{USDM}/fapi/v1/forceOrders")
        assert forced["clientOrderId"].startswith("autoclose-")


async def test_the_answer_to_a_market_order_carries_no_average_price() -> None:
    async with Bench() as bench:
        usdm = await bench.usdm()
        placed = await usdm.create_order(BTC_PERPETUAL, "market", "buy", 0.1)
        assert "avgPrice" not in placed["info"]
        assert (await usdm.fetch_order(placed["id"], BTC_PERPETUAL))["average"] == 60000


async def test_the_countdown_cancels_regular_orders_of_one_symbol() -> None:
    async with Bench() as bench:
        usdm = await bench.usdm()
        bench.usdm_order()
        bench.stop_order()
        bench.usdm_order(price="2500", quantity="0.1", symbol="ETHUSDT")
        arm = {"symbol": "BTCUSDT", "countdownTime": 5000}
        answer = await usdm.fapiPrivatePostCountdownCancelAll(arm)
        assert answer == {"symbol": "BTCUSDT", "countdownTime": "5000"}
        bench.pass_ms(4000)
        await usdm.fapiPrivatePostCountdownCancelAll(arm)
        bench.pass_ms(4999)
        assert len(bench.control.open_orders("main")) == 3
        assert bench.control.truth("main")["countdowns"] == ["BTCUSDT"]
        bench.pass_ms(60_000)
        left = bench.control.open_orders("main")
        assert [(row["service"], row["symbol"]) for row in left] == [
            ("regular", "ETHUSDT"),
            ("algo", "BTCUSDT"),
        ]
        ended = next(row for row in bench.control.truth("main")["orders"] if not row["open"])
        assert ended["update_ms"] == START_MS + 9000


async def test_a_countdown_of_zero_disarms() -> None:
    async with Bench() as bench:
        bench.usdm_order()
        place = f"{USDM}/fapi/v1/countdownCancelAll"
        bench.ask("POST", place, {"symbol": "BTCUSDT", "countdownTime": 5000})
        bench.ask("POST", place, {"symbol": "BTCUSDT", "countdownTime": 0})
        bench.pass_ms(60_000)
        assert len(bench.control.open_orders("main")) == 1


async def test_a_batch_answers_element_by_element() -> None:
    async with Bench() as bench:
        usdm = await bench.usdm()
        orders = [bench.usdm_order(price=str(50000 + step)) for step in range(3)]
        bench.control.cancel(orders[1])
        numbers = [order["order_id"] for order in orders]
        answer = bench.ask(
            "DELETE",
            f"{USDM}/fapi/v1/batchOrders",
            {"symbol": "BTCUSDT", "orderIdList": str(numbers).replace(" ", "")},
        )
        assert [row.get("status", row.get("code")) for row in answer] == [
            "CANCELED",
            -2011,
            "CANCELED",
        ]
        last = bench.usdm_order()
        await usdm.cancel_orders([str(last["order_id"])], BTC_PERPETUAL)
        assert bench.control.open_orders("main") == []


async def test_an_order_is_amended_in_place() -> None:
    async with Bench() as bench:
        usdm = await bench.usdm()
        placed = await usdm.create_order(BTC_PERPETUAL, "limit", "buy", 0.01, 50000)
        changed = await usdm.edit_order(placed["id"], BTC_PERPETUAL, "limit", "buy", 0.02, 51000)
        assert changed["id"] == placed["id"]
        (row,) = bench.control.open_orders("main")
        assert (row["quantity"], row["price"]) == ("0.02", "51000")


@pytest.mark.parametrize(
    ("quantity", "price", "code"),
    [("0.01", "50000", -5027), ("0.0105", "50000", -1111), ("0.02", "50000.05", -1111)],
)
async def test_an_amendment_that_makes_no_sense(quantity: str, price: str, code: int) -> None:
    async with Bench() as bench:
        order = bench.usdm_order(quantity="0.01", price="50000")
        named = {"symbol": "BTCUSDT", "orderId": order["order_id"], "side": "BUY"}
        body = named | {"quantity": quantity, "price": price}
        assert bench.ask("PUT", f"{USDM}/fapi/v1/order", body)["code"] == code
        bench.control.cancel(order)
        assert bench.ask("PUT", f"{USDM}/fapi/v1/order", body)["code"] == -2013


async def test_an_amendment_may_trade_at_once_or_end_the_order() -> None:
    async with Bench() as bench:
        place = f"{USDM}/fapi/v1/order"
        crossing, small = bench.usdm_order(quantity="0.1"), bench.usdm_order(quantity="0.1")
        named = {"symbol": "BTCUSDT", "orderId": crossing["order_id"], "side": "BUY"}
        bench.ask("PUT", place, named | {"quantity": "0.1", "price": "61000"})
        bench.control.fill(small, "0.06")
        named["orderId"] = small["order_id"]
        bench.ask("PUT", place, named | {"quantity": "0.05", "price": "50000"})
        states = [row["status"] for row in bench.control.truth("main")["orders"]]
        assert states == ["FILLED", "CANCELED"]


async def test_a_conditional_order_without_margin_is_rejected_when_it_triggers() -> None:
    async with Bench() as bench:
        bench.stop_order(quantity="500", reduce_only=False)
        bench.control.set_price("BTCUSDT", "54000")
        truth = bench.control.truth("main")
        assert [row["status"] for row in truth["algo_orders"]] == ["REJECTED"]
        assert truth["orders"] == []


async def test_a_conditional_limit_order_rests_after_its_trigger() -> None:
    async with Bench() as bench:
        bench.control.set_position("main", "BTCUSDT", "1", "60000")
        bench.stop_order(type="STOP", price="56000")
        bench.control.set_price("BTCUSDT", "54000")
        (row,) = bench.control.open_orders("main")
        assert (row["service"], row["type"], row["price"]) == ("regular", "LIMIT", "56000")
        (waiting,) = bench.control.truth("main")["algo_orders"]
        assert (waiting["status"], waiting["order_id"]) == ("TRIGGERED", row["order_id"])


async def test_positions_v3_shows_symbols_with_a_leg_or_with_orders() -> None:
    async with Bench() as bench:
        place = f"{USDM}/fapi/v3/positionRisk"
        assert bench.ask("GET", place) == []
        bench.usdm_order()
        assert [row["positionAmt"] for row in bench.ask("GET", place)] == ["0"]
        assert "leverage" not in bench.ask("GET", place)[0]
        every = bench.ask("GET", f"{USDM}/fapi/v2/positionRisk")
        assert len(every) == len(bench.exchange.catalogue.rows("usdm"))


async def test_funding_is_paid_and_explained() -> None:
    async with Bench() as bench:
        bench.control.set_position("main", "BTCUSDT", "2", "60000")
        bench.control.funding("BTCUSDT", "0.0001")
        (row,) = bench.ask("GET", f"{USDM}/fapi/v1/income", {"incomeType": "FUNDING_FEE"})
        assert (row["income"], row["asset"]) == ("-12", "USDT")
        wallet = bench.control.truth("main")["balances"]["usdm"]["USDT"]["total"]
        assert wallet == "999988"


async def test_orders_vanish_after_three_days_and_windows_are_seven() -> None:
    async with Bench() as bench:
        order = bench.usdm_order()
        bench.control.cancel(order)
        named = {"symbol": "BTCUSDT", "orderId": order["order_id"]}
        assert bench.ask("GET", f"{USDM}/fapi/v1/order", named)["status"] == "CANCELED"
        bench.pass_ms(3 * DAY_MS + 1)
        assert bench.ask("GET", f"{USDM}/fapi/v1/order", named)["code"] == -2013
        assert bench.ask("GET", f"{USDM}/fapi/v1/allOrders", {"symbol": "BTCUSDT"}) == []
        wide = {"symbol": "BTCUSDT", "startTime": START_MS - 8 * DAY_MS, "endTime": START_MS}
        assert bench.ask("GET", f"{USDM}/fapi/v1/userTrades", wide)["code"] == -4165


async def test_user_trades_page_by_id_and_by_time() -> None:
    async with Bench() as bench:
        wish: dict[str, Any] = {"market": "usdm", "symbol": "ETHUSDT", "side": "BUY"}
        for _ in range(5):
            bench.control.trade("main", "3000", quantity="0.1", **wish)
            bench.pass_ms(1)
        place = f"{USDM}/fapi/v1/userTrades"
        by_id = bench.ask("GET", place, {"symbol": "ETHUSDT", "fromId": 1003})
        assert [row["id"] for row in by_id] == [1003, 1004]
        by_time = bench.ask(
            "GET", place, {"symbol": "ETHUSDT", "startTime": START_MS + 1, "limit": 2}
        )
        assert [row["id"] for row in by_time] == [1001, 1002]
        assert [
            row["id"] for row in bench.ask("GET", place, {"symbol": "ETHUSDT", "limit": 2})
        ] == [
            1003,
            1004,
        ]
        bench.pass_ms(8 * DAY_MS)
        assert bench.ask("GET", place, {"symbol": "ETHUSDT"}) == []
        both = {"symbol": "ETHUSDT", "fromId": 1, "startTime": START_MS}
        assert bench.ask("GET", place, both)["code"] == -1128
        usdm = await bench.usdm()
        assert len(await usdm.fetch_my_trades(ETH_PERPETUAL, START_MS)) == 5


async def test_the_listen_key_lives_an_hour_unless_it_is_kept() -> None:
    async with Bench() as bench:
        place = f"{USDM}/fapi/v1/listenKey"
        key = bench.ask("POST", place)["listenKey"]
        bench.pass_ms(3_599_999)
        assert bench.ask("POST", place)["listenKey"] == key
        assert bench.exchange.account_of_listen_key("usdm", key) == "main"
        bench.pass_ms(3_600_000)
        assert bench.exchange.account_of_listen_key("usdm", key) is None
        assert bench.ask("PUT", place)["code"] == -1125
        assert bench.ask("POST", place)["listenKey"] != key
