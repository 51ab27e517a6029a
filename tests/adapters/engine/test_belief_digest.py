"""A verdict is about what an engine believes, not about when it last said so."""

from pathlib import Path

import pytest

from resyncctl.sdk.canonical import JsonObject, JsonValue
from resyncctl.sdk.checkpoint import read_checkpoint
from tests.adapters.engine.test_checkpoint_engine import read, write
from tests.sdk.samples import NOW_MS, order


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.json"


CHANGES: list[JsonObject] = [
    {"orders": []},
    {"orders": [order(filled="0.002")]},
    {"fills": []},
    {"positions": []},
    {"external_claims": []},
    {"complete": False},
    {"balances": []},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_the_digest_changes_with_the_belief(path: Path, changes: JsonObject) -> None:
    write(path)
    before = read(path).source.digest
    write(path, **changes)
    assert read(path).source.digest != before


def test_the_digest_does_not_change_with_the_time_alone(path: Path) -> None:
    write(path)
    before = read(path)
    rows = read_checkpoint(path).rows("balances") or []
    later: list[JsonValue] = [{**row, "as_of_ms": NOW_MS, "source": "computed"} for row in rows]
    write(path, state_as_of_ms=NOW_MS, event_cursor={"last_trade_id": "10"}, balances=later)
    after = read(path)
    assert after.sequence != before.sequence
    assert after.source.digest == before.source.digest
