"""Reading a checkpoint: believed, or a typed reason why not. Never an empty answer instead."""

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resyncctl.sdk import history
from resyncctl.sdk.canonical import JsonObject, JsonValue, sealed_bytes
from resyncctl.sdk.checkpoint import LastSeen, load_file, read_checkpoint, require_fresh
from resyncctl.sdk.errors import (
    CheckpointCorrupt,
    CheckpointForeign,
    CheckpointMissing,
    CheckpointRolledBack,
    CheckpointStale,
    CheckpointTooNew,
    FormatError,
    RecoveryError,
)
from resyncctl.sdk.shape import check_document
from resyncctl.sdk.writer import CheckpointWriter
from tests.sdk.samples import NOW_MS, content, order, ticking, write_generations


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.json"


def whole(**changes: JsonValue) -> JsonObject:
    return {
        **content(),
        "schema": "resync.checkpoint/1",
        "sequence": 1,
        "prev_sha256": None,
        "written_ms": NOW_MS,
        "next_write_ms": NOW_MS + 30_000,
        **changes,
    }


def put(path: Path, **changes: JsonValue) -> None:
    path.write_bytes(sealed_bytes(whole(**changes))[0])


def test_what_was_written_is_read_with_its_numbers_as_text(path: Path) -> None:
    write_generations(path, 3)
    found = read_checkpoint(path, account_ref="main", exchanges={"binance"})
    assert found.sequence == 3
    assert found.rows("orders") == [order()]
    assert found.prev_sha256 == load_file(history.generation_path(path, 2)).sha256
    assert found.fallback is None
    assert found.engine["name"] == "bot"


def test_an_absent_section_is_not_known_and_an_empty_one_is_none(path: Path) -> None:
    document = content(orders=[])
    del document["fills"]
    with CheckpointWriter(path) as writer:
        writer.write(document)
    found = read_checkpoint(path)
    assert found.rows("orders") == []
    assert found.rows("fills") is None


def test_a_missing_checkpoint_is_told_apart_from_a_lost_one(path: Path) -> None:
    with pytest.raises(CheckpointMissing):
        read_checkpoint(path)
    write_generations(path, 1)
    path.unlink()
    history.generation_path(path, 1).unlink()
    with pytest.raises(CheckpointCorrupt, match="its journal says that sequence 1 was written"):
        read_checkpoint(path)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, 10_000), flip=st.integers(0, 255))
def test_torn_or_flipped_at_any_byte_is_noticed_and_told(path: Path, at: int, flip: int) -> None:
    if not path.exists():
        write_generations(path, 3)
        path.with_name("kept").write_bytes(path.read_bytes())
    data = path.with_name("kept").read_bytes()
    at %= len(data)
    torn = data[:at] if flip == 0 else data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
    # A copy of its own: the newest generation is a hard link to the same bytes.
    path.unlink()
    path.write_bytes(torn)
    try:
        found = read_checkpoint(path)
    except CheckpointTooNew:
        assert data[at : at + 1] == b"1"
        return
    if found.fallback is None:
        assert found.document == load_file(path.with_name("kept")).document
    else:
        assert "fell back to generation 3" in found.fallback
        assert found.sequence == 3


def test_torn_at_every_byte_without_a_history_is_corrupt(path: Path) -> None:
    put(path)
    data = path.read_bytes()
    for cut in range(len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(CheckpointCorrupt):
            read_checkpoint(path)
    path.write_bytes(data[:-1])
    assert read_checkpoint(path).sequence == 1


def test_damage_to_the_newest_generation_as_well_falls_further_back_and_counts(path: Path) -> None:
    write_generations(path, 5)
    with open(path, "r+b") as shared:
        shared.truncate(20)
    history.generation_path(path, 4).write_bytes(b"{}")
    found = read_checkpoint(path)
    assert found.sequence == 3
    assert found.fallback is not None
    assert "generation 3, 2 writes behind" in found.fallback
    assert "not JSON" in found.fallback


def test_a_generation_under_another_number_is_not_believed(path: Path) -> None:
    write_generations(path, 3)
    path.unlink()
    os.replace(history.generation_path(path, 2), history.generation_path(path, 9))
    found = read_checkpoint(path)
    assert found.sequence == 3


def test_everything_damaged_is_corrupt_and_names_the_file(path: Path) -> None:
    write_generations(path, 3)
    for place in [path, *(place for _, place in history.generations(path))]:
        place.unlink()
        place.write_bytes(b"{}")
    with pytest.raises(CheckpointCorrupt, match=re.escape(str(path))):
        read_checkpoint(path)


def test_a_newer_major_version_is_refused_without_falling_back(path: Path) -> None:
    write_generations(path, 2)
    path.unlink()
    put(path, schema="resync.checkpoint/2", sequence=3)
    with pytest.raises(CheckpointTooNew, match=r"resync\.checkpoint/2"):
        read_checkpoint(path)


@pytest.mark.parametrize("schema", ["resync.checkpoint/x", "other/1", "", None, 1])
def test_another_schema_is_corrupt(path: Path, schema: JsonValue) -> None:
    put(path, schema=schema)
    with pytest.raises(CheckpointCorrupt, match="unknown schema"):
        read_checkpoint(path)


def test_a_backup_that_was_put_back_is_refused_unless_allowed(path: Path) -> None:
    write_generations(path, 2)
    backup = path.read_bytes()
    write_generations(path, 3)
    path.unlink()
    path.write_bytes(backup)
    with pytest.raises(CheckpointRolledBack, match="sequence 2 is older than 5"):
        read_checkpoint(path)
    found = read_checkpoint(path, allow_rollback=True)
    assert (found.sequence, found.rolled_back_from) == (2, 5)


def test_a_whole_folder_that_was_put_back_is_known_by_what_was_seen(path: Path) -> None:
    write_generations(path, 2)
    digest = read_checkpoint(path).sha256
    assert read_checkpoint(path, last_seen=LastSeen(2, digest)).sequence == 2
    assert read_checkpoint(path, last_seen=LastSeen(1, "0" * 64)).sequence == 2
    with pytest.raises(CheckpointRolledBack, match="older than 3"):
        read_checkpoint(path, last_seen=LastSeen(3))
    with pytest.raises(CheckpointRolledBack, match="another content"):
        read_checkpoint(path, last_seen=LastSeen(2, "0" * 64))


def test_content_that_the_journal_does_not_know_is_corrupt(path: Path) -> None:
    write_generations(path, 2)
    path.unlink()
    put(path, sequence=2, prev_sha256=None)
    found = read_checkpoint(path)
    assert found.fallback is not None
    assert "written with another content" in found.fallback
    put(path, sequence=3, prev_sha256="0" * 64)
    found = read_checkpoint(path)
    assert found.fallback is not None
    assert "does not continue the chain" in found.fallback


@pytest.mark.parametrize(
    ("whose", "words"),
    [
        ({"account_ref": "other"}, "account 'main', not to 'other'"),
        ({"exchanges": {"kraken", "okx"}}, "'binance', not at kraken or okx"),
    ],
)
def test_somebody_else_s_checkpoint_is_foreign(
    path: Path, whose: dict[str, Any], words: str
) -> None:
    write_generations(path, 1)
    with pytest.raises(CheckpointForeign, match=words):
        read_checkpoint(path, **whose)


def test_a_foreign_generation_is_foreign_as_well(path: Path) -> None:
    write_generations(path, 2)
    path.unlink()
    path.write_bytes(b"torn")
    with pytest.raises(CheckpointForeign):
        read_checkpoint(path, account_ref="other")


def test_stale_is_past_the_promised_write_and_the_grace(path: Path) -> None:
    write_generations(path, 1)
    found = read_checkpoint(path)
    due_ms = found.next_write_ms
    require_fresh(found, now_ms=due_ms + 1000, grace_ms=1000)
    with pytest.raises(CheckpointStale, match=r"1\.0 s overdue"):
        require_fresh(found, now_ms=due_ms + 1001, grace_ms=1000)


def test_after_a_clean_shutdown_nothing_is_overdue(path: Path) -> None:
    write_generations(path, 1, clean_shutdown=True)
    require_fresh(read_checkpoint(path), now_ms=NOW_MS * 2, grace_ms=0)


def test_a_symbolic_link_a_folder_and_a_huge_file_are_not_read(path: Path) -> None:
    write_generations(path.with_name("elsewhere"), 1)
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(CheckpointCorrupt, match="symbolic link"):
        read_checkpoint(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(CheckpointCorrupt):
        read_checkpoint(path)
    path.rmdir()
    put(path)
    with pytest.raises(CheckpointCorrupt, match="the limit is 100"):
        read_checkpoint(path, size_limit=100)


def test_a_torn_journal_does_not_stop_the_reader(path: Path) -> None:
    write_generations(path, 2)
    with open(history.journal_path(path), "ab") as journal:
        journal.write(b"99999,abc")
    assert read_checkpoint(path).sequence == 2
    history.journal_path(path).write_bytes(os.urandom(300_000))
    assert read_checkpoint(path).sequence == 2


MISSHAPEN: list[tuple[JsonObject, str]] = [
    ({"orders": None}, r"\$\.orders: expected a list"),
    ({"orders": {}}, r"\$\.orders"),
    ({"orders": ["x"]}, r"\$\.orders\[0\]: expected an object"),
    ({"orders": [order(), order(amount=1)]}, r"\$\.orders\[1\]\.amount"),
    ({"orders": [order(amount="NaN")]}, r"amount: expected a number from 0"),
    ({"orders": [order(amount="-1")]}, r"amount: expected a number from 0"),
    ({"orders": [order(price=50000)]}, r"price"),
    ({"orders": [order(side="BUY")]}, r"side: expected one of buy, sell"),
    ({"orders": [order(state="resting")]}, r"state: expected one of"),
    ({"orders": [order(client_id=None, exchange_id=None)]}, "needs client_id or exchange_id"),
    ({"orders": [order(created_ms="1")]}, r"created_ms: expected whole milliseconds"),
    ({"orders": [order(created_ms=True)]}, r"created_ms"),
    ({"orders": [{"client_id": "x"}]}, r"symbol: expected .*, found nothing"),
    ({"orders": [order(reduce_only="no")]}, r"reduce_only: expected true or false"),
    ({"positions": [{"symbol": "X", "side": "flat", "amount": "1"}]}, r"positions\[0\]\.side"),
    ({"balances": [{"asset": "X", "total": "1", "as_of_ms": 1}]}, r"balances\[0\]\.source"),
    ({"fills": [{"trade_id": 1}]}, r"fills\[0\]\.trade_id"),
    ({"external_claims": [{"owner": "x"}]}, "exactly one of"),
    ({"external_claims": [{"owner": "x", "symbol": "S", "client_id": "c"}]}, "exactly one of"),
    ({"account": {"exchange": "binance"}}, r"\$\.account\.market_type"),
    ({"account": "main"}, r"\$\.account"),
    ({"engine": {}}, r"\$\.engine\.name"),
    ({"sequence": 0}, r"\$\.sequence"),
    ({"sequence": "1"}, r"\$\.sequence"),
    ({"prev_sha256": "abc"}, r"\$\.prev_sha256"),
    ({"complete": 1}, r"\$\.complete"),
    ({"clean_shutdown": None}, r"\$\.clean_shutdown"),
]


@pytest.mark.parametrize(("changes", "words"), MISSHAPEN)
def test_what_has_another_shape_is_refused_with_its_place(
    path: Path, changes: JsonObject, words: str
) -> None:
    with pytest.raises(FormatError, match=words):
        check_document(whole(**changes))
    put(path, **changes)
    with pytest.raises(CheckpointCorrupt, match=words):
        read_checkpoint(path)


BAD_FEES: list[JsonValue] = ["0.1", ["0.1"], [{"asset": "X"}], [{"asset": "X", "amount": 1}]]


@pytest.mark.parametrize("fee", BAD_FEES)
def test_a_bad_fee_is_refused(fee: JsonValue) -> None:
    row: JsonObject = {
        "trade_id": "9",
        "symbol": "BTC/USDT",
        "side": "buy",
        "amount": "0.001",
        "ts_ms": NOW_MS,
    }
    check_document(whole(fills=[row]))
    with pytest.raises(FormatError, match="fee"):
        check_document(whole(fills=[{**row, "fee": fee}]))


def test_unknown_keys_are_kept(path: Path) -> None:
    put(path, orders=[order(mood="calm")], strategy=[{"id": "s"}])
    found = read_checkpoint(path)
    assert found.rows("orders") == [order(mood="calm")]
    assert found.document["strategy"] == [{"id": "s"}]


def test_ten_thousand_orders_are_read_well_within_two_seconds(path: Path) -> None:
    rows: list[JsonValue] = [order(client_id=f"bot-{n}", exchange_id=str(n)) for n in range(10_000)]
    with CheckpointWriter(path, now_ms=ticking()) as writer:
        writer.write(content(orders=rows))
    before = time.perf_counter()
    assert len(read_checkpoint(path).rows("orders") or ()) == 10_000
    assert time.perf_counter() - before < 2


def test_every_error_carries_a_place_and_a_hint(path: Path) -> None:
    write_generations(path, 1)
    with pytest.raises(CheckpointMissing) as missing:
        read_checkpoint(path.with_name("none"))
    with pytest.raises(CheckpointForeign) as foreign:
        read_checkpoint(path, account_ref="other")
    for caught in (missing.value, foreign.value):
        assert isinstance(caught, RecoveryError)
        assert caught.place
        assert caught.hint
