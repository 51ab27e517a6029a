"""The parts of the demo engine that a running one shows only by luck."""

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from resyncctl.sdk import Execution, NewOrder, Recoverable, write_gate
from resyncctl.sdk.canonical import JsonObject
from resyncctl.sdk.state import AssetAmounts
from resyncctl.simulator.engine.__main__ import main
from resyncctl.simulator.engine.bookkeeping import Bookkeeper
from resyncctl.simulator.engine.client import NotKnown, Refused, _judge
from resyncctl.simulator.engine.config import ConfigMistake, EngineConfig, Pair, read_config
from resyncctl.simulator.engine.dialect import Dialect, Filters, Report, Resting, Trade
from resyncctl.simulator.engine.quoting import Quoter, desired_prices

NOW_MS = 1_790_000_000_000
SYMBOL = "BTC/USDT:USDT"


@dataclass
class FakeDialect:
    """An exchange with one symbol, whose answers are what a test puts in."""

    product: str = "linear"
    resting: list[Resting] = field(default_factory=list)
    reports: dict[str, Report] = field(default_factory=dict)
    fills: list[Trade] = field(default_factory=list)
    late: list[Trade] = field(default_factory=list)
    placed: list[NewOrder] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    trouble: Exception | None = None
    rows: list[JsonObject] = field(default_factory=list)

    async def measure_clock(self) -> None:
        pass

    async def filters(self, symbol: str) -> Filters:
        return Filters(Decimal("0.1"), Decimal("0.001"))

    async def mid(self, symbol: str) -> Decimal:
        return Decimal(60000)

    async def open_orders(self, symbol: str) -> list[Resting]:
        return self.resting

    async def report(self, row: JsonObject) -> Report | None:
        return self.reports.get(str(row["client_id"]))

    async def place(self, order: NewOrder) -> str:
        self.placed.append(order)
        if self.trouble is not None:
            raise self.trouble
        return str(900 + len(self.placed))

    async def cancel(self, row: JsonObject) -> None:
        self.cancelled.append(str(row["client_id"]))

    async def trades(self, symbol: str, *, after: int | None, since_ms: int) -> list[Trade]:
        return [trade for trade in self.fills if after is None or trade.number > after]

    async def balances(self) -> AssetAmounts:
        # What is filled while the account is read shows up only in the next question.
        self.fills, self.late = self.fills + self.late, []
        return {"USDT": Decimal(1000)}

    async def positions(self) -> list[JsonObject] | None:
        return self.rows


@dataclass
class Clock:
    """Moves only when told."""

    ms: int = NOW_MS

    def now_ms(self) -> int:
        return self.ms


@dataclass
class Desk:
    """A bookkeeper and a quoter on one checkpoint."""

    state: Recoverable
    venue: FakeDialect
    book: Bookkeeper
    quoter: Quoter
    clock: Clock

    def row(self, client_id: str) -> JsonObject:
        return next(row for row in self.state.orders if row["client_id"] == client_id)

    def submit(self, client_id: str, exchange_id: str | None = None) -> None:
        order = NewOrder(
            client_id=client_id,
            symbol=SYMBOL,
            side="buy",
            type="limit",
            amount=Decimal(2),
            price=Decimal(60000),
        )
        self.state.before_submit(order)
        if exchange_id is not None:
            self.state.acknowledged(client_id, exchange_id=exchange_id)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    gate = tmp_path / "gate.json"
    write_gate(gate, account="main", state="RUNNING", reason="t", by="t", run_id="r", now_ms=NOW_MS)
    venue, clock = FakeDialect(), Clock()
    _check: Dialect = venue
    state = Recoverable(
        tmp_path / "bot.json",
        gate,
        account="main",
        exchange="binance",
        market_type="swap",
        now_ms=clock.now_ms,
    )
    book = Bookkeeper(venue, state, (SYMBOL,), give_up_ms=2_000)
    ids = iter(range(100))
    quoter = Quoter(
        pair=Pair(SYMBOL, "0.002"),
        filters=Filters(Decimal("0.1"), Decimal("0.001")),
        dialect=venue,
        state=state,
        book=book,
        new_id=lambda kind: f"{kind}{next(ids)}",
        now_ms=clock.now_ms,
        request_validity_ms=5_000,
    )
    return Desk(state, venue, book, quoter, clock)


def trade(number: int, exchange_id: str, amount: str) -> Trade:
    fill = Execution(
        trade_id=str(number),
        symbol=SYMBOL,
        side="buy",
        price=Decimal(60000),
        amount=Decimal(amount),
        at_ms=NOW_MS,
        fee=(("USDT", Decimal(1)),),
    )
    return Trade(number, exchange_id, fill)


def report(exchange_id: str, state: str, filled: str = "0") -> Report:
    return Report(exchange_id, state, Decimal(filled), NOW_MS)


async def test_an_order_that_never_arrived_is_given_up_late_and_only_after_three_questions(
    desk: Desk,
) -> None:
    desk.submit("a")
    for _ in range(5):
        await desk.book.sync(desk.clock.ms + 2_000)
        assert desk.row("a")["state"] == "pending_new"
    desk.book.questions.clear()
    for _ in range(2):
        await desk.book.sync(desk.clock.ms + 2_001)
        assert desk.row("a")["state"] == "pending_new"
    await desk.book.sync(desk.clock.ms + 2_001)
    assert desk.row("a")["state"] == "rejected"


async def test_being_found_once_starts_the_counting_anew(desk: Desk) -> None:
    desk.submit("a", "7")
    for _ in range(2):
        await desk.book.sync(desk.clock.ms + 9_000)
    desk.venue.reports["a"] = report("7", "open")
    await desk.book.sync(desk.clock.ms + 9_000)
    desk.venue.reports.clear()
    await desk.book.sync(desk.clock.ms + 9_000)
    assert desk.row("a")["state"] == "open"


async def test_an_order_ends_only_when_every_fill_that_it_reports_is_booked(desk: Desk) -> None:
    desk.submit("a", "7")
    desk.venue.reports["a"] = report("7", "canceled", filled="1.5")
    desk.venue.fills = [trade(1, "7", "1")]
    await desk.book.sync(desk.clock.ms)
    assert desk.row("a")["state"] == "partially_filled"
    desk.venue.fills.append(trade(2, "7", "0.5"))
    await desk.book.sync(desk.clock.ms)
    assert (desk.row("a")["state"], desk.row("a")["filled"]) == ("canceled", "1.5")


async def test_a_fill_that_comes_while_the_account_is_read_is_in_the_same_reading(
    desk: Desk,
) -> None:
    desk.submit("a", "7")
    desk.venue.reports["a"] = report("7", "partially_filled", filled="1")
    desk.venue.late = [trade(1, "7", "1")]
    await desk.book.sync(desk.clock.ms)
    assert desk.row("a")["filled"] == "1"
    assert desk.state.event_cursor == {f"last_trade {SYMBOL}": 1}


async def test_an_account_that_never_stands_still_is_not_written_down(desk: Desk) -> None:
    numbers = iter(range(1, 1000))

    async def moving() -> AssetAmounts:
        desk.venue.fills.append(trade(next(numbers), "7", "0.1"))
        return {}

    desk.venue.balances = moving  # type: ignore[method-assign]  # this exchange never rests
    with pytest.raises(NotKnown, match="moves faster"):
        await desk.book.sync(desk.clock.ms)
    assert desk.state.event_cursor == {}


@pytest.mark.parametrize(
    ("listed", "differs"),
    [
        ([Resting("7", Decimal(0))], False),
        ([Resting("7", Decimal(0)), Resting("8", Decimal(0))], False),
        ([Resting("7", Decimal(1))], True),
        ([Resting("7", Decimal(0), algo=True)], True),
        ([], True),
    ],
)
async def test_a_look_says_whether_our_orders_have_changed(
    desk: Desk, listed: list[Resting], *, differs: bool
) -> None:
    desk.submit("a", "7")
    desk.venue.resting = listed
    assert await desk.book.look() is differs


@pytest.mark.parametrize(
    ("trouble", "state"),
    [
        (Refused(400, -2010, "no"), "rejected"),
        (NotKnown("timeout"), "unknown"),
        (KeyError("orderId"), "unknown"),
    ],
)
async def test_only_a_definite_no_is_a_no(desk: Desk, trouble: Exception, state: str) -> None:
    desk.venue.trouble = trouble
    await desk.quoter.quote()
    assert desk.row("q0")["state"] == state
    placed = len(desk.venue.placed)
    await desk.quoter.quote()
    # Nothing is sent again while nobody knows, nor at once after a refusal.
    assert len(desk.venue.placed) == placed
    desk.clock.ms += 1_000
    await desk.quoter.quote()
    assert (len(desk.venue.placed) > placed) is (state == "rejected")


async def test_the_new_stop_comes_before_the_old_one_goes(desk: Desk) -> None:
    desk.state.set_positions("linear", [_position("2")])
    await desk.quoter.protect()
    await desk.quoter.protect()
    assert [order.side for order in desk.venue.placed] == ["sell"]
    assert desk.venue.placed[0].stop_price == Decimal("57000.0")
    desk.state.set_positions("linear", [_position("3")])
    await desk.quoter.protect()
    assert [order.amount for order in desk.venue.placed] == [2, 3]
    assert desk.venue.cancelled == ["s0"]
    desk.state.set_positions("linear", [])
    await desk.quoter.protect()
    assert desk.venue.cancelled == ["s0", "s1"]


def _position(amount: str) -> JsonObject:
    return {"symbol": SYMBOL, "side": "long", "amount": amount, "entry_price": "60000"}


def test_quotes_lie_on_the_grid_and_never_meet() -> None:
    filters = Filters(Decimal("0.1"), Decimal("0.001"))
    for spread in ("0.001", "0.0000001"):
        prices = desired_prices(Decimal("60000.05"), Pair(SYMBOL, "1", spread), filters)
        assert prices["buy"] < Decimal("60000.05") < prices["sell"]
        assert all(price % Decimal("0.1") == 0 for price in prices.values())


@pytest.mark.parametrize(
    ("status", "body", "known"),
    [
        (400, {"code": -2010, "msg": "x"}, True),
        (401, {"code": -2015, "msg": "x"}, True),
        (429, {"code": -1003, "msg": "x"}, True),
        (400, {"code": -1007, "msg": "x"}, False),
        (400, {"code": -1006, "msg": "x"}, False),
        (503, {"code": -1008, "msg": "x"}, False),
        (400, {"msg": "x"}, False),
        (400, "text", False),
        (302, {}, False),
        (200, None, False),
        (200, "text", False),
    ],
)
def test_an_answer_is_a_refusal_only_when_it_says_so(
    status: int, body: object, *, known: bool
) -> None:
    data = b"<html>" if body == "text" else json.dumps(body).encode()
    with pytest.raises(Refused if known else NotKnown):
        _judge(status, {"Retry-After": "7"}, data)


def test_a_refusal_says_how_long_to_wait() -> None:
    with pytest.raises(Refused) as caught:
        _judge(429, {"Retry-After": "7"}, b'{"code": -1003, "msg": "x"}')
    assert caught.value.retry_after_s == 7


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    return EngineConfig(
        account="main",
        address="127.0.0.1:1",
        ca_file=str(tmp_path / "ca_file"),
        api_key_file=str(tmp_path / "api_key_file"),
        api_secret_file=str(tmp_path / "api_secret_file"),
        checkpoint=str(tmp_path / "checkpoint"),
        gate_file=str(tmp_path / "gate_file"),
        control_file=str(tmp_path / "control"),
        pairs=(Pair(SYMBOL, "0.002"),),
    )


def test_a_configuration_reads_back(config: EngineConfig, tmp_path: Path) -> None:
    config.save(tmp_path / "config.json")
    assert read_config(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"address": "api.binance.com:443"}, "only a loopback address"),
        ({"address": "10.0.0.1:443"}, "only a loopback address"),
        ({"adress": "x"}, "unknown key 'adress'"),
        ({"pairs": []}, "pairs is empty"),
        ({"pairs": [{"symbol": "BTC/USDT", "size": "0"}]}, r"pairs\[0\]: size"),
        ({"pairs": [{"symbol": "BTCUSDT", "size": "1"}]}, "not a unified symbol"),
        ({"pairs": [{"symbol": "BTC/USDT", "sise": "1"}]}, r"pairs\[0\]"),
        ({"interval_ms": 0}, "interval_ms"),
        ({"interval_ms": True}, "interval_ms"),
        ({"account": ""}, "account"),
        ({"client_id_prefix": "x" * 13}, "client_id_prefix"),
    ],
)
def test_a_mistake_is_named_with_its_key(
    config: EngineConfig, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = tmp_path / "config.json"
    config.save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ConfigMistake, match=words):
        read_config(path)


def test_it_ends_with_one_sentence_when_it_cannot_run(
    config: EngineConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.json"
    assert main(["--config", str(path)]) == 1
    replace(config, checkpoint=str(tmp_path / "none" / "bot.json")).save(path)
    for name in ("ca_file", "api_key_file", "api_secret_file"):
        (tmp_path / name).write_text("")
    assert main(["--config", str(path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("the demo engine cannot run: ") for line in lines)
