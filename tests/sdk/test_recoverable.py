"""What a bot says is on disk when the call returns, and no order leaves through a closed gate."""

import contextlib
from decimal import Decimal
from pathlib import Path

import pytest

from resyncctl.sdk import history
from resyncctl.sdk.canonical import JsonValue
from resyncctl.sdk.errors import (
    CheckpointForeign,
    FormatError,
    GateClosed,
    RecoveryError,
    WriterBusy,
    WriterLost,
)
from resyncctl.sdk.gate import GateState
from resyncctl.sdk.state import FILLS_KEPT_MS, EngineState, NewOrder
from tests.sdk.bot_world import World, buy, fill
from tests.sdk.samples import NOW_MS


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_intent_is_on_disk_before_the_order_may_leave(world: World) -> None:
    with world.start() as state:
        state.before_submit(buy())
        row = world.order_on_disk()
        assert (row["state"], row["amount"], row["filled"]) == ("pending_new", "2", "0")
        state.acknowledged("bot-1", exchange_id="77")
        assert world.order_on_disk()["exchange_id"] == "77"
        assert world.order_on_disk()["state"] == "open"


@pytest.mark.parametrize("gate", [GateState.UNSAFE, GateState.SAFE])
def test_a_closed_gate_refuses_and_leaves_no_intent(world: World, gate: GateState) -> None:
    with world.start() as state:
        world.move(gate)
        with pytest.raises(GateClosed):
            state.before_submit(buy())
        assert state.orders == []


def test_a_gate_that_closes_during_the_write_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.start() as state:
        real = history.append_journal

        def closing(path: Path, sequence: int, sha256: str, now_ms: int) -> None:
            real(path, sequence, sha256, now_ms)
            world.move(GateState.UNSAFE)

        with monkeypatch.context() as patched:
            patched.setattr(history, "append_journal", closing)
            with pytest.raises(GateClosed):
                state.before_submit(buy())
        assert world.order_on_disk()["state"] == "rejected"


def test_an_intent_that_cannot_be_written_is_refused(world: World) -> None:
    state = world.start()
    with contextlib.suppress(WriterLost), state:
        history.lock_path(world.path).unlink()
        with pytest.raises(WriterLost, match="removed or replaced"):
            state.before_submit(buy())
        assert [row["state"] for row in state.orders] == ["rejected"]
        history.lock_path(world.path).touch()
        with pytest.raises(WriterLost, match="removed or replaced"):
            state.before_submit(buy("bot-2"))
        raise WriterLost("as a bot would end")
    assert world.on_disk().rows("orders") == []


def test_a_live_client_id_is_not_used_twice_and_an_intent_cannot_wait(world: World) -> None:
    with world.start() as state:
        state.before_submit(buy())
        with pytest.raises(RecoveryError, match="in use by a live order"):
            state.before_submit(buy())
        with state.batch(), pytest.raises(RecoveryError, match="cannot wait"):
            state.before_submit(buy("bot-2"))
        state.rejected("bot-1")
        state.before_submit(buy())


def test_an_order_that_makes_no_sense_is_refused_before_it_is_written(world: World) -> None:
    with world.start() as state:
        with pytest.raises(FormatError, match="side"):
            state.before_submit(
                NewOrder(client_id="x", symbol="S", side="BUY", type="limit", amount=Decimal(1))
            )
        with pytest.raises(FormatError, match="float"):
            state.before_submit(
                NewOrder(client_id="x", symbol="S", side="buy", type="limit", amount=1.5)  # type: ignore[arg-type]
            )


def test_a_batch_is_one_write_also_when_it_ends_in_an_error(world: World) -> None:
    with world.start() as state:
        state.before_submit(buy())
        before = world.on_disk().sequence
        with contextlib.suppress(ZeroDivisionError), state.batch():
            state.acknowledged("bot-1", exchange_id="77")
            state.filled(fill(), client_id="bot-1")
            assert world.on_disk().sequence == before
            _ = 1 // 0
        assert world.on_disk().sequence == before + 1
        assert world.order_on_disk()["state"] == "partially_filled"


def test_a_restart_knows_everything_and_repeats_nothing(world: World) -> None:
    with contextlib.suppress(KeyboardInterrupt), world.start() as state:
        state.set_positions("linear", [])
        state.before_submit(buy())
        state.before_submit(buy("bot-2"))
        state.acknowledged("bot-1", exchange_id="77")
        state.filled(fill(), client_id="bot-1")
        state.note_cursor({"last_trade_id": "t1"}, as_of_ms=NOW_MS + 9)
        state.claim("desk", symbol="ETH/USDT", note="by hand")
        raise KeyboardInterrupt
    found = world.on_disk()
    assert not found.clean_shutdown
    with world.start() as again:
        assert again.resumed
        assert {row["client_id"]: row["state"] for row in again.orders} == {
            "bot-1": "partially_filled",
            "bot-2": "pending_new",
        }
        assert again.event_cursor == {"last_trade_id": "t1"}
        assert len(again.positions or []) == 1
        assert not again.filled(fill(), client_id="bot-1")
    sections = ("orders", "positions", "fills", "external_claims", "fills_since_ms")
    for section in sections:
        assert world.on_disk().document[section] == found.document[section]


def test_a_clean_shutdown_needs_nothing_in_the_air(world: World) -> None:
    with world.start() as state:
        state.before_submit(buy())
    assert not world.on_disk().clean_shutdown
    with world.start() as state:
        assert not world.on_disk().clean_shutdown
        state.acknowledged("bot-1", exchange_id="77")
    assert world.on_disk().clean_shutdown


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("cancel_requested", "pending_cancel"),
        ("cancelled", "canceled"),
        ("expired", "expired"),
        ("rejected", "rejected"),
        ("unknown", "unknown"),
        ("completed", "filled"),
    ],
)
def test_every_word_is_on_disk_when_it_returns(world: World, word: str, state: str) -> None:
    with world.start() as bot:
        bot.before_submit(buy())
        getattr(bot, word)("bot-1")
        assert world.order_on_disk()["state"] == state


def test_the_heartbeat_keeps_the_promise_of_the_next_write(world: World) -> None:
    with world.start() as state:
        before = world.on_disk()
        world.now_ms += 9_999
        state.heartbeat()
        assert world.on_disk().sequence == before.sequence
        world.now_ms += 1
        state.heartbeat()
        after = world.on_disk()
        assert after.sequence == before.sequence + 1
        assert after.next_write_ms > before.next_write_ms


def test_old_fills_and_old_ended_orders_are_forgotten_and_the_window_says_so(world: World) -> None:
    with world.start() as state:
        state.filled(fill(), client_id=None, exchange_id="1")
        assert world.on_disk().document["fills_since_ms"] == NOW_MS
        world.now_ms += FILLS_KEPT_MS + 8
        state.heartbeat()
        assert world.on_disk().rows("fills") == []
        assert world.on_disk().document["fills_since_ms"] == NOW_MS + 8
        with state.batch():
            for number in range(210):
                state._state.add(buy(f"n{number}"), NOW_MS)
                state.cancelled(f"n{number}")
        assert next(row["client_id"] for row in state.orders) == "n10"


def test_another_account_another_mode_and_a_second_bot_are_refused(world: World) -> None:
    with world.start(), pytest.raises(WriterBusy):
        world.start()
    with pytest.raises(CheckpointForeign, match="account_ref"):
        world.start(account="other")
    with pytest.raises(CheckpointForeign, match="dry_run"):
        world.start(dry_run=True)
    world.start().__exit__(None, None, None)


def test_after_a_fallback_the_state_is_not_complete_until_the_bot_says_so(world: World) -> None:
    with world.start() as state:
        state.before_submit(buy())
    world.path.unlink()
    world.path.write_bytes(b"torn")
    with world.start() as state:
        assert state.fallback is not None
        assert not world.on_disk().complete
    with world.start() as state:
        assert state.fallback is None
        assert not world.on_disk().complete
        state.declare_complete()
        assert world.on_disk().complete


def test_the_rows_of_a_state_that_was_loaded_keep_what_they_do_not_know() -> None:
    state = EngineState(market_type="spot", products=("spot",))
    unknown: JsonValue = {"mood": "calm"}
    state.load(
        {
            "state_as_of_ms": 5,
            "orders": [{"client_id": "a", "extra": unknown, "state": "open"}],
            "balances": [],
        }
    )
    assert state.content()["orders"] == [{"client_id": "a", "extra": unknown, "state": "open"}]
    assert state.content()["balances"] == []
