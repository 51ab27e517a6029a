"""One fill moves its order, its position and its balance, once, and nothing is guessed."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.sdk.canonical import JsonObject, decimal_of
from resyncctl.sdk.ledger import Execution, changes_of, move_position, product_of, signed_amount
from resyncctl.sdk.state import NewOrder
from resyncctl.sdk.writer import CheckpointWriter
from tests.sdk.bot_world import World, buy, fill
from tests.sdk.samples import NOW_MS


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


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


def test_a_fill_is_booked_once_whatever_was_known_of_its_order(world: World) -> None:
    with world.start() as state:
        state.before_submit(buy("bot-1", "BTC/USDT"))
        state.filled(fill("t1", symbol="BTC/USDT"), client_id="bot-1")
        state.acknowledged("bot-1", exchange_id="77")
        assert not state.filled(fill("t1", symbol="BTC/USDT"), exchange_id="77")
        # As a repair writes a fill that the engine had missed: by its exchange id alone.
        assert state.filled(fill("t2", symbol="ETH/USDT"), exchange_id="88")
        assert not state.filled(fill("t2", symbol="ETH/USDT"), client_id="bot-9")
        # One trade of two orders, as some exchanges number them.
        assert state.filled(fill("t2", symbol="ETH/USDT"), exchange_id="89")
        assert len(world.on_disk().rows("fills") or []) == 3


@pytest.mark.parametrize(
    ("inferred", "real", "filled", "rows"),
    [
        ("0.5", ["0.5"], "0.5", ["0.5"]),
        ("0.5", ["0.2", "0.3"], "0.5", ["0.2", "0.3"]),
        ("0.5", ["0.2"], "0.5", ["0.3", "0.2"]),
        ("0.5", ["0.7"], "0.7", ["0.7"]),
    ],
)
def test_an_inferred_fill_gives_way_to_the_real_one(
    world: World, inferred: str, real: list[str], filled: str, rows: list[str]
) -> None:
    with world.start() as state:
        state.set_positions("linear", [])
        state.before_submit(buy())
        state.acknowledged("bot-1", exchange_id="77")
        state.filled(fill("inferred:77", inferred, fee=None), client_id="bot-1")
    document = dict(world.on_disk().document)
    (row,) = world.on_disk().rows("fills") or []
    document["fills"] = [{**row, "inferred": True}]
    with CheckpointWriter(world.path) as writer:
        writer.write(document)
    with world.start() as state:
        for number, amount in enumerate(real):
            assert state.filled(fill(f"t{number}", amount), exchange_id="77")
        assert world.order_on_disk()["filled"] == filled
        assert [row["amount"] for row in world.on_disk().rows("fills") or []] == rows
        (position,) = world.on_disk().rows("positions") or []
        assert position["amount"] == filled


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


def test_the_entry_of_contracts_that_grew_is_the_harmonic_mean() -> None:
    """Ten contracts at 50000 and ten at 75000 are worth what twenty at 60000 are worth."""
    row = {"symbol": "BTC/USD:BTC", "side": "long", "amount": "10", "entry_price": "50000"}
    fill = Execution(
        trade_id="1",
        symbol="BTC/USD:BTC",
        side="buy",
        price=Decimal(75000),
        amount=Decimal(10),
        at_ms=1,
    )
    moved = move_position(dict(row), fill, "inverse")
    assert moved.row is not None
    assert Decimal(str(moved.row["entry_price"])) == 60000
    assert moved.row["amount"] == "20"
