"""What an engine believes, as the core sees it, and every way in which it is not believed."""

import time
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from resyncctl.adapters.engine.checkpoint import CheckpointEngine
from resyncctl.core.model import Leg, Order, OrderClass, OrderStatus, Side
from resyncctl.core.snapshot import Claim, EngineSnapshot, Known, Section, Unknown, Window
from resyncctl.ports.store import CheckpointSeen
from resyncctl.ports.views import EngineView
from resyncctl.sdk import history
from resyncctl.sdk.canonical import JsonObject, JsonValue, sealed_bytes
from resyncctl.sdk.writer import CheckpointWriter
from tests.sdk.samples import NOW_MS, content, order, ticking, write_generations

SOON_MS = NOW_MS + 1_000


@dataclass
class MemorySeen:
    """Remembers like the store does, and can be struck with not knowing."""

    rows: dict[str, CheckpointSeen] = field(default_factory=dict)
    broken: bool = False

    def last_checkpoint(self, account: str) -> CheckpointSeen | Unknown | None:
        return Unknown("the store is locked") if self.broken else self.rows.get(account)

    def remember_checkpoint(self, seen: CheckpointSeen) -> bool:
        present = self.rows.get(seen.account)
        if not self.broken and (present is None or present.sequence < seen.sequence):
            self.rows[seen.account] = seen
        return not self.broken


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.json"


def write(path: Path, **changes: JsonValue) -> None:
    with CheckpointWriter(path, now_ms=ticking()) as writer:
        writer.write(content(**changes))


def read(path: Path, *, now_ms: int = SOON_MS, exchange: str = "binance") -> EngineSnapshot:
    engine: EngineView = CheckpointEngine(path, exchange=exchange)
    return engine.read("main", now_ms)


def rows_of(section: Section[Order]) -> tuple[Order, ...]:
    assert isinstance(section, Known)
    return section.data


def kinds(snapshot: EngineSnapshot) -> list[str]:
    return [kind for kind, _ in snapshot.trouble]


def nothing_is_known(snapshot: EngineSnapshot) -> bool:
    sections = (snapshot.orders, snapshot.fills, snapshot.positions, snapshot.balances)
    return all(isinstance(section, Unknown) for section in sections)


def test_a_good_checkpoint_becomes_a_snapshot_without_trouble(path: Path) -> None:
    write(path, fills_since_ms=NOW_MS - 90_000_000)
    snapshot = read(path)
    assert snapshot.trouble == ()
    assert snapshot.sequence == 1
    assert snapshot.source.adapter == "checkpoint"
    assert snapshot.source.digest is not None
    (found,) = rows_of(snapshot.orders)
    assert found == Order(
        account="main",
        product="spot",
        symbol="BTC/USDT",
        side=Side.BUY,
        type="limit",
        status=OrderStatus.PARTIALLY_FILLED,
        client_order_id="bot-1",
        venue_order_id="1000",
        quantity=Decimal("0.01"),
        filled=Decimal("0.001"),
        price=Decimal(50000),
        created_at_ms=NOW_MS - 1000,
        updated_at_ms=NOW_MS - 500,
    )
    assert isinstance(snapshot.fills, Known)
    assert snapshot.fills.window == Window(NOW_MS - 90_000_000, NOW_MS - 500)
    (fill,) = snapshot.fills.data
    assert (fill.fee, fill.fee_asset, fill.venue_order_id) == (Decimal("0.05"), "USDT", "1000")
    assert isinstance(snapshot.positions, Known)
    (position,) = snapshot.positions.data
    assert (position.product, position.leg, position.quantity) == (
        "linear",
        Leg.BOTH,
        Decimal("-0.5"),
    )
    assert isinstance(snapshot.balances, Known)
    (balance,) = snapshot.balances.data
    assert (balance.product, balance.total) == ("spot", Decimal(100))
    assert (balance.free, balance.locked) == (Decimal(90), Decimal(10))
    assert snapshot.balances.as_of_ms == NOW_MS - 500
    assert snapshot.claims == (Claim(owner="desk", client_order_id="web-1"),)


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({"state": "pending_new", "exchange_id": None}, OrderStatus.SUBMITTED),
        ({"state": "open", "filled": "0"}, OrderStatus.ACCEPTED),
        ({"state": "open", "filled": "0.001"}, OrderStatus.PARTIALLY_FILLED),
        ({"state": "partially_filled"}, OrderStatus.PARTIALLY_FILLED),
        ({"state": "pending_cancel"}, OrderStatus.PENDING_CANCEL),
        ({"state": "lost"}, OrderStatus.PENDING_UPDATE),
        ({"state": "unknown"}, OrderStatus.PENDING_UPDATE),
        ({"state": "unknown", "exchange_id": None}, OrderStatus.SUBMITTED),
        ({"state": "filled"}, OrderStatus.FILLED),
        ({"state": "canceled"}, OrderStatus.CANCELED),
        ({"state": "expired"}, OrderStatus.EXPIRED),
        ({"state": "rejected"}, OrderStatus.REJECTED),
    ],
)
def test_every_word_for_a_state_has_its_status(
    path: Path, row: JsonObject, status: OrderStatus
) -> None:
    write(path, orders=[order(**row)])
    (found,) = rows_of(read(path).orders)
    assert found.status is status


STOP: JsonObject = {
    "symbol": "BTC/USDT:USDT",
    "type": "stop_market",
    "role": "stop",
    "state": "open",
    "stop_price": "70000",
    "price": None,
    "filled": "0",
    "remaining": "0.01",
    "side": "buy",
}


@pytest.mark.parametrize(
    ("row", "exchange", "protective", "order_class"),
    [
        ({"reduce_only": True}, "binance", True, OrderClass.ALGO),
        ({"reduce_only": True}, "bybit", True, OrderClass.REGULAR),
        ({"reduce_only": False}, "binance", False, OrderClass.ALGO),
        ({"leg": "short"}, "binanceusdm", True, OrderClass.ALGO),
        ({"client_id": "stop-1"}, "binance", True, OrderClass.ALGO),
        ({"exchange_id": "stop-1"}, "binance", True, OrderClass.ALGO),
        ({"order_class": "regular"}, "binance", False, OrderClass.REGULAR),
        ({"symbol": "BTC/USDT"}, "binance", True, OrderClass.REGULAR),
        ({"role": "take_profit", "reduce_only": True}, "binance", False, OrderClass.ALGO),
    ],
)
def test_stops_are_known_for_what_they_protect_and_where_they_rest(
    path: Path, row: JsonObject, exchange: str, *, protective: bool, order_class: OrderClass
) -> None:
    account: JsonObject = {
        "exchange": exchange,
        "market_type": "swap",
        "account_ref": "main",
        "sandbox": False,
        "dry_run": False,
    }
    write(path, account=account, orders=[order(**{**STOP, **row})])
    (found,) = rows_of(read(path, exchange=exchange).orders)
    assert found.protective is protective
    assert found.order_class is order_class
    assert found.trigger_price == Decimal(70000)


def test_legs_come_from_the_row_the_mode_or_both_sides_being_there(path: Path) -> None:
    long: JsonObject = {"symbol": "BTC/USDT:USDT", "side": "long", "amount": "1"}
    short: JsonObject = {"symbol": "BTC/USDT:USDT", "side": "short", "amount": "2"}
    cases: list[tuple[list[JsonValue], str | None, list[tuple[Leg, int]]]] = [
        ([long], None, [(Leg.BOTH, 1)]),
        ([short], None, [(Leg.BOTH, -2)]),
        ([long, short], None, [(Leg.LONG, 1), (Leg.SHORT, -2)]),
        ([short], "hedge", [(Leg.SHORT, -2)]),
        ([{**short, "leg": "short"}], None, [(Leg.SHORT, -2)]),
        ([], None, []),
    ]
    for positions, mode, expected in cases:
        account = dict(content()["account"])  # type: ignore[arg-type]
        if mode:
            account["position_mode"] = mode
        write(path, positions=positions, account=account)
        section = read(path).positions
        assert isinstance(section, Known)
        assert [(row.leg, int(row.quantity)) for row in section.data] == expected


def test_sections_that_the_engine_does_not_tell_are_not_known(path: Path) -> None:
    document = content(orders=[])
    del document["balances"]
    with CheckpointWriter(path, now_ms=ticking()) as writer:
        writer.write(document)
    snapshot = read(path)
    assert isinstance(snapshot.balances, Unknown)
    assert "does not say anything about balances" in snapshot.balances.reason
    assert rows_of(snapshot.orders) == ()


def test_fees_in_several_assets_are_not_lost_in_silence(path: Path) -> None:
    row: JsonObject = {
        "trade_id": "7",
        "symbol": "BTC/USDT",
        "side": "buy",
        "price": "1",
        "amount": "1",
        "ts_ms": NOW_MS,
        "fee": [
            {"asset": "BNB", "amount": "0.1"},
            {"asset": "BNB", "amount": "0.2"},
            {"asset": "USDT", "amount": "1"},
        ],
    }
    write(path, fills=[row])
    section = read(path).fills
    assert isinstance(section, Known)
    assert (section.data[0].fee, section.data[0].fee_asset) == (Decimal("0.3"), "BNB")
    assert section.notes == ("fill 7: also a fee of 1 USDT",)


def test_numbers_that_do_not_add_up_are_noted(path: Path) -> None:
    write(path, orders=[order(remaining="0.5")])
    section = read(path).orders
    assert isinstance(section, Known)
    assert section.notes == ("order bot-1: amount minus filled is not its remaining",)


def test_a_missing_or_damaged_checkpoint_is_never_no_orders(path: Path) -> None:
    snapshot = read(path)
    assert kinds(snapshot) == ["SECTION_UNREADABLE"], "nothing is damaged: nothing is there"
    assert nothing_is_known(snapshot)
    assert "there is no checkpoint here" in snapshot.trouble[0][1]
    path.write_bytes(b"{")
    snapshot = read(path)
    assert kinds(snapshot) == ["CHECKPOINT_CORRUPT"]
    assert nothing_is_known(snapshot)


def test_a_newer_format_is_not_guessed_at(path: Path) -> None:
    document = {**content(), "schema": "resync.checkpoint/2", "sequence": 1}
    path.write_bytes(sealed_bytes(document)[0])
    snapshot = read(path)
    assert nothing_is_known(snapshot)
    assert "resyncctl that is as new as the engine" in snapshot.trouble[0][1]


def test_a_fallback_shows_the_older_rows_but_calls_them_incomplete(path: Path) -> None:
    write_generations(path, 3)
    history.generation_path(path, 3).write_bytes(b"{")
    snapshot = read(path)
    assert kinds(snapshot) == ["CHECKPOINT_CORRUPT"]
    assert "fell back to generation 2, 1 writes behind" in snapshot.trouble[0][1]
    assert snapshot.sequence == 2
    assert isinstance(snapshot.orders, Known)
    assert not snapshot.orders.complete


def test_a_partial_dump_is_not_complete(path: Path) -> None:
    write(path, complete=False)
    snapshot = read(path)
    for section in (snapshot.orders, snapshot.fills, snapshot.positions, snapshot.balances):
        assert isinstance(section, Known)
        assert not section.complete
        assert section.notes == ("the engine says that its checkpoint is not complete",)


def test_stale_is_told_with_both_ages(path: Path) -> None:
    write(path)
    assert read(path, now_ms=NOW_MS + 35_000).trouble == ()
    snapshot = read(path, now_ms=NOW_MS + 36_000)
    assert kinds(snapshot) == ["CHECKPOINT_STALE"]
    assert "written 36.0 s ago, and the next write is 6.0 s overdue" in snapshot.trouble[0][1]
    assert isinstance(snapshot.orders, Known)
    assert snapshot.as_of_ms == NOW_MS


def test_an_engine_that_stopped_cleanly_still_believes_the_same_later(path: Path) -> None:
    write(path, clean_shutdown=True)
    snapshot = read(path, now_ms=NOW_MS + 3_600_000)
    assert snapshot.trouble == ()
    assert snapshot.as_of_ms == NOW_MS + 3_600_000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"account_ref": "other"}, "account 'other', not to 'main'"),
        ({"exchange": "kraken"}, "at 'kraken'"),
        ({"dry_run": True}, "dry run"),
        ({"sandbox": True}, "a sandbox and the configured one is live"),
    ],
)
def test_a_foreign_checkpoint_is_not_read(path: Path, change: JsonObject, words: str) -> None:
    account = dict(content()["account"])  # type: ignore[arg-type]
    write(path, account={**account, **change})
    engine = CheckpointEngine(path, exchange="binance", sandbox=False)
    snapshot = engine.read("main", SOON_MS)
    assert kinds(snapshot) == ["CHECKPOINT_FOREIGN"]
    assert words in snapshot.trouble[0][1]
    assert nothing_is_known(snapshot)


def test_one_exchange_under_two_names_is_not_foreign(path: Path) -> None:
    write(path)
    assert read(path, exchange="binanceusdm").trouble == ()
    assert kinds(read(path, exchange="okx")) == ["CHECKPOINT_FOREIGN"]


def test_a_folder_that_was_put_back_as_a_whole_is_noticed(path: Path) -> None:
    seen = MemorySeen()
    write_generations(path, 2)
    backup = {place: place.read_bytes() for place in path.parent.iterdir()}
    write_generations(path, 2)
    engine = CheckpointEngine(path, exchange="binance", seen=seen)
    assert engine.read("main", SOON_MS).trouble == ()
    assert seen.rows["main"].sequence == 4
    for place in list(path.parent.iterdir()):
        place.unlink()
    for place, data in backup.items():
        place.write_bytes(data)
    snapshot = engine.read("main", SOON_MS)
    assert kinds(snapshot) == ["CHECKPOINT_STALE"]
    assert "sequence 2 is older than 4" in snapshot.trouble[0][1]
    assert nothing_is_known(snapshot)
    allowed = CheckpointEngine(path, exchange="binance", seen=seen, allow_rollback=True)
    snapshot = allowed.read("main", SOON_MS)
    assert kinds(snapshot) == ["CHECKPOINT_STALE"]
    assert isinstance(snapshot.orders, Known)
    assert not snapshot.orders.complete
    assert seen.rows["main"].sequence == 4


def test_a_store_that_cannot_answer_does_not_stop_the_reading(path: Path) -> None:
    write_generations(path, 2)
    engine = CheckpointEngine(path, exchange="binance", seen=MemorySeen(broken=True))
    assert engine.read("main", SOON_MS).trouble == ()


def test_reading_changes_nothing_beside_the_checkpoint(path: Path) -> None:
    write_generations(path, 2)
    before = {place.name: place.read_bytes() for place in path.parent.iterdir()}
    read(path)
    assert {place.name: place.read_bytes() for place in path.parent.iterdir()} == before


def test_ten_thousand_orders_and_fills_are_read_well_within_two_seconds(path: Path) -> None:
    many: list[JsonValue] = [order(client_id=f"b{n}", exchange_id=str(n)) for n in range(10_000)]
    fills: list[JsonValue] = [
        {
            "trade_id": str(n),
            "symbol": "BTC/USDT",
            "side": "buy",
            "price": "1",
            "amount": "1",
            "ts_ms": NOW_MS,
        }
        for n in range(10_000)
    ]
    write(path, orders=many, fills=fills)
    began = time.perf_counter()
    snapshot = read(path)
    assert time.perf_counter() - began < 2
    assert len(rows_of(snapshot.orders)) == 10_000
