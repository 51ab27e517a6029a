"""COIN-M on the practice exchange, asked through unmodified ccxt and by hand.

The numbers are worked out beside each test: contracts are worth dollars, money is counted in coins.
"""

from decimal import Decimal
from typing import Any

import pytest
from ccxt.async_support.binancecoinm import binancecoinm
from ccxt.base.errors import ExchangeError

from resyncctl.simulator import contracts
from resyncctl.simulator.catalogue import build_catalogue
from resyncctl.simulator.ledger import Position
from tests.simulator.practice import Bench

COINM = "https://dapi.binance.com"
PERPETUAL = "BTC/USD:BTC"
ROW = build_catalogue().contract("BTCUSD_PERP")


def fund(bench: Bench) -> None:
    bench.control.set_price("BTCUSD_PERP", "60000")
    bench.control.set_price("ETHUSD_PERP", "3000")
    bench.control.deposit("main", "BTC", "10", market="coinm")


async def client(bench: Bench) -> Any:
    fund(bench)
    return await bench._client(binancecoinm, {})


def rest(bench: Bench, **more: Any) -> Any:
    wish = {"market": "coinm", "symbol": "BTCUSD_PERP", "side": "BUY"} | more
    return bench.control.seed_order("main", **({"price": "50000", "quantity": "7"} | wish))


def stop(bench: Bench, **more: Any) -> Any:
    wish = {"type": "STOP_MARKET", "side": "SELL", "stop_price": "40000", "price": "0"} | more
    return rest(bench, **wish)


def place(bench: Bench, **more: Any) -> Any:
    base = {"symbol": "BTCUSD_PERP", "side": "SELL", "type": "MARKET", "quantity": "5"}
    return bench.ask("POST", f"{COINM}/dapi/v1/order", base | more)


async def test_the_markets_are_inverse_in_contracts_of_dollars() -> None:
    async with Bench() as bench:
        coinm = await client(bench)
        market = coinm.market(PERPETUAL)
        assert (market["id"], market["inverse"], market["settle"]) == ("BTCUSD_PERP", True, "BTC")
        assert market["contractSize"] == 100
        assert coinm.market("ETH/USD:ETH")["contractSize"] == 10
        dated = coinm.market("BTC/USD:BTC-270326")
        assert (dated["id"], dated["future"]) == ("BTCUSD_270326", True)
        assert market["precision"]["amount"] == 1


async def test_an_order_rests_and_is_listed_and_cancelled() -> None:
    async with Bench() as bench:
        coinm = await client(bench)
        made = await coinm.create_order(PERPETUAL, "limit", "buy", 7, 50000)
        (listed,) = await coinm.fetch_open_orders(PERPETUAL)
        assert (listed["id"], listed["amount"], listed["symbol"]) == (made["id"], 7, PERPETUAL)
        await coinm.cancel_order(made["id"], PERPETUAL)
        assert await coinm.fetch_open_orders(PERPETUAL) == []
        ended = await coinm.fetch_order(made["id"], PERPETUAL)
        assert ended["status"] == "canceled"


async def test_a_fill_is_counted_in_coins() -> None:
    """60 contracts of $100 at 60000 are 0.1 BTC; the taker's fee is 0.05 percent of that."""
    async with Bench() as bench:
        coinm = await client(bench)
        await coinm.create_order(PERPETUAL, "market", "buy", 60)
        (trade,) = await coinm.dapiPrivateGetUserTrades({"symbol": "BTCUSD_PERP"})
        assert (trade["qty"], trade["baseQty"], trade["marginAsset"]) == ("60", "0.1", "BTC")
        assert (trade["commission"], trade["commissionAsset"]) == ("0.00005", "BTC")
        order = await coinm.dapiPrivateGetOrder(
            {"symbol": "BTCUSD_PERP", "orderId": trade["orderId"]}
        )
        assert (order["cumBase"], order["avgPrice"], order["pair"]) == ("0.1", "60000", "BTCUSD")
        balance = bench.control.truth("main")["balances"]["coinm"]["BTC"]
        assert Decimal(balance["total"]) == Decimal("9.99995")
        (leg,) = [
            row
            for row in await coinm.dapiPrivateGetPositionRisk()
            if Decimal(row["positionAmt"]) != 0
        ]
        assert (leg["symbol"], leg["positionAmt"]) == ("BTCUSD_PERP", "60")
        assert (leg["entryPrice"], leg["notionalValue"]) == ("60000", "0.1")


async def test_profit_is_the_difference_of_inverse_prices() -> None:
    """60 contracts bought at 60000 and sold at 75000: 6000 x (1/60000 - 1/75000) = 0.02 BTC."""
    async with Bench() as bench:
        fund(bench)
        bench.control.set_position("main", "BTCUSD_PERP", "60", "60000")
        bench.control.set_price("BTCUSD_PERP", "75000")
        place(bench, quantity="60", reduceOnly="true")
        rows = bench.ask("GET", f"{COINM}/dapi/v1/income", {"incomeType": "REALIZED_PNL"})
        assert [(row["income"], row["asset"]) for row in rows] == [("0.02", "BTC")]
        assert bench.control.truth("main")["positions"] == []


async def test_funding_is_paid_in_the_coin() -> None:
    async with Bench() as bench:
        fund(bench)
        bench.control.set_position("main", "BTCUSD_PERP", "-60", "60000")
        bench.control.funding("BTCUSD_PERP", "0.001")
        (row,) = bench.ask("GET", f"{COINM}/dapi/v1/income", {"incomeType": "FUNDING_FEE"})
        assert (row["income"], row["asset"]) == ("0.0001", "BTC")


def test_the_entry_of_a_leg_that_grew_is_the_harmonic_mean() -> None:
    leg = Position(Decimal(10), Decimal(50000))
    grown, realized = contracts.moved(ROW, leg, Decimal(10), Decimal(75000), 1)
    assert (grown.amount, grown.entry_price, realized) == (Decimal(20), Decimal(60000), Decimal(0))
    flipped, gain = contracts.moved(ROW, leg, Decimal(-30), Decimal(100000), 1)
    assert (flipped.amount, flipped.entry_price) == (Decimal(-20), Decimal(100000))
    assert gain == Decimal("0.01")


@pytest.mark.parametrize(("side", "amount"), [("SELL", "3"), ("BUY", "-3")])
async def test_a_reduce_only_order_never_flips_a_leg(side: str, amount: str) -> None:
    async with Bench() as bench:
        fund(bench)
        bench.control.set_position("main", "BTCUSD_PERP", amount, "60000")
        answer = place(bench, side=side, quantity="5", reduceOnly="true")
        assert answer["executedQty"] == "3"
        assert bench.control.truth("main")["positions"] == []
        refused = place(bench, side=side, quantity="1", reduceOnly="true")
        assert refused["code"] == -2022


async def test_quantities_are_whole_contracts() -> None:
    async with Bench() as bench:
        fund(bench)
        assert place(bench, quantity="1.5")["code"] == -1111
        assert place(bench, quantity="0")["code"] == -4003


async def test_margin_is_the_coin_of_the_market_and_no_other() -> None:
    async with Bench() as bench:
        bench.control.set_price("BTCUSD_PERP", "60000")
        bench.control.deposit("main", "ETH", "1000", market="coinm")
        assert place(bench, side="BUY", quantity="10")["code"] == -2019
        bench.control.transfer("main", "BTC", "1", "spot", "coinm")
        assert place(bench, side="BUY", quantity="10")["status"] == "FILLED"


async def test_conditional_orders_live_in_the_algo_service() -> None:
    async with Bench() as bench:
        coinm = await client(bench)
        refused = place(bench, type="STOP_MARKET", stopPrice="40000")
        assert refused["code"] == -4120
        stop(bench)
        assert await coinm.dapiPrivateGetOpenOrders() == []
        (waiting,) = await coinm.dapiPrivateGetOpenAlgoOrders()
        assert (waiting["symbol"], waiting["algoStatus"]) == ("BTCUSD_PERP", "NEW")
        assert await coinm.cancel_order(waiting["algoId"], PERPETUAL, {"trigger": True})
        assert bench.control.open_orders("main") == []


async def test_a_stop_that_triggers_closes_the_leg() -> None:
    async with Bench() as bench:
        fund(bench)
        bench.control.set_position("main", "BTCUSD_PERP", "60", "60000")
        stop(bench, quantity="60", reduce_only=True)
        bench.control.set_price("BTCUSD_PERP", "39000")
        truth = bench.control.truth("main")
        assert truth["positions"] == []
        assert [row["market"] for row in truth["fills"]] == ["coinm"]


async def test_the_two_futures_markets_never_mix() -> None:
    async with Bench() as bench:
        coinm = await client(bench)
        usdm = await bench.usdm()
        bench.usdm_order()
        bench.stop_order()
        rest(bench)
        stop(bench)
        bench.control.set_position("main", "BTCUSDT", "0.5", "60000")
        bench.control.set_position("main", "BTCUSD_PERP", "5", "60000")
        for path in ("OpenOrders", "OpenAlgoOrders"):
            (mine,) = await getattr(coinm, f"dapiPrivateGet{path}")()
            (theirs,) = await getattr(usdm, f"fapiPrivateGet{path}")()
            assert (mine["symbol"], theirs["symbol"]) == ("BTCUSD_PERP", "BTCUSDT")
        (held,) = await usdm.fapiPrivateV3GetPositionRisk()
        assert held["symbol"] == "BTCUSDT"
        algo_id = (await usdm.fapiPrivateGetOpenAlgoOrders())[0]["algoId"]
        with pytest.raises(ExchangeError):
            await coinm.dapiPrivateDeleteAlgoOrder({"algoId": algo_id})
        with pytest.raises(ExchangeError):
            await coinm.dapiPrivateDeleteAllOpenOrders({"symbol": "BTCUSDT"})
        await coinm.dapiPrivateDeleteAllOpenOrders({"symbol": "BTCUSD_PERP"})
        await coinm.dapiPrivateDeleteAlgoOpenOrders({"symbol": "BTCUSD_PERP"})
        assert {row["market"] for row in bench.control.open_orders("main")} == {"usdm"}
        answer = bench.send("GET", "https://fapi.binance.com/dapi/v1/openOrders")
        assert answer.status == 404


async def test_the_position_mode_is_shared_with_usdm() -> None:
    async with Bench() as bench:
        fund(bench)
        rest(bench)
        flip = {"dualSidePosition": "true"}
        assert bench.ask("POST", "https://fapi.binance.com/fapi/v1/positionSide/dual", flip) == {
            "code": -4067,
            "msg": "Position side cannot be changed if there exists open orders.",
        }
        bench.ask("DELETE", f"{COINM}/dapi/v1/allOpenOrders", {"symbol": "BTCUSD_PERP"})
        bench.ask("POST", "https://fapi.binance.com/fapi/v1/positionSide/dual", flip)
        mode = bench.ask("GET", f"{COINM}/dapi/v1/positionSide/dual")
        assert mode == {"dualSidePosition": True}
        rows = bench.ask("GET", f"{COINM}/dapi/v1/positionRisk", {"pair": "BTCUSD"})
        assert sorted((row["symbol"], row["positionSide"]) for row in rows) == [
            ("BTCUSD_270326", "LONG"),
            ("BTCUSD_270326", "SHORT"),
            ("BTCUSD_PERP", "LONG"),
            ("BTCUSD_PERP", "SHORT"),
        ]


async def test_the_weight_is_shared_with_usdm() -> None:
    async with Bench() as bench:
        fund(bench)
        first = bench.send("GET", f"{COINM}/dapi/v1/openOrders")
        second = bench.send("GET", "https://fapi.binance.com/fapi/v1/openOrders")
        assert first.headers["X-MBX-USED-WEIGHT-1M"] == "40"
        assert second.headers["X-MBX-USED-WEIGHT-1M"] == "80"


async def test_the_countdown_cancels_regular_contracts_only() -> None:
    async with Bench() as bench:
        fund(bench)
        rest(bench)
        stop(bench)
        bench.usdm_order()
        arm = {"symbol": "BTCUSD_PERP", "countdownTime": "5000"}
        answer = bench.ask("POST", f"{COINM}/dapi/v1/countdownCancelAll", arm)
        assert answer == {"symbol": "BTCUSD_PERP", "countdownTime": "5000"}
        assert bench.control.truth("main")["countdowns"] == ["BTCUSD_PERP"]
        bench.pass_ms(5_001)
        left = [(row["market"], row["service"]) for row in bench.control.open_orders("main")]
        assert sorted(left) == [("coinm", "algo"), ("usdm", "regular")]


async def test_trades_are_asked_for_by_symbol_or_by_pair() -> None:
    async with Bench() as bench:
        fund(bench)
        bench.control.set_price("BTCUSD_270326", "60000")
        for symbol in ("BTCUSD_PERP", "BTCUSD_270326", "BTCUSD_PERP"):
            place(bench, symbol=symbol, quantity="1")
            bench.pass_ms(10)
        url = f"{COINM}/dapi/v1/userTrades"
        by_pair = bench.ask("GET", url, {"pair": "BTCUSD"})
        assert [row["symbol"][7:] for row in by_pair] == ["PERP", "270326", "PERP"]
        assert len(bench.ask("GET", url, {"symbol": "BTCUSD_PERP"})) == 2
        for wrong in ({}, {"symbol": "BTCUSD_PERP", "pair": "BTCUSD"}):
            assert bench.ask("GET", url, wrong)["code"] == -1128
        assert bench.ask("GET", url, {"pair": "NOUSD"})["code"] == -1121


async def test_the_book_and_the_account_are_whole() -> None:
    async with Bench() as bench:
        coinm = await client(bench)
        book = await coinm.fetch_order_book(PERPETUAL, 5)
        assert book["bids"][0][0] < book["asks"][0][0]
        assert all(level[1] == int(level[1]) for level in book["bids"])
        balance = await coinm.fetch_balance()
        assert balance["BTC"]["total"] == 10
        rows = await coinm.dapiPrivateGetBalance()
        coins = {row["asset"]: row["balance"] for row in rows}
        assert (coins["BTC"], coins["ETH"]) == ("10", "0")
        assert len({row["accountAlias"] for row in rows}) == 1


async def test_a_liquidation_leaves_the_other_market_alone() -> None:
    async with Bench() as bench:
        fund(bench)
        bench.control.set_position("main", "BTCUSD_PERP", "60", "60000")
        bench.control.set_position("main", "BTCUSDT", "0.5", "60000")
        rest(bench)
        bench.usdm_order()
        (fill,) = bench.control.liquidate("main", "BTCUSD_PERP")
        assert (fill["market"], fill["quantity"], fill["fee_asset"]) == ("coinm", "60", "BTC")
        assert [row["market"] for row in bench.control.open_orders("main")] == ["usdm"]
        assert [row["symbol"] for row in bench.control.truth("main")["positions"]] == ["BTCUSDT"]


async def test_an_unknown_contract_is_refused_in_words() -> None:
    async with Bench() as bench:
        url = f"{COINM}/dapi/v1/openOrders"
        assert bench.ask("GET", url, {"symbol": "NOUSD_PERP"})["code"] == -1121


async def test_positions_of_contracts_that_are_not_traded_stand_in_the_account_only() -> None:
    async with Bench() as bench:
        fund(bench)
        bench.control.set_position("main", "BTCUSD_PERP", "5", "60000")
        bench.control.set_symbol_status("coinm", "BTCUSD_PERP", "SETTLING")
        listed = bench.ask("GET", f"{COINM}/dapi/v1/positionRisk")
        assert "BTCUSD_PERP" not in {row["symbol"] for row in listed}
        asked = bench.ask("GET", f"{COINM}/dapi/v1/positionRisk", {"pair": "BTCUSD"})
        assert "BTCUSD_PERP" in {row["symbol"] for row in asked}
        account = bench.ask("GET", f"{COINM}/dapi/v1/account")
        held = {row["symbol"]: row["positionAmt"] for row in account["positions"]}
        assert held["BTCUSD_PERP"] == "5"
