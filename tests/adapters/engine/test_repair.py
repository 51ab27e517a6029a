"""A repaired snapshot becomes the next generation: nothing lost, nothing written behind a back."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resyncctl.adapters.engine.checkpoint import CheckpointEngine
from resyncctl.adapters.engine.repair import CheckpointRepairer
from resyncctl.core.errors import RefusedError, StalePlanError
from resyncctl.core.model import (
    Balance,
    Fill,
    Leg,
    Order,
    OrderClass,
    OrderStatus,
    Position,
    Side,
)
from resyncctl.core.snapshot import EngineSnapshot, Known, Section, Unknown
from resyncctl.ports.repair import CheckpointRepair
from resyncctl.sdk import history
from resyncctl.sdk.canonical import JsonObject, JsonValue
from resyncctl.sdk.checkpoint import load_file, read_checkpoint
from resyncctl.sdk.writer import CheckpointWriter
from tests.adapters.engine.test_checkpoint_engine import MemorySeen
from tests.sdk.samples import NOW_MS, content, order, ticking, write_generations

LATER_MS = NOW_MS + 60_000
T = TypeVar("T")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.json"


def read(path: Path, now_ms: int = LATER_MS) -> EngineSnapshot:
    return CheckpointEngine(path, exchange="binance").read("main", now_ms)


def repair(path: Path, snapshot: EngineSnapshot) -> str:
    repairer: CheckpointRepair = CheckpointRepairer(path)
    return repairer.write(snapshot, LATER_MS)


def data(section: Section[T]) -> tuple[T, ...]:
    assert isinstance(section, Known)
    return section.data


def with_rows(section: Section[T], *rows: T) -> Section[T]:
    assert isinstance(section, Known)
    return replace(section, data=rows)


def test_an_unchanged_snapshot_writes_the_same_rows_and_keeps_the_chain(path: Path) -> None:
    write_generations(path, 2, strategy=[{"id": "s1"}])
    before = read_checkpoint(path)
    digest = repair(path, read(path))
    after = read_checkpoint(path)
    assert digest == read(path).source.digest
    assert (after.sequence, after.prev_sha256) == (3, before.sha256)
    assert load_file(history.generation_path(path, 2)).sha256 == before.sha256
    for section in ("orders", "fills", "balances", "external_claims", "engine", "strategy"):
        assert after.document[section] == before.document[section]
    assert after.document["repaired"] == {"by": "resyncctl", "at_ms": LATER_MS, "from_sequence": 2}
    assert after.clean_shutdown
    assert read(path).trouble == ()


def test_a_changed_order_keeps_the_keys_that_only_its_engine_understands(path: Path) -> None:
    write_generations(path, 1, orders=[order(mood="calm", strategy="s1")])
    snapshot = read(path)
    (found,) = data(snapshot.orders)
    changed = replace(found, status=OrderStatus.CANCELED, filled=Decimal("0.004"))
    repair(path, replace(snapshot, orders=with_rows(snapshot.orders, changed)))
    (row,) = read_checkpoint(path).rows("orders") or []
    assert (row["state"], row["filled"], row["remaining"]) == ("canceled", "0.004", "0.006")
    assert (row["mood"], row["strategy"], row["role"]) == ("calm", "s1", "quote")
    assert data(read(path).orders) == (changed,)


def test_an_order_that_was_in_flight_gains_its_exchange_id_in_its_own_row(path: Path) -> None:
    pending = order(client_id="bot-2", exchange_id=None, state="pending_new", filled="0")
    write_generations(path, 1, orders=[order(), pending])
    snapshot = read(path)
    first, second = data(snapshot.orders)
    known = replace(second, status=OrderStatus.ACCEPTED, venue_order_id="2000")
    repair(path, replace(snapshot, orders=with_rows(snapshot.orders, known, first)))
    rows = read_checkpoint(path).rows("orders") or []
    assert [row["exchange_id"] for row in rows] == ["2000", "1000"]
    assert data(read(path).orders) == (known, first)


def test_what_is_new_reads_back_and_what_is_gone_is_gone(path: Path) -> None:
    write_generations(path, 1)
    snapshot = read(path)
    adopted = Order(
        account="main",
        product="linear",
        symbol="ETH/USDT:USDT",
        side=Side.SELL,
        type="stop_market",
        status=OrderStatus.ACCEPTED,
        client_order_id="stop-9",
        venue_order_id="9",
        quantity=Decimal(2),
        filled=Decimal(0),
        trigger_price=Decimal(1500),
        reduce_only=True,
        protective=True,
        order_class=OrderClass.ALGO,
        created_at_ms=NOW_MS,
        updated_at_ms=NOW_MS,
    )
    fill = Fill(
        account="main",
        product="linear",
        symbol="ETH/USDT:USDT",
        trade_id="inferred:9",
        venue_order_id="9",
        client_order_id=None,
        side=Side.SELL,
        quantity=Decimal(1),
        price=None,
        fee=None,
        fee_asset=None,
        at_ms=NOW_MS,
        inferred=True,
    )
    position = Position(
        account="main",
        product="linear",
        symbol="ETH/USDT:USDT",
        leg=Leg.LONG,
        quantity=Decimal(2),
        entry_price=Decimal(1600),
    )
    flat = replace(position, leg=Leg.SHORT, quantity=Decimal(0))
    balance = Balance(
        account="main", product="linear", asset="USDT", free=None, locked=None, total=Decimal("7.5")
    )
    repaired = replace(
        snapshot,
        orders=with_rows(snapshot.orders, adopted),
        fills=with_rows(snapshot.fills, *data(snapshot.fills), fill),
        positions=with_rows(snapshot.positions, position, flat),
        balances=with_rows(snapshot.balances, *data(snapshot.balances), balance),
    )
    repair(path, repaired)
    again = read(path)
    assert data(again.orders) == (adopted,)
    assert data(again.fills) == data(repaired.fills)
    assert data(again.positions) == (position,)
    assert data(again.balances) == data(repaired.balances)


def test_a_leg_that_stays_alone_remains_a_leg(path: Path) -> None:
    both: list[JsonValue] = [
        {"symbol": "BTC/USDT:USDT", "side": "long", "amount": "1", "margin_mode": "cross"},
        {"symbol": "BTC/USDT:USDT", "side": "short", "amount": "2"},
    ]
    write_generations(path, 1, positions=both)
    snapshot = read(path)
    long, _short = data(snapshot.positions)
    repair(path, replace(snapshot, positions=with_rows(snapshot.positions, long)))
    assert data(read(path).positions) == (long,)
    (row,) = read_checkpoint(path).rows("positions") or []
    assert row["margin_mode"] == "cross"


def test_sections_that_are_not_known_are_left_alone(path: Path) -> None:
    document = content()
    del document["positions"]
    with CheckpointWriter(path, now_ms=ticking()) as writer:
        writer.write(document)
    snapshot = replace(read(path), balances=Unknown("not read"))
    repair(path, snapshot)
    found = read_checkpoint(path)
    assert found.rows("positions") is None
    assert found.rows("balances") == document["balances"]


def test_orders_still_in_flight_keep_the_checkpoint_from_being_a_clean_stop(path: Path) -> None:
    write_generations(path, 1, orders=[order(state="unknown")])
    repair(path, read(path))
    assert not read_checkpoint(path).clean_shutdown
    kinds = [kind for kind, _ in read(path, LATER_MS + 6_000).trouble]
    assert kinds == ["CHECKPOINT_STALE"]


def test_nothing_is_written_while_the_engine_lives(path: Path) -> None:
    with CheckpointWriter(path, now_ms=ticking()) as writer:
        writer.write(content())
        snapshot, before = read(path), path.read_bytes()
        with pytest.raises(RefusedError, match="the engine is alive"):
            repair(path, snapshot)
    assert path.read_bytes() == before


def test_a_checkpoint_that_moved_since_it_was_read_is_not_overwritten(path: Path) -> None:
    write_generations(path, 1)
    snapshot = read(path)
    write_generations(path, 1, orders=[])
    with pytest.raises(StalePlanError, match="moved to sequence 2"):
        repair(path, snapshot)
    assert read_checkpoint(path).sequence == 2


def test_a_heartbeat_since_it_was_read_is_no_reason_to_refuse(path: Path) -> None:
    write_generations(path, 1)
    snapshot = read(path)
    write_generations(path, 2)
    repair(path, snapshot)
    assert read_checkpoint(path).sequence == 4


def test_there_must_be_something_to_repair(path: Path) -> None:
    snapshot = read(path)
    with pytest.raises(RefusedError, match="no checkpoint to repair"):
        repair(path, snapshot)
    path.write_bytes(b"{")
    with pytest.raises(RefusedError, match="cannot be repaired"):
        repair(path, snapshot)


def test_a_repair_after_a_fallback_makes_the_checkpoint_whole_again(path: Path) -> None:
    write_generations(path, 3)
    path.unlink()
    path.write_bytes(b"{")
    snapshot = read(path)
    assert snapshot.sequence == 3
    repair(path, snapshot)
    after = read(path)
    assert (after.sequence, after.trouble) == (4, ())
    assert isinstance(after.orders, Known)
    assert after.orders.complete


def test_a_repair_outruns_a_folder_that_was_put_back(path: Path) -> None:
    seen = MemorySeen()
    write_generations(path, 1)
    backup = {place: place.read_bytes() for place in path.parent.iterdir()}
    write_generations(path, 4)
    CheckpointEngine(path, exchange="binance", seen=seen).read("main", LATER_MS)
    for place in list(path.parent.iterdir()):
        place.unlink()
    for place, content_ in backup.items():
        place.write_bytes(content_)
    engine = CheckpointEngine(path, exchange="binance", seen=seen, allow_rollback=True)
    CheckpointRepairer(path, seen=seen).write(engine.read("main", LATER_MS), LATER_MS)
    strict = CheckpointEngine(path, exchange="binance", seen=seen)
    again = strict.read("main", LATER_MS)
    assert (again.sequence, again.trouble) == (6, ())


IDS = st.sampled_from(["a", "b", "c", "d"])
ROWS = st.lists(
    st.builds(
        lambda client, state, filled: order(
            client_id=client, exchange_id=f"x{client}", state=state, filled=filled
        ),
        IDS,
        st.sampled_from(["open", "canceled", "pending_cancel", "unknown"]),
        st.sampled_from(["0", "0.001", "0.01"]),
    ),
    unique_by=lambda row: str(row["client_id"]),
    max_size=4,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=ROWS, after=ROWS)
def test_whatever_the_repaired_orders_are_they_are_what_is_read_next(
    tmp_path: Path, before: list[JsonObject], after: list[JsonObject]
) -> None:
    path = tmp_path / "bot.json"
    other = tmp_path / "other.json"
    write_generations(path, 1, orders=list(before))
    write_generations(other, 1, orders=list(after))
    target = data(read(other).orders)
    snapshot = read(path)
    repair(path, replace(snapshot, orders=with_rows(snapshot.orders, *target)))
    assert data(read(path).orders) == target
