"""What a bot says is on disk when the call returns, and no order leaves through a closed gate."""

import contextlib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.sdk import history
from resyncctl.sdk.canonical import JsonObject, JsonValue, decimal_of
from resyncctl.sdk.checkpoint import Checkpoint, read_checkpoint
from resyncctl.sdk.errors import (
    CheckpointForeign,
    FormatError,
    GateClosed,
    RecoveryError,
    WriterBusy,
    WriterLost,
)
from resyncctl.sdk.gate import GateState, write_gate
from resyncctl.sdk.ledger import Execution, changes_of, move_position, product_of, signed_amount
from resyncctl.sdk.recoverable import Recoverable
from resyncctl.sdk.state import FILLS_KEPT_MS, EngineState, NewOrder
from tests.sdk.samples import NOW_MS


class World:
    """A folder with a gate, a clock and a bot that can be started again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bot.json"
        self.gate = folder / "gate.json"
        self.now_ms = NOW_MS
        self.move(GateState.RUNNING)

    def move(self, state: GateState) -> None:
        write_gate(
            self.gate,
            account="main",
            state=state,
            reason="test",
            by="test",
            run_id="r",
            now_ms=self.now_ms,
        )

    def start(self, *, account: str = "main", dry_run: bool = False) -> Recoverable:
        return Recoverable(
            self.path,
            self.gate,
            account=account,
            exchange="binance",
            market_type="swap",
            products=("spot", "linear"),
            dry_run=dry_run,
            now_ms=lambda: self.now_ms,
        )

    def on_disk(self) -> Checkpoint:
        return read_checkpoint(self.path)

    def order_on_disk(self, client_id: str = "bot-1") -> JsonObject:
        rows = self.on_disk().rows("orders") or []
        return next(row for row in rows if row["client_id"] == client_id)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def buy(client_id: str = "bot-1", symbol: str = "BTC/USDT:USDT", amount: str = "2") -> NewOrder:
    return NewOrder(
        client_id=client_id,
        symbol=symbol,
        side="buy",
        type="limit",
        amount=Decimal(amount),
        price=Decimal(100),
    )


def fill(
    trade_id: str = "t1",
    amount: str = "0.5",
    *,
    side: str = "buy",
    price: str = "100",
    symbol: str = "BTC/USDT:USDT",
    fee: str | None = "0.02",
) -> Execution:
    return Execution(
        trade_id=trade_id,
        symbol=symbol,
        side=side,
        price=Decimal(price),
        amount=Decimal(amount),
        at_ms=NOW_MS + 7,
        fee=None if fee is None else (("USDT", Decimal(fee)),),
    )


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


def test_fills_move_order_position_and_balance_in_one_write(world: World) -> None:
    with world.start() as state:
        state.set_positions("linear", [])
        state.set_balances("spot", {}, as_of_ms=NOW_MS)
        state.set_balances("linear", {"USDT": (Decimal(1000), Decimal(0))}, as_of_ms=NOW_MS)
        state.before_submit(buy())
        state.acknowledged("bot-1", exchange_id="77")
        before = world.on_disk().sequence
        assert state.filled(fill(), client_id="bot-1")
        assert not state.filled(fill(), exchange_id="77")
        found = world.on_disk()
        assert found.sequence == before + 1
        row = world.order_on_disk()
        assert (row["state"], row["filled"], row["remaining"]) == ("partially_filled", "0.5", "1.5")
        (position,) = found.rows("positions") or []
        assert (position["side"], position["amount"], position["entry_price"]) == (
            "long",
            "0.5",
            "100",
        )
        (balance,) = found.rows("balances") or []
        assert (balance["total"], balance["source"]) == ("999.98", "computed")
        assert "free" not in balance
        assert found.state_as_of_ms == NOW_MS + 7
        state.filled(fill("t2", "1.5"), client_id="bot-1")
        assert world.order_on_disk()["state"] == "filled"


def test_what_cannot_be_computed_is_left_out_and_not_guessed(world: World) -> None:
    with world.start() as state:
        assert world.on_disk().rows("positions") is None
        assert world.on_disk().rows("balances") is None
        state.set_balances("spot", {"USDT": (Decimal(5), Decimal(1))}, as_of_ms=NOW_MS)
        assert world.on_disk().rows("balances") is None
        state.set_balances("linear", {}, as_of_ms=NOW_MS)
        assert len(world.on_disk().rows("balances") or []) == 1
        state.filled(fill(fee=None, symbol="BTC/USDT"), exchange_id="unknown-order")
        assert world.on_disk().rows("balances") is None
        (row,) = world.on_disk().rows("fills") or []
        assert row["order_exchange_id"] == "unknown-order"


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


@pytest.mark.parametrize(
    ("symbol", "market_type", "product"),
    [
        ("BTC/USDT", "spot", "spot"),
        ("BTC/USDT", "margin", "margin"),
        ("BTC/USDT", "swap", "spot"),
        ("BTC/USDT:USDT", "spot", "linear"),
        ("BTC/USD:BTC", "swap", "inverse"),
        ("BTC/USDT:USDT-261225", "future", "linear"),
        ("BTC/USD:BTC-261225-60000-C", "option", "option"),
    ],
)
def test_the_product_follows_from_the_symbol(symbol: str, market_type: str, product: str) -> None:
    assert product_of(symbol, market_type) == product


STEPS = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 50), st.integers(1, 200)),
    max_size=12,
)


@given(steps=STEPS)
def test_a_position_is_the_sum_of_its_fills_and_money_is_conserved(
    steps: list[tuple[str, int, int]],
) -> None:
    row: JsonObject | None = None
    signed = cash = realized = Decimal(0)
    for number, (side, amount, price) in enumerate(steps):
        one = fill(str(number), str(amount), side=side, price=str(price))
        moved = move_position(row, one, "linear")
        row, signed = moved.row, signed + one.signed
        cash -= one.signed * one.price
        assert moved.realized is not None
        realized += moved.realized
        assert (signed_amount(row) if row else 0) == signed
    entry = decimal_of(row["entry_price"]) if row else Decimal(0)
    assert entry is not None
    # Realised profit plus the cost of what is still open is all the cash that moved.
    assert abs(realized - (cash + signed * entry)) < Decimal("1e-6")


def test_spot_fills_move_both_assets_and_the_fee() -> None:
    assert changes_of(fill(symbol="BTC/USDT", side="sell"), "spot", None) == {
        "BTC": Decimal("-0.5"),
        "USDT": Decimal("49.98"),
    }
    assert changes_of(fill(symbol="BTC/USD:BTC"), "inverse", Decimal(1)) is None


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


def test_a_triggered_stop_goes_on_as_a_regular_order(world: World) -> None:
    stop = NewOrder(
        client_id="stop-1",
        symbol="BTC/USDT:USDT",
        side="sell",
        type="stop_market",
        amount=Decimal(1),
        stop_price=Decimal(90),
        role="stop",
        reduce_only=True,
        order_class="algo",
    )
    with world.start() as state:
        state.before_submit(stop)
        state.acknowledged("stop-1", exchange_id="2000001")
        assert world.order_on_disk("stop-1")["order_class"] == "algo"
        state.triggered("stop-1", exchange_id="88")
        row = world.order_on_disk("stop-1")
        assert (row["exchange_id"], row["order_class"], row["state"]) == ("88", "regular", "open")


def test_a_balance_of_which_only_the_total_is_known_says_only_that(world: World) -> None:
    with world.start() as state:
        state.set_balances("spot", {}, as_of_ms=NOW_MS)
        state.set_balances("linear", {"USDT": Decimal("7.50")}, as_of_ms=NOW_MS)
        (row,) = world.on_disk().rows("balances") or []
        assert row["total"] == "7.5"
        assert "free" not in row
        assert "used" not in row


def test_a_fill_finds_its_order_by_id_and_symbol_for_ids_count_per_symbol(world: World) -> None:
    with world.start() as state:
        for client_id, symbol in (("bot-1", "BTC/USDT"), ("bot-2", "BTC/USDT:USDT")):
            state.before_submit(buy(client_id, symbol))
            state.acknowledged(client_id, exchange_id="1001")
        state.filled(fill("t1", symbol="BTC/USDT:USDT"), exchange_id="1001")
        state.filled(fill("t1", symbol="ETH/USDT"), exchange_id="1001")
        state.filled(fill("t2", symbol="BTC/USDT", side="sell"), exchange_id="1001")
        assert world.order_on_disk("bot-1")["filled"] == "0"
        assert world.order_on_disk("bot-2")["filled"] == "0.5"
        owners = [row.get("order_client_id") for row in world.on_disk().rows("fills") or []]
        assert owners == ["bot-2", None, None]
