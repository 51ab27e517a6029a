"""The unmodified ccxt.pro classes against the practice server: real TLS, real host names.

Market data with a gap and its recovery, orders, trades, balances and positions of both markets,
and REST over the real wire under each fate of an answer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import ccxt
import pytest
from ccxt.pro.binance import binance
from ccxt.pro.binanceusdm import binanceusdm

from resyncctl.simulator import transparent
from resyncctl.simulator.certificates import Certificates, issue
from resyncctl.simulator.exchange import PracticeExchange
from resyncctl.simulator.serve import wall_clock_ms
from resyncctl.simulator.server import PracticeServer, ServerOptions

FUNDS = (("spot", "USDT", "100000"), ("spot", "BTC", "2"), ("usdm", "USDT", "100000"))
SPOT_SYMBOL = "BTC/USDT"
USDM_SYMBOL = "BTC/USDT:USDT"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


class Desk:
    """A funded account on a served exchange, with one ccxt.pro client for each market."""

    def __init__(
        self, exchange: PracticeExchange, server: PracticeServer, spot: Any, usdm: Any
    ) -> None:
        self.exchange = exchange
        self.server = server
        self.spot = spot
        self.usdm = usdm

    def client(self, market: str) -> Any:
        return self.spot if market == "spot" else self.usdm

    async def watched(
        self, watch: Callable[[], Awaitable[Any]], act: Callable[[], Any], where: str
    ) -> Any:
        """Begin to watch, do something once the stream is up, and return what was seen."""
        watching = asyncio.ensure_future(watch())
        await self.until_listening(where, yes=True)
        act()
        return await asyncio.wait_for(watching, 5)

    async def until_listening(self, where: str, *, yes: bool) -> None:
        """Wait until a client is (or is no longer) subscribed there."""
        async with asyncio.timeout(5):
            while self.listening(where) is not yes:  # noqa: ASYNC110  # the hub has no event
                await asyncio.sleep(0.02)

    def listening(self, where: str) -> bool:
        return any(opened.where == where and opened.topics for opened in self.server.hub.describe())


@pytest.fixture
async def desk(certificates: Certificates) -> AsyncIterator[Desk]:
    async with serving(certificates) as made:
        yield made


@asynccontextmanager
async def serving(certificates: Certificates) -> AsyncIterator[Desk]:
    exchange = PracticeExchange(clock_ms=wall_clock_ms)
    keys = exchange.control.add_account("main")
    for market, asset, amount in FUNDS:
        exchange.control.deposit("main", asset, amount, market)
    async with (
        PracticeServer(exchange, ServerOptions(certificates, "token")) as server,
        transparent.session(server.address, certificates.ca_file) as session,
    ):
        settings = {
            "session": session,
            "apiKey": keys["api_key"],
            "secret": keys["secret"],
            "timeout": 2000,
            "enableRateLimit": False,
        }
        options = {"fetchCurrencies": False, "fetchMargins": False}
        spot = binance({**settings, "options": {**options, "fetchMarkets": {"types": ["spot"]}}})
        usdm = binanceusdm({**settings, "options": options})
        try:
            yield Desk(exchange, server, spot, usdm)
        finally:
            await spot.close()
            await usdm.close()
        assert exchange.control.defects == []


@pytest.mark.parametrize(
    ("market", "symbol", "stream"),
    [
        ("spot", SPOT_SYMBOL, "spot/btcusdt@depth@100ms"),
        ("usdm", USDM_SYMBOL, "usdm/btcusdt@depth@100ms"),
    ],
)
async def test_an_order_book_is_followed_breaks_on_a_gap_and_recovers(
    desk: Desk, market: str, symbol: str, stream: str
) -> None:
    client = desk.client(market)

    async def watch() -> Any:
        return await asyncio.wait_for(client.watch_order_book(symbol), 5)

    async def watch_for_ever() -> None:
        for _ in range(50):
            await watch()

    nonces = [(await watch())["nonce"] for _ in range(5)]
    assert nonces == sorted(set(nonces))
    desk.exchange.control.inject_stream("gap", stream)
    with pytest.raises(ccxt.ChecksumError):
        await watch_for_ever()
    recovered = [await watch() for _ in range(3)]
    book = recovered[-1]
    mid = float(desk.exchange.prices.mid("spot", "BTCUSDT", desk.exchange.market_now_ms()))
    assert book["nonce"] > nonces[-1]
    assert book["bids"][0][0] < book["asks"][0][0]
    assert abs(book["bids"][0][0] - mid) < mid * 0.001


@pytest.mark.parametrize(("market", "symbol"), [("spot", SPOT_SYMBOL), ("usdm", USDM_SYMBOL)])
async def test_orders_and_trades_are_told_as_they_happen(
    desk: Desk, market: str, symbol: str
) -> None:
    client = desk.client(market)
    await client.load_markets()
    reference = {"market": market, "symbol": "BTCUSDT", "order_id": 0}

    def place() -> None:
        wish = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.02", "price": "50000"}
        made = desk.exchange.control.seed_order("main", market=market, **wish)
        reference["order_id"] = made["order_id"]

    def fill() -> None:
        desk.exchange.control.fill(reference, "0.008", "50000")

    def cancel() -> None:
        desk.exchange.control.cancel(reference)

    where = f"{market}/user"
    [placed] = await desk.watched(client.watch_orders, place, where)
    assert (placed["status"], placed["symbol"], placed["amount"]) == ("open", symbol, 0.02)
    trades = asyncio.ensure_future(client.watch_my_trades())
    await asyncio.sleep(0)
    orders = await desk.watched(client.watch_orders, fill, where)
    assert [order["filled"] for order in orders][-1] == 0.008
    [trade] = await asyncio.wait_for(trades, 5)
    assert (trade["order"], trade["amount"], trade["price"]) == (placed["id"], 0.008, 50000)
    orders = await desk.watched(client.watch_orders, cancel, where)
    assert [(order["id"], order["status"]) for order in orders] == [(placed["id"], "canceled")]


async def test_a_spot_balance_is_told_when_it_changes(desk: Desk) -> None:
    def deposit() -> None:
        desk.exchange.control.seed_order(
            "main", market="spot", symbol="BTCUSDT", side="BUY", quantity="0.02", price="50000"
        )

    await desk.spot.load_markets()
    balance = await desk.watched(desk.spot.watch_balance, deposit, "spot/user")
    assert balance["USDT"] == {"free": 99000, "used": 1000, "total": 100000}


async def test_a_usdm_balance_and_a_position_are_told_when_they_change(desk: Desk) -> None:
    wish = {"market": "usdm", "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.05"}

    def sell() -> None:
        desk.exchange.control.trade("main", "60000", **wish)

    sell()
    await desk.usdm.load_markets()
    # The first answer is the snapshot over REST; later ones come over the stream.
    [position] = await asyncio.wait_for(desk.usdm.watch_positions(), 5)
    assert (position["side"], position["contracts"]) == ("short", 0.05)
    [position] = await desk.watched(desk.usdm.watch_positions, sell, "usdm/user")
    assert (position["symbol"], position["side"], position["contracts"]) == (
        USDM_SYMBOL,
        "short",
        0.1,
    )
    balance = await desk.watched(desk.usdm.watch_balance, sell, "usdm/user")
    assert balance["USDT"]["total"] == pytest.approx(100000 - 3 * 0.05 * 60000 * 0.0005)


async def test_a_silent_listen_key_expiry_is_told_once(desk: Desk) -> None:
    await desk.usdm.load_markets()

    def expire() -> None:
        desk.exchange.control.lapse_listen_key("main")

    watching = asyncio.ensure_future(desk.usdm.watch_orders())
    await desk.until_listening("usdm/user", yes=True)
    expire()
    await desk.until_listening("usdm/user", yes=False)
    await asyncio.sleep(0.2)
    [opened] = desk.server.hub.describe()
    assert opened.sent == 1
    desk.exchange.control.seed_order(
        "main", market="usdm", symbol="BTCUSDT", side="BUY", quantity="0.02", price="50000"
    )
    await asyncio.sleep(0.1)
    assert not watching.done()
    watching.cancel()


async def test_a_service_restart_is_a_network_error_and_the_next_watch_reconnects(
    desk: Desk,
) -> None:
    def restart() -> None:
        desk.exchange.control.inject_stream("close_1012", "spot/user")

    def place() -> None:
        desk.exchange.control.seed_order(
            "main", market="spot", symbol="BTCUSDT", side="BUY", quantity="0.02", price="50000"
        )

    await desk.spot.load_markets()
    with pytest.raises(ccxt.NetworkError, match="1012"):
        await desk.watched(desk.spot.watch_orders, restart, "spot/user")
    [order] = await desk.watched(desk.spot.watch_orders, place, "spot/user")
    assert order["status"] == "open"


async def test_a_wrong_secret_cannot_subscribe_to_user_data(desk: Desk) -> None:
    await desk.spot.load_markets()
    desk.spot.secret = "wrong"
    # ccxt 4.5.90 stumbles over its own bookkeeping while it reports the refusal.
    with pytest.raises(KeyError) as caught:
        await asyncio.wait_for(desk.spot.watch_orders(), 5)
    assert isinstance(caught.value.__context__, ccxt.AuthenticationError)
    assert not desk.listening("spot/user")


async def test_a_halt_reaches_the_exchange_info_that_a_client_reads(desk: Desk) -> None:
    await desk.spot.load_markets()
    assert desk.spot.markets[SPOT_SYMBOL]["active"] is True
    desk.exchange.control.set_symbol_status("spot", "BTCUSDT", "HALT")
    await desk.spot.load_markets(True)
    assert desk.spot.markets[SPOT_SYMBOL]["active"] is False


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("drop", ccxt.ExchangeNotAvailable),
        ("reset", ccxt.ExchangeNotAvailable),
        # ccxt takes a torn body for a definite error, not for a failure of the network.
        ("truncate", ccxt.ExchangeError),
        ("never", ccxt.RequestTimeout),
    ],
)
@pytest.mark.parametrize(("market", "symbol"), [("spot", SPOT_SYMBOL), ("usdm", USDM_SYMBOL)])
async def test_an_answer_that_is_lost_on_the_real_wire_was_executed(
    desk: Desk, market: str, symbol: str, fault: str, error: type[Exception]
) -> None:
    client = desk.client(market)
    await client.load_markets()
    client.timeout = 500
    desk.exchange.control.inject(answer_lost(desk, fault), "create", account="main")
    with pytest.raises(error):
        await client.create_order(symbol, "limit", "buy", 0.02, 50000)
    [order] = desk.exchange.control.open_orders("main")
    assert (order["symbol"], order["quantity"]) == ("BTCUSDT", "0.02")
    [row] = desk.exchange.log.mutations()
    assert row.executed
    assert await client.cancel_all_orders(symbol)
    assert desk.exchange.control.open_orders("main") == []


def answer_lost(desk: Desk, fate: str) -> str:
    """Return the fault kind that lets an executed request's answer meet that fate."""
    [kind] = [
        name
        for name, summary in desk.exchange.control.fault_kinds().items()
        if summary == f"executed, then the answer is lost: {fate}"
    ]
    return kind
